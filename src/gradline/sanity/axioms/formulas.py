"""Functions that are written down: trees that can be evaluated, read aloud, taken apart and made simpler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import torch
from torch import Tensor, nn

BENDS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": nn.functional.softplus,
    "relu": torch.relu,
}
"""Functions of one number; none of them ever falls."""


class Expression(ABC):
    """A function of the features x1, x2 …: a node and its `parts`."""

    parts: tuple[Expression, ...]

    @abstractmethod
    def values(self, x: Tensor) -> Tensor:
        """At points `(R, D)`: `(R,)`."""

    @abstractmethod
    def with_parts(self, parts: tuple[Expression, ...]) -> Expression:
        """The same node over other parts."""

    @property
    @abstractmethod
    def words(self) -> str:
        """As it is written on paper."""

    def nodes(self) -> Iterator[Expression]:
        """Itself and everything below."""
        yield self
        for part in self.parts:
            yield from part.nodes()

    def mapped(self, change: Callable[[Expression], Expression]) -> Expression:
        """With every node changed, the parts first."""
        return change(self.with_parts(tuple(part.mapped(change) for part in self.parts)))


@dataclass(frozen=True)
class Variable(Expression):
    """The feature at a `place`, counted from 0; written from 1."""

    place: int

    @property
    def parts(self) -> tuple[Expression, ...]:  # type: ignore[override]
        return ()

    def with_parts(self, parts: tuple[Expression, ...]) -> Expression:
        return self

    def values(self, x: Tensor) -> Tensor:
        return x[:, self.place]

    @property
    def words(self) -> str:
        return f"x{self.place + 1}"


@dataclass(frozen=True)
class Sum(Expression):
    """`Σ_k weights_k parts_k + constant`; without parts a number."""

    parts: tuple[Expression, ...]
    weights: tuple[float, ...]
    constant: float = 0.0

    def with_parts(self, parts: tuple[Expression, ...]) -> Expression:
        return replace(self, parts=parts)

    def values(self, x: Tensor) -> Tensor:
        total = x.new_full((len(x),), self.constant)
        for weight, part in zip(self.weights, self.parts, strict=True):
            total = total + weight * part.values(x)
        return total

    @property
    def words(self) -> str:
        said = ""
        for weight, part in zip(self.weights, self.parts, strict=True):
            size = "" if abs(weight) == 1 else f"{spelled(abs(weight))} "
            said += _signed(weight, size + _closed(part, Sum), bool(said))
        return said + _signed(self.constant, spelled(abs(self.constant)), bool(said)) if self.constant else said or "0"


@dataclass(frozen=True)
class Product(Expression):
    """The product of its parts."""

    parts: tuple[Expression, ...]

    def with_parts(self, parts: tuple[Expression, ...]) -> Expression:
        return Product(parts)

    def values(self, x: Tensor) -> Tensor:
        total = self.parts[0].values(x)
        for part in self.parts[1:]:
            total = total * part.values(x)
        return total

    @property
    def words(self) -> str:
        return "·".join(_closed(part, Sum) for part in self.parts)


@dataclass(frozen=True)
class Power(Expression):
    """A whole power of its part."""

    base: Expression
    exponent: int

    @property
    def parts(self) -> tuple[Expression, ...]:  # type: ignore[override]
        return (self.base,)

    def with_parts(self, parts: tuple[Expression, ...]) -> Expression:
        return Power(parts[0], self.exponent)

    def values(self, x: Tensor) -> Tensor:
        return self.base.values(x) ** self.exponent

    @property
    def words(self) -> str:
        sign = {2: "²", 3: "³"}.get(self.exponent, f"^{self.exponent}")
        return f"{_closed(self.base, Sum, Product, Power)}{sign}"


@dataclass(frozen=True)
class Bend(Expression):
    """One of `BENDS` of its part."""

    kind: str
    inner: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:  # type: ignore[override]
        return (self.inner,)

    def with_parts(self, parts: tuple[Expression, ...]) -> Expression:
        return Bend(self.kind, parts[0])

    def values(self, x: Tensor) -> Tensor:
        return BENDS[self.kind](self.inner.values(x))

    @property
    def words(self) -> str:
        return f"{self.kind}({self.inner.words})"


@dataclass(frozen=True)
class Extreme(Expression):
    """The `kind`, "min" or "max", of its parts."""

    kind: str
    parts: tuple[Expression, ...]

    def with_parts(self, parts: tuple[Expression, ...]) -> Expression:
        return Extreme(self.kind, parts)

    def values(self, x: Tensor) -> Tensor:
        every = torch.stack([part.values(x) for part in self.parts])
        return every.amax(0) if self.kind == "max" else every.amin(0)

    @property
    def words(self) -> str:
        return f"{self.kind}({', '.join(part.words for part in self.parts)})"


class Model(nn.Module):
    """An expression as a network without weights: `(R, D)` to `(R, 1)`."""

    def __init__(self, expression: Expression) -> None:
        super().__init__()
        self.expression = expression

    def forward(self, x: Tensor) -> Tensor:
        return (self.expression.values(x) + 0 * x.sum(1)).unsqueeze(1)  # a constant has a gradient too


def number(value: float) -> Sum:
    """A constant."""
    return Sum((), (), value)


def spelled(value: float) -> str:
    """A number as it is written in a formula."""
    return f"{value:.6g}".replace("-", "−")


def kinks(expression: Expression) -> Iterator[Expression]:
    """What is 0 where the function has no gradient."""
    for node in expression.nodes():
        if isinstance(node, Bend) and node.kind == "relu":
            yield node.inner
        elif isinstance(node, Extreme):
            for one, other in combinations(node.parts, 2):
                yield Sum((one, other), (1.0, -1.0))


def _signed(weight: float, text: str, after: bool) -> str:
    minus = weight < 0
    return f" {'−' if minus else '+'} {text}" if after else f"{'−' * minus}{text}"


def _closed(part: Expression, *open_kinds: type[Expression]) -> str:
    """In brackets if it would be read wrongly without."""
    return f"({part.words})" if isinstance(part, open_kinds) else part.words
