"""Figures as files: whole or not at all, the same bytes for the same figure."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from gradline.errors import StorageError
from gradline.plots.drawing.sheet import resampled
from gradline.result.storage import write_atomically

DPI = 300
"""Dots per inch of a PNG, and of what is not a vector."""

_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
}

_SAVED: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "gradline",
    "pdf.fonttype": 42,
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
}


def write_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as .png (300 dots per inch), .svg (text stays text) or .pdf, at its own size.

    Without dates: the same figure gives the same bytes. Raises `StorageError`.
    """
    path = Path(path)
    if path.suffix not in _METADATA:
        raise StorageError(f"expected a file name that ends in {', '.join(_METADATA)}; got {path.name!r}")

    def save(place: Path) -> None:
        with mpl.rc_context(_SAVED), resampled(figure) if path.suffix == ".png" else nullcontext():
            figure.savefig(place, format=path.suffix[1:], dpi=DPI, metadata=_METADATA[path.suffix])

    return write_atomically(path, save)
