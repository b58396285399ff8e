"""Converged maps to measure against: a plain loop that shares no code with the library's engine, cached on disk.

Nested trapezoids of 129, 257, 513 and 1025 nodes on the straight line from black, for the logit and the probability of
the predicted class; a map stops when two levels differ by less than 1 %, and is *unconverged* if none do.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

import gradline as gl

CACHE = Path(__file__).parent / ".cache" / "references"
LEVELS = (129, 257, 513, 1025)
CLOSE = 0.01
BATCH = 4


@dataclass(frozen=True)
class Reference:
    """`values (D,)`: the finest map. `level`: its nodes. `change`: relative change from the level before."""

    values: np.ndarray
    level: int
    change: float

    @property
    def converged(self) -> bool:
        return self.change < CLOSE


def references(case: gl.ImageCase, name: str) -> tuple[int, dict[str, Reference]]:
    """The predicted class and its references, "logit" and "probability"."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{Path(name).stem}.npz"
    known = dict(np.load(path)) if path.exists() else {}
    model, x = case.model.model, case.x
    start = case.start()
    with torch.no_grad():
        index = int(model(x).argmax())
    for level, before in zip(LEVELS, (None, *LEVELS), strict=False):
        if f"logit_{level}" in known:
            continue
        if before is not None and all(_read(known, kind, before).converged for kind in ("logit", "prob")):
            break
        new = _sums(model, start, x, index, _nodes(level, before))
        for kind, total in new.items():
            old = 0 if before is None else known[f"{kind}_{before}"].astype(np.float64) / 2
            known[f"{kind}_{level}"] = (old + total / (level - 1)).astype(np.float32)
        np.savez(path, **{**known, "index": index})
    finest = max(level for level in LEVELS if f"logit_{level}" in known)
    return index, {name: _read(known, kind, finest) for name, kind in (("logit", "logit"), ("probability", "prob"))}


def _read(known: dict[str, np.ndarray], kind: str, finest: int) -> Reference:
    """The first level that is close to the one before it; the finest there is if none is."""
    change = float("inf")
    for before, level in pairwise(LEVELS):
        if level <= finest and f"{kind}_{level}" in known:
            a, b = known[f"{kind}_{before}"], known[f"{kind}_{level}"]
            change = float(np.linalg.norm(a - b) / np.linalg.norm(b))
            if change < CLOSE:
                return Reference(b, level, change)
    return Reference(known[f"{kind}_{finest}"], finest, change)


def _nodes(level: int, before: int | None) -> list[tuple[float, float]]:
    """Position and relative weight of the nodes that a level adds to the one before."""
    last = level - 1
    if before is not None:
        return [(k / last, 1.0) for k in range(1, last, 2)]
    return [(k / last, 0.5 if k in (0, last) else 1.0) for k in range(level)]


def _sums(
    model: torch.nn.Module, start: torch.Tensor, x: torch.Tensor, index: int, nodes: list[tuple[float, float]]
) -> dict[str, np.ndarray]:
    total = {"logit": torch.zeros(x.numel()).double(), "prob": torch.zeros(x.numel()).double()}
    for first in range(0, len(nodes), BATCH):
        t, weight = torch.tensor(nodes[first : first + BATCH], dtype=torch.float64).T
        points = (start.double() + t.reshape(-1, 1, 1, 1) * (x - start).double()).float().requires_grad_()
        output = model(points)
        scores = {"logit": output[:, index].sum(), "prob": torch.softmax(output, 1)[:, index].sum()}
        for kind, score in scores.items():
            (grad,) = torch.autograd.grad(score, points, retain_graph=kind == "logit")
            total[kind] += weight @ (grad * (x - start)).flatten(1).double()
    return {kind: value.numpy() for kind, value in total.items()}
