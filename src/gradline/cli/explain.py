"""`gradline explain PHOTO`: which pixels made the model see what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradline.cli._explain import BASELINES, RULES, Request, explain_photo


def command(
    photo: Annotated[str, typer.Argument(help="The photo: JPEG, PNG, WebP, …")],
    model: Annotated[str, typer.Option(help="The model that looks at it.")] = "efficientnet-lite0",
    target: Annotated[int | None, typer.Option(help="Index of the class; default: the predicted one.")] = None,
    probability: Annotated[bool, typer.Option("--probability", help="Explain the probability, not the logit.")] = False,
    method: Annotated[str, typer.Option(help="Attribution method.")] = "integrated-gradients",
    baseline: Annotated[str | None, typer.Option(help=f"Start of the path: {', '.join(BASELINES)}.")] = None,
    tol: Annotated[float | None, typer.Option(help="Relative error of the map that is allowed; default 0.05.")] = None,
    steps: Annotated[int | None, typer.Option(help="Fixed number of gradients instead of a tolerance.")] = None,
    rule: Annotated[str | None, typer.Option(help=f"Quadrature rule for --steps: {', '.join(RULES)}.")] = None,
    max_evaluations: Annotated[int, typer.Option(help="Most gradients that may be spent.")] = 512,
    memory: Annotated[str | None, typer.Option(help='Memory budget, such as "1GiB"; default 512 MiB.')] = None,
    seed: Annotated[int, typer.Option(help="Seed of random rules.")] = 0,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", help="File to write: .html, .png, .safetensors or .json; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Explain what a model saw in a photo, to the accuracy you ask for.

    Without `-o`, writes `NAME-gradline.html` and `NAME-gradline.png` into this folder.

    Examples: `gradline explain cat.jpg` · `gradline explain cat.jpg --target 281 --probability --tol 0.02 -o cat.html`
    """
    stem = Path(photo).stem
    outputs = output or [Path(f"{stem}-gradline.html"), Path(f"{stem}-gradline.png")]
    request = Request(
        photo, model, target, probability, method, baseline, tol, steps, rule, max_evaluations, memory, seed
    )
    return explain_photo(request, outputs, as_json=as_json)
