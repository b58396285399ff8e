"""`gradline explain PHOTO...`: which pixels made the model see what it saw."""

from __future__ import annotations

from typing import Annotated

import typer

from gradline.cli import _names
from gradline.cli._options import (
    COST,
    HOW,
    OUT,
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
from gradline.cli._request import Request
from gradline.cli._run import Job, carry_out

EXAMPLES = (
    ("gradline explain cat.jpg", "The predicted class: writes cat-gradline.html and cat-gradline.png."),
    ("gradline explain cat.jpg --target 'tabby cat' --tol 2%", "A class by name, to a map error of 2 %."),
    ("gradline explain cat.jpg --baseline blur -o cat.html -o cat.safetensors", "From a blurred copy; page and data."),
    ("gradline explain '*.jpg' -o maps/.html", "Every photo here, a page each in the folder maps."),
    ("gradline explain cat.jpg --steps 50 --rule gauss-legendre --json", "A fixed budget; numbers for a program."),
)


def command(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO...",
            help="Photos: files, patterns such as '*.jpg', or folders, whose photos are taken; not the pictures that "
            "gradline wrote.",
        ),
    ],
    model: Model = "efficientnet-lite0",
    weights: Weights = None,
    preprocess: Preprocess = None,
    classes: Classes = None,
    target: Target = None,
    probability: Probability = False,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Attribution method; `gradline methods` lists them.",
            autocompletion=_names.complete_method,
            rich_help_panel=HOW,
        ),
    ] = "integrated-gradients",
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Where the path starts: {', '.join(_names.BASELINES)}; without it, black.",
            autocompletion=_names.complete_baseline,
            rich_help_panel=HOW,
        ),
    ] = None,
    seed: Seed = "0",
    tol: Tol = None,
    steps: Steps = None,
    rule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Where the gradients of `--steps` are read: {', '.join(_names.RULES)}; without it, midpoint.",
            autocompletion=_names.complete_rule,
            rich_help_panel=COST,
        ),
    ] = None,
    max_evaluations: MaxEvaluations = "512",
    memory: Memory = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A file to write: .html .png .svg .pdf .safetensors .json; may be repeated. For several photos a bare "
            "suffix (`-o .html`, `-o maps/.html`), or a name with `{name}` in it. Existing files are overwritten.",
            rich_help_panel=OUT,
        ),
    ] = None,
    baselines: Annotated[
        bool | None,
        typer.Option(
            "--baselines/--no-baselines",
            help="Make maps from other baselines too, and say how they agree; without it, where an .html is written.",
            rich_help_panel=OUT,
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Explain what a model saw in a photo: which pixels raised the score of a class, and which lowered it.

    You say how accurate the map has to be, not how many steps to take. Without `-o`, writes `NAME-gradline.html` and
    `NAME-gradline.png` into this folder. One photo that fails does not stop the others; the exit code is then 3.
    """
    found = find_photos(photos)
    files = plan(found, output or [])
    accuracy = None if tol is None else _names.share(tol)
    jobs = [
        Job(
            Request(
                photo=photo,
                model=model,
                weights=weights,
                preprocess=preprocess,
                classes=classes,
                target=target,
                probability=probability,
                method=method,
                baseline=baseline,
                tol=accuracy,
                steps=None if steps is None else _names.whole("--steps", steps),
                rule=rule,
                max_evaluations=_names.whole("--max-evaluations", max_evaluations),
                memory=memory,
                seed=_names.whole("--seed", seed),
                baselines=baselines,
            ),
            row,
        )
        for photo, row in zip(found, files, strict=True)
    ]
    return carry_out(jobs, as_json=as_json)
