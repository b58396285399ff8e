"""Arrays of series, checked and made tensors `(C, T)`; what is wrong is said with the channel and the time."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.series.axes import channels_first, in_axes
from gradline.adapters.series.model import SeriesModel
from gradline.errors import InputError
from gradline.plots.samples import Layout, time_words


def read_series(given: Any, model: SeriesModel) -> list[Tensor]:
    """Each series as `(C, T)`, in the model's dtype and on its device.

    `given`: one series in the model's layout without the batch axis, several in one array, or a list of them. A model
    of one channel also takes `(T,)`. Whole numbers are converted. Raises `InputError`.
    """
    single = len(model.channels) == 1
    if isinstance(given, list | tuple) and not (given and all(isinstance(v, Real) for v in given)):
        if not given:
            raise InputError("at least one series", f"an empty {type(given).__name__}")
        several = True
        arrays = [_array(one) for one in given]
    else:
        array = _array(given)
        flat = 1 if model.layout is Layout.TIME_ONLY else 2
        several = array.ndim == flat + 1 and not (flat == 1 and 1 in array.shape)
        arrays = list(array) if several else [array]
    return [_one(array, model, single, f" of series {place}" if several else "") for place, array in enumerate(arrays)]


def _array(given: Any) -> Tensor:
    if isinstance(given, Tensor):
        found = given.detach()
    else:
        try:
            found = torch.from_numpy(np.array(given))
        except (TypeError, ValueError) as error:
            kind = type(given).__name__
            raise InputError(
                "a series as an array of numbers", kind, f"one with a single number type: {error}"
            ) from None
    if found.is_complex() or found.dtype == torch.bool:
        raise InputError("a series of real numbers", f"{found.dtype}", "convert it with .float()")
    return found


def _one(found: Tensor, model: SeriesModel, single: bool, which: str) -> Tensor:
    """One series `(C, T)`, checked."""
    count, names = len(model.channels), ", ".join(model.channels)
    first = model.layout is not Layout.TIME_FIRST
    if single and found.ndim == 1:
        found = found.unsqueeze(0) if first else found.unsqueeze(1)
    if found.ndim != 2:
        shape = f"({count}, time)" if first else f"(time, {count})"
        shape = "(time,)" if model.layout is Layout.TIME_ONLY else shape
        raise InputError(f"a series of shape {shape}, or several{which and ','}{which}", f"shape {tuple(found.shape)}")
    wide = found if first else found.mT
    if wide.numel() == 0:
        raise InputError(f"a series of at least two samples{which}", f"shape {tuple(found.shape)}, which is empty")
    if len(wide) != count:
        turned = wide.shape[1] == count
        remedy = f"transpose it: the model's layout is {model.layout}" if turned else "give them in the model's order"
        channels = f"{count} channel{'s' * (count > 1)} ({names}) on axis {0 if first else 1}{which}"
        raise InputError(channels, f"{len(wide)}, shape {tuple(found.shape)}", remedy)
    if wide.shape[1] < 2:
        raise InputError(f"a series of at least two samples{which}", "1", "a single sample has no course to explain")
    _check_finite(wide, model, which)
    return _converted(wide, model, which)


def _check_finite(wide: Tensor, model: SeriesModel, which: str) -> None:
    bad = (~torch.isfinite(wide)).nonzero()
    if len(bad):
        channel, sample = (int(v) for v in bad[bad[:, 1].argmin()])
        times, unit = model.times_of(wide.shape[1])
        when = time_words(float(times[sample]), unit)
        when += "" if unit == "sample" else f" (sample {sample})"
        got = f"{len(bad)} NaN or infinite values, the first in channel {model.channels[channel]!r} at {when}{which}"
        raise InputError("a finite series", got, "fill the gaps first, by interpolation say")


def _converted(wide: Tensor, model: SeriesModel, which: str) -> Tensor:
    like = model.like
    found = wide.to(like)
    if not torch.isfinite(found).all():
        raise InputError(f"values that fit the model's {like.dtype}{which}", f"up to {float(wide.abs().max()):.3g}")
    return found.clone() if found is wide else found


def joined(series: Sequence[Tensor], layout: Layout) -> Tensor:
    """Series `(C, T)`, padded with zeros behind their end, as the model's input `(N, …)`."""
    longest = max(one.shape[1] for one in series)
    padded = [torch.nn.functional.pad(one, (0, longest - one.shape[1])) for one in series]
    return in_axes(torch.stack(padded), layout).contiguous()


def parted(x: Tensor, layout: Layout, lengths: Sequence[int]) -> list[Tensor]:
    """The other way round: series `(C, T)` without their padding."""
    return [one[:, :length] for one, length in zip(channels_first(x, layout), lengths, strict=True)]
