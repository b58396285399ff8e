"""`gradline demo`: the main job on a photo that comes with the installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradline.cli._names import share
from gradline.cli._options import OUT, AsJson, Tol
from gradline.cli._outputs import SUFFIXES, check_output
from gradline.cli._request import Request
from gradline.cli._run import Job, carry_out

EXAMPLES = (
    ("gradline demo", "Writes gradline-demo.html and gradline-demo.png."),
    ("gradline demo --tol 2% -o coffee.html", "To a map error of 2 %, the page alone."),
)


def command(
    tol: Tol = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A file to write: .html .png .svg .pdf .safetensors .json; may be repeated.",
            rich_help_panel=OUT,
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Explain a photo of a cup of coffee with a real ImageNet network.

    Photo and network come with the installation; nothing is downloaded. Writes `gradline-demo.html` and
    `gradline-demo.png` into this folder: the map, its error bar, the path behind it.
    """
    files = tuple(dict.fromkeys(output or [Path("gradline-demo.html"), Path("gradline-demo.png")]))
    for path in files:
        check_output(path, SUFFIXES)
    return carry_out([Job(Request(None, tol=None if tol is None else share(tol)), files)], as_json=as_json)
