"""Networks that are left when neurons of a layer return something else, each in rows of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.errors import InputError, SiteError
from gradline.neurons.ranks import map_of, ranking
from gradline.neurons.rewiring import Check, Rewired, edit
from gradline.question.sites import Tap
from gradline.question.targets import Target
from gradline.result.attribution import Attribution

ROW = "gradline_knocked_out_row"
"""The name by which a pruned model is told whose row it has before it."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The networks that are left, C: one for each ranking and share, equal ones once.

    `ranks (P, N, J)`: the place of each neuron in each ranking. Of each cell `(C,)`: its `ranking`, and how many
    neurons are `gone`. `place (P, K)`: the cell of each ranking and share.
    """

    ranks: Tensor
    ranking: Tensor
    gone: Tensor
    place: Tensor

    @property
    def count(self) -> int:
        return len(self.gone)

    @classmethod
    def of(cls, rankings: Mapping[str, Attribution | Tensor], shares: Sequence[float], shape: Sequence[int]) -> Cells:
        """The cells for maps of the `shape (N, *G)`. Raises `InputError`."""
        if not isinstance(rankings, Mapping) or not rankings:
            raise InputError("rankings as a dict of maps by name", repr(rankings))
        neurons = math.prod(shape[1:])
        ranks = torch.stack([_ranks(name, a, shape) for name, a in rankings.items()])
        counts = [math.floor(neurons * p + 1e-9) for p in shares]
        known: dict[tuple[int, int], int] = {}
        place = torch.empty(len(rankings), len(counts), dtype=torch.int64, device="cpu")
        for p in range(len(rankings)):
            for k, count in enumerate(counts):
                key = (p if 0 < count < neurons else 0, count)
                place[p, k] = known.setdefault(key, len(known))
        which, gone = torch.tensor(list(known), device="cpu").T
        return cls(ranks, which, gone, place)

    def laid_out(self, values: Tensor) -> Tensor:
        """Values of all examples and cells `(N · C,)` as `(P, K, N)`."""
        return values.reshape(-1, self.count)[:, self.place].permute(1, 2, 0).contiguous()


def _ranks(name: str, a: Attribution | Tensor, shape: Sequence[int]) -> Tensor:
    """The place of each neuron in a ranking: `(N, J)` int32 on the CPU."""
    values = map_of(a)
    if values.shape[1:] != tuple(shape[1:]) or len(values) not in (1, shape[0]):
        expected = f"ranking {name!r} of shape {tuple(shape)}, that of the layer, or {(1, *shape[1:])} for all examples"
        raise InputError(expected, f"shape {tuple(values.shape)}")
    order = ranking(values.cpu())
    places = torch.arange(order.shape[1], dtype=torch.int32, device="cpu").expand(order.shape)
    return torch.zeros(order.shape, dtype=torch.int32, device="cpu").scatter_(1, order, places).expand(shape[0], -1)


class Pruned(Rewired):
    """A model in which neurons of a layer return something else: for each row those of its cell and example."""

    def __init__(self, model: Any, tap: Tap, cells: Cells, filling: Tensor) -> None:
        super().__init__(model)
        self.tap, self.filling, self.cells = tap, filling, cells
        self.ranks = cells.ranks.to(filling.device)

    def arm(self, around: ExitStack, rows: int, named: dict[str, Any]) -> Check:
        row: Tensor = named.pop(ROW)
        return edit(around, self.tap, lambda h: self._pruned(h, row))

    def _pruned(self, h: Tensor, row: Tensor) -> Tensor:
        if h.shape != (len(row), *self.filling.shape[1:]):
            raise no_batch(self.tap, tuple(h.shape))
        row = row.cpu()
        cell, example = row % self.cells.count, row // self.cells.count
        ranks = self.ranks[self.cells.ranking[cell].to(self.ranks.device), example.to(self.ranks.device)]
        gone = (ranks < self.cells.gone[cell].to(self.ranks.device)[:, None]).reshape(h.shape).to(h.device)
        own = self.filling if len(self.filling) == 1 else self.filling[example.to(self.filling.device)]
        return torch.where(gone, own.to(h.device, h.dtype), h)


@dataclass(frozen=True, eq=False)
class Copies(Target):
    """A target settled for N examples, for so many `copies` of each, one behind the other."""

    target: Target
    copies: int

    @property
    def bounded(self) -> bool:
        return self.target.bounded

    @property
    def layer(self) -> object | None:
        return self.target.layer

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        return self.target.pick(output, owner // self.copies)

    def describe(self, example: int) -> str:
        return self.target.describe(example // self.copies)


def no_batch(tap: Tap, got: object) -> SiteError:
    """What a layer without a row for each example is refused with."""
    return SiteError(f"layer {tap.label} to return a row for each example, all of one shape", f"shape {got}")
