"""From a photo to what a model is given: sizes, filter, channels, units; and back, to show it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.photo import MOST_PIXELS
from gradline.core.baselines import PixelSpace
from gradline.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling

Box = tuple[int, int, int, int]

WHOLE = 2**24
"""A photo is scaled as a whole, as most pipelines do, up to so many pixels; beyond, only what is seen of it."""


class Resample(StrEnum):
    """The filter that scales a photo, by its name in Pillow."""

    NEAREST = "nearest"
    BOX = "box"
    BILINEAR = "bilinear"
    HAMMING = "hamming"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"


class Channels(StrEnum):
    """The channels of x, in order; GREY is the one of ITU-R 601 luma."""

    RGB = "RGB"
    BGR = "BGR"
    GREY = "L"


class Rounding(StrEnum):
    """How a pipeline comes to whole pixels.

    EVEN (torchvision, timm): the longer side is rounded down, half a pixel at the crop goes to the even side. DOWN
    (transformers): both are rounded down. EXACT (EfficientNet-Lite): the crop is cut out of the photo itself, before
    it is scaled, so that no side is rounded.
    """

    EVEN = "even"
    DOWN = "down"
    EXACT = "exact"


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes x.

    `resize`: pixels of the shorter side, or `(height, width)`, or None to leave the photo's size. `crop`: side or
    `(height, width)` of the rectangle that is cut out of the middle, or None; beyond the photo it is black. `mean`,
    `std`: for each channel, in units of 0…255: a value v becomes (v − mean) / std.

    Raises `InputError` if a number makes no sense.
    """

    resize: int | tuple[int, int] | None
    crop: int | tuple[int, int] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resample: Resample = Resample.BILINEAR
    channels: Channels = Channels.RGB
    rounding: Rounding = Rounding.EVEN

    def __post_init__(self) -> None:
        for field in ("resize", "crop"):
            _check_size(field, getattr(self, field))
        if self.channels not in list(Channels) or self.resample not in list(Resample):
            raise InputError("a gradline Channels and Resample", f"{self.channels!r}, {self.resample!r}")
        count = 1 if self.channels == Channels.GREY else 3
        for field in ("mean", "std"):
            _check_units(field, getattr(self, field), count)
        if 0 in self.std:
            raise InputError("std other than 0", repr(self.std))

    @property
    def pixels(self) -> PixelSpace:
        """What the model is given for black and for white."""
        black, white = (tuple((v - m) / s for m, s in zip(self.mean, self.std, strict=True)) for v in (0, 255))
        return PixelSpace(black, white)

    def picture(self, photo: Image) -> Image:
        """What the model sees of an RGB photo: scaled and cut, in RGB or grey. Raises `InputError`."""
        from PIL import Image

        if self.channels == Channels.GREY:
            photo = photo.convert("L")
        width, height = self.scaled(*photo.size)
        cut = self.cut_of(width, height)
        across, down = cut[2] - cut[0], cut[3] - cut[1]
        if across * down > MOST_PIXELS:
            wanted = f"a photo that becomes at most {MOST_PIXELS / 1e6:.0f} megapixels"
            raise InputError(wanted, f"{across} × {down}", "crop it, or scale it by both sides")
        resample = Image.Resampling[self.resample.name]
        if self.rounding != Rounding.EXACT and width * height <= WHOLE:
            return photo.resize((int(width), int(height)), resample).crop(cut)
        return self._window(photo, cut, (width, height), resample)

    def _window(self, photo: Image, cut: Box, scaled: tuple[float, float], resample: Resampling) -> Image:
        """The cut of the scaled photo, without scaling what is not seen: a strip of 2 × 6000 pixels costs nothing."""
        width, height = scaled
        left, top = max(cut[0], 0), max(cut[1], 0)
        right, bottom = min(cut[2], math.ceil(width)), min(cut[3], math.ceil(height))
        across, down = photo.width / width, photo.height / height
        ends = min(right * across, photo.width), min(bottom * down, photo.height)
        seen = photo.resize((right - left, bottom - top), resample, box=(left * across, top * down, *ends))
        return seen.crop((cut[0] - left, cut[1] - top, cut[2] - left, cut[3] - top))

    def units(self, picture: Image) -> Tensor:
        """x `(1, C, H, W)`, float32, of what the model sees."""
        values = torch.from_numpy(np.array(picture)).float()
        values = values.unsqueeze(-1) if values.ndim == 2 else values
        if self.channels == Channels.BGR:
            values = values.flip(-1)
        return ((values - torch.tensor(self.mean)) / torch.tensor(self.std)).permute(2, 0, 1).unsqueeze(0).contiguous()

    def shown(self, x: Tensor) -> np.ndarray:
        """x `(1, C, H, W)` as a picture `(H, W, 3)` of uint8; what is beyond black or white is clipped."""
        values = x[0].detach().cpu().double().permute(1, 2, 0)
        values = values * torch.tensor(self.std).double() + torch.tensor(self.mean).double()
        if self.channels == Channels.BGR:
            values = values.flip(-1)
        return values.round().clamp(0, 255).to(torch.uint8).expand(-1, -1, 3).contiguous().numpy()

    def scaled(self, width: int, height: int) -> tuple[float, float]:
        """Width and height of the whole photo once scaled."""
        match self.resize:
            case None:
                return width, height
            case int():
                longer = self.resize * max(width, height) / min(width, height)
                longer = longer if self.rounding == Rounding.EXACT and self.crop is not None else int(longer)
                return (longer, self.resize) if width > height else (self.resize, longer)
            case _:
                return self.resize[1], self.resize[0]

    def cut_of(self, width: float, height: float) -> Box:
        """Left, top, right and bottom of the crop in the scaled photo; it may reach beyond."""
        if self.crop is None:
            return 0, 0, int(width), int(height)
        down, across = (self.crop, self.crop) if isinstance(self.crop, int) else self.crop
        left, top = self._start(width - across), self._start(height - down)
        return left, top, left + across, top + down

    def _start(self, spare: float) -> int:
        if self.rounding == Rounding.EVEN:
            return round(spare / 2) if spare >= 0 else math.ceil(spare / 2)
        return math.floor(spare / 2)


def _check_size(field: str, size: object) -> None:
    sides = size if isinstance(size, tuple) else (size,)
    fits = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides)
    if size is not None and not (fits and len(sides) <= 2):
        raise InputError(f"{field} as pixels, as (height, width) or as None", repr(size))


def _check_units(field: str, values: object, count: int) -> None:
    fits = isinstance(values, tuple) and all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    if not fits or len(values) != count:  # type: ignore[arg-type]
        raise InputError(f"{field} as {count} finite number{'s' * (count > 1)} in units of 0…255", repr(values))


IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
"""The mean colour of ImageNet's photos, as most networks subtract it."""

IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
"""The standard deviation of ImageNet's colours, as most networks divide by it."""

PREPROCESSINGS = {"imagenet": Preprocessing(256, 224, IMAGENET_MEAN, IMAGENET_STD)}
"""Preprocessings by name. `imagenet`: the shorter side to 256 pixels, bilinear, the central 224 × 224, ImageNet's mean
and standard deviation: what torchvision's classic networks were trained with."""


def channel_units(values: float | Iterable[float], factor: float, count: int) -> tuple[float, ...]:
    """One number or one for each channel, times `factor`, as a tuple of `count`."""
    several = [values] * count if isinstance(values, int | float) else list(values)
    return tuple(float(v) * factor for v in several)
