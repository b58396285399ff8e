"""Which units are removed together: subsets of a fixed size, cells of a grid, groups by rank."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.base import check_count, check_share
from gradline.metrics.units import Partition, Units


class Masks(ABC):
    """A rule for sets of units. Subclass it as a frozen dataclass: questions are told apart by its equality."""

    @property
    def by_map(self) -> bool:
        """The sets depend on the order in which the map puts the units."""
        return False

    @property
    def cut(self) -> Units | None:
        """The units; None for the usual ones."""
        return None

    def number(self, draws: int, units: int) -> int:
        """How many sets for an example with so many units, when `draws` are asked for."""
        return draws

    @abstractmethod
    def chosen(self, draw: int, rank: Tensor, source: torch.Generator) -> Tensor:
        """The set of one draw: bool `(U,)`, True for what is removed.

        `rank (U,)`: int64, place of each unit in the order of the map, 0 first, if `by_map`; their numbers otherwise.
        """

    def check(self, partition: Partition) -> None:
        """Raise `InputError` unless the examples have units enough."""
        return


@dataclass(frozen=True)
class Cells(Units):
    """A grid of `side` × `side` cells with all their channels, fewer where an image has fewer pixels; images.

    A pixel belongs to the cell its centre lies in. Cells differ by a row or column where the side does not divide.
    """

    side: int

    def __post_init__(self) -> None:
        check_count(self, "side", self.side)

    def partition(self, x: Tensor) -> Partition:
        if x.ndim != 4:
            remedy = "use masks=gl.metrics.RandomUnits()"
            raise InputError("images (N, C, H, W) for a grid of cells", f"shape {tuple(x.shape)}", remedy)
        rows, columns = (_cells(int(length), min(self.side, int(length))) for length in x.shape[2:])
        labels = (rows[:, None] * (int(columns.max()) + 1) + columns[None, :]).reshape(1, 1, *x.shape[2:])
        return Partition(labels, torch.bincount(labels.flatten()).expand(len(x), -1), tuple(x.shape[1:]))


@dataclass(frozen=True)
class RandomUnits(Masks):
    """A share in (0, 1) of the units, always as many, at least one, any of them equally likely."""

    share: float = 0.1
    units: Units | None = None

    def __post_init__(self) -> None:
        check_share(self, "share", self.share, whole=False)

    @property
    def cut(self) -> Units | None:
        return self.units

    def chosen(self, draw: int, rank: Tensor, source: torch.Generator) -> Tensor:
        return _some(max(1, round(self.share * len(rank))), len(rank), source)


@dataclass(frozen=True)
class FixedUnits(Masks):
    """So many units, any of them equally likely. Raises `InputError` where an example has fewer."""

    count: int
    units: Units | None = None

    def __post_init__(self) -> None:
        check_count(self, "count", self.count)

    @property
    def cut(self) -> Units | None:
        return self.units

    def chosen(self, draw: int, rank: Tensor, source: torch.Generator) -> Tensor:
        return _some(self.count, len(rank), source)

    def check(self, partition: Partition) -> None:
        _enough(self.count, partition, "count")


@dataclass(frozen=True)
class FixedCells(Masks):
    """So many cells of a grid, any of them equally likely: coarse units in a fixed number, so that neither the area nor
    the fine texture of the masks predicts the drop. Images."""

    grid: int = 8
    cells: int = 13

    def __post_init__(self) -> None:
        check_count(self, "grid", self.grid, 2)
        check_count(self, "cells", self.cells)
        if self.cells >= self.grid**2:
            raise InputError(f"fewer cells than the {self.grid**2} of the grid for FixedCells", f"cells={self.cells}")

    @property
    def cut(self) -> Units | None:
        return Cells(self.grid)

    def chosen(self, draw: int, rank: Tensor, source: torch.Generator) -> Tensor:
        return _some(self.cells, len(rank), source)

    def check(self, partition: Partition) -> None:
        _enough(self.cells, partition, "cells")


@dataclass(frozen=True)
class RandomCells(Masks):
    """Every cell of a grid with probability `share` in (0, 1), by itself. Images. The masks' area varies, and predicts
    the drop by itself: read the area-partialled correlation beside it."""

    grid: int = 9
    share: float = 0.2

    def __post_init__(self) -> None:
        check_count(self, "grid", self.grid, 2)
        check_share(self, "share", self.share, whole=False)

    @property
    def cut(self) -> Units | None:
        return Cells(self.grid)

    def chosen(self, draw: int, rank: Tensor, source: torch.Generator) -> Tensor:
        return torch.rand(len(rank), generator=source, dtype=torch.float32, device="cpu") < self.share


@dataclass(frozen=True)
class RankedGroups(Masks):
    """The units in the order of the map, cut into `count` groups as equal as can be, each removed alone. No chance in
    it, and nothing that maps share. Examples with fewer units have a group for each."""

    count: int = 16
    units: Units | None = None

    def __post_init__(self) -> None:
        check_count(self, "count", self.count)

    @property
    def by_map(self) -> bool:
        return True

    @property
    def cut(self) -> Units | None:
        return self.units

    def number(self, draws: int, units: int) -> int:
        return min(self.count, units)

    def chosen(self, draw: int, rank: Tensor, source: torch.Generator) -> Tensor:
        return rank * self.number(0, len(rank)) // len(rank) == draw


def _cells(length: int, count: int) -> Tensor:
    """The cell of each pixel along one axis, by whole numbers: the one its centre lies in."""
    return (2 * torch.arange(length) + 1) * count // (2 * length)


def _some(count: int, units: int, source: torch.Generator) -> Tensor:
    chosen = torch.zeros(units, dtype=torch.bool)
    chosen[torch.randperm(units, generator=source, device="cpu")[:count]] = True
    return chosen


def _enough(count: int, partition: Partition, field: str) -> None:
    least = int(partition.counts.min())
    if count > least:
        raise InputError(f"{field} of at most {least}, the units of an example", f"{field}={count}")
