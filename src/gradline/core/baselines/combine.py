"""Baselines made of others: several averaged, one for each input, one at the site; and what is taken for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real

import torch
from torch import Tensor

from gradline.core.baselines.base import Baseline, Group
from gradline.core.baselines.image import PixelSpace
from gradline.core.baselines.plain import Constant, Given, Held, Repeated
from gradline.core.baselines.search import Search
from gradline.errors import BaselineError


@dataclass(frozen=True, init=False)
class Each(Baseline):
    """Several baselines; the map is the mean of the maps from all their starts. `Each` in `Each` is spread out.

    Parts at the site and searches are asked apart from the others: see `shares`.
    """

    parts: tuple[Baseline, ...]

    def __init__(self, *parts: object) -> None:
        if not parts:
            raise BaselineError("at least one baseline in Each", "none")
        object.__setattr__(self, "parts", tuple(p for part in parts for p in _spread(as_baseline(part))))

    @property
    def draws(self) -> int:
        return sum(p.draws for p in self.parts)

    @property
    def random(self) -> bool:
        return any(p.random for p in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for p in self.parts for name in p.names))

    def shares(self, group: Group) -> Iterator[tuple[Baseline, Group]]:
        """Every part, and the group as that part is asked for it: two equal parts draw different numbers."""
        first = group.first
        for part in self.parts:
            yield part, replace(group, first=first)
            first += part.draws

    def start(self, group: Group) -> Tensor:
        return torch.cat([part.start(share) for part, share in self.shares(group)], 1)

    def check(self, x: Tensor) -> None:
        for part in self.parts:
            part.check(x)

    def within(self, pixels: PixelSpace) -> Baseline:
        return Each(*(p.within(pixels) for p in self.parts))

    def of_input(self, name: str) -> Baseline | None:
        found = [(part.of_input(name), part.draws) for part in self.parts]
        if all(part is None for part, _ in found):
            return None
        return Each(*(Held(draws) if part is None else part for part, draws in found))


@dataclass(frozen=True, init=False)
class PerInput(Baseline):
    """A baseline for each input of a model with several: a tuple by position, or a mapping by name.

    What is None, or missing in a mapping, is held at x. Draw k of one input goes with draw k of the others; a part with
    a single start that is not drawn is repeated for all of them. `parts`: name ("0", "1" … in a tuple) to part.

    Raises `BaselineError` for parts with different numbers of draws, and if x is one tensor.
    """

    parts: Mapping[str, Baseline | None]

    def __init__(self, parts: tuple[object, ...] | Mapping[str, object]) -> None:
        named = dict(parts) if isinstance(parts, Mapping) else {str(k): part for k, part in enumerate(parts)}
        known = {str(name): None if part is None else as_baseline(part) for name, part in named.items()}
        object.__setattr__(self, "parts", known)
        if all(part is None for part in known.values()):
            raise BaselineError("a baseline for at least one input", f"{len(known)} of None" if known else "none")
        for name, part in known.items():
            if part is not None:
                _check_single(part, f"input {name}")
                if part.draws != self.draws and (part.draws != 1 or part.random):
                    counts = ", ".join(f"{n}: {p.draws}" for n, p in known.items() if p is not None)
                    remedy = f"ask for draws={self.draws} of each"
                    raise BaselineError("as many draws for every input", counts, remedy)

    def __hash__(self) -> int:
        return hash(frozenset(self.parts.items()))

    @property
    def draws(self) -> int:
        return max(part.draws for part in self.parts.values() if part is not None)

    @property
    def random(self) -> bool:
        return any(part is not None and part.random for part in self.parts.values())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.parts)

    def start(self, group: Group) -> Tensor:
        raise self._misplaced()

    def check(self, x: Tensor) -> None:
        raise self._misplaced()

    def within(self, pixels: PixelSpace) -> Baseline:
        return PerInput({name: None if part is None else part.within(pixels) for name, part in self.parts.items()})

    def of_input(self, name: str) -> Baseline | None:
        part = self.parts.get(name)
        return part if part is None or part.draws == self.draws else Repeated(part, self.draws)

    def _misplaced(self) -> BaselineError:
        return BaselineError("one baseline for one input", f"one for each of inputs {', '.join(self.names)}")


@dataclass(frozen=True, init=False)
class AtSite(Baseline):
    """A start where the path is driven: a part, a number or a tensor in the site's shape, not the model's input's.

    Other baselines are starts in input space, pushed through the model to the site.
    """

    part: Baseline
    at_site = True

    def __init__(self, part: object) -> None:
        object.__setattr__(self, "part", as_baseline(part))
        _check_single(self.part, "the site")

    @property
    def draws(self) -> int:
        return self.part.draws

    @property
    def random(self) -> bool:
        return self.part.random

    def start(self, group: Group) -> Tensor:
        return self.part.start(group)

    def check(self, x: Tensor) -> None:
        self.part.check(x)


def as_baseline(value: object) -> Baseline:
    """A part as it is, a tensor as `Given`, a number as `Constant`, a tuple or mapping as `PerInput`."""
    match value:
        case Baseline():
            return value
        case Tensor():
            return Given(value)
        case bool():
            pass
        case Integral():
            return Constant(int(value))
        case Real():
            return Constant(float(value))
        case tuple() | Mapping():
            return PerInput(value)
        case type() if issubclass(value, Baseline):
            raise BaselineError("a baseline", f"the class {value.__name__}", f"write {value.__name__}(...)")
    raise BaselineError(
        "a baseline such as gl.baselines.Blur(sigma=10), a tensor of x's shape, a number, or a tuple or dict of them "
        "for several inputs",
        type(value).__name__,
    )


def _spread(part: Baseline) -> tuple[Baseline, ...]:
    return part.parts if isinstance(part, Each) else (part,)


def _check_single(part: Baseline, place: str) -> None:
    """Raise `BaselineError` for a part that makes no sense for one input or at the site alone."""
    for one in _spread(part):
        if one.names or one.at_site or isinstance(one, Search):
            raise BaselineError(f"a plain baseline for {place}", type(one).__name__, "write it outermost")
