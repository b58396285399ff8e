"""Nodes and edges of a residual transformer, by name and in the order of computation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gradline.neurons.circuits.wiring import Attention, Mlp, Wiring


@dataclass(frozen=True)
class Target:
    """An input that edges lead to. `before`: how many sources come before it, each with an edge to it; `feeds`: the
    sources that this input makes, none for the logits."""

    name: str
    before: int
    feeds: tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where the stream is read: by a block's attention or MLP, or at the end (`part` None).

    `first`, `count`: its targets. `before`: sources that it sees; `sources`: the number of its first one.
    """

    label: str
    part: Attention | Mlp | None
    first: int
    count: int
    before: int
    sources: int


@dataclass(frozen=True)
class Graph:
    """The graph of a wiring. Sources are "input", "a0.h1" (layer 0, head 1) and "m0"; targets "a0.h1<q>", "a0.h1<k>",
    "a0.h1<v>", "m0" and "logits"; where query heads share keys and values these have heads of their own, "a0.kv0<k>".

    An edge "a0.h1->m0" leads from a source to a target that is computed later. Edges are ordered by target.
    """

    wiring: Wiring

    @cached_property
    def places(self) -> tuple[Place, ...]:
        found: list[Place] = []
        targets, sources = 0, 1
        for layer, block in enumerate(self.wiring.blocks):
            entered = sources
            if block.attention is not None:
                heads, key_heads = block.attention.heads, block.attention.key_heads or block.attention.heads
                found.append(Place(f"a{layer}", block.attention, targets, heads + 2 * key_heads, sources, sources))
                targets, sources = targets + heads + 2 * key_heads, sources + heads
            if block.mlp is not None:
                before = entered if block.parallel else sources
                found.append(Place(f"m{layer}", block.mlp, targets, 1, before, sources))
                targets, sources = targets + 1, sources + 1
        return (*found, Place("logits", None, targets, 1, sources, sources))

    @cached_property
    def sources(self) -> tuple[str, ...]:
        names = ["input"]
        for place in self.places:
            if isinstance(place.part, Attention):
                names += [f"{place.label}.h{h}" for h in range(place.part.heads)]
            elif place.part is not None:
                names.append(place.label)
        return tuple(names)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        return tuple(target for place in self.places for target in _targets(place))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The number of the first edge into each target, and of edges in all."""
        found = [0]
        for target in self.targets:
            found.append(found[-1] + target.before)
        return tuple(found)

    @property
    def size(self) -> int:
        """How many edges there are."""
        return self.starts[-1]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each edge."""
        return tuple(f"{u}->{v.name}" for v in self.targets for u in self.sources[: v.before])

    @cached_property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Of each edge the number of its source and of its target: `(E,)` both."""
        before = [target.before for target in self.targets]
        source = torch.cat([torch.arange(b, device="cpu") for b in before])
        return source, torch.arange(len(before), device="cpu").repeat_interleave(torch.tensor(before, device="cpu"))

    def into(self, place: Place) -> slice:
        """The edges into the targets of a place: `count` rows of `before`."""
        return slice(self.starts[place.first], self.starts[place.first + place.count])


def _targets(place: Place) -> Iterator[Target]:
    part, label, before = place.part, place.label, place.before
    if not isinstance(part, Attention):
        yield Target(label, before, () if part is None else (place.sources,))
        return
    key_heads = part.key_heads or part.heads
    shared = part.heads // key_heads
    for h in range(part.heads):
        yield Target(f"{label}.h{h}<q>", before, (place.sources + h,))
    for letter in "kv":
        for k in range(key_heads):
            name = f"{label}.{'h' if shared == 1 else 'kv'}{k}<{letter}>"
            yield Target(name, before, tuple(place.sources + k * shared + j for j in range(shared)))
