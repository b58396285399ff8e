"""The smallest counterexample: fewest features, then the simplest function, then the roundest numbers."""

from __future__ import annotations

from collections.abc import Callable

from gradline.sanity.axioms.formulas import Bend, Expression, Power
from gradline.sanity.axioms.simpler import numbers_in, simpler
from gradline.sanity.axioms.trials import Trial

ATTEMPTS = 400
"""Trials that are looked at, at the most."""


def shrunk(trial: Trial, still_wrong: Callable[[Trial], bool]) -> Trial:
    """The simplest trial that is reached by making `trial` simpler as long as it is `still_wrong`."""
    seen: set[str] = set()
    while True:
        found = None
        for candidate in sorted(simpler(trial), key=cost):
            key = _key(candidate)
            if key in seen or cost(candidate) >= cost(trial):
                continue
            if len(seen) == ATTEMPTS:
                return trial
            seen.add(key)
            if still_wrong(candidate):
                found = candidate
                break
        if found is None:
            return trial
        trial = found


def cost(trial: Trial) -> tuple[float, ...]:
    """How far from simple: inputs, features, baselines; then what the functions are made of; then digits."""
    written = [f for f in trial.functions if isinstance(f, Expression)]
    nodes = [node for f in written for node in f.nodes()]
    made = len(nodes) + sum(isinstance(n, Bend) + (n.exponent if isinstance(n, Power) else 0) for n in nodes)
    digits = sum(map(_digits, (*numbers_in(written), *trial.numbers, *trial.x.flatten().tolist())))
    digits += 2 * sum(map(_digits, trial.starts.flatten().tolist()))  # zero is the simplest baseline
    return len(trial.x), trial.features, len(trial.starts), made, digits


def _digits(value: float) -> float:
    """How much there is to a number: 0, 1, other whole numbers, halves, tenths, the rest."""
    sign = 0.5 * (value < 0)
    if value in (0, 1, -1):
        return abs(value) + sign
    if value == int(value):
        return 2 + sign + 0.1 * abs(value)
    return (4 if 2 * value == int(2 * value) else 6 if abs(10 * value - round(10 * value)) < 1e-9 else 12) + sign


def _key(trial: Trial) -> str:
    return repr((trial.functions, trial.x.tolist(), trial.starts.tolist(), trial.numbers, trial.places))
