"""`gradline demo` and `gradline explain` as a user meets them: in a process of its own, or through `run`."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_cases import FAST, gradline, told
from PIL import Image

import gradline as gl
from gradline.cli import _names
from gradline.cli._app import run
from gradline.cli._names import BASELINES, RULES
from gradline.cli._request import Request, command_of
from gradline.cli._show import plain

pytest_plugins = ["cli_fixtures"]


def test_demo_writes_both_files_and_says_what_it_found(here: Path) -> None:
    done = gradline("demo")
    assert done.returncode == 0, done.stderr
    assert "espresso" in done.stdout
    assert "converged" in done.stdout
    assert "Rank agreement with maps from other baselines: white" in done.stdout
    assert done.stdout.index("verdict") < done.stdout.index("Rank agreement") < done.stdout.index("written")
    assert done.stderr == ""
    assert sorted(p.name for p in here.glob("gradline*")) == ["gradline-demo.html", "gradline-demo.png"]
    with Image.open("gradline-demo.png") as image:
        assert image.width > 1000
    assert Path("gradline-demo.html").stat().st_size < 1_000_000


def test_explain_writes_every_kind_of_output(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    suffixes = (".html", ".png", ".svg", ".pdf", ".safetensors", ".json")
    outputs = [word for suffix in suffixes for word in ("-o", f"map{suffix}")]
    assert run(["explain", photo, *FAST, "--no-baselines", *outputs]) == 1
    heads = {suffix: Path(f"map{suffix}").read_bytes()[:200] for suffix in suffixes}
    assert heads[".png"].startswith(b"\x89PNG")
    assert heads[".pdf"].startswith(b"%PDF")
    assert b"<svg" in Path("map.svg").read_bytes()[:1000]
    assert heads[".html"].lower().startswith(b"<!doctype html>")
    a = gl.load("map.safetensors")
    assert a.values.shape == (1, 3, 24, 24)
    numbers = json.loads(Path("map.json").read_text())
    assert numbers["class"]["name"] == ("tabby cat", "lynx", "teapot")[numbers["class"]["index"]]
    assert numbers["status"] == "fixed"
    assert numbers["score"] == pytest.approx(float(a.score[0]))
    shown = capsys.readouterr().out
    assert numbers["class"]["name"] in shown
    assert all(f"written map{suffix}" in shown for suffix in suffixes)


def test_without_outputs_two_files_are_named_after_the_photo(photo: str) -> None:
    assert run(["explain", photo, *FAST, "--no-baselines"]) == 1
    assert {p.name for p in Path().glob("*gradline*")} == {
        "cup of coffee-gradline.html",
        "cup of coffee-gradline.png",
    }


def test_json_is_one_object_and_nothing_else(photo: str) -> None:
    done = gradline("explain", photo, *FAST, "--json", "-o", "map.json")
    assert done.returncode == 1
    content = json.loads(done.stdout)
    assert set(content) == {"photos", "failed", "seconds"}
    (one,) = content["photos"]
    assert one["photo"] == photo
    assert one["evaluations"] == 1
    assert one["files"] == ["map.json"]
    assert one["findings"][0].startswith("GL205")
    assert "example" not in one["findings"][0], "there is only one"
    assert done.stderr == ""


def test_several_photos_one_of_which_is_broken(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("maps").mkdir()
    Path("naïve résumé.jpg").write_bytes(Path(photo).read_bytes())
    Path("broken.jpg").write_text("no photo")
    words = ["explain", "*.jpg", *FAST, "-o", "maps/.json"]
    assert run(words) == 3
    shown = capsys.readouterr()
    assert "broken.jpg" in shown.err
    assert shown.out.splitlines()[-1].endswith("2 fixed, 1 failed: broken.jpg")
    names = {"cup of coffee-gradline.json", "naïve résumé-gradline.json"}
    assert {p.name for p in Path("maps").iterdir()} == names
    code, content = told(words, capsys)
    assert code == 3
    assert [one["photo"] for one in content["photos"]] == [photo, "naïve résumé.jpg"]
    (failed,) = content["failed"]
    assert failed["photo"] == "broken.jpg"
    assert failed["error"]["kind"] == "InputError"


def test_what_concerns_all_photos_stops_at_once(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("second.jpg").write_bytes(Path(photo).read_bytes())
    code, content = told(["explain", photo, "second.jpg", *FAST, "--target", "3", "-o", ".json"], capsys)
    assert code == 2
    assert "from 0 to 2" in content["error"]["message"]
    assert not list(Path().glob("*.json"))


TINY = ["--model", "tiny:make"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["explain", "missing.jpg"], 2, "missing.jpg"),
        (["explain", "*.webp"], 2, "matches no file"),
        (["explain", "empty"], 2, "has none"),
        (["explain", "x" * 5000], 2, "not there"),
        (["explain", "a\0b"], 2, "not there"),
        (["explain", "text.jpg", *TINY], 2, "something else"),
        (["explain", "cup of coffee.jpg", *TINY, "--target", "3"], 2, "from 0 to 2"),
        (["explain", "cup of coffee.jpg", *TINY, "--target", "lync"], 2, "lynx (1)"),
        (["explain", "cup of coffee.jpg", "--tol", "5"], 2, "5 % is written 0.05 or 5%"),
        (["explain", "cup of coffee.jpg", "--tol", "little"], 2, "'little'"),
        (["explain", "cup of coffee.jpg", "--tol", "0.1", "--steps", "9"], 2, "not both"),
        (["explain", "cup of coffee.jpg", *TINY, "--steps", "0"], 2, "at least 1"),
        (["explain", "cup of coffee.jpg", "--steps", "many"], 2, "--steps as a whole number, got 'many'"),
        (["explain", "cup of coffee.jpg", "--seed", "1.5"], 2, "--seed as a whole number, got '1.5'"),
        (["explain", "cup of coffee.jpg", *TINY, "--rule", "simpson", "--steps", "4"], 2, "use --steps 5"),
        (["explain", "cup of coffee.jpg", *TINY, "--max-evaluations", "3"], 2, "--max-evaluations as a whole"),
        (["explain", "cup of coffee.jpg", "-o", "x" * 300 + ".png"], 3, "too long"),
        (["explain", ""], 2, "an empty name"),
        (["explain", "--", "cup of coffee.jpg", "--tol"], 2, "in front of --"),
        (["explain", "cup of coffee.jpg", "--model", "tiny.py:make"], 2, "did you mean tiny:make"),
        (["explain", "cup of coffee.jpg", "--model", "tiny.py"], 2, "did you mean tiny:make"),
        (["explain", "cup of coffee.jpg", "--model", "script:make"], 3, "importing script ended the program"),
        (["explain", "cup of coffee.jpg", "--model", "leaves:make", "--preprocess", "imagenet"], 3, "exit code 5"),
        (["explain", "cup of coffee.jpg", "--model", "resnet"], 2, "efficientnet-lite0"),
        (["explain", "cup of coffee.jpg", "--method", "magic"], 2, "integrated-gradients"),
        (["explain", "cup of coffee.jpg", "--method", "integrated-gradient"], 2, "did you mean integrated-gradients?"),
        (["explain", "cup of coffee.jpg", "--method", "conductance"], 2, "gl.methods.conductance(gl.Layer(name))"),
        (["explain", "cup of coffee.jpg", "--method", "gradient", "--baseline", "white"], 2, "no baseline"),
        (["explain", "cup of coffee.jpg", "--method", "gradient", "--tol", "1%"], 2, "cannot be estimated"),
        (["explain", "cup of coffee.jpg", "--baseline", "pink"], 2, "black"),
        (["explain", "cup of coffee.jpg", "--rule", "magic", "--steps", "9"], 2, "midpoint"),
        (["explain", "cup of coffee.jpg", "--rule", "simpson"], 2, "--steps together with --rule"),
        (["explain", "cup of coffee.jpg", "-o", "map.bmp"], 2, ".safetensors"),
        (["explain", "cup of coffee.jpg", "-o", "map"], 2, ".safetensors"),
        (["explain", "cup of coffee.jpg", "-o", "nowhere/map.png"], 3, "does not exist"),
        (["explain", "cup of coffee.jpg", "-o", "empty"], 3, "empty/.html"),
        (["explain", "cup of coffee.jpg", "-o", "cup of coffee.jpg"], 2, "not one of the photos"),
        (["explain", "cup of coffee.jpg", *TINY, "--memory", "1KiB", "-o", "map.json"], 3, "memory"),
        (["explain", "cup of coffee.jpg", *TINY, "--memory", "much", "-o", "map.json"], 2, "much"),
        (["explain"], 2, "a photo, or a text"),
        (["explain", "cup of coffee.jpg", "--bogus"], 2, "--bogus"),
        (["explian"], 2, "Did you mean 'explain'?"),
        (["--bogus"], 2, "--bogus"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_refusals_say_why_and_write_nothing(
    photo: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str, as_json: bool
) -> None:
    Path("empty").mkdir()
    Path("text.jpg").write_text("no photo")
    Path("script.py").write_text("raise SystemExit(5)")
    Path("leaves.py").write_text("make = lambda: lambda x: exit(5)")
    before = sorted(Path().rglob("*"))
    options = arguments.index("--") if "--" in arguments else len(arguments)
    assert run([*arguments[:options], *["--json"] * as_json, *arguments[options:]]) == code
    shown = capsys.readouterr()
    text = json.loads(shown.out)["error"]["message"] if as_json else shown.err
    assert said in text
    assert "Traceback" not in shown.err
    assert (shown.err if as_json else shown.out) == ""
    assert sorted(Path().rglob("*")) == before


def test_json_in_front_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "methods"]) == 2
    assert "behind the command" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_map_that_did_not_converge_is_a_finding(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = told(["explain", photo, *TINY, "--tol", "0.1%", "--max-evaluations", "8", "-o", "map.json"], capsys)
    assert code == 1
    (one,) = content["photos"]
    assert one["status"] == "budget_exhausted"
    assert one["findings"][0].startswith("GL201")


def test_a_class_by_name_and_by_number_is_the_same(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    maps = []
    for number, target in enumerate(("1", "Lynx")):
        assert told(["explain", photo, *FAST, "--target", target, "-o", f"{number}.safetensors"], capsys)[0] in (0, 1)
        maps.append(gl.load(f"{number}.safetensors"))
    assert maps[0].explained == ("logit of class 1",)
    assert torch.equal(maps[0].values, maps[1].values)


def test_an_accuracy_may_be_written_in_percent(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("20%", "20 %", "0.2"):
        _, content = told(["explain", photo, *TINY, "--tol", text, "-o", "map.json"], capsys)
        assert content["photos"][0]["provenance"]["tol"] == 0.2


def test_maps_from_other_baselines_are_made_on_request(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explain", photo, *FAST, "--baseline", "blur", "-o", "map.json"]
    assert told(words, capsys)[1]["photos"][0]["baselines"] == []
    others = told([*words, "--baselines"], capsys)[1]["photos"][0]["baselines"]
    assert [other["name"] for other in others] == ["black", "white", "noise"]
    assert all(-1 <= other["rank_agreement"] <= 1 for other in others)


@pytest.mark.parametrize("method", gl.methods.names())
def test_every_method_goes_through(photo: str, capsys: pytest.CaptureFixture[str], method: str) -> None:
    few = ["--steps", "2"] if method.startswith("geometrically") else []
    words = ["explain", photo, *TINY, "--method", method, *few, "--baselines", "-o", "map.json"]
    code, content = told(words, capsys)
    assert code in (0, 1)
    assert content["photos"][0]["provenance"]["method_name"] == method


@pytest.mark.parametrize("baseline", BASELINES)
def test_every_baseline_goes_through(photo: str, capsys: pytest.CaptureFixture[str], baseline: str) -> None:
    words = ["explain", photo, *FAST, "--baseline", baseline, "-o", "map.json"]
    assert type(_names.baseline(baseline)).__name__ in told(words, capsys)[1]["photos"][0]["provenance"]["method"]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_goes_through(photo: str, capsys: pytest.CaptureFixture[str], rule: str) -> None:
    words = ["explain", photo, *TINY, "--steps", "5", "--rule", rule, "-o", "map.json"]
    assert told(words, capsys)[1]["photos"][0]["provenance"]["rule"].startswith(RULES[rule])


# ------------------------------------------------------------------------------------------------ interrupted


def test_interrupted_it_leaves_nothing_and_says_so(
    photo: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = {p.name for p in Path().iterdir()}
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", stop)
    assert run(["explain", photo, *FAST, "-o", "map.png"]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert {p.name for p in Path().iterdir()} == before
    code, content = told(["explain", photo, *FAST, "-o", "map.json", "-o", "map.png"], capsys)
    assert code == 130
    assert content["error"] == {"kind": "interrupted", "message": "interrupted; complete: map.json"}
    assert {p.name for p in Path().iterdir()} == before | {"map.json"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_control_c_ends_a_running_command(here: Path, photo: str) -> None:
    """The network stops inside its first forward and says so; the interrupt is sent then."""
    Path("slow.py").write_text(
        "import time, tiny\nfrom dataclasses import replace\n\n\n"
        "def net(x):\n    print('inside', flush=True)\n    time.sleep(60)\n\n\n"
        "def make():\n    return replace(tiny.make(), model=net)\n"
    )
    command = [sys.executable, "-m", "gradline", "explain", photo, "--model", "slow:make", "-o", "map.json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    assert running.stderr.readline() == "inside\n", "what a model prints is not on standard output"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert out == ""
    assert err == "gradline: interrupted; nothing was written\n"
    assert not Path("map.json").exists()


# ------------------------------------------------------------------------------------------------ again


REQUESTS = [
    Request("cup of coffee.jpg", target="lynx", probability=True, steps=3, rule="gauss-legendre", baseline="mean"),
    Request("it's a cup.jpg", steps=2, rule="monte-carlo", seed=7, memory="300MiB", baseline="noise"),
    Request("-dash.jpg", method="gradient"),
    Request("émile.jpg", tol=0.3, max_evaluations=64, probability=True, baselines=True),
]


@pytest.mark.parametrize("asked", REQUESTS)
def test_the_command_and_the_python_that_are_told_repeat_it(
    here: Path, photo: str, capsys: pytest.CaptureFixture[str], asked: Request
) -> None:
    """From a name that does not care how it is written; what comes out is equal, bit for bit."""
    (here / str(asked.photo)).write_bytes((here / photo).read_bytes())
    asked = replace(asked, model="tiny:make")
    command = command_of(asked, (Path("first.safetensors"),))
    (first,) = told(shlex.split(command)[1:], capsys)[1]["photos"]
    assert first["command"] == command
    a = gl.load("first.safetensors")
    words = shlex.split(first["command"].replace("first.safetensors", "second.safetensors"))
    (second,) = told(words[1:], capsys)[1]["photos"]
    assert torch.equal(a.values, gl.load("second.safetensors").values)
    assert first["score"] == second["score"]
    names: dict[str, gl.Attribution] = {}
    exec(first["python"], names)
    assert torch.equal(a.values, names["a"].values)
    assert names["a"].explained == a.explained or not asked.probability


@pytest.mark.parametrize(("value", "shown"), [(2.5, 2.5), (float("nan"), None), (float("inf"), None)])
def test_numbers_in_json_are_numbers_that_json_has(value: float, shown: float | None) -> None:
    assert plain(np.array([value])) == shown
