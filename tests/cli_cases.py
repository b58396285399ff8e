"""What the tests of the command line share: the command in a process of its own, or its one JSON object."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from gradline.cli._app import run

FAST = ["--model", "tiny:make", "--steps", "1"]  # leaves a wide completeness gap: a finding, so exit code 1


def gradline(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, on one thread: two on a busy machine are many times slower."""
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "gradline", *words]
    every = plain | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=every)


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Exit code and the one JSON object of a command."""
    code = run([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)
