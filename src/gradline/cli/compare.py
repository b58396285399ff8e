"""`gradline compare PHOTO`: several methods, or one from several baselines, on the same question."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from gradline.cli import _names
from gradline.cli._app import FINDINGS, FINE, print_json
from gradline.cli._compare import carry_out, choose, print_table, single
from gradline.cli._options import (
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
from gradline.cli._request import Request, repeated
from gradline.cli._terminal import aside

EXAMPLES = (
    ("gradline compare cat.jpg", "The methods most often used, side by side in cat-comparison.html."),
    ("gradline compare cat.jpg --baseline black --baseline blur -o .png", "How much the start of the path matters."),
    (
        "gradline compare cat.jpg --method integrated-gradients --method gradient --target 'tabby cat' --json",
        "Two methods, one class, numbers for a program.",
    ),
)

FILES = (".html", ".png", ".svg", ".pdf", ".json")


def command(
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="The photo: JPEG, PNG, WebP, …")],
    model: Model = "efficientnet-lite0",
    weights: Weights = None,
    preprocess: Preprocess = None,
    classes: Classes = None,
    target: Target = None,
    probability: Probability = False,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A method to compare; repeat it for more. `gradline methods` lists them.",
            autocompletion=_names.complete_method,
            rich_help_panel=HOW,
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"A start of the path to compare, for every method that has one; repeat it for more: "
            f"{', '.join(_names.BASELINES)}.",
            autocompletion=_names.complete_baseline,
            rich_help_panel=HOW,
        ),
    ] = None,
    seed: Seed = "0",
    tol: Tol = None,
    steps: Steps = None,
    max_evaluations: MaxEvaluations = "512",
    memory: Memory = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A file to write: .html .png .svg .pdf .json; may be repeated. Without it, `NAME-comparison.html`.",
            rich_help_panel=OUT,
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Compare methods, or baselines, on one photo: how accurate each map is, what it cost, how far they agree.

    Agreement is Spearman's rank correlation with the first. High agreement does not make a map right; low agreement
    says that the choice matters.
    """
    began = time.perf_counter()
    (found,) = single(find_photos([photo]))
    (files,) = plan([found], output or [], (".html",), suffixes=FILES, ending="comparison")
    asked = Request(
        photo=found,
        model=model,
        weights=weights,
        preprocess=preprocess,
        classes=classes,
        target=target,
        probability=probability,
        tol=None if tol is None else _names.share(tol),
        steps=None if steps is None else _names.whole("--steps", steps),
        max_evaluations=_names.whole("--max-evaluations", max_evaluations),
        memory=memory,
        seed=_names.whole("--seed", seed),
    )
    chosen = choose(method or [], baseline or [])
    words = [*repeated("--method", method), *repeated("--baseline", baseline)]
    with aside():
        numbers, noticed = carry_out(asked, chosen, files, words)
    seconds = time.perf_counter() - began
    if as_json:
        print_json({**numbers, "files": [str(path) for path in files], "seconds": round(seconds, 2)})
    else:
        print_table(numbers, files, seconds)
    return FINDINGS if noticed else FINE
