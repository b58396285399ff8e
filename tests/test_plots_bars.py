"""Figures of ranked features: what the bars add up to."""

from __future__ import annotations

import pytest
import torch
from plot_cases import linear, texts

import gradline as gl

pytest_plugins = ["plot_fixtures"]


def test_bars_add_up_to_the_map(row: gl.Attribution) -> None:
    """Largest first: −4, 3, then 2 − 1 + 0.5 = 1.5 in one; shares are of 4 + 3 + 2 + 1 + 0.5 = 10.5."""
    ranked = gl.plots.ranking(row, top=2)
    assert ranked.names == ("feature 0", "feature 1")
    assert ranked.values.tolist() == pytest.approx([-4, 3])
    assert (ranked.others, ranked.rest) == (3, pytest.approx(1.5))
    assert ranked.rest_share == pytest.approx(3.5 / 10.5)
    figure = gl.plots.bars(row, top=2, names=list("abcde"))
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == pytest.approx(float(row.values.sum())) == 0.5
    said = texts(figure)
    for words in (
        "a",
        "−4.00",
        "38 %",
        "3 others, summed",
        "+1.50",
        "33 %",
        "add up to +0.500; F(x) − F(x') is +0.500",
    ):
        assert words in said


def test_bars_stand_along_an_axis_or_for_every_value() -> None:
    weight = torch.tensor([[1.0, 2.0], [-5.0, 1.0], [0.0, 0.5]]).double()
    a = linear(weight, torch.ones(1, 3, 2))
    tokens = gl.plots.ranking(a, names=["not", "bad", "."])
    assert dict(zip(tokens.names, tokens.values.round(9), strict=True)) == {"bad": -4, "not": 3, ".": 0.5}
    assert gl.plots.ranking(a, dim=1).values.round(9).tolist() == [-4, 3.5]
    each = gl.plots.ranking(a, dim=None)
    assert each.names[0] == "feature 1, 0"
    assert each.total == pytest.approx(tokens.total) == -0.5
    with pytest.raises(gl.InputError, match="3 names, one for each bar"):
        gl.plots.bars(a, names=["one"])
    with pytest.raises(gl.InputError, match="dim from 0 to 1"):
        gl.plots.bars(a, dim=2)


def test_bars_of_several_inputs() -> None:
    x = {"age": torch.ones(1, 1).double(), "money": torch.ones(1, 2).double()}
    a = gl.explain(lambda age, money: age[:, 0] * 3 + money[:, 0] - 2 * money[:, 1], x)
    assert gl.plots.ranking(a).names == ("age", "money 1", "money 0")
    named = gl.plots.ranking(a, names={"money": ["wage", "rent"]})
    assert named.names == ("age", "money: rent", "money: wage")
    assert named.total == pytest.approx(2)
    with pytest.raises(gl.InputError, match="one tensor"):
        gl.plots.map(a)
    with pytest.raises(gl.InputError, match="mapping"):
        gl.plots.bars(a, names=["wage", "rent"])
