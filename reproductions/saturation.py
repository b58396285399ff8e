"""Saturation: `GRADLINE_DATA=… python reproductions/saturation.py` (about an hour on one core).

Miglani, Kokhlikyan, Alsallakh, Martin, Reblitz-Richardson (2020), Investigating Saturation Effects in Integrated
Gradients: the gradients past the point where the score has saturated add little to the score and much to the map; the
map of the path up to there alone is the better one. Their protocol (right-hand steps from the zero of the model's
input, logit of the true class, photos whose logit rises by more than 5, ABPC, sensitivity, what the two sides are made
of) on EfficientNet-Lite0 in place of Inception v3, with 64 steps for 200 and 5 noisy copies for 10.

`--full`, for a GPU: Lite0, Lite1 and Lite2, 200 steps, 10 copies, more photos. `--small`, for tests: two free photos.
Writes saturation.json and docs/reproductions/saturation.md with its figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import common
from common import Asked, Example, say
from saturation_page import MAPS, PHIS, figure, page
from torch import Tensor

import gradline as gl
from gradline.metrics import presets
from gradline.post import composition

RISE = 5.0
"""By how much the logit has to rise from the baseline for a photo to be kept."""


@dataclass(frozen=True)
class Protocol:
    """How much is done. `steps`: right-hand steps of a path. `copies`: noisy ones, of every `apart`-th photo kept."""

    models: tuple[str, ...]
    steps: int
    copies: int
    apart: int = 3
    noisy_phis: tuple[float, ...] = PHIS[:1]

    @classmethod
    def of(cls, asked: Asked) -> Protocol:
        if asked.small:
            return cls(("efficientnet-lite0",), 6, 1)
        if asked.full:
            names = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
            return cls(names, 200, 10, noisy_phis=PHIS)
        return cls(("efficientnet-lite0",), 64, 5)


# ------------------------------------------------------------------------------------------------------- measure


def measure(asked: Asked) -> dict[str, Any]:
    """Every number of the page: settings, and the values of single photos for each model."""
    protocol = Protocol.of(asked)
    found = common.settings(asked) | {"steps": protocol.steps, "copies": protocol.copies}
    return found | {"models": {name: of_model(name, asked, protocol) for name in protocol.models}}


def of_model(model: str | gl.models.ImageModel, asked: Asked, protocol: Protocol) -> dict[str, Any]:
    """The photos of one network that are kept."""
    some = Asked(asked.form, math.ceil(asked.photos * 4 / 3), asked.seed, asked.device)
    every = [as_labelled(one) for one in common.examples(some, model)]
    kept = [one for one in every if rise_of(one) > RISE][: asked.photos]
    name = model if isinstance(model, str) else model.name
    say(f"{name}: the logit of the true class rises by more than {RISE:g} on {len(kept)} of {len(every)} photos")
    rows = [of_photo(one, protocol, asked.seed, noisy=k % protocol.apart == 0) for k, one in common.counted(kept)]
    return {"looked at": len(every), "rows": rows}


def as_labelled(one: Example) -> tuple[Example, gl.Score]:
    """A photo with the logit of its true class; of the predicted one where no class is known."""
    return one, gl.Score(one.model.model, one.predicted if one.label is None else one.label)


def rise_of(labelled: tuple[Example, gl.Score]) -> float:
    """F(x) − F(0)."""
    one, score = labelled
    a = gl.attribute(score, one.x, steps=1)
    assert a.baseline_score is not None
    return float(a.score - a.baseline_score)


def of_photo(labelled: tuple[Example, gl.Score], protocol: Protocol, seed: int, *, noisy: bool) -> dict[str, Any]:
    """All that is measured of one photo."""
    one, score = labelled
    row: dict[str, Any] = {"photo": one.name}
    separated: dict[str, float] = {}
    for phi in PHIS:
        a = split(score, one.x, phi, protocol.steps)
        assert a.baseline_score is not None
        assert a.completeness_gap is not None
        rise = float(a.score - a.baseline_score)
        row |= {"rise": rise, "gap": float(a.completeness_gap) / rise}
        row["curve"] = [round((float(s) - float(a.baseline_score)) / rise, 4) for s in a.curve[0].score]
        separated |= {m: abpc(score, one.x, map_of(a, m)) for m in MAPS if m != "whole" or m not in separated}
        measured = made_of(a) | {f"abpc {m}": separated[m] for m in MAPS}
        if noisy and phi in protocol.noisy_phis:
            measured |= sensitivity(score, one, a, phi, protocol, seed)
        row[f"{phi:g}"] = {name: value if math.isfinite(value) else None for name, value in measured.items()}
    return row


def split(score: gl.Score, x: Tensor, phi: float, steps: int) -> gl.Attribution:
    """As the authors split it: right-hand steps from zeros, the step that crosses goes to the right."""
    method = gl.methods.split_integrated_gradients(phi, as_published=True)
    return gl.attribute(score, x, method, steps=steps, rule=gl.rules.RightRiemann)


def map_of(a: gl.Attribution, which: str) -> Tensor:
    values: Tensor = a.values if which == "whole" else a.parts[which]
    return values


def made_of(a: gl.Attribution) -> dict[str, float]:
    """What the sides are made of."""
    found = {name: float(value) for name, value in vars(composition(a)).items()}
    left, right = (float(a.parts[side].norm()) for side in ("left", "right"))
    shares = {"norm_share": right / (left + right), "sum_share": float(a.parts["right"].sum() / a.values.sum())}
    return {"t": found.pop("path_share"), **shares, **found}


def abpc(score: gl.Score, x: Tensor, values: Tensor) -> float:
    """The area between the curves in the authors' form."""
    return float(gl.evaluate(presets.splitig_abpc(), score, x, values).values)


def sensitivity(
    score: gl.Score, one: Example, a: gl.Attribution, phi: float, protocol: Protocol, seed: int
) -> dict[str, float]:
    """The largest relative change of each map under noise; the same noise for all, and t* found anew for each copy."""
    known: dict[bytes, gl.Attribution] = {}

    def explainer(which: str) -> Callable[[gl.Score, Tensor], Tensor]:
        def explain(score: gl.Score, x: Tensor) -> Tensor:
            key = x.cpu().numpy().tobytes()
            if key not in known:
                known[key] = split(score, x, phi, protocol.steps)
            return map_of(known[key], which)

        return explain

    metric = gl.metrics.MaxSensitivity(presets.split_ig_sensitivity().noise, protocol.copies)
    found = {}
    for which in MAPS:
        options: dict[str, Any] = {"explainer": explainer(which), "names": [one.name], "seed": seed}
        found[f"sensitivity {which}"] = float(gl.evaluate(metric, score, one.x, map_of(a, which), **options).values)
    return found


def main() -> None:
    asked = common.arguments(__doc__, small=2, usual=60, full=200)
    found = measure(asked)
    common.publish(asked, "saturation", found, page(found), {"saturation.svg": figure(found)})


if __name__ == "__main__":
    main()
