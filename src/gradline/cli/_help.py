"""Help as people read it: what it does, how it is called, the options in groups, examples that run.

Texts are gathered as plain data first; the terminal and the reference page are two ways of setting them.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.core import TyperCommand, TyperGroup

from gradline.cli._terminal import NARROWEST, paint, prose, width

LEFT = 26
"""Columns for the names of options; longer names get a line of their own."""


@dataclass(frozen=True)
class Row:
    """An argument, an option or a command: how it is written, and what it is."""

    name: str
    text: str


class Command(TyperCommand):
    """A command whose help is set by this module."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_set(self, ctx))


class Group(TyperGroup):
    """The `gradline` command itself, whose help is set by this module."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_set(self, ctx))


def paragraphs(command: Any) -> list[str]:
    """What the command does, a string a paragraph."""
    return [" ".join(p.split()) for p in inspect.cleandoc(command.help or "").split("\n\n")]


def docstring(function: Any) -> str:
    """What a function says of itself, also under `python -OO`, which leaves it in the source alone."""
    return function.__doc__ or ast.get_docstring(ast.parse(inspect.getsource(function)).body[0]) or ""  # type: ignore[arg-type]


def usage(command: Any, ctx: Any) -> str:
    """How the command is called."""
    if isinstance(command, TyperGroup):
        return f"{ctx.command_path} COMMAND …"
    arguments = [p.metavar for p in command.get_params(ctx) if p.param_type_name == "argument"]
    return " ".join([ctx.command_path, "[OPTIONS]", *arguments])


def sections(command: Any, ctx: Any) -> dict[str, list[Row]]:
    """Arguments, commands and options by the title they stand under, in the order of reading."""
    arguments: dict[str, list[Row]] = {}
    options: dict[str, list[Row]] = {}
    for param in command.get_params(ctx):
        if getattr(param, "hidden", False):
            continue
        if param.param_type_name == "argument":
            arguments.setdefault("Arguments", []).append(Row(param.metavar, param.help))
        else:
            title = getattr(param, "rich_help_panel", None) or "Other options"
            options.setdefault(title, []).append(Row(_option(param, ctx), _text(param)))
    if isinstance(command, TyperGroup):
        listed = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
        arguments["Commands"] = [Row(name, paragraphs(c)[0]) for name, c in listed]
    last = options.pop("Other options", [])
    return {**arguments, **options, "Other options": last}


def examples(command: Any) -> list[Row]:
    """Command lines that run, and what each does."""
    rows = (line.partition("  # ") for line in (command.epilog or "").splitlines())
    return [Row(line, text) for line, _, text in rows]


def epilog(rows: tuple[tuple[str, str], ...]) -> str:
    """Examples as typer carries them from a module to its command."""
    return "\n".join(f"{line}  # {text}" for line, text in rows)


def _option(param: Any, ctx: Any) -> str:
    names = ", ".join(sorted(param.opts, key=len))
    if param.secondary_opts:
        names += " / " + ", ".join(param.secondary_opts)
    return names if param.is_flag else f"{names} {param.metavar or 'TEXT'}"


def _text(param: Any) -> str:
    default = param.default
    told = isinstance(default, int | str) and not isinstance(default, bool) and param.show_default
    return f"{param.help or ''}{f' [default: {default}]' if told else ''}"


# ------------------------------------------------------------------------------------------------ on the terminal


def _set(command: Any, ctx: Any) -> str:
    lines = [line for text in paragraphs(command) for line in (*prose(text), "")]
    lines += [f"{_title('Usage')} {paint(usage(command, ctx), 'bold', sys.stdout)}", ""]
    for title, rows in sections(command, ctx).items():
        lines += [_title(title), *(line for row in rows for line in _row(row)), ""]
    if shown := examples(command):
        lines.append(_title("Examples"))
        for row in shown:
            lines += [f"  {paint(row.name, 'cyan', sys.stdout)}", *prose(row.text, 6)]
        lines.append("")
    return "\n".join(lines)


def _title(text: str) -> str:
    return paint(f"{text}:", "bold", sys.stdout)


def _row(row: Row) -> Iterator[str]:
    beside = width() - LEFT >= NARROWEST
    text = list(prose(row.text, LEFT + 2 if beside else 6))
    name = paint(row.name, "bold cyan", sys.stdout)
    if len(row.name) > LEFT - 2 or not beside:
        yield f"  {name}"
    else:
        yield f"  {name}{' ' * (LEFT - len(row.name))}{text.pop(0).strip()}"
    yield from text
