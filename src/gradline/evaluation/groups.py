"""Some of the examples at a time: what is asked of them, and what was found of all of them together."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gradline.metrics.base import Evaluation
from gradline.question.score import Score
from gradline.question.targets import Target


def score_of(score: Score, rows: slice, count: int) -> Score:
    """The score for some of `count` examples: what its target and its context hold for each of them is cut."""
    target: Any = score.target
    return replace(score, target=_target(target, rows, count), context=examples_of(score.context, rows, count))


def examples_of(x: Any, rows: slice, count: int) -> Any:
    """Some of `count` examples, in the structure they were handed in; what holds for all of them as it is."""
    match x:
        case Tensor() if x.ndim and len(x) == count:
            return x[rows]
        case Mapping():
            return {name: examples_of(value, rows, count) for name, value in x.items()}
        case tuple() | list():
            return tuple(examples_of(value, rows, count) for value in x)
    return x


EACH = ("index", "other", "reference", "first", "second", "target", "corners", "label")
"""Fields of targets in which a tensor has a value for each example."""


def _target(target: Any, rows: slice, count: int) -> Any:
    if not isinstance(target, Target):
        return examples_of(target, rows, count) if isinstance(target, Tensor) else target
    found = copy.copy(target)
    for name in getattr(target, "__dataclass_fields__", ()):
        value = getattr(target, name)
        if isinstance(value, Target):
            object.__setattr__(found, name, _target(value, rows, count))
        elif name in EACH or (name == "mask" and isinstance(value, Tensor) and value.ndim > 2):
            object.__setattr__(found, name, examples_of(value, rows, count))
    return found


def joined(parts: Sequence[Evaluation]) -> Evaluation:
    """The evaluations of groups of examples as one. Curves of different lengths are filled up with NaN; then they have
    no common axis."""
    first = parts[0]
    if len(parts) == 1:
        return first
    curves = [part.curve for part in parts if part.curve is not None]
    axes = [part.axis for part in parts if part.axis is not None]
    same = len(axes) == len(parts) and all(torch.equal(axes[0], axis) for axis in axes)
    names = [name for name in first.parts if all(name in part.parts for part in parts)]
    return replace(
        first,
        values=torch.cat([part.values for part in parts]),
        curve=_stacked(curves) if len(curves) == len(parts) else None,
        axis=axes[0] if same else None,
        parts={name: _stacked([part.parts[name] for part in parts]) for name in names},
        notes=tuple(note for part in parts for note in part.notes),
        names=tuple(name for part in parts for name in part.names),
        settings="; ".join(dict.fromkeys(part.settings for part in parts)),
    )


def _stacked(tables: Sequence[Tensor]) -> Tensor:
    """Rows below one another, `(N,)` or `(N, K)`, the short ones filled up with NaN."""
    if all(t.shape[1:] == tables[0].shape[1:] for t in tables):
        return torch.cat(list(tables))
    widest = max(t.shape[-1] for t in tables)
    whole = torch.full((sum(map(len, tables)), widest), torch.nan, dtype=torch.float64)
    for own, table in zip(torch.split(whole, [len(t) for t in tables]), tables, strict=True):
        own[:, : table.shape[-1]] = table
    return whole
