"""The reproduction of neurons behind a region, on networks of two convolutions in place of the real ones."""

from __future__ import annotations

import importlib
import json
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
    with reproduction("region_neurons") as module:
        yield module


@pytest.fixture(scope="module")
def tiny() -> gl.models.ImageModel:
    """A classifier of 16 × 16 pixels with 6 · 7 · 7 neurons at its layer "1"."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layers = nn.Conv2d(3, 6, 3, 2), nn.ReLU6(), nn.Conv2d(6, 8, 3, 2), nn.ReLU6(), nn.Flatten(), nn.Linear(72, 5)
        model = nn.Sequential(*layers).eval()
    return gl.models.ImageModel("tiny", model, gl.models.Preprocessing(18, 16, (127.0,) * 3, (128.0,) * 3))


@pytest.fixture(scope="module")
def found(script: ModuleType, tiny: gl.models.ImageModel) -> dict[str, Any]:
    asked = script.Asked(script.common.Form.SMALL, 4)
    known = script.common.settings(asked) | {"steps": 3, "shares": list(script.SHARES), "layer": "1"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        net = nn.Sequential(nn.Conv2d(1, 2, 5, 4), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10)).eval()
        digits = torch.rand(11, 1, 28, 28)
    judged = script.of_digits(net, "1", digits[:4], digits[4:], steps=2, seed=0)
    return known | script.of_network(tiny, "1", asked, 3) | {"digits": judged}


def test_sums_of_a_photo_are_those_of_the_pruned_network(
    script: ModuleType, tiny: gl.models.ImageModel, found: dict[str, Any]
) -> None:
    """Once more by hand: 10 % of 294 neurons, 29, set to zero, or to what they are at black."""
    asked = script.Asked(script.common.Form.SMALL, 1)
    (item,) = script.boxed(asked, tiny)
    one, model = item.one, tiny.model
    assert found["neurons"] == 294
    assert found["rows"][0]["photo"] == one.name
    score, black = gl.Score(model, gl.Probability(one.predicted)), one.case.baseline()
    region = gl.neurons.region(score, one.x, "1", item.mask[0, 0], baseline=black, steps=3)
    gone = region.values.flatten().argsort(descending=True, stable=True)[:29]
    with torch.no_grad():
        at_black = model[:2](one.x * 0 - 127 / 128).flatten()
    for fill, value in (("zero", torch.zeros(29)), ("baseline", at_black[gone])):

        def pruned(x: torch.Tensor, value: torch.Tensor = value) -> torch.Tensor:
            h = model[:2](x)
            flat = h.flatten(1).index_copy(1, gone, value.expand(len(x), -1))
            return model[2:](flat.reshape(h.shape))

        a = gl.attribute(gl.Score(pruned, gl.Probability(one.predicted)), one.x, baseline=black, steps=3)
        own = found["rows"][0][fill]["region"]
        assert own["score"][3] == pytest.approx(float(a.score), abs=2e-5)
        assert own["inside"][3] == pytest.approx(float((a.values * item.mask).sum()), abs=2e-5)
        assert own["outside"][3] == pytest.approx(float((a.values * (1 - item.mask)).sum()), abs=2e-5)


def test_photos_and_digits_are_all_there(script: ModuleType, found: dict[str, Any]) -> None:
    assert [row["photo"] for row in found["rows"]] == [path.name for path in script.common.photos(4)]
    assert len(found["digits"]["rows"]) == 7
    assert found["digits"]["neurons"] == 72
    for row in (*found["rows"], *found["digits"]["rows"]):
        for fill in ("zero", "baseline"):
            starts = {name: [own[what][0] for what in own] for name, own in row[fill].items()}
            assert list(starts) == ["region", "conductance", "random"]
            assert starts["region"] == starts["conductance"] == starts["random"]
            assert all(len(own[what]) == 5 for own in row[fill].values() for what in own)
    assert all(0.05 < row["box"] < 0.5 for row in found["rows"])


def test_the_layer_is_found_behind_a_wrapper(script: ModuleType, tiny: gl.models.ImageModel) -> None:
    assert script.layer_of(nn.Sequential(tiny.model), "0.1") == "0.1"

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = tiny.model

    assert script.layer_of(Wrapped(), "1") == "model.1"
    assert script.layer_of(tiny.model, "1") == "1"


def test_the_page_holds_the_numbers_and_its_figure_is_drawn(
    script: ModuleType, found: dict[str, Any], tmp_path: Path
) -> None:
    again = json.loads(json.dumps(found, allow_nan=False))
    text = script.page(again)
    assert "{" not in text
    assert "nan" not in text
    assert "294 neurons" in text
    assert "| 1 % | -1.162 | 2.158 | 0.996 |" in text
    assert text.count("## MNIST") == 1
    rows = [line for line in text.splitlines() if "**" in line]
    assert len(rows) == 4 * 9
    assert text.count("| figure |") == 2 * 7
    without = {k: v for k, v in found.items() if k != "digits"}
    photos_alone = script.page(without)
    assert "## MNIST" not in photos_alone
    assert photos_alone.split("## EfficientNet-Lite0")[1].split("## Done")[0] in text
    script.figure(without)(tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text("utf-8")


def test_verdicts_on_made_up_numbers(script: ModuleType) -> None:
    """Ten examples in which the paper's claims are right, then with the two rankings exchanged."""
    claims = importlib.import_module("region_neurons_page").claims_of

    def one(k: int, region: str, conductance: str) -> dict[str, Any]:
        d = k / 100
        by = {"inside": [0.8, -1.0 - d, -1, -1, -1], "outside": [0.2, 2, 2, 2, 2], "score": [1, 0.95, 0.9, 0.9, 0.9]}
        other = {"inside": [0.8, 0.5, 0.3, 0, 0], "outside": [0.2, 0, -0.4 - d, -0.9, 0], "score": [1, 0.5, 0.3, 0, 0]}
        chance = {"inside": [0.8] * 5, "outside": [0.2] * 5, "score": [1.0] * 5}
        return {"zero": {region: by, conductance: other, "random": chance}}

    right = [one(k, "region", "conductance") for k in range(10)]
    assert {c.verdict for c in claims(right, "zero")} == {"holds"}
    first = claims(right, "zero")[0]
    assert first.estimate == pytest.approx(1.8 + 0.045 + 1.8)
    wrong = [c.verdict for c in claims([one(k, "conductance", "region") for k in range(10)], "zero")]
    # of the exchanged ones the sum inside falls by 0.3, 0.5, 0.8, that outside by 0.2, 0.6, 1.1
    assert wrong == ["holds", *["does not hold here"] * 7, "holds"]
    assert {c.verdict for c in claims(right[:2], "zero")} == {"undecided"}


def test_the_committed_page_is_that_of_its_numbers(script: ModuleType) -> None:
    data = ROOT / "region_neurons.json"
    if data.exists():
        written = (ROOT.parent / "docs" / "reproductions" / "region-neurons.md").read_text("utf-8")
        assert written == script.page(json.loads(data.read_text("utf-8"))).rstrip() + "\n"
