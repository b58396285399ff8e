"""The documentation builds without a warning, loads nothing from elsewhere, and works from a folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import browser
import pytest

ROOT = Path(__file__).parent.parent
NEEDED = ("mkdocs", "material", "mkdocstrings_handlers", "latex2mathml")
LOADED = re.compile(
    r'<(?:script|img|source|iframe|embed|audio|video)\b[^>]*\bsrc="([^"]*)"|<link\b([^>]*)>|url\(([^)]*)\)'
)
HARMLESS = {"canonical", "prev", "next"}

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED), reason="mkdocs is not installed: pip install -e '.[docs]'"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(place)]
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def pages(site: Path) -> dict[str, str]:
    return {str(p.relative_to(site)): p.read_text("utf-8") for p in sorted(site.rglob("*.html"))}


def test_every_page_is_there_with_its_version_and_nothing_raw_of_formulas_is_left(site: Path) -> None:
    found = pages(site)
    sources = {str(p.relative_to(ROOT / "docs").with_suffix(".html")) for p in (ROOT / "docs").rglob("*.md")}
    assert sources | {"changelog.html", "contributing.html"} <= set(found)
    assert sum(text.count("<math") for text in found.values()) > 50
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version is not None
    for name, text in found.items():
        assert "arithmatex" not in text, name
        assert "<merror" not in text, name
        assert not re.search(r"<m[in]>\\", text), f"{name}: a command of LaTeX that is not known"
        if name != "404.html":
            assert f"gradline {version[1]}." in text, name
            assert re.search(r"<h1\b", text), name


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    """Links lead elsewhere; scripts, styles, fonts and pictures are files of the site."""
    for name, text in pages(site).items():
        for source, link, url in LOADED.findall(text):
            relation = re.search(r'rel="([^"]+)"', link)
            if relation is not None and relation[1] in HARMLESS:
                continue
            place = source or url.strip("'\"") or "".join(re.findall(r'href="([^"]*)"', link))
            if place.startswith(("data:", "#")):
                continue
            assert "//" not in place, f"{name}: {place}"
            assert name == "404.html" or (site / name).parent.joinpath(place.split("?")[0]).exists(), f"{name}: {place}"
        assert 'class="mermaid"' not in text, "the theme would load a script for it"
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", style.read_text("utf-8")), style


def test_every_name_of_the_reference_has_its_text_and_examples_are_code(site: Path) -> None:
    found = pages(site)
    for page in sorted((ROOT / "docs" / "api").glob("*.md")):
        text = found[f"api/{page.stem}.html"]
        assert "<blockquote>" not in text
        for name in re.findall(r"^::: (\S+)", page.read_text("utf-8"), re.MULTILINE):
            part = text.split(f'id="{name}"', 1)[1]
            assert "<p>" in part.split('<div class="doc doc-object ', 1)[0], f"{name} has no docstring"


@browser.needs_browser
def test_the_pages_work_from_a_folder_in_a_browser(site: Path) -> None:
    """Search and both themes included; nothing is asked of a network and the console stays empty."""
    with browser.chromium() as driver:
        driver.get((site / "error-bar.html").as_uri())
        for name, scheme in (("dark", "slate"), ("light", "default")):
            browser.theme(driver, name)
            driver.refresh()
            browser.wait(driver, f"document.body.dataset.mdColorScheme === '{scheme}'")
        box = driver.find_element("css selector", ".md-search__input")
        driver.execute_script("arguments[0].focus()", box)
        box.send_keys("tolerance")
        browser.wait(driver, "document.querySelectorAll('.md-search-result__item').length > 2")
        browser.width(driver, 390)
        driver.get((site / "threads.html").as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") == 390
        assert {address.split(":")[0] for address in browser.asked_for(driver)} <= {"file", "data", "blob", "about"}
        assert browser.complaints(driver) == []
