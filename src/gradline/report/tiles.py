"""Maps side by side: pictures of several on one scale and on their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradline.plots.maps import blocks, colour_scale, pooled
from gradline.report import agreement, packing
from gradline.report.photo import Photo
from gradline.result.spelling import short

START = 96
"""Side of the picture of a baseline, in pixels."""


def tile_pictures(maps: Sequence[np.ndarray], families: Sequence[object]) -> list[dict[str, Any]]:
    """Pictures of several maps; those of one family, whose values can be compared, on one scale: the 99th percentile
    of all their sizes. Each knows its own scale too."""
    tiles = []
    for pixels, family in zip(maps, pooled(maps, families), strict=True):
        shared, own = colour_scale(family), colour_scale(pixels)
        cap = max(shared, own)
        image = packing.level_picture(pixels, cap, shared)
        text = short(shared)
        tiles.append({"image": image, "cap": cap, "own_scale": own, "shared": shared, "shared_text": text})
    return tiles


def of_baselines(photo: Photo, pixels: np.ndarray) -> dict[str, Any] | None:
    """The reported map `(H, W)` beside those from other baselines; None if there are none."""
    if not photo.baselines:
        return None
    rows, columns = photo.baselines[0].pixels.shape
    own = blocks(pixels, (rows, columns))
    tiles = tile_pictures([own, *(other.pixels for other in photo.baselines)], [0] * (1 + len(photo.baselines)))
    starts = [photo.start, *(other.start for other in photo.baselines)]
    for tile, start in zip(tiles, starts, strict=True):
        tile["start"] = None if start is None else packing.photograph(start, largest=START)
    tiles[0] |= {"name": photo.baseline or "as reported", "own": True}
    for tile, other in zip(tiles[1:], photo.baselines, strict=True):
        tile |= {"name": other.name, "own": False, "error": other.error_estimate}
        tile |= {"signed": agreement.signed(other.agreement), "sizes": agreement.signed(other.agreement_absolute)}
    return {
        "sentence": agreement.of_baselines(photo.baselines, photo.baseline),
        "tiles": tiles,
        "cover": packing.cover(own.shape, pixels.shape),
        "data": {},
    }
