"""How much of a map lies in the lungs? `GRADLINE_DATA=… python benchmarks/xray_lungs.py [PICTURES]` (seven minutes).

The classifier "xray-pneumonia", asked for pneumonia (the log-odds), on the pack's 50 chest X-rays of adults with
COVID-19 and their lung masks: the share of the map's mass (channels of a pixel summed first) that lies in the lung
fields, in sizes and in positive parts, against the share of the area that they have. Beside Integrated Gradients from
three baselines and gradient × input stand controls that know nothing of the classifier: the same Integrated Gradients
for a head of which the weights were shuffled, edges, a Gaussian in the middle, noise. Means over pictures; 95 %
intervals by a bootstrap over patients.

What it does not say: the classifier learnt from children, these are adults, from other hospitals. A mask says where the
lungs are, not where the disease is, nor what the network used. A large share proves nothing; a small one is a warning.
Fixed steps; the first pictures are repeated with twice as many. Writes xray_lungs.json, after each picture.
"""

from __future__ import annotations

import copy
import csv
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intervals import wilson
from PIL import Image
from torch import Tensor

import gradline as gl
from gradline.adapters.models.preprocessing import Resample
from gradline.core import random
from gradline.sanity import controls

STEPS, CHECKED, DRAWS = 8, 5, 2000
BLUR = gl.baselines.Blur(20.0)
SHUFFLED = "IG from blur, head shuffled"


def mask_of(path: Path, model: gl.models.ImageModel) -> Tensor:
    """1 in the lungs `(224, 224)`, cut as the model cuts the picture."""
    whole = Image.open(path).convert("L")
    nearest = replace(model.preprocessing, resample=Resample.NEAREST)
    return torch.from_numpy(np.asarray(nearest.picture(whole.convert("RGB")))[..., 0] > 127).double()


def shuffled(model: gl.models.ImageModel) -> gl.models.ImageModel:
    """The same network with the weights of its last layer in another order: a head that has learnt nothing."""
    other = copy.deepcopy(model.model)
    order = torch.randperm(other._fc.in_features, generator=random.generator(0, "xray", "shuffled"))
    with torch.no_grad():
        other._fc.weight.copy_(other._fc.weight[:, order])
    return replace(model, model=other)


def mean_picture(pack: Path, model: gl.models.ImageModel) -> Tensor:
    """The mean of the pack's X-rays of children, most of which the head was trained on: `(1, 3, 224, 224)`."""
    files = sorted((pack / "cxr_pneumonia").glob("*.jpg"))
    return torch.stack([gl.image_case(file, model).x for file in files]).mean(0)


def maps(case: gl.adapters.ImageCase, other: gl.models.ImageModel, mean: Tensor, steps: int) -> dict[str, Tensor]:
    """Maps `(224, 224)` of the log-odds of pneumonia, by name."""
    score = gl.Score(case.model.model, gl.Margin(1, 0))
    found: dict[str, Any] = {}
    for name, baseline in {"black": None, "blur": BLUR, "the mean X-ray": mean}.items():
        found[f"IG from {name}"] = gl.attribute(score, case.x, baseline=case.baseline(baseline), steps=steps).values
    found["gradient × input"] = gl.attribute(score, case.x, gl.methods.gradient_x_input()).values
    blind = gl.Score(other.model, gl.Margin(1, 0))
    found[SHUFFLED] = gl.attribute(blind, case.x, baseline=BLUR, steps=steps).values
    found |= {name: f(score, case.x) for name, f in controls.CONTROLS.items() if name != "constant"}
    return {name: values[0].double().sum(0) for name, values in found.items()}


def shares(values: Tensor, mask: Tensor) -> dict[str, float]:
    """What lies in the mask of the sizes, and of the positive values."""
    positive = values.clamp_min(0)
    return {
        "sizes": float((values.abs() * mask).sum() / values.abs().sum()),
        "positive": float((positive * mask).sum() / positive.sum()),
    }


def bootstrap(values: np.ndarray, patients: list[str]) -> list[float]:
    """The mean and its 95 % interval, by patients drawn again."""
    groups = [np.flatnonzero(np.array(patients) == one) for one in sorted(set(patients))]
    rng = np.random.default_rng(0)
    means = []
    for _ in range(DRAWS):
        rows = np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        means.append(values[rows].mean())
    return [float(values.mean()), *(float(v) for v in np.percentile(means, [2.5, 97.5]))]


def summary(done: list[dict[str, Any]]) -> dict[str, Any]:
    patients = [one["patient"] for one in done]
    area = np.array([one["area"] for one in done])
    called = np.array([one["probability"] for one in done])
    hits = int((called > 0.5).sum())
    table = {}
    for name in done[0]["shares"]:
        row = {kind: np.array([one["shares"][name][kind] for one in done]) for kind in ("sizes", "positive")}
        table[name] = {kind: bootstrap(values, patients) for kind, values in row.items()}
        table[name] |= {f"{kind} above area": bootstrap(values - area, patients) for kind, values in row.items()}
    twice = [one for one in done if "shares with twice the steps" in one]
    moved = [
        abs(one["shares with twice the steps"][name][kind] - one["shares"][name][kind])
        for one in twice
        for name in one["shares"]
        for kind in ("sizes", "positive")
    ]
    return {
        "pictures": len(done),
        "patients": len(set(patients)),
        "area of the lungs": bootstrap(area, patients),
        "called pneumonia": [hits, len(done), *wilson(hits, len(done))],
        "probability of pneumonia, quartiles": np.percentile(called, [0, 25, 50, 75, 100]).tolist(),
        "shares": table,
        "most that a share moves with twice the steps": max(moved, default=float("nan")),
    }


def main() -> None:
    torch.set_num_threads(1)
    pack = Path(os.environ["GRADLINE_DATA"])
    with (pack / "cxr_covid_lungs.csv").open() as file:
        rows = list(csv.DictReader(file))
    rows = rows[: int(sys.argv[1])] if len(sys.argv) > 1 else rows
    model = gl.models.image_model("xray-pneumonia")
    other, mean, done = shuffled(model), mean_picture(pack, model), []
    here = pack / "cxr_covid_lungs"
    for i, row in enumerate(rows):
        case, mask = gl.image_case(here / row["file"], model), mask_of(here / row["mask"], model)
        one = {"file": row["file"], "patient": row["patient"], "probability": float(case.probabilities()[1])}
        one |= {"area": float(mask.mean())}
        one["shares"] = {name: shares(values, mask) for name, values in maps(case, other, mean, STEPS).items()}
        if i < CHECKED:
            again = maps(case, other, mean, 2 * STEPS)
            one["shares with twice the steps"] = {name: shares(values, mask) for name, values in again.items()}
        done.append(one)
        if len(sys.argv) == 1:
            found = {"steps": STEPS, "summary": summary(done), "each": done}
            Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        print(i, row["file"], f"{one['probability']:.2f}", flush=True)
    print(json.dumps(summary(done), indent=1))


if __name__ == "__main__":
    main()
