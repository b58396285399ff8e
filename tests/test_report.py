"""Pictures and report: the numbers behind them, then what the files contain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import gradline as gl
from gradline.plots import path_panel, picture
from gradline.plots.maps import AGAINST, FOR, colour_scale, colours, overlay
from gradline.report import Subject, write_html, write_png
from gradline.report.page import render


@pytest.fixture(scope="module")
def subject() -> Subject:
    case = gl.image_case(gl.demo_photo())
    a = gl.attribute(gl.Score(case.model.model), case.x, baseline=case.baseline(), steps=4)
    return Subject(case, a, 967, "gradline explain cup.jpg", "import gradline as gl")


def test_colours_are_linear_signed_and_clipped() -> None:
    shown = colours(np.array([[0.0, 1.0, -1.0, 0.5, -0.5, 7.0, np.nan]]), 1.0)[0]
    assert shown[0].tolist() == [255, 255, 255]
    assert shown[1].tolist() == shown[5].tolist() == FOR.tolist()
    assert shown[2].tolist() == AGAINST.tolist()
    assert shown[3] == pytest.approx((255 + FOR) / 2, abs=0.6)
    assert shown[4] == pytest.approx((255 + AGAINST) / 2, abs=0.6)
    assert shown[6].tolist() == [128, 128, 128]


def test_the_scale_is_the_quantile_and_says_what_it_clips(subject: Subject) -> None:
    shown = subject.picture
    assert shown.pixels.sum() == pytest.approx(float(subject.attribution.values.double().sum()), rel=1e-9)
    assert shown.clipped == pytest.approx(0.01, abs=0.001)
    assert (np.abs(shown.pixels) > shown.scale).mean() == shown.clipped


def test_a_zero_map_is_white_and_leaves_the_photo_grey() -> None:
    zero, photo = np.zeros((4, 4)), np.full((4, 4, 3), 100, np.uint8)
    assert colour_scale(zero) == 0.0
    assert (colours(zero, 0.0) == 255).all()
    assert len(np.unique(overlay(zero, 0.0, photo))) == 1


def test_a_sparse_map_still_has_a_scale() -> None:
    sparse = np.zeros((100, 100))
    sparse[0, 0] = -3.0
    assert colour_scale(sparse) == 3.0


def test_photo_and_map_must_belong_together(subject: Subject) -> None:
    with pytest.raises(gl.InputError, match="224"):
        picture(subject.attribution, np.zeros((10, 10, 3), np.uint8))


def test_the_path_panel_runs_from_baseline_to_input(subject: Subject) -> None:
    panel = path_panel(subject.attribution)
    assert panel is not None
    assert panel.t[[0, -1]].tolist() == [0.0, 1.0]
    assert (np.diff(panel.t) > 0).all()
    assert panel.score[-1] == pytest.approx(float(subject.attribution.score[0]))
    assert panel.score[0] == pytest.approx(float(subject.attribution.baseline_score[0]))


def test_saturation_is_where_ninety_percent_are_made() -> None:
    a = gl.explain(lambda x: 1 - (1 - x) ** 2, torch.ones(1, 1).double(), steps=1000)
    panel = path_panel(a)
    assert panel is not None
    assert panel.saturation == pytest.approx(1 - np.sqrt(0.1), abs=1e-4)  # 1 − (1 − t)² = 0.9


def test_a_method_without_a_path_has_no_panel(subject: Subject, tmp_path: Path) -> None:
    case = subject.case
    a = gl.attribute(gl.Score(case.model.model), case.x, gl.methods.gradient())
    bare = replace(subject, attribution=a)
    assert bare.path is None
    assert "<h2>The path</h2>" not in render(bare)
    assert write_png(bare, tmp_path / "map.png").stat().st_size > 10_000


def test_the_page_escapes_what_it_is_given(subject: Subject) -> None:
    hostile = replace(subject, case=replace(subject.case, name="<script>alert(1)</script>.jpg"))
    page = render(hostile)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_what_weakens_a_map_stands_before_it(subject: Subject, tmp_path: Path) -> None:
    case = subject.case
    a = gl.attribute(gl.Score(case.model.model), case.x, baseline=case.baseline(), max_evaluations=8)
    weak = replace(subject, attribution=a)
    page = render(weak)
    assert page.index("NOT converged") < page.index("GL201") < page.index("<h2>The map</h2>")
    assert 'class="verdict sound"' not in page


def test_a_place_that_cannot_be_written(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write, name in ((write_html, "a.html"), (write_png, "a.png")):
        with pytest.raises(gl.StorageError, match="cannot write"):
            write(subject, tmp_path / "file" / name)
