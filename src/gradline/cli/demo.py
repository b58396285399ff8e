"""`gradline demo`: the main job on a photo that comes with the installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradline.cli._explain import Request, explain_photo


def command(
    output: Annotated[
        list[Path] | None, typer.Option("--output", "-o", help="File to write: .html, .png, .safetensors or .json.")
    ] = None,
    tol: Annotated[float | None, typer.Option(help="Relative error of the map that is allowed; default 0.05.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Explain a photo of a cup of coffee with a real ImageNet network.

    Writes `gradline-demo.html` and `gradline-demo.png` into this folder: the map, its error bar, the path behind it.

    Example: `gradline demo`
    """
    outputs = output or [Path("gradline-demo.html"), Path("gradline-demo.png")]
    return explain_photo(Request(None, tol=tol), outputs, as_json=as_json)
