"""A leaderboard as one HTML page."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from pathlib import Path

from gradline.evaluation.board import Leaderboard
from gradline.evaluation.standing import Difference, Placed, Standing
from gradline.evaluation.tables import counted, settings_lines
from gradline.evaluation.words import arrow, better, cautions, rank_range, ranks, speller, unsound, verdict
from gradline.report import agreement
from gradline.report.content import Content
from gradline.report.curves import curve_chart
from gradline.report.page import rendered
from gradline.report.words import isolated, typeset
from gradline.result.spelling import number
from gradline.result.storage import write_atomically

MOST = 200
"""Examples whose values a page lists; files hold all."""

MARGIN = 0.04
"""Of an axis, left free at both ends."""


def write_leaderboard(board: Leaderboard, path: str | Path) -> Path:
    """Write a leaderboard as one file. Raises `StorageError`, `MissingExtra`."""
    text = rendered("leaderboard.html.jinja", content(board), name="leaderboard", whole=True)
    return write_atomically(Path(path), lambda p: p.write_text(text, "utf-8"))


def fragment(board: Leaderboard) -> str:
    """The leaderboard as a part of another page. Raises `MissingExtra`."""
    name = f"gradline-{secrets.token_hex(4)}"
    return rendered("leaderboard.html.jinja", content(board), name=name, whole=False)


def content(board: Leaderboard) -> Content:
    """Everything the template asks for."""
    own = [m for m in board.methods if m not in board.controls]
    counts = f"{_count(len(own), 'method')}, {_count(len(board.metrics), 'metric')}, {_count(len(board), 'example')}"
    agreed = board.agreement()
    return {
        "question": f"Leaderboard: {counts}",
        "made_by": _made_by(board),
        "summary": _summary(board),
        "overview": [_overview(board, method) for method in board.methods],
        "chance": board.controls[0] if board.controls else "",
        "unsound": unsound(board.unsound, len(board)),
        "columns": [f"{name} {arrow(metric)}" for name, metric in board.metrics.items()],
        "metrics": [_metric(board, name, k) for k, name in enumerate(board.metrics)],
        "agreement_names": agreed.metrics,
        "matrices": [
            ("of the methods’ means", _cells(agreed.means.tolist())),
            ("over examples, one by one", _cells(agreed.images.tolist())),
        ]
        if len(agreed.metrics) > 1
        else [],
        "examples": _examples(board),
        "listed": min(len(board), MOST),
        "count": len(board),
        "command": board.command,
        "python": board.python,
        "provenance": [(key.replace("_", " "), value) for key, value in board.provenance.items()],
        "data": {},
    }


def _made_by(board: Leaderboard) -> str:
    targets = list(dict.fromkeys(board.explained))
    said = targets[0] if len(targets) == 1 else f"{len(targets)} targets"
    return f"{isolated(str(board.provenance.get('model', 'a model')))}, {said}"


def _summary(board: Leaderboard) -> tuple[str, str]:
    """How many differences can be relied on, and the tone of that."""
    found = [board.standing(name) for name in board.metrics]
    pairs, real = sum(len(s.differences) for s in found), sum(len(s.real) for s in found)
    if not pairs:
        return "There is nothing to compare", "plain"
    if all(s.examples < s.needed for s in found):
        most = max(s.needed for s in found)
        return f"Too few examples to tell the methods apart: at least {most} are needed", "bad"
    return f"{real} of {pairs} differences are real", "good" if real else "plain"


def _overview(board: Leaderboard, method: str) -> Content:
    """A method over all metrics: its means and ranks, and on which metrics it is better than chance."""
    cells, beats = [], []
    for name in board.metrics:
        found = board.standing(name)
        placed = next(p for p in found.placed if p.method == method)
        cells.append((typeset(speller(found)(placed.mean)), rank_range(placed)))
        chance = board.controls[0] if board.controls else None
        beats += [name for d in found.real if d.first == method and d.second == chance and placed.rank]
    ranking = sum(metric.higher_is_better is not None for metric in board.metrics.values())
    return {"method": method, "control": method in board.controls, "cells": cells, "beats": beats, "ranking": ranking}


def _metric(board: Leaderboard, name: str, place: int) -> Content:
    found, metric = board.standing(name), board.metrics[name]
    axis, spelt = _axis(found), _typeset(speller(found))
    return {
        "name": name,
        "id": f"metric-{place}",
        "arrow": arrow(metric),
        "better": better(metric),
        "counted": counted(found),
        "settings": settings_lines(found),
        "cautions": cautions(found),
        "range": metric.range,
        "rows": [_row(placed, axis, spelt) for placed in found.placed],
        "ends": tuple(spelt(end) for end in axis) if axis else ("", ""),
        "chance": _across(_chance(board, found), axis),
        "absent": list(found.absent.items()),
        "verdict": verdict(found),
        "alpha": _alpha(found),
        "ranks": ranks(found),
        "differences": [_difference(d, spelt) for d in found.differences],
        "chart": curve_chart(board.curves(name), board.methods, board.controls),
    }


def _typeset(spelt: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: typeset(spelt(value))


def _row(placed: Placed, axis: tuple[float, float] | None, spelt: Callable[[float], str]) -> Content:
    return {
        "method": placed.method,
        "control": placed.control,
        "rank": placed.rank or "–",
        "ranks": rank_range(placed),
        "mean": spelt(placed.mean),
        "interval": "–" if math.isnan(placed.low) else f"{spelt(placed.low)} … {spelt(placed.high)}",
        "position": "–" if math.isnan(placed.position) else typeset(f"{placed.position:.2f}"),
        "at": _across(placed.mean, axis),
        "from": _across(placed.low, axis),
        "to": _across(placed.high, axis),
    }


def _difference(one: Difference, spelt: Callable[[float], str]) -> Content:
    p = "< 0.0001" if one.p < 1e-4 else f"{one.p:.2g}"
    ends = "–" if math.isnan(one.low) else f"{spelt(one.low)} … {spelt(one.high)}"
    return {"pair": (one.first, one.second), "mean": spelt(one.mean), "ends": ends, "p": p, "real": one.real}


def _axis(found: Standing) -> tuple[float, float] | None:
    """From the lowest to the highest end of an interval."""
    ends = [v for p in found.placed for v in (p.mean, p.low, p.high) if math.isfinite(v)]
    return (min(ends), max(ends)) if ends else None


def _across(value: float, axis: tuple[float, float] | None) -> str:
    """A place on the axis in per cent of its width, "" if there is none."""
    if axis is None or not math.isfinite(value):
        return ""
    span = axis[1] - axis[0]
    share = (value - axis[0]) / span if span else 0.5
    return f"{100 * (MARGIN + (1 - 2 * MARGIN) * share):.2f}%"


def _chance(board: Leaderboard, found: Standing) -> float:
    means = {placed.method: placed.mean for placed in found.placed}
    return means[board.controls[0]] if board.controls else math.nan


def _alpha(found: Standing) -> str:
    if math.isnan(found.alpha):
        return ""
    alone = found.alpha_without_controls
    without = "" if math.isnan(alone) else f", {alone:.2f} of methods alone"
    said = f"Examples agree on the order with Krippendorff’s α = {found.alpha:.2f}{without}; 1 is the same, 0 chance."
    return typeset(said)


def _examples(board: Leaderboard) -> list[Content]:
    """The values of every example, a table a metric."""
    tables = []
    for name in board.metrics:
        columns = {method: row[name] for method, row in board.evaluations.items()}
        rows = []
        for i, example in enumerate(board.names[:MOST]):
            cells = [(_text(float(e.values[i])), e.notes[i] if e.notes else "") for e in columns.values()]
            rows.append((example, cells))
        tables.append({"metric": name, "rows": rows})
    return tables


def _cells(table: list[list[float]]) -> list[list[tuple[str, float]]]:
    """Text and value of each cell; NaN as 0."""
    return [[(agreement.signed(v), 0.0 if math.isnan(v) else v) for v in row] for row in table]


def _text(value: float) -> str:
    return typeset(number(value)) if math.isfinite(value) else "–"


def _count(many: int, what: str) -> str:
    return f"{many} {what}{'s' * (many != 1)}"
