"""Pictures of which some pixels are known: from model space and back, and how the unknown pixels are filled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradline.core.baselines import PixelSpace
from gradline.errors import InputError, MissingExtra
from gradline.metrics.base import check_positive
from gradline.metrics.information.coding import Picture
from gradline.metrics.information.triangles import interpolated, touching

Known = NDArray[np.bool_]
"""Which pixels `(H, W)` are known."""


class Fill(ABC):
    """A way to fill the unknown pixels of a picture.

    `Linear`: from the known pixels, anew for every picture. `Nearest`, `Blurred`: once, and known pixels are put in.
    """

    @abstractmethod
    def base(self, picture: Picture, known: Known) -> Picture:
        """The picture before a map has revealed anything: `known` are the random pixels."""

    def shown(self, picture: Picture, known: Known, base: Picture) -> Picture:
        """The picture when these pixels, the random ones among them, are known."""
        return put(picture, known, base)


@dataclass(frozen=True)
class Linear(Fill):
    """Linear on the Delaunay triangles of the known pixels and the four corners, rounded, one triangulation for all
    channels. `edges`: triangulate only known pixels that touch an unknown one (and the corners), which is twice as
    fast on average and differs by 0.02 grey levels in the mean, where four pixels lie on a circle.

    Kapishnikov et al. (2019), whose code triangulates for each channel. Needs the extra `metrics`.
    """

    edges: bool = False

    def base(self, picture: Picture, known: Known) -> Picture:
        known = with_corners(known)
        if known.all():
            return picture
        if not self.edges:
            return interpolated(picture, known)
        return put(picture, known, interpolated(picture, with_corners(touching(known))))

    def shown(self, picture: Picture, known: Known, base: Picture) -> Picture:
        return self.base(picture, known)


@dataclass(frozen=True)
class Nearest(Fill):
    """The nearest random pixel's value; the mean colour if there is none. Needs the extra `metrics`."""

    def base(self, picture: Picture, known: Known) -> Picture:
        if not known.any():
            mean = np.floor(picture.mean((0, 1)) + 0.5)
            return np.broadcast_to(mean, picture.shape).astype(np.uint8)
        try:
            from scipy.spatial import cKDTree
        except ImportError as error:
            raise MissingExtra("the nearest fill of a picture", "metrics") from error
        _, nearest = cKDTree(np.argwhere(known)).query(np.argwhere(~known))
        filled = picture.copy()
        filled[~known] = picture[known][nearest]
        return filled


@dataclass(frozen=True)
class Blurred(Fill):
    """The picture blurred by Pillow's Gaussian of this radius, in pixels. Needs the extra `metrics`."""

    radius: float = 20.0

    def __post_init__(self) -> None:
        check_positive(self, "radius", self.radius)

    def base(self, picture: Picture, known: Known) -> Picture:
        try:
            from PIL import Image, ImageFilter
        except ImportError as error:
            raise MissingExtra("the blur of a picture", "metrics") from error
        return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(self.radius)))


def put(picture: Picture, known: Known, base: Picture) -> Picture:
    """The known pixels of a picture put into another."""
    return np.where(known if picture.ndim == 2 else known[:, :, None], picture, base)


def with_corners(known: Known) -> Known:
    """These pixels and the four corners."""
    found = known.copy()
    found[np.ix_([0, -1], [0, -1])] = True
    return found


def check_pixels(x: Tensor, pixels: PixelSpace) -> None:
    """Raise `InputError` unless x are images `(N, C, H, W)` of 1 or 3 channels that these black and white fit."""
    if x.ndim != 4 or x.shape[1] not in (1, 3) or min(x.shape[2:]) < 2 or not x.is_floating_point():
        raise InputError("images (N, 1 or 3, H, W) of at least 2 × 2 pixels", f"{x.dtype} of shape {tuple(x.shape)}")
    if len(pixels.black) != x.shape[1] or len(pixels.white) != x.shape[1]:
        raise InputError(f"black and white for {x.shape[1]} channels, as x has", f"{pixels}")
    if any(white == black for black, white in zip(pixels.black, pixels.white, strict=True)):
        raise InputError("white that differs from black in every channel", f"{pixels}")


def to_pictures(x: Tensor, pixels: PixelSpace) -> NDArray[np.uint8]:
    """Images `(N, C, H, W)` in model space as `(N, H, W)` or `(N, H, W, 3)`: 255 (x − black) / (white − black), rounded
    and clipped to [0, 255]."""
    black, width = _ends(pixels)
    level = (255 * (x.detach().cpu().double() - black) / width).round().clamp(0, 255)
    found: NDArray[np.uint8] = level.nan_to_num(0.0).to(torch.uint8).movedim(1, -1).contiguous().numpy()
    return found[..., 0] if x.shape[1] == 1 else found


def from_pictures(pictures: NDArray[np.uint8], pixels: PixelSpace, like: Tensor) -> Tensor:
    """Pictures `(R, H, W)` or `(R, H, W, 3)` in model space: `(R, C, H, W)`, dtype and device of `like`."""
    level = torch.from_numpy(pictures.astype(np.float64))
    level = level.unsqueeze(1) if pictures.ndim == 3 else level.movedim(-1, 1)
    black, width = _ends(pixels)
    return (black + level / 255 * width).to(like.dtype).to(like.device).contiguous()


def _ends(pixels: PixelSpace) -> tuple[Tensor, Tensor]:
    black = torch.tensor(pixels.black, dtype=torch.float64).reshape(-1, 1, 1)
    white = torch.tensor(pixels.white, dtype=torch.float64).reshape(-1, 1, 1)
    return black, white - black
