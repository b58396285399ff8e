"""`gradline methods [NAME]`: the catalogue."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

import typer

from gradline.cli._app import FINE, print_json
from gradline.cli._names import check, complete_any_method
from gradline.cli._options import AsJson, Markdown
from gradline.cli._terminal import paint, pairs, prose, write
from gradline.methods.catalogue import CATALOGUE, Entry
from gradline.methods.references import REFERENCES

EXAMPLES = (
    ("gradline methods", "All of them, and what each can promise."),
    ("gradline methods conductance", "The formula, the source, and how to call it."),
)


def command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A method; without it, all.", autocompletion=complete_any_method),
    ] = None,
    markdown: Markdown = False,
    as_json: AsJson = False,
) -> int:
    """List the attribution methods, or say what one of them computes and where it comes from."""
    known = {called: entry for entry in CATALOGUE for called in (entry.name, *entry.aliases)}
    if name is not None:
        check("a method", name, list(known))
    if as_json:
        print_json({"methods": [facts(e) for e in CATALOGUE]} if name is None else facts(known[name]))
    elif markdown:
        write(page().removesuffix("\n"))
    elif name is None:
        _print_table()
    else:
        _print_entry(known[name])
    return FINE


WIDTH = 120
"""Longest line of code on a page."""


def facts(entry: Entry) -> dict[str, Any]:
    """An entry, JSON-ready."""
    cites = [REFERENCES[key].text for key in entry.cites]
    return {
        **dataclasses.asdict(entry),
        "text": list(entry.text),
        "references": cites,
        "python": python(entry),
        "command": shell(entry),
    }


def python(entry: Entry) -> str:
    """How the method is used in Python."""
    if entry.vocabulary:
        return f"gl.explain_text(text, model=model, method={entry.python})"
    baseline = ", baseline=gl.baselines.Mean()" if entry.baseline else ""
    return f"gl.explain(model, x, target, method={entry.python}{baseline})"


def shell(entry: Entry) -> str | None:
    """How the method is used on the command line; None if it needs a layer, which a photo's map cannot show."""
    if entry.vocabulary:
        return f'gradline explain --text "…" --method {entry.name}'
    return None if entry.layer else f"gradline explain cat.jpg --method {entry.name}"


def traits(entry: Entry) -> list[tuple[str, str]]:
    """What can be asked of the method, in words."""
    return [
        ("adds up to", entry.sums or "no claim"),
        ("accuracy", "can be asked for (tol)" if entry.tolerance else "cannot be asked for"),
        ("baseline", "can be chosen" if entry.baseline else "none"),
        ("layer", "read at one, its argument" if entry.layer else "none needed"),
    ]


def _print_table() -> None:
    widths = (22, 14, 5, 10, 7, 0)

    def line(*cells: str) -> str:
        return "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    write(paint(line("method", "adds up to", "tol", "baseline", "layer", "paper"), "dim", sys.stdout))
    for e in CATALOGUE:
        yes = ["yes" if told else "" for told in (e.tolerance, e.baseline, e.layer)]
        told = line(e.name, e.sums or "no claim", *yes, ", ".join(e.cites))
        write(paint(e.name, "bold", sys.stdout) + told.removeprefix(e.name))
        write("\n".join(prose(e.summary, 4)))
    write()
    for text in prose(
        "tol: an accuracy can be asked for. baseline: the path starts somewhere that you choose. layer: read at a "
        "layer, in Python. `gradline methods NAME` says more, `gradline cite NAME` gives the paper."
    ):
        write(paint(text, "dim", sys.stdout))


def _print_entry(entry: Entry) -> None:
    write(f"{paint(entry.name, 'bold', sys.stdout)}: {entry.summary}\n")
    for paragraph in entry.text:
        write("\n".join(prose(paragraph)) + "\n")
    also = [("also called", ", ".join(entry.aliases))] if entry.aliases else []
    rows = also + traits(entry) + [("paper", f"{REFERENCES[key].text} [{key}]") for key in entry.cites]
    rows.append(("Python", python(entry)))
    if command_line := shell(entry):
        rows.append(("command", command_line))
    write("\n".join(pairs(rows)))


def page() -> str:
    """The catalogue as a page: `docs/reference/methods.md`."""
    lines = [
        "# Methods",
        "",
        "This page is written by `gradline methods --markdown > docs/reference/methods.md`.",
        "",
        "| method | what it is | adds up to | `tol` | baseline | layer | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for e in CATALOGUE:
        yes = " | ".join("yes" if told else "" for told in (e.tolerance, e.baseline, e.layer))
        cites = ", ".join(f"[{key}]({REFERENCES[key].url})" for key in e.cites)
        lines.append(f"| [`{e.name}`](#{e.name}) | {e.summary} | {e.sums or 'no claim'} | {yes} | {cites} |")
    lines += [
        "",
        "`tol`: an accuracy can be asked for. baseline: the path starts somewhere that you choose. layer: gradients",
        "are read at a layer inside, which is the method's argument.",
    ]
    for e in CATALOGUE:
        lines += ["", f"## {e.name}", ""]
        lines += [line for paragraph in e.text for line in (paragraph, "")]
        call = python(e)
        if len(call) > WIDTH:  # as a formatter of Markdown breaks it
            call = call.replace("gl.explain(", "gl.explain(\n    ", 1).removesuffix(")") + "\n)"
        lines += ["```python", call, "```"]
        if command_line := shell(e):
            lines += ["", "```", command_line, "```"]
        lines += ["", *(REFERENCES[key].text for key in e.cites)]
    return "\n".join(lines) + "\n"
