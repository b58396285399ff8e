"""Geometrically guided Integrated Gradients (Rahman, Lewis, Plis 2022), its claim against the gradient and IG:
`GRADLINE_DATA=… python reproductions/geometric.py` (about 25 minutes on two cores).

The paper's protocol after the first author's code: the logit of the predicted class, zero in the network's units as
baseline, maps without the factor x − x', summed over channels, absolute, normalised without the largest 2 %; SIC and
AIC in their form. Done otherwise: EfficientNet-Lite0 in place of ResNet-101, 30 photos in place of 200, 10 points of
the path and 10 steps of ascent in place of 51 and 100. Beside it what ascent changes, and their check by noise in the
weights on three photos. No number of the paper is known; claims are tried in sign.

--small: two free photos, 3 points, 2 steps (under a minute on one core). --full: Lite1 and Lite2 too, 51 points, 100
steps, 200 photos, for a GPU (one photo takes 10 200 gradients a network). Writes
geometric_guidance.json, docs/reproductions/geometric-guidance.md and its figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Asked, Example, arguments, counted, example, examples, publish, say, settings
from geometric_page import OURS, PAPER, page
from torch import Tensor

import gradline as gl
from gradline.core import random
from gradline.core.accumulators import Accumulator, SumLaw
from gradline.core.flow import Step
from gradline.engine.inquiry import inquire
from gradline.evaluation.judge import evaluate, make_subject
from gradline.evaluation.run import run
from gradline.evaluation.statistics import interval
from gradline.metrics.curves.sweep import area
from gradline.metrics.information.joining import joined
from gradline.metrics.information.variants import GGIG

RESAMPLES = 2000
METRICS = ("SIC", "AIC")


@dataclass(frozen=True)
class Size:
    """`points` of the path, `iterations` and `step` of an ascent; `long`: the step of those that go further. `shares`:
    equal parts of the pixels that curves reveal one after the other; `levels`: of noise in the weights."""

    points: int
    iterations: int
    step: float = 1e-4
    long: float = 1e-3
    shares: int = 100
    levels: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.5)

    @property
    def metrics(self) -> dict[str, gl.Metric]:
        """SIC and AIC in the authors' form."""
        variant = replace(GGIG, thresholds=tuple(k / self.shares for k in range(self.shares + 1)))
        return {"SIC": gl.metrics.SIC(variant), "AIC": gl.metrics.AIC(variant)}


def size(asked: Asked) -> Size:
    if asked.small:
        return Size(3, 2, shares=10, levels=(0.01, 0.1, 0.5))
    return Size(51, 100) if asked.full else Size(10, 10)


# -------------------------------------------------------------------------------------------------------- maps


@dataclass(frozen=True)
class Both(Accumulator):
    """The mean of the nodes' gradients as values, and in `most` their maximum: one pass for both."""

    most: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    law = SumLaw.NONE
    estimates = False
    multiplies = False

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return grad

    def fold(self, values: Tensor, owner: Tensor, step: Step) -> None:
        super().fold(values, owner, step)
        assert step.reading.grad is not None
        most = self.most.setdefault("maximum", torch.full_like(values, -torch.inf))
        gl.accumulators.Maximum().fold(most, owner, step)


@dataclass(frozen=True, eq=False)
class Climbed:
    """GGIG-IG and GGIG-Max from the same ascents; how many of these were not finite, and how many lost height."""

    mean: Tensor
    most: Tensor
    stopped: int
    falling: int


def climbed(score: gl.Score, x: Tensor, points: int, iterations: int, step: float) -> Climbed:
    """Ascents from so many points of the path of one example."""
    both = Both()
    path = gl.paths.Climbing(iterations, step)
    method = gl.Method("both", path, both, gl.baselines.Zero(), ("rahman2022",))
    a = gl.attribute(score, x, method, steps=points, rule=gl.rules.Trapezoid)
    counts = (sum(a.details[name]) for name in ("stopped_ascents", "falling_ascents"))
    return Climbed(a.values, both.most["maximum"], *counts)


def maps_of(one: Example, at: Size) -> tuple[dict[str, Tensor], dict[str, dict[str, float]]]:
    """All maps of a photo, as they come: gradients, signed, without x − x'. And what ascent did to them: the L2
    distance to the map without, relative to it; the ascents that were stopped, and that lost height."""
    score, x = one.score, one.x
    still = climbed(score, x, at.points, 1, at.step)
    near, far = (climbed(score, x, at.points, at.iterations, step) for step in (at.step, at.long))
    ways = {"": near, ", long": far}
    maps = {
        "GD": gl.attribute(score, x, gl.methods.gradient()).values,
        "IG": still.mean,
        "IG-Max": still.most,
        **{f"{name}{way}": m for way, c in ways.items() for name, m in (("GGIG-IG", c.mean), ("GGIG-Max", c.most))},
        "IG × (x − x')": still.mean * x,
        "edge detector": gl.sanity.edges(score, x),
        "random": gl.sanity.random_map(score, x),
    }
    moves = {
        f"GGIG-{end}{way}": {
            "changed": float((maps[f"GGIG-{end}{way}"] - before).norm() / before.norm()),
            "stopped": c.stopped,
            "falling": c.falling,
        }
        for way, c in ways.items()
        for end, before in (("IG", still.mean), ("Max", still.most))
    }
    return maps, moves


def normalised(values: Tensor, outliers: float = 0.02) -> Tensor:
    """|Σ over channels| over the smallest value up to which the values, ascending, add up to all but `outliers` of the
    total, at most 1: `(N, H, W)`."""
    maps = values.sum(1).abs().double()
    ascending = maps.flatten(1).sort(1).values
    total = ascending.cumsum(1)
    place = (total >= (1 - outliers) * total[:, -1:]).double().argmax(1, keepdim=True)
    top = ascending.gather(1, place)[..., None]
    return torch.where(top > 0, maps / top, 0.0).clamp(max=1)


# -------------------------------------------------------------------------------------------------------- metrics


@dataclass(frozen=True, eq=False)
class Judged:
    """What the metrics saw of N photos, by map: `sic (N, K)` curves; `information`, `hit (N, T)` at each share."""

    sic: dict[str, Tensor]
    information: dict[str, Tensor]
    hit: dict[str, Tensor]
    areas: dict[str, dict[str, list[float | None]]]


def judge(one: Example, maps: Mapping[str, Tensor], at: Size) -> dict[str, dict[str, gl.Evaluation]]:
    """SIC and AIC of a photo's maps, which share random pixels, fills and forwards."""
    pixels = one.model.pixels
    with inquire(one.score, one.x, names=[one.name]) as inquiry:
        memo: dict[Any, Any] = {}
        pairs, keys = [], []
        for number, (name, values) in enumerate(maps.items()):
            subject = make_subject(
                inquiry, one.x, normalised(values), number=number, kind=gl.metrics.Kind.GRADIENT, memo=memo
            )
            pairs += [(metric.within(pixels), subject) for metric in at.metrics.values()]
            keys += [(name, metric) for metric in METRICS]
        found = run(pairs, inquiry)
    judged: dict[str, dict[str, gl.Evaluation]] = {name: {} for name in maps}
    for (name, metric), evaluation in zip(keys, found, strict=True):
        judged[name][metric] = evaluation
    return judged


def gathered(photos: Sequence[dict[str, dict[str, gl.Evaluation]]]) -> Judged:
    """The evaluations of single photos as tables of all."""
    names = list(photos[0])

    def stacked(metric: str, part: str | None) -> dict[str, Tensor]:
        columns = {}
        for name in names:
            kept = [photo[name][metric] for photo in photos]
            columns[name] = torch.cat([e.curve if part is None else e.parts[part] for e in kept])  # type: ignore[misc]
        return columns

    areas = {
        metric: {name: [finite(float(photo[name][metric].values)) for photo in photos] for name in names}
        for metric in METRICS
    }
    return Judged(stacked("SIC", None), stacked("AIC", "information"), stacked("AIC", "score"), areas)


def pooled(judged: Judged, name: str, metric: str, rows: Tensor) -> Tensor:
    """The published curve of some photos: the median of SIC's curves; for AIC the mean information and the share of
    photos decided for the class, at each share of pixels. `rows (B, N)`: photos, several times over; `(B, K)`."""
    if metric == "SIC":
        return torch.from_numpy(np.median(judged.sic[name][rows].numpy(), axis=1))
    across, hits = (columns[name][rows].mean(1) for columns in (judged.information, judged.hit))
    return joined(across, hits, torch.linspace(0, 1, GGIG.grid + 1, dtype=torch.float64))


def whole(judged: Judged) -> Tensor:
    """The photos on which every map has a curve."""
    tables = [*judged.sic.values(), *judged.information.values(), *judged.hit.values()]
    return torch.stack([one.isfinite().all(1) for one in tables]).all(0).nonzero()[:, 0]


def pooled_areas(judged: Judged, seed: int) -> dict[str, dict[str, Tensor]]:
    """By metric and map: the area of all photos and, behind it, those of `RESAMPLES` bootstrap samples. The same
    samples everywhere, so that differences are paired."""
    photos = whole(judged)
    source = random.generator(seed, "all photos", "bootstrap of pooled curves")
    drawn = photos[torch.randint(len(photos), (RESAMPLES, len(photos)), generator=source)]
    rows = torch.cat([photos[None], drawn])
    return {metric: {name: area(pooled(judged, name, metric, rows)) for name in judged.sic} for metric in METRICS}


def contrast(areas: Mapping[str, Tensor], better: str, worse: str, *, what: str, n: int) -> dict[str, Any]:
    """How far one map's area is above another's, with the bootstrap interval."""
    difference = areas[better] - areas[worse]
    low, high = (float(end) for end in interval(difference[1:, None]))
    return {"better": better, "worse": worse, "metric": what, "n": n, "by": [float(difference[0]), low, high]}


# -------------------------------------------------------------------------------------------------------- measuring


def perturbed(photos: Sequence[Example], at: Size, seed: int, *, small: bool = False) -> dict[str, Any]:
    """The paper's check by noise in the weights, in a short form: the same noise for all methods."""
    few, steps = min(5, at.points), min(5, at.iterations)

    def by(iterations: int, which: str) -> Callable[[gl.Score, Any], Tensor]:
        def explain(score: gl.Score, x: Any) -> Tensor:
            found: Tensor = getattr(climbed(score, x, few, iterations, at.step), which)
            return found

        return explain

    explainers: dict[str, Any] = {"GD": gl.methods.gradient(), "GGIG-IG": by(steps, "mean")}
    if not small:
        explainers |= {"IG": by(1, "mean"), "GGIG-Max": by(steps, "most")}
    metric = gl.sanity.ModelPerturbation(levels=at.levels, also=())
    found: dict[str, Any] = {"levels": list(at.levels), "points": few, "iterations": steps, "photos": len(photos)}
    for name, explainer in explainers.items():
        judged = []
        for one in photos:
            made = explainer(one.score, one.x) if callable(explainer) else gl.attribute(one.score, one.x, explainer)
            judged.append(evaluate(metric, one.score, one.x, made, explainer=explainer, names=[one.name], seed=seed))
        found[name] = {
            "correlation": [finite(float(e.values)) for e in judged],
            "similarity": torch.cat([curve for e in judged if (curve := e.curve) is not None]).mean(0).tolist(),
        }
        found["probability"] = torch.cat([e.parts["probability"] for e in judged]).mean(0).tolist()
        say(f"noise in the weights: {name}")
    return found


def finite(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return value if np.isfinite(value) else None


def measure(asked: Asked) -> tuple[dict[str, Any], Callable[[Path], None]]:
    """Everything measured, and what draws the figure."""
    at = size(asked)
    found: dict[str, Any] = settings(asked) | {"size": asdict(at), "networks": {}}
    figure: Callable[[Path], None] | None = None
    for name in ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")[: 3 if asked.full else 1]:
        found["networks"][name], judged = one_network(name, at, asked)
        figure = figure or figure_of(example(gl.demo_photo(), name), at, judged)
    assert figure is not None
    return found, figure


def one_network(model: str | gl.models.ImageModel, at: Size, asked: Asked) -> tuple[dict[str, Any], Judged]:
    """What is found of a network, and its curves."""
    photos = examples(asked, model)
    evaluations, moves = [], []
    for _, one in counted(photos):
        maps, move = maps_of(one, at)
        evaluations.append(judge(one, maps, at))
        moves.append(move)
    judged = gathered(evaluations)
    areas, n = pooled_areas(judged, asked.seed), len(whole(judged))
    found: dict[str, Any] = {"photos": [one.name for one in photos], "n": n, "rows": judged.areas}
    found["pooled"] = {
        metric: {name: [float(one[0]), *(float(e) for e in interval(one[1:, None]))] for name, one in columns.items()}
        for metric, columns in areas.items()
    }
    pairs = [*((*pair, "") for pair in PAPER), *OURS]
    found["contrasts"] = [
        contrast(areas[metric], better, worse, what=metric, n=n) for metric in METRICS for better, worse, _ in pairs
    ]
    found["moved by ascent"] = {
        name: {what: [move[name][what] for move in moves] for what in moves[0][name]} for name in moves[0]
    }
    found["noise in the weights"] = perturbed(
        examples(asked, model, as_trained=True)[: 1 if asked.small else 3], at, asked.seed, small=asked.small
    )
    return found, judged


# -------------------------------------------------------------------------------------------------------- the figure


def figure_of(one: Example, at: Size, judged: Judged) -> Callable[[Path], None]:
    """The maps of a photo that may be shown above, the curves of all below."""
    maps, _ = maps_of(one, at)

    def draw(path: Path) -> None:
        from matplotlib.figure import Figure

        sheet = Figure(figsize=(10, 7.6), dpi=100, layout="constrained")
        halves: Any = sheet.subfigures(2, 1, height_ratios=[1.15, 1])
        top, bottom = halves
        panels: list[Any] = list(np.ravel(top.subplots(2, 5)))
        panels[0].imshow(one.case.shown)
        panels[0].set_title(one.case.class_name(one.predicted), fontsize=9)
        for panel, name in zip(panels[1:], [name for name in maps if name != "random"], strict=True):
            panel.imshow(normalised(maps[name])[0].cpu().numpy(), cmap="Reds", vmin=0, vmax=1)
            panel.set_title(name, fontsize=9)
        for panel in panels:
            panel.set_axis_off()
        for panel, metric in zip(np.ravel(bottom.subplots(1, 2)), METRICS, strict=True):
            _curves(panel, metric, judged)
        panel.legend(fontsize=7, loc="upper left")
        sheet.savefig(path, format="jpeg", pil_kwargs={"quality": 85})

    return draw


def _curves(panel: Any, metric: str, judged: Judged) -> None:
    axis, every = torch.linspace(0, 1, GGIG.grid + 1), whole(judged)[None]
    for k, name in enumerate(judged.sic):
        style = {"random": ":", "edge detector": "--"}.get(name, "-")
        panel.plot(axis, pooled(judged, name, metric, every)[0], style, color=f"C{k}", linewidth=1.2, label=name)
    said = {"SIC": "SIC: probability, over that of the photo", "AIC": "AIC: share of photos still given the class"}
    panel.set_title(said[metric], fontsize=9)
    panel.set_xlabel("information in the picture (entropy of its grey levels)", fontsize=8)
    panel.tick_params(labelsize=7)


def main() -> None:
    asked = arguments(__doc__, small=2, usual=30, full=200)
    found, draw = measure(asked)
    publish(asked, "geometric-guidance", found, page(found), {"geometric-guidance.jpg": draw})


if __name__ == "__main__":
    main()
