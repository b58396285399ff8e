"""Noise on an input as a value: how large, and of what shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.metrics.base import check_positive
from gradline.metrics.fidelity.perturbations import deviation


class InputNoise(ABC):
    """A distribution of noise that is added to an example. Subclass it as a frozen dataclass: maps of noisy copies are
    told apart by its equality."""

    @abstractmethod
    def drawn(self, x: Tensor, source: torch.Generator) -> Tensor:
        """One draw for one example `x (*F)`, in at least float32, on its device. `source`: of random numbers, on the
        CPU."""


@dataclass(frozen=True)
class UniformNoise(InputNoise):
    """Uniform in [−radius, radius] in every value: in the L∞ ball of `radius > 0`, in units of the model's input."""

    radius: float = 0.02

    def __post_init__(self) -> None:
        check_positive(self, "radius", self.radius)

    def drawn(self, x: Tensor, source: torch.Generator) -> Tensor:
        return self.radius * _uniform(x, source)


@dataclass(frozen=True)
class UniformShare(InputNoise):
    """Uniform in [−r, r] in every value, r = share · std(x) of the example: the same for models whose inputs are scaled
    otherwise."""

    share: float = 0.05

    def __post_init__(self) -> None:
        check_positive(self, "share", self.share)

    def drawn(self, x: Tensor, source: torch.Generator) -> Tensor:
        return self.share * deviation(x) * _uniform(x, source)


@dataclass(frozen=True)
class NormalNoise(InputNoise):
    """Normal with standard deviation `std > 0` in every value, in units of the model's input."""

    std: float = 0.1

    def __post_init__(self) -> None:
        check_positive(self, "std", self.std)

    def drawn(self, x: Tensor, source: torch.Generator) -> Tensor:
        noise = torch.randn(x.shape, generator=source, dtype=torch.float32, device="cpu")
        return self.std * noise.to(x.device, torch.promote_types(x.dtype, torch.float32))


def _uniform(x: Tensor, source: torch.Generator) -> Tensor:
    """In [−1, 1)."""
    noise = 2 * torch.rand(x.shape, generator=source, dtype=torch.float32, device="cpu") - 1
    return noise.to(x.device, torch.promote_types(x.dtype, torch.float32))
