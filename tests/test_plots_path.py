"""Figures along the path: the curve, and how the map grows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from plot_cases import drawn, linear, texts

import gradline as gl

pytest_plugins = ["plot_fixtures"]


def test_the_curve_shows_the_numbers_of_the_curve() -> None:
    """F(t) = 1 − (1 − t)² has made 90 % at 1 − √0.1 = 0.68; its gradient there is 2 (1 − t)."""
    a = gl.explain(lambda x: 1 - (1 - x[:, 0]) ** 2, torch.ones(1, 1).double(), steps=400)
    figure = gl.plots.curve(a)
    line = figure.axes[0].lines[0].get_xydata()
    assert line[1:-1] == pytest.approx(np.column_stack([a.curve[0].t, a.curve[0].score]))
    assert line[[0, -1]] == pytest.approx(np.array([[0, 0], [1, 1]]))
    area = figure.axes[1].collections[0].get_paths()[0].vertices
    assert area[:, 1].max() == pytest.approx(a.curve[0].gradient_norm.max()) == pytest.approx(2, abs=0.01)
    said = texts(figure)
    assert "90 % of the change, t = 0.68" in said
    assert "gradient read (400)" in said
    assert "score, 0 to 1.00" in said


def test_of_several_paths_the_first_is_shown_without_its_start(photographed: gl.Attribution) -> None:
    photo = replace(photographed.shown[0], paths=3)
    panel = gl.plots.path_panel(replace(photographed, shown=(photo,)))
    assert panel is not None
    assert len(panel.t) == len(panel.score) == len(panel.nodes) + 1
    assert panel.t[0] == panel.nodes[0] > 0
    assert np.isnan(panel.saturation)
    assert "the first of 3 paths" in texts(gl.plots.curve(replace(photographed, shown=(photo,))))


def test_a_method_without_a_path_has_no_curve(row: gl.Attribution) -> None:
    gradient = linear(torch.ones(2).double(), torch.ones(1, 2), method=gl.methods.gradient())
    with pytest.raises(gl.InputError, match="gradient, which has none"):
        gl.plots.curve(gradient)
    assert "no error estimate" in texts(gl.plots.grid({"gradient": gradient}))
    gl.plots.summary(gradient)


def test_stages_grow_to_the_whole_map(photographed: gl.Attribution) -> None:
    """Of a linear score the map up to t is t times the whole: 1 − t away from it."""
    figure = gl.plots.stages(photographed, count=2)
    said = texts(figure)
    assert "up to t = 0.5\n" in said
    assert "50 % from the whole map" in said
    assert (drawn(figure, 1) == drawn(gl.plots.map(photographed))).all()
    with pytest.raises(gl.InputError, match="in_stages"):
        gl.plots.stages(replace(photographed, shown=()))


def test_stages_of_rows_are_one_picture() -> None:
    method = gl.methods.integrated_gradients().in_stages(4)
    a = gl.explain(lambda x: (x**2).sum(1), torch.tensor([[1.0, -2.0]]).double(), method=method, tol=0.001)
    grown = gl.plots.partial_maps(a)
    assert grown.t.tolist() == [0.25, 0.5, 0.75, 1]
    assert grown.maps == pytest.approx(np.outer(grown.t**2, [1, 4]), abs=0.01)  # ∫₀ᵗ 2 s x² ds
    assert grown.scores == pytest.approx(5 * grown.t**2, abs=0.05)
    assert grown.distance == pytest.approx(1 - grown.t**2, abs=0.01)
    assert drawn(gl.plots.stages(a)).shape == (4, 2, 3)


def test_the_curve_marks_where_a_map_is_split() -> None:
    """F = t²: t* = √φ = 0.8, in the line itself and as a mark; what was looked at beyond it is drawn as well."""
    x = torch.ones(1, 1).double()
    for method in (gl.methods.split_integrated_gradients(0.64), gl.methods.left_integrated_gradients(0.64)):
        a = gl.explain(lambda x: x[:, 0] ** 2, x, method=method, tol=0.01)
        panel = gl.plots.path_panel(a)
        assert panel is not None
        assert panel.split
        assert panel.saturation == pytest.approx(0.8)
        assert panel.score == pytest.approx(panel.t**2)
        assert (np.diff(panel.t) > 0).all()
        assert set(np.linspace(0, 1, 33)) <= set(panel.t.tolist())
        assert any(t == pytest.approx(0.8, abs=1e-6) for t in panel.t)
        figure = gl.plots.curve(a)
        said = texts(figure)
        assert "t*" in said
        assert "saturation point t* = 0.80" in said
        assert "90 %" not in said
        marks = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
        assert [float(line.get_xdata()[0]) for line in marks] == pytest.approx([0.8])


def test_ends_of_the_path_can_be_where_it_is_split() -> None:
    x = torch.ones(1, 1).double()
    method = gl.methods.left_integrated_gradients()
    for score, point in ((lambda x: -x[:, 0], 0.0), (lambda x: 0 * x[:, 0], 1.0)):
        a = gl.explain(score, x, method=method, tol=0.01)
        assert f"t* = {point:.2f}" in texts(gl.plots.curve(a))
        gl.plots.summary(a)


def test_a_split_of_several_paths_is_not_marked() -> None:
    """What is known is the mean of their saturation points; the one that is shown has its own."""
    start = gl.baselines.Each(0.0, 0.5)
    a = gl.explain(
        lambda x: x[:, 0] ** 2,
        torch.ones(1, 1).double(),
        method=gl.methods.split_integrated_gradients(),
        baseline=start,
    )
    panel = gl.plots.path_panel(a)
    assert panel is not None
    assert np.isnan(panel.saturation)
    assert "t*" not in texts(gl.plots.curve(a))
