"""The page of a series: its numbers, its words, no network, and names that do nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from report_elements import HOSTILE, Elements

import gradline as gl
from gradline.adapters import series
from gradline.adapters.series import explain_series, frequencies
from gradline.report.series_page import content
from gradline.report.series_svg import MOST_CELLS, curves, ticks
from gradline.report.stretches import in_words, stretches

WEIGHT = torch.zeros(2, 40)
WEIGHT[0, 10:15], WEIGHT[1, 30:34] = 1.0, -2.0
MODEL = series.SeriesModel(
    lambda x: torch.stack([-(x * WEIGHT).sum((1, 2)), (x * WEIGHT).sum((1, 2))], 1),
    channels=("lead I", "lead II"),
    units=("mV", "mV"),
    rate=10.0,
    labels=("sick", "well"),
    name="heart",
)


@pytest.fixture(scope="module")
def a() -> gl.Attribution:
    return explain_series(torch.ones(2, 40), model=MODEL, target="well", baseline=series.ChannelValues((0.5, 0.0)))


def page(a: gl.Attribution, tmp_path: Path) -> str:
    return a.save(tmp_path / "series.html").read_text("utf-8")


def test_what_stands_on_the_page(a: gl.Attribution, tmp_path: Path) -> None:
    html = page(a, tmp_path)
    seen = Elements(html)
    said = re.sub(r"\s+", " ", seen.text)
    assert "Which samples of the series speak for “well”?" in said
    assert "path from channel values" in said
    assert "lead II in mV" in said
    assert "lead II from 3 s to 3.3 s lowers the score by 8 (76 % of the map)" in said
    assert "lead I from 1 s to 1.4 s raises the score by 2.5 (24 % of the map)" in said
    assert "What heart says" in said
    assert "−8.00" in said
    titles = re.findall(r"<title>([^<]+)</title></rect>", html)
    assert len(titles) == 80
    assert titles[10] == "lead I, 1 s: 1 mV, contributes +0.500"
    rects = [attributes for tag, attributes in seen.tags if tag == "rect" and "fill-opacity" in attributes]
    assert [r["fill-opacity"] for r in rects[70:74]] == ["1.000"] * 4
    assert {r["class"] for r in rects[70:74]} == {"lowers"}
    assert float(rects[0]["width"]) == pytest.approx(25)


def test_nothing_is_fetched_and_all_numbers_can_be_copied(a: gl.Attribution, tmp_path: Path) -> None:
    html = page(a, tmp_path)
    places = [v for _, attributes in Elements(html).tags for k, v in attributes.items() if k in ("href", "src")]
    assert all(str(place).startswith("data:") for place in places)
    assert "default-src 'none'" in html
    lines = content(a, a.shown[0])["csv"].splitlines()
    assert lines[0] == "time [s],lead I [mV],lead I contribution,lead II [mV],lead II contribution"
    assert len(lines) == 41
    assert [float(v) for v in lines[11].split(",")] == pytest.approx([1, 1, 0.5, 1, 0])
    assert lines[11] in html


def test_a_fragment_stands_in_a_notebook(a: gl.Attribution) -> None:
    html = a._repr_html_()
    assert html.startswith("<section")
    assert "<html" not in html
    assert "lead II" in html


def test_names_do_nothing(tmp_path: Path) -> None:
    model = series.SeriesModel(
        lambda x: x.sum((1, 2)), channels=(HOSTILE, 'a,"b"'), units=(HOSTILE, ""), name=HOSTILE, rate=1.0
    )
    for made in (explain_series, frequencies):
        a = made([torch.ones(2, 6)], model=model, names=[HOSTILE])
        html = page(a, tmp_path)
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert '"a,""b"" contribution"' in content(a, a.shown[0])["csv"]


def test_frequencies_have_bars_over_their_amplitudes(tmp_path: Path) -> None:
    t = torch.arange(40) / 10
    x = torch.stack([torch.cos(2 * torch.pi * t), 0 * t])
    model = series.SeriesModel(lambda x: (x**2).sum((1, 2)), channels=("wave", "none"), rate=10.0)
    a = frequencies(x, model=model, tol=0.01)
    html = page(a, tmp_path)
    said = re.sub(r"\s+", " ", Elements(html).text)
    assert "Which frequencies of the series speak for" in said
    assert "wave at 1 Hz raises the score by 20 (100 % of the map)" in said
    assert "wave, 1 Hz: amplitude 1, contributes +20.0" in html
    assert html.count('class="amplitude-of"') == 2
    windows = page(frequencies(x, model=model, window=10, tol=0.01), tmp_path)
    assert windows.count('class="windows-of"') == 2
    assert "In time, frequency in Hz upwards" in windows


def test_long_series_are_summed_over_blocks_and_many_channels_are_counted() -> None:
    long = np.ones((1, 3 * MOST_CELLS), np.float32)
    a = explain_series(long, model=series.SeriesModel(lambda x: x.sum((1, 2)), channels=("a",)))
    drawing = curves(gl.plots.series_panel(a))
    assert (drawing.side, drawing.sums.shape) == (3, (1, MOST_CELLS))
    assert drawing.sums == pytest.approx(3 * np.ones((1, MOST_CELLS)), rel=1e-5)
    found: Any = content(a, a.shown[0])
    assert "blocks of 3 samples" in found["caption"]
    many = torch.arange(1.0, 21)[:, None].expand(20, 5)
    names = tuple(f"c{k}" for k in range(20))
    b = explain_series(many, model=series.SeriesModel(lambda x: x.sum((1, 2)), channels=names))
    assert [r.name for r in curves(gl.plots.series_panel(b)).rows] == list(names[4:])
    assert curves(gl.plots.series_panel(b)).hidden == 4
    assert len(content(b, b.shown[0])["channels"]) == 20


def test_stretches_on_paper() -> None:
    found = stretches(np.array([[0.0, 2, 3, 0, 0, -4, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]]))
    assert [(s.channel, s.first, s.last, s.total) for s in found] == [(0, 1, 2, 5), (0, 5, 5, -4), (1, 7, 7, 1)]
    assert [s.share for s in found] == pytest.approx([0.5, 0.4, 0.1])
    place = "sample {}".format
    assert in_words(np.zeros((1, 4)), ("a",), place) == "The map is zero everywhere: there is nothing to see."
    assert "not finite" in in_words(np.array([[np.nan, 1]]), ("a",), place)
    assert "No stretch stands out" in in_words(np.ones((1, 4)), ("a",), place)
    one = in_words(np.array([[0.0, 0, 6, 0]]), ("a",), place)
    assert one == "What stands out most: at sample 2 raises the score by 6 (100 % of the map)."
    assert ticks(np.array([-0.005, 1.0]))[0] == (pytest.approx(100 * 0.005 / 1.005), "0")
    assert [text for _, text in ticks(np.array([0.0, 2.0]))] == ["0", "0.5", "1", "1.5", "2"]


def test_maps_that_are_not_finite_or_zero_have_a_page(a: gl.Attribution, tmp_path: Path) -> None:
    for values in (a.values * torch.nan, a.values * 0):
        page(replace(a, values=values), tmp_path)
        found = content(replace(a, values=values), a.shown[0])  # type: ignore[arg-type]
        assert "nan" not in f"{found['where']} {found['caption']} {found['channels']} {found['drawing'].rows}".lower()
