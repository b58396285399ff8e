"""The report of one photo as HTML: a page that opens from disk, or a fragment for notebooks. No network."""

from __future__ import annotations

import json
import secrets
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from gradline.errors import MissingExtra
from gradline.report.content import content
from gradline.report.photo import Photo
from gradline.result import Attribution
from gradline.result.spelling import percent
from gradline.result.storage import write_atomically

SCRIPTS = ("numbers.js", "controls.js", "map.js", "path.js", "text.js", "report.js")
"""The parts of the script, in order: one bundle for pages, notebooks and the widget."""


def write_html(a: Attribution, photo: Photo, path: str | Path) -> Path:
    """Write the report of the first example as one file. Raises `InputError`, `StorageError`, `MissingExtra`."""
    text = page(a, photo)
    return write_atomically(Path(path), lambda p: p.write_text(text, "utf-8"))


def page(a: Attribution, photo: Photo) -> str:
    """The whole page."""
    return rendered("report.html.jinja", content(a, photo), name="report", whole=True)


def fragment(a: Attribution, photo: Photo) -> str:
    """The report as a part of another page: its own style, script and names. Raises `InputError`, `MissingExtra`."""
    return rendered("report.html.jinja", content(a, photo), name=f"gradline-{secrets.token_hex(4)}", whole=False)


def rendered(template: str, found: dict[str, Any], *, name: str, whole: bool, bare: bool = False) -> str:
    """A template with what is shown; `name`: of the root element; `whole`: a page by itself; `bare`: markup alone."""
    parts = {"numbers": as_json(found["data"]), "style": style(), "script": script()}
    return str(_environment().get_template(template).render(**found, **parts, name=name, whole=whole, bare=bare))


def as_json(data: object) -> str:
    """JSON that can stand inside a script element, whatever names are in it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def style() -> str:
    """The one style sheet."""
    return _read("assets/report.css")


@cache
def script() -> str:
    """The one script: defines `start` and `render`, touches nothing."""
    return "".join(_read(f"assets/{name}") for name in SCRIPTS)


def _read(name: str) -> str:
    return files("gradline.report").joinpath(name).read_text("utf-8")


@cache
def _environment() -> Any:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtra("writing a report", "report") from error
    loader = FunctionLoader(lambda name: _read(f"templates/{name}"))
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader)
    made.filters["percent"] = percent
    return made
