"""Peak memory of one explanation: `python benchmarks/memory.py` (about two minutes).

Every case runs in a process of its own with 2 threads. The figure is the peak of resident memory during the call minus
what was resident after loading the model and one forward. Linux only (it resets and reads VmHWM).
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

OUT = Path(__file__).with_name("memory.json")
CASES = ("steps-50", "steps-500", "tol", "tol-256MiB", "tol-2percent-384MiB", "captum-50")


def resident(field: str) -> float:
    """A field of this process's status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def peak(call: Callable[[], object]) -> float:
    """MiB that a call adds at its peak."""
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from what is resident
    call()
    return resident("VmHWM") - before


def measure(case: str) -> dict[str, object]:
    import torch

    torch.set_num_threads(2)
    import gradline as gl

    image = gl.image_case(gl.demo_photo())
    model, x = image.model.model, image.x
    with torch.no_grad():
        model(x)

    def ours(**budget: object) -> gl.Attribution:
        return gl.attribute(gl.Score(model, 967), x, baseline=image.baseline(), **budget)

    def captum() -> object:
        from captum.attr import IntegratedGradients

        return IntegratedGradients(model).attribute(x, image.start(), target=967)

    calls = {
        "steps-50": lambda: ours(steps=50),
        "steps-500": lambda: ours(steps=500),
        "tol": ours,
        "tol-256MiB": lambda: ours(memory="256MiB"),
        "tol-2percent-384MiB": lambda: ours(tol=0.02, memory="384MiB"),
        "captum-50": captum,
    }
    result: list[object] = []
    if case == "captum-50":
        importlib.import_module("captum.attr")  # before the measurement starts
    mib = peak(lambda: result.append(calls[case]()))
    done = result[0]
    told = (
        {"status": done.status[0], "evaluations": int(done.evaluations[0])} if isinstance(done, gl.Attribution) else {}
    )
    return {"case": case, "peak_mib": round(mib, 1), **told}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    rows = []
    for case in CASES:
        environment = os.environ | {"OMP_NUM_THREADS": "2"}
        done = subprocess.run(
            [sys.executable, __file__, case], capture_output=True, text=True, env=environment, check=True
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    OUT.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
