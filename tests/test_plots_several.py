"""Several maps in one figure: scales are shared where values can be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from plot_cases import drawn, linear, texts

import gradline as gl
from gradline.plots.maps import FOR

pytest_plugins = ["plot_fixtures"]


def test_a_grid_shares_one_scale_or_has_one_each() -> None:
    """Two maps, the second ten times the first: shared, the first is pale; each, both are full."""
    weight = torch.linspace(-1, 1, 400).double().reshape(1, 20, 20)
    maps = {"small": linear(weight, torch.ones(1, 1, 20, 20)), "large": linear(10 * weight, torch.ones(1, 1, 20, 20))}
    pooled = np.quantile(np.abs(np.concatenate([weight.numpy(), 10 * weight.numpy()])), 0.99)
    figure = gl.plots.grid(maps)
    assert f"−{pooled:#.3g} lowers the score" in texts(figure)
    assert "one scale for all maps" in texts(figure)
    assert drawn(figure, 0)[-1, -1] == pytest.approx(255 + (FOR - 255) / pooled, abs=0.5)
    assert drawn(figure, 1)[-1, -1].tolist() == FOR.tolist()
    figure = gl.plots.grid(maps, shared=False)
    own = np.quantile(np.abs(weight.numpy()), 0.99)
    assert f"full colour ±{own:#.3g}" in texts(figure)
    assert f"full colour ±{10 * own:#.3g}" in texts(figure)
    assert "a scale of its own" in texts(figure)
    assert (drawn(figure, 0) == drawn(figure, 1)).all()


def test_values_of_different_units_never_share_a_scale() -> None:
    weight = torch.linspace(-1, 1, 48).double().reshape(3, 4, 4)
    score, x = gl.Score(lambda x: (x * weight).flatten(1).sum(1)), torch.full((1, 3, 4, 4), 0.5).double()
    methods = {
        "IG": gl.methods.integrated_gradients(),
        "∇": gl.methods.gradient(),
        "∇ × x": gl.methods.gradient_x_input(),
    }
    said = texts(gl.plots.grid(gl.compare(score, x, methods)))
    assert "a scale for each kind of value: IG, ∇ × x (score); ∇ (score per unit of input)" in said
    half = np.quantile(np.abs(weight.sum(0).numpy()), 0.99) / 2
    assert said.count(f"full colour ±{half:#.3g}") == 2
    assert f"full colour ±{2 * half:#.3g}" in said
    probability = gl.explain(lambda x: x.flatten(1)[:, :3], x, gl.Probability(1))
    logit = gl.explain(lambda x: x.flatten(1)[:, :3], x, gl.Logit(1))
    assert "a scale for each kind" in texts(gl.plots.grid({"p": probability, "logit": logit}))


def test_a_grid_of_examples_and_one_with_a_photo(image: gl.Attribution, photographed: gl.Attribution) -> None:
    figure = gl.plots.grid(image)
    assert "example 0" in texts(figure)
    assert "example 1" in texts(figure)
    assert len(figure.axes) == 3  # two maps and the bar
    photo = photographed.shown[0].pixels
    figure = gl.plots.grid({"one": image, "two": image}, photo, 1)
    assert (drawn(figure, 0) == photo).all()
    assert len(gl.plots.grid(photographed).axes) == 3  # the photo above the map
    with pytest.raises(gl.InputError, match="no photo"):
        gl.plots.grid(image, photo)
    with pytest.raises(gl.InputError, match="maps of one kind"):
        gl.plots.grid({"a": image, "b": linear(torch.ones(2).double(), torch.ones(1, 2))})
    for wrong in ({}, {"a": 1}, [image]):
        with pytest.raises(gl.InputError, match="expected a"):
            gl.plots.grid(wrong)


def test_a_grid_of_rows_shares_the_axis(row: gl.Attribution) -> None:
    double = replace(row, values=row.values * 2)
    figure = gl.plots.grid({"one": row, "two": double})
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim() == pytest.approx((-8.7, 6.7))  # −8 to 6, and 5 %
    assert gl.plots.grid({"one": row, "two": double}, shared=False).axes[0].get_ylim() == pytest.approx((-4.35, 3.35))
    positive = replace(row, values=row.values.abs())
    assert gl.plots.grid({"one": positive}).axes[0].get_ylim() == pytest.approx((0, 4.2))


def test_baselines_stand_beside_the_map_with_their_agreement(photographed: gl.Attribution) -> None:
    figure = gl.plots.baselines(photographed)
    said = texts(figure)
    for words in ("this map", "from white", "rank agreement −0.41", "of sizes 0.02", "map error 7.0 %"):
        assert words in said
    assert (drawn(figure, 3) == drawn(figure, 1)[::-1]).all()  # the other map is this one upside down
    assert "one scale for all maps" in texts(gl.plots.baselines(photographed, shared=True))
    with pytest.raises(gl.InputError, match="other baselines"):
        gl.plots.baselines(replace(photographed, shown=()))
