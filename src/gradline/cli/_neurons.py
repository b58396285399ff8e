"""The neurons behind a region found, written and printed."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradline.cli._means import Means, explained
from gradline.cli._request import Request, command_of
from gradline.cli._show import finite, plain
from gradline.cli._terminal import is_live, working
from gradline.errors import InputError

if TYPE_CHECKING:
    from gradline.adapters import ImageCase
    from gradline.plots.channels import Channel, Curves, LayerShown, Region
    from gradline.plots.places import Box


def region_of(text: str | None) -> Box:
    """A box as `LEFT,TOP,RIGHT,BOTTOM`. Raises `InputError`."""
    expected = "--region LEFT,TOP,RIGHT,BOTTOM in pixels of the photo, with LEFT < RIGHT and TOP < BOTTOM"
    if text is None:
        raise InputError(expected, "none", "--list-layers needs none")
    try:
        left, top, right, bottom = (float(edge) for edge in text.split(","))
    except ValueError:
        raise InputError(expected, repr(text)) from None
    if not (all(map(math.isfinite, (left, top, right, bottom))) and left < right and top < bottom):
        raise InputError(expected, repr(text))
    return left, top, right, bottom


def _loaded(asked: Request) -> tuple[Means, ImageCase]:
    with working(f"loading {asked.model}"):
        means = Means.of(asked)
        from gradline.adapters import image_case

        return means, image_case(asked.path, means.model)


def list_layers(asked: Request) -> dict[str, Any]:
    """The layers of the model, JSON-ready."""
    from gradline.adapters.layers import last_block, layers_seen

    means, case = _loaded(asked)
    rows = [
        {"name": seen.name, "shape": list(seen.shape), "carries_all": seen.carries_all} for seen in layers_seen(case)
    ]
    return {"photo": asked.photo, "model": means.model.name, "layers": rows, "default": last_block(case)}


def carry_out(
    asked: Request,
    box: Box,
    layers: list[str],
    files: tuple[Path, ...],
    words: list[str],
    *,
    top: int,
    knockout: bool,
) -> tuple[Region, dict[str, Any]]:
    """Find and write; what is shown, and the numbers."""
    means, case = _loaded(asked)
    from gradline.adapters.neurons import recipe, region_of_case
    from gradline.adapters.photo import read_photo

    index, target = explained(asked, means, case)
    budget: Any = {"tol": asked.tol, "steps": asked.steps, "max_evaluations": asked.max_evaluations}
    budget |= {"baseline": means.baseline, "seed": asked.seed, "memory": asked.memory}
    found = region_of_case(
        case,
        box,
        read_photo(asked.path).size,
        layers=layers,
        target=target,
        top=top,
        knockout=knockout,
        command=command_of(asked, files, "neurons", words),
        python=recipe(
            asked.path, box, layers=layers, model=means.model, target=target, top=top, knockout=knockout, **budget
        ),
        progress=is_live(sys.stderr),
        **budget,
    )
    found = replace(found, photo=replace(found.photo, title=case.class_name(index)))  # type: ignore[type-var]
    numbers = summary(asked, index, found)
    for path in files:
        with working(f"writing {path}"):
            _write(path, found, numbers)
    return found, numbers


def _write(path: Path, found: Region, numbers: dict[str, Any]) -> None:
    if path.suffix == ".json":
        from gradline.result.storage import write_atomically

        text = json.dumps(numbers, indent=2) + "\n"
        write_atomically(path, lambda p: p.write_text(text, "utf-8"))
    elif path.suffix == ".html":
        from gradline.report.neurons import write_neurons

        write_neurons(found, path)
    else:
        from gradline.plots import write_figure
        from gradline.plots.drawing.neurons import neurons

        write_figure(neurons(found), path)


# ------------------------------------------------------------------------------------------------ numbers


def summary(asked: Request, index: int, found: Region) -> dict[str, Any]:
    """The result in numbers, JSON-ready."""
    a = found.layers[0].a
    return {
        "photo": asked.photo,
        "model": found.photo.model,
        "class": {"index": index, "name": found.photo.title},
        "explained": a.explained[0],
        "region": {
            "photo_pixels": list(found.given),
            "model_pixels": list(found.box),
            "area": found.area,
            "contribution": finite(found.contribution),
            "share": finite(found.share),
        },
        "score": plain(a.score),
        "baseline_score": plain(a.baseline_score),
        "status": a.status[0].value,
        "error_estimate": plain(a.error_estimate),
        "evaluations": int(a.evaluations[0]),
        "layers": [_layer(layer) for layer in found.layers],
        "findings": [f"{name}: {f}" if name else str(f) for name, f in findings(found)],
        "provenance": dict(a.provenance),
        "command": found.photo.command,
        "python": getattr(found.photo, "python", ""),
    }


def findings(found: Region) -> list[tuple[str, Any]]:
    """What was noticed of the one example there is, which need not be named."""
    return [(name, replace(f, examples=())) for name, f in found.findings]


def _layer(layer: LayerShown) -> dict[str, Any]:
    found = layer.channels
    return {
        "name": layer.name,
        "shape": list(layer.a.values.shape[1:]),
        "channels": found.shape[0],
        "sum": finite(found.total),
        "gap": plain(layer.a.completeness_gap),
        "top": [_channel(c) for c in found.top],
        "others": {"channels": found.others, "contribution": finite(found.rest)},
        **({} if layer.curves is None else {"knockout": _curves(layer.curves)}),
    }


def _channel(c: Channel) -> dict[str, Any]:
    return {
        "channel": c.index,
        "contribution": finite(c.contribution),
        "share_of_sizes": finite(c.size),
        "share_of_region": finite(c.share),
        "where": c.where or None,
        "inside": finite(c.inside),
    }


def _curves(found: Curves) -> dict[str, Any]:
    rows = zip(found.names, found.inside.tolist(), found.outside.tolist(), found.score.tolist(), strict=True)
    return {
        "shares": found.shares.tolist(),
        "rankings": {
            name: {"inside": [finite(v) for v in i], "outside": [finite(v) for v in o], "score": [finite(v) for v in s]}
            for name, i, o, s in rows
        },
    }
