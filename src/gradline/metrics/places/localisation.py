"""Whether a map points to where the evidence is said to be: inside a mask, or with a known sign. Without forwards.

A mask says where the object is, not what the model used: a faithful map may well look at the background.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.base import Evaluation, Flow, Metric, check_share
from gradline.metrics.places.evidence import Evidence, evidence_of, without
from gradline.metrics.ranking import CONSTANT, NOT_FINITE, Sign, rank_units
from gradline.metrics.subject import Subject
from gradline.metrics.units import Pixels, Units
from gradline.result.ranks import midranks

NO_MASS = "the map is nowhere positive"


@dataclass(frozen=True)
class Localisation(Metric):
    """What measures against a mask share: s, a number for each of the P `units` (without, pixels of images), by the
    `sign` rule; the mask of a unit is its mean over the unit, and S are the K units where that is at least 0.5.
    `max_share` in (0, 1]: examples with K / P above it have no value. Parts: `chance`, what a random order of the units
    expects, and `above chance`, the value less it. NaN for masks that are empty or cover everything."""

    cost = "0"
    needs = ("masks",)

    units: Units | None = None
    sign: Sign = Sign.AUTO
    max_share: float | None = None

    def __post_init__(self) -> None:
        if self.max_share is not None:
            check_share(self, "max_share", self.max_share)


@dataclass(frozen=True)
class RelevanceMass(Localisation):
    """The share of the positive mass of a map that lies in the mask: Σ m s₊ / Σ s₊, with s₊ = max(s, 0).

    m may be a fraction. NaN for a map without positive values. Arras, Osman, Samek (2022). Others divide signed sums,
    which leaves [0, 1].
    """

    name = "relevance-mass"
    higher_is_better = True
    range = "0 to 1; chance is the mask's share"
    cites = ("arras2022",)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        return mass_in_mask(self, subject, self.units, self.sign, self.max_share)


@dataclass(frozen=True)
class RelevanceRank(Localisation):
    """Of the K units of largest value, as many as the mask has, the share that lies in the mask.

    Equal values by ascending number of the unit; `parts["tied"]`: the share of units with an equal. NaN for a map that
    is constant. Arras, Osman, Samek (2022).
    """

    name = "relevance-rank"
    higher_is_better = True
    range = "0 to 1; chance is the mask's share"
    cites = ("arras2022",)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        evidence = evidence_of(subject, self.units, self.max_share)
        ranking = rank_units(subject, self.units, self.sign)
        number = evidence.inside.sum(1)
        top = (ranking.rank < number[:, None]) & evidence.there
        found = (top & evidence.inside).sum(1) / number.double()
        said = f"{ranking.sign.value} ranking"
        return judged(self, evidence, found, evidence.share, ranking.notes, said, tied=ranking.tied)


@dataclass(frozen=True)
class PointingGame(Localisation):
    """1 if the unit of largest value lies in the mask, else 0.

    `tolerance` >= 0: in pixels; within that distance of the mask is inside too, and `chance` counts it in; needs pixels
    as units. 15 in the paper. `max_share`: 0.5, as an object that fills the image cannot be missed. The first of equal
    maxima counts. NaN for maps that are constant or not finite. Zhang, Bargal, Lin, Brandt, Shen, Sclaroff (2018).
    """

    name = "pointing-game"
    higher_is_better = True
    range = "0 or 1; chance is the mask's share"
    cites = ("zhang2018",)

    max_share: float | None = 0.5
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number = isinstance(self.tolerance, int | float) and not isinstance(self.tolerance, bool)
        if not number or not 0 <= self.tolerance < float("inf"):
            raise InputError("tolerance >= 0 pixels for PointingGame", f"tolerance={self.tolerance!r}")

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        evidence = evidence_of(subject, self.units, self.max_share)
        ranking = rank_units(subject, self.units, self.sign)
        near = evidence.inside
        if self.tolerance:
            near = self._near(subject, near)
        found = near.gather(1, ranking.rank.argmin(1, keepdim=True))[:, 0].double()
        chance = near.sum(1) / evidence.there.sum(1).double()
        said = f"{ranking.sign.value} maximum, tolerance {self.tolerance:g} pixels"
        return judged(self, evidence, found, chance, ranking.notes, said)

    def _near(self, subject: Subject, inside: Tensor) -> Tensor:
        """The pixels within the tolerance of the mask."""
        if subject.x.ndim != 4 or not (self.units is None or isinstance(self.units, Pixels)) or subject.at_site:
            raise InputError("pixels of images as units for a tolerance", repr(self.units), "use tolerance=0")
        height, width = subject.x.shape[2:]
        reach = min(int(self.tolerance), max(height, width))
        step = torch.arange(-reach, reach + 1)
        disc = (step[:, None] ** 2 + step[None, :] ** 2 <= self.tolerance**2).float()
        shown = inside.reshape(-1, 1, height, width).float()
        reached = torch.nn.functional.conv2d(shown, disc[None, None], padding=reach)
        return (reached > 0.5).flatten(1)


@dataclass(frozen=True)
class LocalisationAUC(Localisation):
    """The area under the ROC curve of the values against the mask.

    The chance that a unit inside has a larger value than one outside, equal values counting one half: mid-ranks R give
    (Σ_S R − K (K + 1) / 2) / (K (P − K)). 0.5 for a constant map, which tells nothing apart.
    """

    name = "localisation-auc"
    higher_is_better = True
    range = "0 to 1; chance is 0.5"

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        evidence = evidence_of(subject, self.units, self.max_share)
        ranking = rank_units(subject, self.units, self.sign)
        inside, there = evidence.inside, evidence.there
        beyond = ranking.scores.amax(1, keepdim=True) + 1  # units that are not there come last
        place = midranks(torch.where(there, ranking.scores, beyond))
        k = inside.sum(1).double()
        pairs = k * (there.sum(1) - k)
        found = (torch.where(inside, place, 0.0).sum(1) - k * (k + 1) / 2) / pairs
        notes = tuple("" if note == CONSTANT else note for note in ranking.notes)
        said = f"{ranking.sign.value} values"
        return judged(self, evidence, found, torch.full_like(found, 0.5), notes, said, tied=ranking.tied)


@dataclass(frozen=True, eq=False)
class PolarityAgreement(Metric):
    """Of the units with a known polarity, the share whose value has that sign; a value of zero counts one half.

    `polarity (N, U)`, or `(1, U)` for all examples: 1 for units known to speak for what is explained, −1 against, 0 for
    those that nobody knows. `units`: as many as polarity has columns; without, positions at a layer (words), pixels of
    images, single values otherwise. The value of a unit is its signed sum; of gradient maps it says how the score
    answers to more of the feature. Parts: `chance`, 0.5, `above chance`, and `labelled`, the number of known units.
    NaN where none is known.
    """

    name = "polarity-agreement"
    higher_is_better = True
    range = "0 to 1; chance is 0.5"
    cost = "0"

    polarity: Tensor
    units: Units | None = None

    __eq__ = object.__eq__  # a tensor has no equality of its own
    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        known = self.polarity
        if (
            not isinstance(known, Tensor)
            or known.ndim != 2
            or not bool(((known == known.sign()) & (known == known)).all())
        ):
            got = f"shape {tuple(known.shape)}" if isinstance(known, Tensor) else type(known).__name__
            raise InputError("polarity as a tensor (N, units) of -1, 0 and 1", got)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        partition = subject.partition(self.units)
        known = self.polarity.detach().cpu().double()
        if known.shape[1] != partition.count or len(known) not in (1, len(subject)):
            raise InputError(f"polarity of shape ({len(subject)}, {partition.count})", f"shape {tuple(known.shape)}")
        known = torch.where(partition.sizes > 0, known, 0.0)
        scores = partition.sums(subject.maps)
        right = (scores.sign() * known + 1) / 2
        labelled = (known != 0).sum(1).double()
        found = torch.where(known != 0, right, 0.0).sum(1) / labelled
        finite = scores.isfinite().all(1)
        rows = zip(finite.tolist(), labelled.tolist(), strict=True)
        notes = tuple("no unit has a known polarity" if not n else "" if f else NOT_FINITE for f, n in rows)
        return without(self, found, torch.full_like(found, 0.5), notes, "signed values", labelled=labelled)


def mass_in_mask(
    metric: Metric, subject: Subject, units: Units | None, sign: Sign, max_share: float | None
) -> Evaluation:
    """The share of positive mass in the mask, as `RelevanceMass` says."""
    evidence = evidence_of(subject, units, max_share, fractions=True)
    ranking = rank_units(subject, units, sign)
    mass = ranking.scores.clamp(min=0)
    found = (mass * evidence.mask).sum(1) / mass.sum(1)
    nowhere = (mass.sum(1) == 0).tolist()
    notes = tuple(
        NOT_FINITE if note == NOT_FINITE else NO_MASS if none else ""
        for note, none in zip(ranking.notes, nowhere, strict=True)
    )
    chance = evidence.mask.sum(1) / evidence.there.sum(1)
    return judged(metric, evidence, found, chance, notes, f"positive part of {ranking.sign.value} values")


def judged(
    metric: Metric,
    evidence: Evidence,
    found: Tensor,
    chance: Tensor,
    notes: tuple[str, ...],
    said: str,
    **parts: Tensor,
) -> Evaluation:
    """An evaluation without values where mask or map say none; what the mask lacks is said first."""
    both = tuple(mask or own for mask, own in zip(evidence.notes, notes, strict=True))
    return without(metric, found, chance, both, said, mask_share=evidence.share, **parts)
