"""`gradline neurons`: a region of a photo, on the command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cli_cases import told
from PIL import Image

from gradline.adapters.neurons import explain_region
from gradline.cli._app import run

pytest_plugins = ["cli_fixtures"]

TINY = ["--model", "tiny:make", "--steps", "4"]
BOX = ["--region", "100,40,180,130"]


def test_numbers_are_those_of_the_library(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["neurons", photo, *BOX, *TINY, "--layer", "1", "--layer", "4", "--target", "lynx", "--top", "3"]
    code, content = told([*words, "-o", "n.json"], capsys)
    assert code == 0
    found = explain_region(photo, (100, 40, 180, 130), model="tiny:make", layers=["1", "4"], target=1, steps=4, top=3)
    assert content["class"] == {"index": 1, "name": "lynx"}
    assert content["region"]["photo_pixels"] == [100, 40, 180, 130]
    assert content["region"]["model_pixels"] == pytest.approx([6, 4.8, 15.6, 15.6])
    assert content["region"]["contribution"] == pytest.approx(found.contribution)
    assert [layer["name"] for layer in content["layers"]] == ["1", "4"]
    assert [layer["shape"] for layer in content["layers"]] == [[8, 7, 7], [16]]
    for layer, own in zip(content["layers"], found.layers, strict=True):
        assert [row["channel"] for row in layer["top"]] == [c.index for c in own.channels.top]
        assert layer["sum"] == pytest.approx(content["region"]["contribution"], rel=1e-4)
        assert layer["gap"] == pytest.approx(layer["sum"] - found.contribution, abs=1e-6)
    written = json.loads(Path("n.json").read_text())
    assert written == {k: v for k, v in content.items() if k not in ("files", "seconds")}
    _, again = told(shlex.split(content["command"])[1:], capsys)
    assert again["layers"] == content["layers"]
    assert "explain_region(" in content["python"]
    names: dict[str, object] = {}
    exec(content["python"], names)
    assert names["found"].contribution == found.contribution  # type: ignore[attr-defined]


def test_it_prints_a_card_and_a_table_and_writes_its_files(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [word for suffix in (".html", ".png") for word in ("-o", suffix)]
    assert run(["neurons", photo, *BOX, *TINY, "--knockout", "--top", "2", *outputs]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    said = (
        "tabby cat in cup of coffee.jpg, region 100,40,180,130",
        "sum less region",
        "No --layer was given: 1",
        "1: 8 channels of 7 × 7 places",
        "most active at x",
        "conductance",
        "Contribution outside",
    )
    for words in said:
        assert words in out
    page = Path("cup of coffee-neurons.html").read_text("utf-8")
    assert "gradline neurons" in page
    assert "--knockout" in page
    assert all(Path(f"cup of coffee-neurons{s}").stat().st_size > 10_000 for s in (".html", ".png"))


def test_by_default_a_page_is_written_and_narrow_terminals_are_kept_to(
    photo: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    assert run(["neurons", photo, *BOX, *TINY]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 50
    assert Path("cup of coffee-neurons.html").is_file()


def test_layers_to_choose_from(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = told(["neurons", photo, "--model", "tiny:make", "--list-layers"], capsys)
    assert code == 0
    assert content["layers"][0] == {"name": "0", "shape": [8, 7, 7], "carries_all": True}
    assert [row["name"] for row in content["layers"]] == ["0", "1", "2", "3", "4"]
    assert content["default"] == "1"
    assert run(["neurons", photo, "--model", "tiny:make", "--list-layers"]) == 0
    assert "Without --layer: 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--region LEFT,TOP,RIGHT,BOTTOM"),
        (["--region", "1,2,3"], "--region LEFT,TOP,RIGHT,BOTTOM"),
        (["--region", "9,2,3,8"], "'9,2,3,8'"),
        (["--region", "-9,2,nan,8"], "--region LEFT"),
        (["--region", "10,40,80,130"], "what is left of it is 50,40,80,130"),
        (["--region", "400,40,480,130"], "50,0,250,200"),
        ([*BOX, "--layer", "conv9"], "the name of a layer"),
        ([*BOX, "--top", "0"], "--top from 1"),
        ([*BOX, "--top", "many"], "--top as a whole number"),
        ([*BOX, "-o", "n.gif"], ".html, .png"),
        ([*BOX, "--baseline", "grey"], "a baseline out of black"),
        ([*BOX, "--tol", "5%"], "--tol"),
    ],
)
def test_what_cannot_be_is_refused(photo: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = told(["neurons", photo, *TINY, *words], capsys)
    assert code == 2
    assert said in content["error"]["message"]
    assert not list(Path().glob("*neurons*"))


def test_the_region_is_one_of_the_upright_photo(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A photo that lies on its side and says so is the same photo."""
    with Image.open(photo) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save("straight.png")
        image.transpose(Image.Transpose.ROTATE_90).save("lying.png", exif=exif)
    numbers = [told(["neurons", name, *BOX, *TINY, "-o", ".json"], capsys)[1] for name in ("straight.png", "lying.png")]
    assert numbers[0]["region"] == numbers[1]["region"]
    assert numbers[0]["layers"] == numbers[1]["layers"]
