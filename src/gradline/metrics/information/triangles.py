"""Linear interpolation between scattered pixels of a picture, in whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradline.errors import MissingExtra
from gradline.metrics.information.coding import Picture

Ints = NDArray[np.int64]


def interpolated(picture: Picture, known: NDArray[np.bool_]) -> Picture:
    """The picture `(H, W)` or `(H, W, C)` with its unknown pixels interpolated linearly over the Delaunay triangles of
    the known ones, halves rounded up; its mean colour where no triangle is.

    Only the triangulation is SciPy's. Its interpolator solves a 3 × 3 system for each triangle by LAPACK, which takes
    seconds when BLAS runs many threads on a busy machine; here the pixels of each triangle are listed row by row and
    their barycentric weights are whole numbers, so that a half is a half. One triangulation serves all channels. Needs
    the extra `metrics`.
    """
    flat = picture.reshape(*known.shape, -1).astype(np.int64)
    place = np.argwhere(known)
    filled = np.empty_like(flat)
    filled[:] = np.floor(flat.mean((0, 1)) + 0.5)
    corners = place[_simplices(place)]
    which, pixel = _inside(corners)
    if len(which):
        values = flat[known][_ids(known)[corners[which, :, 0], corners[which, :, 1]]]
        weights, whole = _weights(corners[which], pixel)
        total = (weights[:, :, None] * values).sum(1)
        filled[pixel[:, 0], pixel[:, 1]] = (2 * total + whole[:, None]) // (2 * whole[:, None])
    filled[known] = flat[known]
    return filled.astype(np.uint8).reshape(picture.shape)


def touching(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The known pixels of which one of the 8 neighbours is unknown."""
    wide = np.pad(~known, 1)
    height, width = known.shape
    near = np.zeros_like(known)
    for i in range(3):
        for j in range(3):
            near |= wide[i : i + height, j : j + width]
    return near & known


def _simplices(place: Ints) -> Ints:
    try:
        from scipy.spatial import Delaunay
    except ImportError as error:
        raise MissingExtra("the linear fill of a picture", "metrics") from error
    found: Any = Delaunay(place).simplices
    return np.asarray(found, np.int64)


def _ids(known: NDArray[np.bool_]) -> Ints:
    """The number of each known pixel, in reading order."""
    return (np.cumsum(known) - 1).reshape(known.shape).astype(np.int64)


def _cross(a: Ints, b: Ints, p: Ints) -> Ints:
    """Twice the signed area of the triangles a, b, p."""
    left: Ints = (b[:, 0] - a[:, 0]) * (p[:, 1] - a[:, 1])
    right: Ints = (b[:, 1] - a[:, 1]) * (p[:, 0] - a[:, 0])
    return left - right


def _weights(corners: Ints, pixel: Ints) -> tuple[Ints, Ints]:
    """The barycentric weights `(R, 3)` of a pixel in its triangle, and their sum `(R,)`, which is positive."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    weights = np.stack([_cross(b, c, pixel), _cross(c, a, pixel), _cross(a, b, pixel)], 1)
    whole = weights.sum(1)
    sign = np.sign(whole)
    return weights * sign[:, None], whole * sign


def _inside(corners: Ints) -> tuple[Ints, Ints]:
    """The pixels within triangles `(S, 3, 2)`, edges included: whose each is `(R,)`, and where `(R, 2)`.

    Triangles of half a pixel are left out, since they hold no pixel but their corners.
    """
    size = np.abs(_cross(corners[:, 0], corners[:, 1], corners[:, 2]))
    large = np.flatnonzero(size > 1)
    top, bottom = corners[large, :, 0].min(1), corners[large, :, 0].max(1)
    which, row = _spread(large, top, bottom)
    first, last = _columns(corners[which], row)
    at, column = _spread(np.arange(len(which)), first, last)
    return which[at], np.stack([row[at], column], 1)


def _spread(which: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Every whole number from `first` to `last`, and whose it is."""
    count = np.maximum(last - first + 1, 0)
    start = np.cumsum(count) - count
    offset = np.arange(int(count.sum())) - np.repeat(start, count)
    return np.repeat(which, count), np.repeat(first, count) + offset


def _columns(corners: Ints, row: Ints) -> tuple[Ints, Ints]:
    """The first and the last column of each triangle `(R, 3, 2)` in a row: where no edge has the pixel outside."""
    turn = np.sign(_cross(corners[:, 0], corners[:, 1], corners[:, 2]))
    first, last = corners[:, :, 1].min(1), corners[:, :, 1].max(1)
    for i in range(3):
        a, b = corners[:, i], corners[:, (i + 1) % 3]
        slope = turn * (b[:, 0] - a[:, 0])
        rest = turn * (-(b[:, 0] - a[:, 0]) * a[:, 1] - (b[:, 1] - a[:, 1]) * (row - a[:, 0]))
        steep = np.where(slope == 0, 1, np.abs(slope))
        first = np.where(slope > 0, np.maximum(first, -(rest // steep)), first)
        last = np.where(slope < 0, np.minimum(last, rest // steep), last)
    return first, last
