"""Do the rows of a batch influence each other? Two rows together against one alone."""

from __future__ import annotations

from enum import Enum

import torch
from torch import Tensor

from gradline.errors import ModelError, SiteError
from gradline.question.bound import BoundScore, Forward
from gradline.question.sites import OddAxis
from gradline.question.trees import floating

MOST = {torch.float64: 1e-9, torch.float32: 1e-3}
"""Largest change of an output that rounding may make, relative to the largest output; half precisions: 5 %."""


class Rows(Enum):
    """What was seen of a model's rows."""

    INDEPENDENT = "independent"
    DEPENDENT = "the output of one row changes with what another row holds"
    SINGLE = "the model takes one row at a time"
    RANDOM = "the same row has another output the next time"


def compare_rows(score: BoundScore, point: Tensor, alone: Forward, owner: Tensor) -> tuple[Rows, str]:
    """Evaluate `point (1, *F)` beside another row, and compare with its forward `alone`; with a word on what was seen.

    Costs two forward rows.
    """
    pair = torch.cat([point, 0.5 * point.flatten(1).roll(1, 1).reshape(point.shape)])
    try:
        with torch.no_grad():
            both = score.forward(pair, owner.repeat(2), score.targets)
    except OddAxis:
        return Rows.SINGLE, "the layer's output has no batch axis in front"
    except (ModelError, SiteError) as error:
        return Rows.SINGLE, str(error.__cause__ or error)
    if any(both.heard[tap].shape[1:] != heard.shape[1:] for tap, heard in alone.heard.items()):
        return Rows.SINGLE, "the layer's output has no batch axis in front"
    one, two = dict(floating(alone.output)), dict(floating(both.output))
    comparable = {path for path, t in two.items() if path in one and t.ndim > 0 and len(t) == 2 and len(one[path]) == 1}
    lost = {path for path, t in two.items() if path in one and t.shape == one[path].shape and one[path].numel() > 0}
    if not comparable and lost and len(lost) == len(two):
        return Rows.SINGLE, f"two rows in, one out: shape {tuple(next(iter(two.values())).shape)}"
    for path in comparable:
        change = float((two[path][:1] - one[path]).detach().abs().max())
        size = float(one[path].detach().abs().max())
        if change > MOST.get(one[path].dtype, 5e-2) * size:
            changed = f"an output changed by {change / size if size else change:.2g} of its size"
            return (Rows.RANDOM if _wavers(score, point, alone, owner) else Rows.DEPENDENT), changed
    return Rows.INDEPENDENT, ""


def _wavers(score: BoundScore, point: Tensor, alone: Forward, owner: Tensor) -> bool:
    """The same row, alone again, gives something else."""
    with torch.no_grad():
        again = dict(floating(score.forward(point.clone(), owner, score.targets).output))
    return any(not torch.equal(again[path], t.detach()) for path, t in floating(alone.output) if path in again)
