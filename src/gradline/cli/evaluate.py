"""`gradline evaluate PHOTO...`: methods judged by metrics, over photos."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from gradline.cli import _names
from gradline.cli._app import FINDINGS, FINE, print_json
from gradline.cli._compare import choose
from gradline.cli._evaluate import METRICS, Wanted, carry_out, files_of, print_board
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
from gradline.cli._outputs import find_photos
from gradline.cli._request import Request, repeated
from gradline.cli._terminal import aside

EXAMPLES = (
    ("gradline evaluate cat.jpg", "The usual methods and metrics on one photo, in cat-leaderboard.html."),
    (
        "gradline evaluate cat.jpg --baseline black --baseline blur -o board.html -o board.csv",
        "Which start of the path is better, as a page and as a table.",
    ),
    (
        "gradline evaluate cat.jpg --method gradient --metric deletion --no-controls --json",
        "One number of one method, for a program.",
    ),
)


def command(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO...", help="Photos: files, patterns such as `*.jpg`, or folders.")
    ],
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
            help="A method to judge; repeat it for more. `gradline methods` lists them.",
            autocompletion=_names.complete_method,
            rich_help_panel=HOW,
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"A start of the path to judge, for every method that has one; repeat it for more: "
            f"{', '.join(_names.BASELINES)}.",
            autocompletion=_names.complete_baseline,
            rich_help_panel=HOW,
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"A metric to judge by; repeat it for more. Without it: {', '.join(METRICS)}.",
            autocompletion=_names.complete_metric,
            rich_help_panel=HOW,
        ),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Maps made elsewhere, one for each photo in their order: .npy or .safetensors; may be repeated.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the evidence is: for each photo a .png of its name, white on black, of the photo's size.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls/--no-controls",
            help="Judge a random map and an edge detector too, which explain nothing.",
            rich_help_panel=HOW,
        ),
    ] = True,
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
            help="A file to write: .html .csv .parquet .json .md .png .svg .pdf; may be repeated. Without it, "
            "`NAME-leaderboard.html`.",
            rich_help_panel=OUT,
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Judge methods by metrics, over photos: means with intervals, ranks, and which differences are real.

    Every method meets the same photos, fills and noise, and two controls that explain nothing: a method that is no
    better than they are has shown nothing. One photo can rank methods, but never tell a real difference from chance.
    """
    began = time.perf_counter()
    found = find_photos(photos)
    wanted = Wanted(
        photos=tuple(found),
        rows=choose(method or [], baseline or [], least=1),
        metrics=tuple(dict.fromkeys(metric or METRICS)),
        maps=tuple(maps or ()),
        masks=masks,
        controls=controls,
        files=files_of(found, output or []),
    )
    words = [
        *photos[1:],
        *repeated("--method", method),
        *repeated("--baseline", baseline),
        *repeated("--metric", metric),
        *repeated("--maps", maps),
        *repeated("--masks", [masks] if masks else None),
        *([] if controls else ["--no-controls"]),
    ]
    asked = Request(
        photo=photos[0],
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
    with aside():
        board, numbers = carry_out(asked, wanted, words)
    seconds = time.perf_counter() - began
    if as_json:
        print_json({**numbers, "files": [str(path) for path in wanted.files], "seconds": round(seconds, 2)})
    else:
        print_board(board, wanted.files, seconds)
    return FINDINGS if board.unsound else FINE
