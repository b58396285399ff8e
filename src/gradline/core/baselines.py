"""Where the path starts. A baseline is a part: it is asked for start points `(N, K, *F)`, K of them an example.

In model space: `Zero`, `Constant`, `Given`, `Mean`, `Blur`. In pixel space: `Black`, `White`, which need to know what
black and white are for the model (`PixelSpace`; vision cases fill it in). Several, averaged: `Each`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gradline.errors import BaselineError


@dataclass(frozen=True)
class PixelSpace:
    """What the model is given for a black and a white pixel, a value each channel."""

    black: tuple[float, ...]
    white: tuple[float, ...]


class Baseline(ABC):
    """A rule for the start of the path. `draws`: how many starts an example; the maps are averaged."""

    @property
    def draws(self) -> int:
        return 1

    @abstractmethod
    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        """The starts for examples `x (B, *F)`, the batch's `rows (B,)`: `(B, draws, *F)`, possibly a view.

        Raises `BaselineError`.
        """

    def check(self, x: Tensor) -> None:
        """Raise `BaselineError` unless it fits the whole batch `x (N, *F)`."""
        return

    def within(self, pixels: PixelSpace) -> Baseline:
        """The same baseline where black and white are known; unchanged if it does not need them."""
        return self


@dataclass(frozen=True)
class Zero(Baseline):
    """Zero in model space. For a normalised photo that is the data set's mean colour, not black."""

    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        return torch.zeros_like(x).unsqueeze(1)


@dataclass(frozen=True)
class Constant(Baseline):
    """The same value everywhere, in model space."""

    value: float

    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not math.isfinite(self.value):
            raise BaselineError("a finite value for Constant", repr(self.value))
        return torch.full_like(x, self.value).unsqueeze(1)


@dataclass(frozen=True, eq=False)
class Given(Baseline):
    """A tensor of x's shape, or with a batch axis of 1 for all examples."""

    tensor: Tensor

    def check(self, x: Tensor) -> None:
        given = self.tensor
        shapes = f"shape {tuple(x.shape)} (that of x) or {(1, *x.shape[1:])}"
        if given.shape[1:] != x.shape[1:] or given.ndim != x.ndim or given.shape[0] not in (1, x.shape[0]):
            raise BaselineError(f"a baseline of {shapes}", f"shape {tuple(given.shape)}", "add the batch axis")
        if not given.is_floating_point():
            raise BaselineError("a floating-point baseline", f"{given.dtype}", "convert it with .float()")
        bad = int((~torch.isfinite(given)).sum())
        if bad:
            raise BaselineError("a finite baseline", f"{bad} NaN or infinite values")

    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        given = self.tensor.detach().to(x)
        return (given if len(given) == 1 else given[rows.to(x.device)]).expand_as(x).unsqueeze(1)


@dataclass(frozen=True)
class Black(Baseline):
    """The black image. `pixels` says what the model is given for black; vision cases fill it in."""

    pixels: PixelSpace | None = None

    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        return _colour(self, x, None if self.pixels is None else self.pixels.black)

    def within(self, pixels: PixelSpace) -> Baseline:
        return self if self.pixels is not None else replace(self, pixels=pixels)


@dataclass(frozen=True)
class White(Baseline):
    """The white image. `pixels` says what the model is given for white; vision cases fill it in."""

    pixels: PixelSpace | None = None

    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        return _colour(self, x, None if self.pixels is None else self.pixels.white)

    def within(self, pixels: PixelSpace) -> Baseline:
        return self if self.pixels is not None else replace(self, pixels=pixels)


@dataclass(frozen=True)
class Mean(Baseline):
    """Each example's own mean: the mean colour of an image `(N, C, H, W)`, the mean of all features otherwise."""

    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        over = (2, 3) if x.ndim == 4 else tuple(range(1, x.ndim))
        return (x.mean(over, keepdim=True) if over else x).expand_as(x).unsqueeze(1)


@dataclass(frozen=True)
class Blur(Baseline):
    """The image itself, blurred by a Gaussian of `sigma` pixels, edges repeated; kernel cut at 3 sigma."""

    sigma: float = 10.0

    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        if x.ndim != 4:
            raise BaselineError("images (N, C, H, W) for Blur", f"shape {tuple(x.shape)}", "use another baseline")
        if not (self.sigma > 0 and math.isfinite(self.sigma)):
            raise BaselineError("sigma > 0 for Blur", f"sigma={self.sigma}")
        radius = max(1, int(3 * self.sigma + 0.5))
        offsets = torch.arange(-radius, radius + 1, dtype=torch.float64, device=x.device)
        kernel = torch.exp(-0.5 * (offsets / self.sigma) ** 2)
        kernel = (kernel / kernel.sum()).to(device=x.device)
        working = x.to(torch.promote_types(x.dtype, torch.float32))
        for axis in (2, 3):
            working = _convolve(working, kernel.to(working.dtype), axis, radius)
        return working.to(x.dtype).unsqueeze(1)


@dataclass(frozen=True, init=False)
class Each(Baseline):
    """Several baselines; the map is the mean of the maps from each of them."""

    parts: tuple[Baseline, ...]

    def __init__(self, *parts: Baseline | Tensor | float) -> None:
        if not parts:
            raise BaselineError("at least one baseline in Each", "none")
        object.__setattr__(self, "parts", tuple(as_baseline(p) for p in parts))

    @property
    def draws(self) -> int:
        return sum(p.draws for p in self.parts)

    def start(self, x: Tensor, rows: Tensor) -> Tensor:
        return torch.cat([p.start(x, rows) for p in self.parts], 1)

    def check(self, x: Tensor) -> None:
        for part in self.parts:
            part.check(x)

    def within(self, pixels: PixelSpace) -> Baseline:
        return Each(*(p.within(pixels) for p in self.parts))


def as_baseline(value: object) -> Baseline:
    """A part as it is, a tensor as `Given`, a number as `Constant`."""
    match value:
        case Baseline():
            return value
        case Tensor():
            return Given(value)
        case bool():
            pass
        case int() | float():
            return Constant(float(value))
        case type() if issubclass(value, Baseline):
            raise BaselineError("a baseline", f"the class {value.__name__}", f"write {value.__name__}(...)")
    raise BaselineError(
        "a baseline such as gl.baselines.Blur(sigma=10), a tensor of x's shape, or a number", type(value).__name__
    )


def _colour(part: Baseline, x: Tensor, colour: tuple[float, ...] | None) -> Tensor:
    name = type(part).__name__
    if colour is None:
        raise BaselineError(
            f"{name} is a colour, and x is in the model's own units: pass {name}(PixelSpace(black=…, white=…)) with "
            "what the model is given for black and white, or use gl.explain_image, which knows"
        )
    if x.ndim != 4 or x.shape[1] != len(colour):
        raise BaselineError(f"images (N, {len(colour)}, H, W) for {name}", f"shape {tuple(x.shape)}")
    return x.new_tensor(colour).reshape(1, -1, 1, 1).expand_as(x).unsqueeze(1)


def _convolve(image: Tensor, kernel: Tensor, axis: int, radius: int) -> Tensor:
    length = image.shape[axis]
    index = torch.arange(-radius, length + radius, device=image.device).clamp(0, length - 1)
    lines = image.index_select(axis, index).movedim(axis, -1)
    smooth = torch.nn.functional.conv1d(lines.reshape(-1, 1, length + 2 * radius), kernel.reshape(1, 1, -1))
    return smooth.reshape(*lines.shape[:-1], length).movedim(-1, axis)
