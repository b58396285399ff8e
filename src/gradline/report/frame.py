"""What the page of one example shows beside its own pictures: the verdict, what weakens it, the path, its making."""

from __future__ import annotations

from typing import Any

from gradline.plots import path_panel
from gradline.plots.words import directions, quantity
from gradline.report.chart import chart
from gradline.report.content import COLOURS, Content, file_stem
from gradline.report.words import path, provenance, verdict, weakness
from gradline.result import Attribution


def frame(
    a: Attribution,
    *,
    question: str,
    made_by: str,
    things: str,
    end: str,
    shown: Any,
) -> Content:
    """Everything that `one.html.jinja` asks for, of the first example.

    `things`: what values belong to, "words". `end`: what the path leads to, "text". `shown`: what is shown; its `name`,
    `model`, `title`, `candidates`, `paths`, `command` and `python` are taken. A page adds its own under other names.
    """
    panel = path_panel(a)
    walk = None
    if panel is not None:
        walk = {"chart": chart(panel, None), "sentence": path(panel, None, shown.paths, end)}
    return {
        "question": question,
        "made_by": made_by,
        "verdict": verdict(a, things),
        "weaknesses": [weakness(f) for f in a.findings],
        "candidates": shown.candidates,
        "model": shown.model,
        "title": shown.title,
        "path": walk,
        "end": end,
        "provenance": provenance({"": a}),
        "python": shown.python,
        "command": shown.command,
        "own_style": "",
        "data": {
            "file": file_stem(shown.name),
            "colours": COLOURS,
            "quantity": quantity(a, 0),
            "directions": directions(a),
        },
    }
