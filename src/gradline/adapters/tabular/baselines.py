"""Where the paths of table rows start: a row, the average row, the usual row, or rows of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.tabular.columns import Category, Numeric
from gradline.adapters.tabular.encoding import Encoded, Encoder
from gradline.core.baselines import Baseline, FromData, Given, PerInput, as_baseline
from gradline.errors import BaselineError


@dataclass(frozen=True)
class Mean:
    """The average row of the training data: numbers at their mean, a one-hot group at the frequencies of its values,
    an embedding at the mean vector. Frequencies come from `columns_of`. It is no row that occurs."""


@dataclass(frozen=True)
class Typical:
    """A row that could occur: numbers at their mean, categories at their most frequent value."""


@dataclass(frozen=True, eq=False)
class Background:
    """Rows of a data set: the attribution is the mean over paths from them, with a standard error for each column.

    `frame`: the rows, of any kind of frame. `draws`: how many of them for each example, drawn without replacement, each
    example its own; None: every row, once.
    """

    frame: Any
    draws: int | None = None


@dataclass(frozen=True, eq=False)
class Start:
    """A start for the engine, and what it looks like.

    `texts`: column to what stands there where the path starts, one for each row or one for all; {} if nobody can say.
    `words`: the start in a few words. `drawn`: it is a sample of rows.
    """

    baseline: Baseline
    texts: Mapping[str, tuple[str, ...]]
    words: str
    drawn: bool = False


def start_of(wanted: object, encoder: Encoder, rows: Encoded) -> Start:
    """Of one of the above, a row as a dict or frame, as many rows as are explained, or a part of `gl.baselines` in the
    model's space. Raises `BaselineError`, `InputError`."""
    match wanted:
        case Mean():
            return _mean(encoder)
        case Typical():
            return _typical(encoder, rows)
        case Background():
            return _background(wanted, encoder)
        case Baseline() | int() | float() | Tensor():
            part = as_baseline(wanted)
            return Start(part, {}, f"{type(part).__name__.lower()} in the model’s units", part.random)
        case type() if wanted in (Mean, Typical, Background):
            raise BaselineError("a baseline", f"the class {wanted.__name__}", f"write gl.tabular.{wanted.__name__}(…)")
    given = encoder.read(wanted, "a row as the baseline")
    if len(given.table) not in (1, len(rows.table)):
        expected = f"a baseline of one row, or of {len(rows.table)}, one for each row"
        raise BaselineError(expected, f"{len(given.table)} rows", "many rows are gl.tabular.Background(frame)")
    words = "a given row" if len(given.table) == 1 else "a given row each"
    return Start(_given(encoder, given.moved), texts_of(encoder, given), words)


def texts_of(encoder: Encoder, rows: Encoded) -> dict[str, tuple[str, ...]]:
    """Every value as people write it: column to N texts."""
    return {c.name: tuple(c.text(v) for v in rows.raw[c.name].tolist()) for c in encoder.model.columns}


def _given(encoder: Encoder, moved: Mapping[str, Tensor]) -> Baseline:
    if "" in moved:
        return Given(moved[""])
    return PerInput({name: Given(tensor) for name, tensor in moved.items()})


def _mean(encoder: Encoder) -> Start:
    model = encoder.model
    parts, texts = {}, {}
    for column in model.columns:
        match column:
            case Numeric():
                parts[column.name] = column.scaled(np.array([column.mean]))
                texts[column.name] = (f"mean {column.text(column.mean)}",)
            case Category():
                if not column.frequencies:
                    remedy = "use gl.tabular.columns_of(training), gl.tabular.Typical(), or a row as the baseline"
                    raise BaselineError(f"frequencies of the values of {column.name!r} for the mean", "none", remedy)
                parts[column.name] = np.array([column.frequencies])
                texts[column.name] = ("mean of all",)
    numbers = encoder.packed(parts)
    moved = {} if numbers is None else {encoder.numbers: numbers}
    if model.embedded:
        moved |= _mean_vectors(encoder, numbers)
    return Start(_given(encoder, moved), texts, "the average row")


def _mean_vectors(encoder: Encoder, numbers: Tensor | None) -> dict[str, Tensor]:
    """Every embedding, averaged over its values by their frequencies: `(1, …, D)`."""
    columns = encoder.model.embedded
    most = max(len(column.values) for column in columns)
    like = encoder.model.like
    codes = torch.stack([torch.arange(most, device=like.device) % len(c.values) for c in columns], 1)
    every = encoder.vectors(None if numbers is None else numbers.expand(most, -1), codes)
    found = {}
    for entry, names in zip(every, encoder.model.layers.values(), strict=True):
        vectors = every[entry]
        own = [column for column in columns if column.name in names]
        weights = torch.zeros(most, len(own), dtype=torch.float64)
        for k, column in enumerate(own):
            weights[: len(column.values), k] = torch.tensor(column.frequencies, dtype=torch.float64)
        wide = vectors.reshape(most, len(own), -1).double()
        mean = torch.einsum("vc,vcd->cd", weights.to(wide.device), wide)
        found[entry] = mean.reshape(1, *vectors.shape[1:]).to(vectors)
    return found


def _typical(encoder: Encoder, rows: Encoded) -> Start:
    usual = {c.name: c.mean if isinstance(c, Numeric) else c.values[c.usual] for c in encoder.model.columns}
    unknown = [c.name for c in encoder.model.columns if isinstance(c, Category) and not c.frequencies]
    if unknown:
        remedy = "use gl.tabular.columns_of(training), or a row as the baseline"
        raise BaselineError(f"frequencies of the values of {unknown[0]!r} for the typical row", "none", remedy)
    given = encoder.read(usual)
    return Start(_given(encoder, given.moved), texts_of(encoder, given), "the typical row")


def _background(wanted: Background, encoder: Encoder) -> Start:
    given = encoder.read(wanted.frame, "background rows")
    data: Any = given.moved.get("", given.moved)
    part = FromData(data, wanted.draws)
    texts = {
        c.name: (f"mean {c.text(float(given.raw[c.name].mean()))}" if isinstance(c, Numeric) else "as they come",)
        for c in encoder.model.columns
    }
    count = f"{part.draws} of {part.rows}" if part.random else f"all {part.rows}"
    return Start(part, texts, f"{count} background rows", drawn=True)
