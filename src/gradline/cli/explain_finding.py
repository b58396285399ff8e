"""`gradline explain-finding GL203`: what a number means, what follows, what to do."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import typer

from gradline.cli._app import FINE, print_json
from gradline.result.finding import KINDS, kind


def command(
    code: Annotated[str | None, typer.Argument(metavar="[NUMBER]", help="Such as GL203; without it, all.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print all of them as a page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Say what a numbered finding means: its cause, what follows from it, what to do. Without a number, list them.

    Examples: `gradline explain-finding` · `gradline explain-finding GL203`
    """
    chosen = None if code is None else kind(code)
    if as_json:
        listed = [dataclasses.asdict(k) for k in KINDS.values()]
        print_json({"findings": listed} if chosen is None else dataclasses.asdict(chosen))
        return FINE
    if markdown:
        sys.stdout.write(page())
        return FINE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=min(100, Console().width))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold" if chosen is None else "dim")
    table.add_column()
    if chosen is None:
        for each in KINDS.values():
            table.add_row(each.code, each.title)
    else:
        console.print(Text(f"{chosen.code} {chosen.title}", style="bold"))
        for label in ("cause", "consequence", "remedy"):
            table.add_row(label, Text(sentence(getattr(chosen, label))))
    console.print(table)
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
