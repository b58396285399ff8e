"""The commands as a page of the documentation: `python -m gradline.cli._reference > docs/reference/command-line.md`."""

from __future__ import annotations

import sys
from typing import Any

from typer import main as typer_main

from gradline.cli._app import build
from gradline.cli._help import Row, examples, paragraphs, sections, usage

HEAD = """# Command line

```
pip install 'gradline[all]'
gradline --install-completion   # names of methods, baselines, models at the press of Tab
```

Every command takes `--json`, and then prints one JSON object on standard output and nothing else, also when it fails:
`{"error": {"kind": …, "message": …}}`. Progress and complaints go to standard error; a live line is drawn on terminals
alone, and colours are off in pipes and where `NO_COLOR` is set.

| exit code | meaning |
|---|---|
| 0 | fine |
| 1 | findings: the map did not converge, say, or `doctor` found something |
| 2 | wrong usage |
| 3 | failure |
| 130 | interrupted |

This page is written by `python -m gradline.cli._reference > docs/reference/command-line.md`."""


def page() -> str:
    """All commands with their options and examples."""
    group = typer_main.get_command(build())
    with group.make_context("gradline", [], resilient_parsing=True) as top:
        parts = [HEAD]
        for name in group.list_commands(top):  # type: ignore[attr-defined]
            command = group.get_command(top, name)  # type: ignore[attr-defined]
            with command.make_context(name, [], parent=top, resilient_parsing=True) as ctx:
                parts.append(_described(command, ctx))
    return "\n\n".join(parts) + "\n"


def _described(command: Any, ctx: Any) -> str:
    lines = [f"## gradline {command.name}", "", *_apart(paragraphs(command)), f"    {usage(command, ctx)}", ""]
    for title, rows in sections(command, ctx).items():
        told = [row for row in rows if row.name != "--help"]
        if told:
            lines += [f"| {title.lower()} | |", "|---|---|", *map(_table_row, told), ""]
    lines += ["```", *(line for row in examples(command) for line in (f"# {row.text}", row.name)), "```"]
    return "\n".join(lines)


def _apart(texts: list[str]) -> list[str]:
    return [line for text in texts for line in (text, "")]


def _table_row(row: Row) -> str:
    return f"| `{row.name}` | {row.text} |"


if __name__ == "__main__":
    sys.stdout.write(page())
