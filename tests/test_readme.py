"""The README does what it says: every Python block and every command on it runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pages
import pytest

import gradline as gl
from gradline.adapters.models.known import BUILT_IN
from gradline.cli._app import run

README = (pages.ROOT / "README.md").read_text("utf-8")
BLOCKS = pages.blocks(README)
COMMANDS = [words for block in BLOCKS if block.language in ("", "sh") for words in block.commands]
TUTORIAL = pages.blocks((pages.DOCS / "tutorial.md").read_text("utf-8"))
RUN_THERE = [words for block in TUTORIAL if block.language == "sh" and block.why is None for words in block.commands]


def test_every_python_block_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    code = [block for block in BLOCKS if block.language == "python"]
    assert code
    said = ""
    with pages.folder(tmp_path):
        for block in code:
            said += pages.run(block, names)
    assert "converged" in said
    assert (tmp_path / "map.safetensors").exists()


def test_the_commands_are_those_of_a_first_hour() -> None:
    assert {"explain", "compare", "doctor", "explain-finding"} <= {words[0] for words in COMMANDS}


def runs_elsewhere(words: list[str]) -> bool:
    """`gradline demo`, by the tests of the command line; what the tutorial does with the same photo, by its test, which
    compares what is said too."""
    return words[0] == "demo" or [word.replace("cat.jpg", "coffee.png") for word in words] in RUN_THERE


@pytest.mark.parametrize("words", [words for words in COMMANDS if not runs_elsewhere(words)], ids=" ".join)
def test_every_command_runs(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the real network, given fewer pixels: a fifth of the time."""
    monkeypatch.setitem(BUILT_IN, "efficientnet-lite0", 96)
    with pages.folder(tmp_path):
        shutil.copy(gl.demo_photo(), "cat.jpg")
        assert run(words) in (0, 1)
        assert capsys.readouterr().out
        for place, word in enumerate(words):
            assert word != "-o" or Path(words[place + 1]).stat().st_size > 0


def test_the_two_commands_are_those_of_the_makefile() -> None:
    made = re.findall(r"^([a-z]+):", (pages.ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    said = set(re.findall(r"\bmake (\w+)", README))
    assert {"demo", "test"} <= said <= set(made)
