"""The scales on which the class behind a target can be read, all from one output."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

from gradline.question.targets.base import Target
from gradline.question.targets.classes import ClassTarget, LabelProbability, Logit, LogProbability, Probability
from gradline.question.targets.entropy import Entropy


class Scale(StrEnum):
    """What of a class a number speaks of. `EXPLAINED` is the score as it was asked for; targets without a class have
    no other. `HIT` is 1 where the class is the decision and 0 elsewhere: its mean is an accuracy. `ENTROPY` is
    that of the whole output, whichever class is asked for, as `gl.targets.Entropy` has it: 0 certain, 1 undecided."""

    EXPLAINED = "explained"
    PROBABILITY = "probability"
    LOGIT = "logit"
    LOG_PROBABILITY = "log-probability"
    HIT = "hit"
    ENTROPY = "entropy"


class Hit(ClassTarget):
    """1 where the class has the largest output, 0 elsewhere; for a single column, where it is above zero."""

    def scale(self, table: Tensor) -> Tensor:
        if table.shape[1] == 1:
            return (table > 0).to(torch.float32)
        return torch.zeros(table.shape, dtype=torch.float32, device=table.device).scatter_(
            1, table.argmax(1, keepdim=True), 1.0
        )


class LabelHit(ClassTarget):
    """1 where a label, one of several that do not exclude each other, is above zero."""

    def scale(self, table: Tensor) -> Tensor:
        return (table > 0).to(torch.float32)


class LabelLogProbability(ClassTarget):
    """The log of the sigmoid of a column."""

    def scale(self, table: Tensor) -> Tensor:
        return torch.nn.functional.logsigmoid(table.float() if table.dtype != torch.float64 else table)


def on_scales(target: Target) -> dict[Scale, Target]:
    """A frozen target on every scale there is for it; they share a forward."""
    if not isinstance(target, ClassTarget):
        return {Scale.EXPLAINED: target}
    label = isinstance(target, LabelProbability)
    index = target.index
    return {
        Scale.EXPLAINED: target,
        Scale.PROBABILITY: LabelProbability(index) if label else Probability(index),
        Scale.LOGIT: Logit(index),
        Scale.LOG_PROBABILITY: LabelLogProbability(index) if label else LogProbability(index),
        Scale.HIT: LabelHit(index) if label else Hit(index),
        Scale.ENTROPY: Entropy(label),
    }
