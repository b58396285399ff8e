"""Series in front of a model: what a question about them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.series.baselines import in_layout, unpadded
from gradline.adapters.series.model import Marks, SeriesModel
from gradline.adapters.series.reading import joined, parted, read_series
from gradline.adapters.series.targets import Forecast
from gradline.core.baselines import Baseline, Each, Given, Group, Search, Zero, as_baseline
from gradline.errors import GradlineError, InputError, ModelError, TargetError
from gradline.question.guard import undisturbed
from gradline.question.inputs import check_names
from gradline.question.targets import ClassTarget, Logit, TargetLike
from gradline.question.targets.reading import at, table

ROWS = 64
"""Series that go through the model at once when their labels' probabilities are read."""


@dataclass(frozen=True, eq=False)
class SeriesCase:
    """Series in front of a model. `x (N, …)`: in the model's layout and dtype, padded behind; `lengths`: in samples,
    one each; `names`: of the series."""

    model: SeriesModel
    x: Tensor
    lengths: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def context(self) -> dict[str, Tensor]:
        """What tells the model of the padding: mask and lengths, by the names of its arguments."""
        lengths = torch.tensor(self.lengths, dtype=torch.int64, device="cpu")
        found = {}
        if self.model.mask is not None:
            there = torch.arange(self.x.shape[self.model.time_axis], device="cpu") < lengths[:, None]
            found[self.model.mask] = (there if self.model.marks is Marks.VALUES else ~there).to(self.x.device)
        if self.model.lengths is not None:
            found[self.model.lengths] = lengths
        return found

    def baseline(self, wanted: object = None) -> Baseline:
        """A baseline that knows layout and padding; `Zero()` by default, arrays as series. Raises `BaselineError`."""
        part = Zero() if wanted is None else self._part(wanted)
        return unpadded(in_layout(part, self.model.layout), self.x, self.lengths, self.model.time_axis)

    def start(self, part: Baseline, seed: int = 0) -> Tensor | None:
        """The first start of each series, `(N, …)`; None for one that is searched for with the model."""
        if any(isinstance(p, Search) for p in (part.parts if isinstance(part, Each) else (part,))):
            return None
        return part.start(Group(self.x, torch.arange(len(self.x), device="cpu"), self.names, seed))[:, 0]

    def series(self, x: Tensor) -> list[np.ndarray]:
        """Each series of a batch like `x` as `(C, T)`, float64, without its padding."""
        return [one.cpu().double().numpy() for one in parted(x.detach(), self.model.layout, self.lengths)]

    def target(self, wanted: TargetLike | str | Forecast) -> TargetLike:
        """What is explained: the logit of a label by its name, a number of a forecast, or a target. Raises
        `TargetError`."""
        if isinstance(wanted, list | tuple):
            raise TargetError("one target for a series", f"{len(wanted)} of them", "explain it once for each")
        if isinstance(wanted, Forecast):
            return wanted.element(self.model)
        if not isinstance(wanted, str):
            return wanted
        if wanted not in self.model.labels:
            known = ", ".join(self.model.labels) or "labels= were not given"
            raise TargetError(f"a label of {self.model.known_as}: {known}", repr(wanted))
        return Logit(self.model.labels.index(wanted))

    def title(self, wanted: TargetLike | str | Forecast, explained: str, i: int) -> str:
        """What is explained of series i, in words: a label's name where there is one."""
        match wanted:
            case str():
                return wanted
            case Forecast():
                return wanted.title(self.model)
        if not self.model.labels:
            return explained
        match wanted:
            case None:
                return self.model.label(int(self.probabilities[i].argmax()))
            case ClassTarget():
                return self.model.label(int(at(wanted.index, i)))
            case int() | Tensor():
                return self.model.label(int(at(wanted, i)))
        return explained

    def candidates(self, i: int, count: int = 5) -> tuple[tuple[str, float], ...]:
        """The most probable labels of series i; none where there are no labels, or the model gives NaN."""
        if not self.model.labels or not (own := self.probabilities[i]).isfinite().all():
            return ()
        top = own.topk(min(count, len(own)))
        return tuple((self.model.label(int(k)), float(p)) for p, k in zip(*top, strict=True))

    @cached_property
    def probabilities(self) -> Tensor:
        """Softmax probabilities of all labels `(N, classes)`, float64 on the CPU.

        Raises `InputError` unless there is a label for each output, `ModelError` if the model fails.
        """
        found = []
        model, context = self.model, self.context
        with undisturbed(model.model, self.x.device), torch.no_grad():
            for rows in torch.split(torch.arange(len(self.x), device="cpu"), ROWS):
                own = {name: value[rows.to(value.device)] for name, value in context.items()}
                try:
                    output = model.model(self.x[rows.to(self.x.device)], **own)
                except GradlineError:
                    raise
                except Exception as error:
                    shape = tuple(self.x.shape)
                    raise ModelError(f"{model.known_as} failed on x of shape {shape}: {error}") from error
                found.append(table(output, len(rows)).double().cpu())
        logits = torch.cat(found)
        if logits.shape[1] != len(model.labels):
            remedy = "give the labels in the order of the model's output, or none"
            raise InputError(f"{logits.shape[1]} labels, one each output", str(len(model.labels)), remedy)
        return torch.softmax(logits, 1)

    def _part(self, wanted: object) -> Baseline:
        arrays = isinstance(wanted, np.ndarray | list) or (isinstance(wanted, Tensor) and wanted.ndim < self.x.ndim)
        if not arrays:
            return as_baseline(wanted)
        found = read_series(wanted, self.model)
        own = [one.shape[1] for one in found]
        if own != list(self.lengths) and not (len(own) == 1 and set(self.lengths) == set(own)):
            expected = f"a baseline with the lengths of the series: {', '.join(map(str, self.lengths[:5]))}"
            raise InputError(expected, ", ".join(map(str, own[:5])))
        return Given(joined(found, self.model.layout))


def series_case(series: Any, model: SeriesModel, names: Sequence[str] | None = None) -> SeriesCase:
    """Read series for a model: one in its layout, several in one array, or a list of them, of any lengths.

    `names`: of the series, by default their numbers. Raises `InputError`.
    """
    if not isinstance(model, SeriesModel):
        remedy = 'say how arrays become x: gl.series.SeriesModel(model, channels=("x", "y"))'
        raise InputError("a gl.series.SeriesModel", type(model).__name__, remedy)
    found = read_series(series, model)
    lengths = tuple(one.shape[1] for one in found)
    if len(set(lengths)) > 1 and model.mask is None and model.lengths is None:
        got = f"lengths {', '.join(map(str, lengths[:5]))}{', …' * (len(lengths) > 5)} and a model without a mask"
        remedy = (
            "name the argument that tells the model of padding, SeriesModel(…, mask=…) or lengths=…, or explain "
            "series of one length at a time"
        )
        raise InputError("series of one length", got, remedy)
    for length in set(lengths):
        model.times_of(length)
    return SeriesCase(model, joined(found, model.layout), lengths, check_names(names, len(found)))
