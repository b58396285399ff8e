"""From what was seen of the pictures to the curve of each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gradline.metrics.asking import Values
from gradline.metrics.curves.sweep import shares
from gradline.metrics.information.variants import Heights, InformationVariant
from gradline.question.targets.scales import Scale

if TYPE_CHECKING:
    from gradline.metrics.information.pictures import Bases


def left_out(variant: InformationVariant, scale: Scale, at_x: Values, at_base: Values, own: Bases) -> tuple[str, ...]:
    """Why an image has no curve for any map, else "": the rules of the variant, the first that holds."""
    x, base, hit = at_x[scale], at_base[scale], scale is Scale.HIT
    finite = x.isfinite() & base.isfinite()
    rules = [(~finite, "the score at x or at the bokeh picture is not finite")]
    if variant.least is not None:
        low = "x is not given the class" if hit else f"the probability at x is below {variant.least:g}"
        high = "the bokeh picture is given the class" if hit else "the bokeh picture has no lower probability than x"
        rules += [
            (x < variant.least, f"left out: {low}"),
            (own.of_base >= own.of_x, "left out: the bokeh picture has no less information than x"),
            (base >= x, f"left out: {high}"),
        ]
    found = [""] * len(x)
    for holds, why in rules:
        found = [one or (why if h else "") for one, h in zip(found, holds.tolist(), strict=True)]
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Points:
    """What was seen: the score at x and B_0 `(N,)`, score and information at each threshold `(N, T)`."""

    bases: Bases
    scale: Scale
    at_x: Values
    at_base: Values
    told: Values
    sizes: Tensor

    @property
    def score(self) -> Tensor:
        """y(B_τ)."""
        return self.told[self.scale]

    @property
    def across(self) -> Tensor:
        """x_τ in [0, 1]; NaN where x has the information of B_0."""
        base = self.bases.of_base[:, None]
        return ((self.sizes - base) / _nonzero(self.bases.of_x[:, None] - base)).clamp(0, 1)

    @property
    def heights(self) -> Tensor:
        """y_τ by the variant's rule; NaN where y(x) equals y(B_0), or is zero for ratios."""
        kind = self.bases.variant.heights
        if kind is Heights.RATIO:
            return self.score / _nonzero(self.at_x[self.scale][:, None])
        scale = Scale.PROBABILITY if kind is Heights.MIXED else self.scale
        x, base = self.at_x[scale][:, None], self.at_base[scale][:, None]
        return ((self.score - base) / _nonzero(x - base)).clamp(0, 1).cummax(1).values


def curve_of(seen: Points, notes: tuple[str, ...]) -> tuple[Tensor, tuple[str, ...]]:
    """The curves `(N, grid + 1)`, NaN where a note says why, and the notes."""
    variant, across, heights = seen.bases.variant, seen.across, seen.heights
    rules = {
        "the score of a picture is not finite": ~seen.score.isfinite().all(1),
        "x has the information of the bokeh picture: the axis has no scale": ~across.isfinite().all(1),
        "the score at x is zero, or that of the bokeh picture: heights have no scale": ~heights.isfinite().all(1),
    }
    for why, holds in rules.items():
        notes = tuple(note or (why if h else "") for note, h in zip(notes, holds.tolist(), strict=True))
    if variant.heights is not Heights.RATIO:
        across, heights = (torch.nn.functional.pad(t, (1, 1), value=0.0) for t in (across, heights))
        across[:, -1] = heights[:, -1] = 1.0
    curve = joined(across.nan_to_num(0.0), heights, shares(variant.grid))
    empty = torch.tensor([bool(note) for note in notes])
    return torch.where(empty[:, None], torch.nan, curve), notes


def joined(x: Tensor, y: Tensor, at: Tensor) -> Tensor:
    """Points `(N, T)` sorted by x, equal ones in their order, joined by straight lines and read at `at (K,)`: `(N, K)`.

    Where several points have one x the curve steps: it comes in at the first and goes on from the last, which is its
    value there. Beyond the first and the last point it is level.
    """
    x, order = x.sort(dim=1, stable=True)
    y = y.gather(1, order)
    after = torch.searchsorted(x, at.expand(len(x), -1).contiguous(), right=True)
    left, right = (after - 1).clamp(min=0), after.clamp(max=x.shape[1] - 1)
    width = x.gather(1, right) - x.gather(1, left)
    part = torch.where(width > 0, (at - x.gather(1, left)) / torch.where(width > 0, width, 1.0), 0.0)
    low, high = y.gather(1, left), y.gather(1, right)
    return low + part.clamp(0, 1) * (high - low)


def _nonzero(values: Tensor) -> Tensor:
    return torch.where(values == 0, torch.nan, values)
