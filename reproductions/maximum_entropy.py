"""The maximum-entropy baseline: `GRADLINE_DATA=… python reproductions/maximum_entropy.py` (45 minutes on one core).

Tan (2022), Maximum Entropy Baseline for Integrated Gradients: start the path where the output says least, and judge
maps by removing features into such an input, so that no information is put in. Only the abstract could be read: no
number of the paper is known, and the protocol is ours. Integrated Gradients of the predicted class's probability from
seven baselines, each judged by the ablation with each of five fills, on EfficientNet-Lite0.

`--full`, for a GPU: Lite0, Lite1 and Lite2, more photos, longer searches and paths. `--small`, for tests: two free
photos. Writes maximum_entropy.json and docs/reproductions/maximum-entropy.md with its figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import common
import torch
from common import Asked, Example
from maximum_entropy_page import (
    BLACK,
    EXPLAINERS,
    FILLS,
    NEAR_X,
    ZERO,
    Picture,
    curves_figure,
    page,
    pictures_figure,
)
from torch import Tensor

import gradline as gl
from gradline.core.baselines import Baseline
from gradline.engine.inquiry import inquire
from gradline.evaluation.judge import make_subject
from gradline.evaluation.run import run
from gradline.metrics.curves.ablation import InformationConservingAblation

BLUR = 10.0
"""Pixels, standard deviation."""


@dataclass(frozen=True)
class Protocol:
    """How much is done. `search`: gradients of a search; `nodes` of a path; `removals`: steps of an ablation."""

    models: tuple[str, ...]
    search: int
    nodes: int
    removals: int

    @classmethod
    def of(cls, asked: Asked) -> Protocol:
        if asked.small:
            return cls(("efficientnet-lite0",), 2, 2, 2)
        if asked.full:
            return cls(("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"), 500, 64, 20)
        return cls(("efficientnet-lite0",), 60, 32, 20)

    def from_one_place(self) -> dict[str, Baseline]:
        """Searches that find the same baseline for all photos."""
        b = gl.baselines
        return {ZERO: b.MaximumEntropy(steps=self.search), BLACK: b.MaximumEntropy(b.Black(), steps=self.search)}

    def own(self) -> dict[str, Baseline]:
        """Baselines of a photo's own, and those that are no search."""
        b = gl.baselines
        near = b.MaximumEntropy(b.Itself(), steps=self.search)
        return {NEAR_X: near, "black": b.Black(), "white": b.White(), "blur": b.Blur(BLUR), "noise": b.PixelNoise()}


# ------------------------------------------------------------------------------------------------------- measure


def measure(asked: Asked) -> dict[str, Any]:
    """Every number of the page: settings, and the values of single photos for each model."""
    protocol = Protocol.of(asked)
    found = common.settings(asked) | {k: v for k, v in vars(protocol).items() if k != "models"}
    return found | {"models": {name: of_model(name, asked, protocol) for name in protocol.models}}


def of_model(model: str | gl.models.ImageModel, asked: Asked, protocol: Protocol) -> dict[str, Any]:
    """Photos of one network: what is measured of each, and the mean curves of the ablations."""
    every = common.examples(asked, model)
    shared = starts(every[0], protocol.from_one_place(), asked.seed)
    rows, curves = [], []
    for _, one in common.counted(every):
        begin = shared | starts(one, protocol.own(), asked.seed)
        maps = {name: explained(one, start, protocol.nodes) for name, start in begin.items()}
        values, drawn = ablated(one, begin, maps, protocol.removals)
        of_each = {name: told(one, begin[name], maps[name]) for name in EXPLAINERS}
        rows.append({"photo": one.name, "baselines": of_each, "ablation": values})
        curves.append(drawn)
    mean = torch.stack(curves).nanmean(0).round(decimals=4)
    named = {f: {e: mean[i, k].tolist() for k, e in enumerate(EXPLAINERS)} for i, f in enumerate(FILLS)}
    return {"rows": rows, "curves": named, "grey": not bool(shared[ZERO].any())}


def target(one: Example) -> gl.Score:
    return gl.Score(one.model.model, gl.Probability(one.predicted))


def starts(one: Example, parts: dict[str, Baseline], seed: int) -> dict[str, Tensor]:
    """Where the paths start: `(1, 3, H, W)` each."""
    with inquire(target(one), one.x, names=[one.name], seed=seed) as inquiry:
        return {name: inquiry.starts(one.case.baseline(part))[:, 0] for name, part in parts.items()}


def explained(one: Example, start: Tensor, nodes: int) -> gl.Attribution:
    """Integrated Gradients of the predicted class's probability."""
    return gl.attribute(target(one), one.x, baseline=start, steps=nodes, names=[one.name])


def told(one: Example, start: Tensor, a: gl.Attribution) -> dict[str, Any]:
    """What a baseline is to the model, and what its map misses of the change of the score."""
    with torch.no_grad():
        p = torch.softmax(one.model.model(start).double(), 1)[0].cpu()
    assert a.baseline_score is not None
    assert a.completeness_gap is not None
    rise = float(a.score - a.baseline_score)
    return {
        "gap": 1 + float((p * p.clamp_min(1e-300).log()).sum()) / math.log(len(p)),
        "p": float(a.baseline_score),
        "largest": float(p.max()),
        "distance": float((start - one.x).norm() / one.x.norm()),
        "missed": abs(float(a.completeness_gap) / rise) if rise else None,
    }


def ablated(
    one: Example, begin: dict[str, Tensor], maps: dict[str, gl.Attribution], removals: int
) -> tuple[dict[str, dict[str, float | None]], Tensor]:
    """Each map under each fill: its separation, and the curves `(fills, maps, 2, removals + 1)`, with the least and
    with the most relevant pixels first."""
    steps = gl.metrics.Steps(removals)
    metrics = [InformationConservingAblation(gl.baselines.Given(begin[fill]), steps) for fill in FILLS]
    with inquire(target(one), one.x, names=[one.name]) as inquiry:
        subjects = [make_subject(inquiry, one.x, maps[name], number=k) for k, name in enumerate(EXPLAINERS)]
        judged = run([(metric, subject) for metric in metrics for subject in subjects], inquiry)
    values = {}
    for i, fill in enumerate(FILLS):
        under = judged[i * len(EXPLAINERS) : (i + 1) * len(EXPLAINERS)]
        values[fill] = {name: plain(float(e.values)) for name, e in zip(EXPLAINERS, under, strict=True)}
    curves = [torch.cat([e.parts[f"{order} relevant first curve"] for order in ("least", "most")]) for e in judged]
    return values, torch.stack(curves).reshape(len(FILLS), len(EXPLAINERS), 2, -1)


def plain(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return value if math.isfinite(value) else None


def pictured(asked: Asked, model: str | gl.models.ImageModel = "efficientnet-lite0") -> list[Picture]:
    """The baselines of one free photo, and what the search from the photo has added to it, made visible."""
    one, protocol = common.example(gl.demo_photo(), model), Protocol.of(asked)
    found = starts(one, protocol.from_one_place() | protocol.own(), asked.seed)
    added = found[NEAR_X] - one.x
    scale = float(one.x.abs().max() / added.abs().max().clamp_min(1e-9))
    pictures = [Picture("the photo", one.case.shown)]
    for name in EXPLAINERS:
        pictures.append(Picture(name, one.case.pixels_of(found[name])))
        if name == NEAR_X:
            pictures.append(Picture(f"what that has added, × {scale:.2g}", one.case.pixels_of(scale * added)))
    return pictures


def main() -> None:
    asked = common.arguments(__doc__, small=2, usual=30, full=200)
    found = measure(asked)
    figures = {
        "maximum-entropy-baselines.jpg": pictures_figure(pictured(asked)),
        "maximum-entropy-curves.svg": curves_figure(found),
    }
    common.publish(asked, "maximum-entropy", found, page(found), figures)


if __name__ == "__main__":
    main()
