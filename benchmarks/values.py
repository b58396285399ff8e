"""What a map error of 5 % means for single values and for sums over blocks: `python benchmarks/values.py` (seconds).

One photo, the demo's, on EfficientNet-Lite0: the map at 5 % against the map at 1 %, which stands for the truth.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

import gradline as gl

OUT = Path(__file__).with_suffix(".json")
SIDE = 56


def main() -> None:
    torch.set_num_threads(2)
    a, fine = gl.explain_image(gl.demo_photo()), gl.explain_image(gl.demo_photo(), tol=0.01, max_evaluations=2000)
    values, truth = a.values[0].double(), fine.values[0].double()
    strongest = truth.abs().flatten().argsort(descending=True)[: truth.numel() // 100]
    off = ((values - truth).abs() / truth.abs()).flatten()[strongest]
    found = {
        "reference": {"estimate": float(fine.error_estimate[0]), "evaluations": int(fine.evaluations[0])},
        "map": distance(values, truth),
        "strongest_percent": {"median": float(off.median()), "worst": float(off.max())},
        f"blocks_of_{SIDE}": distance(blocks(values), blocks(truth)),
    }
    OUT.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    print(json.dumps(found, indent=2))


def distance(one: torch.Tensor, truth: torch.Tensor) -> float:
    """Relative L2 distance."""
    return float((one - truth).norm() / truth.norm())


def blocks(values: torch.Tensor) -> torch.Tensor:
    """Sums over channels and over blocks of SIDE × SIDE pixels."""
    channels, height, width = values.shape
    return values.reshape(channels, height // SIDE, SIDE, width // SIDE, SIDE).sum((0, 2, 4))


if __name__ == "__main__":
    main()
