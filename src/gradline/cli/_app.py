"""Finds the commands, runs one, and turns every failure into a sentence and an exit code.

Exit codes: 0 fine, 1 findings (the map did not converge, say), 2 wrong usage, 3 failure, 130 interrupted. With `--json`
standard output holds one JSON object and nothing else, also on failure.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from typing import Any

import typer

from gradline import cli
from gradline.errors import GradlineError, InputError

FINE, FINDINGS, USAGE, FAILURE, INTERRUPTED = 0, 1, 2, 3, 130


def build() -> typer.Typer:
    """The application with every command of this folder: a module's `command`, under the module's name."""
    app = typer.Typer(
        name="gradline",
        help="Explain what a PyTorch model did, by path attribution, to the accuracy you ask for.",
        no_args_is_help=True,
        add_completion=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)
    for module in pkgutil.iter_modules(cli.__path__):
        if not module.name.startswith("_"):
            command = importlib.import_module(f"gradline.cli.{module.name}").command
            app.command(module.name.replace("_", "-"))(command)
    return app


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    as_json = "--json" in arguments
    try:
        code = build()(arguments, standalone_mode=False)
    except typer.TyperException as error:
        return _fail(USAGE, "usage", error.format_message(), as_json)
    except InputError as error:
        return _fail(USAGE, type(error).__name__, str(error), as_json)
    except GradlineError as error:
        return _fail(FAILURE, type(error).__name__, str(error), as_json)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        return _fail(INTERRUPTED, "interrupted", "interrupted; nothing was written", as_json)
    return int(code or FINE)


def print_json(content: dict[str, Any]) -> None:
    """The one object that `--json` promises."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def _fail(code: int, kind: str, message: str, as_json: bool) -> int:
    if as_json:
        print_json({"error": {"kind": kind, "message": message}})
    else:
        sys.stderr.write(f"gradline: {message}\n")
        if kind == "usage":
            sys.stderr.write("Try 'gradline --help'.\n")
    return code
