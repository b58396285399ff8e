"""The channels of a layer behind a region of a photo: numbers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gradline.errors import InputError
from gradline.plots.places import Box, pooled
from gradline.plots.subject import PhotoShown
from gradline.result import Attribution, Finding

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True, eq=False)
class Channel:
    """One of them. `contribution`: what it carries of the region's, summed over its places. `share`: of the region's
    contribution, negative if it works against it, NaN if that is zero. `size`: of Σ|contribution| of all channels.
    `activation`, `map (h, w)`: what it returns at x, and what each place carries. `inside`: share of Σ|activation| that
    lies in the region, NaN where a layer has no places; `where`: the ninth of the photo with the largest, "" there.
    """

    index: int
    contribution: float
    share: float
    size: float
    activation: np.ndarray
    map: np.ndarray
    inside: float
    where: str


@dataclass(frozen=True, eq=False)
class Channels:
    """A layer's channels, largest |contribution| first. `shape`: channels and places `(C, h, w)`. `map (h, w)`: summed
    over all of them. `total`: the sum of everything. `others`: how many are not in `top`; `rest`, `rest_share`: what
    they sum to, and its share of the region's contribution."""

    shape: tuple[int, int, int]
    top: tuple[Channel, ...]
    others: int
    rest: float
    rest_share: float
    total: float
    map: np.ndarray

    @property
    def has_places(self) -> bool:
        """A map over the photo can be drawn of it."""
        return self.shape[1] * self.shape[2] > 1


class Pruned(Protocol):
    """What taking neurons away does: see `gradline.neurons.Knockout`. Tensors are (rankings, shares, N)."""

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def shares(self) -> Any: ...
    @property
    def inside(self) -> Any: ...
    @property
    def outside(self) -> Any: ...
    @property
    def whole(self) -> Any: ...
    @property
    def score(self) -> Any: ...


@dataclass(frozen=True, eq=False)
class Curves:
    """What is left of one example when the first neurons of each ranking are taken away.

    `names`: of the rankings. `shares (S,)`: of the neurons, in [0, 1]. `inside`, `outside`, `score (rankings, S)`:
    Integrated Gradients summed inside and outside the region, and F(x).
    """

    names: tuple[str, ...]
    shares: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    score: np.ndarray

    @property
    def ticks(self) -> list[str]:
        """The shares in words, the unit behind the last."""
        said = [f"{100 * float(share):g}" for share in self.shares]
        return [*said[:-1], f"{said[-1]}\N{NO-BREAK SPACE}%"]

    @property
    def panels(self) -> tuple[tuple[str, np.ndarray], ...]:
        """Title and values of each drawing."""
        return (
            ("Contribution inside the region", self.inside),
            ("Contribution outside", self.outside),
            ("Score F(x)", self.score),
        )


@dataclass(frozen=True, eq=False)
class LayerShown:
    """A layer behind the region. `a`: the attribution at the layer, `a.parts["share"]` the region's contribution."""

    name: str
    a: Attribution
    channels: Channels
    curves: Curves | None = None


@dataclass(frozen=True, eq=False)
class Region:
    """A region of a photo, and the layers behind it. `box`: in pixels of what the model sees; `given`: in the photo's
    own, which is `size` (width, height). `chosen`: the layer was not asked for by name."""

    photo: PhotoShown
    box: Box
    given: Box
    size: tuple[int, int]
    layers: tuple[LayerShown, ...]
    chosen: bool = False

    @property
    def contribution(self) -> float:
        """Σ of Integrated Gradients over the region."""
        return float(self.layers[0].a.parts["share"][0, 0])

    @property
    def change(self) -> float:
        """F(x) − F(x′)."""
        a = self.layers[0].a
        return math.nan if a.baseline_score is None else float(a.score[0]) - float(a.baseline_score[0])

    @property
    def share(self) -> float:
        """The region's part of the change; NaN if there is none."""
        return self.contribution / self.change if self.change else math.nan

    @property
    def area(self) -> float:
        """The region's part of what the model sees."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top) / math.prod(self.photo.pixels.shape[:2])

    @property
    def findings(self) -> list[tuple[str, Finding]]:
        """What was noticed: findings of one layer alone with its name in front."""
        found: dict[tuple[str, str], list[tuple[str, Finding]]] = {}
        for layer in self.layers:
            for finding in layer.a.findings:
                found.setdefault((finding.code, finding.text), []).append((layer.name, finding))
        several = len(self.layers) > 1
        return [
            ("" if len(said) == len(self.layers) or not several else said[0][0], said[0][1]) for said in found.values()
        ]


def channels(values: np.ndarray, activations: np.ndarray, contribution: float, mask: np.ndarray, top: int) -> Channels:
    """The `top` channels of one example's `values` and `activations` at a layer.

    Channels are the first axis of `(C, …)`, the last of tokens `(T, D)`, whose places are a square where T is one, or
    one more than one (a class token, which counts but is not drawn). `contribution`: of the region. `mask (H, W)`: the
    region. Raises `InputError`.
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InputError("top as a whole number from 1", repr(top))
    sums = _sums(values)
    maps, active = _placed(values), _placed(activations)
    order = np.argsort(-np.abs(np.nan_to_num(sums)), kind="stable")
    mass = float(np.abs(sums).sum())
    grid = pooled(mask, (maps.shape[1], maps.shape[2]))
    found = []
    for k in order[:top].tolist():
        inside, where = _place(active[k], grid)
        size = abs(float(sums[k])) / mass if mass else math.nan
        found.append(
            Channel(k, float(sums[k]), _of(float(sums[k]), contribution), size, active[k], maps[k], inside, where)
        )
    rest = float(sums[order[top:]].sum())
    shape = (len(maps), maps.shape[1], maps.shape[2])
    others = max(0, len(order) - top)
    return Channels(shape, tuple(found), others, rest, _of(rest, contribution), float(sums.sum()), maps.sum(0))


def curves(pruned: Pruned, i: int = 0) -> Curves:
    """The curves of example i."""
    parts = [np.asarray(part, dtype=np.float64)[..., i] for part in (pruned.inside, pruned.outside, pruned.score)]
    return Curves(tuple(map(str, pruned.names)), np.asarray(pruned.shares, dtype=np.float64), *parts)


def _of(value: float, whole: float) -> float:
    return value / whole if whole and math.isfinite(whole) else math.nan


def _sums(values: np.ndarray) -> np.ndarray:
    if values.ndim == 2:
        return np.asarray(values.sum(0))
    return np.asarray(values.reshape(len(values), -1).sum(1)) if values.ndim else values.reshape(1)


def _placed(values: np.ndarray) -> np.ndarray:
    """Channels over places `(C, h, w)`."""
    if values.ndim == 3:
        return values
    if values.ndim == 2:
        count = len(values)
        for side in (math.isqrt(count), math.isqrt(count - 1)):
            if side > 1 and count - side * side in (0, 1):
                return np.ascontiguousarray(values[count - side * side :].T.reshape(-1, side, side))
    return _sums(values).reshape(-1, 1, 1)


def _place(activation: np.ndarray, grid: np.ndarray) -> tuple[float, str]:
    """How much of an activation lies in the region, and where it is strongest."""
    size = np.abs(activation)
    whole = float(size.sum())
    if size.size == 1 or not math.isfinite(whole) or whole == 0:
        return math.nan, ""
    row, column = np.unravel_index(int(size.argmax()), size.shape)
    i, j = (int(3 * (k + 0.5) / n) for k, n in zip((row, column), size.shape, strict=True))
    where = "centre" if i == j == 1 else f"{ROWS[i]} {COLUMNS[j]}"
    return float((size * grid).sum()) / whole, where
