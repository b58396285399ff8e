"""`gradline compare`: methods and baselines side by side."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cli_cases import told

import gradline as gl
from gradline.cli._app import run

pytest_plugins = ["cli_fixtures"]

TINY = ["--model", "tiny:make"]
BASELINES = ["--baseline", "black", "--baseline", "white"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["integrated-gradients", "gradient-x-input", "gradient"]),
        (BASELINES, ["black", "white"]),
        (["--method", "gradient", "--method", "integrated-gradients"], ["gradient", "integrated-gradients"]),
        (
            ["--method", "gradient", "--method", "integrated-gradients", "--baseline", "blur"],
            ["gradient", "integrated-gradients"],
        ),
        (
            ["--method", "integrated-gradients", "--method", "gradient", *BASELINES],
            ["integrated-gradients from black", "integrated-gradients from white", "gradient"],
        ),
    ],
)
def test_what_is_compared(photo: str, capsys: pytest.CaptureFixture[str], words: list[str], names: list[str]) -> None:
    code, content = told(["compare", photo, *TINY, *words, "-o", "c.json"], capsys)
    assert code == 0
    assert [row["method"] for row in content["maps"]] == names
    assert content["maps"][0]["rank_agreement"] == pytest.approx(1)
    assert all(-1 <= row["rank_agreement"] <= 1 for row in content["maps"])
    written = json.loads(Path("c.json").read_text())
    assert written == {k: v for k, v in content.items() if k not in ("files", "seconds")}


def test_numbers_are_those_of_the_library(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, content = told(["compare", photo, *TINY, *BASELINES, "--tol", "2%", "--target", "lynx", "-o", "c.json"], capsys)
    baselines = gl.baselines.Black(), gl.baselines.White()
    for row, baseline in zip(content["maps"], baselines, strict=True):
        a = gl.explain_image(photo, model="tiny:make", target=1, baseline=baseline, tol=0.02)
        assert row["error_estimate"] == pytest.approx(float(a.error_estimate[0]))
        assert row["evaluations"] == int(a.evaluations[0])
        assert row["status"] == "converged"


def test_it_prints_a_table_and_writes_page_and_figures(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [word for suffix in (".html", ".png", ".svg", ".pdf") for word in ("-o", suffix)]
    assert run(["compare", photo, *TINY, *BASELINES, *outputs]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("in cup of coffee.jpg")
    assert lines[2].split("  ")[0] == "map"
    assert [line.split()[0] for line in lines[3:5]] == ["black", "white"]
    assert all(Path(f"cup of coffee-comparison{s}").stat().st_size > 1000 for s in (".html", ".png", ".svg", ".pdf"))
    page = Path("cup of coffee-comparison.html").read_text("utf-8")
    assert "gradline compare" in page
    assert len(page) < 1_000_000


def test_by_default_a_page_is_written(photo: str) -> None:
    assert run(["compare", photo, *TINY]) == 0
    assert Path("cup of coffee-comparison.html").is_file()


def test_the_command_it_tells_repeats_it(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", photo, *TINY, "--steps", "3", "--method", "gradient", "--method", "integrated-gradients"]
    _, first = told([*words, *BASELINES, "-o", ".json"], capsys)
    _, second = told(shlex.split(first["command"])[1:], capsys)
    assert first["maps"] == second["maps"]


def test_findings_are_shown_and_told_by_the_exit_code(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", photo, *TINY, *BASELINES, "--steps", "1", "-o", ".json"]) == 1
    assert "black: GL205" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--method", "gradient"], 2, "gradient alone"),
        (["--baseline", "blur"], 2, "integrated-gradients from blur alone"),
        (["--method", "gradient", *BASELINES], 2, "no --baseline for gradient"),
        (["--method", "conductance"], 2, "conductance"),
        (["--method", "gradients"], 2, "did you mean gradient?"),
        (["--baseline", "blak"], 2, "did you mean black?"),
        (["--tol", "5", *BASELINES], 2, "5 % is written"),
        (["--tol", "5%", "--steps", "3"], 2, "not both"),
        (["-o", "c.safetensors"], 2, ".html"),
        (["-o", "nowhere/.html"], 3, "does not exist"),
        (["second.jpg"], 2, "second.jpg"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_refusals_say_why(
    photo: str, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str, as_json: bool
) -> None:
    assert run(["compare", photo, *words, *["--json"] * as_json]) == code
    shown = capsys.readouterr()
    assert said in (json.loads(shown.out)["error"]["message"] if as_json else shown.err)


def test_of_one_photo_alone(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("second.jpg").write_bytes(Path(photo).read_bytes())
    assert run(["compare", "*.jpg"]) == 2
    assert "one photo" in capsys.readouterr().err
