"""Whether the gradients of a call are read on a prepared copy of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gradline.core.method import Method
from gradline.core.paths import Budget, FixedBudget, ToleranceBudget
from gradline.engine.answer import Answerer
from gradline.engine.memory import CPU
from gradline.engine.prepared import prepared
from gradline.question.targets import Target

MANY = 16
"""Nodes an example from which on a copy of the network is worth making: it takes as long as five gradients or so."""


def faster(own: Answerer, targets: Sequence[Target], method: Method, budget: Budget, end: Tensor) -> Answerer:
    """What the flows of a call ask: with many nodes to read, a copy of the network if there is one; `end (1, *F)`.

    Whether there are many is a matter of one example's budget, so that no map depends on how many others there are.
    """
    score = own.score
    steps = budget.steps * method.draws if isinstance(budget, FixedBudget) else 0
    plain = score.drive is None and score.read is None and score.derivative is None
    if not plain or any(target.layer is not None for target in targets):
        return own
    if steps < MANY and not isinstance(budget, ToleranceBudget):
        return own
    copy = prepared(score.model, end, differentiable=True)
    if copy is None:
        return own
    found = Answerer(replace(score, model=copy), own.memory, own.dtype)
    found.measure(end, torch.zeros(1, dtype=torch.int64, device=CPU))
    return found
