"""Help: every command and option is described, every example runs, the reference page says the same."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import typer.main
from PIL import Image
from safetensors.torch import save_file

import gradline as gl
from gradline.adapters import models
from gradline.cli import _reference
from gradline.cli._app import ORDER, build, run
from gradline.cli._help import examples, sections

pytest_plugins = ["cli_fixtures"]

GROUP = typer.main.get_command(build())
TOP = GROUP.make_context("gradline", [], resilient_parsing=True)
COMMANDS = {name: GROUP.get_command(TOP, name) for name in GROUP.list_commands(TOP)}
EXAMPLES = [row.name for command in (GROUP, *COMMANDS.values()) for row in examples(command)]
REFERENCE = Path(__file__).parent.parent / "docs" / "reference"


def test_all_commands_are_there_in_the_order_they_are_met() -> None:
    assert tuple(COMMANDS) == ORDER


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_and_option_has_a_name_and_a_text(name: str) -> None:
    command = COMMANDS[name]
    with command.make_context(name, [], parent=TOP, resilient_parsing=True) as context:
        for param in command.get_params(context):
            assert param.help, param.name
            assert param.help[0].isupper(), param.help
            assert param.help.endswith((".", "…")), param.help
            assert param.metavar or param.is_flag, param.name
        titles = list(sections(command, context))
    assert titles[-1] == "Other options"
    assert "--json" in {option for param in command.params for option in param.opts}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_help_shows_everything_and_fits_the_terminal(
    name: str, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage: gradline {name}" in text
    assert "Examples:" in text
    assert "\x1b" not in text
    assert "`" not in text
    for param in COMMANDS[name].params:
        assert all(option in text for option in param.opts if option.startswith("--"))
    shown = {row.name for row in examples(COMMANDS[name])}
    long = [line for line in text.splitlines() if len(line) > min(int(columns), 100) and line.strip() not in shown]
    assert not long


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_without_a_command_all_are_listed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"gradline {version('gradline')}\n"


# ------------------------------------------------------------------------------------------------ examples


@pytest.fixture
def small(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the examples speak of; the small network stands in for the one that comes with gradline."""
    sys.path.insert(0, str(here))
    import tiny

    sys.path.remove(str(here))
    made = tiny.make()
    monkeypatch.setattr(models, "image_model", lambda *_, **__: made)
    known = models.any_model
    built_in = models.AnyModel(made.model, None, made)
    monkeypatch.setattr(models, "any_model", lambda name, **more: known(name, **more) if ":" in name else built_in)
    with Image.open(gl.demo_photo()) as image:
        image.resize((60, 40)).save(here / "cat.jpg")
    (here / "maps").mkdir()
    (here / "my_net.py").write_text("import torch\n\n\ndef make():\n    return torch.nn.Linear(4, 5).eval()\n")
    own = "import gradline as gl\n\n\ndef make():\n    return gl.methods.gradient()\n"
    (here / "my_methods.py").write_text(own)
    save_file({"x": torch.ones(2, 4)}, here / "batch.safetensors")
    return here


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_runs(small: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line.partition(">")[0])
    assert words[0] == "gradline"
    assert run(words[1:]) in (0, 1), capsys.readouterr().err
    assert capsys.readouterr().out
    for option, name in pairwise(words):
        if option == "-o" and not Path(name).name.startswith("."):
            assert (small / name).is_file()


def test_every_command_has_examples_of_its_own() -> None:
    for name, command in COMMANDS.items():
        assert len(examples(command)) >= 2
        assert all(row.name.startswith(f"gradline {name}") for row in examples(command))
        assert all(row.text for row in examples(command))


# ------------------------------------------------------------------------------------------------ the pages


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("reference/methods.md", ["methods", "--markdown"]),
        ("reference/metrics.md", ["metrics", "--markdown"]),
        ("findings.md", ["explain-finding", "--markdown"]),
    ],
)
def test_pages_written_by_commands_are_up_to_date(
    page: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 0
    text = capsys.readouterr().out
    assert (REFERENCE.parent / page).read_text("utf-8") == text, f"gradline {' '.join(words)} > docs/{page}"
    assert f"gradline {' '.join(words)} > docs/{page}" in text


def test_the_reference_page_is_up_to_date() -> None:
    text = _reference.page()
    assert (REFERENCE / "command-line.md").read_text("utf-8") == text, "see its first lines for how to write it"
    assert all(f"## gradline {name}\n" in text for name in COMMANDS)


# ------------------------------------------------------------------------------------------------ completion


COMPLETE = """
import sys
from gradline.cli import main
try:
    main()
finally:
    assert "torch" not in sys.modules
"""


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gradline ex", {"explain", "explain-finding"}),
        ("gradline explain --method gr", {"gradient", "gradient-x-input"}),
        ("gradline explain --baseline b", {"black", "blur"}),
        ("gradline explain --rule s", {"simpson", "stratified"}),
        ("gradline explain --model torch", {"torchvision:"}),
        ("gradline compare --method int", {"integrated-gradients"}),
        ("gradline cite internal", {"internal-influence"}),
        ("gradline explain-finding GL20", {f"GL20{n}" for n in range(1, 9)}),
        ("gradline metrics st", {"status", "standard-error"}),
        ("gradline doctor efficientnet-lite0", {"efficientnet-lite0"}),
    ],
)
def test_the_shell_completes_values(line: str, offered: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    words = line.split(" ")
    asked = {"_GRADLINE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\nfrom gradline.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules",
        ],
        capture_output=True,
        text=True,
        env=os.environ | asked,
    )
    assert set(done.stdout.split()) == offered, done.stderr
    assert "AssertionError" not in done.stderr
