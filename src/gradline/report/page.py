"""The report as one HTML file: no network, no script, light and dark."""

from __future__ import annotations

import base64
import io
from importlib.resources import files
from pathlib import Path

import numpy as np

from gradline.errors import MissingExtra
from gradline.plots import PathPanel
from gradline.report.subject import Subject
from gradline.result.storage import write_atomically

WIDTH, HEIGHT = 720.0, 240.0
"""Drawing area of the path panel, in SVG units."""


def write_html(subject: Subject, path: str | Path) -> Path:
    """Write the page. Raises `StorageError`, `MissingExtra`."""
    text = render(subject)
    return write_atomically(Path(path), lambda p: p.write_text(text, "utf-8"))


def render(subject: Subject) -> str:
    """The page as text."""
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise MissingExtra("writing a report", "report") from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("gradline.report").joinpath("page.html.jinja").read_text("utf-8")
    shown = subject.picture
    low, high, beyond = subject.legend(shown)
    panel = subject.path
    return environment.from_string(source).render(
        subject=subject,
        made=subject.attribution.provenance,
        findings=subject.attribution.findings,
        photo=data_uri(shown.photo),
        map=data_uri(shown.map),
        overlay=data_uri(shown.overlay),
        spotlight=data_uri(shown.spotlight),
        low=low,
        high=high,
        beyond=beyond,
        path=None if panel is None else drawing(panel),
        sentence="" if panel is None else subject.path_sentence(panel),
    )


def data_uri(image: np.ndarray) -> str:
    """A uint8 image `(H, W, 3)` as an inline PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def drawing(panel: PathPanel) -> dict[str, object]:
    """Coordinates of the path panel in a `WIDTH × HEIGHT` box, y downwards."""
    low, high = float(np.nanmin(panel.score)), float(np.nanmax(panel.score))
    span = (high - low) or 1.0
    top = float(np.nanmax(panel.gradient_norm, initial=0.0)) or 1.0

    def line(t: np.ndarray, share: np.ndarray) -> str:
        keep = np.isfinite(share)
        return " ".join(f"{x * WIDTH:.1f},{(1 - y) * HEIGHT:.1f}" for x, y in zip(t[keep], share[keep], strict=True))

    norm = line(panel.nodes, panel.gradient_norm / top)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "score": line(panel.t, (panel.score - low) / span),
        "norm": f"{panel.nodes[0] * WIDTH:.1f},{HEIGHT} {norm} {panel.nodes[-1] * WIDTH:.1f},{HEIGHT}",
        "nodes": [round(float(t) * WIDTH, 1) for t in panel.nodes],
        "low": low,
        "high": high,
        "top": top,
        "saturation": None if np.isnan(panel.saturation) else round(panel.saturation * WIDTH, 1),
    }
