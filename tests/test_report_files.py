"""Reports as files: how large they are, where they go, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from report_cases import attribution, full, noise, other, photo, stages
from report_elements import Elements, read

import gradline as gl
from gradline.report import Photo, fragment, widget, write_html


def noisy(height: int, width: int) -> tuple[gl.Attribution, Photo]:
    """A photo that is hard to pack."""
    shown = photo(height, width)
    rough = np.random.default_rng(0).normal(shown.pixels, 14).clip(0, 255).astype(np.uint8)
    return attribution(noise(height, width)), replace(shown, pixels=rough, start=rough[::-1].copy())


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [(224, 224, 16), (260, 260, 16), (384, 384, 16), (518, 518, 16), (1024, 1024, 16), (240, 1024, 16)],
)
def test_a_page_is_smaller_than_a_megabyte(height: int, width: int, count: int, tmp_path: Path) -> None:
    coarse = (-(-height // -(-max(height, width) // 112)), -(-width // -(-max(height, width) // 112)))
    a, shown = noisy(height, width)
    grown = np.cumsum([noise(*coarse, seed) for seed in range(count)], 0).astype(np.float32)
    others = tuple(other(name, noise(*coarse, k), (height, width)) for k, name in enumerate(["white", "blur", "noise"]))
    shown = replace(shown, stages=grown, baselines=others)
    written = write_html(a, shown, tmp_path / "map.html")
    assert written.stat().st_size <= 1_000_000
    found = Elements(written.read_text("utf-8"))
    side = json.loads(found.numbers)["map"]["block"]
    assert (f"blocks of {side} × {side}" in found.text) == (side > 1)
    assert (side > 1) == (max(height, width) > 300)


def test_blocks_reach_over_the_edge_by_as_much_as_they_do() -> None:
    """518 pixels in blocks of 2 fit; 301 in blocks of 2 make 151, one pixel too many; 112 blocks of 5 are 560."""
    found = read((attribution(noise(301, 301)), photo(301, 301)))
    styles = [i["style"] for i in found.all("img") if i.get("class") == "tint" and i.get("style")]
    assert styles == ["width: 100.332%; height: 100.332%"]


def test_the_photo_must_fit_the_map(tmp_path: Path) -> None:
    with pytest.raises(gl.InputError, match="photo"):
        write_html(attribution(noise(24, 24)), photo(20, 20), tmp_path / "map.html")
    assert not (tmp_path / "map.html").exists()


def test_what_is_no_photo_or_no_example_is_refused_in_words(tmp_path: Path) -> None:
    a, shown = full()
    for wrong in (shown.pixels / 255, shown.pixels.tolist(), shown.pixels[..., :1]):
        with pytest.raises(gl.InputError, match=r"a photo as a uint8 array \(H, W, 3\)"):
            write_html(a, replace(shown, pixels=wrong), tmp_path / "map.html")
    with pytest.raises(gl.InputError, match="an attribution with examples"):
        fragment(a[:0], shown)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (7, 1), (1, 700)])
def test_photos_of_a_pixel_and_of_a_row(height: int, width: int, tmp_path: Path) -> None:
    shown = photo(height, width, stages=stages(noise(height, width), 2))
    text = write_html(attribution(noise(height, width)), shown, tmp_path / "map.html").read_text("utf-8")
    assert "of nine equal zones" in text


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_no_obstacle(dtype: torch.dtype, tmp_path: Path) -> None:
    a, shown = full()
    write_html(replace(a, values=a.values.to(dtype)), shown, tmp_path / "map.html")


def test_the_page_says_where_a_picture_was_shrunk() -> None:
    small, large = read((attribution(noise(300, 300)), photo(300, 300))), read(noisy(518, 1200))
    assert "to fit the page" not in small.text
    shrunk = re.findall(r"shrunk to (\d+) × (\d+) of 518 × 1200 pixels to fit the page", large.text)
    assert len(shrunk) == 4  # the photo, the overlay, the spotlight, the start
    assert all(int(rows) / int(columns) == pytest.approx(518 / 1200, rel=0.02) for rows, columns in shrunk)
    widths = sorted(int(columns) for _, columns in shrunk)
    assert widths[0] <= 300 < widths[1] <= 512 < widths[3]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(gl.StorageError, match="cannot write"):
        write_html(*full(), tmp_path / "file" / "a.html")


def test_saved_by_suffix_and_shown_in_a_notebook(tmp_path: Path) -> None:
    a = gl.explain_image(gl.demo_photo(), steps=4)
    written = a.save(tmp_path / "cup.html")
    assert 300_000 < written.stat().st_size < 900_000
    html = a._repr_html_()
    assert html.lstrip().startswith("<section")
    assert "espresso" in Elements(html).text


def test_a_widget_needs_a_photo() -> None:
    pytest.importorskip("anywidget", reason="the notebook extra is not installed")
    with pytest.raises(gl.InputError, match=r"gl\.explain_image"):
        widget(attribution(noise(24, 24)))
    two = replace(attribution(noise(24, 24)), shown=(photo(), photo()))
    with pytest.raises(gl.InputError, match=r"choose one: a\[0\]"):
        widget(two)
