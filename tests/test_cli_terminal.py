"""What goes where: a live line on terminals alone, no colours in pipes, nothing but JSON where JSON is asked for."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cli_cases import FAST, around, gradline
from forked import started

from gradline.cli import _terminal
from gradline.cli._app import run

pty = pytest.importorskip("pty", reason="needs a Unix terminal")
pytest_plugins = ["cli_fixtures"]

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(*words: str, **environment: str) -> tuple[int, str]:
    """Exit code, and all that a command of its own process writes to a terminal of 100 columns."""
    screen, inside = pty.openpty()
    seen = bytearray()

    def read() -> None:
        while chunk := _chunk(screen):
            seen.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    name = os.ttyname(inside)
    code = started([*words], around(**{"TERM": "xterm-256color", "COLUMNS": "100"} | environment), name, name)
    os.close(inside)
    reader.join()
    os.close(screen)
    return code, seen.decode()


def _chunk(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_on_a_terminal_there_is_something_at_once_and_nothing_of_it_stays(photo: str) -> None:
    code, seen = on_a_terminal("explain", photo, *FAST, "-o", "map.json")
    assert code == 1
    assert "loading tiny:make …" in seen[:60]
    assert "explaining" in seen
    assert "writing map.json …" in seen
    card = seen[seen.index("╭") :]
    assert "\x1b[1m" in card
    left = [line.split("\r")[-1] for line in ESCAPE.sub("", card).split("\n")]
    assert not any("…" in line or "explaining" in line for line in left)


def test_no_color_is_respected_and_a_dumb_terminal_gets_plain_lines(photo: str) -> None:
    code, seen = on_a_terminal("explain", photo, *FAST, "-o", "map.json", NO_COLOR="1")
    assert code == 1
    assert "loading" in seen
    assert not re.search(r"\x1b\[(\d+;)*(3[0-7]|9[0-7])m", seen), "no colours"
    code, seen = on_a_terminal("explain", photo, *FAST, "-o", "map.json", TERM="dumb")
    assert code == 1
    assert "\x1b" not in seen
    assert "loading" not in seen


def test_help_and_errors_are_coloured_on_a_terminal_alone(here: Path) -> None:
    code, seen = on_a_terminal("explain", "--help")
    assert code == 0
    assert "\x1b[1mUsage:\x1b[0m" in seen
    assert on_a_terminal("explain", "--help", NO_COLOR="1")[1] == ESCAPE.sub("", seen)
    code, seen = on_a_terminal("explain", "missing.jpg")
    assert code == 2
    assert "\x1b[1;31mgradline:\x1b[0m" in seen


def test_json_on_a_terminal_is_json_once_the_live_lines_are_gone(photo: str) -> None:
    _, seen = on_a_terminal("explain", photo, *FAST, "-o", "map.json", "--json")
    text = ESCAPE.sub("", seen)
    assert json.loads(text[text.index("{\r\n") :])["photos"]


def test_in_a_pipe_nothing_is_live_or_coloured(photo: str) -> None:
    done = gradline("explain", photo, *FAST, "-o", "map.json")
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    coloured = gradline("explain", photo, *FAST, "-o", "map.json", FORCE_COLOR="1")
    assert "\x1b[1" in coloured.stdout
    assert "\r" not in coloured.stdout
    assert coloured.stderr == ""


def test_a_narrow_encoding_and_a_strange_name_do_not_stop_it(photo: str) -> None:
    Path("日本 – ü.jpg").write_bytes(Path(photo).read_bytes())
    done = gradline("explain", "日本 – ü.jpg", *FAST, "-o", ".json", PYTHONIOENCODING="ascii")
    assert done.returncode == 1, done.stderr
    assert Path("日本 – ü-gradline.json").is_file()


def test_a_reader_that_has_gone_is_no_failure_of_ours(here: Path) -> None:
    command = [sys.executable, "-m", "gradline", "explain", "--help"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.close()
    _, err = running.communicate(timeout=60)
    assert running.returncode in (0, 3)
    assert err == b""


def test_files_are_written_though_nobody_reads_what_is_printed(photo: str) -> None:
    command = [sys.executable, "-m", "gradline", "explain", photo, *FAST, "-o", "map.json", "-o", "map.safetensors"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.close()
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (1, b"")  # the findings, as ever
    assert Path("map.json").is_file()
    assert Path("map.safetensors").is_file()


@pytest.mark.parametrize(("words", "code"), [("methods", 0), ("metrics --json", 0), ("explain missing.jpg", 2)])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_without_an_output_the_exit_code_is_the_same(here: Path, words: str, code: int, closed: str) -> None:
    line = f"{sys.executable} -m gradline {words} {closed}"
    assert subprocess.run(line, shell=True, check=False, capture_output=True).returncode == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", ["methods", "explain '{photo}' {fast} -o map.json", "cite --json"])
def test_a_full_disk_is_no_fault_of_ours(photo: str, words: str) -> None:
    line = words.format(photo=photo, fast=" ".join(FAST))
    command = f"{sys.executable} -m gradline {line} > /dev/full"
    done = subprocess.run(command, shell=True, check=False, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr in ("gradline: cannot write standard output: No space left on device\n", "")


def test_a_name_cannot_steer_the_terminal(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["red\x1b[31m.jpg", "two\nlines.jpg"]
    for name in names:
        Path(name).write_bytes(Path(photo).read_bytes())
    assert run(["explain", names[0], *FAST, "-o", ".json"]) == 1
    assert run(["explain", *names, *FAST, "-o", ".json"]) == 1
    assert run(["explain", names[1] + "x"]) == 2
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert "\n" in shown.out
    assert "two\\nlines.jpg" in shown.out


@pytest.mark.parametrize("columns", ["1", "20", "40", "67"])
@pytest.mark.parametrize(
    "words", [["--help"], ["explain", "--help"], ["methods"], ["methods", "gradient"], ["metrics"]]
)
def test_however_narrow_the_terminal_is(
    words: list[str], columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run(words) == 0
    assert "none" in capsys.readouterr().out or words != ["methods", "gradient"]


def test_help_is_whole_where_docstrings_are_stripped(here: Path) -> None:
    for words in (["--help"], ["explain", "--help"], ["methods", "conductance"]):
        assert gradline(*words, PYTHONOPTIMIZE="2").stdout == gradline(*words).stdout


def test_a_pickled_model_of_a_module_in_this_folder(photo: str) -> None:
    Path("nets.py").write_text("from torch import nn\nclass Net(nn.Flatten):\n    pass\n")
    save = "import nets, torch; torch.save(nets.Net(), 'whole.pt')"
    subprocess.run([sys.executable, "-c", save], check=True, env=os.environ | {"PYTHONPATH": "."})
    words = ["--model", "pickle:whole.pt", "--preprocess", "imagenet", "--steps", "1", "-o", "map.json"]
    done = gradline("explain", photo, *words)
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr.startswith("gradline: warning: unpickling whole.pt runs code")


def test_a_warning_is_a_sentence_without_a_line_of_source(photo: str) -> None:
    Path("warns.py").write_text(
        "import warnings\nfrom tiny import make as made\n\ndef make():\n    warnings.warn('old')\n    return made()\n"
    )
    done = gradline("explain", photo, "--model", "warns:make", "--steps", "1", "-o", "map.json")
    assert done.stderr == "gradline: warning: old\n"


def test_a_fault_of_our_own_is_not_taken_for_a_finding(
    photo: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("gradline.cli._show.summary", fail)
    assert run(["explain", photo, *FAST, "-o", "map.json", "--json"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["kind"] == "internal"
    assert "ZeroDivisionError: division by zero" in shown.err


def test_without_typer_the_extra_is_named() -> None:
    """Also as JSON: standard output is read by programs."""
    code = "import sys; sys.modules['typer'] = None; from gradline.cli import main; main()"
    for words, stream in ((["methods"], "stderr"), (["methods", "--json"], "stdout")):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert done.returncode == 3
        assert "gradline[cli]" in getattr(done, stream)
        if stream == "stdout":
            assert json.loads(done.stdout)["error"]["kind"] == "MissingExtra"


LOUD = """
from dataclasses import replace

import tiny

print("imported")


def make():
    print("made")
    quiet = tiny.make()

    def net(x):
        print("inside")
        return quiet.model(x)

    return replace(quiet, model=net)
"""


@pytest.mark.parametrize("command", ["explain", "compare", "doctor"])
def test_what_a_model_prints_does_not_come_among_the_json(
    photo: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Path("loud.py").write_text(LOUD)
    sys.modules.pop("loud", None)
    words = ["loud:make", photo] if command == "doctor" else [photo, "--model", "loud:make", "-o", "map.json"]
    assert run([command, *words, "--json"]) in (0, 1)
    shown = capsys.readouterr()
    assert "error" not in json.loads(shown.out)
    assert set(shown.err.split()) == {"imported", "made", "inside"}


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_where_colours_are_wanted(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert _terminal.paint("text", "red", Stream(terminal)) == ("\x1b[1;31mtext\x1b[0m" if coloured else "text")
