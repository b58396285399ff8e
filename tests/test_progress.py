"""`progress=True`: a live line on standard error, and nothing else changes; the time left is worked out on paper."""

from __future__ import annotations

import io
import re

import pytest
import torch
from rich.console import Console

import gradline as gl
from gradline.core.paths import FixedBudget, OwnBudget, ToleranceBudget
from gradline.engine import progress as module
from gradline.engine.progress import Forecast, facts, left, progress

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is drawn on a terminal of 120 columns."""
    drawn = io.StringIO()
    monkeypatch.setattr("rich.console.Console", lambda **_: Console(file=drawn, force_terminal=True, width=120))
    return drawn


def test_it_shows_examples_evaluations_and_the_estimate(screen: io.StringIO) -> None:
    with progress(True, 3) as watch:
        watch(2, 57, 0.0391)
    shown = screen.getvalue()
    assert "2/3 examples" in shown
    assert "57 gradients" in shown
    assert "estimated error 3.9 %" in shown


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (FixedBudget(50, gl.rules.Midpoint()), r"(?<!about )\b40 s left"),
        (ToleranceBudget(0.05, 512), "about 40 s left"),
    ],
)
def test_it_shows_the_time_left(
    screen: io.StringIO, monkeypatch: pytest.MonkeyPatch, budget: object, said: str
) -> None:
    """10 gradients in 10 s. Of 50 steps, 40 are left. By the first reading the error falls like 1/n: 0.2 · 1.25 is five
    times the tolerance, so five times as many gradients will be needed."""
    clock = iter([0.0, 10.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock, 10.0))
    with progress(True, 1, budget) as watch:
        watch(0, 10, 0.2)
    assert re.search(said, ESCAPE.sub("", screen.getvalue()))


def test_the_answer_is_the_same_and_standard_output_stays_empty(capfd: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    model, x = (
        torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2)).eval(),
        torch.ones(3, 4),
    )
    for budget in ({}, {"steps": 7}, {"method": gl.methods.gradient()}):
        quiet, loud = gl.explain(model, x, 0, **budget), gl.explain(model, x, 0, **budget, progress=True)
        assert torch.equal(quiet.values, loud.values)
    assert capfd.readouterr().out == ""


def test_without_rich_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rich.progress", None)
    with pytest.raises(gl.MissingExtra, match=r"gradline\[cli\]"):
        gl.explain(lambda x: x, torch.ones(1, 1), progress=True)


# ------------------------------------------------------------------------------------------------ the forecast


def test_with_steps_the_number_of_gradients_is_known() -> None:
    forecast = Forecast.of(3, FixedBudget(50, gl.rules.Midpoint()), draws=4)
    assert forecast.exact
    assert forecast.total(0, 8, 0.0) == 3 * 50 * 4


@pytest.mark.parametrize("power", [0.5, 0.75, 1.0, 1.5, 2.0])
def test_an_error_that_falls_like_a_power_is_foretold_exactly(power: float) -> None:
    """error = c n^−p meets tol/1.25 at n = (1.25 c / tol)^(1/p)."""
    c, tol = 2.0, 2e-4
    forecast = Forecast.of(1, ToleranceBudget(tol, 10**9), draws=1)
    for spent in (8, 12, 16, 20):
        found = forecast.total(0, spent, c * spent**-power)
    assert found == pytest.approx((1.25 * c / tol) ** (1 / power))


def test_a_forecast_stays_between_what_is_spent_and_what_may_be() -> None:
    forecast = Forecast.of(1, ToleranceBudget(0.001, 512), draws=1)
    assert forecast.total(0, 8, 0.9) == 512
    assert Forecast.of(1, ToleranceBudget(0.05, 512), draws=1).total(0, 40, 0.03) == 40
    rising = Forecast.of(1, ToleranceBudget(0.05, 512), draws=1)
    rising.total(0, 8, 0.1)
    assert rising.total(0, 12, 0.2) == pytest.approx(12 * 5**2), "an error that rises is taken to fall like 1/√n"


def test_examples_that_are_done_speak_for_the_others() -> None:
    forecast = Forecast.of(10, ToleranceBudget(0.05, 512), draws=1)
    assert forecast.total(4, 200, 0.3) == 500
    assert forecast.total(10, 480, 0.0) == 480


@pytest.mark.parametrize("estimate", [0.0, float("nan"), float("inf")])
def test_where_nothing_is_known_nothing_is_foretold(estimate: float) -> None:
    assert Forecast.of(1, ToleranceBudget(0.05, 512), draws=1).total(0, 8, estimate) is None
    assert Forecast.of(1, OwnBudget(), draws=1).total(0, 1, 0.3) is None
    assert Forecast.of(1000, ToleranceBudget(0.05, 512), draws=1).total(0, 64, 0.3) is None
    assert "error" not in facts(0, 1, 8, estimate)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "1 s left"),
        (0.2, "1 s left"),
        (4.1, "5 s left"),
        (99, "99 s left"),
        (150, "2 min left"),
        (7200, "2.0 h left"),
    ],
)
def test_time_left_in_words(seconds: float, said: str) -> None:
    assert left(seconds, about=False) == said
    assert left(seconds, about=True) == f"about {said}"
