"""The places of a layer over the pixels of a photo: arrays only."""

from __future__ import annotations

import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, right, bottom: edges in pixels, from the upper left corner."""


def pooled(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How much of each of so many equal cells a region `(H, W)` covers, in [0, 1]."""
    rows, columns = (_overlap(n, m) for n, m in zip(mask.shape, shape, strict=True))
    return np.asarray(rows @ mask @ columns.T)


def lit(photo: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """The photo, lit where a channel is active: full light at its largest |activation|, smooth between its places."""
    size = np.abs(np.nan_to_num(activation, nan=0.0, posinf=0.0, neginf=0.0))
    light = spread(size / (size.max() or 1.0), (photo.shape[0], photo.shape[1]))
    return np.asarray((photo * (0.12 + 0.88 * light[..., None])).round().astype(np.uint8))


def spread(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Values of cells `(h, w)` over pixels: linear between the middles of the cells."""
    found = values
    for axis, length in enumerate(shape):
        places = (np.arange(length) + 0.5) * values.shape[axis] / length - 0.5
        low = np.clip(np.floor(places).astype(int), 0, values.shape[axis] - 1)
        high = np.minimum(low + 1, values.shape[axis] - 1)
        part = np.clip(places - low, 0, 1)[:, None]
        moved = np.moveaxis(found, axis, 0)
        found = np.moveaxis(moved[low] * (1 - part) + moved[high] * part, 0, axis)
    return np.asarray(found)


def framed(image: np.ndarray, box: Box, largest: int = 640) -> np.ndarray:
    """A picture with the box drawn around a region: whole times larger, for a thin line, up to that side."""
    times = max(1, largest // max(image.shape[:2]))
    big = image.repeat(times, 0).repeat(times, 1)
    left, top, right, bottom = (round(edge * times) for edge in box)
    thick = max(1, round(max(big.shape[:2]) / 200))
    for out, colour in ((2 * thick, 20), (thick, 255)):
        inner = big[max(top, 0) : bottom, max(left, 0) : right].copy()
        big[max(top - out, 0) : bottom + out, max(left - out, 0) : right + out] = colour
        big[max(top, 0) : bottom, max(left, 0) : right] = inner
    return big


def _overlap(length: int, cells: int) -> np.ndarray:
    """For each of so many equal cells of a line of pixels, the share of it that each pixel is."""
    edges = np.arange(cells + 1) * length / cells
    pixels = np.arange(length)
    part = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(part.clip(0) * cells / length)
