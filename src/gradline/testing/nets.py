"""Small models for the laws, one for each shape of features, with places inside to drive and to read.

A net is `same → stem → pair → twice → twice → out`, and beside it, if asked for, a bypass from x to the scores. It can
be taken apart by hand at each place, so that what a site should do is known without hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

SHAPES: dict[str, tuple[int, ...]] = {"flat": (6,), "sequence": (4, 3), "image": (3, 5, 5)}
"""Shapes of one example: features, time × variables, channels × height × width."""

Head = Callable[[Tensor], Tensor]
Tail = Callable[[Tensor, Tensor], Any]
Split = tuple[Head, Tail]
"""A model in two pieces: from x to what a layer shows, and from there, with x for what bypasses it, to the output."""


def batch(shape: Sequence[int], rows: int = 3, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    """Normal numbers `(rows, *shape)`, the same in every precision up to rounding."""
    source = torch.Generator("cpu").manual_seed(seed)
    return torch.randn(rows, *shape, generator=source, dtype=torch.float64, device="cpu").to(dtype)


class Pair(nn.Module):
    """Two looks at the same thing: a layer that returns a tuple."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(width, 8), nn.Linear(width, 8)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tanh(self.one(z)), self.other(z)


class Net(nn.Module):
    """`(R, *shape)` to `outputs` numbers a row, or to what `last` makes of them.

    Layers: "same" changes nothing; "stem" is a linear layer or a convolution with batch statistics, bent, and what
    follows writes into its output; "pair" returns a tuple; "twice" is called twice. With `bypass`, x also
    reaches the output round them all. `contested`: scores are zero on average, so that every class wins somewhere.
    """

    def __init__(
        self,
        shape: Sequence[int],
        outputs: int = 3,
        *,
        bypass: bool = False,
        contested: bool = False,
        last: Callable[[Tensor], Any] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        features = int(torch.Size(shape).numel())
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.same = nn.Identity()
            self.stem, width = _stem(shape)
            self.pair = Pair(width)
            self.twice = nn.Linear(8, 8)
            self.out = nn.Linear(8, outputs)
            self.side = nn.Linear(features, outputs) if bypass else None
        self.last = None
        self.eval()
        if contested:
            with torch.no_grad():
                self.out.bias.sub_(self(batch(shape, 64, dtype=torch.float32)).mean(0) / 2)
        self.last = last

    def forward(self, x: Tensor) -> Any:
        x = self.same(x)
        return self.after_stem(self.stem(x), x)

    def after_stem(self, h: Tensor, x: Tensor) -> Any:
        one, other = self.pair(self._mixed(h))
        return self.after_pair(one, other, x)

    def after_pair(self, one: Tensor, other: Tensor, x: Tensor) -> Any:
        return self.after_twice(self.twice(torch.tanh(self.twice(one + torch.sigmoid(other)))), x)

    def after_twice(self, z: Tensor, x: Tensor) -> Any:
        scores: Tensor = 2 * self.out(torch.tanh(z))
        if self.side is not None:
            scores = scores + torch.tanh(self.side(x.flatten(1)))
        return scores if self.last is None else self.last(scores)

    @staticmethod
    def _mixed(h: Tensor) -> Tensor:
        """What the stem returned, written over; steps of a sequence look at each other."""
        h = h.tanh_()
        return (torch.softmax(h @ h.mT, 2) @ h if h.ndim == 3 else h).flatten(1)

    # ------------------------------------------------------------------------------------------------ taken apart

    def split(self, place: str) -> Split:
        """The net in two pieces at "same", "stem", "pair" (the second of its tensors) or "twice" (its second call)."""

        def to_pair(x: Tensor) -> tuple[Tensor, Tensor]:
            one, other = self.pair(self._mixed(self.stem(x)))
            return one, other

        def to_twice(x: Tensor) -> Tensor:
            one, other = to_pair(x)
            z: Tensor = self.twice(torch.tanh(self.twice(one + torch.sigmoid(other))))
            return z

        pieces: dict[str, Split] = {
            "same": (torch.clone, lambda h, x: self.after_stem(self.stem(h), h)),
            "stem": (self.stem, lambda h, x: self.after_stem(h.clone(), x)),
            "pair": (lambda x: to_pair(x)[1], lambda h, x: self.after_pair(to_pair(x)[0], h, x)),
            "twice": (to_twice, self.after_twice),
        }
        return pieces[place]


@lru_cache(maxsize=256)
def shared(
    shape: tuple[int, ...],
    dtype: torch.dtype,
    outputs: int = 3,
    *,
    bypass: bool = False,
    contested: bool = False,
    last: Callable[[Tensor], Any] | None = None,
) -> Net:
    """The `Net` with these arguments in this precision, made once: not to be changed."""
    return Net(shape, outputs, bypass=bypass, contested=contested, last=last).to(dtype)


def _stem(shape: Sequence[int]) -> tuple[nn.Module, int]:
    """The first layer for examples of this shape, and how many numbers it shows."""
    match shape:
        case (channels, height, width):
            convolution = nn.Conv2d(channels, 2, 3, padding=1)
            return nn.Sequential(convolution, nn.BatchNorm2d(2), nn.Softplus()), 2 * height * width
        case (steps, variables):
            return nn.Sequential(nn.Linear(variables, 4), nn.Softplus()), 4 * steps
        case (features,):
            return nn.Sequential(nn.Linear(features, 8), nn.Softplus()), 8
        case _:
            size = int(torch.Size(shape).numel())
            return nn.Sequential(nn.Flatten(), nn.Linear(size, 8), nn.Softplus()), 8


class Several(nn.Module):
    """A net with an input for each of `names`, by name or by position; their scores are multiplied, then added to."""

    def __init__(self, names: Sequence[str], shape: Sequence[int], seed: int = 0) -> None:
        super().__init__()
        self.nets = nn.ModuleList(Net(shape, seed=seed + k) for k in range(len(names)))
        self.names = tuple(names)
        self.eval()

    def forward(self, *args: Tensor, **named: Tensor) -> Tensor:
        entries = args or tuple(named[name] for name in self.names)
        scores = torch.stack([net(entry) for net, entry in zip(self.nets, entries, strict=True)])
        return scores.sum(0) + scores.tanh().prod(0)
