"""Evaluates rows in batches that fit: splits, retries at half size, counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradline.engine.memory import Memory, release_cached
from gradline.errors import ModelError
from gradline.question.score import BoundScore, is_out_of_memory
from gradline.question.targets import Target

UNMEASURED = 256
"""A row's memory in multiples of the input's, where it cannot be measured."""

Values = list[Tensor]  # a (R,) float64 CPU tensor for each target
Gradients = list[Tensor]  # a (R, *F) tensor for each target


class Answerer:
    """Calls the score on as many rows at a time as memory allows, in the input's `dtype`."""

    def __init__(self, score: BoundScore, memory: Memory, dtype: torch.dtype) -> None:
        self.score, self.memory, self.dtype = score, memory, dtype
        self.working = torch.promote_types(dtype, torch.float32)

    def values(self, points: Tensor, owner: Tensor, targets: Sequence[Target]) -> Values:
        """Scores without gradients."""
        parts = self._in_batches(points, owner, lambda p, o: self.score.values(p, o, targets))
        return [torch.cat([_on_cpu(part[k]) for part in parts]) for k in range(len(targets))]

    def gradients(self, points: Tensor, owner: Tensor, targets: Sequence[Target]) -> tuple[Values, Gradients]:
        """Scores and gradients; targets share the forward."""
        parts = self._in_batches(points, owner, lambda p, o: self.score.gradients(p, o, targets))
        values, grads = [], []
        for k in range(len(targets)):
            values.append(torch.cat([_on_cpu(part[k][0]) for part in parts]))
            grads.append(torch.cat([part[k][1] for part in parts]).to(self.working))
        return values, grads

    def outputs(self, points: Tensor, owner: Tensor) -> list[Any]:
        """Raw outputs at x, a list over batches; the first row is run alone and measured for memory."""
        first = self._in_batches(points[:1], owner[:1], self._measured)
        with torch.no_grad():
            rest = self._in_batches(points[1:], owner[1:], lambda p, o: self.score.output(p.clone(), o))
        return [*first, *rest]

    def _measured(self, points: Tensor, owner: Tensor) -> Any:
        try:
            return self.memory.measure(lambda p: self.score.output(p, owner), points, self.score.model)
        except ModelError as error:
            if "saved tensor hooks" not in str(error):
                raise
        self.memory.row_bytes = UNMEASURED * points.element_size() * points.numel()  # torch.func inside: no hooks there
        with torch.no_grad():
            return self.score.output(points.clone(), owner)

    def _in_batches(self, points: Tensor, owner: Tensor, call: Callable[[Tensor, Tensor], Any]) -> list[Any]:
        points = points.to(self.dtype)
        parts: list[Any] = []
        first = 0
        while first < len(points):
            last = min(len(points), first + self.memory.rows())
            try:
                parts.append(call(points[first:last], owner[first:last]))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                ran_out = error
            else:
                first = last
                continue
            _forget(ran_out)
            self.memory.shrink(last - first)
            release_cached(points.device)
        return parts


def _on_cpu(value: Tensor) -> Tensor:
    return value.detach().cpu().double()


def _forget(error: BaseException) -> None:
    """Drop the frames, and with them the tensors, that a failed batch still holds."""
    error.__traceback__ = None
