"""`gradline explain-finding GL203`: what a number means, what follows, what to do."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import typer

from gradline.cli._app import FINE, print_json
from gradline.cli._names import complete_finding
from gradline.cli._options import AsJson, Markdown
from gradline.cli._terminal import paint, pairs, write
from gradline.result.finding import KINDS, kind

EXAMPLES = (
    ("gradline explain-finding GL203", "Its cause, what follows from it, what to do."),
    ("gradline explain-finding", "All numbers."),
)


def command(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[NUMBER]", help="Such as GL203; without it, all.", autocompletion=complete_finding),
    ] = None,
    markdown: Markdown = False,
    as_json: AsJson = False,
) -> int:
    """Say what a numbered finding means: its cause, what follows from it, what to do."""
    chosen = None if code is None else kind(code)
    if as_json:
        listed = [dataclasses.asdict(k) for k in KINDS.values()]
        print_json({"findings": listed} if chosen is None else dataclasses.asdict(chosen))
        return FINE
    if markdown:
        write(page().removesuffix("\n"))
        return FINE
    if chosen is None:
        for each in KINDS.values():
            write(f"{paint(each.code, 'bold', sys.stdout)}  {each.title}")
        return FINE
    write(f"{paint(f'{chosen.code} {chosen.title}', 'bold', sys.stdout)}\n")
    labels = ("cause", "consequence", "remedy")
    write("\n".join(pairs((label, sentence(getattr(chosen, label))) for label in labels)))
    return FINE


def sentence(text: str) -> str:
    """With a capital letter, unless it begins with code, and a full stop."""
    first = text.split(maxsplit=1)[0]
    return f"{text[0].upper() if first.isalpha() else text[0]}{text[1:]}."


def page() -> str:
    """All numbers as a page: `docs/findings.md`."""
    lines = [
        "# Findings",
        "",
        "Remarks of `gl.explain` (`a.findings`), `gl.doctor` and the command line, by number. GL1xx are about the",
        "model and the question, GL2xx about the result. `gradline explain-finding GL203` prints one of them.",
        "",
        "This page is written by `gradline explain-finding --markdown > docs/findings.md`.",
    ]
    for each in KINDS.values():
        lines += ["", f"## {each.code} {each.title}", ""]
        lines += [
            f"- **{label.capitalize()}.** {sentence(getattr(each, label))}"
            for label in ("cause", "consequence", "remedy")
        ]
    return "\n".join(lines) + "\n"
