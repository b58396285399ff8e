"""How concentrated a map is: Gini index, entropy, the number of features that count. Descriptions, without forwards.

None of them ranks methods: a map of one pixel wins every one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.metrics.base import Evaluation, Flow, Metric, check_share
from gradline.metrics.ranking import NOT_FINITE, Sign, unit_scores
from gradline.metrics.subject import Subject
from gradline.metrics.units import Units

ZERO = "the map is zero: it has no concentration"


@dataclass(frozen=True)
class Concentration(Metric):
    """What the descriptions share: s, a size for each of the n `units` (without, pixels of images, positions at a
    layer, single values otherwise), by the `sign` rule; what it leaves negative counts by its size."""

    higher_is_better = None
    cost = "0"

    units: Units | None = None
    sign: Sign = Sign.ABSOLUTE

    def sizes(self, subject: Subject) -> tuple[Tensor, Tensor, tuple[str, ...]]:
        """Sizes `(N, U)`, 0 for units that an example does not have; units of each example `(N,)`; notes."""
        partition, sign = subject.partition(self.units), self.sign.settled(subject.kind)
        sizes = unit_scores(subject.maps, partition, sign).abs()
        total = torch.where(sizes.isfinite().all(1), sizes.sum(1), torch.nan)
        notes = tuple(NOT_FINITE if t != t else "" if t > 0 else ZERO for t in total.tolist())
        return sizes, partition.counts, notes

    def described(self, subject: Subject, values: Tensor, notes: tuple[str, ...], **parts: Tensor) -> Evaluation:
        """An evaluation without values where a note says why."""
        there = torch.tensor([not note for note in notes])
        parts = {name: torch.where(there, part, torch.nan) for name, part in parts.items()}
        units = "usual units" if self.units is None else repr(self.units)
        said = f"{self.sign.settled(subject.kind).value} values of {units}"
        return Evaluation(self, torch.where(there, values, torch.nan), parts=parts, notes=notes, settings=said)


@dataclass(frozen=True)
class Sparseness(Concentration):
    """The Gini index: G = Σ_i (2i − n − 1) s_(i) / (n Σ s) with s ascending, i = 1 … n.

    0 for a map that is constant, 1 − 1/n for one with a single unit. NaN for the zero map. Chalasani et al. (2020).
    Quantus adds 1e-7 to every size, which makes faint maps look even.
    """

    name = "sparseness"
    range = "0 to 1 − 1/n; high is sparse"
    cites = ("chalasani2020",)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        sizes, count, notes = self.sizes(subject)
        ascending = sizes.sort(1).values  # units that are not there are the first zeros
        n = count.double()[:, None]
        i = torch.arange(1, sizes.shape[1] + 1, dtype=torch.float64) - (sizes.shape[1] - n)
        gini = ((2 * i - n - 1) * ascending).sum(1) / (n[:, 0] * sizes.sum(1))
        return self.described(subject, gini, notes)


@dataclass(frozen=True)
class Complexity(Concentration):
    """The entropy H = −Σ p log p of the shares p_i = s_i / Σ s, in nats; low is concentrated.

    `parts["share"]`: H / log n, in [0, 1]; 0 where there is but one unit. NaN for the zero map. Bhatt, Weller, Moura
    (2020).
    """

    name = "complexity"
    range = "0 to log n nats; low is concentrated"
    cites = ("bhatt2020",)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        sizes, count, notes = self.sizes(subject)
        nats = entropy(sizes)
        share = torch.where(count > 1, nats / count.clamp(min=2).double().log(), 0.0)
        return self.described(subject, nats, notes, share=share)


@dataclass(frozen=True)
class EffectiveFeatures(Concentration):
    """How many units count: exp(H), H the entropy of the shares s_i / Σ s; n for a constant map, 1 for a single unit.

    `above` in (0, 1): instead, the number of units with s_i > above · max s, as other libraries count after dividing
    by the maximum (Quantus 1e-5, LATEC 0.01). `parts["share"]`: of the n units. NaN for the zero map.
    """

    name = "effective-features"
    range = "1 to n; low is concentrated"
    cites = ("bhatt2020",)

    above: float | None = None

    def __post_init__(self) -> None:
        if self.above is not None:
            check_share(self, "above", self.above, whole=False)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        sizes, count, notes = self.sizes(subject)
        if self.above is None:
            number = entropy(sizes).exp()
        else:
            number = (sizes > self.above * sizes.amax(1, keepdim=True)).sum(1).double()
        found = self.described(subject, number, notes, share=number / count)
        counted = "exp of the entropy" if self.above is None else f"number above {self.above:g} of the maximum"
        return Evaluation(self, found.values, parts=found.parts, notes=notes, settings=f"{counted}, {found.settings}")


def entropy(sizes: Tensor) -> Tensor:
    """−Σ p log p in nats of the shares `(N,)`, where 0 log 0 = 0; `sizes (N, U)` not negative."""
    p = sizes / sizes.sum(1, keepdim=True)
    nats: Tensor = -torch.special.xlogy(p, p).sum(1)
    return nats
