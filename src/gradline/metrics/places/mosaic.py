"""Mosaics of labelled images: where the evidence is, is known without annotation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core import random
from gradline.errors import InputError
from gradline.metrics.base import Flow, Metric
from gradline.metrics.places.localisation import mass_in_mask
from gradline.metrics.ranking import Sign
from gradline.metrics.subject import Subject
from gradline.metrics.units import Units


@dataclass(frozen=True, eq=False)
class Mosaics:
    """Grids of images: `x (K, C, H, W)`; `targets (K,)`: int64, the class to explain; `masks (K, 1, H, W)`: float64, 1
    in the cells of that class; `names`; `cells (K, side²)`: the image in each cell, row by row."""

    x: Tensor
    targets: Tensor
    masks: Tensor
    names: tuple[str, ...]
    cells: Tensor

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Focus(Metric):
    """The share of a mosaic map's positive mass in the cells of the class that is explained: Σ m s₊ / Σ s₊.

    As `RelevanceMass`, on `mosaics(…)`: two of four cells of the target class for Focus (Arias-Duart, Parés,
    Garcia-Gasulla, Giménez-Ábalos 2022), where chance is 0.5; one of n² for grid pointing (Böhle, Fritz, Schiele 2021),
    where it is 1/n². `units`, `sign`: as there.
    """

    name = "focus"
    higher_is_better = True
    range = "0 to 1; chance is the target cells' share"
    cost = "0"
    cites = ("arias2022", "bohle2021")
    needs = ("masks",)

    units: Units | None = None
    sign: Sign = Sign.AUTO

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        return mass_in_mask(self, subject, self.units, self.sign, None)


def mosaics(
    x: Tensor,
    labels: Tensor,
    count: int,
    *,
    side: int = 2,
    of_target: int = 2,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Mosaics:
    """`count` mosaics of `side` × `side` images out of `x (M, C, H, W)`, floating point, with classes `labels (M,)`.

    Each holds `of_target` images of its target class, and others of other classes, none twice, in random cells. Target
    classes take turns. `side=2, of_target=2` for Focus; `side=n, of_target=1` for grid pointing. `size`: height and
    width of a mosaic, to which it is shrunk; without, images keep their size and the mosaic is larger. A mosaic
    depends on `seed`, its own number and the images alone: the first ten of twenty are the first ten.

    Raises `InputError` for images that are too few.
    """
    _check(x, labels, count, side, of_target)
    wanted = side * side
    turns = _classes(labels, of_target, wanted)
    names = tuple(f"mosaic {k}" for k in range(count))
    targets = torch.tensor([turns[k % len(turns)] for k in range(count)])
    cells = torch.stack([_drawn(labels, int(targets[k]), wanted, of_target, seed, names[k]) for k in range(count)])
    flags = (labels.cpu()[cells] == targets[:, None]).double()
    tiled = _tiled(x.detach()[cells.to(x.device)], side)
    masks = _tiled(flags[:, :, None, None, None].expand(-1, -1, 1, *x.shape[2:]), side)
    if size is not None:
        tiled = torch.nn.functional.interpolate(tiled, size, mode="bilinear", align_corners=False, antialias=True)
        masks = torch.nn.functional.adaptive_avg_pool2d(masks, size)
    return Mosaics(tiled, targets, masks, names, cells)


def _drawn(labels: Tensor, target: int, wanted: int, of_target: int, seed: int, name: str) -> Tensor:
    """The images of one mosaic in the order of its cells, int64."""
    generator = random.generator(seed, name, "mosaic")
    own, other = (labels.cpu() == target).nonzero()[:, 0], (labels.cpu() != target).nonzero()[:, 0]
    own = own[torch.randperm(len(own), generator=generator)[:of_target]]
    other = other[torch.randperm(len(other), generator=generator)[: wanted - of_target]]
    return torch.cat([own, other])[torch.randperm(wanted, generator=generator)]


def _tiled(images: Tensor, side: int) -> Tensor:
    """Images `(K, side², C, H, W)` row by row in grids `(K, C, side · H, side · W)`."""
    k, _, c, h, w = images.shape
    grid = images.reshape(k, side, side, c, h, w).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(k, c, side * h, side * w)


def _classes(labels: Tensor, of_target: int, wanted: int) -> list[int]:
    """The classes that can be a target, ascending. Raises `InputError` if there is none."""
    found = sorted(set(labels.tolist()))
    sizes = [int((labels == c).sum()) for c in found]
    sized = list(zip(found, sizes, strict=True))
    enough = [c for c, s in sized if s >= of_target and len(labels) - s >= wanted - of_target]
    if not enough:
        needed = f"a class with {of_target} images or more, and {wanted - of_target} of other classes, for a mosaic"
        counts = ", ".join(f"{c}: {s}" for c, s in sized[:8])
        raise InputError(needed, f"images of each class {{{counts}}}")
    return enough


def _check(x: Tensor, labels: Tensor, count: int, side: int, of_target: int) -> None:
    if not isinstance(x, Tensor) or x.ndim != 4 or not x.is_floating_point():
        got = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise InputError("floating-point images (M, C, H, W) for mosaics", got)
    if not isinstance(labels, Tensor) or labels.shape != x.shape[:1] or labels.is_floating_point():
        got = f"{labels.dtype} of shape {tuple(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise InputError(f"labels as {len(x)} whole numbers, one for each image", got)
    for name, value, least in (("count", count, 1), ("side", side, 2), ("of_target", of_target, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"a whole number {name} >= {least} for mosaics", f"{name}={value!r}")
    if of_target >= side * side:
        raise InputError(f"of_target below {side * side}, the cells of a mosaic", f"of_target={of_target}")
