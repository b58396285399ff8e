"""Figures of one map: what is drawn at known values, what the legends say, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from plot_cases import WEIGHT, drawn, linear, texts

import gradline as gl
from gradline.plots.maps import AGAINST, FOR

pytest_plugins = ["plot_fixtures"]
RED, BLUE = tuple(FOR / 255), tuple(AGAINST / 255)


def test_a_map_has_known_colours_at_known_values(image: gl.Attribution) -> None:
    """White at zero, linear up to the 99 % quantile of sizes of sums over channels, full colour beyond."""
    sums = WEIGHT.sum(0).numpy()
    scale = np.quantile(np.abs(sums), 0.99)
    pixels = drawn(gl.plots.map(image))
    assert pixels[0, 0].tolist() == AGAINST.tolist()  # the lowest lies beyond the scale
    for (y, x), end in (((7, 9), FOR), ((2, 3), AGAINST)):
        share = abs(sums[y, x]) / scale
        assert 0 < share < 1
        assert pixels[y, x] == pytest.approx(255 + share * (end - 255), abs=0.51)


def test_the_legend_says_what_full_colour_is_and_what_is_clipped(image: gl.Attribution) -> None:
    sums = np.abs(WEIGHT.sum(0).numpy())
    scale = np.quantile(sums, 0.99)
    said = texts(gl.plots.map(image, 1))
    assert f"−{scale:#.3g} lowers the score" in said
    assert f"+{scale:#.3g} raises it" in said
    assert (sums > scale).sum() == 1  # the lowest of 80
    assert "1.2 % of the pixels lie beyond, in full colour" in said
    assert f"contribution to {image.explained[1]}" in said


def test_tables_are_drawn_as_they_are_and_numbered() -> None:
    a = linear(torch.eye(4).double(), torch.ones(1, 4, 4))
    figure = gl.plots.map(a)
    assert (drawn(figure)[np.eye(4, dtype=bool)] == FOR).all()
    assert (drawn(figure)[~np.eye(4, dtype=bool)] == 255).all()
    assert len(figure.axes[0].get_xticks()) > 1
    assert "nothing is clipped" in texts(figure)


def test_rows_are_bars_in_their_order(row: gl.Attribution) -> None:
    bars = gl.plots.map(row).axes[0].patches
    assert [bar.get_height() for bar in bars] == pytest.approx([-4, 3, 2, -1, 0.5])
    assert [bar.get_facecolor()[:3] == pytest.approx(to_rgb("#b2182b")) for bar in bars] == [0, 1, 1, 0, 1]
    assert to_rgb("#b2182b") == pytest.approx(RED)
    assert to_rgb("#2166ac") == pytest.approx(BLUE)


def test_long_rows_are_one_outline() -> None:
    weight = torch.linspace(-1, 2, 500).double()
    above, below = gl.plots.map(linear(weight, torch.ones(1, 500))).axes[0].patches
    assert above.get_data().values == pytest.approx(weight.clamp(min=0).numpy())
    assert below.get_data().values == pytest.approx(weight.clamp(max=0).numpy())


def test_flat_maps_and_maps_that_are_not_finite_say_so() -> None:
    flat = gl.explain(lambda x: x.sum((1, 2, 3)) * 0, torch.ones(1, 3, 4, 4))
    assert "every contribution is zero" in texts(gl.plots.map(flat))
    assert (drawn(gl.plots.map(flat)) == 255).all()
    values = torch.zeros(1, 3, 4, 4)
    values[0, 0, 0] = torch.nan
    broken = replace(flat, values=values)
    assert "25 % are not finite, in grey" in texts(gl.plots.map(broken))
    assert (drawn(gl.plots.map(broken))[0] == 128).all()
    everything = replace(flat, values=values * torch.nan)
    assert "100 % are not finite" in texts(gl.plots.map(everything))
    gl.plots.summary(everything)
    line = replace(flat, values=torch.tensor([[1.0, torch.inf, -2.0]]))
    assert "1 of 3 are not finite" in texts(gl.plots.map(line))
    assert "1 value is not finite and left out" in texts(gl.plots.bars(line))


def test_the_overlay_takes_the_photo_that_is_known_or_given(photographed: gl.Attribution) -> None:
    figure = gl.plots.overlay(photographed)
    assert drawn(figure)[0, 0].tolist() == AGAINST.tolist()
    assert "espresso" in texts(figure)
    bare = replace(photographed, shown=())
    assert (drawn(gl.plots.overlay(bare, photographed.shown[0].pixels)) == drawn(figure)).all()
    for photo, said in ((None, "made from tensors"), (np.zeros((8, 10, 3)), "uint8"), ([1], "list")):
        with pytest.raises(gl.InputError, match=said):
            gl.plots.overlay(bare, photo)
    with pytest.raises(gl.InputError, match=r"\(9, 10, 3\)"):
        gl.plots.overlay(bare, np.zeros((9, 10, 3), np.uint8))


def test_the_summary_puts_the_verdict_first_and_what_weakens_it_next(photographed: gl.Attribution) -> None:
    weak = gl.explain(lambda x: torch.sigmoid(60 * (x.sum((1, 2, 3)) - 3)), torch.ones(1, 3, 4, 4), max_evaluations=8)
    said = texts(gl.plots.summary(weak))
    assert said.index("NOT converged") < said.index("GL201") < said.index("contribution to") < said.index("score F(x)")
    photo = replace(photographed.shown[0], command="gradline explain cup.jpg -o cup.png")
    said = texts(gl.plots.summary(replace(photographed, shown=(photo,))))
    for words in (
        "Which pixels of cup.jpg made small-net see “espresso”?",
        "espresso 95 %",
        "gradline explain cup.jpg",
    ):
        assert words in said


def test_names_are_never_read_as_mathematics(photographed: gl.Attribution) -> None:
    hostile = replace(photographed.shown[0], name=r"$\frac{$.jpg", title="a_b^c$" * 30)
    figure = gl.plots.summary(replace(photographed, shown=(hostile,)))
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert r"$\frac{$.jpg" in texts(figure)


@pytest.mark.parametrize("name", ["map", "bars", "curve", "summary"])
def test_wrong_examples_and_widths_are_refused(name: str, row: gl.Attribution) -> None:
    draw = getattr(gl.plots, name)
    for i in (1, -2, 0.0, True):
        with pytest.raises(gl.InputError, match="an example from 0 to 0"):
            draw(row, i)
    for width in (0.5, 100, "wide", float("nan")):
        with pytest.raises(gl.InputError, match="inches"):
            draw(row, width=width)


def test_maps_with_more_axes_are_refused_with_a_remedy() -> None:
    a = linear(torch.ones(1, 2, 2, 2).double(), torch.ones(1, 1, 2, 2, 2))
    with pytest.raises(gl.InputError, match=r"up to three axes.*gl\.plots\.bars"):
        gl.plots.map(a)
    assert gl.plots.ranking(a, dim=1).values.tolist() == pytest.approx([4, 4])
