"""`gradline demo`: the main job on a photo that comes with the installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradline.cli._names import share
from gradline.cli._options import OUT, WHAT, AsJson, Tol
from gradline.cli._outputs import SUFFIXES, check_output
from gradline.cli._request import XRAY, Request, TextRequest
from gradline.cli._run import Job, carry_out
from gradline.cli._terminal import write
from gradline.cli._texts import carry_out_text
from gradline.errors import InputError

EXAMPLES = (
    ("gradline demo", "Writes gradline-demo.html and gradline-demo.png."),
    ("gradline demo --tol 2% -o coffee.html", "To a map error of 2 %, the page alone."),
    ("gradline demo --text", "A sentence and a language network: writes gradline-demo-text.html and .png."),
    ("gradline demo --xray", "A chest X-ray: writes gradline-demo-xray.html and .png."),
)


def command(
    text: Annotated[
        bool, typer.Option("--text", help="A sentence instead of the photo.", rich_help_panel=WHAT)
    ] = False,
    xray: Annotated[
        bool, typer.Option("--xray", help="A chest X-ray instead of the photo.", rich_help_panel=WHAT)
    ] = False,
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

    Or a sentence, or an X-ray. All of it comes with the installation; nothing is downloaded. Writes
    `gradline-demo.html` and `gradline-demo.png` into this folder: the map, its error bar, the path behind it.
    """
    if text and xray:
        raise InputError("--text or --xray", "both")
    stem = "gradline-demo" + ("-text" if text else "-xray" if xray else "")
    files = tuple(dict.fromkeys(output or [Path(f"{stem}.html"), Path(f"{stem}.png")]))
    for path in files:
        check_output(path, SUFFIXES)
    accuracy = None if tol is None else share(tol)
    if text:
        return carry_out_text(TextRequest(None, tol=accuracy), files, as_json=as_json)
    if xray and not as_json:
        write("A map explains this network, not the disease; it is no medical device.")
    asked = Request(None, model=XRAY, baseline="blur", tol=accuracy) if xray else Request(None, tol=accuracy)
    return carry_out([Job(asked, files)], as_json=as_json)
