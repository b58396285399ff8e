"""Figures as files and on paper: sizes, text, bytes, and nothing of the caller's changed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

import gradline as gl
from gradline.plots.drawing.sheet import breadth, cut, place, sheet, shorten, wrap, write

FIGURES = ("map", "bars", "curve", "summary", "stages", "grid")


@pytest.fixture(scope="module")
def a() -> gl.Attribution:
    method = gl.methods.integrated_gradients().in_stages(4)
    return gl.explain(lambda x: (x**2).sum((1, 2, 3)), torch.linspace(0, 1, 48).reshape(1, 3, 4, 4), method=method)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_the_width_that_is_asked_for(name: str, a: gl.Attribution, tmp_path: Path) -> None:
    figure = getattr(gl.plots, name)(a, width=6.0)
    assert isinstance(figure, Figure)
    width, height = figure.get_size_inches()
    assert width == 6.0
    with Image.open(gl.plots.write_figure(figure, tmp_path / "a.png")) as image:
        assert image.width == 1800  # 300 dots per inch
        assert image.height == pytest.approx(300 * height, abs=1)
        ink = image.convert("L").point(lambda v: 255 * (v < 250))
        left, top, right, bottom = ink.getbbox()
    assert left >= 3, "something is cut off on the left"
    assert right <= 1797
    assert top >= 3
    assert image.height - 60 < bottom <= image.height - 3, "cut off below, or an empty strip"


def test_words_of_a_narrow_legend_do_not_meet(a: gl.Attribution) -> None:
    figure = gl.plots.map(a, width=2.0)
    written = [t.get_text() for t in figure.texts]
    assert "lowers the score" in written
    assert breadth("lowers the score") + breadth("raises it") < 0.72 * 2.0


def test_widths_of_columns(a: gl.Attribution) -> None:
    assert (gl.plots.ONE_COLUMN, gl.plots.TWO_COLUMNS) == (3.3, 6.9)
    assert gl.plots.map(a).get_size_inches()[0] == 3.3
    assert gl.plots.grid(a).get_size_inches()[0] == 6.9


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_figure_gives_the_same_bytes(suffix: str, a: gl.Attribution, tmp_path: Path) -> None:
    one, two = (gl.plots.write_figure(gl.plots.summary(a), tmp_path / f"{k}{suffix}") for k in "ab")
    assert one.read_bytes() == two.read_bytes()
    assert not re.search(rb"20\d\d-\d\d-\d\d|D:20\d\d|matplotlib.org", one.read_bytes())
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_text_in_an_svg_is_text(a: gl.Attribution, tmp_path: Path) -> None:
    page = gl.plots.write_figure(gl.plots.curve(a), tmp_path / "curve.svg").read_text("utf-8")
    assert ">score F</text>" in page
    assert ">gradient norm</text>" in page
    assert 'width="237.6pt"' in page  # 3.3 inches


def test_a_pdf_holds_letters_and_pixels_not_a_picture_of_them(a: gl.Attribution, tmp_path: Path) -> None:
    figure = gl.plots.map(a)
    gl.plots.write_figure(figure, tmp_path / "map.png")  # resampled, and put back
    page = gl.plots.write_figure(figure, tmp_path / "map.pdf").read_bytes()
    assert b"/Subtype /Type0" in page or b"/Subtype /TrueType" in page
    assert re.search(rb"/Width 4\b", page), "the map at its own resolution, 4 × 4"


def test_places_that_cannot_be_written(a: gl.Attribution, tmp_path: Path) -> None:
    figure = gl.plots.map(a)
    for path in (tmp_path / "no" / "map.png", tmp_path / "map.gif", tmp_path / "map"):
        with pytest.raises(gl.StorageError):
            gl.plots.write_figure(figure, path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_callers_changes(a: gl.Attribution, tmp_path: Path) -> None:
    """Their settings stay, and do not spoil the figure either."""
    strange = {
        "axes.facecolor": "black",
        "text.color": "white",
        "savefig.bbox": "tight",
        "axes.grid": True,
        "svg.fonttype": "path",
    }
    with mpl.rc_context(strange):
        before = dict(mpl.rcParams)
        plain = gl.plots.write_figure(gl.plots.summary(a), tmp_path / "a.png").read_bytes()
        gl.plots.write_figure(gl.plots.curve(a), tmp_path / "a.svg")
        assert dict(mpl.rcParams) == before
    assert plain == gl.plots.write_figure(gl.plots.summary(a), tmp_path / "b.png").read_bytes()


def test_pyplot_is_never_loaded_and_matplotlib_only_with_a_figure() -> None:
    code = """
import sys, torch, gradline as gl
a = gl.explain(lambda x: x.sum(1), torch.ones(1, 3))
gl.plots.ranking(a); gl.plots.path_panel(a)
print("matplotlib" in sys.modules)
png = gl.plots.bars(a)._repr_png_()
print("matplotlib.pyplot" in sys.modules, png[:4])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["False", "False b'\\x89PNG'"]


def test_without_matplotlib_the_extra_is_named() -> None:
    code = """
import sys, torch, gradline as gl
sys.modules["matplotlib"] = sys.modules["matplotlib.figure"] = None
a = gl.explain(lambda x: x.sum(1), torch.ones(1, 3))
try:
    gl.plots.map(a)
except gl.MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "drawing a figure needs an optional dependency: pip install 'gradline[report]'\n"


def test_public_figures_are_listed_and_found() -> None:
    assert set(dir(gl.plots)) == set(gl.plots.__all__)
    assert all(getattr(gl.plots, name).__doc__ for name in gl.plots.__all__ if name.islower())
    with pytest.raises(AttributeError, match="nonsense"):
        _ = gl.plots.nonsense


def test_what_is_placed_in_inches_stays_there_when_the_sheet_is_cut() -> None:
    figure = sheet(4.0)
    axes = place(figure, 1.0, 0.5, 2.0, 0.25)
    text = write(figure, 1.0, 1.0, "words", size=7)
    down = 60 * (1 - text.get_position()[1])
    cut(figure, 2.0)
    box = axes.get_position()
    assert figure.get_size_inches().tolist() == [4.0, 2.0]
    assert [4 * box.x0, 2 * (1 - box.y1), 4 * box.width, 2 * box.height] == pytest.approx([1.0, 0.5, 2.0, 0.25])
    assert 2 * (1 - text.get_position()[1]) == pytest.approx(down)


def test_lines_fit_the_width_they_are_given() -> None:
    text = "one two three four five six seven eight nine ten " * 3
    lines = wrap(text, 1.2, 7)
    assert " ".join(lines).split() == text.split()
    assert max(breadth(line, 7) for line in lines) <= 1.2
    two = wrap(text, 1.2, 7, most=2)
    assert len(two) == 2
    assert two[-1].endswith("…")
    assert breadth(shorten("x" * 500, 1.0, 7), 7) <= 1.0
    assert wrap("", 1.0) == [""]
