"""The command line as a user meets it: in a process of its own, or through `run` where that is the same."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import gradline as gl
from gradline.cli._app import run
from gradline.cli._explain import Request, _plain, command_of, python_of

FAST = ["--steps", "2"]  # leaves a wide completeness gap: a finding, so exit code 1


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(here: Path) -> str:
    with Image.open(gl.demo_photo()) as image:
        image.save(here / "cup of coffee.jpg")
    return "cup of coffee.jpg"


def gradline(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, on one thread: two on a busy machine are many times slower."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "gradline", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_demo_writes_both_files_and_says_what_it_found(here: Path) -> None:
    done = gradline("demo")
    assert done.returncode == 0, done.stderr
    assert "espresso" in done.stdout
    assert "converged" in done.stdout
    assert sorted(p.name for p in here.iterdir()) == ["gradline-demo.html", "gradline-demo.png"]
    with Image.open("gradline-demo.png") as image:
        assert image.width > 1000
    page = Path("gradline-demo.html").read_text()
    assert len(page) < 1_000_000
    assert "http://" not in page
    assert "https://" not in page


def test_explain_writes_every_kind_of_output(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [f"map{suffix}" for suffix in (".html", ".png", ".safetensors", ".json")]
    assert run(["explain", photo, *FAST, *(w for o in outputs for w in ("-o", o))]) == 1
    assert all(Path(o).stat().st_size > 500 for o in outputs)
    a = gl.load("map.safetensors")
    assert a.values.shape == (1, 3, 224, 224)
    told = json.loads(Path("map.json").read_text())
    assert told["class"] == {"index": 967, "name": "espresso"}
    assert told["status"] == "fixed"
    assert told["score"] == pytest.approx(float(a.score[0]))
    assert "espresso" in capsys.readouterr().out


def test_without_outputs_two_files_are_named_after_the_photo(photo: str) -> None:
    assert run(["explain", photo, *FAST]) == 1
    assert Path("cup of coffee-gradline.html").exists()
    assert Path("cup of coffee-gradline.png").exists()


def test_json_is_one_object_and_nothing_else(photo: str) -> None:
    done = gradline("explain", photo, *FAST, "--json", "-o", "map.json")
    told = json.loads(done.stdout)
    assert told["evaluations"] == 2
    assert told["files"] == ["map.json"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["explain", "missing.jpg"], 2, "missing.jpg"),
        (["explain", "cup of coffee.jpg", "--target", "1000"], 2, "from 0 to 999"),
        (["explain", "cup of coffee.jpg", "--tol", "5"], 2, "between 0 and 1"),
        (["explain", "cup of coffee.jpg", "--tol", "0.1", "--steps", "9"], 2, "not both"),
        (["explain", "cup of coffee.jpg", "--model", "resnet"], 2, "efficientnet-lite0"),
        (["explain", "cup of coffee.jpg", "--method", "magic"], 2, "integrated-gradients"),
        (["explain", "cup of coffee.jpg", "--method", "gradient", "--baseline", "white"], 2, "no baseline"),
        (["explain", "cup of coffee.jpg", "--baseline", "pink"], 2, "black"),
        (["explain", "cup of coffee.jpg", "--rule", "magic", "--steps", "9"], 2, "midpoint"),
        (["explain", "cup of coffee.jpg", "-o", "map.bmp"], 2, ".safetensors"),
        (["explain", "cup of coffee.jpg", "-o", "nowhere/map.png"], 3, "does not exist"),
        (["explain", "cup of coffee.jpg", "--memory", "1MiB"], 3, "memory"),
        (["explain"], 2, "photo"),
        (["explain", "cup of coffee.jpg", "--bogus"], 2, "--bogus"),
        (["bogus"], 2, "bogus"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_refusals_say_why_and_write_nothing(
    photo: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str, as_json: bool
) -> None:
    before = sorted(Path().iterdir())
    assert run([*arguments, *["--json"] * as_json]) == code
    shown = capsys.readouterr()
    text = json.loads(shown.out)["error"]["message"] if as_json else shown.err
    assert said in text
    assert (shown.err if as_json else shown.out) == ""
    assert sorted(Path().iterdir()) == before


def test_a_map_that_did_not_converge_is_a_finding(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", photo, "--max-evaluations", "8", "--json", "-o", "map.json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "budget_exhausted"
    assert told["findings"][0].startswith("GL201")


def test_interrupted_it_leaves_nothing(photo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = sorted(Path().iterdir())
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", stop)
    assert run(["explain", photo, *FAST, "-o", "map.png"]) == 130
    assert sorted(Path().iterdir()) == before


def test_the_repeating_command_repeats(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["explain", photo, "--target", "968", "--probability", "--steps", "3", "--rule", "gauss-legendre"]
    assert run([*asked, "--baseline", "mean", "-o", "first.safetensors"]) == 1
    request = Request(photo, target=968, probability=True, steps=3, rule="gauss-legendre", baseline="mean")
    again = command_of(request, [Path("second.safetensors")])
    assert gradline(*shlex.split(again)[1:]).stderr == ""
    first, second = gl.load("first.safetensors"), gl.load("second.safetensors")
    assert torch.allclose(first.values, second.values, rtol=1e-3, atol=1e-6)  # kernels may differ between processes
    names: dict[str, gl.Attribution] = {}
    exec(python_of(request, 968), names)
    assert torch.equal(first.values, names["a"].values)


def test_the_repeating_python_names_the_predicted_class_and_runs(photo: str) -> None:
    request = Request(photo, probability=True, steps=2, rule="monte-carlo", seed=7, memory="300MiB")
    code = python_of(request, 967)
    assert "gl.Probability(967)" in code
    names: dict[str, gl.Attribution] = {}
    exec(code, names)
    assert run([*shlex.split(command_of(request, [Path("map.safetensors")]))[1:]]) == 1
    assert torch.equal(names["a"].values, gl.load("map.safetensors").values)


@pytest.mark.parametrize(("value", "shown"), [(2.5, 2.5), (float("nan"), None), (float("inf"), None)])
def test_numbers_in_json_are_numbers_that_json_has(value: float, shown: float | None) -> None:
    assert _plain(torch.tensor([value])) == shown


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("demo", "explain"):
        assert run([command, "--help"]) == 0
        text = capsys.readouterr().out
        assert "Example" in text
        assert "--json" in text
