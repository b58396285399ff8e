"""What is printed of a text: its words on colours, or the largest of them where colours are off."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np

from gradline.cli._terminal import is_coloured, one_line, show, width, write

if TYPE_CHECKING:
    from rich.text import Text as Line

    from gradline.plots.tokens import Spans
    from gradline.report import Text
    from gradline.result import Attribution

TOP = 10
"""Words listed where colours are off, and the length of the longest mark beside them."""

LEAST = 0.04
"""Share of full colour below which a word has none."""


def print_text(a: Attribution, text: Text) -> None:
    """The first example on standard output: red raises the score, blue lowers it, special tokens are dim.

    Without colours (NO_COLOR, a pipe) the largest words with their values, + and − as long as their size. Characters
    that would steer the terminal are escaped. Raises `InputError` where the values do not fit the text.
    """
    from dataclasses import replace

    from gradline.plots.tokens import Level, reach, spans

    found = spans(replace(a[0], shown=(text,)), 0, Level.WORDS)
    scale = reach(found.values[~found.special]) or reach(found.values)
    if is_coloured(sys.stdout):
        for line in _coloured(found, scale):
            show(line)
        show(_legend(a, scale))
    else:
        for plain in _listed(found, scale):
            write(plain)
    write(_sums(a, found))


def _coloured(found: Spans, scale: float) -> list[Line]:
    """The text, a line a part, and its special tokens."""
    from rich.style import Style
    from rich.text import Text as Line

    lines = []
    for part in dict.fromkeys(found.parts):
        chosen = [k for k, name in enumerate(found.parts) if name == part and not found.special[k]]
        line = Line()
        if part and chosen:
            line.append(f"{_plain(part)}: ", "bold")
        for n, k in enumerate(chosen):
            line.append(" " if n and found.spaces[k] else "")
            line.append(_plain(found.texts[k]), Style.parse(_style(float(found.values[k]), scale)))
            line.append("\n" if not found.texts[k].strip() and "\n" in found.texts[k] else "")
        lines += [line] if chosen else []
    special = np.flatnonzero(found.special)
    if len(special):
        listed = "  ".join(f"{_plain(found.texts[k])} {_signed(found.values[k])}" for k in special)
        lines.append(Line(f"special tokens: {listed}", "dim"))
    return lines


def _style(value: float, scale: float) -> str:
    """Letters and background for a value: as dense as its size, from the background of the terminal."""
    from gradline.plots.tokens import is_dark, tint

    if not np.isfinite(value):
        return "underline"
    if not scale or abs(value) < LEAST * scale:
        return ""
    paper = (255, 255, 255) if _is_light() else (24, 24, 24)
    red, green, blue = tint(value, scale, paper)
    letters = "255,255,255" if is_dark((red, green, blue)) else "0,0,0"
    return f"rgb({letters}) on rgb({red},{green},{blue})"


def _is_light() -> bool:
    """Whether the terminal says that its background is light: `COLORFGBG` ends in 7 or 15."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


def _legend(a: Attribution, scale: float) -> Line:
    """Both ends of the colour scale, in numbers."""
    from rich.text import Text as Line

    from gradline.plots.words import amount, directions

    lowers, raises = directions(a)
    line = Line(f"−{amount(scale)} {lowers} ", "dim")
    for step in (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0):
        line.append("  ", _style(step * scale, scale))
    return line.append(f" +{amount(scale)} {raises}", "dim")


def _listed(found: Spans, scale: float) -> list[str]:
    """The largest words, each with a mark of its sign and size, its value and its share; what is not finite last."""
    from rich.cells import cell_len, set_cell_size

    from gradline.result.spelling import percent

    plain = np.flatnonzero(~found.special & np.isfinite(found.values))
    order = plain[np.argsort(-np.abs(found.values[plain]), kind="stable")]
    names = [_plain(found.texts[k]).strip() for k in order[:TOP]]
    longest = min(max(map(cell_len, names), default=0), width() - TOP - 24)
    lines = []
    for k, name in zip(order, names, strict=False):
        value = float(found.values[k])
        length = max(1, round(TOP * min(1.0, abs(value) / scale))) if value and scale else 0
        mark = ("+" if value > 0 else "−") * length
        share = percent(float(found.shares[k]))
        lines.append(
            f"  {set_cell_size(name, longest)}  {mark.ljust(TOP)}  {_signed(value).rjust(9)}  {share.rjust(7)}"
        )
    rest, special = order[TOP:], np.flatnonzero(found.special & np.isfinite(found.values))
    for count, chosen in ((f"{len(rest)} other word", rest), (f"{len(special)} special token", special)):
        if len(chosen):
            lines.append(f"  {count}{'s' * (len(chosen) > 1)}: {_signed(found.values[chosen].sum())}")
    return lines


def _sums(a: Attribution, found: Spans) -> str:
    """What everything adds up to."""
    said = f"All of it adds up to {_signed(found.total)}"
    if a.baseline_score is not None and a.completeness_gap is not None:
        said += f"; F(x) - F(x') is {_signed(float(a.score[0] - a.baseline_score[0]))}"
    if found.bad:
        said += f"; {found.bad} not finite, left out"
    return f"{said}."


def _signed(value: float) -> str:
    from gradline.plots.words import signed

    return signed(float(value))


def _plain(text: str) -> str:
    """A stretch of text on one line, nothing in it steers the terminal."""
    from gradline.plots.tokens import visible

    return one_line(visible(text))
