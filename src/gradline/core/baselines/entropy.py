"""The start that tells the model nothing: where all its classes are equally likely."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gradline.core.baselines.ascent import Ascent, Box, Ended
from gradline.core.baselines.base import Baseline, Group, check_whole
from gradline.core.baselines.combine import Each
from gradline.core.baselines.image import PixelSpace
from gradline.core.baselines.plain import Given, Zero
from gradline.core.baselines.search import Bound, Found, Search, channels, shaped
from gradline.core.flow import Frame, Need, Of, Probe, Reading
from gradline.errors import BaselineError

NEAR = 1.5
"""On the way the entropy is asked for where KL(u ‖ p)/log C is at most so many times the gap allowed: to second order
it is KL(p ‖ u)/log C = 1 − H/log C."""


@dataclass(frozen=True)
class Itself(Baseline):
    """x itself: where a search begins at the example. As the start of a path it leaves nothing to explain."""

    def start(self, group: Group) -> Tensor:
        return group.x.unsqueeze(1)


@dataclass(frozen=True)
class Evenness:
    """−KL(u ‖ p)/log C = 1 + Σ_c log p_c/(C log C), of a model's output `(R, C)`: at most 0, where p_c = 1/C.

    Its gradient, (1/C − p_c)/log C to the score of class c, does not vanish where the model is sure. `labels`, or one
    column: the mean over columns of 1 + (log p + log(1 − p))/(2 log 2), p the sigmoid.
    """

    labels: bool

    def __call__(self, output: Any) -> Tensor:
        scores = _scores(output)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32)).reshape(len(scores), -1)
        if self.labels or scores.shape[1] == 1:
            return 1 + (functional.logsigmoid(scores) + functional.logsigmoid(-scores)).mean(1) / (2 * math.log(2))
        return 1 + torch.log_softmax(scores, 1).mean(1) / math.log(scores.shape[1])


@dataclass(frozen=True)
class MaximumEntropy(Search):
    """The input of which the model says least: max H(p(x')), H = −Σ_c p_c log p_c, at best p(x') = (1/C, …, 1/C).

    From an exact one, Integrated Gradients of the class's probability add up to p_c(x) − 1/C. There are many such
    inputs; which is found hangs on where the search begins. `starts`: from zero, one baseline for all examples; from
    `Itself()`, one close to each x, which may be an adversarial input: x with a change that nobody sees, and then the
    map is that of the change. From several, `Uniform(draws=8)` say, the maps are averaged.

    The search is an ascent of Σ_c log p_c, which has the same maximum: the gradient of H vanishes where the model is
    sure, and where two classes tie far above the others. It stops at 1 − H/log C <= `gap`, in (0, 1), and takes
    `steps >= 1` gradients a start at most. `rate`: length of the first step, in units of the model's input; those after
    it shorten with half a cosine. `momenta`: decays of Adam's means; None: plain steps of rate · gradient. Where the
    model is translated, and `starts` with it, so is x'; with scaled features it is another.

    `low`, `high`: range of a valid input, a number or one each channel (axis 1), if x' is to stay in it. `labels`: the
    columns are labels that do not exclude each other, and each is to be at 0.5; so is the one column of a model.

    The best point seen is taken, met or not. For each example, a list over its starts, there are
    `a.details["entropy_gap"]`: 1 − H/log C at x'; `["entropy_ascent"]`: "met", "steps spent", "no way up" (no gradient,
    or all features at their bounds) or "not finite", for an ascent that diverged and was stopped;
    `["baseline_distance"]`: ‖x' − x‖/‖x‖.

    Raises `BaselineError` for an x of integers; `TargetError` if the model's output is no table of class scores before
    the softmax. The baseline of Tan (2022), of whom we could read the abstract alone: that the output is to be as
    uninformative as possible. How it is found and all the numbers here are ours.
    """

    starts: Baseline = Zero()  # noqa: RUF009
    steps: int = 500
    rate: float = 0.05
    gap: float = 1e-3
    momenta: tuple[float, float] | None = (0.9, 0.999)
    low: Bound = None
    high: Bound = None
    labels: bool = False

    def __post_init__(self) -> None:
        _check_starts(self.starts)
        check_whole(self, "steps", self.steps)
        for field, most in (("rate", math.inf), ("gap", 1)):
            value = getattr(self, field)
            if not isinstance(value, int | float) or not 0 < value < most:
                expected = "in (0, 1)" if most == 1 else "> 0"
                raise BaselineError(f"{field} {expected} for MaximumEntropy", f"{field}={value!r}")
        if self.momenta is not None and not (len(self.momenta) == 2 and all(0 <= m < 1 for m in self.momenta)):
            raise BaselineError("two momenta in [0, 1) for MaximumEntropy, or None", f"momenta={self.momenta}")
        low, high = channels(self.low, -math.inf), channels(self.high, math.inf)
        fits = len(low) == len(high) or 1 in (len(low), len(high))
        if not fits or not all(low[i % len(low)] < high[i % len(high)] for i in range(max(len(low), len(high)))):
            raise BaselineError("low < high in every channel for MaximumEntropy", f"low={self.low}, high={self.high}")

    @property
    def draws(self) -> int:
        return self.starts.draws

    @property
    def random(self) -> bool:
        return self.starts.random

    def within(self, pixels: PixelSpace) -> Baseline:
        return replace(self, starts=self.starts.within(pixels))

    def check(self, x: Tensor) -> None:
        super().check(x)
        self.starts.check(x)
        self._box(x)

    def search(self, frame: Frame) -> Generator[Probe, Reading, Found]:
        x = frame.end
        self.check(x)
        every = torch.arange(frame.examples, device="cpu")
        starts = self.starts.start(Group(x, every, frame.names, frame.seed)).to(x)
        ascent = Ascent(
            starts.flatten(0, 1),
            self.steps,
            rate=self.rate,
            momenta=self.momenta,
            box=self._box(x),
            precision=frame.precision,
        )
        owner = every.repeat_interleave(self.draws)
        gap = yield from self._gaps(ascent.best, owner)
        ascent.stop(gap <= self.gap, Ended.MET)
        for step in range(self.steps):
            if len(ascent.live):
                points, rows = ascent.points(), owner[ascent.live]
                reading = yield Probe(points, rows, of=Evenness(self.labels))
                near = (reading.value >= -NEAR * self.gap) & (step > 0)
                met = near.clone()
                if near.any():
                    met[near] = (yield from self._gaps(points[near.to(points.device)], rows[near])) <= self.gap
                ascent.learn(reading, met)
        gap = yield from self._gaps(ascent.best, owner)
        for row in (gap <= self.gap).nonzero()[:, 0].tolist():
            ascent.ended[row] = Ended.MET
        found = self._details(ascent, gap, x)
        return Found(ascent.best.reshape(starts.shape), found, self._notes(ascent, gap))

    def _gaps(self, points: Tensor, owner: Tensor) -> Generator[Probe, Reading, Tensor]:
        """1 − H/log C at the points, `(R,)`."""
        of = Of.ENTROPIES if self.labels else Of.ENTROPY
        reading = yield Probe(points, owner, Need.VALUE, of=of)
        return 1 - reading.value

    def _notes(self, ascent: Ascent, gap: Tensor) -> list[str]:
        """A sentence for examples one of whose searches did not arrive."""
        ended = zip(gap.tolist(), ascent.ended, strict=True)
        missed = [f"{left:.2g} ({why})" * (why is not Ended.MET) for left, why in ended]
        said = f"the maximum-entropy search wants 1 − H/log C of {self.gap:g} and ended at "
        return [(said + ", ".join(m for m in of if m)) * any(of) for of in _grouped(missed, self.draws)]

    def _details(self, ascent: Ascent, gap: Tensor, x: Tensor) -> dict[str, list[Any]]:
        """Lists over examples of lists over starts; None for a number that there is not."""
        size = x.flatten(1).norm(dim=1).repeat_interleave(self.draws).tolist()
        way = (ascent.best - x.repeat_interleave(self.draws, 0)).flatten(1).norm(dim=1).tolist()
        told: dict[str, list[Any]] = {
            "entropy_gap": [left if math.isfinite(left) else None for left in gap.tolist()],
            "entropy_ascent": [str(why) for why in ascent.ended],
            "baseline_distance": [far / own if own > 0 else None for far, own in zip(way, size, strict=True)],
        }
        return {name: _grouped(values, self.draws) for name, values in told.items()}

    def _box(self, x: Tensor) -> Box | None:
        """The least and the largest value of a feature, broadcastable to x; None where nothing was said."""
        if self.low is None and self.high is None:
            return None
        name = type(self).__name__
        return shaped(channels(self.low, -math.inf), x, name), shaped(channels(self.high, math.inf), x, name)


def _check_starts(starts: object) -> None:
    """Raise `BaselineError` unless a search can begin there: plain parts, whatever other examples there are."""
    parts = starts.parts if isinstance(starts, Each) else (starts,)
    for part in parts:
        if not isinstance(part, Baseline) or isinstance(part, Search) or part.at_site or part.names:
            remedy = "use Zero(), Itself(), Uniform(draws=8), or Each of such"
            raise BaselineError("a plain baseline where MaximumEntropy starts", repr(part), remedy)
        if isinstance(part, Given) and part.tensor.shape[:1] != (1,):
            shape = f"shape {tuple(part.tensor.shape)}"
            raise BaselineError("one tensor for all examples (1, *F) where MaximumEntropy starts", shape)


def _grouped(values: list[Any], count: int) -> list[list[Any]]:
    return [values[first : first + count] for first in range(0, len(values), count)]


def _scores(output: Any) -> Tensor:
    """The tensor, the `logits`, or the only tensor of a tuple; that it is a table is known from the entropy at x."""
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    found: Tensor = output if isinstance(output, Tensor) else next(o for o in output if isinstance(o, Tensor))
    return found
