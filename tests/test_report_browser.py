"""The report in a real browser: what is seen, read and saved agrees with the numbers."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import (
    asked_for,
    chromium,
    complaints,
    needs_browser,
    opened,
    picture,
    set_control,
    text,
    wait,
)
from report_cases import attribution, full, noise, other, photo, stages

import gradline as gl
from gradline.plots import path_panel
from gradline.plots.maps import colour_scale, colours, overlay
from gradline.report import words, write_comparison, write_html

pytestmark = needs_browser

MAP, PATH = "[data-panel=map] .layers", "[data-control=t]"


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[gl.Attribution, Path]:
    """The demo's photo, a real network, few steps, and a map that stands for another baseline."""
    a = gl.explain_image(gl.demo_photo(), steps=4)
    shown = a.shown[0]
    others = (other("white", -shown.stages[-1], (224, 224)),)
    a = replace(a, shown=(replace(shown, baselines=others),))
    return a, a.save(tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of small pictures."""
    return write_html(*full(), tmp_path_factory.mktemp("small") / "small.html")


@pytest.fixture(autouse=True)
def _nothing_fails(driver: Any) -> Iterator[None]:
    complaints(driver)
    yield
    assert complaints(driver) == []


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
    wait(driver, "document.querySelector('[data-say]').textContent.includes('of the map is made')")
    said = text(driver, "[data-say]")
    assert said.startswith(f"At t = {t:.2f} the score is {text(driver, '[data-out=score]')}, the gradient norm")


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


def test_values_are_saved_as_text(driver: Any, real: tuple[gl.Attribution, Path], tmp_path: Path) -> None:
    a, path = real
    opened(driver, path)
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)

    def saved(kind: str) -> str:
        driver.execute_script(f"document.querySelector('[data-do=save-{kind}]').click()")
        name = tmp_path / f"{path_name}-{kind.replace('-csv', '.csv').replace('-svg', '.svg')}"
        for _ in range(500):
            if name.is_file() and not list(tmp_path.glob("*.crdownload")):
                return name.read_text("utf-8")
            wait(driver, "new Promise(done => setTimeout(done, 10, true))")
        raise AssertionError(f"nothing saved as {name.name}: {[p.name for p in tmp_path.iterdir()]}")

    path_name = Path(a.shown[0].name).stem
    head, *lines = csv.reader(saved("map-csv").splitlines())
    assert head == ["row", "column", "contribution to “espresso”, logit of class 967"]
    pixels = a.values[0].double().sum(0).numpy()
    table = np.array(lines, dtype=float)
    assert len(table) == pixels.size
    assert table[:, :2].tolist() == [[r, c] for r in range(224) for c in range(224)]
    assert np.abs(table[:, 2].reshape(224, 224) - pixels).max() <= np.abs(pixels).max() / 32767 / 2 * 1.01

    head, *lines = csv.reader(saved("path-csv").splitlines())
    assert head == ["t", "score (logit of class 967)", "gradient_norm", "share_of_map"]
    panel = path_panel(a)
    assert panel is not None
    assert [float(line[0]) for line in lines] == pytest.approx(panel.t.tolist())
    assert [float(line[1]) for line in lines] == pytest.approx(panel.score.tolist())
    assert [float(line[2]) for line in lines[1:-1]] == pytest.approx(panel.gradient_norm.tolist())
    assert [lines[0][2], lines[-1][2]] == ["", ""]

    for kind in ("path-svg", "map-svg"):
        drawing = ElementTree.fromstring(saved(kind))
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
        words_ = [e.text for e in drawing.iter("{http://www.w3.org/2000/svg}text")]
        assert len(words_) >= 3
        images = [e.get("href") for e in drawing.iter("{http://www.w3.org/2000/svg}image")]
        assert len(images) == 2 * (kind == "map-svg")
        assert all(str(i).startswith("data:image/") for i in images)
    # the picture with its legend is a drawing by itself: open it, and find the map in it
    driver.get((tmp_path / f"{path_name}-map.svg").as_uri())
    assert driver.execute_script("return document.documentElement.getBoundingClientRect().width") == 500


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


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    a, shown = full()
    several = {f"method number {k}": replace(a, values=a.values * (-1) ** k * (1 + k)) for k in range(8)}
    several["none"] = replace(a, status=(gl.Status.NO_CLAIM,), error_estimate=None)
    return write_comparison(gl.Comparison(several, ()), shown, tmp_path_factory.mktemp("grid") / "grid.html")


def test_methods_side_by_side(driver: Any, grid: Path) -> None:
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
