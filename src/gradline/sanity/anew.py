"""What the checks share that make maps anew and compare them with those that were handed in."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.base import Flow, Metric
from gradline.metrics.ranking import CONSTANT, NOT_FINITE
from gradline.metrics.subject import Subject
from gradline.metrics.units import fitted
from gradline.question.score import Score
from gradline.sanity.similarities import USUAL, Similarity, Spearman, similarity, varied


@dataclass(frozen=True)
class Anew(Metric):
    """`by`: the likeness that the value is made of. `also`: further ones, reported as parts; without it those of
    `gl.sanity.USUAL` that fit the maps: Spearman's correlation with and without signs, cosine, for images SSIM and HOG.

    Maps are compared by units: the channels of a pixel, and what is at a position of a layer, are summed first.
    """

    by: Similarity = Spearman()  # noqa: RUF009
    also: tuple[Similarity, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.by, Similarity):
            raise InputError("by as a likeness, such as gl.sanity.Spearman()", repr(self.by))
        if self.also is not None:
            given = self.also if isinstance(self.also, tuple) else (self.also,)
            if not isinstance(self.also, tuple) or not all(isinstance(kind, Similarity) for kind in given):
                raise InputError("also as a tuple of likenesses, such as (gl.sanity.SSIM(),)", repr(self.also))

    @abstractmethod
    def flow(self, subject: Subject) -> Flow: ...

    def likenesses(self, subject: Subject, others: Sequence[Tensor]) -> dict[Similarity, Tensor]:
        """How alike the subject's maps and each of several others are, for every kind wanted: `(N, K)` each."""
        before = by_unit(subject, subject.maps)
        shape = tuple(before.shape[1:])
        more = [k for k in USUAL if k.fits(shape)] if self.also is None else self.also
        kinds = dict.fromkeys((self.by, *more))
        after = [by_unit(subject, maps) for maps in others]
        empty = before.new_zeros(len(before), 0)
        return {k: torch.stack([similarity(k, before, maps) for maps in after], 1) if after else empty for k in kinds}


def map_of(subject: Subject, score: Score, key: tuple[Hashable, ...]) -> Tensor:
    """The map of another score at the same examples, remembered by `key` and the map's number: float64, on the CPU.

    Raises `InputError` if nothing here can explain.
    """
    if subject.explainer is None:
        remedy = "pass explainer= a method of gl.methods, or a function (score, x) -> maps"
        raise InputError("something that explains anew, for a check that asks for maps again", "maps alone", remedy)
    full = ("map", subject.number, *key)
    if full not in subject.memo:
        made = subject.explainer(score, subject.inputs).detach().cpu().double()
        if len(made) != len(subject):
            raise InputError(f"{len(subject)} maps from the explainer, one for each example", f"{len(made)}")
        subject.memo[full] = fitted(made, tuple(subject.x.shape[1:]))
    found: Tensor = subject.memo[full]
    return found


def by_unit(subject: Subject, maps: Tensor) -> Tensor:
    """Maps with what belongs to one unit summed: `(N, 1, H, W)` of images, `(N, T)` of positions, else as they are."""
    sums = subject.partition(None).sums(maps)
    shape = tuple(subject.x.shape[1:])
    if sums.shape[1] == math.prod(shape):
        return sums.reshape(len(sums), *shape)
    return sums.reshape(len(sums), 1, *shape[1:]) if len(shape) == 3 else sums


def average(subject: Subject, table: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    """The mean of what there is in each row of `(N, K)`, and why there is less than all."""
    lacking, missing = troubles(subject), (~table.isfinite()).sum(1).tolist()
    notes = []
    for own, count in zip(lacking, missing, strict=True):
        other = f"{count} of {table.shape[1]} maps made anew are constant or not finite" if count else ""
        notes.append(own or other)
    return table.nanmean(1), tuple(notes)


def troubles(subject: Subject) -> tuple[str, ...]:
    """Why a map has nothing to be compared; "" for one that has."""
    units = by_unit(subject, subject.maps)
    finite, good = units.flatten(1).isfinite().all(1).tolist(), varied(units).tolist()
    return tuple("" if g else CONSTANT if f else NOT_FINITE for f, g in zip(finite, good, strict=True))


def curves(kinds: Mapping[Similarity, Tensor]) -> dict[str, Tensor]:
    """The tables by the names of their kinds."""
    return {kind.words: table for kind, table in kinds.items()}


def listed(names: Sequence[Any], most: int = 8) -> str:
    """Names in a row, the middle of many left out."""
    words = [str(n) for n in names]
    return ", ".join(words if len(words) <= most else [*words[: most - 1], "…", words[-1]])
