"""The report as one PNG, drawn with matplotlib."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from gradline.errors import MissingExtra
from gradline.plots import PathPanel, Picture
from gradline.plots.maps import AGAINST, FOR
from gradline.report.subject import Subject
from gradline.result.storage import write_atomically

_GOOD, _BAD, _INK, _QUIET = "#1a7f4b", "#b35900", "#1c2128", "#6b7280"


def write_png(subject: Subject, path: str | Path) -> Path:
    """Draw the verdict, the pictures and the path panel. Raises `StorageError`, `MissingExtra`."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing a figure", "report") from error
    figure = Figure(figsize=(12, 7.4), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 4, height_ratios=[1, 0.82], hspace=0.42, wspace=0.08, left=0.06, right=0.97, top=0.85)
    _head(figure, subject)
    shown = subject.picture
    for column, (image, title) in enumerate(_panels(shown)):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(image)
        axes.set_title(title, fontsize=10, color=_INK)
        axes.set_axis_off()
    _legend(figure, subject, shown)
    panel = subject.path
    if panel is not None:
        _path(figure.add_subplot(grid[1, :2]), panel)
    _facts(figure.add_subplot(grid[1, 2:]), subject)
    return write_atomically(Path(path), lambda p: figure.savefig(p, format="png"))


def _panels(shown: Picture) -> list[tuple[Any, str]]:
    return [
        (shown.photo, "what the model sees"),
        (shown.map, "contribution of every pixel"),
        (shown.overlay, "the same on the photo"),
        (shown.spotlight, "where the map's mass lies"),
    ]


def _head(figure: Any, subject: Subject) -> None:
    figure.text(0.06, 0.94, subject.question, fontsize=15, weight="bold", color=_INK)
    colour = _GOOD if subject.status.is_sound else _BAD
    figure.text(0.06, 0.9, subject.facts[0][1], fontsize=11, color=colour)


def _legend(figure: Any, subject: Subject, shown: Picture) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    low, high, beyond = subject.legend(shown)
    scale = LinearSegmentedColormap.from_list("contribution", np.array([AGAINST / 255, np.ones(3), FOR / 255]))
    axes = figure.add_axes((0.40, 0.452, 0.22, 0.014))
    axes.imshow([[k / 255 for k in range(256)]], cmap=scale, aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    for place, text, side in ((-0.02, low, "right"), (1.02, high, "left")):
        axes.text(place, 0.5, text, transform=axes.transAxes, ha=side, va="center", fontsize=8.5, color=_INK)
    axes.text(0.5, -1.2, beyond, transform=axes.transAxes, ha="center", va="center", fontsize=7.5, color=_QUIET)


def _path(axes: Any, panel: PathPanel) -> None:
    blue, grey = tuple(AGAINST / 255), "#9aa3af"
    axes.plot(panel.t, panel.score, color=blue, lw=1.8)
    axes.set_ylabel("score F", color=blue, fontsize=9)
    axes.set_xlabel("t: from the baseline (0) to the photo (1); marks: gradients read", fontsize=9)
    axes.set_xlim(0, 1)
    right = axes.twinx()
    right.fill_between(panel.nodes, panel.gradient_norm, color=grey, alpha=0.35, lw=0)
    right.set_ylim(bottom=0)
    right.set_ylabel("gradient norm", color=_QUIET, fontsize=9)
    foot = axes.get_xaxis_transform()
    axes.plot(panel.nodes, [0.015] * len(panel.nodes), "|", color=_INK, ms=6, mew=0.8, transform=foot)
    if panel.saturation == panel.saturation:
        axes.axvline(panel.saturation, color=_INK, lw=0.8, ls=":")
        axes.text(panel.saturation, 1.02, "90 %", transform=foot, ha="center", fontsize=8)
    axes.set_zorder(right.get_zorder() + 1)
    axes.patch.set_visible(False)
    for side in (axes, right):
        side.tick_params(labelsize=8)
        side.spines["top"].set_visible(False)


def _facts(axes: Any, subject: Subject) -> None:
    axes.set_axis_off()
    made = subject.attribution.provenance
    lines = [(label, text) for label, text in subject.facts if label != "verdict"]
    lines.append(("model says", ", ".join(f"{name} {p:.0%}" for name, p in subject.candidates()[:3])))
    lines.append(("method", f"{made['method_name']}, {subject.attribution.explained[0]}"))
    lines += [("note", f"{f.code} {f.title}") for f in subject.attribution.findings]
    for row, (label, text) in enumerate(lines):
        y = 0.95 - 0.105 * row
        axes.text(0.12, y, label, transform=axes.transAxes, fontsize=9, color=_QUIET, va="top")
        axes.text(0.40, y, fill(text, 52), transform=axes.transAxes, fontsize=9, color=_INK, va="top")
    command = fill(subject.command, 76, subsequent_indent="  ")
    axes.text(0.12, -0.12, command, transform=axes.transAxes, fontsize=7.5, color=_QUIET, family="monospace")
