"""Time to the first output, and to the finished demo: `python benchmarks/startup.py` (about a minute).

Every figure is the median of several processes, started one after the other, with 2 threads. Commands run on a terminal
of their own (a pty), as they do for a person; their first output is the first byte that comes out of it.
"""

from __future__ import annotations

import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

OUT = Path(__file__).with_name("startup.json")
GRADLINE = [sys.executable, "-m", "gradline"]
TIMES = 7

Timing = tuple[float, float]


def on_a_terminal(command: list[str], folder: str) -> Timing:
    """Seconds to the first byte, and to the end."""
    began = time.perf_counter()
    child, screen = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(command[0], command, os.environ | {"TERM": "xterm-256color"})
    first = None
    while True:
        try:
            chunk = os.read(screen, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not chunk:
            break
        first = first or time.perf_counter() - began
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(screen)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}")
    end = time.perf_counter() - began
    return first or end, end


def in_python(code: str) -> Timing:
    """Seconds that a process takes for some code, all of it."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return (time.perf_counter() - began,) * 2


def median(measure: Callable[[], Timing], times: int = TIMES) -> dict[str, float]:
    measure()  # the first run fills the caches of the file system
    first, end = zip(*(measure() for _ in range(times)), strict=True)
    return {"first_output": round(statistics.median(first), 3), "end": round(statistics.median(end), 3)}


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "2"
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "gradline --help": (["--help"], TIMES),
            "gradline explain --help": (["explain", "--help"], TIMES),
            "gradline methods": (["methods"], TIMES),
            "gradline demo": (["demo"], 3),
        }
        rows = {
            "python -c pass": median(lambda: in_python("pass")),
            "import gradline": median(lambda: in_python("import gradline")),
            "import torch": median(lambda: in_python("import torch")),
            "import gradline, gradline.explain": median(lambda: in_python("import gradline; gradline.explain")),
        }
        for name, (words, times) in commands.items():
            rows[name] = median(lambda words=words: on_a_terminal([*GRADLINE, *words], folder), times)
        sizes = {path.name: path.stat().st_size for path in sorted(Path(folder).iterdir())}
    over = rows["import gradline, gradline.explain"]["end"] - rows["import torch"]["end"]
    OUT.write_text(
        json.dumps({"seconds": rows, "over_torch": round(over, 3), "bytes": sizes}, indent=2) + "\n", "utf-8"
    )
    print(f"{'seconds':<36} {'first output':>12} {'end':>8}")
    for name, row in rows.items():
        print(f"{name:<36} {row['first_output']:>12.3f} {row['end']:>8.3f}")
    print(f"\ngradline.explain over import torch: {over:.3f} s")
    for name, size in sizes.items():
        print(f"{name}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
