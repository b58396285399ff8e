"""What a metric is shown: the maps of some examples, and what belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradline.core import random
from gradline.core.baselines import Baseline, Zero
from gradline.errors import InputError, TargetError
from gradline.metrics.asking import Ask, Values
from gradline.metrics.base import Kind
from gradline.metrics.units import Partition, Units, default_units
from gradline.question.score import Score
from gradline.question.targets.scales import Scale

Explainer = Callable[[Score, Any], Tensor]
"""Makes maps `(N, *F)` of a score at x, N examples in the order of the subject's: the same method once more."""


@dataclass(frozen=True, eq=False)
class Subject:
    """The maps of one method for N examples.

    `score`: with its target frozen. `x (N, *F)`: the examples where the path is driven, at the input or the score's
    site; `inputs`: as they were handed in. `maps (N, *F)`: float64, or `(N, 1, H, W)` for images, what belongs to a
    pixel alone. `kind`: their unit, None if nobody said. `number`: tells the maps of several methods apart, and enters
    the keys of questions that depend on the map. `names`, `seed`: keys of random numbers. `scales`: those that the
    target has. `starts(baseline)`: `(N, draws, *F)`. `masks (N, *G)`: float64 in [0, 1], broadcastable to x: where the
    evidence is. `explainer`: makes such maps anew; None if that cannot be done. `baseline`: where the path of the maps
    starts, None where it has no path or nobody said. `memo`: what the metrics of one run share, keyed like questions.
    """

    score: Score
    x: Tensor
    inputs: Any
    maps: Tensor
    kind: Kind | None
    number: int
    names: tuple[str, ...]
    seed: int
    scales: tuple[Scale, ...]
    starts: Callable[[object], Tensor]
    at_site: bool = False
    masks: Tensor | None = None
    explainer: Explainer | None = None
    baseline: Baseline | None = None
    memo: dict[Any, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def every(self) -> Tensor:
        """The examples `(N,)`, int64."""
        return torch.arange(len(self.x))

    def generator(self, example: int, part: str, draw: int = 0) -> torch.Generator:
        """Random numbers of one example, one part of a metric and one draw: the same for all methods."""
        return random.generator(self.seed, self.names[example], part, draw)

    # ------------------------------------------------------------------------------------------------ values

    def check_scale(self, scale: Scale) -> None:
        """Raise `TargetError` unless the target has this scale."""
        if scale not in self.scales:
            remedy = "use scale=gl.metrics.Scale.EXPLAINED, or a target that is a class, such as gl.Logit(3)"
            raise TargetError(f"a target with a class, which has a {scale.value}", "one without", remedy)

    def at_x(self) -> Generator[Ask, Values, Values]:
        """The score at x, asked once for all metrics: `values = yield from subject.at_x()`."""
        return (yield Ask(("x",), self.every, lambda rows: self.x[rows.to(self.x.device)]))

    def at_fill(self, baseline: object) -> Generator[Ask, Values, Values]:
        """The score where all is replaced by a fill."""
        fill = self.fill(baseline)
        return (yield Ask(("fill", baseline), self.every, lambda rows: fill[rows.to(fill.device)]))

    def fill(self, baseline: object) -> Tensor:
        """What stands in for what is removed: `(N, *F)`. Raises `InputError` for a baseline with several draws."""
        starts = self.starts(baseline)
        if starts.shape[1] != 1:
            raise InputError("a fill with one start an example", f"{starts.shape[1]} of them", "use draws=1")
        return starts[:, 0]

    def start_of_path(self, baseline: Baseline | None) -> Baseline:
        """Where the path of the maps starts: what a metric was told, else what is known of the method, else zero."""
        return baseline or self.baseline or Zero()

    # ------------------------------------------------------------------------------------------------ maps

    def partition(self, units: Units | None) -> Partition:
        """The features of the examples cut into units: those given, or the usual ones (`default_units`)."""
        chosen = default_units(self.x, self.at_site) if units is None else units
        key = ("partition", chosen)
        if key not in self.memo:
            self.memo[key] = chosen.partition(self.x)
        found: Partition = self.memo[key]
        return found

    def explained_at(self, key: tuple[Any, ...], x: Any) -> Tensor:
        """Maps of other inputs, as many and in the same order, remembered by `key` and the map's number: float64.

        Raises `InputError` if nothing here can explain.
        """
        if self.explainer is None:
            raise InputError(
                "something that explains anew, for a metric that asks for maps of other inputs or other models",
                "maps alone",
                "pass explainer= a method of gl.methods, or a function (score, x) -> maps",
            )
        full = ("map", self.number, *key)
        if full not in self.memo:
            self.memo[full] = self.explainer(self.score, x).detach().double()
        found: Tensor = self.memo[full]
        return found
