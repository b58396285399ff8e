"""The audit: every axiom, on families of functions and on networks, until a counterexample is found or none is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import inf, nan
from typing import Any

from gradline.core.method import Method
from gradline.errors import InputError
from gradline.sanity.axioms.base import Axiom
from gradline.sanity.axioms.coordinates import (
    AffineScaleInvariance,
    NonDecreasingPositivity,
    Proportionality,
    Symmetry,
)
from gradline.sanity.axioms.explainers import Asked, Explainer, Explains, asked
from gradline.sanity.axioms.functions import ImplementationInvariance, Linearity
from gradline.sanity.axioms.shrinking import shrunk
from gradline.sanity.axioms.sums import Completeness, Dummy, Sensitivity
from gradline.sanity.axioms.trials import Trial, module_of
from gradline.sanity.axioms.verdicts import Answer, Audit, Counterexample, Verdict

ALONE: tuple[Axiom, ...] = (
    Completeness(),
    Sensitivity(),
    Dummy(),
    Linearity(),
    ImplementationInvariance(),
    Symmetry(),
    AffineScaleInvariance(),
    Proportionality(),
    NonDecreasingPositivity(),
)

AXIOMS: tuple[Axiom, ...] = (
    *ALONE,
    *(replace(a, over_baselines=True) for a in ALONE if not isinstance(a, Proportionality)),
)
"""Of one baseline, and their analogues for several. Proportionality speaks of the zero baseline alone."""

NETWORKS = 2
"""Networks with weights an axiom: a perceptron, and a convolutional one where the axiom can be asked of it."""

CLEAR = 50.0
"""Tolerances beyond which a deviation is no error of quadrature, while a counterexample is made smaller."""

STAYS = 0.5
"""A deviation that is halved or more, when the accuracy is raised, is an error of quadrature or of chance."""


def audit(
    method: Method | Explainer | Explains,
    *,
    axioms: Sequence[str] | None = None,
    tol: float = 1e-3,
    cases: int = 9,
    seed: int = 0,
    networks: bool = True,
) -> Audit:
    """Look for counterexamples to the axioms of attribution.

    `method`: any method that reads at the input; a function `(model, x, baseline) -> maps`, of another library say; or
    a `gl.sanity.Explainer`. `axioms`: names of `gl.sanity.AXIOMS`, default all. `tol`: the deviation allowed, relative
    to the sizes of what is compared; for a function whose quadrature cannot be refined, take it above its error.
    `cases`: functions an axiom, from linear ones to networks of two layers, with four inputs each; 9 are a round of all
    families. `networks`: a perceptron and a convolutional network as well. A suspicion is asked again with 8 and 64
    times the nodes, and is a violation only if the deviation stays; then the counterexample is made smaller: fewest
    features, simplest function, roundest numbers. "Holds" means that none was found.

    A method without a baseline is taken to count from zero. Axioms: Sundararajan, Taly, Yan (2017); those of
    proportionality, affine scale invariance and non-decreasing positivity, and of several baselines, after Lundstrom,
    Huang, Razaviyayn (2022), as reconstructed from its abstract. Raises `InputError`.
    """
    subject = asked(method, _whole("seed", seed, None))
    chosen = _chosen(axioms)
    if isinstance(tol, bool) or not isinstance(tol, int | float) or not 0 < tol < 1:
        raise InputError("tol between 0 and 1, a relative deviation", repr(tol))
    _whole("cases", cases, 1)
    inspector = _Inspector(subject, float(tol), seed, cases, NETWORKS if networks else 0)
    return Audit(subject.name, tuple(inspector.verdict(axiom) for axiom in chosen), float(tol), seed)


@dataclass(frozen=True)
class _Judged:
    """The largest deviation of a trial; whether it breaks the axiom; whether it would but for the declared errors."""

    deviation: float
    violated: bool
    excused: bool = False


class _Inspector:
    """One audit under way."""

    def __init__(self, subject: Asked, tol: float, seed: int, cases: int, networks: int) -> None:
        self.subject, self.tol, self.seed, self.cases, self.networks = subject, tol, seed, cases, networks

    def verdict(self, axiom: Axiom) -> Verdict:
        """Go through the trials of an axiom until one breaks it."""
        claimed = axiom.name in self.subject.claims
        looked, worst, excused = 0, 0.0, False
        for trial in self._trials(axiom):
            found = self._judged(axiom, trial)
            looked += len(trial.x)
            if found.violated:
                example = self._counterexample(axiom, trial)
                said = (axiom.name, axiom.statement, Answer.VIOLATED, claimed)
                return Verdict(*said, looked, example.deviation, example)
            worst, excused = max(worst, found.deviation), excused or found.excused
        if not looked:
            note = "it has no baseline"
            return Verdict(axiom.name, axiom.statement, Answer.NOT_CLAIMED, claimed, 0, nan, note=note)
        note = "apart from the errors that the method declares" if excused else ""
        note = "what deviates falls as the accuracy is raised" if worst > self.tol else note
        return Verdict(axiom.name, axiom.statement, Answer.HOLDS, claimed, looked, worst, note=note)

    def _trials(self, axiom: Axiom) -> Iterator[Trial]:
        setting = self.subject.setting(over_baselines=axiom.over_baselines)
        if setting is None:
            return
        for network, count in ((False, self.cases), (True, self.networks)):
            for place in range(count):
                trial = axiom.trial(place, setting, self.seed, network=network)
                if trial is not None:
                    yield trial

    def _judged(self, axiom: Axiom, trial: Trial, clear: float = inf) -> _Judged:
        """What is found at the accuracy that it takes; what deviates beyond `clear` is believed at once."""
        first = last = 0.0
        for level in range(self.subject.levels):
            check, deviation = self.subject.check(axiom, trial, level)
            last = float(deviation.max())
            if last <= self.tol:
                return _Judged(last, False, float(check.deviation().max()) > self.tol)
            if last > clear:
                return _Judged(last, True)
            first = first or last
        return _Judged(last, self.subject.levels == 1 or not last < STAYS * first)

    def _counterexample(self, axiom: Axiom, trial: Trial) -> Counterexample:
        """The smallest that is reached from a trial."""

        def still_wrong(simpler: Trial) -> bool:
            return axiom.is_posed(simpler) and self._judged(axiom, simpler, CLEAR * self.tol).violated

        least = shrunk(trial, still_wrong)
        if not self._judged(axiom, least).violated:
            least = trial
        check, deviation = self.subject.check(axiom, least, self.subject.levels - 1)
        worst = int(deviation.argmax())
        expected, got = check.said(worst)
        return Counterexample(
            axiom.words(least),
            least.x[worst : worst + 1],
            least.starts,
            expected,
            got,
            float(deviation[worst]),
            tuple(module_of(f) for f in least.functions),
        )


def _chosen(names: Sequence[str] | None) -> tuple[Axiom, ...]:
    if names is None:
        return AXIOMS
    known = {axiom.name: axiom for axiom in AXIOMS}
    given = [names] if isinstance(names, str) else list(names)
    unknown: list[Any] = [name for name in given if name not in known]
    if unknown or not given:
        near = get_close_matches(str(unknown[0]), known, 1, 0.5) if unknown else []
        remedy = f"did you mean {near[0]}?" if near else ""
        raise InputError(f"axioms out of {', '.join(known)}", ", ".join(map(repr, unknown)) or "none", remedy)
    return tuple(axiom for name, axiom in known.items() if name in given)


def _whole(name: str, value: object, least: int | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        at_least = "" if least is None else f" of at least {least}"
        raise InputError(f"{name} as a whole number{at_least}", repr(value))
    return value
