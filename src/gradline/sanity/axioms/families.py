"""Families of functions, from simple to involved, drawn with round numbers."""

from __future__ import annotations

from collections.abc import Callable

from gradline.sanity.axioms.algebra import tidy
from gradline.sanity.axioms.formulas import Bend, Expression, Extreme, Power, Product, Sum, Variable, number
from gradline.sanity.axioms.trials import Chance

Family = Callable[[Chance, int, bool], Expression]
"""A function of so many features; one that never falls where all features are at least 0, if that is wanted."""

SMOOTH = ("tanh", "sigmoid", "softplus")


def affine(chance: Chance, features: int, rising: bool) -> Sum:
    """`w·x + b`."""
    weights = tuple(_weight(chance, rising) for _ in range(features))
    return Sum(tuple(Variable(k) for k in range(features)), weights, chance.tenth(-1.0, 1.0))


def linear(chance: Chance, features: int, rising: bool) -> Expression:
    """`w·x`."""
    drawn = affine(chance, features, rising)
    return Sum(drawn.parts, drawn.weights)


def monomial(chance: Chance, features: int, rising: bool) -> Expression:
    """`w Π x_k^p_k`, powers from 1 to 3."""
    powers = [chance.pick((1, 1, 2, 3)) for _ in range(features)]
    factors = tuple(Variable(k) if p == 1 else Power(Variable(k), p) for k, p in enumerate(powers))
    return Sum((Product(factors),), (_weight(chance, rising),))


def polynomial(chance: Chance, features: int, rising: bool) -> Expression:
    """Two monomials and a linear function."""
    return Sum(tuple(draw(chance, features, rising) for draw in (monomial, monomial, linear)), (1.0, 1.0, 1.0))


def capped(chance: Chance, features: int, rising: bool) -> Expression:
    """`min(w·x + b, c)`: saturated beyond a point."""
    return Extreme("min", (affine(chance, features, rising), number(chance.tenth(0.1, 2.0))))


def ridge(chance: Chance, features: int, rising: bool) -> Expression:
    """`v h(w·x + b)` with a smooth h."""
    return Sum((Bend(chance.pick(SMOOTH), affine(chance, features, rising)),), (_weight(chance, rising),))


def extreme(chance: Chance, features: int, rising: bool) -> Expression:
    """The larger or the smaller of two or three affine functions."""
    several = tuple(affine(chance, features, rising) for _ in range(chance.whole(2, 3)))
    return Extreme(chance.pick(("max", "min")), several)


def relu_network(chance: Chance, features: int, rising: bool) -> Expression:
    """One hidden layer of one to six ReLU units."""
    return network(chance, features, rising, "relu", chance.whole(1, 6))


def smooth_network(chance: Chance, features: int, rising: bool) -> Expression:
    """One hidden layer of one to six smooth units."""
    return network(chance, features, rising, chance.pick(SMOOTH), chance.whole(1, 6))


def deep_network(chance: Chance, features: int, rising: bool) -> Expression:
    """Two hidden layers of two units, of two kinds."""
    kinds = (chance.pick(("relu", *SMOOTH)), chance.pick(SMOOTH))
    inner = [network(chance, features, rising, kinds[0], 2) for _ in range(2)]
    units = tuple(Bend(kinds[1], Sum((unit,), (1.0,), chance.tenth(-1.0, 1.0))) for unit in inner)
    return Sum(units, tuple(_weight(chance, rising) for _ in units))


FAMILIES: tuple[Family, ...] = (
    linear,
    monomial,
    ridge,
    capped,
    relu_network,
    polynomial,
    extreme,
    smooth_network,
    deep_network,
)
"""In the order in which they are asked about."""


def network(chance: Chance, features: int, rising: bool, kind: str, width: int) -> Sum:
    """`Σ_k v_k h(w_k·x + b_k)`: a hidden layer and what it is weighed by."""
    units = tuple(Bend(kind, affine(chance, features, rising)) for _ in range(width))
    return Sum(units, tuple(_weight(chance, rising) for _ in units))


def drawn(chance: Chance, features: int, place: int, rising: bool = False) -> Expression:
    """A function of the family that is at this place of the round."""
    return tidy(FAMILIES[place % len(FAMILIES)](chance, features, rising))


def _weight(chance: Chance, rising: bool) -> float:
    return chance.tenth(0.1 if rising else -2.0, 2.0)
