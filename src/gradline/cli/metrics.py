"""`gradline metrics [NAME]`: what is measured of a map, in every result and when maps are judged."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Annotated

import typer

from gradline.cli._app import FINE, print_json
from gradline.cli._names import complete_measure
from gradline.cli._options import AsJson, Markdown
from gradline.cli._terminal import paint, pairs, prose, write
from gradline.errors import InputError
from gradline.metrics.catalogue import Entry, entries
from gradline.result.measures import MEASURES, Measure

EXAMPLES = (
    ("gradline metrics", "All of them in a line each."),
    ("gradline metrics completeness-gap", "What one means, and what it does not."),
    ("gradline metrics insertion-minus-deletion", "How a metric that judges maps is defined, and what it costs."),
)

_LABELS = (("where", "in Python"), ("range", "range"), ("better", "better"), ("cost", "cost"), ("source", "source"))

_WANTED = {
    "masks": "masks= of where the evidence is",
    "explainer": "what made the maps, to make more of them",
    "pixels": "what black and white are for the model; photos know",
    "contributions": "that the unit of the maps is known",
}


def command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A measure; without it, all.", autocompletion=complete_measure),
    ] = None,
    markdown: Markdown = False,
    as_json: AsJson = False,
) -> int:
    """Say what is measured of a map: what each number means, its range, which way is better, what it costs."""
    chosen = None if name is None else _found(name)
    if as_json:
        listed = [dataclasses.asdict(m) for m in (*MEASURES, *judges())]
        print_json({"metrics": listed} if chosen is None else dataclasses.asdict(chosen))
    elif markdown:
        write(page().removesuffix("\n"))
    elif chosen is None:
        _print_table()
    else:
        _print_measure(chosen)
    return FINE


@cache
def judges() -> tuple[Measure, ...]:
    """The metrics that `gl.evaluate` and `gradline evaluate` judge maps by."""
    return tuple(map(_as_measure, entries()))


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:].removesuffix('.')}."


def _as_measure(entry: Entry) -> Measure:
    from gradline.methods.references import REFERENCES

    wanted = "; ".join(_WANTED[need] for need in entry.needs)
    cost = f"{entry.cost}; needs {wanted}" if wanted else entry.cost
    source = "; ".join(REFERENCES[key].text for key in entry.cites) or "gradline's own"
    return Measure(entry.name, entry.python, "\n\n".join(entry.text), entry.range, entry.better, cost, source)


def _found(name: str) -> Measure:
    """The measure of that name. Raises `InputError` with the nearest name."""
    every = {m.name: m for m in (*MEASURES, *judges())}
    plain = name.strip().lower().replace("_", "-").replace(" ", "-")
    if plain not in every:
        near = get_close_matches(plain, every, 1, 0.5)
        raise InputError(f"a measure out of {', '.join(every)}", repr(name), f"did you mean {near[0]}?" if near else "")
    return every[plain]


def _print_table() -> None:
    for title, group in (("In every result", MEASURES), ("Metrics that judge maps", judges())):
        write(paint(f"{title}\n", "bold", sys.stdout))
        for m in group:
            write(f"{paint(m.name, 'bold', sys.stdout)}{' ' * max(1, 26 - len(m.name))}{m.where}")
            write("\n".join(prose(f"{sentence(m.range)} Better: {m.better}.", 4)))
        write()
    write(paint("'gradline metrics NAME' says what one means.", "dim", sys.stdout))


def _print_measure(chosen: Measure) -> None:
    write(f"{paint(chosen.name, 'bold', sys.stdout)}\n")
    for paragraph in sentence(chosen.meaning).split("\n\n"):
        write("\n".join(prose(paragraph)) + "\n")
    write("\n".join(pairs((label, getattr(chosen, attribute)) for attribute, label in _LABELS)))


def page() -> str:
    """All measures as a page: `docs/reference/metrics.md`."""
    return "\n".join(
        [
            "# Metrics",
            "",
            "What is measured of a map. This page is written by "
            "`gradline metrics --markdown > docs/reference/metrics.md`.",
            "",
            "## In every result",
            "",
            *_table(MEASURES),
            "",
            "## Metrics that judge maps",
            "",
            "By `gl.evaluate(metric, score, x, map)`, `gl.leaderboard` and `gradline evaluate`. Costs are in forwards "
            "an example. [Which map is better](../how-to/evaluate.md) says how to choose, and what none of them tells.",
            "",
            *_table(judges()),
            *_sections((*MEASURES, *judges())),
            "",
        ]
    )


def _table(measures: Iterable[Measure]) -> list[str]:
    lines = ["| measure | in Python | range | better | cost |", "|---|---|---|---|---|"]
    return lines + [f"| [{m.name}](#{m.name}) | `{m.where}` | {m.range} | {m.better} | {m.cost} |" for m in measures]


def _sections(measures: Iterable[Measure]) -> list[str]:
    lines = []
    for m in measures:
        lines += ["", f"## {m.name}", "", sentence(m.meaning), "", f"Source: {m.source.removesuffix('.')}."]
    return lines
