"""Evaluates rows in batches that fit: splits, retries at half size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from gradline.engine.memory import Memory, release_cached
from gradline.errors import ModelError, SiteError
from gradline.question.bound import Answers, BoundScore, Forward
from gradline.question.rows import Rows, compare_rows
from gradline.question.targets import Target
from gradline.question.trouble import is_out_of_memory

UNMEASURED = 256
"""A row's memory in multiples of the input's, where it cannot be measured."""

Part = TypeVar("Part")


class Answerer:
    """Calls the score on as many rows at a time as memory allows, in the `dtype` of the place that is driven."""

    def __init__(self, score: BoundScore, memory: Memory, dtype: torch.dtype = torch.float32) -> None:
        self.score, self.memory, self.dtype = score, memory, dtype

    @property
    def working(self) -> torch.dtype:
        """What gradients are summed in: float32 at least."""
        return torch.promote_types(self.dtype, torch.float32)

    def values(self, points: Tensor, owner: Tensor, targets: Sequence[Target]) -> list[Tensor]:
        """Scores `(R,)` for each target, without gradients: float64 on the CPU."""
        points = points.to(self.dtype)
        parts = self._in_batches(owner, lambda s: self.score.values(points[s], owner[s], targets, self.memory.rows()))
        return _columns(parts) or []

    def gradients(
        self,
        points: Tensor,
        owner: Tensor,
        targets: Sequence[Target],
        tangent: Tensor | None = None,
        *,
        pushing: bool = False,
    ) -> Answers:
        """Scores and gradients; targets share the forward. Scalars are float64 on the CPU."""
        points = points.to(self.dtype)

        def ask(rows: slice) -> Answers:
            along = None if tangent is None else tangent[rows]
            width = self.memory.rows()
            score, here = self.score, (points[rows], owner[rows])
            return score.gradients(*here, targets, tangent=along, pushing=pushing, width=width)

        parts = self._in_batches(owner, ask)
        return Answers(
            value=_columns([p.value for p in parts]) or [],
            grad=[torch.cat([p.grad[k] for p in parts]).to(self.working) for k in range(len(targets))],
            slope=_columns([p.slope for p in parts]),
            noise=_columns([p.noise for p in parts]),
            lifted=self._joined([p.lifted for p in parts]),
            pushed=self._joined([p.pushed for p in parts]),
            shares=_columns([p.shares for p in parts]),
        )

    def survey(self, owner: Tensor, targets: Sequence[Target]) -> list[Forward]:
        """Forwards at x itself, a list over batches."""
        return self._in_batches(owner, lambda s: self.score.survey(owner[s], targets))

    def lift(self, parts: Mapping[str, Tensor], owner: Tensor) -> Tensor:
        """What the layer that is driven shows where `parts (R, …)` stand in for entries of x: `(R, *F)`."""

        def ask(rows: slice) -> Tensor:
            return self.score.lift({name: part[rows] for name, part in parts.items()}, owner[rows])

        place = self.score.drive
        return rows_joined(self._in_batches(owner, ask), "" if place is None else place.label)

    def measure(self, points: Tensor, owner: Tensor) -> Forward:
        """A forward of one row, `points (1, *F)`, from which the memory of a row is learned."""
        (seen,) = self._in_batches(owner, lambda _: self._measured(points.to(self.dtype), owner))
        return seen

    def _measured(self, points: Tensor, owner: Tensor) -> Forward:
        score = self.score
        if score.derivative is None:
            try:
                seen: Forward = self.memory.measure(
                    lambda p: score.forward(p, owner, score.targets), points, score.model
                )
                return seen.detached()
            except ModelError as error:
                if "saved tensor hooks" not in str(error):
                    raise
        self.memory.row_bytes = UNMEASURED * points.element_size() * points.numel()  # torch.func inside: no hooks there
        with torch.no_grad():
            return score.forward(points.clone(), owner, score.targets)

    def compare_rows(self, point: Tensor, alone: Forward, owner: Tensor) -> tuple[Rows, str]:
        """Whether a row minds another beside it; rows are alone from here on if they do, or if memory holds no two."""
        try:
            seen, detail = compare_rows(self.score, point.to(self.dtype), alone, owner)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            ran_out = error
        else:
            if seen in (Rows.DEPENDENT, Rows.SINGLE):
                self.memory.shrink(2)
            return seen, detail
        self._recover(ran_out, 2)
        return Rows.INDEPENDENT, ""

    def _joined(self, parts: list[Tensor | None]) -> Tensor | None:
        found = [part for part in parts if part is not None]
        return torch.cat(found).to(self.working) if found else None

    def _in_batches(self, owner: Tensor, call: Callable[[slice], Part]) -> list[Part]:
        parts: list[Part] = []
        first = 0
        while first < len(owner):
            last = min(len(owner), first + self._rows())
            try:
                parts.append(call(slice(first, last)))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                ran_out = error
            else:
                first = last
                continue
            self._recover(ran_out, last - first if self.score.derivative is None else self.memory.rows())
        return parts

    def _rows(self) -> int:
        """Rows of the next batch; one at a time with a derivative, which asks for many forwards a row."""
        return self.memory.rows() if self.score.derivative is None else 1

    def _recover(self, error: BaseException, rows: int) -> None:
        """Memory ran out at so many rows: drop what the failed batch holds, and go on with fewer."""
        error.__traceback__ = None  # its frames hold the tensors
        self.memory.shrink(rows)
        release_cached(self.memory.device)


def rows_joined(parts: Sequence[Tensor], label: str) -> Tensor:
    """What a layer shows in several batches, as one tensor. Raises `SiteError` if examples differ in shape."""
    shapes = list(dict.fromkeys(tuple(part.shape[1:]) for part in parts))
    if len(shapes) > 1:
        remedy = "explain examples of one shape at a time"
        raise SiteError(f"one shape for all examples from layer {label}", f"{shapes[0]} and {shapes[1]}", remedy)
    return torch.cat(list(parts))


def _columns(parts: Sequence[list[Tensor] | None]) -> list[Tensor] | None:
    """For each target the scalars of all batches, float64 on the CPU; None if there are none."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    return [torch.cat([piece.detach().cpu() for piece in column]).double() for column in zip(*found, strict=True)]
