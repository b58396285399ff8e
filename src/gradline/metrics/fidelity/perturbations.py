"""How infidelity perturbs an example: noise, a square, a random part of the features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.base import check_positive, check_share


class Perturbations(ABC):
    """A distribution of perturbed examples x̃, whose perturbations are I = x − x̃.

    Subclass it as a frozen dataclass: questions are told apart by its equality.
    """

    @abstractmethod
    def perturbed(self, x: Tensor, fill: Tensor, baseline: Tensor, source: torch.Generator) -> Tensor:
        """One perturbed copy of one example `x (*F)`, in its dtype and on its device.

        `fill`, `baseline (*F)`: what stands in for what is removed, and where the paths of the maps start. `source`: of
        random numbers, on the CPU.
        """

    def check(self, x: Tensor) -> None:
        """Raise `InputError` unless examples `x (N, *F)` can be perturbed like this."""
        check_floating(self, x)


@dataclass(frozen=True)
class GaussianNoise(Perturbations):
    """x̃ = x + share · std(x) · n, n ~ N(0, 1): independent noise, as a share > 0 of the example's own deviation.

    Yeh et al. (2019) add N(0, 0.2²) to MNIST in [0, 1]; their code clips it to [x − 1, x], here it is not clipped.
    """

    share: float = 0.2

    def __post_init__(self) -> None:
        check_positive(self, "share", self.share)

    def perturbed(self, x: Tensor, fill: Tensor, baseline: Tensor, source: torch.Generator) -> Tensor:
        noise = torch.randn(x.shape, generator=source, dtype=torch.float32, device="cpu")
        return (x + self.share * deviation(x) * noise.to(x.device, deviation(x).dtype)).to(x.dtype)


@dataclass(frozen=True)
class Squares(Perturbations):
    """One square of all channels is filled: its side uniform in `smallest … largest` (shares of H), its place uniform
    among those inside the image. Images `(N, C, H, W)`.

    After Yeh et al. (2019), who take every square of sides 1 to 10 of MNIST (H = 28). The squares' area varies, and
    predicts the drop by itself: read the centred form with that in mind.
    """

    smallest: float = 0.05
    largest: float = 0.25

    def __post_init__(self) -> None:
        check_share(self, "smallest", self.smallest)
        check_share(self, "largest", self.largest)
        if self.smallest > self.largest:
            raise InputError("smallest <= largest for Squares", f"{self.smallest} and {self.largest}")

    def check(self, x: Tensor) -> None:
        if x.ndim != 4:
            remedy = "use GaussianNoise() or BaselineSubset()"
            raise InputError("images (N, C, H, W) for Squares", f"shape {tuple(x.shape)}", remedy)

    def perturbed(self, x: Tensor, fill: Tensor, baseline: Tensor, source: torch.Generator) -> Tensor:
        height, width = int(x.shape[1]), int(x.shape[2])
        low, high = (min(width, max(1, round(share * height))) for share in (self.smallest, self.largest))
        side = _whole(low, high, source)
        top, left = _whole(0, height - side, source), _whole(0, width - side, source)
        made = x.clone()
        place = (slice(None), slice(top, top + side), slice(left, left + side))
        made[place] = fill[place]
        return made


@dataclass(frozen=True)
class BaselineSubset(Perturbations):
    """Every feature is put at its baseline with probability `share` in (0, 1), by itself.

    I · φ / (x − x') is then the sum of the contributions of the features chosen. The subset of a noisy baseline of
    Yeh et al. (2019).
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        check_share(self, "share", self.share, whole=False)

    def check(self, x: Tensor) -> None:
        return

    def perturbed(self, x: Tensor, fill: Tensor, baseline: Tensor, source: torch.Generator) -> Tensor:
        chosen = torch.rand(x.shape, generator=source, dtype=torch.float32, device="cpu") < self.share
        return torch.where(chosen.to(x.device), baseline, x)


def deviation(x: Tensor) -> Tensor:
    """The standard deviation of all values of one example, dividing by their number: in at least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32)).std(correction=0)


def check_floating(part: object, x: Tensor) -> None:
    """Raise `InputError` unless x is floating-point."""
    if not x.is_floating_point():
        raise InputError(f"a floating-point x for {type(part).__name__}", f"{x.dtype}")


def _whole(low: int, high: int, source: torch.Generator) -> int:
    """A whole number in low … high, both included."""
    return int(torch.randint(low, high + 1, (), generator=source, device="cpu"))
