"""Nothing heavy is loaded before it is needed: help, lists and refusals come without PyTorch."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "PIL", "matplotlib", "jinja2", "safetensors", "skimage")


def loaded_after(words: list[str]) -> tuple[int, list[str], str]:
    """Exit code, which heavy libraries a command has loaded, and its output."""
    code = f"""
import sys
from gradline.cli._app import run
end = run({words!r})
print(end, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    end, _, names = done.stderr.strip().splitlines()[-1].partition(" ")
    return int(end), eval(names), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 0),
        (["--version"], 0),
        *[([name, "--help"], 0) for name in ("demo", "explain", "compare", "doctor", "methods", "metrics", "cite")],
        (["methods"], 0),
        (["methods", "conductance", "--json"], 0),
        (["metrics"], 0),
        (["cite"], 0),
        (["explain-finding", "GL104"], 0),
        (["explain", "missing.jpg"], 2),
        (["explain", __file__, "--method", "magic", "-o", "/tmp/map.json"], 2),
        (["explain", __file__, "--baseline", "pink", "-o", "/tmp/map.json"], 2),
        (["explain", __file__, "--tol", "1%", "--steps", "5", "-o", "/tmp/map.json"], 2),
        (["bogus"], 2),
    ],
)
def test_nothing_heavy_is_loaded(words: list[str], code: int) -> None:
    end, names, text = loaded_after(words)
    assert end == code, text
    assert names == []


def test_the_first_line_is_written_before_pytorch_is_loaded() -> None:
    """On a terminal: `working` has written when the first heavy import begins."""
    code = f"""
import sys
class Terminal:
    written = []
    def isatty(self): return True
    def write(self, text): self.written.append((text, "torch" in sys.modules))
    def flush(self): pass
sys.stderr = Terminal()
from gradline.cli._app import run
run(["explain", {__file__!r}, "-o", "/tmp/map.json"])
print(Terminal.written[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loading efficientnet-lite0" in done.stdout
    assert done.stdout.strip().endswith("False)")
