"""Other starts and other paces of the controller: `GRADLINE_DATA=… python benchmarks/variants.py` (ten minutes).

Evaluations to a tolerance of 5 % on 12 photos × logit and probability, EfficientNet-Lite0, black baseline. The stop
is the controller's own, so no reference is needed. Writes variants.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from photos import photos

import gradline as gl

ADAPTIVE = sys.modules["gradline.core.adaptive"]
PHOTOS = 12


def midpoints(n: int) -> Callable[[], np.ndarray]:
    return lambda: (np.arange(n) + 0.5) / n


VARIANTS: dict[str, dict[str, object]] = {
    "as it is: 8 midpoints first, 4 cells split a round": {},
    "first nodes dense near the baseline, t = u²": {"first_nodes": lambda: midpoints(8)() ** 2},
    "first nodes of Gauss–Legendre": {"first_nodes": lambda: (np.polynomial.legendre.leggauss(8)[0] + 1) / 2},
    "12 midpoints first": {"first_nodes": midpoints(12)},
    "2 cells split a round": {"SPLITS": 2},
    "8 cells split a round": {"SPLITS": 8},
    "16 cells split a round": {"SPLITS": 16},
}


def spent(case: gl.ImageCase) -> list[int]:
    index = int(case.probabilities().argmax())
    found = []
    for target in (gl.Logit(index), gl.Probability(index)):
        a = gl.attribute(gl.Score(case.model.model, target), case.x, baseline=case.baseline())
        found.append(int(a.evaluations[0]))
    return found


def main() -> None:
    torch.set_num_threads(1)
    usual = {name: getattr(ADAPTIVE, name) for name in ("first_nodes", "SPLITS")}
    cases = [gl.image_case(path) for path in photos(PHOTOS)]
    lines = ["| variant | logit, median / mean | probability, median / mean |", "|---|---|---|"]
    for name, changes in VARIANTS.items():
        for key, value in (usual | changes).items():
            setattr(ADAPTIVE, key, value)
        table = np.array([spent(case) for case in cases])
        cells = [f"{np.median(column):.0f} / {column.mean():.1f}" for column in table.T]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
        print(lines[-1], flush=True)
    Path(__file__).with_name("variants.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
