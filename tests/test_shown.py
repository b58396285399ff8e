"""An attribution that knows its photo: it shows itself, and writes what a file name's suffix asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import gradline as gl
from gradline.result.shown import Shown


class Recorder:
    """Stands for a photo; remembers what it was asked."""

    def __init__(self, name: str) -> None:
        self.name, self.written = name, []

    def html(self, a: gl.Attribution) -> str:
        return f"<b>{self.name}, {len(a)} example</b>"

    def write(self, a: gl.Attribution, path: Path) -> Path:
        self.written.append((len(a), path))
        return path


@pytest.fixture
def bare() -> gl.Attribution:
    return gl.explain(lambda x: x.square().sum(1, keepdim=True), torch.ones(2, 3))


@pytest.fixture
def two(bare: gl.Attribution) -> gl.Attribution:
    photos: tuple[Shown, ...] = (Recorder("cat"), Recorder("dog"))
    return replace(bare, shown=photos)


def test_one_example_shows_itself_and_several_show_the_card(two: gl.Attribution, bare: gl.Attribution) -> None:
    assert two[1]._repr_html_() == "<b>dog, 1 example</b>"
    assert "cat" not in two._repr_html_()
    assert "converged" in bare[0]._repr_html_()


@pytest.mark.parametrize("suffix", [".html", ".png", ".svg", ".pdf"])
def test_pictures_are_written_by_what_knows_the_photo(two: gl.Attribution, suffix: str) -> None:
    one = two[0]
    assert one.save(f"map{suffix}") == Path(f"map{suffix}")
    (photo,) = one.shown
    assert isinstance(photo, Recorder)
    assert photo.written == [(1, Path(f"map{suffix}"))]


def test_what_has_no_picture_says_where_one_comes_from(bare: gl.Attribution, two: gl.Attribution) -> None:
    with pytest.raises(gl.StorageError, match="explain_image"):
        bare[0].save("map.html")
    with pytest.raises(gl.StorageError, match=r"a\[0\]"):
        two.save("map.png")
    with pytest.raises(gl.StorageError, match=r"ends in .*\.safetensors.*\.pdf; got 'map.bmp'"):
        two.save("map.bmp")


def test_a_saved_attribution_comes_back_without_its_photo(two: gl.Attribution, tmp_path: Path) -> None:
    back = gl.load(two.save(tmp_path / "map.safetensors"))
    assert back.shown == ()
    assert torch.equal(back.values, two.values)


def test_the_rows_of_a_slice_keep_their_photos(two: gl.Attribution) -> None:
    assert [photo.name for photo in two[:2].shown] == ["cat", "dog"]  # type: ignore[attr-defined]
    assert [photo.name for photo in two[1].shown] == ["dog"]  # type: ignore[attr-defined]
