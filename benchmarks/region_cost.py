"""What the neurons behind a region cost, against one map: `python benchmarks/region_cost.py` (about four minutes).

All neurons of a layer for one region, `gl.neurons.region`, over Integrated Gradients of the same photo with the same
nodes, at layers of about 10², 10⁴ and 4·10⁵ neurons. Both alternate; the figure is the median of the ratios of pairs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import gradline as gl

OUT = Path(__file__).with_name("region_cost.json")
NODES = 16


def digits() -> tuple[gl.Score, Tensor, dict[str, str]]:
    """A network of 28 pixels, as they are used for digits, with a layer of 100."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 100), nn.ReLU(), nn.Linear(100, 10)).eval()
    return gl.Score(net, 3), torch.rand(8, 1, 28, 28), {"7": "28-px CNN, linear layer"}


def photo() -> tuple[gl.Score, Tensor, dict[str, str]]:
    """EfficientNet-Lite0 and a photo: the first convolution has 401 408 neurons."""
    case = gl.image_case(gl.demo_photo(), "efficientnet-lite0")
    names = {"_blocks.12": "Lite0, a late block", "_conv_stem": "Lite0, first convolution"}
    return gl.Score(case.model.model, int(case.probabilities().argmax())), case.x, names


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def measured(score: gl.Score, x: Tensor, layer: str, times: int) -> dict[str, object]:
    """Median of the ratios of `times` pairs, and their extremes."""
    mask = torch.zeros(x.shape[-2:])
    mask[x.shape[-2] // 4 : x.shape[-2] // 2, x.shape[-1] // 4 : x.shape[-1] // 2] = 1
    a = gl.neurons.region(score, x, layer, mask, steps=NODES)  # warms up
    gl.attribute(score, x, steps=NODES)
    ratios = []
    for _ in range(times):
        whole = seconds(lambda: gl.attribute(score, x, steps=NODES))
        ratios.append(seconds(lambda: gl.neurons.region(score, x, layer, mask, steps=NODES)) / whole)
    neurons, middle = a.values[0].numel(), statistics.median(ratios)
    return {"neurons": neurons, "ratio": middle, "from": min(ratios), "to": max(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=7, help="pairs of runs (default 7)")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows = []
    for made in (digits, photo):
        score, x, layers = made()
        for layer, name in layers.items():
            rows.append({"what": name, "layer": layer, **measured(score, x, layer, given.times)})
            print(json.dumps(rows[-1]), flush=True)
    found = {"nodes": NODES, "threads": given.threads, "pairs": given.times, "rows": rows}
    OUT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
