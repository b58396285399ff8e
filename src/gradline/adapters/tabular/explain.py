"""Tables: from a frame to an attribution in one call, and to a frame of contributions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gradline.adapters.tabular.baselines import Mean, Start, start_of
from gradline.adapters.tabular.chance import by_column, standard_errors
from gradline.adapters.tabular.encoding import Encoded, Encoder, encoder
from gradline.adapters.tabular.model import TabularModel
from gradline.adapters.tabular.rows import python_call, shown_rows
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.engine import attribute, outputs_at
from gradline.errors import InputError, TargetError
from gradline.methods import integrated_gradients
from gradline.question import Score
from gradline.question.targets import TargetLike
from gradline.report.row import Row
from gradline.result import Attribution
from gradline.result.provenance import model_digest, model_name


def explain_table(
    frame: Any,
    *,
    model: TabularModel,
    target: TargetLike | str = None,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int | None = None,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution:
    """Explain what a model made of the rows of a frame: `a.values (N, width)`, or a dict with embeddings apart.

    `frame`: a pandas or polars DataFrame, or a mapping from columns to sequences. `target`: also the name of a label.
    `baseline`: a row as a dict or frame, as many rows as the frame has, `gl.tabular.Mean()` (the default), `Typical()`,
    `Background(frame)`, or a part of `gl.baselines` in the model's units. From several rows the answer is the mean over
    paths from all of them; `a.parts["standard_error"] (N, columns)` says how far it would move with other rows of the
    same source. `max_evaluations`: over all paths of a row; by default 512, or 32 a path. The rest as in
    `gradline.attribute`.

    Numbers move along the path as the model sees them. Embedded categories move as vectors, put in place of what their
    layers return, all in one attribution: its sum is F(x) − F(x'). `gl.tabular.frame(a)` gives a frame of
    contributions; each row knows how it looks: `a[0].save("row.html")`.

    Raises `InputError` and its kinds: columns that lack, unknown categories, missing values, each with row and column.
    """
    if isinstance(target, list | tuple):
        raise TargetError("one target for a table", f"{len(target)} of them", "explain it once for each")
    known = encoder(model)
    rows = known.read(frame)
    x, names = known.x(rows), rows.table.labels
    outputs = outputs_at(Score(known.asked), x) if model.labels else None
    width = 0 if outputs is None else outputs.shape[1]
    _check_labels(model, width)
    wanted = model.label_index(target, width) if isinstance(target, str) else target
    chosen = integrated_gradients() if method is None else method
    start = _start(chosen, baseline, known, rows)
    a = attribute(
        Score(known.asked, wanted),
        x,
        chosen,
        baseline=None if start is None else start.baseline,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=_enough(max_evaluations, start),
        names=names,
        seed=seed,
        memory=memory,
        progress=progress,
    )
    places = known.places(rows.moved)
    if start is not None and start.drawn:
        errors = standard_errors(
            Score(known.asked, wanted),
            x,
            start.baseline,
            places,
            method=chosen,
            names=names,
            seed=seed,
            memory=memory,
        )
        a = a if errors is None else replace(a, parts={**a.parts, "standard_error": errors})
    said = {"model": model_name(model.model), "model_digest": model_digest(model.model)}
    a = replace(a, provenance={**a.provenance, **said})
    given = {
        "target": target,
        "method": method,
        "baseline": baseline,
        "tol": tol,
        "steps": steps,
        "rule": rule,
        "max_evaluations": max_evaluations,
        "memory": memory,
        "seed": seed or None,
    }
    shown = shown_rows(known, rows, places, start=start, target=wanted, outputs=outputs, python=python_call(given))
    return replace(a, shown=shown)


def _check_labels(model: TabularModel, outputs: int) -> None:
    """Raise `InputError` unless there is a label for each output, or two for a single one."""
    if model.labels and len(model.labels) != outputs and (len(model.labels), outputs) != (2, 1):
        got = f"{len(model.labels)}: {', '.join(model.labels)}"
        raise InputError(f"{outputs} labels for {model.title}, one each output", got)


def _start(method: Method, baseline: object, known: Encoder, rows: Encoded) -> Start | None:
    """Where the paths start: as asked for, as a method that was moved says, else at the average row."""
    if baseline is not None:
        return start_of(baseline, known, rows)
    if not isinstance(method, Method) or method.baseline is None:
        return None
    return start_of(Mean() if method.baseline == Zero() else method.baseline, known, rows)


def _enough(max_evaluations: int | None, start: Start | None) -> int:
    if max_evaluations is not None:
        return max_evaluations
    return max(512, 32 * start.baseline.draws) if start is not None else 512


def frame(a: Attribution) -> Any:
    """The contributions of every column as a frame of the kind that went in, with its index: one column a feature
    and, where the path starts at several rows, then `NAME ±` with the standard error of each.

    Contributions of a one-hot group and of the dimensions of an embedding are summed. In units of the score. Raises
    `InputError` if the attribution is of no table.
    """
    rows = [row for row in a.shown if isinstance(row, Row)]
    if not rows or len(rows) != len(a):
        raise InputError("an attribution of gl.explain_table", "one without rows of a table", "files do not keep them")
    values = by_column(a.values, {cell.name: (cell.entry, cell.places) for cell in rows[0].cells}).numpy()
    errors = a.parts.get("standard_error")
    found: dict[str, np.ndarray] = {cell.name: values[:, k] for k, cell in enumerate(rows[0].cells)}
    if errors is not None:
        found |= {f"{cell.name} ±": errors[:, k].cpu().numpy() for k, cell in enumerate(rows[0].cells)}
    return rows[0].build(found, [row.place for row in rows])
