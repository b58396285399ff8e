"""`gradline doctor MODEL [INPUT]`: what stands between a model and a true map."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gradline.cli._app import FINDINGS, FINE, print_json
from gradline.errors import InputError, MissingExtra, StorageError


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A built-in name (efficientnet-lite0), or package.module:factory.")
    ],
    given: Annotated[
        Path | None,
        typer.Argument(
            metavar="[INPUT]",
            help="A photo for a built-in model; else one or several tensors, .safetensors or .npy. Default: the demo "
            "photo, or what the factory gives.",
        ),
    ] = None,
    target: Annotated[int | None, typer.Option(help="Index of the class; default: the predicted one.")] = None,
    probability: Annotated[bool, typer.Option("--probability", help="Explain the probability, not the logit.")] = False,
    layer: Annotated[str | None, typer.Option(help="Name of the layer where the path is driven.")] = None,
    memory: Annotated[str | None, typer.Option(help='Memory budget, such as "1GiB"; default 512 MiB.')] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Look at a model before it is explained: is the gradient there, is it the score's, do rows mind each other?

    A factory takes no arguments and returns a model, or `(model, x)`; modules in this folder are found. Exit code 1 if
    something was found; `gradline explain-finding` says what a number means.

    Examples: `gradline doctor efficientnet-lite0 cat.jpg` · `gradline doctor my_net:make batch.safetensors --target 3`
    """
    began = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):  # whatever the model prints
        from gradline import Layer, Predicted, Probability, doctor

        asked, x, baseline = _question(model, given)
        scale = Predicted(Probability) if probability else None
        explained = scale if target is None else Probability(target) if probability else target
        site = None if layer is None else Layer(layer)
        diagnosis = doctor(asked, x, explained, site=site, baseline=baseline, memory=memory)
    seconds = time.perf_counter() - began
    if as_json:
        found = [dataclasses.asdict(finding) for finding in diagnosis.findings]
        facts = dict(diagnosis.facts)
        print_json({"healthy": diagnosis.healthy, "facts": facts, "findings": found, "seconds": round(seconds, 2)})
    else:
        _print(diagnosis, model, seconds)
    return FINE if diagnosis.healthy else FINDINGS


def _question(model: str, given: Path | None) -> tuple[Any, Any, Any]:
    """The model, x, and the baseline that belongs to them."""
    from gradline.adapters.models import from_factory, names
    from gradline.adapters.photo import demo_photo
    from gradline.adapters.vision import image_case

    if ":" not in model:
        if model not in names():
            raise InputError(f"a model: {', '.join(names())}, or package.module:factory", repr(model))
        case = image_case(demo_photo() if given is None else given, model)
        return case.model.model, case.x, case.baseline()
    made, x = from_factory(model)
    if given is not None:
        x = read_tensors(given)
        if given.suffix == ".npy":
            x = _in_precision_of(made, x)
    if x is None:
        remedy = f"gradline doctor {model} batch.safetensors, or let the factory return (model, x)"
        raise InputError("an INPUT for the model", "none", remedy)
    return made, x, None


def read_tensors(path: Path) -> Any:
    """What a `.safetensors` or `.npy` file holds: a tensor; a dict if there are several. Raises `InputError`."""
    import numpy as np
    import torch

    if path.suffix not in (".safetensors", ".npy"):
        raise InputError("an INPUT that ends in .safetensors or .npy", repr(str(path)))
    if not path.is_file():
        raise InputError("an INPUT file", f"{str(path)!r}, which is not there")
    try:
        if path.suffix == ".npy":
            return torch.from_numpy(np.load(path, allow_pickle=False))
        from safetensors.torch import load_file

        tensors = load_file(path)
    except ImportError as error:
        raise MissingExtra("reading .safetensors files", "storage") from error
    except Exception as error:
        raise StorageError(f"cannot read {path}: {type(error).__name__}: {error}") from error
    if not tensors:
        raise InputError("at least one tensor", f"{path}, which holds none")
    return next(iter(tensors.values())) if len(tensors) == 1 else tensors


def _in_precision_of(model: Any, x: Any) -> Any:
    """NumPy's floats are double unless someone saw to it: in the precision of the model's first weight."""
    import torch

    weights = list(model.parameters()) if isinstance(model, torch.nn.Module) else []
    wide = x.dtype is torch.float64 and weights and weights[0].is_floating_point()
    return x.to(weights[0].dtype) if wide else x


def _print(diagnosis: Any, model: str, seconds: float) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=min(100, Console().width))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_row("verdict", Text(diagnosis.verdict, style="bold green" if diagnosis.healthy else "bold yellow"))
    for label, text in diagnosis.facts:
        table.add_row(label, Text(text))
    for finding in diagnosis.findings:
        table.add_row(Text(finding.code, style="bold yellow"), Text(finding.text, style="yellow"))
    table.add_row("in all", f"{seconds:.1f} s")
    console.print(Panel(table, title=Text(model, style="bold"), title_align="left"))
    if not diagnosis.healthy:
        console.print(f"gradline explain-finding {diagnosis.findings[0].code} says more.")
