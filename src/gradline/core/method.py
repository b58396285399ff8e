"""A method is its parts: a path, what each reading adds, and a default baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gradline.core.accumulators import Accumulator, SumLaw
from gradline.core.baselines import Baseline, as_baseline
from gradline.core.paths import Path
from gradline.errors import InputError


@dataclass(frozen=True)
class Method:
    """A named composition of parts.

    `name`: kebab-case, as on the command line. `baseline`: the default start of the path, None if there is no path.
    `cites`: keys of `gradline.methods.REFERENCES`. `read`: a `gl.Layer` where gradients are read, and to which moves
    are pushed, if that is not where the path is driven.
    """

    name: str
    path: Path
    accumulator: Accumulator
    baseline: Baseline | None
    cites: tuple[str, ...] = ()
    read: object | None = None

    @property
    def law(self) -> SumLaw:
        """What the values add up to; nothing unless the path goes all the way from x' to x."""
        return self.accumulator.law if self.path.complete else SumLaw.NONE

    @property
    def estimates(self) -> bool:
        """The method takes `tol`: its error can be estimated."""
        return self.path.integrates and self.accumulator.estimates

    def starting_at(self, baseline: object) -> Method:
        """The same method with another baseline; `InputError` if it has none to replace."""
        if baseline is None:
            return self
        if self.baseline is None:
            raise InputError(f"{self.name} has no baseline: leave baseline= out")
        return replace(self, baseline=as_baseline(baseline))
