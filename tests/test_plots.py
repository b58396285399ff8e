"""Figures: what is drawn at known values, what the legends say, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import gradline as gl
from gradline.plots.maps import AGAINST, FOR
from gradline.report import OtherBaseline, Photo

WEIGHT = torch.linspace(-1, 0.9, 3 * 8 * 10, dtype=torch.float64).reshape(3, 8, 10)
RED, BLUE = tuple(FOR / 255), tuple(AGAINST / 255)


def linear(weight: torch.Tensor, x: torch.Tensor, **options: object) -> gl.Attribution:
    """Of a linear score, whose map is weight · x whatever the path."""
    score = gl.Score(lambda x: (x * weight).flatten(1).sum(1))
    return gl.attribute(score, x.double(), **options)


@pytest.fixture(scope="module")
def image() -> gl.Attribution:
    return linear(WEIGHT, torch.ones(2, 3, 8, 10))


@pytest.fixture(scope="module")
def row() -> gl.Attribution:
    """Contributions −4, 3, 2, −1, 0.5."""
    return linear(torch.tensor([-4.0, 3.0, 2.0, -1.0, 0.5]).double(), torch.ones(1, 5))


@pytest.fixture(scope="module")
def photographed(image: gl.Attribution) -> gl.Attribution:
    """The same with a photo that knows its stages and another baseline."""
    whole = WEIGHT.sum(0).numpy()
    stages = np.stack([whole * t for t in (0.25, 0.5, 0.75, 1.0)])
    other = OtherBaseline("white", np.full((8, 10, 3), 255, np.uint8), whole[::-1], 0.07, -0.41, 0.02)
    pixels = np.arange(240, dtype=np.uint8).reshape(8, 10, 3)
    photo = Photo("cup.jpg", "small-net", "espresso", pixels, pixels * 0, (("espresso", 0.95),), stages, (other,))
    return replace(image[0], shown=(photo,))


def texts(figure: Figure) -> str:
    """Everything that is written on a figure, in reading order of making."""
    every = [t.get_text() for t in figure.texts]
    for axes in figure.axes:
        every += [axes.get_ylabel(), *(t.get_text() for t in axes.texts)]
    return "\n".join(every)


def drawn(figure: Figure, place: int = 0) -> np.ndarray:
    """The picture in one of the axes."""
    return np.asarray(figure.axes[place].images[0].get_array())


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
