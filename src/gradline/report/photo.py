"""What a report of a photo shows beside the attribution: plain facts and arrays, no model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gradline.result import Attribution


@dataclass(frozen=True, eq=False)
class OtherBaseline:
    """The map from another baseline, beside the one reported.

    `name`: in words. `start (H, W, 3)`: uint8, where that path starts. `pixels (h, w)`: float32, contributions summed
    over channels and blocks, as in `Photo.stages`. `error_estimate`: of that map. `agreement`, `agreement_absolute`:
    Spearman's rank correlation with the reported map over pixels, in [−1, 1], of contributions and of their sizes.
    """

    name: str
    start: np.ndarray
    pixels: np.ndarray
    error_estimate: float
    agreement: float
    agreement_absolute: float


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo before a model, as it is shown; a `gradline.result.Shown`.

    `name`: of the photo. `model`: its name. `title`: what is explained, the class's name where there is one.
    `pixels (H, W, 3)`: uint8, what the model sees. `start (H, W, 3)`: uint8, where the path starts, None without one.
    `candidates`: the most probable classes with their probabilities. `stages (K, h, w)`: float32, the map of the path
    up to t = 1/K, 2/K … 1, summed over channels and over square blocks of pixels; None if not kept. `baselines`: maps
    from other baselines. `command`, `python`: what repeats the attribution. `paths`: how many paths the map is the mean
    of; `start` and the curve are those of the first. `baseline`: what the start is called, empty if it has no one name.
    `straight`: the path is the straight line, so that its points are blends of both ends.
    """

    name: str
    model: str
    title: str
    pixels: np.ndarray
    start: np.ndarray | None = None
    candidates: tuple[tuple[str, float], ...] = ()
    stages: np.ndarray | None = None
    baselines: tuple[OtherBaseline, ...] = ()
    command: str = ""
    python: str = ""
    paths: int = 1
    baseline: str = ""
    straight: bool = True

    def html(self, a: Attribution) -> str:
        """The report as a fragment for notebooks. Raises `MissingExtra`."""
        from gradline.report.page import fragment

        return fragment(a, self)

    def write(self, a: Attribution, path: Path) -> Path:
        """The report as .html, or as a figure: .png, .svg, .pdf. Raises `StorageError`, `MissingExtra`."""
        if path.suffix == ".html":
            from gradline.report.page import write_html

            return write_html(a, self, path)
        from gradline.plots import summary, write_figure

        return write_figure(summary(replace(a, shown=(self,))), path)
