"""A live line while gradients are read: examples done, evaluations spent, the estimate now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gradline.errors import MissingExtra

Watch = Callable[[int, int, float], None]


@contextmanager
def progress(shown: bool, total: int) -> Iterator[Watch]:
    """Yield a function of (examples done, evaluations, worst estimate now); draws with rich if `shown`."""
    if not shown:
        yield lambda done, evaluations, estimate: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    except ImportError as error:
        raise MissingExtra("progress=True", "cli") from error
    from gradline.result.card import percent

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("explaining", total=total, spent="")

        def watch(done: int, evaluations: int, estimate: float) -> None:
            error = f", estimated error {percent(estimate)}" if estimate > 0 else ""
            bar.update(task, completed=done, spent=f"{evaluations} gradients{error}")

        yield watch
