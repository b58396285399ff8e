"""The reproduction of geometrically guided IG, on a network of one convolution in place of the real ones."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from reproduction_cases import ROOT, reproduction
from torch import nn

import gradline as gl
from gradline.metrics.information.curve import pooled
from gradline.metrics.information.variants import GGIG


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with reproduction("geometric") as module:
        yield module


@pytest.fixture(scope="module")
def photos(script: ModuleType) -> list[Any]:
    """Three photos before a classifier of 16 × 16 pixels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layers = [nn.Conv2d(3, 6, 5, 2), nn.Tanh(), nn.Flatten(), nn.Linear(216, 5)]
        model = gl.models.ImageModel(
            "tiny", nn.Sequential(*layers).eval(), gl.models.Preprocessing(18, 16, (127.0,) * 3, (128.0,) * 3)
        )
    return list(script.examples(importlib.import_module("common").Asked("small", 3), model))


@pytest.fixture(scope="module")
def at(script: ModuleType) -> Any:
    return script.Size(3, 2, 0.1, 0.5, shares=100, levels=(0.05, 0.2, 0.5))


def test_both_maps_of_a_climb_are_those_of_the_two_methods(script: ModuleType, photos: list[Any]) -> None:
    one = photos[0]
    both = script.climbed(one.score, one.x, 4, 3, 0.2)
    for method, got in (
        (gl.methods.geometrically_guided_integrated_gradients(3, 0.2), both.mean),
        (gl.methods.geometrically_guided_maximum(3, 0.2), both.most),
    ):
        due = gl.attribute(one.score, one.x, method, steps=4, rule=gl.rules.Trapezoid).values
        torch.testing.assert_close(got, due)


def test_maps_without_their_largest_two_percent(script: ModuleType) -> None:
    """|Σ over channels| of two maps: 1, 2 and 3, 44, whose tops are 2 and 44, since the rest is less than 98 % of the
    total. Of 49 ones and a 9 the top is 1 if 16 % are left out, and 9 is cut to 1."""
    values = torch.tensor([[[[2.0, -3.0]], [[-1.0, 1.0]]], [[[-4.0, 50.0]], [[1.0, -6.0]]]])  # (2, 2, 1, 2)
    torch.testing.assert_close(script.normalised(values)[1], torch.tensor([[3 / 44, 1.0]], dtype=torch.float64))
    torch.testing.assert_close(script.normalised(values)[0], torch.tensor([[0.5, 1.0]], dtype=torch.float64))
    flat = torch.cat([torch.ones(49), torch.tensor([9.0])]).reshape(1, 1, 5, 10)
    assert (script.normalised(flat, 0.16) == 1).all()
    assert not script.normalised(torch.zeros(1, 3, 2, 2)).any()


def test_all_maps_are_there_and_without_ascent_nothing_moves(script: ModuleType, photos: list[Any], at: Any) -> None:
    maps, moves = script.maps_of(photos[0], at)
    assert list(maps)[:5] == ["GD", "IG", "IG-Max", "GGIG-IG", "GGIG-Max"]
    assert all(values.shape[-2:] == (16, 16) for values in maps.values())
    assert {name for pair in (*script.PAPER, *script.OURS) for name in pair[:2]} <= set(maps)
    assert all(move["changed"] > 1e-5 for move in moves.values())
    assert set(moves) == {"GGIG-IG", "GGIG-Max", "GGIG-IG, long", "GGIG-Max, long"}
    _, moves = script.maps_of(photos[0], replace(at, iterations=1))
    assert all(move == {"changed": 0, "stopped": 0, "falling": 0} for move in moves.values())
    x = photos[0].x
    torch.testing.assert_close(
        maps["IG × (x − x')"], gl.attribute(photos[0].score, x, steps=3, rule=gl.rules.Trapezoid).values
    )


def test_curves_and_areas_are_those_of_the_metrics(script: ModuleType, photos: list[Any], at: Any) -> None:
    """Judged photo by photo and pooled here; and all at once by gl.evaluate and the library's own pooling."""
    maps = [
        {k: v for k, v in script.maps_of(one, at)[0].items() if k in ("GD", "GGIG-Max", "random")} for one in photos
    ]
    judged = script.gathered([script.judge(one, own, at) for one, own in zip(photos, maps, strict=True)])
    areas = script.pooled_areas(judged, 0)
    score, x = gl.Score(photos[0].model.model), torch.cat([one.x for one in photos])
    names = [one.name for one in photos]
    assert script.whole(judged).tolist() == [0, 1, 2]
    for name in maps[0]:
        values = script.normalised(torch.cat([own[name] for own in maps]))
        for metric in (gl.metrics.SIC(GGIG), gl.metrics.AIC(GGIG)):
            what, kind, pixels = metric.name.upper(), gl.metrics.Kind.GRADIENT, photos[0].model.pixels
            due = gl.evaluate(metric, score, x, values, kind=kind, pixels=pixels, names=names)
            assert judged.areas[what][name] == pytest.approx(due.values.tolist())
            assert float(areas[what][name][0]) == pytest.approx(pooled(due).area)
            assert len(areas[what][name]) == 1 + script.RESAMPLES


@pytest.fixture(scope="module")
def found(script: ModuleType, photos: list[Any], at: Any) -> dict[str, Any]:
    asked = importlib.import_module("common").Asked("small", 2)
    network, judged = script.one_network(photos[0].model, replace(at, shares=5), asked)
    settings = script.settings(asked) | {"size": script.asdict(at)}
    return {"numbers": settings | {"networks": {"efficientnet-lite0": network}}, "judged": judged}


def test_the_page_holds_the_numbers_and_two_photos_decide_nothing(script: ModuleType, found: dict[str, Any]) -> None:
    text = script.page(json.loads(json.dumps(found["numbers"], allow_nan=False)))
    assert "{" not in text
    assert text.count("**undecided**") == 16
    assert "nan" not in text
    assert "K = 2" in text
    assert "none known" in text


def test_the_figure_is_drawn(
    script: ModuleType, found: dict[str, Any], photos: list[Any], at: Any, tmp_path: Path
) -> None:
    script.figure_of(photos[0], at, found["judged"])(tmp_path / "figure.jpg")
    assert (tmp_path / "figure.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_verdicts_on_made_up_numbers(script: ModuleType) -> None:
    claims = importlib.import_module("geometric_page").claims
    draws = torch.linspace(-0.01, 0.01, 401, dtype=torch.float64)
    areas = {"GGIG-IG": 0.5 + draws, "GD": 0.4 + draws / 2, "IG": 0.5 - draws, "IG-Max": torch.full((401,), 0.3)}
    pairs = [("GGIG-IG", "GD", "holds"), ("IG-Max", "IG", "does not hold here"), ("GGIG-IG", "IG", "undecided")]
    made = [script.contrast(areas, *pair[:2], what="SIC", n=30) for pair in pairs]
    found = claims({"contrasts": made})
    assert [c.verdict for c in found] == [pair[2] for pair in pairs]
    assert [c.source for c in found] == ["abstract", "ours", "abstract"]
    assert all(c.n == 30 for c in found)
    assert {c.verdict for c in claims({"contrasts": [one | {"n": 5} for one in made]})} == {"undecided"}


def test_the_committed_page_is_that_of_its_numbers(script: ModuleType) -> None:
    data = ROOT / "geometric_guidance.json"
    if data.exists():
        written = (ROOT.parent / "docs" / "reproductions" / "geometric-guidance.md").read_text("utf-8")
        assert written == script.page(json.loads(data.read_text("utf-8"))).rstrip() + "\n"
