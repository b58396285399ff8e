"""A method is its parts: a path, what each reading adds, and a default baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from gradline.core.accumulators import Accumulator, SumLaw
from gradline.core.baselines import Baseline, as_baseline
from gradline.core.paths import Anchored, Budget, Path
from gradline.errors import InputError


@dataclass(frozen=True)
class Method:
    """A named composition of parts.

    `name`: kebab-case, as on the command line. `baseline`: the default start of the path, None if there is no path.
    `cites`: keys of `gradline.methods.REFERENCES`. `read`: a `gl.Layer` where gradients are read, and to which moves
    are pushed, if that is not where the path is driven. `stages`: how many partial maps are kept in
    `a.parts["stages"] (N, stages, *G)`, that of the path up to t = 1/stages, 2/stages … 1; they cost no evaluations.
    `budget`: what is spent where neither an accuracy nor a number of steps is asked for; None: an accuracy of 5 %.
    """

    name: str
    path: Path
    accumulator: Accumulator
    baseline: Baseline | None
    cites: tuple[str, ...] = ()
    read: object | None = None
    stages: int = 0
    budget: Budget | None = None

    @property
    def law(self) -> SumLaw:
        """What the values add up to."""
        return SumLaw.NONE if self.accumulator.law is SumLaw.NONE else self.path.law

    @property
    def estimates(self) -> bool:
        """The method takes `tol`: its error can be estimated."""
        return self.path.estimates and self.accumulator.estimates

    @property
    def draws(self) -> int:
        """Paths an example, one for each of its starts."""
        return 1 if self.baseline is None else self.baseline.draws

    def in_stages(self, count: int) -> Method:
        """The same method, which keeps `count` partial maps along its path."""
        return replace(self, stages=count)

    def with_vocabulary(self, words: Callable[[], Tensor]) -> Method:
        """The same method where words are known, an embedding matrix `(V, D)`; it has them already, or needs none."""
        if not isinstance(self.path, Anchored) or self.path.vocabulary is not None:
            return self
        return replace(self, path=self.path.within(words()))

    def starting_at(self, baseline: object) -> Method:
        """The same method with another baseline; `InputError` if it has none to replace."""
        if baseline is None:
            return self
        if self.baseline is None:
            raise InputError(f"{self.name} has no baseline: leave baseline= out")
        return replace(self, baseline=as_baseline(baseline))
