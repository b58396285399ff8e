"""What the report of one photo shows: pictures, words and numbers, section by section."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gradline.plots import PathPanel, Picture, path_panel, picture
from gradline.plots.maps import AGAINST, FOR, blocks, colour_scale, example
from gradline.plots.words import directions, quantity, unit
from gradline.report import agreement, packing, regions, tiles, words
from gradline.report.chart import chart
from gradline.report.photo import Photo
from gradline.result import Attribution
from gradline.result.spelling import short

SIZE = (64, 30, 104)
"""Colour of sizes, where the sign is left out: neither of the two that stand for a sign."""

COLOURS = {"raises": FOR.tolist(), "lowers": AGAINST.tolist(), "size": SIZE}
"""For the script."""

EXACT, BESIDE, FILM_SIDE = 300, 512, 300
"""Sides, in pixels: up to which the photo is stored pixel by pixel; to which pictures beside the map, and the start of
the path, are shrunk."""

FILM = (0.25, 0.5, 1.0)
"""Places on the path whose partial maps are shown where no script runs."""

NOT_KEPT = "Partial maps of this path were not kept."
NO_SHARE = "The map is zero or not finite: there is no share of it to show."

Content = dict[str, Any]


def content(a: Attribution, photo: Photo) -> Content:
    """Everything the template asks for, of the first example.

    Raises `InputError` if there is none, or if the map does not fit the photo.
    """
    a = replace(a[example(a, 0)], shown=(photo,))
    shown = picture(a, photo.pixels)
    sections = {"map": _map(a, shown), "path": _path(a, photo), "baselines": tiles.of_baselines(photo, shown.pixels)}
    return {
        "question": words.question(photo),
        "made_by": words.made_by(a, photo),
        "photo": photo,
        "verdict": words.verdict(a),
        "caveat": agreement.caveat(photo.baselines),
        "weaknesses": [words.weakness(f) for f in a.findings],
        "candidates": photo.candidates,
        "provenance": words.provenance({"": a}),
        **sections,
        "data": {
            "quantity": quantity(a, 0),
            "directions": directions(a),
            "contributes": unit(a) == "score",
            **common_data(photo),
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
        "overlay": packing.photograph(shown.overlay, largest=BESIDE),
        "overlay_scale": "same colours" if side == 1 else f"full colour at ±{short(shown.scale)} a pixel",
        "spotlight": packing.photograph(shown.spotlight, largest=BESIDE),
        "shape": shown.pixels.shape,
        "cover": packing.cover(sums.shape, shown.pixels.shape),
        "scale": short(scale),
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
    made = words.shares(photo.stages)
    start = photo.start if photo.straight else None
    film = None if made is None else _film(photo)
    return {
        "chart": chart(panel, made),
        "sentence": words.path(panel, made, photo.paths),
        "start": None if start is None else packing.photograph(start, largest=FILM_SIDE),
        "film": film,
        "no_film": NOT_KEPT if photo.stages is None else NO_SHARE,
        "data": _curve(panel, made) | {"quantity": f"score ({a.explained[0]})"} | (film["data"] if film else {}),
    }


def _film(photo: Photo) -> Content:
    """Partial maps: pictures of some for a page without a script, and all of them as numbers."""
    stages, shape = photo.stages, photo.pixels.shape
    assert stages is not None
    cap = colour_scale(stages[-1])
    chosen = sorted({max(0, round(t * len(stages)) - 1) for t in FILM})
    return {
        "pictures": [((k + 1) / len(stages), packing.level_picture(stages[k], cap, cap)) for k in chosen],
        "cover": packing.cover(stages.shape[1:], shape[:2]),
        "kept": len(stages),
        "side": packing.block_side(stages.shape[1:], shape[:2]),
        "data": {"stages": packing.stacked(stages, cap)},
    }


def _curve(panel: PathPanel, made: np.ndarray | None) -> Content:
    """Numbers of the path panel; what is not finite becomes None, and so the gradient on a side that was not read."""
    nodes, norm = panel.nodes.tolist(), plain(panel.gradient_norm)
    if panel.split and not any(t > panel.saturation for t in nodes):
        nodes, norm = [*nodes, 1.0], [*norm, None]
    if panel.split and not any(t < panel.saturation for t in nodes):
        nodes, norm = [0.0, *nodes], [None, *norm]
    return {
        "t": panel.t.tolist(),
        "score": plain(panel.score),
        "nodes": nodes,
        "norm": norm,
        "share": None if made is None else made.tolist(),
    }


def common_data(photo: Photo) -> Content:
    """What the script needs on every page."""
    return {"file": file_stem(photo.name), "colours": COLOURS}


def plain(values: np.ndarray) -> list[float | None]:
    """For JSON, which has no NaN."""
    return [float(v) if np.isfinite(v) else None for v in values]


def file_stem(name: str) -> str:
    """What downloads of a thing of that name are called."""
    stem = name.rpartition(".")[0] or name
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in stem)[:60] or "map"
