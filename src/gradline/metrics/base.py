"""What a metric is, and what it says."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, PixelSpace
from gradline.errors import InputError
from gradline.metrics.asking import Ask, AskOf, Values
from gradline.result.spelling import number, short

if TYPE_CHECKING:
    from gradline.metrics.subject import Subject


class Kind(StrEnum):
    """The unit of a map's values: `CONTRIBUTION` score, `GRADIENT` score per unit of the input."""

    CONTRIBUTION = "contribution"
    GRADIENT = "gradient"


class Need(StrEnum):
    """What a metric wants beside score, examples and maps.

    `MASKS`: where the evidence is. `EXPLAINER`: something that makes a map anew. `PIXELS`: what black and white are for
    the model. `CONTRIBUTIONS`: that the unit of the maps is known.
    """

    MASKS = "masks"
    EXPLAINER = "explainer"
    PIXELS = "pixels"
    CONTRIBUTIONS = "contributions"


Flow = Generator[Ask | AskOf, Values, "Evaluation"]
"""A metric at work: yields questions, is sent values, returns what it found."""


@dataclass(frozen=True)
class Metric(ABC):
    """A number for each map. A frozen dataclass whose fields are its settings.

    `name`: kebab-case. `higher_is_better`: None for a description that ranks nothing. `range`: of its values. `cost`:
    in forwards an example, by its fields. `cites`: keys of `gradline.methods.REFERENCES`. `needs`: what
    has to be handed in beside score, x and maps.
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool | None]
    range: ClassVar[str]
    cost: ClassVar[str]
    cites: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def flow(self, subject: Subject) -> Flow:
        """Judge the maps of the subject. Rows do not meet: every example is judged as if it were alone."""

    def within(self, pixels: PixelSpace) -> Metric:
        """The same metric where black and white are known: they are told to every baseline among its fields."""
        told = {}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Baseline):
                told[f.name] = value.within(pixels)
        return dataclasses.replace(self, **told) if told else self

    @property
    def settings(self) -> str:
        """Its fields in words: what decides the number beside the map."""
        said = [f"{f.name.replace('_', ' ')} {_worded(getattr(self, f.name))}" for f in dataclasses.fields(self)]
        return ", ".join(said)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a metric says of the maps of N examples.

    `values (N,)`: float64; NaN where there is no value, and then `notes` says why. `curve (N, K)`: what is behind a
    value, over `axis (K,)`; None without one. `parts`: further numbers, `(N,)` or `(N, K)` each. `settings`: what
    decided the number: fill, sign rule, scale. `names`: of the examples.
    """

    metric: Metric
    values: Tensor
    curve: Tensor | None = None
    axis: Tensor | None = None
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    settings: str = ""
    names: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Over the examples that have a value; NaN if none has."""
        return float(self.values[self.values.isfinite()].mean())

    @property
    def standard_error(self) -> float:
        """Of the mean, over examples; NaN for fewer than two."""
        known = self.values[self.values.isfinite()]
        return float(known.std() / len(known) ** 0.5) if len(known) > 1 else float("nan")

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        better = {True: "higher is better", False: "lower is better", None: "ranks nothing"}
        there = int(self.values.isfinite().sum())
        spread = f" ± {short(self.standard_error)}" if there > 1 else ""
        how = f"mean of {there}{' with its standard error' if spread else ''}; {better[self.metric.higher_is_better]}"
        lines = [f"{self.metric.name}  {number(self.mean)}{spread}  ({how})"]
        lines += [f"{self.settings or self.metric.settings}"]
        for i, value in enumerate(self.values.tolist()):
            note = self.notes[i] if self.notes else ""
            lines.append(f"  {self.names[i] if self.names else i}: {number(value)}{f'  {note}' if note else ''}")
        return "\n".join(lines)


def _worded(value: Any) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return repr(value)
    if value is None:
        return "default"
    return str(value)


def check_count(metric: object, field: str, value: object, least: int = 1) -> None:
    """Raise `InputError` unless `value` is a whole number and at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"a whole number {field} >= {least} for {type(metric).__name__}", f"{field}={value!r}")


def check_share(metric: object, field: str, value: object, *, whole: bool = True) -> None:
    """Raise `InputError` unless `value` lies in (0, 1], or in (0, 1) if not `whole`."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
    if not fits or (value == 1 and not whole):
        end = "]" if whole else ")"
        raise InputError(f"{field} in (0, 1{end} for {type(metric).__name__}", f"{field}={value!r}")


def check_positive(metric: object, field: str, value: object) -> None:
    """Raise `InputError` unless `value` is a number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(f"{field} > 0 for {type(metric).__name__}", f"{field}={value!r}")


def nothing(count: int) -> Tensor:
    """No value for any of so many examples."""
    return torch.full((count,), float("nan"), dtype=torch.float64)
