"""Which photos are meant and which files are written for each, before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradline as gl
from gradline.cli import _outputs
from gradline.cli._names import share
from gradline.cli._outputs import find_photos, plan
from gradline.cli._request import Request, command_of


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files that look like photos by their names."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat.jpg", "dog.png", "cat[1].jpg", "über uns.JPG", "notes.txt", "more/cat.jpg", "more/deep/ox.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["cat.jpg"], ["cat.jpg"]),
        (["cat.jpg", "./cat.jpg", "cat.*"], ["cat.jpg"]),
        (["*.jpg"], ["cat.jpg", "cat[1].jpg"]),
        (["cat[1].jpg"], ["cat[1].jpg"]),
        (["*[1].jpg"], []),
        (["more"], ["more/cat.jpg"]),
        (["more/**/*.webp"], ["more/deep/ox.webp"]),
        (["."], ["cat.jpg", "cat[1].jpg", "dog.png", "über uns.JPG"]),
        (["dog.png", "cat.jpg"], ["dog.png", "cat.jpg"]),
        (["notes.txt"], ["notes.txt"]),
    ],
)
def test_photos_are_files_patterns_and_folders_each_once(photos: Path, words: list[str], found: list[str]) -> None:
    if found:
        assert find_photos(words) == found
    else:
        with pytest.raises(gl.InputError, match="matches no file"):
            find_photos(words)


def test_pictures_written_before_are_no_photos_unless_named(photos: Path) -> None:
    for name in ("dog-gradline.png", "gradline-demo.png"):
        Path(name).touch()
    assert find_photos(["*.png"]) == ["dog.png"]
    assert find_photos(["."]) == ["cat.jpg", "cat[1].jpg", "dog.png", "über uns.JPG"]
    assert find_photos(["dog-gradline.png"]) == ["dog-gradline.png"]


def test_a_photo_through_a_link_is_the_same_photo(photos: Path) -> None:
    Path("link.jpg").symlink_to("cat.jpg")
    assert find_photos(["link.jpg", "cat.jpg"]) == ["link.jpg"]


@pytest.mark.parametrize(
    ("given", "wanted", "files"),
    [
        (["cat.jpg"], [], [["cat-gradline.html", "cat-gradline.png"]]),
        (["more/cat.jpg"], [], [["cat-gradline.html", "cat-gradline.png"]]),
        (["cat.jpg"], ["a.html", "b.json", "a.html"], [["a.html", "b.json"]]),
        (["cat.jpg", "dog.png"], [".svg"], [["cat-gradline.svg"], ["dog-gradline.svg"]]),
        (["cat.jpg", "dog.png"], ["more/.pdf"], [["more/cat-gradline.pdf"], ["more/dog-gradline.pdf"]]),
        (["cat.jpg", "dog.png"], ["more/{name}.json"], [["more/cat.json"], ["more/dog.json"]]),
        (["dog.png"], ["{name}-{name}.png"], [["dog-dog.png"]]),
        (["über uns.JPG"], ["{name}.html"], [["über uns.html"]]),
    ],
)
def test_outputs_by_name_suffix_and_placeholder(
    photos: Path, given: list[str], wanted: list[str], files: list[list[str]]
) -> None:
    assert [[str(path) for path in row] for row in plan(given, wanted)] == files


@pytest.mark.parametrize(
    ("given", "wanted", "error", "said"),
    [
        (["cat.jpg", "dog.png"], ["map.html"], gl.InputError, r"2 photos; write -o .html, or {name} in the name"),
        (["cat.jpg", "more/cat.jpg"], [".html"], gl.InputError, "photos with different names"),
        (["cat.jpg", "more/cat.jpg"], [], gl.InputError, "cat.jpg and more/cat.jpg"),
        (["dog.png"], ["{name}.png"], gl.InputError, "not one of the photos"),
        (["dog.png"], ["more/../dog.png"], gl.InputError, "not one of the photos"),
        (["cat.jpg"], ["empty"], gl.StorageError, "is a folder; give a file name, such as empty/.html"),
        (["cat.jpg"], ["nowhere/.html"], gl.StorageError, "nowhere does not exist"),
        (["cat.jpg"], ["map.bmp"], gl.InputError, ".safetensors"),
        (["cat.jpg"], ["cat.jpg/.html"], gl.StorageError, "cat.jpg does not exist"),
    ],
)
def test_outputs_that_cannot_be_are_refused(
    photos: Path, given: list[str], wanted: list[str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        plan(given, wanted)
    assert said in str(caught.value)


def test_existing_files_may_be_overwritten(photos: Path) -> None:
    Path("cat-gradline.html").write_text("old")
    assert plan(["cat.jpg"], [])


def test_a_folder_that_cannot_be_written_is_refused(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_outputs.tempfile, "TemporaryFile", refuse)
    with pytest.raises(gl.StorageError, match="Permission denied; choose another place"):
        plan(["cat.jpg"], [".html"])


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that even root cannot write: Linux's /proc")
def test_a_folder_that_nobody_can_write_is_refused(photos: Path) -> None:
    with pytest.raises(gl.StorageError, match=r"cannot write /proc/self/map\.json"):
        plan(["cat.jpg"], ["/proc/self/map.json"])


@pytest.mark.parametrize(
    ("suffix", "library", "extra"),
    [(".html", "jinja2", "report"), (".pdf", "matplotlib", "report"), (".safetensors", "safetensors", "storage")],
)
def test_a_library_that_is_missing_is_named_before_the_work(
    photos: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, library: str, extra: str
) -> None:
    known = _outputs.find_spec
    monkeypatch.setattr(_outputs, "find_spec", lambda name: None if name == library else known(name))
    with pytest.raises(gl.MissingExtra, match=rf"gradline\[{extra}\]"):
        plan(["cat.jpg"], [suffix])


# ------------------------------------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("text", "value"), [("0.05", 0.05), ("5%", 0.05), ("5 %", 0.05), (" .5% ", 0.005), ("99%", 0.99), ("1e-3", 0.001)]
)
def test_shares(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["5", "0", "100%", "-1%", "5%%", "5%5", "nan", "inf", "", "%", "five"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(gl.InputError, match=r"5 % is written 0\.05 or 5%"):
        share(text)


@pytest.mark.parametrize(
    ("asked", "files", "command"),
    [
        (Request(None), (), "gradline demo"),
        (Request(None, tol=0.02), ("a b.html",), "gradline demo --tol 0.02 -o 'a b.html'"),
        (Request("it's.jpg"), (), """gradline explain 'it'"'"'s.jpg'"""),
        (Request("-x.jpg"), ("-y.png",), "gradline explain ./-x.jpg -o ./-y.png"),
        (Request("c.jpg", target="tabby cat"), (), "gradline explain c.jpg --target 'tabby cat'"),
        (Request("c.jpg", probability=True, steps=9), (), "gradline explain c.jpg --probability --steps 9"),
        (Request("c.jpg", max_evaluations=9), (), "gradline explain c.jpg --max-evaluations 9"),
        (Request("c.jpg", baselines=True), (), "gradline explain c.jpg --baselines"),
        (Request("c.jpg", baselines=False, seed=3), (), "gradline explain c.jpg --seed 3 --no-baselines"),
        (Request("c.jpg", model="a.b:c", weights="w.pt", classes="imagenet"), (),
         "gradline explain c.jpg --model a.b:c --weights w.pt --classes imagenet"),
    ],
)  # fmt: skip
def test_the_command_that_repeats_a_request(asked: Request, files: tuple[str, ...], command: str) -> None:
    assert command_of(asked, tuple(map(Path, files))) == command
