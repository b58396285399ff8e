"""The neurons behind a region, knocked out: `GRADLINE_DATA=… python reproductions/region_neurons.py` (about 40 minutes
on one core).

Lundstrom, Huang, Razaviyayn (2022), A Rigorous Study of Integrated Gradients Method and Extensions to Internal Neuron
Attributions: without the neurons that carry most of a region's attribution, Integrated Gradients leave the region and
the prediction is kept; without those that carry most of the whole image's, conductance, the prediction is lost. The
authors show it on one photo with ResNet-152. Here EfficientNet-Lite0 on 30 photos that it names rightly and whose boxes
cover less than half, the probability of that class, black baseline, 32 nodes; and the data pack's MNIST network, whose
rankings are means over one digit. Neurons are set to zero, as in the paper, and of every third photo and all digits
also to their activation at the baseline.

`--full`, for a GPU: all such photos (105), the paper's 256 nodes. `--small`, for tests: two free photos with boxes made
by hand, two nodes. `--render` only makes the page again. Writes region_neurons.json and
docs/reproductions/region-neurons.md with its figure.
"""

from __future__ import annotations

import csv
import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from common import Asked, Example
from region_neurons_page import FILLS, SHARES, figure, page
from torch import Tensor, nn

import gradline as gl
from gradline.neurons.pruning import Fill, Knockout, default_rankings, knockout
from gradline.neurons.ranks import random_ranking

LAYER = "_blocks.4"
"""The last block at 28 × 28 pixels, as the authors' cut is; the next block sees nothing else."""

SMALL = 0.5
"""Boxes that cover less of the photo are small."""

APART = 3
"""Of every so many photos one is also knocked out with the other fill."""

FREE = {
    "astronaut.png": (0.30, 0.05, 0.60, 0.40),
    "chelsea.png": (0.20, 0.15, 0.80, 0.65),
    "coffee.png": (0.25, 0.20, 0.80, 0.75),
    "rocket.jpg": (0.40, 0.20, 0.60, 0.80),
}
"""Boxes made by hand: left, top, right, bottom, as shares of the crop that the network sees."""

DIGIT, WINDOW = 3, (slice(4, 14), slice(9, 19))
"""The digit, and the rows and columns of its upper half that are the region."""


@dataclass(frozen=True, eq=False)
class Boxed:
    """A photo before a network, and its region: 1 inside `mask (1, 1, H, W)`."""

    one: Example
    mask: Tensor


# -------------------------------------------------------------------------------------------------------- photos


def boxed(asked: Asked, model: gl.models.ImageModel) -> list[Boxed]:
    """Photos of the pack with small boxes, evenly spaced; without the pack the free ones, with boxes made by hand."""
    if isinstance(model.model, nn.Module):
        model.model.to(asked.device)
    model = common.folded(model)
    if "GRADLINE_DATA" not in os.environ:
        return [by_hand(path, model) for path in common.photos(asked.photos)]
    pack = Path(os.environ["GRADLINE_DATA"])
    cut = importlib.import_module("ground_truth").boxes  # of benchmarks/, which `claims` has put on the path
    rows = [row for row in small_boxes(pack) if cut(row).any()]
    step = max(1, len(rows) // asked.photos)
    found = []
    for row in rows[::step][: asked.photos]:
        one = common.example(pack / "imagenet_val" / row["file"], model, int(row["class_index"]))
        found.append(Boxed(one, cut(row)))
    return found


def small_boxes(pack: Path) -> list[dict[str, str]]:
    """The pack's photos that the network names rightly and whose boxes cover less than half."""
    with (pack / "imagenet_val.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["lite0_top1"] == row["class_index"]]
    return [row for row in rows if float(row["box_area_center256"]) < SMALL]


def by_hand(path: Path, model: gl.models.ImageModel) -> Boxed:
    """A free photo with its box."""
    one = common.example(path, model)
    high, wide = one.x.shape[-2:]
    left, top, right, bottom = FREE[path.name]
    mask = torch.zeros(1, 1, high, wide)
    mask[..., round(top * high) : round(bottom * high), round(left * wide) : round(right * wide)] = 1
    return Boxed(one, mask)


def layer_of(model: nn.Module, name: str) -> str:
    """The layer as it is called inside a copy that is wrapped."""
    names: list[str] = [found for found, _ in model.named_modules()]
    return next(found for found in names if found == name or found.endswith(f".{name}"))


# -------------------------------------------------------------------------------------------------------- measure


def measure(asked: Asked) -> dict[str, Any]:
    """Every number of the page: settings, and the sums of single photos and digits."""
    steps = {common.Form.SMALL: 2, common.Form.USUAL: 32, common.Form.FULL: 256}[asked.form]
    found = common.settings(asked) | {"steps": steps, "shares": list(SHARES), "layer": LAYER}
    found |= of_network(gl.models.image_model("efficientnet-lite0"), LAYER, asked, steps)
    if "GRADLINE_DATA" in os.environ and not asked.small:
        common.say(f"digits: {DIGIT}")
        found["digits"] = of_pack(Path(os.environ["GRADLINE_DATA"]), steps, asked.seed)
    return found


def of_network(model: gl.models.ImageModel, layer: str, asked: Asked, steps: int) -> dict[str, Any]:
    """What is found on all photos with one network."""
    every = boxed(asked, model)
    apart = 1 if asked.small else APART
    rows = [
        of_photo(item, layer, steps, asked.seed, tuple(FILLS)[: 1 if k % apart else None])
        for k, item in common.counted(every)
    ]
    return {"neurons": rows[0].pop("neurons"), "rows": [{k: v for k, v in r.items() if k != "neurons"} for r in rows]}


def of_photo(item: Boxed, layer: str, steps: int, seed: int, fills: Sequence[str]) -> dict[str, Any]:
    """All that is measured of one photo."""
    one, place = item.one, layer_of(item.one.model.model, layer)
    score = gl.Score(one.model.model, gl.Probability(one.predicted))
    start, names = one.case.baseline(), [one.name]
    rankings = default_rankings(score, one.x, place, item.mask, baseline=start, steps=steps, names=names, seed=seed)
    row: dict[str, Any] = {"photo": one.name, "box": round(float(item.mask.mean()), 4)}
    row["neurons"] = rankings["random"][0].numel()  # type: ignore[union-attr]
    for fill in fills:
        kept = knockout(
            score, one.x, place, item.mask, rankings,
            shares=SHARES, fill=Fill(fill), baseline=start, steps=steps, names=names, seed=seed,
        )  # fmt: skip
        row[fill] = plain(kept, 0)
    return row


def plain(k: Knockout, example: int) -> dict[str, dict[str, list[float]]]:
    """The sums of one example by ranking, a value for each share."""
    return {
        name: {what: [round(v, 5) for v in getattr(k, what)[p, :, example].tolist()] for what in WHAT}
        for p, name in enumerate(k.names)
    }


WHAT = ("inside", "outside", "score")


# -------------------------------------------------------------------------------------------------------- digits


def of_pack(pack: Path, steps: int, seed: int) -> dict[str, Any]:
    """The pack's MNIST network on its digits."""
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    arrays = np.load(pack / "models" / "mnist_cnn.npz")
    model.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in arrays.items()})
    data = np.load(pack / "mnist.npz")
    parts = []
    for part in ("train", "test"):
        x = torch.from_numpy(data[f"{part}_images"][data[f"{part}_labels"] == DIGIT].astype(np.float32) / 255)[:, None]
        with torch.no_grad():
            parts.append(x[model.eval()(x).argmax(1) == DIGIT])
    return of_digits(model, "3", *parts, steps=steps, seed=seed)


def of_digits(model: nn.Module, layer: str, known: Tensor, judged: Tensor, *, steps: int, seed: int) -> dict[str, Any]:
    """Rankings are means over digits that are `known`, `(M, 1, 28, 28)`; the first neurons of them are knocked out on
    others of the same class, `judged`."""
    score, mask = gl.Score(model, gl.Probability(DIGIT)), torch.zeros(28, 28)
    mask[WINDOW] = 1
    means: dict[str, Any] = {}
    for name, a in default_rankings(score, known, layer, mask, steps=steps, seed=seed).items():
        if isinstance(a, gl.Attribution):
            means[name] = a.values.mean(0, keepdim=True)
    shape = means["region"].shape[1:]
    names = [f"digit {k}" for k in range(len(judged))]
    rankings = means | {"random": random_ranking(shape, names, seed)}
    rows: list[dict[str, Any]] = [{} for _ in names]
    for fill in FILLS:
        kept = knockout(
            score, judged, layer, mask, rankings,
            shares=SHARES, fill=Fill(fill), steps=steps, names=names, seed=seed,
        )  # fmt: skip
        for k, row in enumerate(rows):
            row[fill] = plain(kept, k)
    return {"digit": DIGIT, "known": len(known), "neurons": shape.numel(), "rows": rows}


def main() -> None:
    asked = common.arguments(__doc__, small=2, usual=30, full=105, render=True)
    found = common.kept(asked, "region-neurons") if asked.render else measure(asked)
    common.publish(asked, "region-neurons", found, page(found), {"region-neurons.svg": figure(found)})


if __name__ == "__main__":
    main()
