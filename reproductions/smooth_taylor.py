"""SmoothTaylor: `GRADLINE_DATA=… python reproductions/smooth_taylor.py` (about 1 h 30 min on one core).

Goh, Lapuschkin, Weber, Samek, Binder (2020), Understanding Integrated Gradients with SmoothTaylor for Deep Neural
Network Attribution: averages of Taylor expansions from Gaussian roots point at what matters more sharply (AUPC) and are
less noisy (AUTVC) than Integrated Gradients, and a search for each photo's own σ, adaptive noising, is the best of all
on the metric that it minimises. Their protocol (logit of the predicted class, σ in standard deviations of ImageNet,
black and noise baselines with 50 right-hand steps, signed sums over channels, 30 windows of 15 pixels) on
EfficientNet-Lite0 in place of DenseNet-121 and ResNet-152: 30 photos for 1000, 50 roots for 150, 10 fills for 50; the
search on 6 of the photos.

`--full`, for a GPU: Lite0, Lite1 and Lite2, 150 roots, 50 fills, more photos. `--small`, for tests: two free photos.
`--render` makes the page anew from smooth_taylor.json. Writes smooth_taylor.json and
docs/reproductions/smooth-taylor.md with its figure.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import common
import torch
from common import Asked, Example, say
from smooth_taylor_page import FIXED, figure, ig_noise, page, st
from torch import Tensor

import gradline as gl
from gradline import search

STEM = "smooth-taylor"

DEVIATION = (0.229 + 0.224 + 0.225) / 3
"""The unit of σ, of the way from black to white: what the authors' networks divide their input by."""


@dataclass(frozen=True)
class Protocol:
    """How much is done.

    `steps`: right-hand steps of Integrated Gradients; `noises`: over how many noise baselines it is averaged. `roots`
    of every σ of `sigmas`, and at σ = 0.5 also as many as `fewer` says. `fills` of every window. The search is made
    for the first `searched` photos, from mean |x| in steps of `step`, with `search_fills` and at most `rounds` rounds.
    """

    models: tuple[str, ...] = ("efficientnet-lite0",)
    steps: int = 50
    noises: tuple[int, ...] = (1,)
    sigmas: tuple[float, ...] = (0.1, 0.5, 2.0)
    roots: int = 50
    fewer: int = 10
    fills: int = 10
    kernel: int = 15
    regions: int = 30
    least: int = 30
    searched: int = 6
    step: float = 0.1
    search_fills: int = 2
    rounds: int = 10

    @classmethod
    def of(cls, asked: Asked) -> Protocol:
        if asked.small:
            few = cls(steps=2, noises=(1, 2), sigmas=(0.1, 0.5, 2.0), roots=3, fewer=2)
            return replace(few, fills=2, regions=4, searched=1, rounds=1)
        if asked.full:
            models = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
            sigmas = (0.1, 0.3, 0.5, 0.7, 2.0)
            more = cls(models, noises=(1, 5, 10), sigmas=sigmas, roots=150, fills=50)
            return replace(more, searched=20, search_fills=10, rounds=20)
        return cls()

    def metrics(self, fills: int) -> dict[str, gl.Metric]:
        """AUPC and AUTVC as in the authors' code."""
        return {
            "AUPC": gl.metrics.PerturbationScore(self.kernel, self.regions, fills, last_offset=False),
            "AUTVC": gl.metrics.TotalVariation(least=self.least),
        }


def measure(asked: Asked) -> dict[str, Any]:
    """Every number of the page: settings, and the values of single photos for each network."""
    protocol = Protocol.of(asked)
    found = common.settings(asked) | {"protocol": asdict(protocol)}
    models = {}
    for name in protocol.models:
        say(name)
        models[name] = of_model(common.examples(asked, name), protocol, asked.seed)
    return found | {"models": models}


def of_model(every: list[Example], protocol: Protocol, seed: int) -> list[dict[str, Any]]:
    """A row for each photo: `photo`; `maps`, [AUPC, AUTVC] by the map's name; `search`, for the first photos."""
    rows = []
    for k, one in common.counted(every):
        made = maps(one, protocol, seed)
        row: dict[str, Any] = {"photo": one.name, "maps": {n: judged(one, m, protocol, seed) for n, m in made.items()}}
        if k < protocol.searched:
            row["search"] = {name: searched(one, name, protocol, seed) for name in ("AUPC", "AUTVC")}
        rows.append(row)
    return rows


def maps(one: Example, protocol: Protocol, seed: int) -> dict[str, Tensor]:
    """Every map but those of the search, by its name."""
    found = {"IG zero": path(one, gl.baselines.Black(), protocol, seed)}
    noise: list[Tensor] = []
    for count in protocol.noises:
        while len(noise) < count:
            noise.append(path(one, gl.baselines.PixelNoise(), protocol, 1000 * (seed + 1) + len(noise)))
        found[ig_noise(count)] = torch.stack(noise).mean(0)
    for sigma in protocol.sigmas:
        found[st(sigma, protocol.roots)] = smooth(one, sigma, protocol.roots, seed)
    found[st(FIXED, protocol.fewer)] = smooth(one, FIXED, protocol.fewer, seed)
    return found


def path(one: Example, baseline: gl.baselines.Baseline, protocol: Protocol, seed: int) -> Tensor:
    start, rule = one.case.baseline(baseline), gl.rules.RightRiemann
    names = [one.name]
    a = gl.attribute(one.score, one.x, baseline=start, steps=protocol.steps, rule=rule, names=names, seed=seed)
    values: Tensor = a.values
    return values


def smooth(one: Example, sigma: float, roots: int, seed: int) -> Tensor:
    method = gl.methods.smooth_taylor(sigma * unit(one), roots)
    values: Tensor = gl.attribute(one.score, one.x, method, names=[one.name], seed=seed).values
    return values


def unit(one: Example) -> float:
    """A standard deviation of ImageNet in units of the model's input."""
    pixels = one.model.pixels
    wide = [white - black for black, white in zip(pixels.black, pixels.white, strict=True)]
    found: float = DEVIATION * sum(wide) / len(wide)
    return found


def judged(one: Example, values: Tensor, protocol: Protocol, seed: int) -> list[float | None]:
    """AUPC and AUTVC of a map; the same fills for all maps of a photo."""
    found = []
    for metric in protocol.metrics(protocol.fills).values():
        told = gl.evaluate(metric, one.score, one.x, values, pixels=one.model.pixels, names=[one.name], seed=seed)
        found.append(float(told.values))
    return [value if math.isfinite(value) else None for value in found]


def searched(one: Example, name: str, protocol: Protocol, seed: int) -> dict[str, Any]:
    """Adaptive noising by one metric, with roots and fills of its own; the map it ends with judged like all others."""
    metric, names = protocol.metrics(protocol.search_fills)[name], [one.name]
    a = search.adaptive_noising(
        one.score,
        one.x,
        search.by_metric(metric, one.score, one.x, pixels=one.model.pixels, names=names),
        roots=protocol.roots,
        step=protocol.step * unit(one),
        rounds=protocol.rounds,
        names=names,
        seed=seed + 1,
    )
    ((sigma,), (value,), (trace,)) = (a.details[key] for key in ("sigma", "objective", "trace"))
    say(f"{one.name}: {name} {math.nan if value is None else value:.3g} at σ = {sigma / unit(one):.2f}")
    told = {"sigma": sigma / unit(one), "objective": value, "trace": [[s / unit(one), v] for s, v in trace]}
    return told | {"ended": a.details["ended"][0], "judged": judged(one, a.values, protocol, seed)}


def main() -> None:
    asked = common.arguments(__doc__, small=2, usual=30, full=100, render=True)
    found = common.kept(asked, STEM) if asked.render else measure(asked)
    common.publish(asked, STEM, found, page(found), {f"{STEM}.svg": figure(found)})


if __name__ == "__main__":
    main()
