"""What the report says: sentences follow from the numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from report_cases import attribution, other, photo

import gradline as gl
from gradline.plots import path_panel
from gradline.report import agreement, words
from gradline.result.spelling import short


def test_the_path_in_words() -> None:
    a = attribution(np.ones((6, 6)))
    panel = path_panel(a)
    assert panel is not None
    text = words.path(panel, np.array([0, 0.25, 1.0]), 1)
    assert "the score goes from 0 to 8" in text
    assert "Half of the map is made by t = 0.67" in text  # 0.5 + 0.5 · (0.5 − 0.25) / 0.75
    assert "90\N{NO-BREAK SPACE}% of that change is first made by t = 0.95" in text  # 7.2 between 6.125 and 8
    late = replace(panel, t=panel.t[1:], score=panel.score[1:])
    assert words.path(late, None, 5).startswith("On the way from t = 0.12 to the photo")
    assert "the mean over 5 paths" in words.path(panel, None, 5)
    assert "gaps in the line" in words.path(replace(panel, score=panel.score * np.nan), None, 1)


@pytest.mark.parametrize(
    ("rank", "begins"),
    [
        (0.93, "The choice of baseline hardly matters"),
        (0.6, "The choice of baseline matters for details"),
        (-0.4, "The choice of baseline matters here"),
    ],
)
def test_what_follows_from_other_baselines(rank: float, begins: str) -> None:
    pixels = np.ones((6, 6))
    others = [other("white", pixels, (6, 6), agreement=rank), other("blur", pixels, (6, 6), agreement=0.95)]
    text = agreement.of_baselines(others, "black")
    assert text.startswith(begins)
    assert f"lowest with white: {agreement.signed(rank)}" in text
    flat = [other("white", pixels, (6, 6), agreement=float("nan"))]
    assert "no ranks" in agreement.of_baselines(flat, "black")


def test_signs_of_print() -> None:
    assert words.typeset("-0.158 (1.5 % of F(x) - F(x'))") == "−0.158 (1.5\N{NO-BREAK SPACE}% of F(x) − F(x′))"
    assert words.typeset("efficientnet-lite0, x-2") == "efficientnet-lite0, x-2"
    assert agreement.signed(-0.4) == "−0.40"


def test_what_weakens_a_map_is_explained_from_the_list_of_findings() -> None:
    from gradline.result.finding import KINDS

    known = words.weakness(KINDS["GL107"].found())
    assert known["cause"] == KINDS["GL107"].cause
    assert known["consequence"] == ""  # it is the detail already
    detailed = words.weakness(KINDS["GL107"].found("p = 0.999"))
    assert detailed["consequence"] == KINDS["GL107"].consequence
    foreign = words.weakness(gl.Finding("XX1", "a plug-in's", "detail", "remedy"))
    assert foreign["cause"] == ""


@pytest.mark.parametrize(
    ("statuses", "tone", "text"),
    [
        (["converged", "converged"], "good", "All maps converged"),
        (["converged", "no_claim"], "plain", "1 of 2 maps converged"),
        (["converged", "budget_exhausted"], "bad", "1 of 2 maps is not"),
        (["nonfinite", "budget_exhausted"], "bad", "2 of 2 maps are not"),
    ],
)
def test_several_verdicts_in_one(statuses: list[str], tone: str, text: str) -> None:
    said, found = words.methods_summary([gl.Status(s) for s in statuses])
    assert found == tone
    assert said.startswith(text)


def test_the_question_and_the_answer_in_a_line() -> None:
    a = attribution(np.ones((6, 6)))
    assert words.question(photo()) == "Which pixels of cup.png speak for “espresso”?"
    assert (
        words.made_by(a, photo()) == "integrated-gradients of efficientnet-lite0, logit of class 967, path from black"
    )
    assert words.made_by(a, photo(paths=2, baseline="")).endswith("logit of class 967, mean over 2 paths")
    assert words.made_by(a, photo(baseline="")).endswith("logit of class 967")


@pytest.mark.parametrize("name", ["קפה.jpg", "قهوة", "cup\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"])
def test_names_from_right_to_left_do_not_turn_the_sentence_round(name: str) -> None:
    said = words.question(photo(name=name))
    assert said == f"Which pixels of \N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE} speak for “espresso”?"


def test_what_made_several_maps_is_said_once_where_it_is_the_same() -> None:
    one = attribution(np.ones((6, 6)), provenance={"seed": 0, "method_name": "a", "tol": 0.05})
    two = replace(one, provenance={"seed": 0, "method_name": "b"})
    assert words.provenance({"": one}) == [("seed", 0), ("method name", "a"), ("tol", 0.05)]
    assert words.provenance({"A": one, "B": two}) == [
        ("seed", 0), ("method name, A", "a"), ("method name, B", "b"), ("tol, A", 0.05), ("tol, B", "–"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1200"), (0.0341, "0.034"), (7, "7"), (0, "0"), (-1.26, "-1.3"), (1.2e-9, "1.2e-09")]
)
def test_numbers_in_short(value: float, text: str) -> None:
    assert short(value) == text
