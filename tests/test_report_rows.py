"""The page of a table's row: what stands on it, its CSV, hostile names, files and notebooks."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from browser import asked_for, chromium, complaints, needs_browser, opened
from report_elements import HOSTILE, Elements
from tabular_cases import FRAME, embedded_model
from torch import nn

import gradline as gl
from gradline.adapters import tabular
from gradline.adapters.tabular import Background, Category, Numeric, TabularModel
from gradline.adapters.tabular import explain_table as explain
from gradline.report.row_page import page


@pytest.fixture(scope="module")
def a() -> gl.Attribution:
    return explain(FRAME, model=embedded_model(), target="yes", tol=0.01)


def test_the_page_says_what_each_column_adds(a: gl.Attribution, tmp_path: Path) -> None:
    path = a[1].save(tmp_path / "row.html")
    found = Elements(path.read_text("utf-8"))
    for words in ("Which columns of row 1 speak for “yes”?", "age", "30 years", "mean 36.25 years", "the average row"):
        assert words in found.text
    assert "From F(x′) = " in found.text
    assert "Copy CSV" in found.text
    assert len([r for r in found.all("rect") if (r["class"] or "").startswith("one")]) == 4
    assert "gl.explain_table(frame, model=model, target='yes', tol=0.01)" in found.text
    assert a[1]._repr_html_().count("<table") == 4


def test_the_csv_adds_up(a: gl.Attribution) -> None:
    text = page(a[2], a.shown[2]).split("<code>")[1].split("</code>")[0]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["column"] for row in rows] == list(FRAME)
    total = sum(float(row["contribution"]) for row in rows)
    assert total == pytest.approx(float(a.score[2] - a.baseline_score[2] + a.completeness_gap[2]))
    b = explain(FRAME, model=embedded_model(), target="yes", baseline=Background(FRAME), steps=3)
    shown = page(b[0], b.shown[0])
    assert "standard_error" in shown
    assert "± " in shown
    assert "mean over 4 paths from all 4 background rows" in shown


def test_maps_that_add_up_to_nothing_have_no_waterfall(a: gl.Attribution) -> None:
    found = Elements(page(replace(a[0], completeness_gap=None), a.shown[0]))
    assert "need not add up to anything" in found.text
    assert not found.all("rect") or all("frame" in (r["class"] or "") for r in found.all("rect"))
    gradient = explain(FRAME, model=embedded_model(), target="yes", method=gl.methods.gradient())
    assert "need not add up" in Elements(page(gradient[0], gradient.shown[0])).text


def test_names_do_nothing() -> None:
    known = (Numeric(HOSTILE, HOSTILE), Category("x", (HOSTILE, "b"), frequencies=(0.5, 0.5)))
    model = TabularModel(nn.Linear(3, 1), known, name=HOSTILE)
    a = explain({HOSTILE: [1.0], "x": [HOSTILE]}, model=model, steps=2)
    found = Elements(page(a, a.shown[0]))
    assert len(found.all("script")) == 2
    assert not [i for i in found.all("img") if "onerror" in i]


def test_other_files(a: gl.Attribution, tmp_path: Path) -> None:
    assert a[0].save(tmp_path / "row.png").stat().st_size > 5000
    assert "age" in a[0].save(tmp_path / "row.svg").read_text("utf-8")
    with pytest.raises(gl.StorageError):
        a.save(tmp_path / "rows.html")
    again = gl.load(a.save(tmp_path / "rows.safetensors"))
    assert (again.values["work"] == a.values["work"]).all()
    with pytest.raises(gl.InputError, match="files do not keep them"):
        tabular.frame(again)


@needs_browser
def test_a_browser_opens_it(a: gl.Attribution, tmp_path: Path) -> None:
    path = a[3].save(tmp_path / "row.html")
    with chromium() as driver:
        opened(driver, path)
        assert not complaints(driver)
        assert [url for url in asked_for(driver) if not url.startswith(("file:", "data:", "blob:"))] == []
        from browser import width

        width(driver, 400)
        assert driver.execute_script("return document.documentElement.scrollWidth <= 400")
        bars = driver.execute_script(
            "return [...document.querySelectorAll('.waterfall rect')].map(r => r.getBoundingClientRect().height)"
        )
        assert min(bars) > 5
        assert max(bars) < 60
