"""Options that several commands share: written once, with their help and what the shell completes."""

from __future__ import annotations

from typing import Annotated

import typer

from gradline.cli import _names

WHAT, TEXTS, HOW, COST, OUT = "What is explained", "Texts", "How", "Accuracy and cost", "Output"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.", rich_help_panel=OUT)]
Model = Annotated[
    str,
    typer.Option(
        metavar="MODEL",
        help=_names.NETWORK,
        autocompletion=_names.complete_model,
        rich_help_panel=WHAT,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Weights for a factory: .safetensors, or a .pt state dict.", rich_help_panel=WHAT
    ),
]
Preprocess = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="How a photo becomes the input of a factory's or a file's network: `imagenet`, or a .json file.",
        rich_help_panel=WHAT,
    ),
]
Classes = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="Names of its classes: `imagenet`, or a text file with one a line.",
        rich_help_panel=WHAT,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        help='The class, by its number or its name ("tabby cat"); without it, the predicted one.',
        rich_help_panel=WHAT,
    ),
]
Probability = Annotated[
    bool, typer.Option("--probability", help="Explain the probability instead of the logit.", rich_help_panel=WHAT)
]
Tol = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE",
        help="Error of the map that is allowed, relative: `0.05` or `5%`; that is also the default.",
        rich_help_panel=COST,
    ),
]
Steps = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="A fixed number of gradients instead of an accuracy, as in other tools.", rich_help_panel=COST
    ),
]
MaxEvaluations = Annotated[
    str,
    typer.Option(metavar="N", help="Most gradients that may be spent to reach the accuracy.", rich_help_panel=COST),
]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory for the work, such as `1GiB`; without it, 512MiB.", rich_help_panel=COST),
]
Seed = Annotated[str, typer.Option(metavar="N", help="Seed of what is drawn at random.", rich_help_panel=HOW)]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.", rich_help_panel=OUT)]
