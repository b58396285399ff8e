"""Finds the commands, runs one, and turns every failure into a sentence and an exit code.

Exit codes: 0 fine, 1 findings (the map did not converge, say), 2 wrong usage, 3 failure, 130 interrupted. With `--json`
standard output holds one JSON object and nothing else, also on failure.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import sys
import traceback
from typing import Annotated, Any

import typer
import typer.main

from gradline import cli
from gradline.cli._help import Command, Group, docstring, epilog
from gradline.cli._terminal import deaf, one_line, paint, write
from gradline.errors import GradlineError, InputError

FINE, FINDINGS, USAGE, FAILURE, INTERRUPTED = 0, 1, 2, 3, 130

ORDER = (
    "demo",
    "explain",
    "compare",
    "evaluate",
    "audit",
    "neurons",
    "doctor",
    "methods",
    "metrics",
    "cite",
    "explain-finding",
)
"""Commands in the order in which they are met; others follow by name."""

_EXAMPLES = (
    ("gradline demo", "A real photo and a real network, in a few seconds."),
    ("gradline explain cat.jpg", "A photo of yours: writes cat-gradline.html and cat-gradline.png."),
    ("gradline explain --help", "All options of a command, with more examples."),
)


def build() -> typer.Typer:
    """The application with every command of this folder: a module's `command` and `EXAMPLES`, under its name."""
    app = typer.Typer(
        name="gradline",
        cls=Group,
        epilog=epilog(_EXAMPLES),
        add_completion=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback(help=docstring(_gradline))(_gradline)
    found = [module.name for module in pkgutil.iter_modules(cli.__path__) if not module.name.startswith("_")]
    names = {name.replace("_", "-"): name for name in sorted(found)}
    for name in sorted(names, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER)):
        module = importlib.import_module(f"gradline.cli.{names[name]}")
        app.command(name, cls=Command, help=docstring(module.command), epilog=epilog(module.EXAMPLES))(module.command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"gradline {version('gradline')}\n")
        raise typer.Exit


def _gradline(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Explain what a PyTorch model did, by path attribution, to the accuracy you ask for."""


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    as_json = "--json" in arguments
    if "_GRADLINE_COMPLETE" in os.environ:  # the shell asks for completions
        build()(prog_name="gradline")
    try:
        code = _called([*arguments] or ["--help"])  # a copy: parsing empties it
        sys.stdout.flush()
        return code
    except typer.TyperException as error:
        message, hint = error.format_message(), _help_of(error, arguments)
        if arguments[0] == "--json":
            message, hint = "--json goes behind the command, as in 'gradline methods --json'", ""
        return _fail(USAGE, "usage", message, as_json, hint)
    except InputError as error:
        return _fail(USAGE, type(error).__name__, in_options(str(error)), as_json)
    except GradlineError as error:
        return _fail(FAILURE, type(error).__name__, in_options(str(error)), as_json)
    except KeyboardInterrupt as error:
        return _fail(INTERRUPTED, "interrupted", str(error) or "interrupted; nothing was written", as_json)
    except BrokenPipeError:  # whoever read standard output has gone
        deaf()
        return FAILURE
    except SystemExit as end:
        return _fail(FAILURE, "ModelError", f"the model's code ended the program, with exit code {end.code}", as_json)
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}; this is a fault of gradline's own, please report it"
        return _fail(FAILURE, "internal", said, as_json)


def _called(arguments: list[str]) -> int:
    """Call the command that the arguments name, without typer's own ways of ending a program."""
    group = typer.main.get_command(build())
    try:
        with group.make_context("gradline", arguments) as context:
            return int(group.invoke(context) or FINE)
    except typer.Exit as end:  # --help, --version
        return end.exit_code


def print_json(content: dict[str, Any]) -> None:
    """The one object that `--json` promises."""
    write(json.dumps(content, indent=2))


def failure(kind: str, message: str) -> dict[str, str]:
    """What went wrong, JSON-ready."""
    return {"kind": kind, "message": message}


def complain(message: str) -> None:
    """Say on standard error what went wrong."""
    sys.stderr.write(f"{paint('gradline:', 'red', sys.stderr)} {one_line(message)}\n")


def in_options(message: str) -> str:
    """An error of the library in the words of the command line: `steps=5` is `--steps 5` here."""
    message = re.sub(r"\b(tol|steps|memory|weights)=(\w?)", lambda m: f"--{m[1]} {m[2]}".rstrip(), message)
    return message.replace("max_evaluations", "--max-evaluations")


def _help_of(error: Any, arguments: list[str]) -> str:
    """Where to read on after a wrong call."""
    place = getattr(getattr(error, "ctx", None), "command_path", None)
    return f"Try '{place or ' '.join(['gradline', *(a for a in arguments[:1] if a in ORDER)])} --help'."


def _fail(code: int, kind: str, message: str, as_json: bool, hint: str = "") -> int:
    if as_json:
        print_json({"error": failure(kind, message)})
        return code
    complain(message)
    if hint:
        sys.stderr.write(f"{hint}\n")
    return code
