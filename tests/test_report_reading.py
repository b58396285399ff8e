"""Reading the report in a real browser: in both themes, at every width, by keys, on paper, whatever the names are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import (
    CONTRAST,
    names,
    needs_browser,
    opened,
    set_control,
    text,
    theme,
    wait,
    width,
)
from report_cases import full

import gradline as gl
from gradline.report import write_html
from gradline.result.finding import KINDS

pytestmark = [needs_browser, pytest.mark.usefixtures("quiet")]
pytest_plugins = ["report_fixtures"]


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme_follows_the_system_and_the_button(driver: Any, small: Path, system: str) -> None:
    opened(driver, small)
    theme(driver, system)
    colour = "return getComputedStyle(document.querySelector('.gradline')).backgroundColor"
    first = driver.execute_script(colour)
    assert (sum(map(int, re.findall(r"\d+", first)[:3])) > 380) == (system == "light")
    button = driver.find_element("css selector", "[data-do=theme]")
    offered = {"light": "Dark theme", "dark": "Light theme"}[system]
    wait(driver, f"document.querySelector('[data-do=theme]').textContent === '{offered}'")
    button.click()
    assert driver.execute_script(colour) != first
    assert button.text == {"light": "Light theme", "dark": "Dark theme"}[system]
    button.click()
    assert driver.execute_script(colour) == first


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with findings and every panel."""
    a, shown = full(status=(gl.Status.BUDGET_EXHAUSTED,), findings=(KINDS["GL201"].found(), KINDS["GL107"].found("p")))
    return write_html(a, replace(shown, name="a-very-long-name-" * 9), tmp_path_factory.mktemp("weak") / "weak.html")


@pytest.mark.parametrize("page", ["weak", "grid"])
@pytest.mark.parametrize("system", ["light", "dark"])
def test_every_text_can_be_read(driver: Any, request: pytest.FixtureRequest, page: str, system: str) -> None:
    """At least 4.5 to 1 between letters and what is behind them (WCAG 2.2 AA)."""
    opened(driver, request.getfixturevalue(page))
    theme(driver, system)
    driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = driver.execute_script(CONTRAST)
    assert len(found) > 60
    assert found[0][0] >= 4.5, found[:5]


@pytest.mark.parametrize("page", ["weak", "grid"])
@pytest.mark.parametrize("pixels", [375, 768, 1200])
def test_nothing_sticks_out(driver: Any, request: pytest.FixtureRequest, page: str, pixels: int) -> None:
    opened(driver, request.getfixturevalue(page))
    width(driver, pixels)
    assert driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]") == [pixels, pixels]
    cut = driver.execute_script(
        """return [...document.querySelectorAll('h1, h2, p, dd, figcaption, button, label, pre')].filter((e) =>
          e.checkVisibility() && !e.classList.contains('unseen') && e.scrollWidth > e.clientWidth + 1 &&
          getComputedStyle(e).display !== 'inline').map((e) => e.className + e.textContent.slice(0, 30))"""
    )
    assert cut == []


@pytest.mark.parametrize("page", ["weak", "grid"])
def test_every_control_has_a_name_and_its_turn(driver: Any, request: pytest.FixtureRequest, page: str) -> None:
    from selenium.webdriver import ActionChains, Keys

    opened(driver, request.getfixturevalue(page))
    found = names(driver)
    assert len(found) >= (15 if page == "weak" else 8)
    assert all(name.strip() for _, name in found), found
    driver.execute_script("document.body.tabIndex = -1; document.body.focus()")
    places = []
    for _ in range(40):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        place = driver.execute_script(
            "return [...document.querySelectorAll('*')].indexOf(document.activeElement)"
            " * !['BODY', 'HTML'].includes(document.activeElement.tagName)"
        )
        if not place or place in places:
            break
        places.append(place)
    assert places == sorted(places)
    groups = driver.execute_script(
        "return new Set([...document.querySelectorAll('button, input, summary, pre, canvas.canvas')]"
        ".filter(e => e.checkVisibility()).map(e => e.name || e)).size"
    )
    assert len(places) >= groups


def test_copying_with_and_without_permission(driver: Any, small: Path) -> None:
    opened(driver, small)
    python = full()[1].python
    define = "Object.defineProperty(navigator, 'clipboard', {{configurable: true, value: {}}})"
    driver.execute_script(define.format("{writeText: async (t) => { window.copied = t; }}"))
    driver.execute_script("document.querySelector('[data-do=copy]').click()")
    wait(driver, "window.copied")
    assert driver.execute_script("return window.copied") == python
    wait(driver, "document.querySelector('[data-do=copy]').textContent === 'Copied'")
    driver.execute_script(define.format("undefined"))
    driver.execute_script("document.querySelector('[data-do=copy]').click()")
    wait(driver, "document.activeElement.tagName === 'TEXTAREA'")
    assert (
        driver.execute_script(
            "const a = document.activeElement; return a.value.slice(a.selectionStart, a.selectionEnd)"
        )
        == python
    )
    driver.execute_script("document.activeElement.blur()")
    assert driver.execute_script("return document.querySelectorAll('textarea').length") == 0
    assert text(driver, "pre") == python


def test_on_paper(driver: Any, small: Path) -> None:
    """Light whatever the theme, without controls, at the state of the page, which is stated."""
    opened(driver, small)
    set_control(driver, "[data-control=threshold]", 30)
    driver.find_element("css selector", "[data-do=theme]").click()
    theme(driver, "dark", media="print")
    shown = [e for e in driver.find_elements("css selector", "button, input, [data-do]") if e.is_displayed()]
    assert shown == []
    state = text(driver, "[data-state]")
    assert state.startswith("Shown here: signed values, 50 % from photo to map.")
    assert "pixels are shown" in state
    ink = driver.execute_script("return getComputedStyle(document.querySelector('.gradline p')).color")
    assert sum(map(int, re.findall(r"\d+", ink)[:3])) < 400
    assert driver.execute_cdp_cmd("Page.printToPDF", {})["data"].startswith("JVBERi")  # %PDF-


def test_names_do_nothing(driver: Any, tmp_path: Path) -> None:
    evil = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    a, shown = full()
    shown = replace(shown, name=evil, title=evil, model=evil, candidates=((evil, 1.0),), python=evil, command=evil)
    opened(driver, write_html(replace(a, explained=(evil,)), shown, tmp_path / "map.html"))
    assert driver.execute_script("return window.hacked") is None
    assert evil in text(driver, "h1")
