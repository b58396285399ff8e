"""What `demo` and `explain` share: explain a photo, print the card, write the files."""

from __future__ import annotations

import math
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradline.cli._app import FINDINGS, FINE, print_json
from gradline.errors import InputError, StorageError

BASELINES = ("black", "white", "mean", "blur", "zero")
RULES = (
    "midpoint",
    "gauss-legendre",
    "left-riemann",
    "right-riemann",
    "trapezoid",
    "simpson",
    "stratified",
    "monte-carlo",
    "by-output-change",
)
SUFFIXES = (".html", ".png", ".safetensors", ".json")


@dataclass(frozen=True)
class Request:
    """The options of one explanation, as they were given; `photo` is None for the demo's."""

    photo: str | None
    model: str = "efficientnet-lite0"
    target: int | None = None
    probability: bool = False
    method: str = "integrated-gradients"
    baseline: str | None = None
    tol: float | None = None
    steps: int | None = None
    rule: str | None = None
    max_evaluations: int = 512
    memory: str | None = None
    seed: int = 0

    @property
    def path(self) -> Path:
        from gradline.adapters import demo_photo

        return demo_photo() if self.photo is None else Path(self.photo)


def explain_photo(request: Request, outputs: list[Path], *, as_json: bool) -> int:
    """Explain, show, write; the exit code. Outputs are checked before anything is computed."""
    for path in outputs:
        check_output(path)
    began = time.perf_counter()
    from gradline import Predicted, Probability, Score, attribute, image_case, methods, rules
    from gradline.report import Subject

    case = image_case(request.path, request.model)
    explained = request.target
    if explained is None:
        explained = int(case.probabilities().argmax())
    target = Probability(explained) if request.probability else explained if request.target is not None else Predicted()
    method = methods.by_name(request.method)
    rule = None if request.rule is None else getattr(rules, _camel(request.rule, RULES))()
    a = attribute(
        Score(case.model.model, target),
        case.x,
        method,
        baseline=_baseline(request, case, method.baseline is not None),
        tol=request.tol,
        steps=request.steps,
        rule=rule,
        max_evaluations=request.max_evaluations,
        names=[case.name],
        seed=request.seed,
        memory=request.memory,
        progress=not as_json and sys.stderr.isatty(),
    )
    subject = Subject(case, a, explained, command_of(request, outputs), python_of(request, explained))
    for path in outputs:
        write(subject, path)
    seconds = time.perf_counter() - began
    if as_json:
        print_json({**summary(subject), "files": [str(p) for p in outputs], "seconds": round(seconds, 2)})
    else:
        print_card(subject, outputs, seconds)
    return FINDINGS if a.findings else FINE


def check_output(path: Path) -> None:
    """Refuse a place that cannot be written before the work is done."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"an output file that ends in {', '.join(SUFFIXES)}", repr(str(path)))
    if path.is_dir():
        raise StorageError(f"cannot write {path}: it is a folder; give a file name")
    if not path.parent.is_dir():
        raise StorageError(f"cannot write {path}: the folder {path.parent} does not exist; create it first")


def write(subject: Any, path: Path) -> None:
    """Write one output by its suffix."""
    import json

    from gradline.report import write_html, write_png
    from gradline.result.storage import write_atomically

    match path.suffix:
        case ".html":
            write_html(subject, path)
        case ".png":
            write_png(subject, path)
        case ".safetensors":
            subject.attribution.save(path)
        case ".json":
            write_atomically(path, lambda p: p.write_text(json.dumps(summary(subject), indent=2) + "\n", "utf-8"))


def summary(subject: Any) -> dict[str, Any]:
    """The result in numbers, JSON-ready; the map itself is in the .safetensors output."""
    a = subject.attribution
    return {
        "photo": subject.case.name,
        "class": {"index": subject.explained, "name": subject.title},
        "candidates": [{"name": name, "probability": p} for name, p in subject.candidates()],
        "explained": a.explained[0],
        "status": a.status[0],
        "score": _plain(a.score),
        "baseline_score": _plain(a.baseline_score),
        "completeness_gap": _plain(a.completeness_gap),
        "error_estimate": _plain(a.error_estimate),
        "evaluations": int(a.evaluations[0]),
        "findings": [str(f) for f in a.findings],
        "provenance": dict(a.provenance),
    }


def print_card(subject: Any, outputs: list[Path], seconds: float) -> None:
    """The card in the terminal, coloured where that is wanted."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=min(100, Console().width))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for label, text in subject.facts:
        good = "bold green" if subject.status.is_sound else "bold yellow"
        table.add_row(label, Text(text, style=good if label == "verdict" else ""))
    table.add_row("model says", ", ".join(f"{name} {p:.1%}" for name, p in subject.candidates()[:3]))
    for finding in subject.attribution.findings:
        table.add_row(finding.code, Text(f"{finding.title}: {finding.detail}. {finding.remedy}.", style="yellow"))
    for path in outputs:
        table.add_row("written", str(path))
    table.add_row("in all", f"{seconds:.1f} s")
    console.print(Panel(table, title=f"[bold]{subject.title}[/bold] in {subject.case.name}", title_align="left"))


def command_of(request: Request, outputs: list[Path]) -> str:
    """The command line that repeats a request."""
    words = ["gradline", "demo"] if request.photo is None else ["gradline", "explain", request.photo]
    defaults = Request(request.photo)
    for name in ("model", "target", "method", "baseline", "tol", "steps", "rule", "max_evaluations", "memory", "seed"):
        value = getattr(request, name)
        if value != getattr(defaults, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--probability"] * request.probability
    for path in outputs:
        words += ["-o", str(path)]
    return shlex.join(words)


def python_of(request: Request, explained: int) -> str:
    """The Python that repeats a request for the class `explained`."""
    arguments = ["gl.demo_photo()" if request.photo is None else repr(request.photo)]
    if request.model != "efficientnet-lite0":
        arguments.append(f"model={request.model!r}")
    if request.probability or request.target is not None:
        arguments.append(f"target={f'gl.Probability({explained})' if request.probability else explained}")
    if request.method != "integrated-gradients":
        arguments.append(f"method=gl.methods.{request.method.replace('-', '_')}()")
    if request.baseline is not None:
        arguments.append(f"baseline=gl.baselines.{request.baseline.capitalize()}()")
    if request.rule is not None:
        arguments.append(f"rule=gl.rules.{_camel(request.rule, RULES)}")
    defaults = Request(request.photo)
    for name in ("tol", "steps", "max_evaluations", "memory", "seed"):
        if getattr(request, name) != getattr(defaults, name):
            arguments.append(f"{name}={getattr(request, name)!r}")
    return f"import gradline as gl\n\na = gl.explain_image({', '.join(arguments)})"


def _baseline(request: Request, case: Any, has_baseline: bool) -> Any:
    from gradline import baselines

    if request.baseline is None:
        return case.baseline() if has_baseline else None
    return case.baseline(getattr(baselines, _camel(request.baseline, BASELINES))())


def _camel(name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        raise InputError(f"one of {', '.join(known)}", repr(name))
    return "".join(part.capitalize() for part in name.split("-"))


def _plain(value: Any) -> float | None:
    """The number for JSON, which has no NaN and no infinity."""
    return None if value is None or not math.isfinite(value[0]) else float(value[0])
