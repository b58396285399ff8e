"""A model of time series with what belongs to it: channels, units, time, labels, and how padding is told to it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradline.errors import InputError
from gradline.plots.samples import Layout


class Marks(StrEnum):
    """What is True in a mask `(N, T)`: the `VALUES` of a series, or its `PADDING` (PyTorch's `key_padding_mask`)."""

    VALUES = "values"
    PADDING = "padding"


@dataclass(frozen=True, eq=False)
class SeriesModel:
    """A model of time series, and how arrays become its input.

    `model`: maps x in `layout` (batch axis first) to scores `(N, classes)`, forecasts, or one number each. `channels`:
    names in order; `units`: one each, or (). `rate`: samples a second, or `times (T,)`: of the samples, ascending, in
    `time_unit`; neither: samples are counted from 0. `labels`: names of the classes in order; () for other models.
    `outputs`: names of the variables that are forecast, by default the channels. `mask`: the name of the argument that
    takes a boolean mask `(N, T)`, in which `marks` are True; `lengths`: the name of the one that takes the number of
    samples, int64 `(N,)` on the CPU. With either, series of different lengths are padded with zeros behind their end.

    Raises `InputError` if these do not fit together, or if the model has no such argument.
    """

    model: Callable[..., Any]
    channels: tuple[str, ...] = field(kw_only=True)
    units: tuple[str, ...] = field(default=(), kw_only=True)
    rate: float | None = field(default=None, kw_only=True)
    times: Any = field(default=None, kw_only=True)
    time_unit: str = field(default="s", kw_only=True)
    labels: tuple[str, ...] = field(default=(), kw_only=True)
    outputs: tuple[str, ...] = field(default=(), kw_only=True)
    layout: Layout = field(default=Layout.CHANNELS_FIRST, kw_only=True)
    mask: str | None = field(default=None, kw_only=True)
    marks: Marks = field(default=Marks.VALUES, kw_only=True)
    lengths: str | None = field(default=None, kw_only=True)
    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not callable(self.model):
            raise InputError("a model that can be called with series", type(self.model).__name__)
        for what in ("channels", "units", "labels", "outputs"):
            _check_names(what, getattr(self, what))
        if not self.channels:
            raise InputError('channels=("lead II", …), the names in the order of the model', "none")
        if self.units and len(self.units) != len(self.channels):
            raise InputError(f"{len(self.channels)} units, one for each channel, or none", str(len(self.units)))
        if not isinstance(self.layout, Layout):
            raise InputError("layout as gl.series.Layout.CHANNELS_FIRST, TIME_FIRST or TIME_ONLY", repr(self.layout))
        if self.layout is Layout.TIME_ONLY and len(self.channels) > 1:
            raise InputError("one channel for a model of (N, T)", f"{len(self.channels)}", "use another layout")
        if not isinstance(self.marks, Marks):
            raise InputError("marks as gl.series.Marks.VALUES or PADDING", repr(self.marks))
        _check_time(self.rate, self.times)
        for name in (self.mask, self.lengths):
            if name is not None:
                _check_argument(self.model, name)

    @property
    def known_as(self) -> str:
        """The model's name; its class where it was given none."""
        return self.name or (type(self.model).__name__ if isinstance(self.model, nn.Module) else "the model")

    @property
    def time_axis(self) -> int:
        """The axis of time in a batch."""
        return 2 if self.layout is Layout.CHANNELS_FIRST else 1

    @property
    def like(self) -> Tensor:
        """An empty tensor of the dtype and on the device that the model computes in: those of its first weight."""
        if isinstance(self.model, nn.Module):
            for weights in (self.model.parameters(), self.model.buffers()):
                for weight in weights:
                    if weight.is_floating_point():
                        return torch.empty(0, dtype=weight.dtype, device=weight.device)
        return torch.empty(0, dtype=torch.float32, device="cpu")

    def label(self, index: int) -> str:
        """The name of a class; "class 3" if nobody knows."""
        return self.labels[index] if 0 <= index < len(self.labels) else f"class {index}"

    def times_of(self, length: int) -> tuple[np.ndarray, str]:
        """Times of so many samples, float64 `(T,)`, and their unit. Raises `InputError` where they were given for
        series of another length."""
        if self.times is not None:
            times = np.asarray(self.times, dtype=np.float64)
            if len(times) != length:
                raise InputError(f"series of {len(times)} samples, one for each of times=", f"{length} samples")
            return times, self.time_unit
        samples = np.arange(length, dtype=np.float64)
        return (samples, "sample") if self.rate is None else (samples / self.rate, "s")


def _check_names(what: str, names: object) -> None:
    if not (isinstance(names, tuple) and all(isinstance(name, str) for name in names)):
        raise InputError(f"{what} as a tuple of names", repr(names)[:80])
    if what != "units" and len(set(names)) != len(names):
        raise InputError(f"different names in {what}", repr(names)[:80])


def _check_time(rate: object, times: object) -> None:
    if rate is not None and times is not None:
        raise InputError("rate= or times=", "both")
    if rate is not None:
        number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not (number and math.isfinite(rate) and rate > 0):  # type: ignore[arg-type, operator]
            raise InputError("rate as a finite number of samples a second above 0", repr(rate))
    if times is not None:
        found = np.asarray(times)
        fits = found.ndim == 1 and len(found) > 1 and np.issubdtype(found.dtype, np.number)
        if not (fits and np.isfinite(found).all() and (np.diff(found) > 0).all()):
            raise InputError("times as finite ascending numbers (T,), one for each sample", repr(times)[:80])


def _check_argument(model: Any, name: str) -> None:
    """Raise `InputError` unless the model has an argument of that name."""
    try:
        known = inspect.signature(model.forward if isinstance(model, nn.Module) else model).parameters
    except (TypeError, ValueError):
        return
    if name not in known and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        raise InputError(f"a model with an argument {name!r}", f"one with {', '.join(map(repr, known)) or 'none'}")
