"""The page of a leaderboard: what stands on it, as text and in a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from board_cases import METHODS, board, judged, photos
from browser import CONTRAST, asked_for, needs_browser, opened, theme, width
from report_elements import HOSTILE, Elements

import gradline as gl
from gradline.metrics.curves.deletion import Deletion
from gradline.report import curves, write_leaderboard
from gradline.report.standing import fragment

pytest_plugins = ["report_fixtures"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = replace(board(), command="gradline evaluate a.jpg")
    return told.save(tmp_path_factory.mktemp("board") / "board.html")


def test_what_stands_on_the_page_in_which_order(page: Path) -> None:
    found = Elements(page.read_text("utf-8"))
    order = [
        "Leaderboard: 2 methods, 3 metrics, 5 examples",
        "Too few examples to tell the methods apart: at least 8 are needed",
        "better than chance on",
        "deletion ↓",
        "absolute ranking, probability, 16 steps",
        "insertion ↑",
        "How far the metrics agree",
        "Every example",
        "Do it again",
        "gradline evaluate a.jpg",
        "model digest",
    ]
    places = [found.text.rfind(part) if k > 2 else found.text.find(part) for k, part in enumerate(order)]
    assert all(place >= 0 for place in places), order[places.index(-1)] if -1 in places else ""
    assert places[5:] == sorted(places[5:])
    assert found.text.count("control") >= 2 * 4
    assert len(found.all("script")) == 2
    assert json.loads(found.numbers) == {}
    assert page.stat().st_size < 300_000


def test_intervals_and_curves_are_drawn_where_the_numbers_are(page: Path) -> None:
    """The best and the worst end of a metric lie 4 % from the edges; a curve has as many points as steps, and 1."""
    found = Elements(page.read_text("utf-8"))
    spans = [line for line in found.all("line") if line.get("class") == "span"]
    assert len(spans) == 3 * 4
    ends = [float(str(line[k]).removesuffix("%")) for line in spans[:4] for k in ("x1", "x2")]
    assert (min(ends), max(ends)) == (4.0, 96.0)
    lines = [str(line["points"]) for line in found.all("polyline") if "," in str(line["points"])]
    drawn = [line for line in lines if line.count(",") == 17]
    assert len(drawn) == 2 * 4
    first, last = drawn[0].split()[0], drawn[0].split()[-1]
    assert (first.split(",")[0], last.split(",")[0]) == (f"{curves.LEFT}", f"{curves.RIGHT}")
    assert len([c for c in found.all("circle") if c.get("cx", "").endswith("%")]) == 3 * 4  # type: ignore[union-attr]


def test_every_value_is_listed(page: Path) -> None:
    text = Elements(page.read_text("utf-8")).text
    for name in board().names:
        assert text.count(name) == 3
    values = board().evaluations["ig"]["insertion"].values.tolist()
    assert all(f"{value:.4g}" in text for value in values)


def test_of_many_examples_the_first_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradline.report.standing.MOST", 2)
    text = Elements(write_leaderboard(board(), tmp_path / "b.html").read_text("utf-8")).text
    assert "The first 2 of 5; a .csv or .parquet file holds all." in text
    assert text.count("photo 1") == 3
    assert "photo 2" not in text


def test_names_are_only_names(tmp_path: Path) -> None:
    names = [f"{HOSTILE}{k}" for k in range(5)]
    maps = torch.zeros(5, 3, 8, 8)
    found = judged(methods={HOSTILE: METHODS["ig"], "empty": maps}, metrics={f"m {HOSTILE}": Deletion()}, names=names)
    told = replace(found, command=HOSTILE, python=HOSTILE, provenance={"model": HOSTILE})
    for html in (told.save(tmp_path / "b.html").read_text("utf-8"), fragment(told)):
        read = Elements(html)
        assert len(read.all("script")) == 2
        assert not any("onerror" in attributes for _, attributes in read.tags)
        assert read.text.count("alert('1')") > 8
    assert "empty: the map is constant" in read.text
    assert HOSTILE not in told.save(tmp_path / "b.md").read_text("utf-8")


def test_without_controls_curves_or_a_second_metric(tmp_path: Path) -> None:
    found = judged(controls={}, metrics=[Deletion()], methods={"ig": METHODS["ig"]}, x=photos(1), names=["one"])
    text = Elements(found.save(tmp_path / "b.html").read_text("utf-8")).text
    assert "There is nothing to compare" in text
    assert "better than chance" not in text
    assert "How far the metrics agree" not in text
    assert "nan" not in text.lower().replace("nance", "")
    assert "deletion" in text


def test_in_a_notebook_it_is_a_part() -> None:
    read = Elements(board()._repr_html_())
    assert [len(read.all(t)) for t in ("html", "head", "body", "main")] == [0] * 4
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    other = [a["id"] for _, a in Elements(board()._repr_html_()).tags if "id" in a]
    assert ids
    assert not set(ids) & set(other)


def test_nothing_points_outside(page: Path) -> None:
    found = Elements(page.read_text("utf-8"))
    places = [v for _, a in found.tags for k, v in a.items() if k in ("src", "href", "srcset", "action")]
    assert all(str(place).startswith(("data:", "#")) for place in places)
    assert any(m.get("http-equiv") == "Content-Security-Policy" for m in found.all("meta"))
    assert not re.search(r"https?://", found.text)


@needs_browser
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", ["light", "dark"])
def test_in_a_browser(driver: Any, page: Path, name: str) -> None:
    opened(driver, page)
    assert all(url.startswith(("file:", "data:")) for url in asked_for(driver))
    theme(driver, name)
    assert driver.execute_script(CONTRAST)[0][0] >= 4.5
    for pixels in (360, 800, 1400):
        width(driver, pixels)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= pixels
    drawn = driver.execute_script("return document.querySelector('svg.interval').getBoundingClientRect().width")
    assert drawn > 100
    line, dot = driver.execute_script(
        "return ['.interval .span', '.interval circle'].map(s => document.querySelector(s).getBoundingClientRect())"
        ".map(b => [b.left, b.right])"
    )
    assert line[0] - 5 <= (dot[0] + dot[1]) / 2 <= line[1] + 5


def test_a_board_of_nothing_finite(tmp_path: Path) -> None:
    maps = torch.zeros(5, 3, 8, 8)
    found = judged(methods={"empty": maps}, metrics=[Deletion()], controls={})
    text = Elements(found.save(tmp_path / "b.html").read_text("utf-8")).text
    assert "empty: the map is constant over its units" in text
    assert found.save(tmp_path / "b.png").stat().st_size > 1000
    assert isinstance(gl.plots.leaderboard(found), object)
