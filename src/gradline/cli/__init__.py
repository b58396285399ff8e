"""The command line: one file a command, found by itself; parse, call, print."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the `gradline` command."""
    try:
        from gradline.cli._app import run
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("typer", "rich"):
            raise
        sys.stderr.write("gradline's command line needs an optional dependency: pip install 'gradline[cli]'\n")
        sys.exit(3)
    sys.exit(run(sys.argv[1:]))
