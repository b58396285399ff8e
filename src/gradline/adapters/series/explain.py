"""Time series: from arrays to an attribution of every sample in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gradline.adapters.display import in_words
from gradline.adapters.series.baselines import PerSeries
from gradline.adapters.series.case import SeriesCase, series_case
from gradline.adapters.series.model import SeriesModel
from gradline.adapters.series.recipe import python_call
from gradline.adapters.series.targets import Forecast
from gradline.core.baselines import Baseline, Given, Zero
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.methods import integrated_gradients
from gradline.question import Score
from gradline.question.targets import TargetLike
from gradline.report.series import Series
from gradline.result import Attribution


def explain_series(
    series: Any,
    *,
    model: SeriesModel,
    target: TargetLike | str | Forecast = None,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution:
    """Explain what a model saw in time series; the values have the shape of the model's input.

    `series`: one array in the model's layout without the batch axis, several in one array, or a list of arrays of any
    lengths; these are padded, the model is told by its mask, and padding has the value 0. `target`: also the name of a
    label, or a `gl.series.Forecast`. `baseline`: also an array like the series; default zero. `names`: of the series.
    The rest as in `gradline.attribute`. The result knows the series: it shows itself in a notebook, and
    `a[0].save("map.html")` writes the report.

    Raises `InputError` and its kinds, `ModelError`, `MemoryBudgetError`.
    """
    case = series_case(series, model, names)
    wanted = case.target(target)
    chosen = integrated_gradients() if method is None else method
    start = start_of(case, chosen, baseline)
    a = attribute(
        Score(model.model, wanted, context=case.context),
        case.x,
        chosen,
        baseline=start,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        names=case.names,
        seed=seed,
        memory=memory,
        progress=progress,
    )
    python = python_call(
        "gl.explain_series",
        target=target,
        method=method,
        baseline=baseline,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        memory=memory,
        seed=seed,
    )
    return shown(case, a, target=target, start=start, seed=seed, python=python)


def start_of(case: SeriesCase, method: object, baseline: object) -> Baseline | None:
    """Where the path starts: as asked, else the method's own; None for a method without a path."""
    own = method.baseline if isinstance(method, Method) else None
    if own is None and baseline is None:
        return None
    return case.baseline(own if baseline is None and own != Zero() else baseline)


def shown(
    case: SeriesCase,
    a: Attribution,
    *,
    target: TargetLike | str | Forecast,
    start: Baseline | None,
    seed: int,
    python: str,
) -> Attribution:
    """The attribution of a case with its series. `start`: what the path starts at; the first of several is shown."""
    model = case.model
    values = case.series(case.x)
    first = None if start is None else case.start(start, seed)
    starts = [None] * len(values) if first is None else case.series(first)
    part = start.part if isinstance(start, PerSeries) else start
    said = "" if part is None else "a given series" if isinstance(part, Given) else in_words(part)
    found = []
    for i, (name, own) in enumerate(zip(case.names, values, strict=True)):
        times, unit = model.times_of(own.shape[1])
        found.append(
            Series(
                name=name if not name.isdigit() else "the series" if len(values) == 1 else f"series {name}",
                model=model.known_as,
                title=case.title(target, a.explained[i], i),
                channels=model.channels,
                units=model.units,
                times=times,
                time_unit=unit,
                values=own,
                start=starts[i],
                baseline=said,
                layout=model.layout,
                candidates=case.candidates(i),
                python=python,
                paths=1 if start is None else start.draws,
            )
        )
    return replace(a, shown=tuple(found))
