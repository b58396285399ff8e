"""A real headless Chromium for tests: opening pages, looking at pixels, and what a page must never do."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

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
    "--hide-scrollbars",
    "--window-size=1200,1800",
)

needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with chromedriver on this machine")


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser with a log of its console and of every request."""
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


def opened(driver: Any, path: Path, *, live: bool = True) -> None:
    """Open a file; `live`: wait until its script is done. Settings of earlier tests are undone."""
    driver.get("about:blank")
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not live})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    theme(driver, "light")
    driver.get_log("performance")
    driver.get(path.as_uri())
    if live:
        wait(
            driver,
            "document.querySelectorAll('.gradline').length && "
            "[...document.querySelectorAll('.gradline')].every(r => r.classList.contains('live'))",
        )


def wait(driver: Any, condition: str, seconds: float = 10) -> None:
    """Until a JavaScript expression holds."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, seconds, 0.02).until(lambda d: d.execute_script(f"return {condition}"), condition)


def complaints(driver: Any) -> list[str]:
    """What the console says since it was last asked: errors, and what the page's security policy refused."""
    return [entry["message"] for entry in driver.get_log("browser")]


def asked_for(driver: Any) -> list[str]:
    """The addresses that were requested since the page was opened."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def theme(driver: Any, name: str, media: str = "") -> None:
    """The theme of the system, `light` or `dark`; `media`: `print` to see the page as it is printed."""
    features = {"prefers-color-scheme": name, "prefers-reduced-motion": "reduce"}
    listed = [{"name": feature, "value": value} for feature, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": listed})


def width(driver: Any, pixels: int) -> None:
    """The width of the window."""
    size = {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def picture(driver: Any, selector: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """What is seen of an element, `(H, W, 3)`; `size` (W, H): laid out at that many pixels first."""
    where = driver.execute_script(
        """const [selector, size] = arguments, element = document.querySelector(selector);
        window.before = element.style.cssText;
        if (size) Object.assign(element.style, {width: size[0] + 'px', height: size[1] + 'px', borderRadius: 0,
          boxShadow: 'none', aspectRatio: 'auto', position: 'fixed', left: 0, top: 0, zIndex: 99});
        for (const part of size ? element.children : []) part.style.borderRadius = 0;
        const b = element.getBoundingClientRect();
        return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height, scale: 1};""",
        selector,
        size,
    )
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": where, "captureBeyondViewport": True})
    driver.execute_script("document.querySelector(arguments[0]).style.cssText = window.before", selector)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")).astype(int)


def set_control(driver: Any, selector: str, value: float) -> None:
    """Move a slider as a reader does: its value, then the event."""
    driver.execute_script(
        "const c = document.querySelector(arguments[0]); c.value = arguments[1];"
        "c.dispatchEvent(new Event('input', {bubbles: true}))",
        selector,
        value,
    )


def text(driver: Any, selector: str) -> str:
    """The text of an element, with plain spaces and minus signs."""
    found = driver.execute_script("return document.querySelector(arguments[0]).innerText", selector)
    return str(found).replace("\u00a0", " ").replace("\u202f", " ").replace("−", "-")


def names(driver: Any) -> list[tuple[str, str]]:
    """Role and accessible name of everything that can have the focus, as a screen reader is told."""
    tree = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found = []
    for node in tree:
        focusable = any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", ()))
        role = node.get("role", {}).get("value", "")
        if focusable and not node["ignored"] and role != "RootWebArea":
            found.append((role, node.get("name", {}).get("value", "")))
    return found


CONTRAST = """
const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = (colour) => {
  paint.clearRect(0, 0, 1, 1);
  paint.fillStyle = colour;
  paint.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
const linear = (c) => (c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
const light = (rgb) => rgb.reduce((sum, c, i) => sum + [.2126, .7152, .0722][i] * linear(c / 255), 0);
const behind = (element) => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const colour = rgba(getComputedStyle(e).backgroundColor);
    if (colour[3]) layers.push(colour);
    if (colour[3] === 1) break;
  }
  return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
};
const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, words = walker.currentNode.textContent.trim();
  const seen = element.checkVisibility({visibilityProperty: true}) && !element.closest('script, style, .unseen');
  if (!words || !seen) continue;
  const style = getComputedStyle(element), drawn = element.namespaceURI.endsWith('svg');
  const under = behind(drawn ? element.closest('.card') : element);
  const [a, b] = [light(over(rgba(drawn ? style.fill : style.color), under)), light(under)].sort((x, y) => y - x);
  found.push([(a + .05) / (b + .05), words.slice(0, 40)]);
}
return found.sort((x, y) => x[0] - y[0]);
"""
"""Contrast of every visible text with what is behind it, least first."""
