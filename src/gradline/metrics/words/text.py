"""What the score loses without the words that a map found important, and what it keeps with them alone.

Made for words; any x that has units will do. Token insertion and deletion are `Insertion` and `Deletion` at an
embedding: positions are the usual units there, and `fill=gl.baselines.Constant(103)` puts word 103 in; they hold no
special words.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from gradline.core.baselines import PixelSpace
from gradline.errors import InputError
from gradline.metrics.asking import Ask, AskOf, Values
from gradline.metrics.base import Evaluation, Flow, Metric, check_share
from gradline.metrics.curves.sweep import First, check_scale
from gradline.metrics.ranking import Ranking, Sign, ranked, unit_scores
from gradline.metrics.subject import Subject
from gradline.metrics.units import Units
from gradline.metrics.words.removal import Drop, Fill, Gone, Marked, Removal, Special, free_units
from gradline.question.targets.scales import Scale

__all__ = ["Comprehensiveness", "Drop", "Fill", "LogOdds", "Marked", "Rounding", "Special", "Sufficiency"]

NONE_FREE = "no word may be removed"
NOTHING_LEFT = "a share leaves nothing of the text"


class Rounding(StrEnum):
    """How a share of n words becomes a number. `UP`: the next whole number, so at least 1. `DOWN`: the one below, as
    published code does; where that is 0 nothing is asked and the share reads 0."""

    UP = "rounded up"
    DOWN = "rounded down"


@dataclass(frozen=True)
class Removed(Metric):
    """What all share: for each share q of `shares`, the k = q n largest of n free units are selected.

    `removal`: `Fill(baseline)` replaces words where they stand, `Drop()` leaves them out so that later ones move up:
    two different measures. `units`: positions at a layer, features otherwise. `sign`: how a map becomes an order; equal
    values in order of position. `frozen`: what always stays and is not counted, `Special(ids=(101, 102))` or
    `Marked(…)`; without, what an `attention_mask` hides. `rounding` of k.
    """

    cost = "at most one for each share, and 1 that all maps share"

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.5)
    removal: Removal = Fill()  # noqa: RUF009
    units: Units | None = None
    sign: Sign = Sign.AUTO
    frozen: Special | Marked = Special()  # noqa: RUF009
    rounding: Rounding = Rounding.UP

    def __post_init__(self) -> None:
        if not isinstance(self.shares, tuple) or not self.shares:
            raise InputError(f"shares as a tuple of numbers in (0, 1] for {type(self).__name__}", repr(self.shares))
        for share in self.shares:
            check_share(self, "shares", share)
        if not isinstance(self.removal, Removal):
            raise InputError(f"removal as Fill(…) or Drop(…) for {type(self).__name__}", repr(self.removal))
        if not isinstance(self.frozen, Special | Marked):
            raise InputError(f"frozen as Special(…) or Marked(…) for {type(self).__name__}", repr(self.frozen))

    def within(self, pixels: PixelSpace) -> Metric:
        return replace(self, removal=self.removal.within(pixels))

    def changes(self, subject: Subject, first: First, scale: Scale) -> Generator[Ask | AskOf, Values, Evaluation]:
        """F(x) less F with the selected units removed, or with all other free units removed for `First.LEAST`."""
        subject.check_scale(scale)
        ranking = self._ranking(subject)
        free = ranking.partition.counts
        selected = self._selected(free)
        owner, column = (selected > 0).nonzero(as_tuple=True)
        gone = _gone(ranking, owner, selected[owner, column], first)
        empty = self.removal.empty(subject, ranking.partition, owner, gone) if len(owner) else owner > 0
        full = yield from subject.at_x()
        drop = torch.zeros(selected.shape, dtype=torch.float64)
        drop[free == 0] = torch.nan
        drop[owner[empty], column[empty]] = torch.nan
        void = drop.isnan().any(1)
        owner, column = owner[~empty], column[~empty]
        if len(owner):
            rows, number, place = _once(owner, selected[owner, column])
            gone = _gone(ranking, rows, number, first)
            key = ("removed", first, subject.number, self.units, ranking.sign, self.frozen, self.shares, self.rounding)
            told = yield self.removal.ask(subject, ranking.partition, key, rows, gone)
            drop[owner, column] = (full[scale][rows] - told[scale])[place]
        return self._judged(subject, ranking, drop, selected, void, scale)

    def _ranking(self, subject: Subject) -> Ranking:
        sign = self.sign.settled(subject.kind)
        partition = free_units(subject, subject.partition(self.units), self.frozen)
        return ranked(partition, sign, unit_scores(subject.maps, partition, sign))

    def _selected(self, free: Tensor) -> Tensor:
        """Units selected at each share: int64 `(N, K)`. A share like 0.1 is not exact in binary: 0.1 · 30 means 3."""
        up = self.rounding is Rounding.UP
        table = [
            [math.ceil(q * n - 1e-9) if up else math.floor(q * n + 1e-9) for q in self.shares] for n in free.tolist()
        ]
        return torch.tensor(table, dtype=torch.int64).reshape(len(free), len(self.shares))

    def _judged(
        self, subject: Subject, ranking: Ranking, drop: Tensor, selected: Tensor, void: Tensor, scale: Scale
    ) -> Evaluation:
        rows = zip(ranking.partition.counts.tolist(), ranking.notes, void.tolist(), strict=True)
        notes = tuple(NONE_FREE if not n else note or (NOTHING_LEFT if v else "") for n, note, v in rows)
        there = torch.tensor([not note for note in notes])
        curve = torch.where(there[:, None], drop, torch.nan)
        held = "marked words" if isinstance(self.frozen, Marked) else repr(self.frozen)
        said = f"{self.removal.worded(subject)}, {ranking.sign.value} ranking, {scale.value}, shares "
        said += f"{' '.join(f'{q:g}' for q in self.shares)} {self.rounding.value}, held {held}"
        if self.units is not None:
            said += f", {self.units!r}"
        parts = {"tied": ranking.tied, "selected": selected.double()}
        axis = torch.tensor(self.shares, dtype=torch.float64)
        return Evaluation(self, curve.mean(1), curve, axis, parts, notes, said)


def _once(owner: Tensor, number: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Two shares of a short text select as many words: the pairs without repeats, and where each one stands."""
    base = int(number.max()) + 1
    pairs, place = torch.unique(owner * base + number, return_inverse=True)
    return pairs // base, pairs % base, place


def _gone(ranking: Ranking, owner: Tensor, number: Tensor, first: First) -> Gone:
    """The `number (R,)` first units of each row are gone, or all other free ones for `First.LEAST`."""
    free = ranking.partition.counts

    def gone(rows: Tensor) -> Tensor:
        rank = ranking.rank[owner[rows]]
        top = rank < number[rows][:, None]
        return top if first is First.MOST else ~top & (rank < free[owner[rows]][:, None])

    return gone


@dataclass(frozen=True)
class Comprehensiveness(Removed):
    """F(x) − F(x without the selected words), the mean over the shares (AOPC); `curve`: at each share.

    DeYoung et al. (2020). Sanyal, Ren (2021) take one share of all words, special ones included:
    `Comprehensiveness(shares=(0.2,), removal=Drop(), rounding=Rounding.DOWN)`.
    """

    name = "comprehensiveness"
    higher_is_better = True
    range = "−1 to 1 for probabilities"
    cites = ("deyoung2020", "sanyal2021")

    scale: Scale = Scale.PROBABILITY

    def __post_init__(self) -> None:
        super().__post_init__()
        check_scale(self, self.scale)

    def flow(self, subject: Subject) -> Flow:
        return (yield from self.changes(subject, First.MOST, self.scale))


@dataclass(frozen=True)
class Sufficiency(Removed):
    """F(x) − F(x with the selected and the frozen words alone), the mean over the shares (AOPC); `curve`: at each.

    DeYoung et al. (2020); options as in `Comprehensiveness`. Some published code exchanges q and 1 − q between batches.
    """

    name = "sufficiency"
    higher_is_better = False
    range = "−1 to 1 for probabilities"
    cites = ("deyoung2020", "sanyal2021")

    scale: Scale = Scale.PROBABILITY

    def __post_init__(self) -> None:
        super().__post_init__()
        check_scale(self, self.scale)

    def flow(self, subject: Subject) -> Flow:
        return (yield from self.changes(subject, First.LEAST, self.scale))


@dataclass(frozen=True)
class LogOdds(Removed):
    """log p(x without the selected words) − log p(x), the mean over the shares; `curve`: at each share.

    Called so after Shrikumar, Greenside, Kundaje (2017), though it compares log probabilities. Sanyal, Ren (2021)
    replace 20 % of all words: `LogOdds(shares=(0.2,), rounding=Rounding.DOWN)` with `Fill({"input_ids": …})`.
    """

    name = "log-odds"
    higher_is_better = False
    range = "−∞ to ∞; 0 if nothing is lost"
    cites = ("shrikumar2017", "sanyal2021")

    def flow(self, subject: Subject) -> Flow:
        found = yield from self.changes(subject, First.MOST, Scale.LOG_PROBABILITY)
        assert found.curve is not None
        return replace(found, values=0.0 - found.values, curve=0.0 - found.curve)
