"""Rows of a table in numbers: what each column contributes, and the steps from F(x') to F(x)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from gradline.errors import InputError
from gradline.plots.drawing.paper import check_count
from gradline.plots.maps import example
from gradline.result import Attribution
from gradline.result.structure import named

VISIBLE = 0.005
"""Share of a waterfall's extent from which the completeness gap gets a step of its own."""


class CellShown(Protocol):
    """A column of a row, as figures need it: see `gradline.report.row.Cell`."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def start(self) -> str: ...
    @property
    def number(self) -> float: ...
    @property
    def entry(self) -> str: ...
    @property
    def places(self) -> tuple[int, ...]: ...


@runtime_checkable
class RowShown(Protocol):
    """A row of a table before a model, as figures need it: see `gradline.report.row.Row`."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def baseline(self) -> str: ...
    @property
    def cells(self) -> Sequence[CellShown]: ...


@dataclass(frozen=True, eq=False)
class RowFeatures:
    """A row, column by column.

    `names`, `values`, `starts`: of each column its name, what stands there, and where the path starts, in words.
    `numbers (K,)`: the values in their units, NaN for categories. `contributions (K,)`: in units of the score, summed
    over a one-hot group or an embedding. `errors (K,)`: their standard errors, None for a path from one start.
    `start`, `end`: F(x') and F(x), NaN if there is no path; `gap`: the sum of the contributions less what they should
    add up to, NaN where the method makes no claim.
    """

    name: str
    title: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    starts: tuple[str, ...]
    numbers: np.ndarray
    contributions: np.ndarray
    errors: np.ndarray | None
    start: float
    end: float
    gap: float


@dataclass(frozen=True)
class RowStep:
    """A stretch of a waterfall, from `first` to `last` in units of the score.

    `name`, `value`: of a column; of several summed, `name` says so and `value` is "". `error`: standard error, NaN if
    not known. `count`: columns in it; 0 for what the completeness gap leaves open.
    """

    name: str
    value: str
    first: float
    last: float
    error: float
    count: int

    @property
    def contribution(self) -> float:
        return self.last - self.first


def row_features(a: Attribution, i: int = 0) -> RowFeatures:
    """The columns of example i of an attribution of `gl.explain_table`. Raises `InputError`."""
    i = example(a, i)
    row = row_of(a, i)
    flat = {name: tensor[i].detach().cpu().double().flatten().numpy() for name, tensor in named(a.values).items()}
    errors = a.parts.get("standard_error")
    return RowFeatures(
        name=row.name,
        title=row.title,
        names=tuple(cell.name for cell in row.cells),
        values=tuple(cell.value for cell in row.cells),
        starts=tuple(cell.start for cell in row.cells),
        numbers=np.array([cell.number for cell in row.cells]),
        contributions=np.array([flat[cell.entry][list(cell.places)].sum() for cell in row.cells]),
        errors=None if errors is None else errors[i].cpu().double().numpy(),
        start=math.nan if a.baseline_score is None else float(a.baseline_score[i]),
        end=float(a.score[i]),
        gap=math.nan if a.completeness_gap is None else float(a.completeness_gap[i]),
    )


def row_of(a: Attribution, i: int) -> RowShown:
    """The row of example i. Raises `InputError` if it was made from something else."""
    shown = a.shown[i] if a.shown else None
    if not isinstance(shown, RowShown):
        got = "bare tensors" if shown is None else type(shown).__name__.lower()
        raise InputError("an attribution of a table's rows (gl.explain_table)", got, "gl.plots.bars shows any tensors")
    return shown


def waterfall_steps(found: RowFeatures, top: int = 12) -> tuple[RowStep, ...]:
    """From F(x') to F(x): the `top` largest contributions, the others summed, and the gap if one can see it.

    Raises `InputError` where nothing adds up: no baseline, no claim, or values that are not finite.
    """
    check_count("top", top)
    if not (math.isfinite(found.start) and math.isfinite(found.end) and math.isfinite(found.gap)):
        remedy = "gl.plots.bars shows maps without a sum"
        raise InputError("contributions that add up to F(x) − F(x')", "a map that makes no such claim", remedy)
    values = found.contributions.tolist()
    order = np.argsort(-np.abs(found.contributions), kind="stable")
    shown, others = order[:top], order[top:]
    at, steps = found.start, []
    for k in shown:
        error = math.nan if found.errors is None else float(found.errors[k])
        steps.append(RowStep(found.names[k], found.values[k], at, at + values[k], error, 1))
        at += values[k]
    if len(others):
        label = f"{len(others)} other{'s' * (len(others) > 1)}, summed"
        rest = float(found.contributions[others].sum())
        steps.append(RowStep(label, "", at, at + rest, math.nan, len(others)))
        at += rest
    ends = [found.start, found.end, *(s.last for s in steps)]
    if abs(at - found.end) > VISIBLE * (max(ends) - min(ends)):
        steps.append(RowStep("not accounted for", "", at, found.end, math.nan, 0))
    return tuple(steps)


def by_importance(a: Attribution) -> tuple[np.ndarray, tuple[RowFeatures, ...]]:
    """All rows of an attribution, and the places of their columns by mean |contribution|, largest first: `(K,)`.

    Raises `InputError` if rows have different columns.
    """
    rows = tuple(row_features(a, i) for i in range(len(a)))
    if len({row.names for row in rows}) != 1:
        raise InputError("rows with the same columns", "rows of different tables" if rows else "no rows")
    sizes = np.nan_to_num(np.abs(np.stack([row.contributions for row in rows]))).mean(0)
    return np.argsort(-sizes, kind="stable"), rows
