"""Localisation where the place is known: `GRADLINE_DATA=… python benchmarks/ground_truth.py [PHOTOS]` (seven minutes).

The map that is right by definition (the mask itself), Integrated Gradients, an edge detector and noise, by every
localisation metric: means over examples with 95 % bootstrap intervals, and how far above chance they are. Planted
patches and Clever Hans pictures always; with the data pack also

- photos: EfficientNet-Lite0 on the ImageNet photos that it names rightly and whose boxes cover less than half,
- lungs: the 28-pixel X-ray network, asked for pneumonia, on COVID-19 X-rays with lung masks,
- words: a bag of words trained here on SST-2, judged by the words whose polarity people stated.

A box or a lung says where the thing is, not what the network used; only for the synthetic pictures is it the same.
Writes ground_truth.json and ground_truth.md.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import gradline as gl
from gradline.core import random
from gradline.core.baselines import Baseline, Zero
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Metric
from gradline.metrics.places.localisation import (
    LocalisationAUC,
    PointingGame,
    PolarityAgreement,
    RelevanceMass,
    RelevanceRank,
)
from gradline.sanity import controls, tasks
from gradline.sanity.tasks.training import fit

METRICS: tuple[Metric, ...] = (RelevanceMass(), RelevanceRank(), PointingGame(), LocalisationAUC())
CROP, STEPS, WORDS = 224, 12, 4000


@dataclass(frozen=True, eq=False)
class Place:
    """Examples of one score, and where the evidence is."""

    source: str
    score: gl.Score
    x: Tensor
    masks: Tensor
    baseline: Baseline
    names: tuple[str, ...]


def synthetic() -> Iterator[Place]:
    for make in (tasks.planted_patch, tasks.decoy, tasks.without_decoy):
        task = make()
        yield Place(task.name, task.score, task.x, task.masks, task.baseline, task.names)


def photos(pack: Path, count: int) -> Iterator[Place]:
    with (pack / "imagenet_val.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["lite0_top1"] == row["class_index"]]
    rows = [row for row in rows if float(row["box_area_center256"]) < 0.5][:count]
    for row in rows:
        case = gl.image_case(pack / "imagenet_val" / row["file"])
        score = gl.Score(case.model.model, int(row["class_index"]))
        yield Place("photos", score, case.x, boxes(row), case.baseline(), (row["file"],))


def boxes(row: dict[str, str]) -> Tensor:
    """1 inside the boxes of a photo's 224-pixel centre crop: `(1, 1, 224, 224)`."""
    left, top = (int(row["width"]) - CROP) // 2, (int(row["height"]) - CROP) // 2
    mask = torch.zeros(1, 1, CROP, CROP)
    for box in row["boxes"].split(";"):
        x0, y0, x1, y1 = (int(v) for v in box.split())
        across = slice(max(x0 - left, 0), max(x1 - left, 0))
        mask[..., max(y0 - top, 0) : max(y1 - top, 0), across] = 1.0
    return mask


def lungs(pack: Path, count: int) -> Iterator[Place]:
    model = xray_network(pack / "models" / "cxr28_cnn.npz")
    with (pack / "cxr_covid_lungs.csv").open() as file:
        rows = list(csv.DictReader(file))[:count]
    here = pack / "cxr_covid_lungs"
    x = torch.stack([shrunk(here / row["file"]) for row in rows])
    masks = torch.stack([(shrunk(here / row["mask"]) > 0.5).float() for row in rows])
    yield Place("lungs", gl.Score(model, 1), x, masks, Zero(), tuple(row["file"] for row in rows))


def shrunk(path: Path) -> Tensor:
    grey = Image.open(path).convert("L").resize((28, 28), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(grey, dtype=np.float32) / 255)[None]


def xray_network(path: Path) -> nn.Sequential:
    """Four convolutions, the mean over space, a linear layer."""
    layers: list[nn.Module] = []
    for before, after, stride in ((1, 16, 1), (16, 32, 2), (32, 64, 2), (64, 64, 1)):
        layers += [nn.Conv2d(before, after, 3, stride, 1), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2))
    model.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in np.load(path).items()})
    return model.eval()


class BagOfWords(nn.Module):
    """Ids `(N, T)` to two logits, linear in the sum of the words' vectors; word 0 is padding."""

    def __init__(self, words: int, chance: torch.Generator) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 8, padding_idx=0)
        self.last = nn.Linear(8, 2)
        with torch.no_grad():
            self.embedding.weight.copy_(0.1 * torch.randn(words, 8, generator=chance))
            self.embedding.weight[0] = 0
            self.last.weight.copy_(0.3 * torch.randn(2, 8, generator=chance))

    def forward(self, ids: Tensor) -> Tensor:
        return self.last(self.embedding(ids).sum(1))


def sentences(path: Path) -> tuple[list[list[str]], Tensor]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    text = next(name for name in rows[0] if name in ("sentence", "text"))
    return [row[text].lower().split() for row in rows], torch.tensor([int(row["label"]) for row in rows])


def judge_words(pack: Path, count: int) -> list[dict[str, Any]]:
    """The polarity of single words, by people, against the sign of their share in a bag of words."""
    chance = random.generator(0, "ground truth", "words")
    texts, y = sentences(pack / "sst2_train.csv")
    uses: dict[str, int] = {}
    for word in (w for text in texts for w in text):
        uses[word] = uses.get(word, 0) + 1
    known = {w: i + 1 for i, w in enumerate(sorted(uses, key=lambda w: (-uses[w], w))[:WORDS])}

    def coded(texts: list[list[str]]) -> Tensor:
        lists = [torch.tensor([known.get(w, 0) for w in text]) for text in texts]
        return nn.utils.rnn.pad_sequence(lists, batch_first=True)

    model = BagOfWords(WORDS + 1, chance)
    fit(model, coded(texts), y, chance, epochs=3, rate=1e-2)
    with (pack / "sst_word_polarity.csv").open() as file:
        stated = {row["word"]: 2 * int(row["label"]) - 1 for row in csv.DictReader(file)}
    signs = torch.zeros(WORDS + 1)
    for word, i in known.items():
        signs[i] = stated.get(word, 0)
    texts, y = sentences(pack / "sst2_dev.csv")
    x = coded(texts)
    with torch.no_grad():
        right = model(x).argmax(1) == y
    print(f"words: accuracy {right.float().mean():.1%} on {len(y)} sentences", flush=True)
    x, y = x[right][:count], y[right][:count]
    score, polarity = gl.Score(model, y, site=gl.Layer("embedding")), signs[x] * (2 * y[:, None] - 1)
    a = gl.attribute(score, x, steps=1)  # exact: the model is linear there
    maps = {"right by definition": polarity[:, :, None].expand_as(a.values), "Integrated Gradients": a.values}
    maps["noise"] = torch.randn(a.values.shape, generator=chance)
    metric = PolarityAgreement(polarity)
    found = {name: evaluate(metric, score, x, values) for name, values in maps.items()}
    return [summary("words", metric.name, name, one.values, one.parts["chance"]) for name, one in found.items()]


def judge(where: Place) -> dict[tuple[str, str], tuple[Tensor, Tensor]]:
    """Values and chance of each metric and map."""
    options: dict[str, Any] = {"baseline": where.baseline, "names": where.names}
    maps: dict[str, Any] = {
        "right by definition": where.masks,
        "Integrated Gradients": gl.attribute(where.score, where.x, steps=STEPS, **options),
        "edges": controls.edges(where.score, where.x),
        "noise": controls.random_map(where.score, where.x),
    }
    found = {}
    for metric in METRICS:
        for name, values in maps.items():
            one = evaluate(metric, where.score, where.x, values, masks=where.masks, names=where.names)
            found[metric.name, name] = one.values, one.parts["chance"]
    return found


def summary(source: str, metric: str, name: str, values: Tensor, chance: Tensor) -> dict[str, Any]:
    there = values[values.isfinite()].numpy()
    above = (values - chance)[values.isfinite()].numpy()
    low, high = bootstrap(there)
    lower, upper = bootstrap(above)
    row = {"source": source, "metric": metric, "map": name, "examples": len(there), "mean": float(there.mean())}
    return row | {"low": low, "high": high, "above": float(above.mean()), "above low": lower, "above high": upper}


def bootstrap(values: Any, draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the mean, by percentiles of means of examples drawn again."""
    rows = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[rows].mean(1), [2.5, 97.5])
    return float(low), float(high)


def page(rows: list[dict[str, Any]]) -> str:
    lines = ["| examples | metric | map | mean [95 %] | above chance [95 %] |", "|---|---|---|---|---|"]
    for r in rows:
        mean = f"{r['mean']:.3f} [{r['low']:.3f}, {r['high']:.3f}]"
        above = f"{r['above']:+.3f} [{r['above low']:+.3f}, {r['above high']:+.3f}]"
        lines.append(f"| {r['source']} ({r['examples']}) | {r['metric']} | {r['map']} | {mean} | {above} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    pack = os.environ.get("GRADLINE_DATA")
    places = [*synthetic()] + ([] if pack is None else [*lungs(Path(pack), count)])
    found: dict[tuple[str, str, str], list[tuple[Tensor, Tensor]]] = {}
    for where in [*places, *(() if pack is None else photos(Path(pack), count))]:
        for (metric, name), values in judge(where).items():
            found.setdefault((where.source, metric, name), []).append(values)
    rows = []
    for (source, metric, name), parts in found.items():
        values, chance = (torch.cat([part[i] for part in parts]) for i in range(2))
        rows.append(summary(source, metric, name, values, chance))
    rows += [] if pack is None else judge_words(Path(pack), count)
    print(page(rows))
    if len(sys.argv) == 1:
        here = Path(__file__)
        here.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
        here.with_suffix(".md").write_text(page(rows))


if __name__ == "__main__":
    main()
