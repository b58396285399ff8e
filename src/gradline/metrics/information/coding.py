"""How much information a picture holds: the size of its file, or the entropy of its grey levels."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradline.errors import MissingExtra
from gradline.metrics.base import check_count

Picture = NDArray[np.uint8]
"""Pixels `(H, W)` of one channel or `(H, W, 3)` of three, 0 black and 255 white."""

_GREY = np.array([2125, 7154, 721], np.int64)
"""Ten thousandths of red, green and blue in a grey level: whole numbers, so that equal levels are found equal."""


class Coder(ABC):
    """A measure of the information in a picture."""

    @abstractmethod
    def information(self, picture: Picture) -> float:
        """At least 0, in the measure's own unit."""


@dataclass(frozen=True)
class WebP(Coder):
    """Bytes of the lossless WebP file. `quality` 0 to 100 and `method` 0 to 6 are how hard the encoder tries.

    Quality 100 with method 4 is the published measure; quality 0 with method 0 is 40 times faster, its sizes correlate
    with the former by 0.987. Needs the extra `metrics`.
    """

    quality: int = 100
    method: int = 4

    def __post_init__(self) -> None:
        check_count(self, "quality", self.quality, 0)
        check_count(self, "method", self.method, 0)

    def information(self, picture: Picture) -> float:
        return _size(picture, format="WEBP", lossless=True, quality=self.quality, method=self.method)


@dataclass(frozen=True)
class PNG(Coder):
    """Bytes of the PNG file. Needs the extra `metrics`."""

    def information(self, picture: Picture) -> float:
        return _size(picture, format="PNG")


@dataclass(frozen=True)
class GreyEntropy(Coder):
    """The Shannon entropy −Σ p log p of the grey levels of a picture, in nats, p being the share of pixels of a level.

    Grey is 0.2125 R + 0.7154 G + 0.0721 B, not rounded.
    """

    def information(self, picture: Picture) -> float:
        levels = picture if picture.ndim == 2 else (picture.astype(np.int64) * _GREY).sum(-1)
        counts = np.unique(levels, return_counts=True)[1]
        shares = counts / counts.sum()
        return float(-(shares * np.log(shares)).sum()) + 0.0


def _size(picture: Picture, **how: Any) -> float:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("the size of a picture's file", "metrics") from error
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, **how)
    return float(buffer.tell())
