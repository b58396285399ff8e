"""The report in a real browser: opens from disk, asks nothing of the network, reports no error, shows every picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gradline as gl
from gradline.report import Subject, write_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1800",
)

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with chromedriver on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = gl.image_case(gl.demo_photo())
    a = gl.attribute(gl.Score(case.model.model), case.x, baseline=case.baseline(), steps=4)
    subject = Subject(case, a, 967, "gradline explain photo.jpg", "import gradline as gl")
    path = write_html(subject, tmp_path_factory.mktemp("report") / "report.html")
    browser.get(path.as_uri())
    return path


def test_nothing_is_fetched_and_nothing_fails(browser: Any, page: Path) -> None:
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
    assert page.as_uri() in urls
    assert all(url.startswith(("file:", "data:")) for url in urls)
    assert browser.get_log("browser") == []


def test_every_picture_is_shown(browser: Any, page: Path) -> None:
    widths = browser.execute_script("return [...document.images].map(i => [i.naturalWidth, i.clientWidth, i.alt])")
    assert len(widths) == 4
    assert all(natural == 224 and shown > 150 and alt for natural, shown, alt in widths)


def test_the_verdict_comes_first_and_the_path_is_drawn(browser: Any, page: Path) -> None:
    text = browser.find_element("tag name", "main").text
    assert text.index("espresso") < text.index("fixed:") < text.index("The map") < text.index("The path")
    points = browser.execute_script("return document.querySelector('polyline.score').points.length")
    assert points == 4 + 2  # the nodes and both ends
    assert browser.execute_script("return document.querySelectorAll('line.node').length") == 4


def test_it_fits_the_window_and_follows_the_theme(browser: Any, page: Path) -> None:
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    colour = "return getComputedStyle(document.body).backgroundColor"
    themes = set()
    for theme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": theme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        themes.add(browser.execute_script(colour))
    assert len(themes) == 2
