"""Magnitude-aligned scoring: perturbation curves that also ask whether the sizes of a map fit the score."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.baselines import Baseline
from gradline.errors import InputError
from gradline.metrics.base import Flow
from gradline.metrics.curves.area import Relative
from gradline.metrics.curves.deletion import Perturbation, check_fill
from gradline.metrics.curves.sweep import First, area, shares
from gradline.metrics.ranking import Ranking, Sign
from gradline.metrics.subject import Subject


@dataclass(frozen=True)
class MagnitudeAligned(Perturbation):
    """Insertion less deletion of curves that are lowered, or raised, where score and magnitude do not rise together.

    With r_t the score, 0 at the fill and 1 at x, cut to [0, 1] and made monotone (running maximum of an insertion,
    minimum of a deletion); d_t the share of Σs that is in the image, s the scores of the units: c_t = r_t − |d_t − r_t|
    for an insertion, r_t + |d_t − r_t| for a deletion, cut to [0, 1] and stretched to reach both. A curve that cannot
    be stretched is a straight line. Areas by the trapezoid. Parts: both halves and what they are made of.

    `sign`: must not leave negative scores. `insertion_fill`: without one, the fill of the deletion. A random map does
    not score 0, even with one fill. Asks nothing that deletion and insertion of equal settings did not ask.

    Walker, Simon, Chen, Ewetz (2024). Their code inserts into a blur and deletes into zeros (`presets.mas()`), divides
    by y_x − y_fill whatever its sign, where there is no value here, and gives a constant map the order of its sorting
    routine.
    """

    name = "magnitude-aligned"
    higher_is_better = True
    range = "−1 to 1"
    cost = "2 (steps − 1), and 2 that all maps share"
    cites = ("walker2024",)

    sign: Sign = Sign.ABSOLUTE
    insertion_fill: Baseline | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sign in (Sign.AUTO, Sign.SIGNED):
            raise InputError("a sign rule without negative scores, for their shares", f"{self.sign}", "Sign.ABSOLUTE")
        if self.insertion_fill is not None:
            check_fill(self, "insertion_fill", self.insertion_fill)

    def flow(self, subject: Subject) -> Flow:
        ranking, most = yield from self.curve(subject, First.MOST)
        _, least = yield from self.curve(subject, First.LEAST, self.insertion_fill)
        down, up = most[self.scale], least[self.scale].flip(1)
        left, shown = self._densities(ranking)
        falling = Relative.ENDPOINTS.of(down, down[:, 0], down[:, -1]).cummin(1).values
        rising = Relative.ENDPOINTS.of(up, up[:, -1], up[:, 0]).cummax(1).values
        deletion, insertion = aligned_deletion(falling, left), aligned_insertion(rising, shown)
        lost, won = area(deletion), area(insertion)
        parts = {"deletion": lost, "insertion": won, "insertion curve": insertion, "deletion curve": deletion}
        parts |= {"insertion response": rising, "deletion response": falling}
        parts |= {"insertion density": shown, "deletion density": left}
        why = Relative.ENDPOINTS.notes(up[:, -1], up[:, 0])
        why_not = Relative.ENDPOINTS.notes(down[:, 0], down[:, -1])
        notes = tuple(one or other for one, other in zip(why, why_not, strict=True))
        said = "" if self.insertion_fill is None else f"insertion fill {self.insertion_fill!r}, "
        return self.judged(subject, ranking, won - lost, insertion - deletion, notes=notes, said=said, **parts)

    def _densities(self, ranking: Ranking) -> tuple[Tensor, Tensor]:
        """The share of Σs in the image, during the deletion and during the insertion."""
        units = ranking.partition.counts[:, None]
        shown = units - self.gone(ranking, First.LEAST).flip(1)
        return 1 - density(ranking, self.gone(ranking, First.MOST)), density(ranking, shown)


def density(ranking: Ranking, shown: Tensor) -> Tensor:
    """The share of all scores that the first `shown (N, K)` units of the order have: `(N, K)`; NaN if all are 0."""
    scores = torch.where(ranking.partition.sizes > 0, ranking.scores, 0.0)
    ordered = torch.zeros_like(scores).scatter_(1, ranking.rank, scores)
    added = torch.nn.functional.pad(ordered.cumsum(1), (1, 0))
    return added.gather(1, shown) / added[:, -1:]


def aligned_insertion(response: Tensor, present: Tensor) -> Tensor:
    """The corrected curve `(N, K)` of an insertion."""
    return _stretched((response - (present - response).abs()).clamp(0, 1))


def aligned_deletion(response: Tensor, present: Tensor) -> Tensor:
    """The corrected curve `(N, K)` of a deletion."""
    return _stretched((response + (present - response).abs()).clamp(0, 1), falling=True)


def _stretched(curves: Tensor, *, falling: bool = False) -> Tensor:
    low, high = curves.amin(1, keepdim=True), curves.amax(1, keepdim=True)
    line = shares(curves.shape[1] - 1)
    line = (1 - line if falling else line).expand_as(curves)
    return torch.where(high == low, line, (curves - low) / (high - low))
