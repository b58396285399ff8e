"""A look at a model at its examples, without a path: what it says, what a target makes of it. In small batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gradline.question.bound import BoundScore, Forward
from gradline.question.guard import undisturbed
from gradline.question.score import Score
from gradline.question.targets.base import Target
from gradline.question.targets.convert import as_target
from gradline.question.targets.reading import table

ROWS = 16
"""Rows of a forward."""


def settled(score: Score, x: Any) -> Target:
    """The score's target frozen at x."""
    target, bound = as_target(score.target), score.bind(x)
    every = torch.arange(bound.inputs.rows)
    with undisturbed(score.model, bound.inputs.anchor.device):
        return target.freeze(bound.seen_by(target, bound.survey(every, [target])), len(every))


def scores_at(score: Score, x: Any, *, most: int | None = None) -> Tensor:
    """The score at the examples x, or at the first `most` of them, its target being frozen: float64 `(R,)` on the
    CPU."""
    target, bound = as_target(score.target), score.bind(x)
    parts = [bound.picked(target, forward, owner) for forward, owner in _forwards(bound, [target], most)]
    return torch.cat([part.detach().cpu().double() for part in parts])


def outputs_at(score: Score, x: Any) -> Tensor:
    """The output of the score's model at x, a classifier: `(N, classes)` on the CPU. Raises `TargetError`."""
    forwards = _forwards(score.bind(x), [], None)
    return torch.cat([table(forward.output, len(owner)).detach().cpu() for forward, owner in forwards])


def _forwards(bound: BoundScore, targets: list[Target], most: int | None) -> Iterator[tuple[Forward, Tensor]]:
    wanted = torch.arange(bound.inputs.rows)[:most]
    with undisturbed(bound.model, bound.inputs.anchor.device):
        for owner in torch.split(wanted, ROWS):
            yield bound.survey(owner, targets), owner
