"""A live line while methods are judged: which examples are done, and what is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gradline.errors import MissingExtra


def _silent(text: str, done: int) -> None:
    return


@dataclass
class Watch:
    """Told what is going on. `show(text, examples done)` draws it."""

    show: Callable[[str, int], None] = _silent
    text: str = ""
    examples: int = 0

    def now(self, text: str) -> None:
        """What is at work."""
        self.text = text
        self.tick()

    def done(self, examples: int) -> None:
        """So many examples are done."""
        self.examples = examples
        self.tick()

    def tick(self) -> None:
        """Something went on."""
        self.show(self.text, self.examples)


@contextmanager
def watching(shown: bool, total: int) -> Iterator[Watch]:
    """Something to tell; drawn on standard error with rich if `shown`. Raises `MissingExtra`."""
    if not shown:
        yield Watch()
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
    except ImportError as error:
        raise MissingExtra("progress=True", "cli") from error
    columns = (SpinnerColumn(), TextColumn("judging"), BarColumn(20), TextColumn("{task.description}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def show(text: str, done: int) -> None:
            bar.update(task, completed=done, description=f"{done}/{total} examples, {text}")

        yield Watch(show)
