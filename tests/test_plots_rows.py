"""Waterfalls and swarms: what they add up to, what they say, and that no dot covers another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from plot_cases import texts
from tabular_cases import FRAME, embedded_model
from torch import nn

import gradline as gl
from gradline.adapters.tabular import Background, Numeric, TabularModel
from gradline.adapters.tabular import explain_table as explain
from gradline.plots.drawing.row_swarms import SCALE, shades
from gradline.plots.rows import row_features, waterfall_steps
from gradline.plots.swarm import fitted, swarm


@pytest.fixture(scope="module")
def line() -> gl.Attribution:
    """Contributions −4, 3, 2, −1, 0.5 of five columns from 0 to 1; F(x') = 1, F(x) = 1.5."""
    net = nn.Linear(5, 1).double()
    net.weight.data, net.bias.data = torch.tensor([[-4.0, 3, 2, -1, 0.5]]).double(), torch.ones(1).double()
    model = TabularModel(net, tuple(Numeric(f"column {k}", "kg" * (k == 0)) for k in range(5)))
    return explain({f"column {k}": [1.0, 2.0] for k in range(5)}, model=model)


def test_steps_lead_from_one_score_to_the_other(line: gl.Attribution) -> None:
    found = row_features(line)
    assert found.contributions == pytest.approx([-4, 3, 2, -1, 0.5])
    assert found.values[0] == "1 kg"
    steps = waterfall_steps(found, 3)
    assert [(s.name, round(s.first, 9), round(s.last, 9)) for s in steps] == [
        ("column 0", 1, -3),
        ("column 1", -3, 0),
        ("column 2", 0, 2),
        ("2 others, summed", 2, 1.5),
    ]
    open_ = waterfall_steps(replace(found, end=2.5, gap=-1.0), 5)
    assert (open_[-1].name, open_[-1].contribution) == ("not accounted for", pytest.approx(1))


def test_a_waterfall_says_what_it_shows(line: gl.Attribution) -> None:
    figure = gl.plots.waterfall(line, 0, top=3)
    said = texts(figure)
    for words in ("column 0 = 1 kg", "−4.00", "2 others, summed", "F(x')", "1.5", "starts: the average row", "row 0"):
        assert words in said
    bars = figure.axes[0].patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(0.5)
    assert [bar.get_x() for bar in bars] == pytest.approx([1, -3, 0, 2])
    with pytest.raises(gl.InputError, match=r"a table's rows \(gl.explain_table\), got bare tensors"):
        gl.plots.waterfall(replace(line, shown=()))
    with pytest.raises(gl.InputError, match="no such claim"):
        gl.plots.waterfall(replace(line, completeness_gap=None))
    with pytest.raises(gl.InputError, match="top as a whole number"):
        gl.plots.waterfall(line, top=0)


def test_errors_are_drawn() -> None:
    a = explain(FRAME, model=embedded_model(), target="yes", baseline=Background(FRAME), steps=4)
    figure = gl.plots.waterfall(a, 1)
    assert "one standard error to each side" in texts(figure)
    error = row_features(a, 1).errors
    drawn = [one.get_xdata() for one in figure.axes[0].lines if one.get_linewidth() == 0.8]
    assert sorted((x[1] - x[0]) / 2 for x in drawn) == pytest.approx(sorted(error.tolist()))


@pytest.mark.parametrize("seed", range(4))
def test_no_dot_covers_another(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=150), 1) if seed % 2 else rng.normal(size=150)
    heights = swarm(x, 0.1)
    apart = np.hypot(x[:, None] - x, heights[:, None] - heights)[~np.eye(len(x), dtype=bool)]
    assert apart.min() > 0.1 * (1 - 1e-6)
    assert (swarm(x, 0.1) == heights).all()
    assert abs(heights).max() < 0.1 * 150 / 2
    assert swarm(np.array([1.0, 1, 1]), 0.5).tolist() == pytest.approx([0, 0.5, -0.5])


def test_crowded_rows_are_pressed_and_said() -> None:
    calm, crowded = np.linspace(0, 3, 20), np.zeros(200)
    heights, diameter, touching = fitted([calm, calm, calm, crowded], 0.05, 0.25, 0.02)
    assert (diameter, touching) == (0.05, (3,))
    assert 2 * abs(heights[3]).max() + diameter == pytest.approx(0.25)
    assert not heights[0].any()


def test_a_swarm_says_what_it_shows(line: gl.Attribution) -> None:
    figure = gl.plots.beeswarm(line, top=2)
    said = texts(figure)
    for words in ("2 rows, 2 of 5 columns", "column 0", "6.00", "value: low", "category", "mean |contribution|"):
        assert words in said
    dots = figure.axes[0].collections
    assert len(dots) == 2
    assert sorted(dots[0].get_offsets()[:, 0].tolist()) == pytest.approx([-8, -4])
    mixed = explain(FRAME, model=embedded_model(), target=1, steps=4)
    assert "4 rows, all 4 columns" in texts(gl.plots.beeswarm(mixed))
    with pytest.raises(gl.InputError, match=r"gl\.explain_table"):
        gl.plots.beeswarm(replace(mixed, shown=()))


def test_colours_go_from_low_to_high() -> None:
    found = shades(np.array([0.0, 50, 100, np.nan])) * 255
    assert found[0] == pytest.approx(SCALE[0])
    assert found[2] == pytest.approx(SCALE[-1])
    assert found[3] == pytest.approx([139, 147, 158])
    assert len(np.unique(shades(np.ones(3)), axis=0)) == 1
