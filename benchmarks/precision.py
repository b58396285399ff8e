"""What half precision does to a map, and what is said of it: `[GRADLINE_DATA=…] python benchmarks/precision.py`.

A model is rounded to bfloat16 or float16 and explained in it. Truth is the map of the same rounded weights in float32:

- rounding: at the same nodes, so that nothing but rounding differs; against `details["rounding_error"]`.
- all errors: with many nodes (Gauss–Legendre with 400 nodes for smooth networks, 513 midpoints for others, 257 for
  EfficientNet); against `error_estimate`.
- weights, for information: how far the map of the rounded weights is from that of the original ones, both in float32.

About seven minutes on one core; EfficientNet in bfloat16 alone, with at most 128 evaluations. With the data pack four
ImageNet photos and two networks trained on MNIST join in, else EfficientNet looks at photos of scikit-image. Writes
precision.md.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from intervals import wilson
from photos import photos
from smooth import cases as networks
from torch import Tensor, nn

import gradline as gl

HERE = Path(__file__).parent
STEPS = (8, 32, 128)
TOLERANCES = (0.2, 0.05, 0.01)
PHOTOS, ITEMS = 4, 10


@dataclass(frozen=True)
class Case:
    """A model with inputs; `nodes` and `rule` of its truth."""

    name: str
    model: nn.Module
    x: Tensor
    target: Tensor | int
    baseline: object
    nodes: int
    rule: gl.rules.GaussLegendre | gl.rules.Midpoint
    large: bool = False


def cases() -> Iterator[Case]:
    for name, smooth, model, x in networks():
        nodes, rule = (400, gl.rules.GaussLegendre()) if smooth else (513, gl.rules.Midpoint())
        yield Case(name, model.eval(), x[:ITEMS], 0, None, nodes, rule)
    shown = [gl.image_case(path) for path in photos(PHOTOS)[:PHOTOS]]
    model, x = shown[0].model.model, torch.cat([case.x for case in shown])
    with torch.no_grad():
        target = model(x).argmax(1)
    yield Case("EfficientNet-Lite0, photos", model, x, target, shown[0].baseline(), 257, gl.rules.Midpoint(), True)


def off(values: Tensor, exact: Tensor) -> Tensor:
    """Relative L2 errors `(N,)`."""
    error, size = ((t.double().flatten(1).norm(dim=1)) for t in (values - exact, exact))
    return error / size


def spread(values: Tensor) -> str:
    return " / ".join(f"{v:.2g}" for v in np.quantile(values.numpy(), (0.1, 0.5, 0.9)))


def rows(case: Case, dtype: torch.dtype) -> Iterator[str]:
    low = copy.deepcopy(case.model).to(dtype)
    wide, x = copy.deepcopy(low).float(), case.x.to(dtype)
    question = {"target": case.target, "baseline": case.baseline, "memory": "1GiB"}
    many = {"steps": case.nodes, "rule": case.rule}
    exact = gl.explain(wide, x.float(), **question, **many).values
    original = gl.explain(case.model, case.x, **question, **many).values
    name = f"{case.name}, {str(dtype).removeprefix('torch.')}"
    weights = spread(off(exact, original))
    for steps in STEPS[:2] if case.large else STEPS:
        a = gl.explain(low, x, **question, steps=steps)
        right = gl.explain(wide, x.float(), **question, steps=steps).values
        true, told = off(a.values, right), torch.tensor(a.details["rounding_error"])
        size = a.values.double().flatten(1).norm(dim=1) / right.double().flatten(1).norm(dim=1)
        yield f"| {name} | rounding, {steps} nodes | {spread(true)} | {spread(told * size / true)} | | {weights} |"
    for tol in TOLERANCES[:2] if case.large else TOLERANCES:
        a = gl.explain(low, x, **question, tol=tol, max_evaluations=128 if case.large else 512)
        true = off(a.values, exact)
        size = a.values.double().flatten(1).norm(dim=1) / exact.double().flatten(1).norm(dim=1)
        done = [bool(true[i] <= tol) for i, s in enumerate(a.status) if s == "converged"]
        low_bound, _ = wilson(sum(done), len(done))
        converged = f"{len(done)} of {len(x)}"
        if done:
            converged += f", {sum(done)} within (≥ {low_bound:.0%})"
        ratio = spread(a.error_estimate * size / true)
        yield f"| {name} | all, tol {tol:.0%} | {spread(true)} | {ratio} | {converged} | {weights} |"


def main() -> None:
    torch.set_num_threads(1)
    pack = "GRADLINE_DATA=<data pack> " if os.environ.get("GRADLINE_DATA") else ""
    lines = [
        f"`{pack}python benchmarks/precision.py`: {ITEMS} inputs each, {PHOTOS} photos. Quantiles are 10 / 50 / 90 %.",
        "",
        "| model | error | true, relative to the map | estimate / true | said `converged` | weights rounded |",
        "|---|---|---|---|---|---|",
    ]
    for case in cases():
        if len(sys.argv) > 1 and sys.argv[1] not in case.name:
            continue
        for dtype in (torch.bfloat16, torch.float16)[: 1 if case.large else 2]:
            for line in rows(case, dtype):
                lines.append(line)
                print(line, flush=True)
    (HERE / "precision.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
