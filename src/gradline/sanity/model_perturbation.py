"""Model perturbation: does the map fade as the model forgets?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from gradline.core import random
from gradline.engine import scores_at
from gradline.errors import InputError
from gradline.metrics.base import Evaluation, Flow
from gradline.metrics.curves.sweep import check_scale
from gradline.metrics.subject import Subject
from gradline.question.score import Score
from gradline.question.targets.scales import Scale, on_scales
from gradline.sanity.anew import Anew, average, curves, listed, map_of
from gradline.sanity.copying import copied
from gradline.sanity.refilling import noise, spread
from gradline.sanity.similarities import Similarity, Spearman, similarity

LEVELS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Of 1 to 100 %, enough of them."""


@dataclass(frozen=True)
class ModelPerturbation(Anew):
    """Spearman's rank correlation, over levels of noise in the weights, of two things: how alike the map is to that of
    the clean model, and the probability of the class. High is good: the map stays while the model knows the class, and
    goes when it is forgotten.

    At level r every floating-point parameter W becomes W + N(0, (r std(W))²), of a single number W itself; running
    statistics stay. Fresh noise for each level, the same for all methods. `levels`: r, ascending. `scale`: what of the
    class is looked at. The curve is the likeness at each level; parts: `probability` (or what `scale` says) at each
    level and `clean`, without noise; `mean similarity`; every likeness.

    Rahman, Lewis, Plis (2022) look at maps beside the probability; the statistic is ours, and so is that methods share
    the noise. Where the probability rises with the noise, as it may, the correlation says little.
    """

    name = "model-perturbation"
    higher_is_better = True
    range = "−1 to 1"
    cost = "one map a level, and a forward"
    cites = ("rahman2022",)
    needs = ("explainer",)

    by: Similarity = Spearman(absolute=True)  # noqa: RUF009
    levels: tuple[float, ...] = LEVELS
    scale: Scale = Scale.PROBABILITY

    def __post_init__(self) -> None:
        super().__post_init__()
        check_scale(self, self.scale)
        levels = self.levels if isinstance(self.levels, tuple) else ()
        if len(levels) < 3 or not all(_is_level(r) for r in levels) or any(a >= b for a, b in pairwise(levels)):
            raise InputError("levels as a tuple of at least three numbers above 0, ascending", repr(self.levels))

    def flow(self, subject: Subject) -> Flow:
        clean = yield from subject.at_x()
        subject.check_scale(self.scale)
        maps, probability = self._perturbed(subject)
        tables = self.likenesses(subject, maps)
        curve = tables[self.by]
        mean, notes = average(subject, curve)
        values = similarity(Spearman(), curve, probability)
        flat = tuple(
            note or ("" if known else f"likeness or {self.scale.value} is the same at all levels")
            for note, known in zip(notes, values.isfinite().tolist(), strict=True)
        )
        parts = {"probability": probability, "clean": clean[self.scale], "mean similarity": mean, **curves(tables)}
        said = f"{self.by.words} against {self.scale.value}, seed {subject.seed}, "
        said += f"levels {listed([f'{r:.4g}' for r in self.levels], 12)}"
        return Evaluation(self, values, curve, torch.tensor(self.levels, dtype=torch.float64), parts, flat, said)

    def _perturbed(self, subject: Subject) -> tuple[list[Tensor], Tensor]:
        """At each level the map, and the class on the scale: `(N, K)`."""
        score, network = copied(subject.score)
        before = {name: p.detach().clone() for name, p in floating(network)}
        maps, values = [], []
        for level in self.levels:
            for name, p in floating(network):
                p.data.copy_(perturbed(before[name], level, random.generator(subject.seed, name, f"weights {level!r}")))
            maps.append(map_of(subject, score, ("perturbed", level)))
            values.append(_known(subject, score, level, self.scale))
        return maps, torch.stack(values, 1)


def perturbed(weights: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """W + N(0, (level · std(W))²); float64 on the CPU."""
    return weights.cpu().double() + noise(weights.shape, generator) * (level * spread(weights))


def floating(network: nn.Module) -> Iterable[tuple[str, Tensor]]:
    """The floating-point parameters by name, one that is shared once."""
    return ((name, p) for name, p in network.named_parameters() if p.is_floating_point())


def _known(subject: Subject, score: Score, level: float, scale: Scale) -> Tensor:
    """What the perturbed model says of the class: asked once for all methods of a run that remember together."""
    key = ("perturbed value", level, scale)
    if key not in subject.memo:
        aimed = replace(score, target=on_scales(score.target)[scale])  # type: ignore[arg-type]
        subject.memo[key] = scores_at(aimed, subject.inputs)
    found: Tensor = subject.memo[key]
    return found


def _is_level(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
