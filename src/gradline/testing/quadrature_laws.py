"""Laws of quadrature rules beyond `rule_laws`: counts, chance, convergence, what a rule is shown of the score.

Each raises `AssertionError` with what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from gradline.core.rules import Rule
from gradline.engine import explain
from gradline.errors import InputError
from gradline.testing.laws import Net
from gradline.testing.requiring import require
from gradline.testing.rule_laws import exact_to_degree, weights_sum_to_one

NAMES = ("ann", "bob", "cid")
COUNTS = (1, 2, 3, 4, 5, 8, 9, 33, 50, 65)
Degree = Callable[[int], int]
"""The highest degree that n nodes integrate exactly."""

INTEGRALS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray], float], ...] = (
    ("e^t", np.exp, float(np.e - 1)),
    ("1/(1+t)", lambda t: 1 / (1 + t), float(np.log(2))),
    ("cos 5t", lambda t: np.cos(5 * t), float(np.sin(5) / 5)),
)


def counts_are_checked(rule: Rule) -> None:
    """A count of nodes gives a table or an `InputError`, and that already in `check`; none and fewer never do."""
    require(bool(_counts(rule)), f"{rule} takes none of {COUNTS} nodes")
    for n in (0, -1, *COUNTS):
        refused = []
        for asked in (lambda n=n: rule.check(n), lambda n=n: _table(rule, n)):
            try:
                asked()
                refused.append(False)
            except InputError:
                refused.append(True)
        require(refused[0] == refused[1], f"{n} nodes: check says {not refused[0]}, the table {not refused[1]}")
        require(refused[0] or n >= max(1, rule.minimum), f"{n} nodes are taken, the minimum is {rule.minimum}")


def tables_are_sound(rule: Rule) -> None:
    """For every count that is taken: nodes ascend in [0, 1], weights sum to one; also for a score that jumps."""
    for n in _counts(rule):
        weights_sum_to_one(rule, n)
        for values in _scores(rule):
            weights_sum_to_one(rule, n, values)


def polynomials_are_exact(rule: Rule, degree: Degree) -> None:
    """Exact to the degree, and not one beyond."""
    for n in [n for n in _counts(rule) if n <= 9]:
        exact_to_degree(rule, n, degree(n))


def integrals_converge(rule: Rule) -> None:
    """Smooth functions are integrated: better with more nodes, to a few per cent of their size with 100 or so."""
    n = max(n for n in (*range(96, 102), *COUNTS) if _taken(rule, n))
    seeds = range(25) if rule.random else range(1)
    for values in (None, *_scores(rule)):
        shown = None if values is None else values[None]
        tables = [rule.table(n, NAMES[:1], seed, 0, 1, shown) for seed in seeds]
        for name, function, due in INTEGRALS:
            got = float(np.mean([w @ function(t) for (t,), (w,) in tables]))
            most = 0.05 + 2 / n
            require(abs(got - due) <= most, f"∫ {name} dt is {got:.4f} on {n} nodes, due is {due:.4f}")


def chance_is_keyed(rule: Rule) -> None:
    """`random`: nodes hang on seed, name and draw, the same alone as in a batch; otherwise on none of them."""
    for n in [n for n in _counts(rule) if n <= 9]:
        (whole, weight), (alone, own) = rule.table(n, NAMES, 3), rule.table(n, NAMES[1:2], 3)
        shape = (len(NAMES), n)
        require(whole.shape == weight.shape == shape, f"a table for {shape} has shapes {whole.shape}, {weight.shape}")
        same = np.array_equal(whole[1:2], alone) and np.array_equal(weight[1:2], own)
        require(same, f"{n} nodes of an example are others alone than in a batch")
        others = {
            "another example": whole[2:3],
            "another seed": rule.table(n, NAMES[1:2], 4)[0],
            "another draw": rule.table(n, NAMES[1:2], 3, 1)[0],
        }
        for what, nodes in others.items():
            shared = np.array_equal(nodes, alone)
            wrong = "shares its random nodes" if rule.random else "has other nodes, though `random` is not set"
            require(shared != rule.random, f"{what} {wrong}")


def rows_are_shown_their_own(rule: Rule) -> None:
    """Nodes that follow the score follow that of their own example; an example that shows nothing does not mind."""
    if not rule.probes:
        return
    for n in [n for n in _counts(rule) if 2 <= n <= 9]:
        values = np.stack(list(_scores(rule)))
        names = tuple(str(k) for k in range(len(values)))
        t, w = rule.table(n, names, 0, 0, 1, values)
        for k, name in enumerate(names):
            (alone,), (own,) = rule.table(n, (name,), 0, 0, 1, values[k : k + 1])
            same = np.array_equal(t[k], alone) and np.array_equal(w[k], own)
            require(same, f"the nodes of example {k} follow the score of another one")


def maps_add_up(rule: Rule, model: Net, x: Tensor) -> None:
    """Integrated Gradients of a smooth model on 100 nodes or so: values add up to a few per cent; F is read in between
    as often as the rule says."""
    n = max(n for n in (*range(96, 102), *COUNTS) if _taken(rule, n))
    a = explain(model, x, 0, steps=n, rule=rule)
    gap = a.completeness_gap
    assert gap is not None
    size = a.values.double().flatten(1).abs().sum(1)
    require(bool((gap.abs() <= (0.1 + 2 / n) * size).all()), f"values on {n} nodes miss their sum by {gap.tolist()}")
    require(set(a.evaluations.tolist()) == {n}, f"{n} nodes cost {a.evaluations.tolist()} gradients")
    due = max(0, rule.probes - 1)
    require(set(a.forward_evaluations.tolist()) == {due}, f"{due} forwards are due, spent: {a.forward_evaluations}")


# -------------------------------------------------------------------------------------------------------------- helpers


def _taken(rule: Rule, n: int) -> bool:
    try:
        rule.check(n)
    except InputError:
        return False
    return True


def _counts(rule: Rule) -> list[int]:
    return [n for n in COUNTS if _taken(rule, n)]


def _table(rule: Rule, n: int) -> tuple[np.ndarray, np.ndarray]:
    return rule.table(n, NAMES[:1], 0)


def _scores(rule: Rule) -> Iterator[np.ndarray]:
    """Scores `(probes + 1,)` that a rule may be shown: a ramp, a jump, a bump, nothing, what is not finite."""
    if rule.probes:
        t = np.linspace(0, 1, rule.probes + 1)
        yield from (t, np.where(t > 0.7, 5.0, 0.0), np.exp(-50 * (t - 0.3) ** 2), 0 * t)
        yield from (np.where(t > 0.5, np.nan, t), np.where(t > 0.5, np.inf, t))
