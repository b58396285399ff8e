"""What the report of one photo shows: pictures, words and numbers, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradline.plots import PathPanel, Picture, path_panel, picture
from gradline.plots.maps import AGAINST, FOR, blocks, colour_scale
from gradline.plots.words import directions, quantity, unit
from gradline.report import packing, regions, words
from gradline.report.chart import chart
from gradline.report.photo import Photo
from gradline.result import Attribution

SIZE = (64, 30, 104)
"""Colour of sizes, where the sign is left out: neither of the two that stand for a sign."""

EXACT = 300
"""Photos up to this side are stored pixel by pixel."""

FILM = (0.25, 0.5, 1.0)
"""Places on the path whose partial maps are shown where no script runs."""

NOT_KEPT = "Partial maps of this path were not kept."
NO_SHARE = "The map is zero or not finite: there is no share of it to show."

Content = dict[str, Any]


def content(a: Attribution, photo: Photo) -> Content:
    """Everything the template asks for, of the first example. Raises `InputError` if the map does not fit the photo."""
    a = replace(a[0], shown=(photo,))
    shown = picture(a, photo.pixels)
    map_, path, others = _map(a, shown), _path(a, photo), _baselines(a, photo, shown)
    sections = {"map": map_, "path": path, "baselines": others}
    return {
        "question": words.question(photo),
        "made_by": words.made_by(a, photo),
        "photo": photo,
        "verdict": words.verdict(a),
        "caveat": words.caveat(photo.baselines),
        "weaknesses": [words.weakness(f) for f in a.findings],
        "candidates": photo.candidates,
        "provenance": [(key.replace("_", " "), value) for key, value in a.provenance.items()],
        **sections,
        "data": {
            "quantity": quantity(a, 0),
            "directions": directions(a),
            "contributes": unit(a) == "score",
            "file": file_name(photo),
            "colours": {"raises": FOR.tolist(), "lowers": AGAINST.tolist(), "size": SIZE},
            **{name: section["data"] for name, section in sections.items() if section},
        },
    }


def _map(a: Attribution, shown: Picture) -> Content:
    sums = blocks(shown.pixels, packing.block_shape(shown.pixels, packing.LARGEST))
    side = packing.block_side(sums.shape, shown.pixels.shape)
    scale = colour_scale(sums)
    lowers, raises = directions(a)
    found = regions.zones(shown.pixels)
    return {
        "photo": packing.photograph(shown.photo, exact=EXACT),
        "picture": packing.level_picture(sums, scale, scale),
        "overlay": packing.photograph(shown.overlay, largest=512),
        "overlay_scale": "same colours" if side == 1 else f"pixel by pixel, full colour at ±{shown.scale:.2g}",
        "spotlight": packing.photograph(shown.spotlight, largest=512),
        "shape": shown.pixels.shape,
        "cover": cover(sums.shape, shown.pixels.shape),
        "scale": f"{scale:.2g}",
        "lowers": lowers,
        "raises": raises,
        "caption": words.caption(a, sums, scale, side, shown.pixels.shape),
        "where": words.typeset(regions.in_words(shown.pixels, unit(a) == "score")),
        "zones": found,
        "decimals": regions.decimals(found),
        "data": packing.whole_map(sums) | {"scale": scale, "block": side},
    }


def _path(a: Attribution, photo: Photo) -> Content | None:
    panel = path_panel(a)
    if panel is None:
        return None
    stages = photo.stages
    made = words.shares(stages)
    drawing = chart(panel, made)
    start = photo.start if words.straight(a) else None
    found: Content = {
        "chart": drawing,
        "sentence": words.path(panel, made, photo.paths),
        "side": 1,
        "start": "" if start is None else packing.photograph(start, largest=EXACT),
        "film": [],
        "no_film": NOT_KEPT if stages is None else NO_SHARE,
        "cover": (1.0, 1.0),
        "data": _curve(panel, made) | {"quantity": f"score ({a.explained[0]})"},
    }
    if stages is not None and made is not None:
        cap = colour_scale(stages[-1])
        chosen = sorted({max(0, round(t * len(stages)) - 1) for t in FILM})
        found["film"] = [((k + 1) / len(stages), packing.level_picture(stages[k], cap, cap)) for k in chosen]
        found["cover"] = cover(stages.shape[1:], photo.pixels.shape[:2])
        found["kept"] = len(stages)
        found["side"] = packing.block_side(stages.shape[1:], photo.pixels.shape[:2])
        found["data"]["stages"] = packing.stacked(stages, cap)
    return found


def _curve(panel: PathPanel, made: np.ndarray | None) -> Content:
    """Numbers of the path panel; what is not finite becomes None."""
    return {
        "t": panel.t.tolist(),
        "score": plain(panel.score),
        "nodes": panel.nodes.tolist(),
        "norm": plain(panel.gradient_norm),
        "share": None if made is None else made.tolist(),
    }


def _baselines(a: Attribution, photo: Photo, shown: Picture) -> Content | None:
    """The reported map beside those of other baselines, on one scale and each on its own."""
    if not photo.baselines:
        return None
    rows, columns = photo.baselines[0].pixels.shape
    own = blocks(shown.pixels, (rows, columns))
    name = words.baseline_name(a)
    tiles = tile_pictures([own, *(other.pixels for other in photo.baselines)], [0] * (1 + len(photo.baselines)))
    starts = [photo.start, *(other.start for other in photo.baselines)]
    for tile, start in zip(tiles, starts, strict=True):
        tile["start"] = "" if start is None else packing.photograph(start, largest=96)
    tiles[0] |= {"name": name or "as reported", "own": True}
    for tile, other in zip(tiles[1:], photo.baselines, strict=True):
        tile |= {"name": other.name, "own": False, "error": other.error_estimate}
        tile |= {"signed": words.signed(other.agreement), "sizes": words.signed(other.agreement_absolute)}
    return {
        "sentence": words.agreement(photo.baselines, name),
        "tiles": tiles,
        "cover": cover(own.shape, shown.pixels.shape),
        "data": {},
    }


def tile_pictures(maps: Sequence[np.ndarray], families: Sequence[object]) -> list[Content]:
    """Pictures of several maps; those of one family, whose values can be compared, on one scale: the 99th percentile
    of all their sizes. Each knows its own scale too."""
    tiles = []
    for pixels, kind in zip(maps, families, strict=True):
        pooled = [m.ravel() for m, other in zip(maps, families, strict=True) if other == kind]
        shared, own = colour_scale(np.concatenate(pooled)), colour_scale(pixels)
        cap = max(shared, own)
        image = packing.level_picture(pixels, cap, shared)
        tiles.append({"image": image, "cap": cap, "own_scale": own, "shared": shared, "shared_text": f"{shared:.2g}"})
    return tiles


def cover(shape: tuple[int, ...], pixels: tuple[int, ...]) -> tuple[float, float]:
    """How wide and high a map of blocks is beside its photo: 1, or a little more where blocks reach over the edge."""
    side = packing.block_side(shape, pixels)
    return shape[1] * side / pixels[1], shape[0] * side / pixels[0]


def plain(values: np.ndarray) -> list[float | None]:
    """For JSON, which has no NaN."""
    return [float(v) if np.isfinite(v) else None for v in values]


def file_name(photo: Photo) -> str:
    """What downloads are called."""
    stem = photo.name.rpartition(".")[0] or photo.name
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in stem)[:60] or "map"
