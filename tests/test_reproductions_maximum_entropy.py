"""The reproduction of the maximum-entropy paper, on a network of two convolutions in place of the real ones."""

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
from reproduction_cases import reproduction
from torch import nn

import gradline as gl


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with reproduction("maximum_entropy") as module:
        yield module


@pytest.fixture(scope="module")
def tiny() -> gl.models.ImageModel:
    """A classifier of 16 × 16 pixels that is not undecided at zero."""
    torch.manual_seed(1)
    layers = nn.Conv2d(3, 6, 3, 2), nn.Tanh(), nn.Conv2d(6, 8, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Tanh()
    model = nn.Sequential(*layers, nn.Linear(8, 5)).eval()
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight.mul_(6 if isinstance(layer, nn.Linear) else 3)
    return gl.models.ImageModel("tiny", model, gl.models.Preprocessing(18, 16, (127.0,) * 3, (128.0,) * 3))


@pytest.fixture(scope="module")
def found(script: ModuleType, tiny: gl.models.ImageModel) -> dict[str, Any]:
    asked = script.common.Asked(script.common.Form.SMALL, 4)
    protocol = script.Protocol(("tiny",), search=150, nodes=16, removals=4)
    known = script.common.settings(asked) | {"search": 150, "nodes": 16, "removals": 4}
    whole: dict[str, Any] = known | {"models": {"tiny": script.of_model(tiny, asked, protocol)}}
    return whole


def test_every_number_of_a_photo_is_there(script: ModuleType, found: dict[str, Any]) -> None:
    measured = found["models"]["tiny"]
    assert len(measured["rows"]) == 4
    assert measured["grey"] is False
    for row in measured["rows"]:
        assert set(row["baselines"]) == set(script.EXPLAINERS)
        for name, told in row["baselines"].items():
            assert 0 <= told["gap"] <= 1
            assert 0 < told["p"] <= told["largest"] + 1e-6 < 1
            assert told["distance"] > 0
            assert told["missed"] < 0.3, name
        for fill in script.FILLS:
            assert all(math.isfinite(v) for v in row["ablation"][fill].values())


def test_the_search_reaches_even_odds_and_the_others_do_not(script: ModuleType, found: dict[str, Any]) -> None:
    """At a gap of 0.001 of log 5, no probability of five classes is off a fifth by more than 0.02: KL >= 2 δ²."""
    rows = found["models"]["tiny"]["rows"]
    for name in script.EXPLAINERS[:3]:
        for row in rows:
            told = row["baselines"][name]
            assert told["gap"] <= 1.001e-3, name
            assert told["p"] == pytest.approx(0.2, abs=0.03)
    assert max(row["baselines"]["black"]["gap"] for row in rows) > 0.01
    one = {row["baselines"][script.ZERO]["gap"] for row in rows}
    assert len(one) == 1, "from zero there is one baseline for all"


def test_curves_begin_at_the_photo_and_end_at_the_fill(script: ModuleType, found: dict[str, Any]) -> None:
    """At 1, and at p(fill)/p(x); the separation is the difference of the areas, its mean over photos that of the means.
    With the same ends for all maps under one fill."""
    measured = found["models"]["tiny"]
    for fill in script.FILLS:
        ends = set()
        for name in script.EXPLAINERS:
            least, most = measured["curves"][fill][name]
            assert len(least) == len(most) == 5
            assert least[0] == most[0] == 1
            assert least[-1] == most[-1]
            ends.add(least[-1])
            area = [sum(c) - (c[0] + c[-1]) / 2 for c in (least, most)]
            due = sum(row["ablation"][fill][name] for row in measured["rows"]) / 4
            assert (area[0] - area[1]) / 4 == pytest.approx(due, abs=1e-3)
        assert len(ends) == 1


def test_a_claim_follows_from_the_differences_over_photos(script: ModuleType, found: dict[str, Any]) -> None:
    page = importlib.import_module("maximum_entropy_page")
    rows = found["models"]["tiny"]["rows"]
    claim = page.claim(rows, script.ZERO, "black", "white")
    due = [row["ablation"]["white"][script.ZERO] - row["ablation"]["white"]["black"] for row in rows]
    assert claim.estimate == pytest.approx(sum(due) / 4)
    assert claim.low <= claim.estimate <= claim.high
    assert (claim.n, claim.verdict) == (4, "undecided"), "four photos decide nothing"
    better = [row | {"ablation": {f: {**row["ablation"][f], "black": -9.0} for f in script.FILLS}} for row in rows]
    assert page.claim(better * 3, script.ZERO, "black", "white").verdict == "holds"
    worse = [row | {"ablation": {f: {**row["ablation"][f], "black": 9.0} for f in script.FILLS}} for row in rows]
    assert page.claim(worse * 3, script.ZERO, "black", "white").verdict == "does not hold here"


def test_the_page_is_made_from_the_numbers_alone(script: ModuleType, found: dict[str, Any]) -> None:
    written = script.page(json.loads(json.dumps(found, allow_nan=False)))
    assert written == script.page(found)
    assert "no number of the paper is known" in written
    assert written.count("better than noise |") == 3
    assert "nan" not in written.lower()
    assert "nothing to do" not in written
    grey = {"models": {"tiny": found["models"]["tiny"] | {"grey": True}}}
    assert "nothing to do" in script.page(found | grey)


def test_figures_are_written(
    script: ModuleType, found: dict[str, Any], tiny: gl.models.ImageModel, tmp_path: Path
) -> None:
    asked = script.common.Asked(script.common.Form.SMALL, 1)
    pictures = script.pictured(asked, tiny)
    assert [p.title for p in pictures][:5] == ["the photo", *script.EXPLAINERS[:3], pictures[4].title]
    assert pictures[4].title.startswith("what that has added")
    assert {p.pixels.shape for p in pictures} == {(16, 16, 3)}
    script.pictures_figure(pictures)(tmp_path / "a.jpg")
    script.curves_figure(found)(tmp_path / "a.svg")
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert "<svg" in (tmp_path / "a.svg").read_text("utf-8")


def test_forms_differ_in_how_much_is_done(script: ModuleType) -> None:
    form, asked = script.common.Form, script.common.Asked
    small, usual, full = (script.Protocol.of(asked(one, 2)) for one in (form.SMALL, form.USUAL, form.FULL))
    assert (usual.search, usual.nodes, usual.removals) == (60, 32, 20)
    assert small.search < usual.search < full.search
    assert full.models == ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
