"""Every Python block of the README runs, in order, in one namespace; every command it shows exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gradline.cli._app import run

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    every = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in every if name == language]


def test_every_python_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    code = blocks("python")
    assert len(code) >= 2
    for block in code:
        exec(block, names)
    assert "converged" in capsys.readouterr().out
    assert (tmp_path / "map.safetensors").exists()


def test_every_command_shown_exists(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("gradline ")]
    assert len(lines) >= 4
    for line in lines:
        command, *words = shlex.split(line)[1:]
        assert run([command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in words if word.startswith("--"))
