"""A live line while gradients are read: examples done, gradients spent, the estimate now, the time left."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gradline.core.error_bar import SAFETY
from gradline.core.paths import Budget, FixedBudget, ToleranceBudget
from gradline.errors import MissingExtra

Watch = Callable[[int, int, float], None]

TOGETHER = 64
"""With more examples than this not all are under way at once: time left is told when the first of them are done."""


@dataclass
class Forecast:
    """How many gradients a call of `examples` will take, from what it has taken.

    `each`: gradients an example, where that is known beforehand. Else examples that are done speak for the others;
    before one is, the error is taken to fall like a power of the number of gradients, as it did so far, down to `tol`,
    with at most `most` gradients an example.
    """

    examples: int
    each: int | None = None
    tol: float = 0.0
    most: float = math.inf
    seen: list[tuple[float, float]] = field(default_factory=list)

    @classmethod
    def of(cls, examples: int, budget: Budget | None, draws: int) -> Forecast:
        """That of a budget; without one, nothing is foretold before examples are done."""
        match budget:
            case FixedBudget(steps, _):
                return cls(examples, each=steps * draws)
            case ToleranceBudget(tol, most):
                return cls(examples, tol=tol, most=most)
            case _:
                return cls(examples)

    @property
    def exact(self) -> bool:
        """The number of gradients is known beforehand."""
        return self.each is not None

    def total(self, done: int, spent: int, estimate: float) -> float | None:
        """Gradients in all, at least `spent`; None if nothing can be said yet."""
        if self.each is not None:
            return max(spent, self.examples * self.each)
        if done:
            return min(max(spent, spent * self.examples / done), max(spent, self.most * self.examples))
        if not spent or not self.tol or self.examples > TOGETHER or not 0 < estimate < math.inf:
            return None
        if not self.seen or spent > math.exp(self.seen[-1][0]) + 0.5:
            self.seen.append((math.log(spent), math.log(estimate)))
        ratio = max(1.0, SAFETY * estimate / self.tol)
        needed: float = spent * ratio ** (1 / self._power())
        return min(needed, max(spent, self.most * self.examples))

    def _power(self) -> float:
        """p in estimate ~ gradients^−p, by least squares over the last four readings; 1 from a single one."""
        last = self.seen[-4:]
        if len(last) < 2:
            return 1.0
        x, y = (sum(column) / len(last) for column in zip(*last, strict=True))
        slope: float = sum((a - x) * (b - y) for a, b in last) / sum((a - x) ** 2 for a, _ in last)
        return min(2.0, max(0.5, -slope))


@contextmanager
def progress(shown: bool, total: int, budget: Budget | None = None, draws: int = 1) -> Iterator[Watch]:
    """Yield a function of (examples done, gradients spent, worst estimate now); draws with rich if `shown`."""
    if not shown:
        yield lambda done, spent, estimate: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
        from rich.text import Text
    except ImportError as error:
        raise MissingExtra("progress=True", "cli") from error
    forecast = Forecast.of(total, budget, draws)

    class Left(ProgressColumn):
        """Counts down between two readings."""

        def render(self, task: Task) -> Text:
            ends = task.fields["ends"]
            text = "" if ends is None else left(ends - time.monotonic(), about=not forecast.exact)
            return Text(text, style="dim")

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[facts]}"))
    with Progress(*columns, Left(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("explaining", total=1.0, facts="", ends=None)
        readings: deque[tuple[float, int]] = deque([(time.monotonic(), 0)], maxlen=8)
        share = 0.0

        def watch(done: int, spent: int, estimate: float) -> None:
            nonlocal share
            readings.append((time.monotonic(), spent))
            (then, before), (now, _) = readings[0], readings[-1]
            needed, ends = forecast.total(done, spent, estimate), None
            if needed is not None and spent > before:
                share = max(share, spent / needed)
                ends = now + (now - then) * (needed - spent) / (spent - before)
            bar.update(task, completed=share, facts=facts(done, total, spent, estimate), ends=ends)

        yield watch


def facts(done: int, total: int, spent: int, estimate: float) -> str:
    """What is known now, in words."""
    from gradline.result.spelling import percent

    parts = [f"{done}/{total} examples"] if total > 1 else []
    parts.append(f"{spent} gradient{'s' * (spent != 1)}")
    if 0 < estimate < math.inf:
        parts.append(f"estimated error {percent(estimate)}")
    return ", ".join(parts)


def left(seconds: float, *, about: bool) -> str:
    """Time left, in the coarsest unit that still tells something."""
    whole = max(1, math.ceil(seconds))
    if whole < 100:
        amount = f"{whole} s"
    elif whole < 5940:
        amount = f"{round(whole / 60)} min"
    else:
        amount = f"{whole / 3600:.1f} h"
    return f"{'about ' * about}{amount} left"
