"""A row of a table and what its columns contribute, as one HTML page."""

from __future__ import annotations

import csv
import io
import math
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from gradline.errors import InputError
from gradline.plots.maps import example
from gradline.plots.rows import RowFeatures, RowStep, row_features, waterfall_steps
from gradline.plots.words import directions, quantity, signed
from gradline.report.content import Content
from gradline.report.frame import frame
from gradline.report.page import rendered
from gradline.report.row import Row
from gradline.report.words import isolated, typeset
from gradline.result import Attribution
from gradline.result.spelling import number, percent
from gradline.result.storage import write_atomically

TEMPLATE = "row.html.jinja"

TOP = 12
"""Columns in the waterfall; the table has all of them."""

SPAN = (2.0, 98.0)
"""Where F(x') and F(x) and everything between lie, in per cent of the drawing's width."""


def write_row(a: Attribution, row: Row, path: str | Path) -> Path:
    """Write the page of the first example as one file. Raises `InputError`, `StorageError`, `MissingExtra`."""
    text = page(a, row)
    return write_atomically(Path(path), lambda p: p.write_text(text, "utf-8"))


def page(a: Attribution, row: Row) -> str:
    """The whole page."""
    return rendered(TEMPLATE, content(a, row), name="row", whole=True)


def fragment(a: Attribution, row: Row) -> str:
    """The page as a part of another one. Raises `InputError`, `MissingExtra`."""
    return rendered(TEMPLATE, content(a, row), name=f"gradline-{secrets.token_hex(4)}", whole=False)


def content(a: Attribution, row: Row) -> Content:
    """Everything the template asks for, of the first example."""
    a = replace(a[example(a, 0)], shown=(row,))
    found = row_features(a)
    start = f", path from {row.baseline}" if row.baseline else ""
    paths = f", mean over {row.paths} paths from {row.baseline}" if row.paths > 1 else start
    lowers, raises = directions(a)
    drawn = quantity(a, 0)
    own = {
        "steps": steps(found),
        "features": features(found),
        "has_errors": found.errors is not None,
        "has_starts": any(found.starts),
        "lead": lead(found),
        "lowers": lowers,
        "raises": raises,
        "quantity": drawn[0].upper() + drawn[1:],
        "csv": as_csv(found),
        "own_style": _style(),
    }
    common = frame(
        a,
        question=f"Which columns of {isolated(row.name)} speak for “{isolated(row.title)}”?",
        made_by=f"{a.provenance.get('method_name', 'attribution')} of {isolated(row.model)}, {a.explained[0]}{paths}",
        things="columns",
        end="row",
        shown=row,
    )
    return common | own


def lead(found: RowFeatures) -> str:
    """Where the score comes from, in a sentence."""
    if not (math.isfinite(found.start) and math.isfinite(found.gap)):
        return "These contributions need not add up to anything: there is no way from one score to another to show."
    said = f"From F(x') = {number(found.start)} to F(x) = {number(found.end)}"
    order = abs(found.contributions).argsort(kind="stable")[::-1]
    mass = float(abs(found.contributions).sum())
    if not mass:
        return typeset(f"{said}; no column contributes anything.")
    count = min(3, len(order))
    share = percent(float(abs(found.contributions[order[:count]]).sum()) / mass)
    names = ", ".join(isolated(found.names[k]) for k in order[:count])
    return typeset(f"{said}. {share} of all sizes come from {names}.")


def steps(found: RowFeatures) -> list[Content]:
    """Rows of the waterfall, F(x') first and F(x) last; none where nothing adds up."""
    try:
        made = waterfall_steps(found, TOP)
    except InputError:
        return []
    at = [found.start, found.end, *(step.last for step in made)]
    low, high = min(at), max(at)

    def across(value: float) -> float:
        return SPAN[0] + (SPAN[1] - SPAN[0]) * ((value - low) / (high - low) if high > low else 0.5)

    rows = [_step(step, across) for step in made]
    ends = ("F(x′), where the path starts", found.start), ("F(x), this row", found.end)
    first, last = (
        {"name": name, "value": "", "kind": "", "number": typeset(number(value)), "x": across(value)}
        for name, value in ends
    )
    return [first | {"end": "first"}, *rows, last | {"end": "last"}]


def _step(step: RowStep, across: Callable[[float], float]) -> Content:
    first, last = across(step.first), across(step.last)
    return {
        "end": "",
        "name": step.name,
        "value": step.value,
        "number": typeset(signed(step.contribution)),
        "raises": step.contribution > 0,
        "kind": "one" if step.count == 1 else "rest" if step.count else "gap",
        "left": min(first, last),
        "width": abs(last - first),
        "first": first,
        "last": last,
    }


def features(found: RowFeatures) -> list[Content]:
    """All columns, the largest contribution first."""
    mass = float(abs(found.contributions).sum()) or 1.0
    order = abs(found.contributions).argsort(kind="stable")[::-1]
    return [
        {
            "name": found.names[k],
            "value": found.values[k],
            "start": found.starts[k],
            "number": typeset(signed(float(found.contributions[k]))),
            "raises": found.contributions[k] > 0,
            "error": "" if found.errors is None else f"± {found.errors[k]:.2g}",
            "share": typeset(percent(abs(float(found.contributions[k])) / mass)),
        }
        for k in order
    ]


def as_csv(found: RowFeatures) -> str:
    """The columns as CSV, in their own order, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    more = [] if found.errors is None else ["standard_error"]
    writer.writerow(["column", "value", "start", "contribution", *more])
    for k, name in enumerate(found.names):
        error = [] if found.errors is None else [repr(float(found.errors[k]))]
        writer.writerow([name, found.values[k], found.starts[k], repr(float(found.contributions[k])), *error])
    return text.getvalue()


@cache
def _style() -> str:
    return files("gradline.report").joinpath("assets/row.css").read_text("utf-8")
