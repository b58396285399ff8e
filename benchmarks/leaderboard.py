"""Seven methods, nine metrics, forty photos: `GRADLINE_DATA=… python benchmarks/leaderboard.py` (40 minutes).

ImageNet photos that EfficientNet-Lite0 names rightly and whose boxes cover less than half, evenly spaced through the
data pack's 105; without the pack scikit-image's free photos, and no metric of places. Maps explain the logit of the
predicted class to a map error of 10 %. A random map and an edge detector stand beside them. Writes
docs/leaderboard.md, leaderboard.csv (every value) and .cache/leaderboard.html. `--photos N` for fewer; `--small` is
what CI runs: two photos, three methods, three metrics.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path
from typing import Any

import torch
from ground_truth import boxes
from photos import photos
from torch import Tensor

import gradline as gl
from gradline.core import random
from gradline.evaluation.tables import markdown
from gradline.metrics.information import variants as variants

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "leaderboard.md"

HEAD = """# A leaderboard on ImageNet photos

Which of these maps is better, and is the difference real? Forty ImageNet photos that EfficientNet-Lite0 names rightly
and whose objects fill less than half of the picture; maps of the predicted class's logit, to an estimated map error of
10 % where a method has one. (Two noises a photo are too few for that: their mean map has a larger standard error.)
Every method meets the same photos, fills and noise; a random map and an edge detector stand beside them. Intervals are
paired bootstraps over photos. "Real" is a signed-rank test over photos at 5 %, Holm-corrected for all pairs of a
metric, and not for there being nine metrics.

Read one metric at a time, and its settings with it: the order of methods changes with the fill, the sign rule and the
units that are removed, and no metric is the truth ([Which map is better](how-to/evaluate.md)). It is one small network:
what holds here need not hold for yours. `gradline evaluate` does the same with your photos and your model.

`GRADLINE_DATA=<data pack> python benchmarks/leaderboard.py` writes this page; `benchmarks/leaderboard.csv` has every
value.
"""


def smooth_gradient(score: gl.Score, x: Tensor) -> Tensor:
    """SmoothGrad: the mean gradient at eight copies of x with noise of 15 % of its range (Smilkov et al. 2017)."""
    total = torch.zeros_like(x)
    for draw in range(8):
        keys = [random.generator(0, str(i), "smooth gradient", draw) for i in range(len(x))]
        noise = torch.stack([torch.randn(one.shape, generator=key) for one, key in zip(x, keys, strict=True)])
        copies = x + 0.15 * (x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True)) * noise
        total += gl.attribute(score, copies, gl.methods.gradient()).values / 8
    return total


def methods(case: gl.ImageCase, *, small: bool) -> dict[str, Any]:
    ig = gl.methods.integrated_gradients()

    def start(baseline: gl.baselines.Baseline) -> gl.Method:
        return ig.starting_at(case.baseline(baseline))

    found: dict[str, Any] = {
        "IG from black": start(gl.baselines.Black()),
        "gradient × input": gl.methods.gradient_x_input(),
        "gradient": gl.methods.gradient(),
    }
    if not small:
        found |= {
            "IG from mean colour": start(gl.baselines.Mean()),
            "IG from blur": start(gl.baselines.Blur(10.0)),
            "IG from noise": start(gl.baselines.PixelNoise(draws=2)),
            "SmoothGrad": smooth_gradient,
        }
    return found


def metrics(*, places: bool, small: bool) -> dict[str, gl.Metric]:
    if small:
        few = gl.metrics.Steps(3)
        return {
            "ins − del, blur": gl.metrics.InsertionMinusDeletion(steps=few),
            "MAS": gl.metrics.MagnitudeAligned(steps=few),
            "sparseness": gl.metrics.Sparseness(),
        }
    found: dict[str, gl.Metric] = {
        "ins − del, blur": gl.metrics.InsertionMinusDeletion(),
        "ins − del, mean colour": gl.metrics.InsertionMinusDeletion(fill=gl.baselines.Mean()),
        "ins − del, blocks": gl.metrics.InsertionMinusDeletion(units=gl.metrics.Blocks(14)),
        "sparseness": gl.metrics.Sparseness(),
        "MAS": gl.metrics.MagnitudeAligned(),
        "SIC (fast)": gl.metrics.SIC(variants.FAST),
        "AUTVC": gl.metrics.TotalVariation(),
    }
    if places:
        found |= {"mass in boxes": gl.metrics.RelevanceMass(), "box AUC": gl.metrics.LocalisationAUC()}
    return found


def chosen(count: int) -> tuple[list[Path], Tensor | None]:
    pack = os.environ.get("GRADLINE_DATA")
    if pack is None:
        return photos(count)[:count], None
    with (Path(pack) / "imagenet_val.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["lite0_top1"] == r["class_index"]]
    rows = [r for r in rows if float(r["box_area_center256"]) < 0.5]
    rows = [rows[i * len(rows) // count] for i in range(count)]
    return [Path(pack) / "imagenet_val" / r["file"] for r in rows], torch.cat([boxes(r) for r in rows])


def board(count: int, *, small: bool = False) -> gl.Leaderboard:
    files, masks = chosen(count)
    cases = [gl.image_case(path) for path in files]
    return gl.leaderboard(
        gl.Score(cases[0].model.model),
        torch.cat([case.x for case in cases]),
        methods(cases[0], small=small),
        metrics(places=masks is not None, small=small),
        masks=masks,
        kinds={} if small else {"SmoothGrad": gl.metrics.Kind.GRADIENT},
        pixels=cases[0].model.pixels,
        names=[case.name for case in cases],
        tol=0.3 if small else 0.1,
        progress=True,
    )


def titled(page: str) -> str:
    """The page with a title and an introduction of its own, without what is of this machine alone."""
    lines = page.splitlines()[1:]
    return "\n".join([HEAD, *(line for line in lines if not line.startswith(("- platform", "- seconds")))]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    torch.set_num_threads(2)
    found = board(2 if asked.small else asked.photos, small=asked.small)
    print(found)
    asked.page.write_text(titled(markdown(found)), "utf-8")
    if not asked.small:
        found.save(HERE / "leaderboard.csv")
        (HERE / ".cache").mkdir(exist_ok=True)
        found.save(HERE / ".cache" / "leaderboard.html")


if __name__ == "__main__":
    main()
