"""`gradline evaluate`: methods judged over photos, from the command line."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from board_cases import Inside
from cli_cases import told
from PIL import Image
from safetensors.torch import save_file

import gradline as gl
from gradline.cli import _evaluate
from gradline.cli._app import run
from gradline.metrics.curves.deletion import Deletion

pytest_plugins = ["cli_fixtures"]

FAST = ["--model", "tiny:make", "--steps", "2", "--metric", "deletion", "--metric", "insertion"]


@pytest.fixture
def photos(photo: str) -> list[str]:
    """Three photos: the demo's, turned and mirrored."""
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save("mirrored.png")
        image.rotate(90).save("turned.png")
    return [photo, "mirrored.png", "turned.png"]


def test_numbers_are_those_of_the_library(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", *photos, *FAST, "--method", "integrated-gradients", "-o", "b.json"]
    code, content = told(words, capsys)
    assert code == 0
    assert content["examples"] == photos
    assert [row["method"] for row in content["table"][:: 2 * 3]] == [
        "integrated-gradients",
        "random map",
        "edge detector",
    ]
    case = gl.image_case(photos[1], gl.models.image_model("tiny:make"))
    method = gl.methods.integrated_gradients().starting_at(case.baseline())
    target = int(case.probabilities().argmax())
    a = gl.attribute(gl.Score(case.model.model, target), case.x, method, steps=2)
    alone = gl.evaluate(Deletion(), gl.Score(case.model.model, target), case.x, a)
    assert content["table"][1]["value"] == pytest.approx(float(alone.values[0]), abs=1e-6)
    written = json.loads(Path("b.json").read_text("utf-8"))
    assert written == {k: v for k, v in content.items() if k not in ("files", "seconds")}


def test_it_prints_rankings_and_writes_files(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [word for suffix in (".html", ".csv", ".md", ".svg") for word in ("-o", suffix)]
    assert run(["evaluate", *photos, *FAST, *outputs]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "deletion ↓  lower is better; 3 examples"
    assert sum("(control)" in line for line in lines) == 4
    assert any("no difference can be called real" in line for line in lines)
    assert any("16 steps" in line for line in lines)
    with Path("leaderboard.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5 * 2 * 3
    page = Path("leaderboard.html").read_text("utf-8")
    assert "gradline evaluate" in page
    assert all(Path(f"leaderboard{suffix}").stat().st_size > 500 for suffix in (".md", ".svg"))


def test_the_command_it_tells_repeats_it(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = [*FAST, "--baseline", "black", "--baseline", "white", "--no-controls", "--target", "lynx", "--seed", "3"]
    _, first = told(["evaluate", *photos, *words, "-o", "b.json"], capsys)
    _, second = told(shlex.split(first["command"])[1:], capsys)
    assert first["table"] == second["table"]
    assert {row["method"] for row in first["table"]} == {"black", "white"}
    assert first["explained"] == ["logit of class 1"] * 3


def test_by_default_a_page_named_after_the_photo(photo: str) -> None:
    assert run(["evaluate", photo, "--model", "tiny:make", "--steps", "1", "--metric", "deletion"]) == 0
    assert Path("cup of coffee-leaderboard.html").is_file()


def test_maps_of_other_tools(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The same maps as an array, as another tool's tensor and as an attribution of ours: the same numbers."""
    model = gl.models.image_model("tiny:make")
    x = torch.cat([gl.image_case(p, model).x for p in photos])
    a = gl.attribute(gl.Score(model.model, 1), x, steps=2)
    np.save("a.npy", a.values.numpy())
    save_file({"maps": a.values}, "b.safetensors")
    a.save("c.safetensors")
    made = [
        word
        for name, file in (("a", "a.npy"), ("b", "b.safetensors"), ("c", "c.safetensors"))
        for word in ("--maps", f"{name}={file}")
    ]
    words = ["--target", "1", "--no-controls", "--method", "gradient", *made, "-o", "x.json"]
    _, content = told(["evaluate", *photos, *FAST, *words], capsys)
    values = {m: [r["value"] for r in content["table"] if r["method"] == m] for m in ("a", "b", "c")}
    assert values["a"] == pytest.approx(values["c"])
    assert values["b"] == pytest.approx(values["c"])


def test_masks_are_scaled_and_cut_like_the_photos(
    photos: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mask that is white where the model looks holds all of every map; one that is black there, nothing."""
    monkeypatch.setattr(_evaluate, "_metrics", lambda wanted: {"inside": Inside()})
    Path("masks").mkdir()
    white = Image.new("L", (300, 200), 255)
    white.save("masks/cup of coffee.png")
    white.save("masks/mirrored.png")
    Image.new("L", (300, 200), 0).save("masks/turned.png")
    words = ["--masks", "masks", "--no-controls", "--method", "gradient", "-o", "x.json"]
    _, content = told(["evaluate", *photos, "--model", "tiny:make", *words], capsys)
    assert [row["value"] for row in content["table"]] == pytest.approx([1, 1, 0])


def test_an_interruption_writes_what_was_done(
    photos: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradline.evaluation import contest

    whole = contest.boards

    def halting(*given: Any, **more: Any) -> Any:
        yield next(whole(*given, **more, group=2))
        raise KeyboardInterrupt

    monkeypatch.setattr(contest, "boards", halting)
    assert run(["evaluate", *photos, *FAST, "-o", "b.csv"]) == 130
    assert "interrupted after 2 of 3 photos" in capsys.readouterr().err
    with Path("b.csv").open(encoding="utf-8", newline="") as file:
        assert {row["example"] for row in csv.DictReader(file)} == set(photos[:2])


def test_maps_that_are_not_what_was_asked_for_are_a_finding(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "tiny:make", "--tol", "0.001%", "--max-evaluations", "8", "--metric", "deletion", "-o", ".json"]
    assert run(["evaluate", photo, *words]) == 1
    assert "1 of 1 maps of integrated-gradients are not as accurate as asked for" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--metric", "delition"], 2, "did you mean deletion?"),
        (["--metric", "relevance-mass"], 2, "--masks for relevance-mass"),
        (["--method", "gradients"], 2, "did you mean gradient?"),
        (["--maps", "a"], 2, "NAME=FILE"),
        (["--maps", "a=b.txt"], 2, "NAME=FILE"),
        (["--maps", "a=b.npy"], 2, "which is not there"),
        (["--tol", "5%", "--steps", "3"], 2, "not both"),
        (["-o", "c.safetensors"], 2, ".parquet"),
        (["-o", "nowhere/.html"], 3, "does not exist"),
        (["nobody.jpg"], 2, "nobody.jpg"),
        (["-o", "cup of coffee.jpg"], 2, "cup of coffee.jpg"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_refusals_say_why(
    photo: str, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str, as_json: bool
) -> None:
    assert run(["evaluate", photo, *words, *["--json"] * as_json]) == code
    shown = capsys.readouterr()
    assert said in (json.loads(shown.out)["error"]["message"] if as_json else shown.err)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: np.save("bad.npy", np.array(["a"])), "real numbers"),
        (lambda: Path("bad.npy").write_bytes(b"nothing"), "an array in bad.npy"),
        (lambda: np.save("bad.npy", np.zeros((2, 3, 24, 24))), "1 maps for bad"),
    ],
)
def test_files_without_maps_are_refused(photo: str, capsys: pytest.CaptureFixture[str], make: Any, said: str) -> None:
    make()
    assert run(["evaluate", photo, *FAST, "--maps", "bad=bad.npy"]) == 2
    assert said in capsys.readouterr().err


def test_masks_that_are_missing_are_named(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", photo, *FAST, "--masks", "masks"]) == 2
    assert "a mask for cup of coffee.jpg" in capsys.readouterr().err


def test_a_real_network_and_a_real_photo(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    """EfficientNet-Lite0 and a cup of coffee: the gradient times the input deletes it sooner than the gradient."""
    methods = ["--method", "gradient-x-input", "--method", "gradient", "--no-controls"]
    code, content = told(["evaluate", photo, *methods, "--metric", "deletion", "-o", "b.html"], capsys)
    assert code == 0
    assert content["metrics"]["deletion"]["ranking"][0]["method"] == "gradient-x-input"
    assert content["provenance"]["forwards_of_metrics"] == 2 * 15 + 2
    assert Path("b.html").stat().st_size > 50_000
