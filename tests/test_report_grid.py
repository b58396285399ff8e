"""Several methods on one photo: the page as text and in a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import needs_browser, opened, picture, set_control, text
from report_cases import attribution, full, noise, photo
from report_elements import HOSTILE, Elements

import gradline as gl
from gradline.plots.maps import colour_scale, colours
from gradline.report import write_comparison

pytest_plugins = ["report_fixtures"]


def test_methods_side_by_side(tmp_path: Path) -> None:
    a, shown = full()
    gradient = replace(
        a,
        values=a.values * 30,
        error_estimate=None,
        completeness_gap=None,
        status=(gl.Status.NO_CLAIM,),
        provenance=dict(a.provenance) | {"unit": "score per unit of the site"},
    )
    turned = replace(a, values=-a.values)
    both = gl.Comparison({"ig": a, HOSTILE: turned, "gradient": gradient}, ())
    found = Elements(write_comparison(both, shown, tmp_path / "grid.html").read_text("utf-8"))
    order = ["2 of 3 maps converged", "completeness gap", "The maps", "How far the maps agree", "Do it again"]
    assert [found.text.find(part) for part in order] == sorted(found.text.find(part) for part in order)
    assert "The lowest rank agreement is −1.00" in found.text
    assert "different questions" in found.text
    assert "where their values can be compared" in found.text
    scales = [float(str(f["data-shared"])) for f in found.all("figure") if "data-tile" in f]
    assert scales[0] == scales[1] != scales[2]
    assert scales[2] == pytest.approx(30 * scales[0], rel=1e-3)
    assert len(found.all("script")) == 2
    cells = [td for td in found.all("td") if td.get("class") in ("plus", "minus")]
    assert len(cells) == 2 * 9
    assert sum(td["class"] == "minus" for td in cells) == 4  # the turned map with each of the others, signed


def test_a_dozen_methods_stay_below_a_megabyte(tmp_path: Path) -> None:
    maps = {f"method {k}": attribution(noise(224, 224, k)) for k in range(12)}
    written = write_comparison(gl.Comparison(maps, ()), photo(224, 224), tmp_path / "grid.html")
    assert written.stat().st_size < 1_000_000
    assert "over blocks of 2 × 2 pixels" in written.read_text("utf-8")


def test_colours_of_different_units_only_have_a_sign(tmp_path: Path) -> None:
    a, shown = full()
    slope = replace(
        a, provenance=dict(a.provenance) | {"unit": "score per unit of the site", "method_name": "gradient"}
    )
    for second, says in ((a, "lowers the score"), (slope, "negative")):
        found = Elements(
            write_comparison(gl.Comparison({"ig": a, "b": second}, ()), shown, tmp_path / "a.html").read_text("utf-8")
        )
        assert says in found.text
    assert "lowers the score" not in found.text
    assert "method name, b" in found.text  # the provenance of both


def test_a_comparison_of_nothing_is_refused(tmp_path: Path) -> None:
    a, shown = full()
    with pytest.raises(gl.InputError, match="at least one map"):
        write_comparison(gl.Comparison({}, ()), shown, tmp_path / "a.html")
    with pytest.raises(gl.InputError, match="an attribution with examples"):
        write_comparison(gl.Comparison({"ig": a[:0]}, ()), shown, tmp_path / "a.html")


def test_one_method_has_nothing_to_agree_with(tmp_path: Path) -> None:
    a, shown = full()
    text = write_comparison(gl.Comparison({"ig": a}, ()), shown, tmp_path / "grid.html").read_text("utf-8")
    assert "How far the maps agree" not in text
    assert "The map converged to the accuracy asked for" in text


@needs_browser
@pytest.mark.usefixtures("quiet")
def test_methods_side_by_side_in_a_browser(driver: Any, grid: Path) -> None:
    opened(driver, grid)
    layers, a = "[data-tile]:nth-of-type(2) .layers", full()[0]  # the photo is the first figure
    pixels = a.values[0, 0].numpy()
    shared = colour_scale(np.concatenate([pixels.ravel() * (1 + k) for k in (*range(8), 0)]))
    assert np.abs(picture(driver, layers, (24, 24)) - colours(pixels, shared)).mean() < 4
    driver.execute_script("document.querySelector('[value=each]').click()")
    assert np.abs(picture(driver, layers, (24, 24)) - colours(pixels, colour_scale(pixels))).mean() < 4
    set_control(driver, "[data-control=blend]", 0)
    assert np.abs(picture(driver, layers, (24, 24)) - full()[1].pixels).mean() < 1
    set_control(driver, "[data-control=blend]", 100)
    set_control(driver, "[data-control=threshold]", 100)
    drawn = (picture(driver, layers, (24, 24)) < 250).any(2)
    assert drawn.sum() == pytest.approx((np.abs(pixels) >= colour_scale(pixels)).sum(), abs=2)
    driver.execute_script("document.querySelector('[data-control=show][value=size]').click()")
    assert text(driver, ".key") == "size, of either sign"
