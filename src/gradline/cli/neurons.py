"""`gradline neurons PHOTO --region …`: which channels carry what a region of a photo contributes."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from gradline.cli import _names
from gradline.cli._app import FINDINGS, FINE, print_json
from gradline.cli._neurons import carry_out, list_layers, region_of
from gradline.cli._neurons_shown import print_layers, print_region
from gradline.cli._options import (
    HOW,
    OUT,
    WHAT,
    AsJson,
    Classes,
    MaxEvaluations,
    Memory,
    Model,
    Preprocess,
    Probability,
    Seed,
    Steps,
    Target,
    Tol,
    Weights,
)
from gradline.cli._outputs import find_photos, plan
from gradline.cli._request import Request, repeated
from gradline.cli._terminal import aside
from gradline.errors import InputError

EXAMPLES = (
    ("gradline neurons cat.jpg --region 20,10,40,30", "The channels behind that part of the photo: cat-neurons.html."),
    (
        "gradline neurons cat.jpg --region 20,10,40,30 --target 'tabby cat' --steps 16 --knockout -o .png",
        "A class by name, a fixed cost, and what is left without the first neurons; a figure.",
    ),
    ("gradline neurons cat.jpg --list-layers", "Layers to choose from, for --layer."),
)

FILES = (".html", ".png", ".svg", ".pdf", ".json")


def command(
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="The photo: JPEG, PNG, WebP, …")],
    region: Annotated[
        str | None,
        typer.Option(
            metavar="L,T,R,B",
            help="Left, top, right, bottom of the region in pixels of the photo, upright, from its upper left corner, "
            "as image viewers count them. It is carried through the model's scaling and cropping; what the model does "
            "not see is refused.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A layer of the model, by its dotted name; several times for several, which share their gradients. "
            "Without it, the last block that all of the score passes.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    model: Model = "efficientnet-lite0",
    weights: Weights = None,
    preprocess: Preprocess = None,
    classes: Classes = None,
    target: Target = None,
    probability: Probability = False,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Where the path starts: {', '.join(_names.BASELINES)}; without it, black.",
            autocompletion=_names.complete_baseline,
            rich_help_panel=HOW,
        ),
    ] = None,
    knockout: Annotated[
        bool,
        typer.Option(
            "--knockout",
            help="Take the first neurons away, in the order of this region, of conductance and at random, and see what "
            "is left. Costs many maps.",
            rich_help_panel=HOW,
        ),
    ] = False,
    seed: Seed = "0",
    tol: Tol = None,
    steps: Steps = None,
    max_evaluations: MaxEvaluations = "512",
    memory: Memory = None,
    top: Annotated[
        str, typer.Option(metavar="N", help="Channels to list and to draw, of each layer.", rich_help_panel=OUT)
    ] = "8",
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A file to write: .html .png .svg .pdf .json; may be repeated. Without it, `NAME-neurons.html`.",
            rich_help_panel=OUT,
        ),
    ] = None,
    layers_only: Annotated[
        bool,
        typer.Option(
            "--list-layers",
            help="List the layers and what they return, say which all of the score passes, and do no more.",
            rich_help_panel=OUT,
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Find the channels inside the network that carry what a region of a photo contributes to a score.

    A map says where; this says what inside is responsible for that part of it. The contributions of a layer's neurons
    add up to the region's part of Integrated Gradients, where all of the score passes the layer.
    """
    began = time.perf_counter()
    found = find_photos([photo])
    if len(found) != 1:
        raise InputError("one photo", f"{len(found)}")
    asked = Request(
        photo=found[0],
        model=model,
        weights=weights,
        preprocess=preprocess,
        classes=classes,
        target=target,
        probability=probability,
        baseline=baseline,
        tol=None if tol is None else _names.share(tol),
        steps=None if steps is None else _names.whole("--steps", steps),
        max_evaluations=_names.whole("--max-evaluations", max_evaluations),
        memory=memory,
        seed=_names.whole("--seed", seed),
    )
    if layers_only:
        with aside():
            listed = list_layers(asked)
        print_json(listed) if as_json else print_layers(listed)
        return FINE
    box, count = region_of(region), _names.whole("--top", top)
    if count < 1:
        raise InputError("--top from 1", str(count))
    (files,) = plan(found, output or [], (".html",), suffixes=FILES, ending="neurons")
    words = ["--region", ",".join(f"{edge:g}" for edge in box), *repeated("--layer", layer)]
    words += ["--top", str(count)] if count != 8 else []
    words += ["--knockout"] if knockout else []
    with aside():
        shown, numbers = carry_out(asked, box, layer or [], files, words, top=count, knockout=knockout)
    seconds = time.perf_counter() - began
    if as_json:
        print_json({**numbers, "files": [str(path) for path in files], "seconds": round(seconds, 2)})
    else:
        print_region(shown, files, seconds)
    return FINDINGS if shown.findings else FINE
