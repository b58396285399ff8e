"""Train the classifier "xray-pneumonia": `GRADLINE_DATA=… python benchmarks/train_xray.py` (three minutes).

Normal or pneumonia on children's chest X-rays (Kermany et al. 2018, CC BY 4.0; the pack's 120, half of each): a
logistic regression on the 1280 pooled features of the frozen EfficientNet-Lite0, log loss + λ/2 ‖w‖² on standardised
features, λ = 1. Beside each picture the head learns from copies of it: slightly blurred ones with its label, so that
sharpness, which differs between the classes here, is no cue; and strongly blurred and plain grey ones with label 1/2,
so that where nothing can be seen nothing is said, and baselines are neutral.

Two pictures that come with gradline are held out, with all of the same children: drawn by seed among those that the
cross-validation names rightly, so they show the classifier at work and say nothing about its accuracy.
Everything is measured by 5-fold cross-validation in which no child is on both sides: accuracy with Wilson's interval,
area under the ROC curve with a bootstrap over children. It also asks for shortcuts: how much the shape of the file
alone explains, what blurring does to the classifier, and what a head without the copies would have done.

Not measured: PneumoniaMNIST, which holds the same children at 28 pixels, so that it would be no test.
Writes head.npz, chest-*.jpg into the package, and train_xray.json.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intervals import wilson
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gradline.adapters.models.built_in import network
from gradline.adapters.models.preprocessing import Preprocessing
from gradline.adapters.photo import read_photo
from gradline.adapters.xray.network import CLASSES, HEAD, PREPROCESSING
from gradline.adapters.xray.pictures import FILES
from gradline.core import random

FOLDS, LAMBDA, DRAWS = 5, 1.0, 2000

SHARP, UNSEEN, DULL = (1.0, 2.0), (3.0,), (10.0, 20.0, 40.0)
"""Standard deviations of blurs, in pixels: copies with the picture's label, copies to test with, copies with label
1/2."""

GREYS = (0, 32, 64, 127, 192, 255)
"""Plain pictures with label 1/2."""

LARGEST = 40_000
"""Bytes of a picture that may come with gradline."""

NEAR = 0.1
"""Pictures whose width / height differ by less have the same shape."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """N pictures. `features`: by blur, 0 for none, `(N, 1280)` each; `plain (G, 1280)`: of the grey ones. `y (N,)`: 1
    for pneumonia; `children (N,)`: a number for each; `shape (N,)`: width / height of the file."""

    features: dict[float, Tensor]
    plain: Tensor
    y: Tensor
    children: Tensor
    shape: Tensor

    def __getitem__(self, rows: Tensor) -> Pictures:
        kept = {sigma: f[rows] for sigma, f in self.features.items()}
        return Pictures(kept, self.plain, self.y[rows], self.children[rows], self.shape[rows])


def features(pictures: list[Image.Image]) -> Tensor:
    """The means over space of what the last convolution returns: `(N, 1280)`, float64."""
    model = network("efficientnet-lite0")
    found = []
    with torch.no_grad():
        for i in range(0, len(pictures), 20):
            x = torch.cat([PREPROCESSING.units(picture) for picture in pictures[i : i + 20]])
            found.append(model.extract_features(x).mean((2, 3)).double())
    return torch.cat(found)


def read(pack: Path, rows: list[dict[str, str]], preprocessing: Preprocessing) -> Pictures:
    seen = [preprocessing.picture(read_photo(pack / "cxr_pneumonia" / row["file"])) for row in rows]
    found = {0.0: features(seen)}
    for sigma in (*SHARP, *UNSEEN, *DULL):
        found[sigma] = features([picture.filter(ImageFilter.GaussianBlur(sigma)) for picture in seen])
    plain = features([Image.new("RGB", (224, 224), (grey,) * 3) for grey in GREYS])
    names = sorted({row["patient"] for row in rows})
    children = torch.tensor([names.index(row["patient"]) for row in rows])
    y = torch.tensor([int(row["label"]) for row in rows])
    shape = torch.tensor([int(row["width"]) / int(row["height"]) for row in rows], dtype=torch.float64)
    return Pictures(found, plain, y, children, shape)


def lessons(p: Pictures, *, copies: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Features, labels and weights to learn from: of n pictures weight n, of slightly blurred copies n, of strongly
    blurred ones n, of plain ones n."""
    n, y = len(p.y), p.y.double()
    if not copies:
        return p.features[0.0], y, torch.ones_like(y)
    half, ones = torch.full_like(y, 0.5), torch.ones_like(y)
    f = [p.features[sigma] for sigma in (0.0, *SHARP, *DULL)] + [p.plain]
    t = [y, *(y for _ in SHARP), *(half for _ in DULL), half[:1].expand(len(p.plain))]
    w = [ones, *(ones / len(SHARP) for _ in SHARP), *(ones / len(DULL) for _ in DULL)]
    return torch.cat(f), torch.cat(t), torch.cat([*w, ones[:1].expand(len(p.plain)) * n / len(p.plain)])


def fit(p: Pictures, *, copies: bool = True) -> tuple[Tensor, Tensor]:
    """Weight `(1280,)` and bias `()` of the log-odds, in float64; the problem is convex, and solved by L-BFGS."""
    f, t, weights = lessons(p, copies=copies)
    mean, std = f.mean(0), f.std(0) + 1e-6
    z = (f - mean) / std
    w, b = (torch.zeros(size, dtype=torch.float64, requires_grad=True) for size in (z.shape[1], ()))
    solver = torch.optim.LBFGS([w, b], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        each = binary_cross_entropy_with_logits(z @ w + b, t, reduction="none")
        value = (weights * each).sum() / weights.sum() + LAMBDA / 2 * w.square().sum()
        value.backward()
        return value

    solver.step(loss)
    weight = w.detach() / std
    return weight, b.detach() - weight @ mean


def held_out(p: Pictures, seed: int, *, copies: bool = True) -> dict[float, Tensor]:
    """The log-odds `(N,)` of each picture, by blur, by a head that has not seen the child."""
    number = int(p.children.max()) + 1
    fold = torch.randperm(number, generator=random.generator(seed, "xray", "folds"))[p.children] % FOLDS
    odds = {sigma: torch.zeros(len(p.y), dtype=torch.float64) for sigma in p.features}
    for k in range(FOLDS):
        weight, bias = fit(p[fold != k], copies=copies)
        for sigma, found in odds.items():
            found[fold == k] = p.features[sigma][fold == k] @ weight + bias
    return odds


def auc(score: Tensor, y: Tensor, pairs: Tensor | None = None) -> float:
    """The share of pairs of both classes in which pneumonia scores higher, ties by half. `pairs`: those that count."""
    ill, well = score[y == 1][:, None], score[y == 0][None]
    wins = (ill > well).double() + (ill == well).double() / 2
    return float(wins.mean() if pairs is None else wins[pairs].mean())


def auc_interval(score: Tensor, y: Tensor, children: Tensor) -> tuple[float, float]:
    """The 95 % interval by children drawn again."""
    numbers, rng = children.unique(), np.random.default_rng(0)
    rows = [torch.nonzero(children == number)[:, 0] for number in numbers]
    found = []
    for _ in range(DRAWS):
        drawn = torch.cat([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        found.append(auc(score[drawn], y[drawn]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def measured(p: Pictures, *, copies: bool = True) -> dict[str, Any]:
    """Accuracy and AUC by cross-validation, the same with other folds, and what blurring does."""
    blurred = held_out(p, 0, copies=copies)
    odds = blurred[0.0]
    right = (odds > 0) == (p.y == 1)
    sure = torch.sigmoid(odds.abs()) >= 0.9
    hits, n = int(right.sum()), len(right)
    again = [((held_out(p, s, copies=copies)[0.0] > 0) == (p.y == 1)).double().mean() for s in range(1, 6)]
    return {
        "pictures": n,
        "right": hits,
        "accuracy": [hits / n, *wilson(hits, n)],
        "auc": [auc(odds, p.y), *auc_interval(odds, p.y, p.children)],
        "pneumonia found": float(right[p.y == 1].double().mean()),
        "normal found": float(right[p.y == 0].double().mean()),
        "at least 90 % sure": int(sure.sum()),
        "of these right": int(right[sure].sum()),
        "accuracy with five other foldings": [float(f(torch.stack(again))) for f in (torch.min, torch.mean, torch.max)],
        "auc by blur": {sigma: auc(found, p.y) for sigma, found in blurred.items()},
        "mean size of the log-odds by blur": {sigma: float(found.abs().mean()) for sigma, found in blurred.items()},
    }


def shortcut(p: Pictures) -> dict[str, Any]:
    """What the shape of the file tells, and what is left where it tells nothing."""
    odds = held_out(p, 0)[0.0]
    same = (p.shape[p.y == 1][:, None] - p.shape[p.y == 0][None]).abs() < NEAR
    return {
        "auc of width / height alone": auc(p.shape, p.y),
        "pairs of the same shape": int(same.sum()),
        "auc of width / height in these": auc(p.shape, p.y, same),
        "auc of the classifier in these": auc(odds, p.y, same),
    }


def two(files: list[Path], p: Pictures) -> list[int]:
    """A normal one and one with pneumonia that the cross-validation names rightly, small enough to come with gradline:
    the first in an order drawn by seed."""
    order = torch.randperm(len(files), generator=random.generator(0, "xray", "shown")).tolist()
    right = (held_out(p, 0)[0.0] > 0) == (p.y == 1)
    fits = [i for i in order if right[i] and files[i].stat().st_size <= LARGEST]
    return [next(i for i in fits if p.y[i] == k) for k in range(2)]


def main() -> None:
    torch.set_num_threads(1)
    pack = Path(os.environ["GRADLINE_DATA"])
    with (pack / "cxr_pneumonia.csv").open() as file:
        rows = list(csv.DictReader(file))
    files = [pack / "cxr_pneumonia" / row["file"] for row in rows]
    every = read(pack, rows, PREPROCESSING)
    stretched = read(pack, rows, replace(PREPROCESSING, resize=(224, 224), crop=None))
    shown = two(files, every)
    kept = ~torch.isin(every.children, every.children[shown])
    weight, bias = fit(every[kept])
    np.savez(HEAD, weight=weight.float().numpy(), bias=bias.float().numpy())
    for i, finding in zip(shown, CLASSES, strict=True):
        shutil.copyfile(files[i], FILES[finding])
        FILES[finding].chmod(0o644)
    odds = every.features[0.0] @ weight + bias
    found = {
        "cross-validation": measured(every[kept]),
        "shortcut": shortcut(every[kept]),
        "without the copies": measured(every[kept], copies=False),
        "stretched to a square": measured(stretched[kept]),
        "shown": [rows[i] | {"probability of pneumonia": float(odds[i].sigmoid())} for i in shown],
        "right on the training pictures": float(((odds > 0) == (every.y == 1))[kept].double().mean()),
        "log-odds of plain pictures": dict(zip(GREYS, (every.plain @ weight + bias).tolist(), strict=True)),
    }
    print(text := json.dumps(found, indent=1))
    Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
