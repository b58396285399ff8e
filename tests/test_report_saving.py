"""What is saved from a report in a real browser agrees with the numbers."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import (
    needs_browser,
    opened,
    wait,
)

import gradline as gl
from gradline.plots import path_panel

pytestmark = [needs_browser, pytest.mark.usefixtures("quiet")]
pytest_plugins = ["report_fixtures"]

MAP, PATH = "[data-panel=map] .layers", "[data-control=t]"


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
