"""The neurons behind a region of a photo as one HTML page."""

from __future__ import annotations

import math
import secrets
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch

from gradline.evaluation.board import MeanCurve
from gradline.plots.channels import Channel, Curves, LayerShown, Region
from gradline.plots.maps import colour_scale, overlay
from gradline.plots.places import lit, spread
from gradline.plots.words import signed
from gradline.report import packing
from gradline.report.content import EXACT, Content, common_data
from gradline.report.curves import CurveChart, curve_chart
from gradline.report.page import rendered
from gradline.report.photo import Photo
from gradline.report.words import isolated, provenance, typeset, verdict, weakness
from gradline.result.spelling import number, percent, short
from gradline.result.storage import write_atomically

TILE = 256
"""Side of the picture of a channel, in pixels, at most."""

ROUNDING = 1e-5
"""Share of the region's contribution below which a difference is rounding."""

TEMPLATE = "neurons.html.jinja"


def write_neurons(region: Region, path: str | Path) -> Path:
    """Write the page of a region as one file. Raises `StorageError`, `MissingExtra`."""
    text = rendered(TEMPLATE, content(region), name="neurons", whole=True)
    return write_atomically(Path(path), lambda p: p.write_text(text, "utf-8"))


def fragment(region: Region) -> str:
    """The page as a part of another one. Raises `MissingExtra`."""
    return rendered(TEMPLATE, content(region), name=f"gradline-{secrets.token_hex(4)}", whole=False)


def content(region: Region) -> Content:
    """Everything the template asks for."""
    photo: Photo = region.photo  # type: ignore[assignment]
    first = region.layers[0].a
    height, width = photo.pixels.shape[:2]
    left, top, right, bottom = region.box
    return {
        "question": f"Which neurons carry this region of {isolated(photo.name)} towards “{isolated(photo.title)}”?",
        "made_by": f"Region to neurons of {isolated(photo.model)}, {first.explained[0]}"
        + (f", path from {photo.baseline}" if photo.baseline else ""),
        "photo": photo,
        "headline": headline(region),
        "verdict": verdict(first),
        "facts": [(typeset(label), typeset(text)) for label, text in facts(region)],
        "weaknesses": [weakness(f) | {"layer": layer} for layer, f in region.findings],
        "image": packing.photograph(photo.pixels, exact=EXACT),
        "shape": (height, width),
        "box": {"x": left, "y": top, "width": right - left, "height": bottom - top},
        "where": where(region),
        "layers": [_layer(layer, photo) for layer in region.layers],
        "provenance": provenance({layer.name: layer.a for layer in region.layers}),
        "own_style": _style(),
        "data": common_data(photo),
    }


def headline(region: Region) -> str:
    """What the region contributes, in one line."""
    share = "" if math.isnan(region.share) else f", {percent(region.share)} of F(x) − F(x′)"
    return typeset(f"The region contributes {signed(region.contribution)} to the score{share}")


def where(region: Region) -> str:
    """Where the region lies, in a sentence."""
    box = ", ".join(f"{edge:g}" for edge in region.given)
    inside = " × ".join(f"{edge:g}" for edge in region.photo.pixels.shape[1::-1])
    return typeset(
        f"Left, top, right and bottom at {box} of the photo’s {region.size[0]} × {region.size[1]} pixels: "
        f"{percent(region.area)} of the {inside} pixels that the model sees."
    )


def facts(region: Region) -> list[tuple[str, str]]:
    """Label and text of what is known of the region, in reading order."""
    a = region.layers[0].a
    found = [("score F(x)", number(float(a.score[0])))]
    if a.baseline_score is not None:
        found.append(("baseline F(x')", number(float(a.baseline_score[0]))))
    share = "" if math.isnan(region.share) else f" ({percent(region.share)} of F(x) - F(x'))"
    found.append(("region", f"{region.contribution:+.4g}{share}"))
    count = int(a.evaluations[0])
    found.append(("evaluations", f"{count} gradient{'s' * (count != 1)}"))
    return found


def check(layer: LayerShown) -> str:
    """Whether the neurons add up to the region's contribution, in words."""
    gap, share = float(layer.a.completeness_gap[0]), float(layer.a.parts["share"][0, 0])  # type: ignore[index]
    if not math.isfinite(gap):
        return "unknown"
    if abs(gap) < ROUNDING * abs(share):
        return "zero up to rounding"
    due = f" ({percent(abs(gap) / abs(share))} of it)" if share else ""
    return f"{gap:+.2g}{due}"


def _layer(layer: LayerShown, photo: Photo) -> Content:
    found = layer.channels
    count, rows, columns = found.shape
    scale = colour_scale(found.map)
    drawn = overlay(spread(found.map, photo.pixels.shape[:2]), scale, photo.pixels)
    places = f" of {rows} × {columns} places" if found.has_places else ""
    largest = max((abs(c.contribution) for c in found.top), default=0.0)
    sizes = sum(c.size for c in found.top)
    return {
        "name": layer.name,
        "lead": typeset(
            f"{count} channels{places}. Their contributions add up to {signed(found.total)}; the sum less what the "
            f"region contributes is {check(layer)}. The {len(found.top)} largest make {percent(sizes)} of all sizes."
        ),
        "map": packing.photograph(drawn, largest=600) if found.has_places else None,
        "scale": short(scale),
        "channels": [_channel(c, photo, largest, drawn=found.has_places) for c in found.top],
        "others": found.others,
        "rest": typeset(signed(found.rest)),
        "curves": _charts(layer.curves) if layer.curves is not None else [],
        "shares": [] if layer.curves is None else layer.curves.ticks,
    }


def _channel(channel: Channel, photo: Photo, largest: float, *, drawn: bool) -> Content:
    low, high = (float(f(channel.activation)) for f in (np.min, np.max))
    return {
        "index": channel.index,
        "contribution": typeset(signed(channel.contribution)),
        "raises": channel.contribution > 0,
        "length": f"{100 * abs(channel.contribution) / largest:.1f}%" if largest else "0%",
        "size": typeset(percent(channel.size)),
        "where": channel.where,
        "inside": "" if math.isnan(channel.inside) else typeset(percent(channel.inside)),
        "activation": typeset(f"{low:.2g} … {high:.2g}" if low != high else f"{low:.2g}"),
        "image": packing.photograph(lit(photo.pixels, channel.activation), largest=TILE) if drawn else None,
    }


def _charts(found: Curves) -> list[tuple[str, CurveChart]]:
    """Title and drawing of each panel that has something to draw."""
    axis = torch.arange(len(found.shares), dtype=torch.float64)
    controls = [name for name in found.names if "random" in name]
    drawings = []
    for title, values in found.panels:
        rows = dict(zip(found.names, values, strict=True))
        means = {name: MeanCurve(axis, torch.from_numpy(row)) for name, row in rows.items()}
        chart = curve_chart(means, found.names, controls)
        if chart is not None:
            drawings.append((title, chart))
    return drawings


@cache
def _style() -> str:
    return files("gradline.report").joinpath("assets/neurons.css").read_text("utf-8")
