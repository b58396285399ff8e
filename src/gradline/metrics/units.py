"""What is removed and put back as one: a value, a pixel with all its channels, a block, a superpixel, a token."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gradline.errors import InputError, MissingExtra


@dataclass(frozen=True, eq=False)
class Partition:
    """Features cut into units.

    `labels (N or 1, *G)`: int64 on the CPU, the unit of every value, where `*G` broadcasts to an example's shape.
    `sizes (N, U)`: how often each unit occurs among them; 0 for units that an example does not have, which come last.
    `shape`: of an example.
    """

    labels: Tensor
    sizes: Tensor
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """The largest number of units of an example."""
        return self.sizes.shape[1]

    @cached_property
    def plain(self) -> bool:
        """Every label occurs once, in order, the same for all examples: units are features."""
        return len(self.labels) == 1 and torch.equal(self.labels.flatten(), torch.arange(self.labels.numel()))

    @property
    def counts(self) -> Tensor:
        """Units of each example: int64 `(N,)`."""
        return (self.sizes > 0).sum(1)

    def sums(self, maps: Tensor) -> Tensor:
        """What the values of a map add up to in each unit: float64 `(N, U)` on the CPU.

        `maps (N, *F)`, or of any shape that broadcasts to it: then a value counts once, not once a channel.
        Raises `InputError` for maps that do not fit.
        """
        values, labels = self._flat(maps, torch.sum)
        return torch.zeros(len(values), self.count, dtype=torch.float64).scatter_add_(1, labels, values)

    def largest(self, maps: Tensor) -> Tensor:
        """The largest value of a map in each unit: float64 `(N, U)` on the CPU; 0 for units that are not there."""
        values, labels = self._flat(maps, torch.amax)
        empty = torch.zeros(len(values), self.count, dtype=torch.float64)
        return empty.scatter_reduce_(1, labels, values, "amax", include_self=False)

    def _flat(self, maps: Tensor, fold: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
        """Values folded over the axes that units span, and their units: `(N, V)` each."""
        values = fitted(maps, self.shape).cpu().double()
        cut = self.labels.shape[1:]
        shapes = zip(values.shape[1:], cut, strict=True)
        over = [i + 1 for i, (own, other) in enumerate(shapes) if other == 1 and own > 1]
        values = fold(values, over, keepdim=True) if over else values
        values = values.expand(len(values), *cut).reshape(len(values), -1)
        return values, self.labels.expand(len(values), *cut).reshape(len(values), -1)

    def spread(self, units: Tensor, owner: Tensor) -> Tensor:
        """A number or a flag for each unit of each row, `units (R, U)`, at the features: `(R, *G)`, which broadcasts to
        points `(R, *F)`. `owner (R,)`: whose row it is."""
        if self.plain:
            return units.reshape(len(units), *self.labels.shape[1:])
        labels = self.labels if len(self.labels) == 1 else self.labels[owner.to(self.labels.device)]
        flat = labels.reshape(len(labels), -1).expand(len(units), -1).to(units.device)
        return units.gather(1, flat).reshape(len(units), *labels.shape[1:])


class Units(ABC):
    """A way to cut the features of an example into units."""

    @abstractmethod
    def partition(self, x: Tensor) -> Partition:
        """The units of the examples `x (N, *F)`. Raises `InputError` if they cannot be cut like this."""


@dataclass(frozen=True)
class Values(Units):
    """Every single value on its own."""

    def partition(self, x: Tensor) -> Partition:
        size = x[0].numel()
        return _shared(torch.arange(size).reshape(1, *x.shape[1:]), x)


@dataclass(frozen=True)
class Pixels(Units):
    """Every pixel with all its channels; images `(N, C, H, W)`."""

    def partition(self, x: Tensor) -> Partition:
        height, width = _image(x, self)
        return _shared(torch.arange(height * width).reshape(1, 1, height, width), x)


@dataclass(frozen=True)
class Blocks(Units):
    """Square blocks of `side` pixels with all their channels, those at the right and lower edge cut off; images.

    Scattered single pixels disturb a network for their own sake; blocks do so less.
    """

    side: int = 14

    def __post_init__(self) -> None:
        if isinstance(self.side, bool) or not isinstance(self.side, int) or self.side < 1:
            raise InputError("blocks with a side of at least one pixel", f"side={self.side!r}")

    def partition(self, x: Tensor) -> Partition:
        height, width = _image(x, self)
        columns = -(-width // self.side)
        rows, cols = torch.arange(height) // self.side, torch.arange(width) // self.side
        return _shared((rows[:, None] * columns + cols[None, :]).reshape(1, 1, height, width), x)


@dataclass(frozen=True)
class Superpixels(Units):
    """SLIC superpixels, about `segments` of them, of each image on its own, stretched to [0, 1] first.

    Achanta et al. (2012), by scikit-image. Needs the extra `metrics`.
    """

    segments: int = 100
    compactness: float = 10.0

    def partition(self, x: Tensor) -> Partition:
        _image(x, self)
        try:
            from skimage.segmentation import slic
        except ImportError as error:
            raise MissingExtra("superpixels", "metrics") from error
        found = []
        for image in x.detach().cpu().double().numpy():
            low, high = image.min(), image.max()
            scaled = (image - low) / (high - low) if high > low else np.zeros_like(image)
            axis = 0 if len(image) in (1, 3) else None
            flat = scaled if axis == 0 else scaled.mean(0, keepdims=True)
            labels = slic(flat, self.segments, self.compactness, start_label=0, channel_axis=0)
            found.append(np.unique(labels, return_inverse=True)[1].reshape(labels.shape))
        labels = torch.from_numpy(np.stack(found)).to(torch.int64).unsqueeze(1)
        return _own(labels, x)


@dataclass(frozen=True)
class Positions(Units):
    """Every position along axis 1 with all that is there: the tokens of embeddings `(N, T, E)`, steps of a series."""

    def partition(self, x: Tensor) -> Partition:
        if x.ndim < 3:
            raise InputError("examples (N, T, …) to be cut into positions", f"shape {tuple(x.shape)}")
        return _shared(torch.arange(x.shape[1]).reshape(1, -1, *[1] * (x.ndim - 2)), x)


def default_units(x: Tensor, at_site: bool = False) -> Units:
    """Pixels of images, positions of a layer's `(N, T, E)`, single values otherwise."""
    if x.ndim == 4 and not at_site:
        return Pixels()
    return Positions() if at_site and x.ndim == 3 else Values()


def fitted(maps: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Maps `(N, *G)` with as many axes as an example of this `shape` has; `(N, H, W)` for images gets a channel axis.

    Raises `InputError` unless `*G` broadcasts to the shape.
    """
    if maps.ndim == len(shape) and len(shape) == 3:
        maps = maps.unsqueeze(1)
    fits = maps.ndim == len(shape) + 1 and all(
        own in (1, wanted) for own, wanted in zip(maps.shape[1:], shape, strict=True)
    )
    if not fits:
        raise InputError(f"maps of shape (N, {', '.join(map(str, shape))}), like x", f"shape {tuple(maps.shape)}")
    return maps


def _shared(labels: Tensor, x: Tensor) -> Partition:
    sizes = torch.bincount(labels.flatten()).expand(len(x), -1)
    return Partition(labels, sizes, tuple(x.shape[1:]))


def _own(labels: Tensor, x: Tensor) -> Partition:
    count = int(labels.max()) + 1
    sizes = torch.stack([torch.bincount(one.flatten(), minlength=count) for one in labels])
    return Partition(labels, sizes, tuple(x.shape[1:]))


def _image(x: Tensor, units: Units) -> tuple[int, int]:
    if x.ndim != 4:
        raise InputError(f"images (N, C, H, W) for {type(units).__name__}", f"shape {tuple(x.shape)}")
    return int(x.shape[2]), int(x.shape[3])
