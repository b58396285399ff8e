"""How undecided a classifier is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gradline.errors import TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.reading import table, wide


@dataclass(frozen=True)
class Entropy(Target):
    """H = −Σ_c p_c log p_c of the softmax probabilities, as a share of the largest there can be, log C: 0 to 1.

    `labels`: the columns are labels that do not exclude each other; the mean over labels of the entropy of each, from
    its sigmoid, as a share of log 2. So it is for a model with one output column. What an input has to do with the
    model's doubt; the maximum-entropy baseline of Tan (2022) is where it is 1.

    Raises `TargetError` for an output that is no table of class scores, or one of probabilities: rows of several
    columns, none below zero, that add up to 1.
    """

    labels: bool = False

    bounded = True

    def freeze(self, output: Any, rows: int) -> Target:
        scores = table(output, rows).detach()
        total = scores.to(wide(scores)).sum(1)
        if scores.shape[1] > 1 and not self.labels and (scores >= 0).all() and ((total - 1).abs() < 1e-3).all():
            expected = "scores before the softmax, whose entropy can be taken"
            remedy = "leave the model's softmax out, or pass a function such as lambda x: model(x).log()"
            raise TargetError(expected, "rows that add up to 1, which are probabilities already", remedy)
        return self

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        scores = table(output, len(owner))
        scores = scores.to(wide(scores))
        if self.labels or scores.shape[1] == 1:
            each = functional.softplus(scores) - scores * torch.sigmoid(scores)
            return each.mean(1) / math.log(2)
        logs = torch.log_softmax(scores, 1)
        return -(torch.softmax(scores, 1) * logs.masked_fill(logs.isneginf(), 0)).sum(1) / math.log(scores.shape[1])

    def describe(self, example: int) -> str:
        return "mean entropy of the labels" if self.labels else "entropy of the classes"
