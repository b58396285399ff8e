"""What can be said of a formula by looking at it: what it reads, which way it runs, which features it takes alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from gradline.sanity.axioms.formulas import BENDS, Bend, Expression, Extreme, Power, Product, Sum, Variable, number

Box = Sequence[tuple[float, float]]
"""The least and the largest value of every feature."""


def reads(expression: Expression) -> set[int]:
    """The places of the features in it."""
    return {node.place for node in expression.nodes() if isinstance(node, Variable)}


def substituted(expression: Expression, place: int, by: Expression) -> Expression:
    """With a feature replaced."""
    return expression.mapped(lambda node: by if node == Variable(place) else node)


def renumbered(expression: Expression, order: Sequence[int]) -> Expression:
    """Feature k becomes feature `order[k]`."""
    return expression.mapped(lambda node: Variable(order[node.place]) if isinstance(node, Variable) else node)


def swapped(expression: Expression, i: int, j: int) -> Expression:
    """With two features that have changed places."""
    order = list(range(max(reads(expression) | {i, j}) + 1))
    order[i], order[j] = j, i
    return renumbered(expression, order)


def is_symmetric(expression: Expression, i: int, j: int) -> bool:
    """Two features may change places and the function is the same."""
    return sorted_out(expression) == sorted_out(swapped(expression, i, j))


def is_of_sum(expression: Expression, features: int) -> bool:
    """The function is one of `x1 + x2 + …` alone."""
    if features == 1:
        return True
    if not isinstance(expression, Sum):
        return bool(expression.parts) and all(is_of_sum(part, features) for part in expression.parts)
    weights = {p.place: w for p, w in zip(expression.parts, expression.weights, strict=True) if isinstance(p, Variable)}
    whole = not weights or (len(weights) == features and len(set(weights.values())) == 1)
    return whole and all(is_of_sum(p, features) for p in expression.parts if not isinstance(p, Variable))


def tidy(expression: Expression) -> Expression:
    """Sums in sums are one, equal terms are taken together, what is multiplied by 0 goes."""
    return expression.mapped(_tidied)


def sorted_out(expression: Expression) -> Expression:
    """Tidy, with terms, factors and parts in an order that does not depend on how it was written."""

    def ordered(node: Expression) -> Expression:
        if isinstance(node, Sum):
            pairs = sorted(zip(node.parts, node.weights, strict=True), key=repr)
            return Sum(tuple(p for p, _ in pairs), tuple(w for _, w in pairs), node.constant)
        if isinstance(node, Product | Extreme):
            return node.with_parts(tuple(sorted(node.parts, key=repr)))
        return node

    return tidy(expression.mapped(ordered)).mapped(ordered)


def _tidied(node: Expression) -> Expression:
    if isinstance(node, Product):
        return _tidied_product(node)
    if isinstance(node, Power):
        scale, base = _scaled(node.base)
        core = Power(base, node.exponent) if node.exponent > 1 and base != number(1.0) else base
        return core if scale == 1 else _tidied(Sum((core,), (scale**node.exponent,)))
    if isinstance(node, Extreme) and len(node.parts) == 1:
        return node.parts[0]
    if not isinstance(node, Sum):
        return node
    constant, terms = node.constant, dict[Expression, float]()
    for part, weight in zip(node.parts, node.weights, strict=True):
        inner = part if isinstance(part, Sum) else Sum((part,), (1.0,))
        constant += weight * inner.constant
        for own, w in zip(inner.parts, inner.weights, strict=True):
            terms[own] = round(terms.get(own, 0.0) + weight * w, 12)
    kept = {part: weight for part, weight in terms.items() if weight}
    alone = len(kept) == 1 and constant == 0 and 1.0 in kept.values()
    return next(iter(kept)) if alone else Sum(tuple(kept), tuple(kept.values()), round(constant, 12))


def _tidied_product(node: Product) -> Expression:
    """Factors in front, equal parts as powers."""
    pairs = [_scaled(part) for part in node.parts]
    scale = math.prod(factor for factor, _ in pairs)
    cores = [core for _, core in pairs if core != number(1.0)]
    powers = [core if cores.count(core) == 1 else Power(core, cores.count(core)) for core in dict.fromkeys(cores)]
    whole = powers[0] if len(powers) == 1 else Product(tuple(powers)) if powers else number(1.0)
    return whole if scale == 1 else _tidied(Sum((whole,), (scale,)))


def _scaled(part: Expression) -> tuple[float, Expression]:
    """A factor, and what it multiplies: 2 and x1 of `2 x1`, a number and 1 of a number."""
    if isinstance(part, Sum) and not part.parts:
        return part.constant, number(1.0)
    if isinstance(part, Sum) and len(part.parts) == 1 and not part.constant:
        return part.weights[0], part.parts[0]
    return 1.0, part


# ------------------------------------------------------------------------------------------------ which way it runs


def direction(expression: Expression, place: int, box: Box) -> int | None:
    """1 if the function never falls along a feature anywhere in the box, −1 if it never rises, 0 if it stays the same;
    None if that cannot be seen."""
    own = [direction(part, place, box) for part in expression.parts]
    match expression:
        case Variable():
            return int(expression.place == place)
        case Sum():
            return _joined([None if d is None else d * _sign(w) for d, w in zip(own, expression.weights, strict=True)])
        case Product():
            signs = [_side(bounds(part, box)) for part in expression.parts]
            return _joined([_times(d, *signs[:k], *signs[k + 1 :]) for k, d in enumerate(own)])
        case Power():
            even = expression.exponent % 2 == 0
            return _times(own[0], _side(bounds(expression.base, box))) if even else own[0]
        case _:  # bends and extremes rise with their parts
            return _joined(own)


def bounds(expression: Expression, box: Box) -> tuple[float, float]:
    """Numbers between which the function stays in the box."""
    own = [bounds(part, box) for part in expression.parts]
    match expression:
        case Variable():
            return box[expression.place]
        case Sum():
            ends = [sorted((w * low, w * high)) for w, (low, high) in zip(expression.weights, own, strict=True)]
            return sum(e[0] for e in ends) + expression.constant, sum(e[1] for e in ends) + expression.constant
        case Bend():
            low, high = BENDS[expression.kind](torch.tensor(own[0], dtype=torch.float64)).tolist()
            return low, high
        case Extreme():
            pick = max if expression.kind == "max" else min
            return pick(low for low, _ in own), pick(high for _, high in own)
        case Power():
            powers = [end**expression.exponent for end in own[0]]
            across = expression.exponent % 2 == 0 and own[0][0] < 0 < own[0][1]
            return (0.0 if across else min(powers)), max(powers)
        case _:
            low, high = own[0]
            for other in own[1:]:
                corners = [a * b for a in (low, high) for b in other]
                low, high = min(corners), max(corners)
            return low, high


def _side(ends: tuple[float, float]) -> int | None:
    """1 for what is never negative, −1 for what is never positive, None for what may be both."""
    return 1 if ends[0] >= 0 else -1 if ends[1] <= 0 else None


def _times(way: int | None, *signs: int | None) -> int | None:
    """A direction times signs; what stays the same does so whatever they are."""
    if way == 0:
        return 0
    known = [sign for sign in (way, *signs) if sign is not None]
    return math.prod(known) if len(known) == 1 + len(signs) else None


def _sign(weight: float) -> int:
    return (weight > 0) - (weight < 0)


def _joined(directions: Sequence[int | None]) -> int | None:
    """Of several together: what those say that are not 0, if they agree."""
    said = set(directions) - {0}
    return 0 if not said else said.pop() if len(said) == 1 else None
