"""What the terminal is and can do: colours, a line while something loads, a console for tables."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, TextIO

from gradline.errors import StorageError

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDEST = 100
"""Columns that text is set in, however wide the terminal is."""

NARROWEST = 40
"""Columns that text is set in, however narrow the terminal is."""

_STYLES = {"bold": "1", "dim": "2", "red": "1;31", "yellow": "33", "green": "32", "cyan": "36", "bold cyan": "1;36"}


def is_live(stream: TextIO) -> bool:
    """A person looks at it, and lines can be written over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_coloured(stream: TextIO) -> bool:
    """Colours are wanted there: a terminal, and no NO_COLOR; or FORCE_COLOR."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_live(stream)


def paint(text: str, style: str, stream: TextIO) -> str:
    """The text in a style, where colours are wanted."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if text and is_coloured(stream) else text


def width() -> int:
    """Columns to set text in: those of the terminal, of COLUMNS, or as many as are read with ease."""
    return max(NARROWEST, min(WIDEST, get_terminal_size((WIDEST, 24)).columns))


def show(thing: RenderableType, *, soft_wrap: bool = False) -> None:
    """A card, or a line in colours, on standard output."""
    from rich.console import Console

    console = Console(highlight=False, width=width())
    with _heard():
        with console.capture() as drawn:  # printing itself, rich ends the program when the reader has gone
            console.print(thing, soft_wrap=soft_wrap)
        sys.stdout.write(drawn.get())


def write(text: str = "") -> None:
    """A line on standard output."""
    with _heard():
        sys.stdout.write(f"{text}\n")


@contextmanager
def _heard() -> Iterator[None]:
    """Standard output is written. Raises `StorageError` if it cannot be: it is full, say.

    A reader that has gone does not stop the work: its files are wanted all the same.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        deaf()
        if not isinstance(error, BrokenPipeError):
            raise StorageError(f"cannot write standard output: {error.strerror or error}") from error


def deaf() -> None:
    """Nobody reads standard output any more: what is still written to it goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(name: str) -> str:
    """A name on one line: characters that would steer the terminal are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name)


def prose(text: str, indent: int = 0) -> Iterator[str]:
    """Lines of a text whose code is in backticks, which the terminal does without where it is one word."""
    plain = re.sub(r"`([^`]*)`", lambda m: m[1] if " " not in m[1] else f"'{m[1]}'", text)
    for line in wrap(plain, width() - indent, break_on_hyphens=False, break_long_words=False):
        yield " " * indent + line


def pairs(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Labels, dim, and their texts beside them."""
    listed = list(rows)
    left = max(len(label) for label, _ in listed) + 2
    for label, text in listed:
        first, *others = list(prose(text, left)) or [""]
        yield paint(label, "dim", sys.stdout) + " " * (left - len(label)) + first.strip()
        yield from others


def aside() -> AbstractContextManager[object]:
    """Whatever a model prints meanwhile goes to standard error."""
    return redirect_stdout(sys.stderr)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Say on standard error what is being done, as long as it is; on a terminal only, and nothing is left behind."""
    shown = is_live(sys.stderr)
    if shown:
        sys.stderr.write(f"\r{paint(f'{text} …', 'dim', sys.stderr)}\x1b[K")
        sys.stderr.flush()
    try:
        yield
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
