"""`gradline explain PHOTO...` and `gradline explain --text TEXT`: what made the model say what it said."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gradline.cli import _names
from gradline.cli._options import (
    COST,
    HOW,
    OUT,
    TEXTS,
    WHAT,
    AsJson,
    Classes,
    MaxEvaluations,
    Memory,
    Preprocess,
    Probability,
    Seed,
    Steps,
    Target,
    Tol,
    Weights,
)
from gradline.cli._outputs import find_photos, plan
from gradline.cli._request import SENTIMENT, Request, TextRequest
from gradline.cli._run import Job, carry_out
from gradline.cli._texts import STARTS, carry_out_text, plan_text
from gradline.errors import InputError

EXAMPLES = (
    ("gradline explain cat.jpg", "The predicted class: writes cat-gradline.html and cat-gradline.png."),
    ("gradline explain cat.jpg --target 'tabby cat' --tol 2%", "A class by name, to a map error of 2 %."),
    ("gradline explain cat.jpg --baseline blur -o cat.html -o cat.safetensors", "From a blurred copy; page and data."),
    ("gradline explain '*.jpg' -o maps/.html", "Every photo here, a page each in the folder maps."),
    ("gradline explain cat.jpg --steps 50 --rule gauss-legendre --json", "A fixed budget; numbers for a program."),
    ("gradline explain --text 'Not bad at all.'", "Which words speak for the predicted sentiment."),
    ("gradline explain --text 'Not bad at all.' --target negative --baseline pad -o .html", "A label, another start."),
)


def command(
    photos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PHOTO...",
            help="Photos: files, patterns such as '*.jpg', or folders, whose photos are taken; not the pictures that "
            "gradline wrote.",
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="A text instead of photos; `-` reads it from standard input.",
            rich_help_panel=TEXTS,
        ),
    ] = None,
    second: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Its second part: what a question is asked of, or what a sentence is compared with.",
            rich_help_panel=TEXTS,
        ),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="The answer of a language model to explain; without it, the one that it gives.",
            rich_help_panel=TEXTS,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Another answer: why that one rather than this.", rich_help_panel=TEXTS),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help=f"{_names.NETWORK} Without it, efficientnet-lite0, and {SENTIMENT} for texts.",
            autocompletion=_names.complete_model,
            rich_help_panel=WHAT,
        ),
    ] = None,
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
            help=f"Where the path starts: {', '.join(_names.BASELINES)}; without it, black. Of texts "
            f"{', '.join(STARTS)}, or another text; without it, mask.",
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
    """Explain what a model saw in a photo or read in a text: what raised the score of a class, and what lowered it.

    You say how accurate the map has to be, not how many steps to take. Without `-o`, writes `NAME-gradline.html` and
    `NAME-gradline.png` into this folder. One photo that fails does not stop the others; the exit code is then 3.
    """
    accuracy = None if tol is None else _names.share(tol)
    if text is not None:
        _check_alone(photos, weights, preprocess, classes, baselines)
        said = sys.stdin.read().strip() if text == "-" else text
        asked = TextRequest(
            said,
            second=second,
            answer=answer,
            against=against,
            model=model or SENTIMENT,
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
        )
        return carry_out_text(asked, plan_text(said, output or []), as_json=as_json)
    if (second, answer, against) != (None, None, None):
        raise InputError("--text together with --second, --answer and --against")
    if not photos:
        raise InputError("a photo, or a text", "neither", "gradline explain cat.jpg, or gradline explain --text TEXT")
    found = find_photos(photos)
    files = plan(found, output or [])
    jobs = [
        Job(
            Request(
                photo=photo,
                model=model or Request.model,
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


def _check_alone(photos: object, weights: object, preprocess: object, classes: object, baselines: object) -> None:
    """Refuse what belongs to photos beside a text."""
    if photos:
        raise InputError("photos, or a text", "both", "explain them one after the other")
    given = {"--weights": weights, "--preprocess": preprocess, "--classes": classes, "--baselines": baselines}
    for option, value in given.items():
        if value is not None:
            raise InputError(f"no {option} with --text", remedy="it belongs to photos")
