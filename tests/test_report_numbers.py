"""Numbers of the report: what is packed can be unpacked, zones add up, the chart lies between its edges."""

from __future__ import annotations

import base64
import io
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from report_cases import attribution, noise, stages

from gradline.plots import path_panel
from gradline.plots.maps import colour_scale, colours
from gradline.report import packing, regions, words
from gradline.report.chart import LEFT, RIGHT, across, chart


def raw(packed: dict) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed["values"])), np.uint8)


def test_a_map_is_kept_to_a_thirty_thousandth_of_its_largest_value() -> None:
    pixels = noise(30, 20)
    pixels[3, 4] = np.nan
    packed = packing.whole_map(pixels)
    low, high = raw(packed).reshape(2, -1)
    whole = (low.astype(np.uint16) | high.astype(np.uint16) << 8).view(np.int16).reshape(30, 20)
    assert whole[3, 4] == packing.UNKNOWN
    known = np.isfinite(pixels)
    assert np.abs(whole * packed["step"] - pixels)[known].max() <= np.abs(pixels[known]).max() / 32767 / 2 * (1 + 1e-9)


def test_levels_are_fine_near_zero_and_say_what_is_not_finite() -> None:
    cap = 8.0
    values = np.array([[0.0, 8.0, -8.0, 100.0, -100.0, 0.08, np.nan, np.inf]])
    found = packing.levels(values, cap)
    assert found[0].tolist() == [127, 254, 0, 254, 0, 140, 255, 255]  # √0.01 · 127 = 12.7
    back = packing.values_of(found, cap)
    assert back[0, :6] == pytest.approx([0, 8, -8, 8, -8, 0.0838], abs=1e-4)
    assert np.isnan(back[0, 6:]).all()


def test_the_error_of_a_level_is_below_two_steps_of_its_root() -> None:
    """v = cap·s² with s to 1/254: |Δv| ≤ 2·cap·s/254 + cap/254²."""
    values = np.linspace(-1, 1, 10_001)[None]
    error = np.abs(packing.values_of(packing.levels(values, 1.0), 1.0) - values)
    assert (error <= 2 * np.sqrt(np.abs(values)) / 254 + 1 / 254**2 + 1e-12).all()


def test_the_picture_is_a_png_whose_indices_are_the_map() -> None:
    pixels = noise(13, 21)
    pixels[0, 0] = np.nan
    cap, scale = 2 * colour_scale(pixels), colour_scale(pixels)
    image = Image.open(io.BytesIO(base64.b64decode(packing.level_picture(pixels, cap, scale).split(",")[1])))
    assert image.mode == "P"
    assert (np.asarray(image) == packing.levels(pixels, cap)).all()
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    seen, meant = np.asarray(paper)[..., :3].astype(int), colours(pixels, scale).astype(int)
    assert np.abs(seen - meant).max() <= 8  # a step of the root is at most 2/127·√2 of the scale here, of 222 levels
    assert np.abs(seen - meant).mean() < 1


def test_stages_come_back_from_their_differences() -> None:
    grown = stages(noise(6, 5), 8)
    cap = colour_scale(grown[-1])
    steps = raw(packing.stacked(grown, cap)).reshape(8, 6, 5)
    found = np.cumsum(steps, axis=0, dtype=np.uint8).astype(float)
    back = (found - 127) / 127 * cap
    assert np.abs(back - np.clip(grown, -cap, cap)).max() <= cap / 254 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("shape", "largest", "blocks"),
    [
        ((224, 224), 300, (224, 224)),
        ((518, 518), 300, (259, 259)),
        ((1024, 768), 300, (256, 192)),
        ((301, 7), 300, (151, 4)),
    ],
)
def test_blocks_cover_the_map(shape: tuple[int, int], largest: int, blocks: tuple[int, int]) -> None:
    assert packing.block_shape(np.zeros(shape), largest) == blocks
    side = packing.block_side(blocks, shape)
    assert blocks[0] * side >= shape[0]
    assert blocks[1] * side >= shape[1]


def test_zones_on_paper() -> None:
    """Nine 2 × 2 zones: 4 pixels of +3 in the top right, of −1 in the middle, 1 pixel of +4 bottom left."""
    pixels = np.zeros((6, 6))
    pixels[0:2, 4:6], pixels[2:4, 2:4], pixels[5, 0] = 3, -1, 4
    found = {zone.name: zone for zone in regions.zones(pixels)}
    assert len(found) == 9
    assert found["top right"] == regions.Zone("top right", 0.6, 12.0)
    assert found["centre"] == regions.Zone("centre", 0.2, -4.0)
    assert found["bottom left"] == regions.Zone("bottom left", 0.2, 4.0)
    assert sum(zone.share for zone in found.values()) == pytest.approx(1)
    assert sum(zone.total for zone in found.values()) == pixels.sum()
    assert (
        regions.in_words(pixels)
        == "60 % of the map lies in one of nine equal zones: the top right, which raises the score by 12."
    )
    assert [zone.name for zone in regions.strongest(tuple(found.values()), 0.7)] == ["top right", "centre"]


def test_zones_in_words_when_signs_cancel_and_when_values_are_no_contributions() -> None:
    pixels = np.zeros((3, 3))
    pixels[1, 1], pixels[0, 0], pixels[2, 2] = -4, 3, 3
    assert regions.in_words(pixels) == (
        "70 % of the map lies in 2 of nine equal zones: the centre (40 %, lowers the score by 4) "
        "and the top left (30 %, raises the score by 3)."
    )
    assert "the centre (40 %, adds up to -4)" in regions.in_words(pixels, contributes=False)
    balanced = np.zeros((6, 6))
    balanced[2, 2], balanced[3, 3] = 1, -1
    assert regions.in_words(balanced).endswith("the centre, which leaves the score as it is.")


def test_zones_of_odd_maps() -> None:
    assert "spread out: it takes 5 of nine equal zones" in regions.in_words(np.ones((9, 9)))
    assert regions.zones(np.zeros((9, 9))) == ()
    assert "zero everywhere" in regions.in_words(np.zeros((9, 9)))
    assert "not finite" in regions.in_words(np.full((9, 9), np.nan))
    assert len(regions.zones(np.ones((1, 2)))) == 9
    assert sum(zone.share for zone in regions.zones(np.ones((1, 2)))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("totals", "digits"), [((7.4, -0.1), 1), ((12.0,), 0), ((0.034,), 3), ((0.0,), 0), ((1.0,), 1)]
)
def test_totals_have_two_digits_of_the_largest(totals: tuple[float, ...], digits: int) -> None:
    assert regions.decimals(tuple(regions.Zone("", 0, total) for total in totals)) == digits


def test_the_share_of_the_map_is_a_projection() -> None:
    """A = (3, 4); half way (3, 0): ⟨A(½), A⟩ / ‖A‖² = 9/25."""
    grown = np.array([[[3.0, 0.0]], [[3.0, 4.0]]])
    assert words.shares(grown) == pytest.approx([0, 9 / 25, 1])
    assert words.shares(np.zeros((2, 3, 3))) is None
    assert words.shares(np.full((2, 3, 3), np.nan)) is None
    assert words.shares(None) is None


def test_the_chart_lies_between_its_edges() -> None:
    panel = path_panel(attribution(np.ones((6, 6))))
    assert panel is not None
    drawn = chart(panel, np.array([0.0, 0.5, 1.0]))
    assert drawn is not None
    assert [strip.line.key for strip in drawn.strips] == ["score", "share", "norm"]
    assert (across(0), across(1)) == (LEFT, RIGHT)
    score = drawn.strips[0]
    points = [tuple(map(float, p.split(","))) for p in score.runs[0].split()]
    assert points[0] == (LEFT, score.bottom)
    assert points[-1] == (RIGHT, score.top)
    assert len(points) == 6
    assert drawn.saturation == pytest.approx(across(panel.saturation))
    assert all(a.bottom < b.top for a, b in zip(drawn.strips, drawn.strips[1:], strict=False))


def test_a_chart_without_shares_without_change_and_without_numbers() -> None:
    panel = path_panel(attribution(np.ones((6, 6))))
    assert panel is not None
    assert [strip.line.key for strip in chart(panel, None).strips] == ["score", "norm"]
    still = chart(replace(panel, score=0 * panel.score, saturation=float("nan")), None)
    assert still.saturation is None
    assert still.strips[0].runs[0].count(",") == 6
    gap = replace(panel, score=np.array([0, 1, np.nan, 3, 4, 5]), gradient_norm=np.full(4, np.nan))
    drawn = chart(gap, None)
    assert [strip.line.key for strip in drawn.strips] == ["score"]
    assert [len(run.split()) for run in drawn.strips[0].runs] == [2, 3]  # a gap, not a line across
    assert drawn.strips[0].areas[1].split()[0] == f"{across(panel.t[3]):.1f},{drawn.strips[0].bottom:.1f}"
    nothing = replace(panel, score=panel.score * np.nan, gradient_norm=np.full(4, np.nan))
    assert chart(nothing, None) is None


@pytest.mark.parametrize(
    ("shape", "exact", "kept"), [((20, 30), 30, (20, 30)), ((20, 31), 30, (20, 31)), ((90, 120), 30, (30, 40))]
)
def test_a_picture_knows_whether_it_was_shrunk(shape: tuple[int, int], exact: int, kept: tuple[int, int]) -> None:
    image = packing.photograph(np.zeros((*shape, 3), np.uint8), exact=exact, largest=40)
    assert (image.shape, image.whole) == (kept, shape)
    assert Image.open(io.BytesIO(base64.b64decode(image.source.split(",")[1]))).size == kept[::-1]


def test_maps_beyond_the_range_of_a_scale_are_packed_without_a_warning() -> None:
    """The 99 % quantile may be smaller than any normal number, with one value far above it."""
    tiny = np.full((10, 20), 1e-310)
    tiny[0, 0] = 1e300
    assert packing.levels(tiny, 1e-310)[0, :2].tolist() == [254, 254]
    packing.level_picture(tiny, 1e300, 1e-310)
    assert (colours(tiny, 1e-310) == colours(np.ones((10, 20)), 1.0)).all()
