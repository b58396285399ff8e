"""The catalogue's metrics, as they fit a task."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from torch import Tensor

from gradline.metrics import catalogue
from gradline.metrics.base import Metric, Need
from gradline.metrics.places.localisation import PolarityAgreement
from gradline.metrics.regions.perturbation import PerturbationScore
from gradline.metrics.shape.smoothness import TotalVariation
from gradline.metrics.units import default_units
from gradline.sanity.tasks import Task

SIDE = 64
"""Pictures below this side are small: windows and pyramids made for photos do not fit them."""


def fitting(task: Task) -> dict[str, Metric]:
    """Every metric that judges a map, by name: as it comes, but told the known signs if it needs them, and with smaller
    windows for small pictures. Metrics that judge what makes maps (`Need.EXPLAINER`) are left out.

    Some still do not fit: `brackets` raises `InputError` for a metric of images and a task of words.
    """
    own: dict[str, Callable[[], Metric]] = {"polarity-agreement": lambda: PolarityAgreement(_signs(task))}
    if task.x.ndim == 4 and min(task.x.shape[2:]) < SIDE:
        own |= _SMALL
    judging = [entry for entry in catalogue.entries() if Need.EXPLAINER not in entry.needs]
    return {e.name: own.get(e.name, getattr(import_module(e.module), e.cls))() for e in judging}


_SMALL: dict[str, Callable[[], Metric]] = {
    "perturbation-score": lambda: PerturbationScore(kernel=5, regions=10, fills=10),
    "total-variation": lambda: TotalVariation(least=10),
}


def _signs(task: Task) -> Tensor:
    """Of the units whose right value is not zero: `(N, U)`."""
    partition = default_units(task.oracle, task.score.site is not None).partition(task.oracle)
    return partition.sums(task.oracle).sign()
