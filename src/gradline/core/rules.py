"""Quadrature rules on [0, 1]: nodes and weights in float64; the weights of every rule sum to one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from gradline.core.random import generator
from gradline.errors import InputError

Table = tuple[np.ndarray, np.ndarray]

UNIFORM = 0.25
"""Share of the nodes of `ByOutputChange` that are spread evenly, whatever the score does."""


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One of an example's `draws` paths. `score (probes + 1,)`: at the edges of equal cells, None if not known."""

    seed: int
    name: str
    draw: int
    draws: int
    score: np.ndarray | None

    def source(self, part: str) -> torch.Generator:
        """Random numbers of this path alone."""
        return generator(self.seed, self.name, part, self.draw)


class Rule(ABC):
    """Where on the path a fixed number of gradients is read and how much each counts.

    A rule carries no node count: `steps=` of the call says how many. `random`: every example has nodes of its own.
    `probes`: cells of the uniform grid on which the rule wants to know the score, which costs no gradient; 0 for none.
    """

    minimum = 1
    random = False
    probes: int = 0

    @abstractmethod
    def nodes(self, n: int, source: torch.Generator) -> Table:
        """Nodes `(n,)` ascending in [0, 1] and weights `(n,)`; `source` is the example's own generator."""

    def on(self, n: int, way: Way) -> Table:
        """The same for one path of an example, of which a rule may want to know more."""
        return self.nodes(n, way.source(type(self).__name__))

    def table(
        self,
        n: int,
        names: tuple[str, ...],
        seed: int,
        draw: int = 0,
        draws: int = 1,
        values: np.ndarray | None = None,
    ) -> Table:
        """Nodes and weights `(B, n)`, a row for each example name, for one of its `draws` paths.

        `values (B, probes + 1)`: the score at the edges of `probes` equal cells of that path, None if it is not known.
        Raises `InputError` if the rule cannot be built on `n` nodes.
        """
        self.check(n)
        own = len(names) if self.random or values is not None else 1
        ways = (Way(seed, names[k], draw, draws, None if values is None else values[k]) for k in range(own))
        rows = [self.on(n, way) for way in ways]
        shape = (len(names), n)
        t, w = (np.broadcast_to(np.stack(column), shape).copy() for column in zip(*rows, strict=True))
        return t, w

    def check(self, n: int) -> None:
        """Raise `InputError` unless the rule can be built on `n` nodes."""
        if n < self.minimum:
            raise InputError(f"steps >= {self.minimum} for {type(self).__name__}", f"steps={n}")


def _equal(n: int) -> np.ndarray:
    return np.full(n, 1.0 / n)


@dataclass(frozen=True)
class GaussLegendre(Rule):
    """Gauss–Legendre: exact for polynomials of degree 2n − 1; ends not read. Captum's default rule."""

    def nodes(self, n: int, source: torch.Generator) -> Table:
        t, w = np.polynomial.legendre.leggauss(n)
        return (t + 1) / 2, w / 2


@dataclass(frozen=True)
class Midpoint(Rule):
    """Midpoints of n equal cells: exact for degree 1; ends not read. Default of a fixed budget."""

    def nodes(self, n: int, source: torch.Generator) -> Table:
        return (np.arange(n) + 0.5) / n, _equal(n)


@dataclass(frozen=True)
class LeftRiemann(Rule):
    """Left ends of n equal cells: exact for degree 0; reads the baseline, not the input."""

    def nodes(self, n: int, source: torch.Generator) -> Table:
        return np.arange(n) / n, _equal(n)


@dataclass(frozen=True)
class RightRiemann(Rule):
    """Right ends of n equal cells: exact for degree 0. The sum of the IG paper (Sundararajan et al. 2017, eq. 3)."""

    def nodes(self, n: int, source: torch.Generator) -> Table:
        return (np.arange(n) + 1) / n, _equal(n)


@dataclass(frozen=True)
class Trapezoid(Rule):
    """n equally spaced nodes, both ends included, half weight at the ends: exact for degree 1.

    Captum's `riemann_trapezoid` has weights that sum to 1 − 1/n; these sum to one.
    """

    minimum = 2

    def nodes(self, n: int, source: torch.Generator) -> Table:
        w = np.full(n, 1.0 / (n - 1))
        w[[0, -1]] /= 2
        return np.linspace(0.0, 1.0, n), w


@dataclass(frozen=True)
class Simpson(Rule):
    """Composite Simpson on an odd number of equally spaced nodes, both ends included: exact for degree 3."""

    minimum = 3

    def check(self, n: int) -> None:
        super().check(n)
        if n % 2 == 0:
            raise InputError("an odd number of steps for Simpson", f"steps={n}", f"use steps={n + 1}")

    def nodes(self, n: int, source: torch.Generator) -> Table:
        w = np.where(np.arange(n) % 2 == 1, 4.0, 2.0)
        w[[0, -1]] = 1.0
        return np.linspace(0.0, 1.0, n), w / w.sum()


@dataclass(frozen=True)
class MonteCarlo(Rule):
    """n independent uniform nodes, each example its own: unbiased, error falls as 1/√n."""

    random = True

    def nodes(self, n: int, source: torch.Generator) -> Table:
        return np.sort(torch.rand(n, generator=source, dtype=torch.float64, device="cpu").numpy()), _equal(n)


@dataclass(frozen=True)
class Stratified(Rule):
    """One uniform node in each of n equal cells, each example its own: unbiased, less variance than Monte Carlo.

    Over K paths of an example it is a Latin hypercube: every cell is cut into K, and each path is dealt one piece.
    """

    random = True

    def nodes(self, n: int, source: torch.Generator) -> Table:
        return self._within(np.zeros(n), 1, source), _equal(n)

    def on(self, n: int, way: Way) -> Table:
        part = type(self).__name__
        deal = generator(way.seed, way.name, f"{part} deal")
        deck = torch.rand(n, way.draws, generator=deal, device="cpu").argsort(1)
        return self._within(deck[:, way.draw % way.draws].numpy(), way.draws, way.source(part)), _equal(n)

    @staticmethod
    def _within(piece: np.ndarray, pieces: int, source: torch.Generator) -> np.ndarray:
        n = len(piece)
        u = torch.rand(n, generator=source, dtype=torch.float64, device="cpu").numpy()
        return np.asarray((np.arange(n) + (piece + u) / pieces) / n)


@dataclass(frozen=True)
class ByOutputChange(Rule):
    """Midpoints of n cells that are narrow where the score changes: exact for degree 1; ends not read.

    The score at the edges of `probes` equal cells, which takes probes − 1 forwards a path, says how much it changes in
    each; the density of cells is proportional to √|ΔF|, mixed with a quarter of the uniform one. Where the score is
    the same everywhere, not finite or not known, the cells are equal. After the non-uniform interpolation of Bhat and
    Raychowdhury (2023).
    """

    probes: int = 16

    def check(self, n: int) -> None:
        super().check(n)
        if self.probes < 2:
            raise InputError("at least 2 probes for ByOutputChange", f"probes={self.probes}", "Midpoint asks for none")

    def nodes(self, n: int, source: torch.Generator) -> Table:
        return Midpoint().nodes(n, source)

    def on(self, n: int, way: Way) -> Table:
        if way.score is None:
            return super().on(n, way)
        edges = _equal_mass(n, way.score)
        return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def _equal_mass(n: int, value: np.ndarray) -> np.ndarray:
    """Edges `(n + 1,)` of n cells in which the score, known at equal distances, changes about equally much."""
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.sqrt(np.abs(np.diff(value)))
    total = change.sum()
    if not 0 < total < np.inf:
        return np.linspace(0.0, 1.0, n + 1)
    share = (1 - UNIFORM) * change / total + UNIFORM / len(change)
    mass = np.concatenate([[0.0], share.cumsum()])
    return np.interp(np.linspace(0.0, 1.0, n + 1), mass / mass[-1], np.linspace(0.0, 1.0, len(mass)))


RULES: tuple[type[Rule], ...] = (
    GaussLegendre,
    Midpoint,
    LeftRiemann,
    RightRiemann,
    Trapezoid,
    Simpson,
    MonteCarlo,
    Stratified,
    ByOutputChange,
)
