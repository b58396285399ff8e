"""`gradline metrics [NAME]`: what is measured of a map."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import typer

from gradline.cli._app import FINE, print_json
from gradline.cli._names import complete_measure
from gradline.cli._options import AsJson, Markdown
from gradline.cli._terminal import paint, pairs, prose, write
from gradline.result.measures import MEASURES, Measure, measure

EXAMPLES = (
    ("gradline metrics", "All of them in a line each."),
    ("gradline metrics completeness-gap", "What one means, and what it does not."),
)

_LABELS = (("where", "in Python"), ("range", "range"), ("better", "better"), ("cost", "cost"), ("source", "source"))


def command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A measure; without it, all.", autocompletion=complete_measure),
    ] = None,
    markdown: Markdown = False,
    as_json: AsJson = False,
) -> int:
    """Say what is measured of a map: what each number means, its range, which way is better, what it costs."""
    chosen = None if name is None else measure(name)
    if as_json:
        listed = [dataclasses.asdict(m) for m in MEASURES]
        print_json({"metrics": listed} if chosen is None else dataclasses.asdict(chosen))
    elif markdown:
        write(page().removesuffix("\n"))
    elif chosen is None:
        _print_table()
    else:
        _print_measure(chosen)
    return FINE


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def _print_table() -> None:
    for m in MEASURES:
        write(f"{paint(m.name, 'bold', sys.stdout)}{' ' * (22 - len(m.name))}{m.where}")
        write("\n".join(prose(f"{sentence(m.range)} Better: {m.better}.", 4)))
    write(paint("\n'gradline metrics NAME' says what one means.", "dim", sys.stdout))


def _print_measure(chosen: Measure) -> None:
    write(f"{paint(chosen.name, 'bold', sys.stdout)}\n")
    write("\n".join(prose(sentence(chosen.meaning))) + "\n")
    write("\n".join(pairs((label, getattr(chosen, attribute)) for attribute, label in _LABELS)))


def page() -> str:
    """All measures as a page: `docs/reference/metrics.md`."""
    lines = [
        "# Metrics",
        "",
        "What is measured of a map. This page is written by `gradline metrics --markdown > docs/reference/metrics.md`.",
        "",
        "| measure | in Python | range | better | cost |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| [{m.name}](#{m.name}) | `{m.where}` | {m.range} | {m.better} | {m.cost} |" for m in MEASURES]
    for m in MEASURES:
        lines += ["", f"## {m.name}", "", sentence(m.meaning), "", f"Source: {m.source}."]
    return "\n".join(lines) + "\n"
