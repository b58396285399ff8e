"""Starts that only a series has: a channel's mean, a number each, the line between its ends, a moving average."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from gradline.adapters.series.axes import channels_first, in_axes
from gradline.core.baselines import Baseline, Each, Given, Group, PerInput, Search
from gradline.core.baselines.base import check_floating
from gradline.errors import BaselineError
from gradline.plots.samples import Layout


@dataclass(frozen=True)
class SeriesBaseline(Baseline):
    """A start worked out along time. `layout`: of x; `gl.explain_series` fills it in."""

    layout: Layout | None = field(default=None, kw_only=True)

    @abstractmethod
    def along(self, x: Tensor) -> Tensor:
        """The start of series `(B, C, T)`, in float32 at least: broadcastable to it."""

    def check(self, x: Tensor) -> None:
        check_floating(self, x)
        name = type(self).__name__
        if self.layout is None:
            remedy = f"pass {name}(…, layout=gl.series.Layout.CHANNELS_FIRST), or use gl.explain_series"
            raise BaselineError(f"{name} needs to know which axis is time", remedy=remedy)
        if x.ndim != (2 if self.layout is Layout.TIME_ONLY else 3):
            raise BaselineError(f"series in the layout {self.layout} for {name}", f"shape {tuple(x.shape)}")

    def start(self, group: Group) -> Tensor:
        x = group.x
        self.check(x)
        wide = channels_first(x, self.layout).to(torch.promote_types(x.dtype, torch.float32))
        return in_axes(self.along(wide).expand_as(wide).to(x.dtype), self.layout).unsqueeze(1)


@dataclass(frozen=True)
class ChannelMean(SeriesBaseline):
    """Each channel's own mean over the samples of the series."""

    def along(self, x: Tensor) -> Tensor:
        return x.mean(2, keepdim=True)


@dataclass(frozen=True)
class ChannelValues(SeriesBaseline):
    """A number for each channel, in the units of the model's input: the means of the training data, say.

    Raises `BaselineError` unless there is a finite one for each channel.
    """

    values: tuple[float, ...]

    def check(self, x: Tensor) -> None:
        super().check(x)
        count = channels_first(x, self.layout).shape[1]
        if len(self.values) != count or not all(math.isfinite(v) for v in self.values):
            raise BaselineError(f"{count} finite values, one for each channel", repr(self.values)[:80])

    def along(self, x: Tensor) -> Tensor:
        return x.new_tensor(self.values).reshape(1, -1, 1)


@dataclass(frozen=True)
class EndsLine(SeriesBaseline):
    """The straight line between a channel's first and last sample: x'_t = x_0 + (x_{T−1} − x_0) t / (T − 1)."""

    def along(self, x: Tensor) -> Tensor:
        share = torch.linspace(0, 1, x.shape[2], dtype=x.dtype, device=x.device)
        return torch.lerp(x[:, :, :1], x[:, :, -1:], share)


@dataclass(frozen=True)
class MovingAverage(SeriesBaseline):
    """The mean of the `width` samples around each one, of those that there are at the ends: a blur in time.

    `width`: odd, from 3. What is left to explain is what is faster. Raises `BaselineError`.
    """

    width: int

    def __post_init__(self) -> None:
        if isinstance(self.width, bool) or not isinstance(self.width, int) or self.width < 3 or self.width % 2 == 0:
            raise BaselineError("an odd whole number width >= 3 for MovingAverage", f"width={self.width!r}")

    def along(self, x: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool1d(x, self.width, 1, self.width // 2, count_include_pad=False)


@dataclass(frozen=True, eq=False, repr=False)
class PerSeries(Baseline):
    """A part asked for each series without its padding, which stays as it is and so contributes nothing.

    `lengths`: of all N series. `axis`: of time in x `(N, …)`.
    """

    part: Baseline
    lengths: tuple[int, ...]
    axis: int

    def __repr__(self) -> str:
        return repr(self.part)

    @property
    def draws(self) -> int:
        return self.part.draws

    @property
    def random(self) -> bool:
        return self.part.random

    def check(self, x: Tensor) -> None:
        for place in {length: place for place, length in enumerate(self.lengths)}.values():
            self.part.check(x[place : place + 1].narrow(self.axis, 0, self.lengths[place]))

    def start(self, group: Group) -> Tensor:
        found = group.x.unsqueeze(1).repeat(1, self.draws, *[1] * (group.x.ndim - 1))
        for k, row in enumerate(group.rows.tolist()):
            length = self.lengths[row]
            own = group.x[k : k + 1].narrow(self.axis, 0, length)
            one = replace(group, x=own, rows=group.rows[k : k + 1], names=group.names[k : k + 1])
            found[k : k + 1].narrow(self.axis + 1, 0, length).copy_(self.part.start(one))
        return found


def in_layout(part: Baseline, layout: Layout) -> Baseline:
    """The same baseline where the layout of x is known."""
    match part:
        case Each():
            return Each(*(in_layout(one, layout) for one in part.parts))
        case SeriesBaseline():
            return part if part.layout is not None else replace(part, layout=layout)
    return part


def unpadded(part: Baseline, x: Tensor, lengths: tuple[int, ...], axis: int) -> Baseline:
    """The same baseline for series padded to one length, whose padding does not move. Raises `BaselineError`."""
    if len(set(lengths)) == 1:
        return part
    if isinstance(part, Given):
        longest = torch.arange(x.shape[axis], device=x.device)
        real = longest < torch.tensor(lengths, device=x.device)[:, None]
        part.check(x)
        real = real if x.ndim == 2 else real.unsqueeze(1 if axis == 2 else 2)
        return Given(torch.where(real, part.tensor.detach().to(x), x))
    parts = part.parts if isinstance(part, Each) else (part,)
    for one in parts:
        if isinstance(one, Search | PerInput | Given) or one.at_site:
            remedy = "explain series of one length at a time"
            raise BaselineError(
                "a baseline that can be asked for each series of a padded batch", repr(one)[:80], remedy
            )
    return PerSeries(part, lengths, axis)
