"""What the tests of the command line share: the command in a process of its own, or its one JSON object."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from forked import piped

from gradline.cli._app import run

FAST = ["--model", "tiny:make", "--steps", "1"]  # leaves a wide completeness gap: a finding, so exit code 1


def around(**environment: str) -> dict[str, str]:
    """The environment of a command: without wishes for colours, on one thread: two are many times slower on a busy
    machine."""
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return plain | {"OMP_NUM_THREADS": "1"} | environment


def gradline(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; a fresh one where the environment speaks to the interpreter."""
    command, every = [sys.executable, "-m", "gradline", *words], around(**environment)
    if any(name.startswith("PYTHON") for name in environment):
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=every)
    return subprocess.CompletedProcess(command, *piped([*words], every))


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Exit code and the one JSON object of a command."""
    code = run([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)
