"""The command line in a process of its own that has PyTorch already: forked from one that loaded it once.

For tests of what a process writes where. Those of how it starts, or of what the interpreter's environment does to it,
start a fresh one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from multiprocessing.context import ForkServerContext
from pathlib import Path

LOADED = ["torch", "gradline.cli._app", "gradline.cli.explain", "gradline.adapters.image", "gradline.adapters.classes"]


def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED, "gradline.result.card", "gradline.methods", "rich.panel"])
    return context


SERVER = _server()


def _run(words: list[str], folder: str, environment: dict[str, str], out: str, err: str) -> None:
    """In the new process: what is written goes to two files, or to a terminal of its own."""
    terminal = out == err
    if terminal:
        os.setsid()
    for name, number in ((out, 1), (err, 2)):
        opened = os.open(name, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout, sys.stderr = (open(fd, "w", encoding="utf-8", closefd=False) for fd in (1, 2))  # noqa: SIM115
    os.chdir(folder)
    sys.path.insert(0, folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["gradline", *words]
    sys.dont_write_bytecode = True
    from gradline.cli import main

    main()


def started(words: list[str], environment: dict[str, str], out: str, err: str) -> int:
    """Run the command there; its exit code."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for the process that all are forked from
    process = SERVER.Process(target=_run, args=(words, str(Path.cwd()), environment, out, err))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def piped(words: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("out", "err")]
        for file in files:
            file.touch()
        code = started(words, environment, *map(str, files))
        out, err = (file.read_text("utf-8", "replace") for file in files)
    return code, out, err
