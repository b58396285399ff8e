"""Gradients of scores that cannot be differentiated: thresholds, trees, rounding inside. They cost many forwards."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from gradline.core.random import generator
from gradline.errors import InputError

Values = Callable[[Tensor, Tensor], list[Tensor]]
"""The scores `(R,)` of every target at points `(R, *F)` of the examples `owner (R,)`, as many rows as there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """For one target: `value (R,)`, `grad (R, *F)`; `noise (R, 2)`, if any: errors of a feature (RMS), of F."""

    value: Tensor
    grad: Tensor
    noise: Tensor | None = None


class Derivative(ABC):
    """Stands in for automatic differentiation in a `Score`."""

    @abstractmethod
    def forwards(self, features: int) -> int:
        """Forward rows that one gradient row of so many features costs."""

    def forwards_of_value(self) -> int:
        """Forward rows that one value costs."""
        return 1

    @abstractmethod
    def check(self) -> None:
        """Raise `InputError` if an argument is wrong."""

    @abstractmethod
    def estimate(self, values: Values, points: Tensor, owner: Tensor, keys: list[str], width: int) -> list[Estimate]:
        """Values and gradients at `points (R, *F)`, an estimate for each target.

        `keys`: of the rows' random numbers. `width`: most rows to ask `values` for at a time.
        """

    def values(self, values: Values, points: Tensor, owner: Tensor, keys: list[str], width: int) -> list[Tensor]:
        """The score that the gradient belongs to; the model's own unless it is smoothed."""
        return values(points, owner)


@dataclass(frozen=True)
class FiniteDifferences(Derivative):
    """Central differences: g_i = (F(x + h e_i) − F(x − h e_i)) / 2h.

    `step`: h, in units of x; error O(h²) for smooth scores, plus rounding of about eps·|F| / h. Costs 2 D forward rows
    beside each gradient row, D features: for tables and short series, not for photos. The estimated error of a map is
    that of the path; it does not see the step. Raises `InputError` for a step that x's precision cannot take.
    """

    step: float = 1e-2

    def check(self) -> None:
        _check_positive("step", self.step)

    def forwards(self, features: int) -> int:
        return 2 * features

    def estimate(self, values: Values, points: Tensor, owner: Tensor, keys: list[str], width: int) -> list[Estimate]:
        flat = points.flatten(1)
        rows, features = flat.shape
        centre = values(points, owner)
        grads = [torch.zeros((rows, features), dtype=torch.float64, device="cpu") for _ in centre]
        at_once = max(1, width // (2 * rows))
        for first in range(0, features, at_once):
            chosen = torch.arange(first, min(features, first + at_once), device=flat.device)
            ahead = flat.unsqueeze(1).repeat(1, len(chosen), 1)
            behind = ahead.clone()
            place = torch.arange(len(chosen), device=flat.device)
            ahead[:, place, chosen] += self.step
            behind[:, place, chosen] -= self.step
            taken = ahead[:, place, chosen].cpu().double() - behind[:, place, chosen].cpu().double()
            if not taken.all():  # the step as the precision has it
                largest = float(flat.abs().max())
                got = f"step={self.step} at values up to {largest:.3g} in {str(flat.dtype).removeprefix('torch.')}"
                raise InputError("a step that changes x in its precision", got, "use a larger step, or float64")
            both = torch.cat([ahead, behind]).reshape(-1, *points.shape[1:])
            answers = _in_parts(values, both, owner.repeat_interleave(len(chosen)).repeat(2), width)
            for grad, answer in zip(grads, answers, strict=True):
                plus, minus = answer.cpu().double().reshape(2, rows, len(chosen))
                grad[:, first : first + len(chosen)] = (plus - minus) / taken
        return [
            Estimate(v, g.reshape(points.shape).to(points.device, points.dtype))
            for v, g in zip(centre, grads, strict=True)
        ]


@dataclass(frozen=True)
class GaussianSmoothing(Derivative):
    """Explains F_σ(x) = E F(x + σu), u standard normal, with ∇F_σ(x) = E [(F(x + σu) − F(x − σu)) u] / 2σ.

    `sigma`: in units of x; `samples`: forward rows beside each gradient row, in antithetic pairs, and for each value;
    `seed` of the pairs, which are drawn anew at every point. Works for steps, where differences are zero or infinite.
    Values add up to F_σ(x) − F_σ(x'), and these are what the attribution's scores are. The standard error of what is
    drawn enters the estimated error of the map: its square falls like 1 / (samples · nodes), and grows with the number
    of features. Nesterov & Spokoiny (2017), section 2, with pairs.
    """

    sigma: float
    samples: int = 64
    seed: int = 0

    def check(self) -> None:
        _check_positive("sigma", self.sigma)
        whole = isinstance(self.samples, Integral) and not isinstance(self.samples, bool)
        if not whole or self.samples < 4 or self.samples % 2:
            raise InputError("samples as an even number of at least 4", repr(self.samples))

    def forwards(self, features: int) -> int:
        return int(self.samples)

    def forwards_of_value(self) -> int:
        return int(self.samples)

    def values(self, values: Values, points: Tensor, owner: Tensor, keys: list[str], width: int) -> list[Tensor]:
        return [e.value for e in self.estimate(values, points, owner, keys, width)]

    def estimate(self, values: Values, points: Tensor, owner: Tensor, keys: list[str], width: int) -> list[Estimate]:
        rows = [self._row(values, points[r], int(owner[r]), keys[r], width) for r in range(len(points))]
        return [
            Estimate(
                torch.stack([row[k].value for row in rows]),
                torch.stack([row[k].grad for row in rows]),
                torch.stack([noise for row in rows if (noise := row[k].noise) is not None]),
            )
            for k in range(len(rows[0]))
        ]

    def _row(self, values: Values, point: Tensor, owner: int, key: str, width: int) -> list[Estimate]:
        bits = point.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        source = generator(self.seed, f"{key}/{hashlib.sha256(bits).hexdigest()}", type(self).__name__)
        pairs, features = self.samples // 2, point.numel()
        sums: list[Tensor] = []
        for first in range(0, pairs, max(1, width // 2)):
            count = min(pairs - first, max(1, width // 2))
            # one pair at a time: how many are drawn at once would change the numbers
            drawn = [torch.randn(features, generator=source, device="cpu") for _ in range(count)]
            u = torch.stack(drawn).to(point.device, point.dtype)
            moved = self.sigma * torch.cat([u, -u]).reshape(2 * count, *point.shape)
            answers = _in_parts(values, point + moved, torch.full((2 * count,), owner, device="cpu"), width)
            if not sums:
                sums = [torch.zeros(features + 3, dtype=torch.float64, device="cpu") for _ in answers]
            for total, answer in zip(sums, answers, strict=True):
                plus, minus = answer.cpu().double().reshape(2, count)
                grads = ((plus - minus) / (2 * self.sigma)).unsqueeze(1) * u.cpu().double()
                total[:features] += grads.sum(0)
                total[features] += grads.square().sum()
                total[features + 1] += (plus + minus).sum() / 2
                total[features + 2] += ((plus + minus) / 2).square().sum()
        return [self._estimate(total, pairs, point) for total in sums]

    @staticmethod
    def _estimate(total: Tensor, pairs: int, point: Tensor) -> Estimate:
        features = point.numel()
        mean = total[:features] / pairs
        value = total[features + 1] / pairs
        spread = (total[features] / pairs - mean.square().sum()).clamp_min(0) / (pairs - 1)
        doubt = (total[features + 2] / pairs - value.square()).clamp_min(0) / (pairs - 1)
        grad = mean.reshape(point.shape).to(point.device, point.dtype)
        return Estimate(value, grad, torch.stack([spread / features, doubt]).sqrt())


def _in_parts(values: Values, points: Tensor, owner: Tensor, width: int) -> list[Tensor]:
    """The scores at points, not more than `width` at a time."""
    parts = [values(p, o) for p, o in zip(torch.split(points, width), torch.split(owner, width), strict=True)]
    return [torch.cat(column) for column in zip(*parts, strict=True)]


def _check_positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (value > 0 and math.isfinite(value)):
        raise InputError(f"{name} as a positive number", repr(value))
