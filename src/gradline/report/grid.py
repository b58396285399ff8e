"""Several methods on one photo as one HTML page."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from gradline.comparison import Comparison
from gradline.errors import InputError
from gradline.plots.maps import blocks, example, picture
from gradline.plots.words import directions, family, unit
from gradline.report import agreement, packing, words
from gradline.report.content import EXACT, Content, common_data
from gradline.report.page import rendered
from gradline.report.photo import Photo
from gradline.report.tiles import tile_pictures
from gradline.result import Attribution
from gradline.result.card import tone, verdict
from gradline.result.spelling import number, percent
from gradline.result.storage import write_atomically

PIXELS = 300_000
"""Values of all maps together, at most: they are summed over blocks until they are no more."""


def write_comparison(comparison: Comparison, photo: Photo, path: str | Path) -> Path:
    """Write the maps of a comparison's first example side by side: verdicts, pictures, and how their ranks agree.

    Raises `InputError` if a map does not fit the photo, `StorageError`, `MissingExtra`.
    """
    text = rendered("comparison.html.jinja", content(comparison, photo), name="comparison", whole=True)
    return write_atomically(Path(path), lambda p: p.write_text(text, "utf-8"))


def content(comparison: Comparison, photo: Photo) -> Content:
    """Everything the template asks for. Raises `InputError` if there is no map, or one that does not fit the photo."""
    if not comparison.attributions:
        raise InputError("at least one map", "none")
    found = {name: a[example(a, 0)] for name, a in comparison.attributions.items()}
    maps = [picture(a, photo.pixels).pixels for a in found.values()]
    shape = packing.block_shape(maps[0], min(packing.LARGEST, math.isqrt(PIXELS // len(maps))))
    sums = [blocks(pixels, shape) for pixels in maps]
    first = next(iter(found.values()))
    families = [family(a, 0) for a in found.values()]
    tiles = tile_pictures(sums, families)
    rows = [_row(name, a) for name, a in found.items()]
    signed, sizes = comparison.agreement(0, dim=1), comparison.agreement(0, dim=1, absolute=True)
    return {
        "question": words.question(photo),
        "made_by": f"{len(rows)} map{'s' * (len(rows) != 1)} of {photo.model}, {first.explained[0]}",
        "photo": photo,
        "image": packing.photograph(photo.pixels, exact=EXACT),
        "summary": words.methods_summary([a.status[0] for a in found.values()]),
        "rows": rows,
        "tiles": [tile | row for tile, row in zip(tiles, rows, strict=True)],
        "several_scales": len(set(families)) > 1,
        "directions": directions(*found.values()),
        "shape": maps[0].shape,
        "cover": packing.cover(shape, maps[0].shape),
        "side": packing.block_side(shape, maps[0].shape),
        "agreement": agreement.of_methods([row["name"] for row in rows], signed.numpy()) if len(rows) > 1 else "",
        "matrices": [("of signed values", _cells(signed)), ("of sizes", _cells(sizes))] if len(rows) > 1 else [],
        "provenance": words.provenance(found),
        "data": common_data(photo),
    }


def _row(name: str, a: Attribution) -> Content:
    """One method in words."""
    error = float("nan") if a.error_estimate is None else float(a.error_estimate[0])
    return {
        "name": name,
        "verdict": words.typeset(verdict(a, 0)),
        "tone": tone(a.status[0]),
        "unit": unit(a),
        "error": words.typeset(percent(error)) if np.isfinite(error) else "–",
        "gap": words.typeset(number(float(a.completeness_gap[0]))) if a.completeness_gap is not None else "–",
        "gradients": int(a.evaluations[0]),
    }


def _cells(table: torch.Tensor) -> list[list[tuple[str, float]]]:
    """Text and value of each cell; NaN as 0."""
    return [[(agreement.signed(v), 0.0 if math.isnan(v) else v) for v in row] for row in table.tolist()]
