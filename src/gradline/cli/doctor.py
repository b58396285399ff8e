"""`gradline doctor MODEL [INPUT]`: what stands between a model and a true map."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradline.cli import _names
from gradline.cli._app import FINDINGS, FINE, print_json
from gradline.cli._options import WHAT, AsJson, Classes, Memory, Preprocess, Probability, Target, Weights
from gradline.cli._terminal import aside, paint, show, working, write
from gradline.errors import InputError, MissingExtra, StorageError

if TYPE_CHECKING:
    from gradline.adapters.models import AnyModel

EXAMPLES = (
    ("gradline doctor efficientnet-lite0 cat.jpg", "A built-in model, as it looks at a photo."),
    ("gradline doctor my_net:make batch.safetensors --target 3", "A network of yours: make() in my_net.py returns it."),
)

TENSORS = (".safetensors", ".npy")


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A built-in name, `package.module:factory`, or any other that `gradline explain --model` takes.",
            autocompletion=_names.complete_model,
        ),
    ],
    given: Annotated[
        Path | None,
        typer.Argument(
            metavar="[INPUT]",
            help="A photo for a model of photos; else one or several tensors, .safetensors or .npy. Without it, the "
            "demo photo, or what the factory gives.",
        ),
    ] = None,
    weights: Weights = None,
    preprocess: Preprocess = None,
    classes: Classes = None,
    target: Target = None,
    probability: Probability = False,
    layer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The layer where the path is driven, by its name.", rich_help_panel=WHAT),
    ] = None,
    memory: Memory = None,
    as_json: AsJson = False,
) -> int:
    """Look at a model before it is explained: is the gradient there, is it the score's, do rows mind each other?

    A factory takes no arguments and returns a model, or `(model, x)`; modules in this folder are found. The exit code
    is 1 if something was found; `gradline explain-finding` says what a number means.
    """
    began = time.perf_counter()
    with aside(), working(f"looking at {model}"):
        from gradline import Layer, Predicted, Probability, doctor

        asked, x, baseline, index = _question(_made(model, weights, preprocess, classes), model, given, target)
        scale = Predicted(Probability) if probability else None
        explained = scale if index is None else Probability(index) if probability else index
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


def _made(model: str, weights: str | None, preprocess: str | None, classes: str | None) -> AnyModel:
    """The model; one for photos if it is said how a photo becomes its input."""
    from gradline.adapters.models import AnyModel, any_model, image_model

    if preprocess is None and classes is None:
        return any_model(model, weights=weights)
    image = image_model(model, weights=weights, preprocessing=preprocess, classes=classes)
    return AnyModel(image.model, None, image)


def _question(made: AnyModel, name: str, given: Path | None, target: str | None) -> tuple[Any, Any, Any, int | None]:
    """The model, x, the baseline that belongs to them, and the class."""
    from gradline.adapters.classes import class_index
    from gradline.adapters.photo import demo_photo
    from gradline.adapters.vision import image_case

    if made.image is not None and (given is None or given.suffix not in TENSORS):
        case = image_case(demo_photo() if given is None else given, made.image)
        return made.model, case.x, case.baseline(), None if target is None else class_index(made.image, target)
    x = made.x if given is None else read_tensors(given)
    if x is None:
        remedy = (
            f"gradline doctor {name} batch.safetensors, or let the factory return (model, x); for photos, --preprocess"
        )
        raise InputError("an INPUT for the model", "none", remedy)
    if given is not None and given.suffix == ".npy":
        x = _in_precision_of(made.model, x)
    return made.model, x, None, _number(target)


def _number(target: str | None) -> int | None:
    """The index of a class of a model whose classes have no names."""
    try:
        return None if target is None else int(target)
    except ValueError:
        raise InputError(
            "--target as the number of a class, for a model that has no names for them", repr(target)
        ) from None


def read_tensors(path: Path) -> Any:
    """What a `.safetensors` or `.npy` file holds: a tensor; a dict if there are several. Raises `InputError`."""
    import numpy as np
    import torch

    if path.suffix not in TENSORS:
        remedy = "for a photo, --preprocess says how it becomes the model's input"
        raise InputError("an INPUT that ends in .safetensors or .npy", repr(str(path)), remedy)
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
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("verdict", Text(diagnosis.verdict, style="bold green" if diagnosis.healthy else "bold yellow"))
    for label, text in diagnosis.facts:
        table.add_row(label, Text(text))
    for finding in diagnosis.findings:
        table.add_row(Text(finding.code, style="bold yellow"), Text(finding.text, style="yellow"))
    table.add_row("in all", f"{seconds:.1f} s")
    show(Panel(table, title=Text(model, style="bold"), title_align="left"))
    if not diagnosis.healthy:
        write(paint(f"'gradline explain-finding {diagnosis.findings[0].code}' says more.", "dim", sys.stdout))
