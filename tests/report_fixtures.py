"""Fixtures of the report's tests in a browser: the browser, and pages to open; a pytest plugin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, complaints
from report_cases import full, other

import gradline as gl
from gradline.report import write_comparison, write_html


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    """A browser that is used by all tests of a file."""
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


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of nine methods."""
    a, shown = full()
    several = {f"method number {k}": replace(a, values=a.values * (-1) ** k * (1 + k)) for k in range(8)}
    several["none"] = replace(a, status=(gl.Status.NO_CLAIM,), error_estimate=None)
    return write_comparison(gl.Comparison(several, ()), shown, tmp_path_factory.mktemp("grid") / "grid.html")


@pytest.fixture
def quiet(driver: Any) -> Iterator[None]:
    """Nothing is said on the console."""
    complaints(driver)
    yield
    assert complaints(driver) == []
