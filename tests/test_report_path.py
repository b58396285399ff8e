"""The path panel in a real browser: cursor, numbers, the input and the map there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import (
    needs_browser,
    opened,
    picture,
    set_control,
    text,
    wait,
)
from report_cases import attribution, full, noise, photo, stages

import gradline as gl
from gradline.plots import path_panel
from gradline.plots.maps import colour_scale, colours
from gradline.report import words, write_html
from gradline.report.page import script
from gradline.result.spelling import percent

pytestmark = [needs_browser, pytest.mark.usefixtures("quiet")]
pytest_plugins = ["report_fixtures"]

MAP, PATH = "[data-panel=map] .layers", "[data-control=t]"


def test_the_cursor_moves_by_keys_and_mouse_and_its_numbers_are_right(
    driver: Any, real: tuple[gl.Attribution, Path]
) -> None:
    from selenium.webdriver import ActionChains, Keys

    a, path = real
    opened(driver, path)
    panel, made = path_panel(a), words.shares(a.shown[0].stages)
    assert panel is not None
    assert made is not None

    def agrees(t: float) -> None:
        score = np.interp(t, panel.t, panel.score)
        assert float(text(driver, "[data-out=t]")) == pytest.approx(t, abs=0.006)
        assert float(text(driver, "[data-out=score]")) == pytest.approx(score, rel=1e-3)
        norm = np.interp(t, panel.nodes, panel.gradient_norm)
        assert float(text(driver, "[data-out=norm]")) == pytest.approx(norm, rel=5e-3)
        share = np.interp(t, np.linspace(0, 1, len(made)), made)
        assert float(text(driver, "[data-out=share]").split()[0]) == pytest.approx(100 * share, abs=0.51)
        rise = (score - panel.score[0]) / (panel.score[-1] - panel.score[0])
        assert float(text(driver, "[data-out=rise]").split()[0]) == pytest.approx(100 * rise, abs=0.51)

    agrees(0.5)
    slider = driver.find_element("css selector", PATH)
    slider.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    agrees(0.47)
    slider.send_keys(Keys.END)
    agrees(1.0)
    assert text(driver, "[data-out=share]") == "100 %"
    slider.send_keys(Keys.HOME)
    agrees(0.0)
    frame = driver.find_element("css selector", ".score .frame")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", frame)
    half = frame.rect["width"] / 2
    ActionChains(driver).move_to_element(frame).click_and_hold().move_by_offset(int(half / 2), 3).release().perform()
    t = float(slider.get_property("value"))
    assert t == pytest.approx(0.75, abs=0.01)
    agrees(t)
    said = f"At t = {t:.2f} the score is {text(driver, '[data-out=score]')}, the gradient norm"
    wait(driver, f"document.querySelector('[data-say]').textContent.startsWith({said!r})")  # spoken after a pause


def test_the_input_and_the_map_at_the_cursor(driver: Any, tmp_path: Path) -> None:
    """Half way from grey 40 to the photo, and A(t) = t A on the scale of A, of which two stages are kept."""
    pixels, shown = noise(40, 40), photo(40, 40, start=np.full((40, 40, 3), 40, np.uint8))
    opened(driver, write_html(attribution(pixels), replace(shown, stages=stages(pixels, 2)), tmp_path / "map.html"))
    for t in (0.5, 0.83):
        set_control(driver, PATH, t)
        blend = 40 + t * (shown.pixels.astype(float) - 40)
        assert np.abs(picture(driver, "[data-way]", (40, 40)) - blend).mean() < 2  # the start is kept as JPEG
        grown = colours(t * pixels, colour_scale(pixels))
        assert np.abs(picture(driver, "[data-partial]", (40, 40)) - grown).mean() < 1.5


def test_the_line_has_gaps_where_the_score_is_not_finite(driver: Any, tmp_path: Path) -> None:
    a, shown = full()
    curve = replace(a.curve[0], score=np.array([1.0, np.nan, 5.0, 7.0]))
    opened(driver, write_html(replace(a, curve=(curve,)), shown, tmp_path / "map.html"))
    assert len(driver.find_elements("css selector", ".score .line")) == 2
    for t, said in ((0.1, "0.8"), (0.3, "unknown"), (0.5, "unknown"), (0.75, "6")):
        set_control(driver, PATH, t)
        assert text(driver, "[data-out=score]") == said


@pytest.mark.parametrize("share", [0, 1e-7, 0.00043, 0.0386, 0.5, 0.9996, 1, 12.346, -0.25])
def test_the_script_writes_shares_as_the_rest_of_the_page_does(driver: Any, small: Path, share: float) -> None:
    opened(driver, small)
    written = driver.execute_script(f"{script()}; return percent({share})").replace("\u00a0", " ").replace("−", "-")
    assert float(written.removeprefix("below ").removesuffix(" %")) == float(
        percent(share).removeprefix("below ").removesuffix(" %")
    )


def split(**changed: Any) -> gl.Attribution:
    """A map that is split at t* = 0.4, where F = 2: four nodes left of it, and what was looked at in four cells."""
    t = np.array([0.05, 0.15, 0.25, 0.35])
    details = {"saturation_point": [0.4], "saturation_score": [2.0], "path_scores": [[0.0, 1.0, 4.0, 6.0, 8.0]]}
    curve = (gl.Curve(t, np.full(4, 0.1), 5 * t, 10 - 4 * t),)
    return replace(attribution(noise(24, 24), curve=curve, details=details), **changed)


def test_the_crossing_is_marked_and_what_was_not_read_is_not_known(driver: Any, tmp_path: Path) -> None:
    """The score is known from looking for t*; the gradient beyond it is not, where one side alone was read."""
    opened(driver, write_html(split(), photo(24, 24), tmp_path / "map.html"))
    assert driver.find_element("css selector", ".saturation text").text == "saturation point t* = 0.40"
    line = driver.find_element("css selector", ".saturation line")
    assert float(line.get_attribute("x1")) == pytest.approx(56 + 0.4 * 492, abs=0.06)
    lead = driver.find_element("css selector", "[data-panel=path] .lead").text
    assert "It saturates at t* = 0.40, where the map is split." in lead
    assert "90" not in lead
    for t, score, norm in (
        (0.35, "1.75", "8.6"),
        (0.4, "2", "unknown"),
        (0.45, "3", "unknown"),
        (0.75, "6", "unknown"),
    ):
        set_control(driver, PATH, t)
        assert text(driver, "[data-out=score]") == score
        assert text(driver, "[data-out=norm]") == norm


@pytest.mark.parametrize(("point", "end"), [(0.0, "left"), (1.0, "right")])
def test_a_crossing_at_an_end_and_a_path_that_was_not_read(driver: Any, tmp_path: Path, point: float, end: str) -> None:
    nothing = gl.Curve(*(np.empty(0) for _ in range(4)))
    details = split().details | {"saturation_point": [point], "saturation_score": [8 * point]}
    opened(driver, write_html(split(details=details, curve=(nothing,)), photo(24, 24), tmp_path / "map.html"))
    mark = driver.find_element("css selector", ".saturation text").rect
    frame = driver.find_element("css selector", ".score .frame").rect
    assert frame["x"] <= mark["x"]
    assert mark["x"] + mark["width"] <= frame["x"] + frame["width"]
    set_control(driver, PATH, 0.5)
    assert text(driver, "[data-out=score]") == "4"
    assert text(driver, "[data-out=norm]") == "unknown"
    assert "0 places" in driver.find_element("css selector", ".chart figcaption").text
