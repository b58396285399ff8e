"""What each explained row looks like, and the Python that explains it again."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.recipe import Unwritable, written
from gradline.adapters.tabular.baselines import Background, Mean, Start, Typical, texts_of
from gradline.adapters.tabular.columns import Numeric
from gradline.adapters.tabular.encoding import Encoded, Encoder, Places
from gradline.report.row import Cell, Row

MOST_CANDIDATES = 5
"""Labels shown with their probabilities."""


def shown_rows(
    encoder: Encoder,
    rows: Encoded,
    places: Mapping[str, Places],
    *,
    start: Start | None,
    target: Any,
    outputs: Tensor | None,
    python: str,
) -> tuple[Row, ...]:
    """One `Row` for each row of a frame."""
    model = encoder.model
    texts = texts_of(encoder, rows)
    starts = {} if start is None else start.texts
    made = []
    for i, name in enumerate(rows.table.labels):
        cells = tuple(
            Cell(
                column.name,
                texts[column.name][i],
                _own(starts.get(column.name, ("",)), i),
                float(rows.raw[column.name][i]) if isinstance(column, Numeric) else float("nan"),
                *places[column.name],
            )
            for column in model.columns
        )
        made.append(
            Row(
                name=f"row {name}",
                model=model.title,
                title=title(encoder, target, None if outputs is None else outputs[i]),
                cells=cells,
                build=rows.table.build,
                place=i,
                baseline="" if start is None else start.words,
                candidates=_candidates(encoder, outputs, i),
                python=python,
                paths=1 if start is None else start.baseline.draws,
            )
        )
    return tuple(made)


def title(encoder: Encoder, target: Any, output: Tensor | None) -> str:
    """What is explained of a row: a label, else the target in words."""
    width = 0 if output is None else len(output)
    match target:
        case None if output is not None:
            return encoder.model.label(int(output.argmax()), width)
        case None:
            return "prediction"
        case Integral():
            return encoder.model.label(int(target), width)
        case _ if isinstance(index := getattr(target, "index", None), int):
            return encoder.model.label(index, width)
        case Tensor():
            return "its own class"
        case _:
            return str(getattr(target, "__name__", type(target).__name__)).lower()


def _candidates(encoder: Encoder, outputs: Tensor | None, i: int) -> tuple[tuple[str, float], ...]:
    """The most probable labels of a classifier: softmax of its outputs, the sigmoid of a single one."""
    if outputs is None or not outputs[i].isfinite().all():
        return ()
    own = outputs[i].double()
    if len(own) == 1 and len(encoder.model.labels) == 2:
        yes = float(torch.sigmoid(own[0]))
        pairs = [(encoder.model.labels[0], 1 - yes), (encoder.model.labels[1], yes)]
    elif len(own) == 1:
        return ()
    else:
        pairs = list(zip(encoder.model.labels, torch.softmax(own, 0).tolist(), strict=True))
    return tuple(sorted(pairs, key=lambda pair: -pair[1])[:MOST_CANDIDATES])


def _own(texts: tuple[str, ...], i: int) -> str:
    return texts[i] if len(texts) > 1 else texts[0]


def python_call(given: Mapping[str, Any]) -> str:
    """The call of `explain_table`, in which the caller's frame, model and rows keep a name; "" where an argument has no
    short expression."""
    try:
        said = "".join(f", {name}={_said(value)}" for name, value in given.items() if value is not None)
    except Unwritable:
        return ""
    return f"import gradline as gl\n\na = gl.explain_table(frame, model=model{said})"


def _said(value: Any) -> str:
    match value:
        case Mean() | Typical():
            return f"gl.tabular.{type(value).__name__}()"
        case Background(draws=draws):
            return f"gl.tabular.Background(background{'' if draws is None else f', draws={draws}'})"
        case Mapping() if all(isinstance(v, str | int | float) for v in value.values()):
            return repr({str(name): v for name, v in value.items()})
    return written(value)
