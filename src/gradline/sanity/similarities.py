"""How alike two maps of one example are."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.errors import InputError, MissingExtra
from gradline.metrics.base import check_count, check_share
from gradline.result.ranks import midranks


class Similarity(ABC):
    """A number for two maps: 1 for the same map, about 0 for two that have nothing to do with each other."""

    @property
    @abstractmethod
    def words(self) -> str:
        """Its name where several stand side by side."""

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Maps of this shape, the batch axis aside, can be compared."""
        return True

    @abstractmethod
    def between(self, a: Tensor, b: Tensor) -> Tensor:
        """`(N,)` of finite maps `(N, *F)`, float64 on the CPU. Use `similarity`, which checks them."""


def similarity(kind: Similarity, a: Tensor, b: Tensor) -> Tensor:
    """How alike the maps `a (N, *F)` and `b (N, *F)` are, example by example: float64 `(N,)` on the CPU.

    NaN where a map is constant or not finite: it looks like nothing. Raises `InputError`, `MissingExtra`.
    """
    if a.shape != b.shape or a.ndim < 2:
        raise InputError("two stacks of maps (N, …) of one shape", f"{tuple(a.shape)} and {tuple(b.shape)}")
    if not kind.fits(tuple(a.shape[1:])):
        raise InputError(f"images (N, C, H, W) that are large enough for {kind!r}", f"shape {tuple(a.shape)}")
    pair = [m.detach().cpu().double() for m in (a, b)]
    known = varied(pair[0]) & varied(pair[1])
    found = torch.full((len(a),), torch.nan, dtype=torch.float64)
    if bool(known.any()):
        found[known] = kind.between(pair[0][known], pair[1][known])
    return found


def varied(maps: Tensor) -> Tensor:
    """Which maps `(N, *F)` are finite and not constant: `(N,)`."""
    flat = maps.flatten(1)
    return flat.isfinite().all(1) & (flat.amax(1) > flat.amin(1))


@dataclass(frozen=True)
class Spearman(Similarity):
    """Spearman's rank correlation of the values, or of their sizes if `absolute`: −1 to 1. Ties share their mean rank.

    Sizes follow the image whatever the model is, since a contribution has a factor x − x': without signs maps look
    more alike than they are.
    """

    absolute: bool = False

    @property
    def words(self) -> str:
        return "absolute spearman" if self.absolute else "spearman"

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        flat = [m.flatten(1).abs() if self.absolute else m.flatten(1) for m in (a, b)]
        return _correlation(midranks(flat[0]), midranks(flat[1]))


@dataclass(frozen=True)
class Pearson(Similarity):
    """The correlation of the values: −1 to 1."""

    @property
    def words(self) -> str:
        return "pearson"

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        return _correlation(a.flatten(1), b.flatten(1))


@dataclass(frozen=True)
class Cosine(Similarity):
    """a·b / (|a| |b|): −1 to 1. Two maps without negative values are alike by that alone."""

    @property
    def words(self) -> str:
        return "cosine"

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        return _dot(_unit(a.flatten(1)), _unit(b.flatten(1)))


@dataclass(frozen=True)
class TopK(Similarity):
    """|A ∩ B| / k of the k = `share` of the values that are largest, by size if `absolute`: 0 to 1, by chance `share`.

    At least one value; of equal values the first ones count.
    """

    share: float = 0.1
    absolute: bool = False

    def __post_init__(self) -> None:
        check_share(self, "share", self.share)

    @property
    def words(self) -> str:
        return f"{'absolute ' * self.absolute}top {self.share:.4g}"

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        first, second = (self._chosen(m.flatten(1).abs() if self.absolute else m.flatten(1)) for m in (a, b))
        return (first & second).sum(1).double() / first.sum(1)

    def _chosen(self, values: Tensor) -> Tensor:
        count = max(1, round(self.share * values.shape[1]))
        order = torch.argsort(values, dim=1, descending=True, stable=True)[:, :count]
        return torch.zeros_like(values, dtype=torch.bool).scatter_(1, order, True)


@dataclass(frozen=True)
class SSIM(Similarity):
    """Structural similarity of images, channels summed: −1 to 1. Window of 11 pixels, Gaussian of 1.5.

    Each map is divided by its own largest size first, or, with `clip` in (0, 1], by that quantile of its sizes and cut
    off at ±1, so that a single pixel does not decide; the data range is that of both together. Two maps that are nearly
    constant but for a few pixels are alike whatever these are. Wang et al. (2004), by scikit-image.
    """

    clip: float | None = None

    def __post_init__(self) -> None:
        if self.clip is not None:
            check_share(self, "clip", self.clip)

    @property
    def words(self) -> str:
        return "ssim" if self.clip is None else f"ssim clipped at {self.clip:.4g}"

    def fits(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == 3 and min(shape[1:]) >= 11

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        compare = _skimage("metrics", "structural_similarity")

        def one(first: Tensor, second: Tensor) -> float:
            span = float(torch.maximum(first, second).max() - torch.minimum(first, second).min())
            numbers = first.numpy(), second.numpy()
            return float(
                compare(*numbers, data_range=span, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
            )

        return _each(one, _scaled(a.sum(1), self.clip), _scaled(b.sum(1), self.clip))


@dataclass(frozen=True)
class HOG(Similarity):
    """Spearman's rank correlation of histograms of oriented gradients of images, channels summed: −1 to 1.

    `orientations` bins a cell of `cell` × `cell` pixels, each cell divided by its L2 norm; each map by its largest size
    first. Dalal and Triggs (2005), by scikit-image, whose own norm (L2-Hys) would cut most bins of a single cell off at
    0.2, and make them equal.
    """

    orientations: int = 8
    cell: int = 16

    def __post_init__(self) -> None:
        check_count(self, "orientations", self.orientations, 2)
        check_count(self, "cell", self.cell, 3)

    @property
    def words(self) -> str:
        return "hog"

    def fits(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == 3 and min(shape[1:]) >= self.cell

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        hog = _skimage("feature", "hog")
        cells = {"pixels_per_cell": (self.cell, self.cell), "cells_per_block": (1, 1), "block_norm": "L2"}

        def features(maps: Tensor) -> Tensor:
            found = [torch.from_numpy(hog(m.numpy(), self.orientations, **cells)) for m in _scaled(maps.sum(1), None)]
            return midranks(torch.stack(found))

        return _correlation(features(a), features(b))


USUAL = (Spearman(), Spearman(absolute=True), Cosine(), SSIM(), HOG())
"""What checks report of two maps, as far as it fits their shape."""


def _unit(rows: Tensor) -> Tensor:
    """The rows `(N, D)` with length 1; NaN for rows of zeros. Divided by their largest size first, against overflow."""
    rows = rows / rows.abs().amax(1, keepdim=True)
    return rows / rows.square().sum(1, keepdim=True).sqrt()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(1).clamp(-1, 1)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    return _dot(_unit(a - a.mean(1, keepdim=True)), _unit(b - b.mean(1, keepdim=True)))


def _scaled(maps: Tensor, clip: float | None) -> Tensor:
    """Maps `(N, H, W)` divided by their largest size, or by a quantile of the sizes and cut off at ±1."""
    sizes = maps.abs().flatten(1)
    largest = sizes.amax(1)
    if clip is not None:
        place = math.ceil(clip * sizes.shape[1]) - 1
        quantile = sizes.sort(1).values[:, place]
        largest = torch.where(quantile > 0, quantile, largest)
    scaled = maps / torch.where(largest > 0, largest, 1)[:, None, None]
    return scaled if clip is None else scaled.clamp(-1, 1)


def _each(function: Callable[[Tensor, Tensor], float], a: Tensor, b: Tensor) -> Tensor:
    """A number for each pair of images; NaN where the channels of one cancel."""
    known = varied(a) & varied(b)
    pairs = zip(a, b, known.tolist(), strict=True)
    return torch.tensor([function(x, y) if there else math.nan for x, y, there in pairs], dtype=torch.float64)


def _skimage(module: str, name: str) -> Any:
    import importlib

    try:
        return getattr(importlib.import_module(f"skimage.{module}"), name)
    except ImportError as error:
        raise MissingExtra("the likeness of images, SSIM and HOG,", "metrics") from error
