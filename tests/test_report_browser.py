"""The report in a real browser: what is seen and read agrees with the numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import (
    asked_for,
    needs_browser,
    opened,
    picture,
    set_control,
    text,
    wait,
)
from report_cases import attribution, full, noise, photo, stages

import gradline as gl
from gradline.plots.maps import colour_scale, colours, overlay
from gradline.report import write_html

pytestmark = [needs_browser, pytest.mark.usefixtures("quiet")]
pytest_plugins = ["report_fixtures"]

MAP, PATH = "[data-panel=map] .layers", "[data-control=t]"


def test_nothing_is_fetched_and_every_picture_is_there(driver: Any, real: tuple[gl.Attribution, Path]) -> None:
    opened(driver, real[1])
    urls = asked_for(driver)
    assert real[1].as_uri() in urls
    assert all(url.startswith(("file:", "data:")) for url in urls)
    images = driver.execute_script("return [...document.images].map(i => [i.naturalWidth, i.currentSrc.slice(0, 5)])")
    assert len(images) >= 6
    assert all(natural > 1 and source == "data:" for natural, source in images)


def test_without_a_script_everything_is_there_to_read(driver: Any, real: tuple[gl.Attribution, Path]) -> None:
    opened(driver, real[1], live=False)
    seen = driver.find_element("tag name", "main").text
    order = ["espresso", "Fixed:", "The map", "The path", "Other baselines", "Do it again"]
    assert [seen.lower().find(part.lower()) for part in order] == sorted(
        seen.lower().find(part.lower()) for part in order
    )
    assert not [e for e in driver.find_elements("css selector", "button, input") if e.is_displayed()]
    widths = [i.size["width"] for i in driver.find_elements("tag name", "img") if i.is_displayed()]
    assert len(widths) >= 10
    assert min(widths) >= 20
    assert driver.find_element("css selector", ".score .line").get_attribute("points").count(",") == 4 + 2


def test_from_the_photo_over_both_to_the_map(driver: Any, tmp_path: Path) -> None:
    """Laid out pixel by pixel, three places of the slider are the photo, the overlay and the map of the figures."""
    pixels, shown = noise(60, 80), photo(60, 80)
    opened(driver, write_html(attribution(pixels), shown, tmp_path / "map.html"))
    scale = colour_scale(pixels)
    meant = {0: shown.pixels, 50: overlay(pixels, scale, shown.pixels), 100: colours(pixels, scale)}
    for place, expected in meant.items():
        set_control(driver, "[data-control=blend]", place)
        away = np.abs(picture(driver, MAP, (80, 60)) - expected)
        assert away.mean() < (6 if place == 50 else 1), place  # the browser's grey weighs green more
        assert text(driver, "[data-out=blend]") == f"{place} %"


def test_sizes_have_one_colour(driver: Any, tmp_path: Path) -> None:
    pixels = noise(40, 40)
    opened(driver, write_html(attribution(pixels), photo(40, 40), tmp_path / "map.html"))
    set_control(driver, "[data-control=blend]", 100)
    driver.execute_script("document.querySelector('[data-control=show][value=size]').click()")
    share = np.minimum(np.abs(pixels) / colour_scale(pixels), 1)[..., None]
    assert np.abs(picture(driver, MAP, (40, 40)) - (255 + share * (np.array([64, 30, 104]) - 255))).mean() < 1
    assert text(driver, "[data-legend]").split("\n")[0].startswith("0")


def test_a_threshold_hides_what_it_should(driver: Any, tmp_path: Path) -> None:
    """100 pixels of 1 … 100: full colour at the 99 % quantile, 99.01; above half of that lie 50 … 100."""
    pixels = np.arange(1, 101).reshape(10, 10) * np.where(np.arange(100) % 2, -1, 1).reshape(10, 10)
    opened(driver, write_html(attribution(pixels), photo(10, 10), tmp_path / "map.html"))
    set_control(driver, "[data-control=blend]", 100)
    assert text(driver, "[data-out=shown]") == "All 100 pixels are shown."
    set_control(driver, "[data-control=threshold]", 50)
    # Σ 50…100 = 3825 of 5050; signs alternate, odd sizes up: Σ ± of 50…100 = −50 + 51 − 52 … − 100 = −75 of −50
    assert text(driver, "[data-out=shown]") == (
        "51 of 100 pixels are shown: 76 % of the map’s size, adding up to -75 of -50."
    )
    drawn = (picture(driver, MAP, (10, 10)) < 250).any(2)
    assert (drawn == (np.abs(pixels) >= 0.5 * 99.01)).all()
    driver.execute_script("document.querySelector('[data-control=by][value=share]').click()")
    assert text(driver, "[data-out=shown]") == "All 100 pixels are shown."
    set_control(driver, "[data-control=threshold]", 19)
    # the fewest strongest that hold 19 % of 5050 = 959.5: 100 + 99 + … + 91 = 955 is not enough, with 90 it is
    assert text(driver, "[data-out=shown]").startswith("11 of 100 pixels are shown: 21 %")
    assert text(driver, "[data-label=threshold]") == "Show the strongest pixels that hold"
    assert text(driver, "[data-out=threshold]") == "19 % of the map"


def test_values_are_read_by_pointer_and_by_keys(driver: Any, real: tuple[gl.Attribution, Path]) -> None:
    from selenium.webdriver import ActionChains, Keys

    a, path = real
    opened(driver, path)
    pixels = a.values[0].double().sum(0).numpy()
    canvas = driver.find_element("css selector", "canvas.canvas")

    def seen() -> tuple[int, int, float]:
        found = re.match(r"Row (\d+), column (\d+): ([+-]?[\d.e-]+),", text(driver, "[data-out=value]"))
        assert found, text(driver, "[data-out=value]")
        return int(found[1]), int(found[2]), float(found[3])

    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    ActionChains(driver).move_to_element_with_offset(canvas, -100, 50).perform()
    row, column, value = seen()
    across = canvas.size["width"] / 224
    assert (row, column) == pytest.approx((112 + 50 / across, 112 - 100 / across), abs=1.5)
    assert value == pytest.approx(pixels[row, column], rel=5e-3, abs=2e-5 * np.abs(pixels).max())
    driver.execute_script("arguments[0].focus()", canvas)
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.SHIFT + Keys.ARROW_DOWN)
    assert seen()[:2] == (row - 1 + 10, column + 2)
    assert seen()[2] == pytest.approx(pixels[row + 9, column + 2], rel=5e-3, abs=2e-5 * np.abs(pixels).max())
    wait(driver, "document.querySelector('[data-say]').textContent.startsWith('Row')")


def test_other_baselines_on_one_scale_or_each_its_own(driver: Any, small: Path) -> None:
    opened(driver, small)
    tile = "[data-tile]:nth-of-type({}) .layers"
    pixels = full()[0].values[0, 0].numpy().reshape(12, 2, 12, 2).sum((1, 3))
    shared = colour_scale(np.concatenate([m.ravel() for m in (pixels, -pixels, 0.1 * pixels)]))
    for each in (False, True):
        driver.execute_script(f"document.querySelector('[value={'each' if each else 'shared'}]').click()")
        for k, values in enumerate((pixels, -pixels, 0.1 * pixels), start=1):
            scale = colour_scale(values) if each else shared
            away = np.abs(picture(driver, tile.format(k), (12, 12)) - colours(values, scale))
            assert away.mean() < 4, (each, k)  # levels of the root: at most 3 % of the scale
            stated = text(driver, f"[data-tile]:nth-of-type({k}) [data-out=scale]")
            assert float(stated.partition("±")[2]) == pytest.approx(scale, rel=0.05)


@pytest.mark.parametrize("kind", ["no path", "flat", "not finite", "blocks"])
def test_odd_maps_work(driver: Any, tmp_path: Path, kind: str) -> None:
    size = 302 if kind == "blocks" else 24
    pixels, shown = noise(size, size), photo(size, size, stages=stages(noise(size, size)[::2, ::2]))
    if kind == "flat":
        pixels, shown = 0 * pixels, replace(shown, stages=0 * shown.stages)
    if kind == "not finite":
        pixels[2] = np.nan
    a = attribution(pixels)
    if kind == "no path":
        a = replace(a, baseline_score=None, completeness_gap=None, error_estimate=None, status=(gl.Status.NO_CLAIM,))
    opened(driver, write_html(a, shown, tmp_path / "map.html"))
    set_control(driver, "[data-control=blend]", 100)
    set_control(driver, "[data-control=threshold]", 10)
    driver.execute_script("document.querySelector('[data-control=by][value=share]').click()")
    assert "shown" in text(driver, "[data-out=shown]")
    assert bool(driver.find_elements("css selector", "[data-panel=path]")) == (kind != "no path")
    if kind == "not finite":
        seen = picture(driver, MAP, (24, 24))
        assert (seen[2] == 128).all()
    if kind == "blocks":
        driver.execute_script("document.querySelector('canvas.canvas').focus()")
        assert re.match(r"Row 150–151, column 150–151: ", text(driver, "[data-out=value]"))
