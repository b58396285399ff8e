"""The table on docs/from-captum.md: Captum's conductance comes closer to ours with its nodes, and loses both ends."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from captum.attr import LayerConductance
from torch import Tensor, nn

import gradline as gl

PAGE = (Path(__file__).parent.parent / "docs" / "from-captum.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|$", PAGE, re.MULTILINE)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.second = nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.act(self.first(x)))
        return out


def measured(nodes: int) -> tuple[float, float]:
    """Of 64 examples the means: the part of F(x) − F(x') that the sum misses, the distance to ours, both relative."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, x = Net().double().eval(), torch.randn(64, 6, dtype=torch.float64)
    theirs = LayerConductance(model, model.first).attribute(x, target=2, n_steps=nodes).detach()
    whole = gl.neurons.region(gl.Score(model, 2), x, "first", torch.ones(6), steps=400, rule=gl.rules.GaussLegendre)
    assert isinstance(whole.values, Tensor)
    norm = whole.values.norm(dim=1)
    assert whole.baseline_score is not None
    missed = (theirs.sum(1) - (whole.score - whole.baseline_score)).abs() / norm
    return float(missed.mean()), float(((theirs - whole.values).norm(dim=1) / norm).mean())


def test_the_table_is_what_is_measured_and_the_distance_falls_with_the_nodes() -> None:
    assert [int(row[0]) for row in ROWS] == [5, 10, 20, 50, 100, 500]
    distances = []
    for nodes, missed, distance in ROWS:
        found = measured(int(nodes))
        for told, value in zip((missed, distance), found, strict=True):
            digits = len(told.partition(".")[2])
            assert float(told) == pytest.approx(100 * value, abs=0.6 * 10**-digits), f"{nodes} nodes"
        distances.append(found[1])
    assert all(a > b for a, b in pairwise(distances))
    assert distances[-1] < 0.01
