"""Trials that differ from a trial by one thing, most of them simpler.

Numbers and kinds of node are replaced wherever they occur, so that what is equal stays equal: a function that is
symmetric, or one of the sum alone, stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from gradline.sanity.axioms.algebra import renumbered, substituted, tidy
from gradline.sanity.axioms.formulas import Bend, Expression, Extreme, Power, Product, Sum, Variable, number
from gradline.sanity.axioms.trials import Network, Trial


def simpler(trial: Trial) -> Iterator[Trial]:
    """All of them, in no order."""
    for m in range(len(trial.x) if len(trial.x) > 1 else 0):
        yield replace(trial, x=trial.x[m : m + 1])
    count = len(trial.starts)
    for gone in range(count if count > 2 else 0):
        yield replace(trial, starts=trial.starts[[k for k in range(count) if k != gone]])
    if not any(isinstance(f, Network) for f in trial.functions):
        yield from _fewer_features(trial)
        yield from _simpler_functions(trial)
    yield from _rounder_factors(trial)
    yield from _rounder_points(trial)


def numbers_in(functions: Iterable[Expression]) -> list[float]:
    """Weights and constants other than 0 and 1."""
    sums = [node for f in functions for node in f.nodes() if isinstance(node, Sum)]
    return [v for node in sums for v in (*node.weights, node.constant) if v not in (0, 1)]


def _fewer_features(trial: Trial) -> Iterator[Trial]:
    """Without a feature: 0 in its place, or another one that takes its part as well."""
    for gone in range(trial.features if trial.features > 1 else 0):
        if gone in trial.places:
            continue
        kept = [k for k in range(trial.features) if k != gone]
        order = [kept.index(k) if k in kept else 0 for k in range(trial.features)]
        places = tuple(order[p] for p in trial.places)
        for instead in (number(0.0), *map(Variable, kept)):
            found = _changed(trial, partial(_without, place=gone, instead=instead, order=order))
            yield replace(found, x=trial.x[:, kept], starts=trial.starts[:, kept], places=places)


def _without(function: Expression, place: int, instead: Expression, order: list[int]) -> Expression:
    return renumbered(substituted(function, place, instead), order)


def _simpler_functions(trial: Trial) -> Iterator[Trial]:
    written = [f for f in trial.functions if isinstance(f, Expression)]
    nodes = list(dict.fromkeys(node for f in written for node in f.nodes()))
    for node in nodes:
        for instead in _instead(node):
            yield _changed(trial, partial(_exchanged, node=node, instead=instead))
    for kind in dict.fromkeys(_kind(n) for n in nodes if isinstance(n, Bend | Power | Extreme)):
        yield _changed(trial, partial(_opened, kind=kind))
    for size in dict.fromkeys(map(abs, numbers_in(written))):
        for instead_size in _rounder(size):
            yield _changed(trial, partial(_resized, size=size, instead=instead_size))


def _instead(node: Expression) -> Iterator[Expression]:
    """Simpler nodes that may stand in a node's place."""
    match node:
        case Sum():
            every = range(len(node.parts))
            for kept in (k for less in (1, 2) if less <= len(every) for k in combinations(every, len(every) - less)):
                yield Sum(tuple(node.parts[k] for k in kept), tuple(node.weights[k] for k in kept), node.constant)
            yield replace(node, constant=0.0)
            yield replace(node, constant=abs(node.constant))
            yield replace(node, weights=tuple(map(abs, node.weights)))
        case Product() | Extreme() if len(node.parts) > 1:
            for part in combinations(node.parts, len(node.parts) - 1):
                yield node.with_parts(part)
        case Power():
            yield Power(node.base, node.exponent - 1)
    yield from node.parts


def _exchanged(function: Expression, node: Expression, instead: Expression) -> Expression:
    return function.mapped(lambda n: instead if n == node else n)


def _kind(node: Expression) -> tuple[type[Expression], str]:
    return type(node), node.kind if isinstance(node, Bend | Extreme) else ""


def _opened(function: Expression, kind: tuple[type[Expression], str]) -> Expression:
    """With the first part of every node of a kind in its place."""
    return function.mapped(lambda n: n.parts[0] if _kind(n) == kind else n)


def _resized(function: Expression, size: float, instead: float) -> Expression:
    """With one size of number replaced, whatever its sign."""

    def put(v: float) -> float:
        return v if abs(v) != size else instead if v > 0 else -instead

    def change(node: Expression) -> Expression:
        return Sum(node.parts, tuple(map(put, node.weights)), put(node.constant)) if isinstance(node, Sum) else node

    return function.mapped(change)


def _rounder_factors(trial: Trial) -> Iterator[Trial]:
    for place, value in enumerate(trial.numbers):
        for instead in (-value, 2.0, -1.0, *_rounder(abs(value))):
            yield replace(trial, numbers=(*trial.numbers[:place], instead, *trial.numbers[place + 1 :]))


def _rounder_points(trial: Trial) -> Iterator[Trial]:
    """Everything moved so that a baseline is zero, both ends exchanged; or one number that occurs in x or a baseline
    replaced everywhere there, or in x alone."""
    first = trial.starts[:1]
    yield replace(trial, x=trial.x - first + 0.0, starts=trial.starts - first + 0.0)
    if len(trial.x) == len(trial.starts) == 1:
        yield replace(trial, x=trial.starts, starts=trial.x)
    for value in dict.fromkeys(torch.cat([trial.x, trial.starts]).flatten().tolist()):
        sizes = _rounder(abs(value))
        for instead in (*sizes, *(-v for v in sizes), -value, 2.0):
            moved = _put(trial.x, value, instead)
            yield replace(trial, x=moved, starts=_put(trial.starts, value, instead))
            yield replace(trial, x=moved)


def _put(points: Tensor, value: float, instead: float) -> Tensor:
    return torch.where(points == value, instead, points) + 0.0  # no −0


def _rounder(size: float) -> list[float]:
    """Rounder numbers near one that is not negative, the simplest first."""
    return [v for v in dict.fromkeys((0.0, 1.0, float(round(size)), round(2 * size) / 2)) if v != size]


def _changed(trial: Trial, change: Callable[[Expression], Expression]) -> Trial:
    functions = tuple(tidy(change(f)) if isinstance(f, Expression) else f for f in trial.functions)
    return replace(trial, functions=functions)
