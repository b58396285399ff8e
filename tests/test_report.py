"""The report as text: what stands on the page, and in which order."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from report_cases import attribution, full, noise, other, photo, stages
from report_elements import read

import gradline as gl
from gradline.result.finding import KINDS


def test_the_verdict_comes_first_then_what_weakens_it_then_the_map() -> None:
    a, shown = full()
    finding = KINDS["GL201"].found()
    found = read((replace(a, status=(gl.Status.BUDGET_EXHAUSTED,), findings=(finding,)), shown))
    parts = [
        "speak for “espresso”",
        "NOT converged",
        "GL201",
        KINDS["GL201"].remedy,
        KINDS["GL201"].cause,
        "What the model sees",
        "Share of the map’s size",
        "The path",
        "Other baselines",
        "What efficientnet-lite0 says",
        "Do it again",
        "In Python",
        "Provenance",
    ]
    places = [found.text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_without_findings_it_says_so() -> None:
    a, shown = full()
    found = read((a, replace(shown, baselines=())))
    assert "Nothing else was noticed" in found.text
    assert "What weakens it" not in found.text


def test_the_verdict_says_when_another_baseline_tells_another_story() -> None:
    a, shown = full()
    other = replace(shown.baselines[0], name="white", agreement=-0.41)
    found = read((a, replace(shown, baselines=(*shown.baselines, other))))
    assert "Another baseline gives another map (rank agreement with white −0.41)" in found.text
    assert "Nothing else was noticed" not in found.text
    agreeing = tuple(replace(other, agreement=0.9) for other in shown.baselines)
    assert "Nothing else was noticed" in read((a, replace(shown, baselines=agreeing))).text


@pytest.mark.parametrize(
    ("status", "estimate", "says"),
    [
        ("converged", 0.037, "converged: estimated map error 3.7 %, asked for 5.0 %"),
        ("fixed", None, "How wrong this map is, is not known"),
        ("no_claim", None, "How wrong this map is, is not known"),
        ("nonfinite", float("nan"), "This map cannot be used"),
        ("budget_exhausted", 0.12, "NOT converged: estimated map error 12 %"),
    ],
)
def test_every_end_is_said_plainly(status: str, estimate: float | None, says: str) -> None:
    a, shown = full()
    error = None if estimate is None else torch.tensor([estimate], dtype=torch.float64)
    found = read((replace(a, status=(gl.Status(status),), error_estimate=error), shown))
    assert says in found.text
    gauges = [d for d in found.all("div") if d.get("class") == "gauge"]
    assert len(gauges) == (estimate is not None and np.isfinite(estimate))


def test_a_flat_map_has_no_zones_no_shares_and_says_why() -> None:
    pixels = np.zeros((24, 24))
    flat = attribution(pixels, status=(gl.Status.FLAT,), error_estimate=torch.zeros(1, dtype=torch.float64))
    found = read((flat, photo(stages=stages(np.zeros((12, 12))), baselines=(other("white", pixels, (24, 24)),))))
    assert "zero everywhere" in found.text
    assert "every contribution is zero" in found.text
    assert "nine equal zones" not in found.text
    assert "no share of it to show" in found.text
    assert json.loads(found.numbers)["path"]["share"] is None


def test_a_map_that_is_not_finite_says_so_and_stays_json() -> None:
    pixels = noise(24, 24)
    pixels[3] = np.nan
    a = attribution(
        pixels, status=(gl.Status.NONFINITE,), baseline_score=torch.tensor([-torch.inf], dtype=torch.float64)
    )
    found = read((a, photo(stages=stages(pixels))))
    assert "nothing can be read from it" in found.text
    assert "are not finite, in grey" in found.text
    assert json.loads(found.numbers)["path"]["score"][0] is None


def test_a_method_without_a_path_has_no_panel() -> None:
    a = attribution(noise(24, 24), baseline_score=None, completeness_gap=None, error_estimate=None)
    a = replace(
        a, status=(gl.Status.NO_CLAIM,), provenance={"method_name": "gradient", "unit": "score per unit of the site"}
    )
    found = read((a, photo(start=None, candidates=())))
    assert "The path" not in found.text
    assert "What efficientnet-lite0 says" not in found.text
    assert "raises the score" not in found.text  # a gradient is no contribution
    assert "adds up to" in found.text
    assert "positive" in found.text


def test_what_was_not_kept_is_left_out() -> None:
    bare = photo(start=None, candidates=(), command="", python="")
    found = read((attribution(noise(24, 24)), bare))
    assert "Partial maps of this path were not kept" in found.text
    for absent in ("Where the path starts", "Other baselines", "Copy Python", "Copy command"):
        assert absent not in found.text
    assert "stages" not in json.loads(found.numbers)["path"]


def test_a_path_that_is_not_straight_shows_no_blend() -> None:
    a, shown = full()
    assert "Where the path starts" in read((a, shown)).text
    assert "Where the path starts" not in read((a, replace(shown, straight=False))).text


def test_several_paths_are_said_to_be_several() -> None:
    a, shown = full()
    assert "the mean over 20 paths" in read((a, replace(shown, paths=20))).text
