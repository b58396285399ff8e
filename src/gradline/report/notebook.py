"""The report as a notebook widget: the same page, style and script, with controls that Python sees."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any

from gradline.errors import InputError, MissingExtra
from gradline.report.content import content
from gradline.report.page import rendered, script, style
from gradline.report.photo import Photo
from gradline.result import Attribution


def widget(a: Attribution) -> Any:
    """The report of one photo as an anywidget; `t`, `blend` and `threshold` follow its controls, and move them.

    `t`: place of the cursor on the path, from 0 to 1. `blend`: from the photo (0) to the map (100). `threshold`: in per
    cent, of the scale or of the map. Raises `InputError` without a photo, `MissingExtra`.
    """
    photo = a.shown[0] if len(a.shown) == 1 else None
    if not isinstance(photo, Photo):
        got, remedy = (f"{len(a)} examples", "choose one: a[0]") if len(a.shown) > 1 else ("one without a photo", "")
        raise InputError("an attribution of one photo, as gl.explain_image makes it", got, remedy)
    found = content(a, photo)
    name = f"gradline-{secrets.token_hex(4)}"
    html = rendered("report.html.jinja", found, name=name, whole=False, bare=True)
    return _kind()(html=html, data=found["data"])


@cache
def _kind() -> type:
    """The widget's class, made when anywidget is there."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise MissingExtra("the notebook widget", "notebook") from error

    class ReportWidget(anywidget.AnyWidget):
        _esm = f"{script()}\nexport default {{ render }};\n"
        _css = style()
        html = traitlets.Unicode().tag(sync=True)
        data = traitlets.Dict().tag(sync=True)
        t = traitlets.Float(0.5).tag(sync=True)
        blend = traitlets.Float(50.0).tag(sync=True)
        threshold = traitlets.Float(0.0).tag(sync=True)

    return ReportWidget
