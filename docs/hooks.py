"""What is done to the pages when the site is built: formulas become MathML, files of the root folder become pages."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FROM_ROOT = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
ALONE = ("index.md", "tutorial.md")
"""Pages that have no neighbours, and need no list of them at their side."""

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
LETTER, PRIME = "<mi>[^<]+</mi>", "<mi>&#x02032;</mi>"
BEHIND = '<mo lspace="0" rspace="0">&#x02032;</mo>'


def on_config(config: Any) -> Any:
    """The version that the pages speak of, at the foot of each."""
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version is not None
    config.copyright = f"gradline {version[1]}. What these pages show as code is run by the tests of this version."
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages whose text lies in the root folder, with links as seen from docs/."""
    from mkdocs.structure.files import File

    for source, page in FROM_ROOT.items():
        text = (ROOT / source).read_text("utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """Leave out the list of neighbours where there are none."""
    if page.file.src_path in ALONE:
        page.meta["hide"] = ["navigation"]
    return text


def on_page_content(html: str, **_: Any) -> str:
    """Formulas as MathML, which browsers draw without a script."""
    return FORMULA.sub(_mathml, html)


def _mathml(match: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    display = "block" if match[1] == "div" else "inline"
    return _set(str(convert(unescape(match[2]).strip(), display=display)))


def _set(formula: str) -> str:
    """Bars of a norm as tall as letters; primes behind their letter, since most fonts draw them too small above it."""
    formula = formula.replace("<mo>&#x02016;</mo>", '<mo stretchy="false" lspace="0" rspace="0">&#x02016;</mo>')
    formula = re.sub(rf"<msup>({LETTER}){PRIME}</msup>", rf"<mrow>\1{BEHIND}</mrow>", formula)
    indexed = rf"<msubsup>({LETTER})({LETTER}){PRIME}</msubsup>"
    return re.sub(indexed, rf"<msub><mrow>\1{BEHIND}</mrow>\2</msub>", formula)
