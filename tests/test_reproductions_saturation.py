"""The reproduction of the saturation paper, on a network of two convolutions in place of the real ones."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from reproduction_cases import ROOT, reproduction
from torch import nn

import gradline as gl


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with reproduction("saturation") as module:
        yield module


@pytest.fixture(scope="module")
def tiny() -> gl.models.ImageModel:
    """A classifier of 16 × 16 pixels whose logits saturate: a tanh of the mean of its features."""
    torch.manual_seed(1)
    layers = nn.Conv2d(3, 6, 3, 2), nn.Tanh(), nn.Conv2d(6, 8, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Tanh()
    model = nn.Sequential(*layers, nn.Linear(8, 5, bias=False)).eval()
    with torch.no_grad():
        for layer in model:
            if hasattr(layer, "weight"):
                layer.weight.mul_(60 if isinstance(layer, nn.Linear) else 3)
    return gl.models.ImageModel("tiny", model, gl.models.Preprocessing(18, 16, (127.0,) * 3, (128.0,) * 3))


@pytest.fixture(scope="module")
def found(script: ModuleType, tiny: gl.models.ImageModel) -> dict[str, Any]:
    asked = script.common.Asked(script.common.Form.SMALL, 4)
    protocol = script.Protocol(("tiny",), steps=10, copies=2, apart=2)
    known = script.common.settings(asked) | {"steps": 10, "copies": 2}
    return known | {"models": {"tiny": script.of_model(tiny, asked, protocol)}}


def test_every_number_of_a_photo_is_there_and_signs_that_are_sure_are_right(found: dict[str, Any]) -> None:
    rows = found["models"]["tiny"]["rows"]
    assert 2 <= len(rows) <= found["models"]["tiny"]["looked at"] == 4
    for k, row in enumerate(rows):
        assert row["rise"] > 5
        assert len(row["curve"]) == 10
        assert row["curve"][-1] == pytest.approx(1)
        for phi in (0.95, 0.9):
            one = row[f"{phi:g}"]
            assert 0 <= one["t"] < 1
            assert 0 <= one["norm_share"] <= 1
            assert -1 - 1e-9 <= one["cosine_left_right"] <= 1 + 1e-9
            assert all(0 <= one[f"abpc {m}"] <= 0.9 for m in ("left", "whole", "right"))
            assert {k for k in one if k.startswith("sens")} == (
                {f"sensitivity {m}" for m in ("left", "whole", "right")} if k % 2 == 0 and phi == 0.95 else set()
            )
            before = [0.0, *row["curve"]]
            step = round(one["t"] * 10)
            assert max(before[1 : step + 1], default=0.0) <= phi + 1e-4 < before[step + 1] + 2e-4
        assert row["0.9"]["t"] <= row["0.95"]["t"]
        assert row["0.9"]["sum_share"] >= row["0.95"]["sum_share"] - 0.5
        assert row["0.9"]["abpc whole"] == row["0.95"]["abpc whole"]


def test_the_sensitivity_is_that_of_the_parts(script: ModuleType, tiny: gl.models.ImageModel) -> None:
    """Once more by hand, for one noisy copy: the noise is drawn from the same key for all three maps."""
    one, score = script.as_labelled(script.common.example(script.common.photos(1)[0], tiny))
    protocol = script.Protocol(("tiny",), steps=10, copies=1)
    a = script.split(score, one.x, 0.9, 10)
    mine = script.sensitivity(score, one, a, 0.9, protocol, 7)
    seen = []

    def explain(score: gl.Score, x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return script.split(score, x, 0.9, 10).values

    metric = gl.metrics.MaxSensitivity(gl.metrics.UniformNoise(0.05), 1)
    gl.evaluate(metric, score, one.x, a, explainer=explain, names=[one.name], seed=7)
    noisy = script.split(score, next(x for x in seen if not torch.equal(x, one.x)), 0.9, 10)
    for which in ("left", "right"):
        change = (noisy.parts[which] - a.parts[which]).norm() / a.parts[which].norm()
        assert mine[f"sensitivity {which}"] == pytest.approx(float(change), rel=1e-5)
    assert mine["sensitivity whole"] == pytest.approx(
        float((noisy.values - a.values).norm() / a.values.norm()), rel=1e-5
    )


def test_the_page_holds_the_numbers_and_the_verdicts_follow_from_them(
    script: ModuleType, found: dict[str, Any], tmp_path: Path
) -> None:
    text = script.page(json.loads(json.dumps(found, allow_nan=False)))
    assert "{" not in text
    assert "| 0.9666 |" in text
    assert text.count("**undecided**") == 8  # four photos decide nothing
    script.figure(found)(tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size > 1000


def rows_of(left: float, whole: float, right: float, norm: float, total: float) -> list[dict[str, Any]]:
    """Twelve photos that agree but for a little."""
    rows = []
    for k in range(12):
        shift = 0.001 * k
        one = {"t": 0.5, "norm_share": norm + shift, "sum_share": total}
        for name, value in (("left", left), ("whole", whole), ("right", right)):
            one |= {f"abpc {name}": value + shift * (name == "left"), f"sensitivity {name}": 1 - value}
        rows.append({"0.95": one, "0.9": {k: v for k, v in one.items() if not k.startswith("sens")}})
    return rows


def test_verdicts_on_made_up_numbers(script: ModuleType) -> None:
    claims_of = importlib.import_module("saturation_page").claims_of
    for phi, count in ((0.95, 5), (0.9, 3)):
        holds = claims_of(rows_of(0.5, 0.4, 0.2, 0.5, 0.05), phi)
        assert [c.verdict for c in holds] == ["holds"] * count
        against = claims_of(rows_of(0.2, 0.4, 0.5, 0.1, 0.05), phi)
        assert [c.verdict for c in against] == ["does not hold here"] * count
        assert all(c.n == 12 and c.source == f"φ = {phi:g}" for c in holds)
    nothing = claims_of([{"0.95": {}, "0.9": {}}] * 12, 0.95)
    assert {c.verdict for c in nothing} == {"undecided"}
    assert all(math.isnan(c.estimate) for c in nothing)


def test_the_committed_page_is_that_of_its_numbers(script: ModuleType) -> None:
    data = ROOT / "saturation.json"
    if data.exists():
        written = (ROOT.parent / "docs" / "reproductions" / "saturation.md").read_text("utf-8")
        assert written == script.page(json.loads(data.read_text("utf-8"))).rstrip() + "\n"
