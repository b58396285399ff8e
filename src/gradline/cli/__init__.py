"""The command line: one file a command, found by itself; parse, call, print."""

from __future__ import annotations

import io
import sys
import warnings


def main() -> None:
    """Entry point of the `gradline` command."""
    arguments = sys.argv[1:]
    sys.stdout = sys.stdout or io.StringIO()  # None if it was closed before the start
    sys.stderr = sys.stderr or io.StringIO()
    warnings.formatwarning = lambda message, *_: f"gradline: warning: {message}\n"  # without lines of source
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files need not be printable
            stream.reconfigure(errors="backslashreplace")
    try:
        from gradline.cli._app import run
    except ImportError as error:
        if (error.name or "").split(".")[0] != "typer":
            raise
        message = "gradline's command line needs an optional dependency: pip install 'gradline[cli]'"
        if "--json" in arguments:
            import json

            sys.stdout.write(json.dumps({"error": {"kind": "MissingExtra", "message": message}}) + "\n")
        else:
            sys.stderr.write(f"gradline: {message}\n")
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(arguments))
