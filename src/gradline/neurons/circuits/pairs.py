"""Clean and corrupted examples side by side: checked, and run through a model whose stream is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradline.engine import settled
from gradline.engine.memory import parse
from gradline.errors import InputError, ModelError, SiteError
from gradline.neurons.circuits.check import verify
from gradline.neurons.circuits.graph import Graph
from gradline.neurons.circuits.stream import Reader, Trace, movements, readers, tracing
from gradline.neurons.circuits.wiring import Wiring, wiring_of
from gradline.question.bound import BoundScore
from gradline.question.inputs import Inputs
from gradline.question.score import Score
from gradline.question.sites import Layer
from gradline.question.targets.base import Target

MOST_ROWS = 64
"""Examples in a batch at the most."""

FORWARDS = 3
"""Forwards an example: to settle the target, clean and corrupted."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some of the pairs. `start`, `way (R, T, D)`: the corrupted embeddings, and from there to the clean ones;
    `moves (U, R, T, D)`: how what each source writes moves; `score`, `baseline_score (R,)`."""

    owner: Tensor
    start: Tensor
    way: Tensor
    corrupted: Trace
    moves: Tensor
    score: Tensor
    baseline_score: Tensor


@dataclass(frozen=True, eq=False)
class Pairs:
    """N pairs. `score`: bound to the clean examples and driven at the embeddings; `other`: to the corrupted ones."""

    graph: Graph
    places: tuple[Reader, ...]
    score: BoundScore
    other: BoundScore
    target: Target
    limit: int

    @property
    def rows(self) -> int:
        return self.score.inputs.rows

    def chunks(self) -> Iterator[Chunk]:
        """All pairs, as many at a time as the memory takes."""
        every = torch.arange(self.rows, device="cpu")
        width = self._width(self.score.lift({}, every[:1]))
        for part, owner in enumerate(torch.split(every, width)):
            yield self._chunk(owner, check=part == 0)

    def _width(self, embedded: Tensor) -> int:
        if embedded.ndim != 3:
            expected = "an embedding of shape (N, T, D), positions behind the batch axis"
            raise SiteError(expected, f"shape {tuple(embedded.shape)}")
        widest = max(place.count for place in self.graph.places)
        copies = len(self.graph.sources) + 4 * widest + 8 * len(self.graph.places)
        return max(1, min(MOST_ROWS, self.limit // (copies * embedded[0].numel() * max(4, embedded.element_size()))))

    def _chunk(self, owner: Tensor, *, check: bool) -> Chunk:
        with torch.no_grad():
            end, start = self.score.lift({}, owner), self.other.lift({}, owner)
            (score, clean), (baseline, corrupted) = self._seen(end, owner), self._seen(start, owner)
            moves = movements(self.places, clean, corrupted, end - start)
            if check:
                verify(self.places, clean, corrupted, moves)
            return Chunk(owner, start, end - start, corrupted, moves, score, baseline)

    def _seen(self, embedded: Tensor, owner: Tensor) -> tuple[Tensor, Trace]:
        with tracing(self.places) as trace:
            value = self.value(embedded, owner)
        return value.detach().cpu().double(), trace

    def value(self, embedded: Tensor, owner: Tensor) -> Tensor:
        """The scores `(R,)` with these embeddings in place of the examples'."""
        forward = self.score.forward(embedded, owner, [self.target])
        return self.score.picked(self.target, forward, owner)


def paired(score: Score, clean: Any, corrupted: Any, wiring: Wiring | None, *, memory: int | str | None) -> Pairs:
    """The pairs of a call, checked. Raises `InputError` and its kinds."""
    if not isinstance(score, Score):
        raise InputError("a gl.Score", type(score).__name__, "use gl.Score(model, target)")
    if score.asks_several or score.derivative is not None:
        raise InputError("a score with one target, differentiated automatically", "a list, or a derivative")
    if wiring is not None and not isinstance(wiring, Wiring):
        raise InputError("a wiring as gl.neurons.Wiring(…)", type(wiring).__name__)
    chosen = wiring_of(score.model) if wiring is None else wiring
    driven = replace(score, site=score.site or Layer(chosen.embedding))
    bound, other = driven.bind(clean), driven.bind(corrupted)
    _check_alike(bound.inputs, other.inputs)
    if bound.drive is None:
        raise SiteError("a path driven at the embeddings", f"{score.site}", "leave site out, or name their layer")
    graph = Graph(chosen)
    places = readers(graph, score.model)
    limit = parse(memory, bound.inputs.anchor.device)
    return Pairs(graph, places, bound, other, settled(driven, clean), limit)


def _check_alike(clean: Inputs, corrupted: Inputs) -> None:
    """Raise `InputError` unless the two differ in the values of one tensor alone."""
    shapes = [
        {name: tuple(v.shape) for name, v in inputs.entries.items() if isinstance(v, Tensor)}
        for inputs in (clean, corrupted)
    ]
    if shapes[0] != shapes[1]:
        remedy = "pairs are compared position by position: choose corruptions of as many tokens"
        raise InputError(f"corrupted examples like the clean ones, {_told(shapes[0])}", _told(shapes[1]), remedy)
    pairs = {name: (v, corrupted.entries[name]) for name, v in clean.entries.items() if isinstance(v, Tensor)}
    changed = [name for name, (one, two) in pairs.items() if not torch.equal(one, two.to(one.device))]
    if len(changed) > 1:
        got = ", ".join(changed)
        raise InputError(
            "examples that differ in their tokens alone", f"different {got}", "use the same attention mask"
        )


def _told(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name}: {shape}" if len(shapes) > 1 else f"shape {shape}" for name, shape in shapes.items())


def differentiated(pairs: Pairs, points: Tensor, owner: Tensor) -> tuple[Trace, dict[Any, Tensor]]:
    """A forward at embeddings `points (R, T, D)`, and the scores' gradients by what its trace keeps as `inner`."""
    with tracing(pairs.places) as trace:
        value = pairs.value(points.detach().clone().requires_grad_(), owner)
    modules = list(trace.inner)
    wanted = [trace.inner[module] for module in modules]
    if not value.requires_grad or not all(tensor.requires_grad for tensor in wanted):
        raise ModelError("no differentiable way from the embeddings through every part of the wiring to the target")
    grads = torch.autograd.grad(value.sum(), wanted, allow_unused=True)
    found = [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, grads, strict=True)]
    return trace, dict(zip(modules, found, strict=True))
