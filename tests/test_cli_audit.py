"""`gradline audit`: axioms from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_cases import told

import gradline as gl
from gradline.cli import audit as audit_command
from gradline.cli._app import run
from gradline.sanity.axioms.auditing import AXIOMS, audit

QUICK = ["--cases", "2", "--no-networks"]

MINE = """
import gradline as gl
from gradline.sanity.axioms.explainers import Explainer


def half(model, x, baseline):
    return gl.attribute(gl.Score(model), x, baseline=baseline, steps=32).values / 2


def function():
    return half


def claiming():
    return Explainer("half", half, claims=("completeness",))


def method():
    return gl.methods.gradient()


def broken():
    raise RuntimeError("not today")


number = 3
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_to_audit.py").write_text(MINE, "utf-8")
    monkeypatch.chdir(tmp_path)


def test_json_has_what_the_library_finds(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["audit", "gradient-x-input", "--axiom", "dummy", "--axiom", "completeness", "--seed", "2", *QUICK]
    code, content = told(words, capsys)
    assert code == 0, "it claims no sum"
    found = audit(gl.methods.gradient_x_input(), axioms=["completeness", "dummy"], cases=2, seed=2, networks=False)
    assert {k: v for k, v in content.items() if k != "seconds"} == found.as_dict()
    assert [v["answer"] for v in content["verdicts"]] == ["violated", "holds"]
    assert content["verdicts"][0]["counterexample"]["function"] == "F = x1²"


def test_verdicts_are_shown_with_the_smallest_counterexample(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["audit", "gradient", "--axiom", "completeness", "--axiom", "distributional-dummy", "--axiom", "dummy"]
    assert run([*words, *QUICK]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("gradient: 1 hold, 1 violated, 1 not claimed")
    assert "F = x1; x = (−1), x' = (0): expected Σ A_i = F(x) − F(x') = −1, got 1 from A = (1)" in text
    assert "dummy holds in 8 cases" in text
    assert "not claimed; it has no baseline" in text


@pytest.mark.usefixtures("mine")
def test_methods_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    dummy = ["--axiom", "dummy", "--axiom", "completeness", "--tol", "0.05", *QUICK]
    assert run(["audit", "mine_to_audit:function", *dummy]) == 0
    assert "half: 1 hold, 1 violated" in capsys.readouterr().out
    assert run(["audit", "mine_to_audit:claiming", *dummy]) == 1
    text = capsys.readouterr().out
    assert "violated, and claimed" in text
    assert "though it follows from what the method claims: completeness" in " ".join(text.split())
    code, content = told(["audit", "mine_to_audit:method", *dummy], capsys)
    assert code == 0
    assert content["method"] == "gradient"


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["gradeint"], 2, "did you mean gradient?"),
        (["conductance"], 2, "gradline methods"),
        (["gradient", "--axiom", "simmetry"], 2, "did you mean symmetry?"),
        (["gradient", "--cases", "none"], 2, "--cases"),
        (["gradient", "--cases", "0"], 2, "cases"),
        (["gradient", "--tol", "small"], 2, "--tol"),
        (["gradient", "--tol", "2"], 2, "--tol"),
        (["gradient", "--seed", "x"], 2, "--seed"),
        (["mine_to_audit:nothing"], 2, "nothing"),
        (["nowhere_at_all:make"], 2, "nowhere_at_all"),
        (["mine to audit:make"], 2, "package.module:factory"),
        (["mine_to_audit:number"], 3, "not callable"),
        (["mine_to_audit:broken"], 3, "not today"),
    ],
)
def test_what_is_refused(words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", *words]) == code
    assert said in capsys.readouterr().err


def test_axioms_are_completed() -> None:
    assert next(name for name, _ in audit_command.complete_axiom("d")) == "dummy"
    assert [name for name, _ in audit_command.complete_axiom("")] == [a.name for a in AXIOMS]
