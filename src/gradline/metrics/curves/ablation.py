"""Ablation that puts nothing in: what is taken out becomes an input of which the model says nothing."""

from __future__ import annotations

from dataclasses import dataclass

from gradline.core.baselines import Baseline, MaximumEntropy
from gradline.errors import InputError
from gradline.metrics.base import Flow
from gradline.metrics.curves.area import Relative
from gradline.metrics.curves.deletion import AreaUnder
from gradline.metrics.curves.sweep import First, Percentiles, Steps
from gradline.metrics.subject import Subject
from gradline.question.targets.scales import Scale

ENTROPY = f"{First.MOST.value} first entropy"
"""The part that tells how undecided the model becomes; its last column belongs to the fill."""


@dataclass(frozen=True)
class InformationConservingAblation(AreaUnder):
    """The area between the probability while the least relevant units become the fill first and while the most do.

    (1/T) Σ_k (p_k^least − p_k^most) / p(x) by the trapezoid, k = 0 … T equal shares of the units gone. All curves share
    both ends: x, and the fill. Where the output at the fill is uniform, p_T = 1/C and the entropy H_T = log C whatever
    the map: what is taken out makes room for no evidence of anything else. At any other fill (black, a blur) H_T is
    smaller, and the fall mixes what was taken out with what was put in. A fill that is the map's own baseline flatters
    the map; `gradline.evaluation.baseline_by_fill` says by how much.

    `fill`: from elsewhere, `MaximumEntropy(starts=…)`; for labels that do not exclude each other, `labels=True`; or any
    baseline of one start, and None for the usual fill of deletions. `steps`: equal shares. No value where p(x) is not
    positive, or the map has no order. Parts `(N, T + 1)`, of either order: the curve as `relative` reads it; the
    entropy of the whole output as a share of the largest there can be (`gl.targets.Entropy`), from that at x to that at
    the fill; whether the class is still the decision. Parts `(N,)`: both areas.

    Reconstructed from the abstract of Tan (2022), whose protocol and code were not found: steps, area and normalisation
    are ours. `AreaBetweenCurves` with equal settings is the same number, without entropies.
    """

    name = "information-conserving-ablation"
    higher_is_better = True
    range = "−1 to 1 unless an ablated image is more certain than x; 0 is chance"
    cost = "2 (steps − 1), and 2 that all maps share; at first, the search for the fill"
    cites = ("tan2022",)

    fill: Baseline | None = MaximumEntropy()  # noqa: RUF009
    steps: Steps | Percentiles = Steps(20)  # noqa: RUF009
    relative: Relative = Relative.INPUT

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.steps, Steps) or self.steps.count is None:
            raise InputError(f"equal shares as steps for {type(self).__name__}", repr(self.steps), "use Steps(20)")
        if self.scale is Scale.ENTROPY:
            raise InputError(f"a scale of the class for {type(self).__name__}", f"{self.scale}, which is in the parts")

    def flow(self, subject: Subject) -> Flow:
        subject.check_scale(Scale.ENTROPY)
        ranking, most = yield from self.curve(subject, First.MOST)
        _, least = yield from self.curve(subject, First.LEAST)
        full, empty = most[self.scale][:, 0], most[self.scale][:, -1]
        falls, lower, notes = self.read(most[self.scale], full, empty)
        stays, upper, _ = self.read(least[self.scale], full, empty)
        parts = {"most relevant first": lower, "least relevant first": upper}
        for first, curve, told in ((First.MOST, falls, most), (First.LEAST, stays, least)):
            parts[f"{first.value} first curve"] = curve
            parts[f"{first.value} first entropy"] = told[Scale.ENTROPY]
            parts[f"{first.value} first hits"] = told[Scale.HIT]
        return self.judged(subject, ranking, upper - lower, stays - falls, notes=notes, said=self.said, **parts)
