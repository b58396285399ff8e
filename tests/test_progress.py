"""`progress=True`: a live line on standard error, and nothing else changes."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

import gradline as gl
from gradline.engine.progress import progress


def test_it_shows_examples_evaluations_and_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("rich.console.Console", lambda **_: Console(file=screen, force_terminal=True, width=120))
    with progress(True, 3) as watch:
        watch(2, 57, 0.0391)
    shown = screen.getvalue()
    assert "2/3" in shown
    assert "57 gradients" in shown
    assert "3.9 %" in shown


def test_the_answer_is_the_same_and_standard_output_stays_empty(capfd: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    model, x = (
        torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2)).eval(),
        torch.ones(3, 4),
    )
    quiet, loud = gl.explain(model, x, 0), gl.explain(model, x, 0, progress=True)
    assert torch.equal(quiet.values, loud.values)
    assert capfd.readouterr().out == ""


def test_without_rich_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rich.progress", None)
    with pytest.raises(gl.MissingExtra, match=r"gradline\[cli\]"):
        gl.explain(lambda x: x, torch.ones(1, 1), progress=True)
