"""Searches for the number at which a function of one positive number is smallest; no map in sight."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SAME = 1e-9
"""Numbers that differ by less, relatively, are one."""

Ask = Callable[[float], tuple[float, Any]]
"""The function: its value, NaN where there is nothing to judge, and what was made for it, which is kept of the best."""


class Ended(StrEnum):
    """Why a search was over."""

    NEARBY = "no better sigma nearby"
    ROUNDS = "rounds used up"


@dataclass(frozen=True)
class Plan:
    """`step > 0` to either side, times `decay` in (0, 1] after a round without success, of which `stops` in a row are
    borne; at most `rounds`, each of one or two values."""

    step: float = 0.1
    decay: float = 0.9
    stops: int = 3
    rounds: int = 20


@dataclass(slots=True, eq=False)
class Walked:
    """Every number that was tried and its value, in order; inf where there was nothing to judge.

    `best`: its place; `kept`: what was made for it. `ended`: why.
    """

    ask: Ask
    sigmas: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    best: int = 0
    kept: Any = None
    last: Any = None
    ended: Ended = Ended.ROUNDS

    def see(self, sigma: float) -> float:
        """Try a number. Zero, up to rounding, has no map and is the worst there is, unasked."""
        first = not self.sigmas
        nothing = not first and sigma <= SAME * self.sigmas[0]
        value, self.last = (math.nan, None) if nothing else self.ask(sigma)
        self.sigmas.append(sigma)
        self.values.append(value if math.isfinite(value) else math.inf)
        if first:
            self.kept = self.last
        return self.values[-1]

    def knows(self, sigma: float) -> bool:
        """It was tried before."""
        return any(math.isclose(sigma, other, rel_tol=SAME) for other in self.sigmas)

    def keep_if_best(self) -> bool:
        """Is the last value below the best? Then it is the best from now on."""
        if self.values[-1] < self.values[self.best]:
            self.best, self.kept = len(self.values) - 1, self.last
            return True
        return False


def descend(ask: Ask, start: float, plan: Plan) -> Walked:
    """From the best σ so far to σ + step or, if that is not better, |σ − step|; if neither is, shorten the step.

    No σ is asked for twice. Over after `stops` + 1 rounds in a row without a better one.
    """
    walked, step, failures = Walked(ask), plan.step, 0
    walked.see(start)
    for _ in range(plan.rounds):
        centre = walked.sigmas[walked.best]
        if _is_better(walked, centre + step) or _is_better(walked, abs(centre - step)):
            failures = 0
            continue
        failures, step = failures + 1, step * plan.decay
        if failures > plan.stops:
            walked.ended = Ended.NEARBY
            break
    return walked


def _is_better(walked: Walked, sigma: float) -> bool:
    if walked.knows(sigma):
        return False
    walked.see(sigma)
    return walked.keep_if_best()


def as_published(ask: Ask, start: float, plan: Plan) -> Walked:
    """Algorithm 1 of Goh et al. (2020) as their code has it: σ moves also to what is worse.

    What is above the value before it is not looked at as the best; it could not be, since that one is no better.
    """
    walked, step, failures = Walked(ask), plan.step, 0
    sigma, before = start, walked.see(start)
    for _ in range(plan.rounds):
        value = walked.see(abs(sigma + step))
        if value > before:
            value = walked.see(abs(sigma - step))
        sigma = walked.sigmas[-1]
        if value > before:
            if failures >= plan.stops:
                walked.ended = Ended.NEARBY
                break
            failures, step = failures + 1, step * plan.decay
        else:
            failures = 0
            walked.keep_if_best()
        before = value
    return walked
