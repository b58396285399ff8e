"""The photo that an attribution was made from, if it knows one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from gradline.plots.maps import check_photo, example
from gradline.result import Attribution


class StartShown(Protocol):
    """A map from another baseline, as figures need it: see `gradline.report.OtherBaseline`."""

    @property
    def name(self) -> str: ...
    @property
    def start(self) -> np.ndarray: ...
    @property
    def pixels(self) -> np.ndarray: ...
    @property
    def error_estimate(self) -> float: ...
    @property
    def agreement(self) -> float: ...
    @property
    def agreement_absolute(self) -> float: ...


@runtime_checkable
class PhotoShown(Protocol):
    """A photo before a model, as figures need it: see `gradline.report.Photo`."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def pixels(self) -> np.ndarray: ...
    @property
    def start(self) -> np.ndarray | None: ...
    @property
    def candidates(self) -> Sequence[tuple[str, float]]: ...
    @property
    def stages(self) -> np.ndarray | None: ...
    @property
    def baselines(self) -> Sequence[StartShown]: ...
    @property
    def command(self) -> str: ...
    @property
    def paths(self) -> int: ...


def photo_of(a: Attribution, i: int) -> PhotoShown | None:
    """The photo of example i; None where it was made from bare tensors or from something else."""
    shown = a.shown[i] if a.shown else None
    return shown if isinstance(shown, PhotoShown) else None


def pixels_of(a: Attribution, photo: np.ndarray | None, i: int) -> np.ndarray | None:
    """The photo to draw: the one given, else what the model saw. Raises `InputError` if it is not uint8 (H, W, 3)."""
    if photo is None:
        known = photo_of(a, example(a, i))
        return None if known is None else known.pixels
    check_photo(photo)
    return photo
