"""The reproduction of SmoothTaylor, on a network of one convolution in place of the real ones."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import asdict
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
    with reproduction("smooth_taylor") as module:
        yield module


@pytest.fixture(scope="module")
def protocol(script: ModuleType) -> Any:
    return script.Protocol(
        ("tiny",), 3, (1, 2), (0.1, 0.5, 2.0), roots=4, fewer=2, fills=2, kernel=5, regions=4, least=20, rounds=2,
        searched=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def photos(script: ModuleType) -> list[Any]:
    torch.manual_seed(1)
    layers = nn.Conv2d(3, 6, 3, 2), nn.SiLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)
    preprocessing = gl.models.Preprocessing(40, 36, (127.0,) * 3, (128.0,) * 3)
    tiny = gl.models.ImageModel("tiny", nn.Sequential(*layers).eval(), preprocessing)
    found: list[Any] = script.common.examples(script.Asked(script.common.Form.SMALL, 2), tiny)
    return found


@pytest.fixture(scope="module")
def found(script: ModuleType, protocol: Any, photos: list[Any]) -> dict[str, Any]:
    known = script.common.settings(script.Asked(script.common.Form.SMALL, 2)) | {"protocol": asdict(protocol)}
    measured: dict[str, Any] = known | {"models": {"tiny": script.of_model(photos, protocol, 3)}}
    return measured


NAMES = (
    "IG zero",
    "IG noise, N = 1",
    "IG noise, N = 2",
    "ST, σ = 0.1, R = 4",
    "ST, σ = 0.5, R = 4",
    "ST, σ = 2, R = 4",
    "ST, σ = 0.5, R = 2",
)


def test_maps_are_those_of_the_protocol(script: ModuleType, protocol: Any, photos: list[Any]) -> None:
    """σ in deviations of ImageNet: 0.226 of 255 grey values, which are 255 / 128 in the network's units."""
    one = photos[0]
    maps = script.maps(one, protocol, 3)
    assert tuple(maps) == NAMES
    assert script.unit(one) == pytest.approx(0.226 * 255 / 128)
    method = gl.methods.smooth_taylor(0.5 * 0.226 * 255 / 128, 4)
    smooth = gl.attribute(one.score, one.x, method, names=[one.name], seed=3).values
    torch.testing.assert_close(maps["ST, σ = 0.5, R = 4"], smooth)
    black = gl.attribute(one.score, one.x, baseline=-127 / 128, steps=3, rule=gl.rules.RightRiemann).values
    torch.testing.assert_close(maps["IG zero"], black)
    noise = [script.path(one, gl.baselines.PixelNoise(), protocol, 4000 + k) for k in range(2)]
    torch.testing.assert_close(maps["IG noise, N = 1"], noise[0])
    torch.testing.assert_close(maps["IG noise, N = 2"], (noise[0] + noise[1]) / 2)


def test_every_map_is_judged_by_the_papers_metrics(
    found: dict[str, Any], script: ModuleType, photos: list[Any]
) -> None:
    rows = found["models"]["tiny"]
    assert [row["photo"] for row in rows] == ["astronaut.png", "chelsea.png"]
    assert all(tuple(row["maps"]) == NAMES for row in rows)
    one = photos[1]
    values = script.maps(one, script.Protocol(**found["protocol"]), 3)["IG zero"]
    aupc = gl.metrics.PerturbationScore(5, 4, 2, last_offset=False)
    options: dict[str, Any] = {"pixels": one.model.pixels, "names": [one.name], "seed": 3}
    expected = [
        float(gl.evaluate(metric, one.score, one.x, values, **options).values)
        for metric in (aupc, gl.metrics.TotalVariation(least=20))
    ]
    assert rows[1]["maps"]["IG zero"] == pytest.approx(expected)


def test_the_search_is_made_for_the_first_photos_and_judged_anew(found: dict[str, Any], photos: list[Any]) -> None:
    first, second = found["models"]["tiny"]
    assert "search" not in second
    for name in ("AUPC", "AUTVC"):
        told = first["search"][name]
        assert told["objective"] == min(value for _, value in told["trace"])
        assert [told["sigma"], told["objective"]] in told["trace"]
        assert 1 <= len(told["trace"]) <= 5
        assert told["trace"][1][0] - told["trace"][0][0] == pytest.approx(0.1)
        assert told["trace"][0][0] == pytest.approx(float(photos[0].x.abs().mean()) / (0.226 * 255 / 128), rel=1e-5)
    assert first["search"]["AUTVC"]["judged"][1] == pytest.approx(first["search"]["AUTVC"]["objective"])
    assert first["search"]["AUPC"]["judged"][0] != first["search"]["AUPC"]["objective"], "other fills"


def test_the_page_is_made_from_what_is_kept_alone(found: dict[str, Any], script: ModuleType, tmp_path: Path) -> None:
    page = script.page(found)
    assert script.page(json.loads(json.dumps(found, allow_nan=False))) == page
    assert all(name in page for name in NAMES)
    assert "{" not in page
    assert all(said in page for said in ("23.63 / 1.52", "19.30 / 1.05", "undecided", "5 × 5"))
    assert page.count("**undecided**") == 12
    assert max(len(line) for line in page.splitlines() if not line.startswith(("|", "!"))) < 150
    script.figure(found)(tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text("utf-8")


def test_claims_hold_where_the_papers_order_is_found(script: ModuleType, protocol: Any) -> None:
    """Eight photos with the order of the paper and a little of each photo's own; then with all of it turned round."""

    def photo(k: int, sign: float) -> dict[str, Any]:
        def judged(aupc: float, autvc: float) -> list[float]:
            return [sign * aupc + k, sign * autvc + 0.1 * k]

        maps = {
            "IG zero": judged(23, 1.5),
            "IG noise, N = 1": judged(22, 1.6),
            "IG noise, N = 2": judged(22 + 0.1 * k, 1.4),
            "ST, σ = 0.1, R = 4": judged(22, 1.4),
            "ST, σ = 0.5, R = 4": judged(21, 1.2),
            "ST, σ = 2, R = 4": judged(24, 1.25),
            "ST, σ = 0.5, R = 2": judged(21.5, 1.5),
        }
        search = {
            "AUPC": {"sigma": 0.5, "objective": 19.0, "trace": [[0.5, 19.0]], "judged": judged(20, 1.15)},
            "AUTVC": {"sigma": 1.0, "objective": 1.0, "trace": [[1.0, 1.0]], "judged": judged(22, 1.0)},
        }
        return {"photo": str(k), "maps": maps, "search": search}

    claims = importlib.import_module("smooth_taylor_page").claims_of
    told = claims([photo(k, 1.0) for k in range(8)], asdict(protocol))
    assert [c.verdict for c in told] == ["holds"] * 12
    assert [round(c.estimate, 2) for c in told] == [2, 0.3, 1.35, 0.2, 0.5, 0.3, 1, 3, 1, 0.2, 2, 0.15]
    turned = claims([photo(k, -1.0) for k in range(8)], asdict(protocol))
    assert {c.verdict for c in turned} == {"does not hold here"}


def test_forms_differ_in_size_alone(script: ModuleType) -> None:
    forms = {form: script.Protocol.of(script.Asked(form, 2)) for form in script.common.Form}
    assert forms["usual"] == script.Protocol()
    assert (forms["full"].roots, forms["full"].fills, len(forms["full"].models)) == (150, 50, 3)
    assert forms["small"].roots < 10
    for one in forms.values():
        assert {0.1, 0.5, 2.0} <= set(one.sigmas)
        assert one.metrics(2)["AUPC"] == gl.metrics.PerturbationScore(15, one.regions, 2, last_offset=False)
