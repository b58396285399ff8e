"""Edges with their scores, and the circuits that they suggest."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.neurons.circuits.graph import Graph


@dataclass(frozen=True, eq=False)
class Edges:
    """Scores of all edges: `values (N, E)`, positive where an edge raises F(clean) over F(corrupted).

    `score`, `baseline_score (N,)`: F(clean), F(corrupted). `evaluations`, `forward_evaluations (N,)`: gradients and
    forwards spent. All on the CPU; values in float64. `names`: of the edges, see `gl.neurons.Graph`.
    """

    graph: Graph
    values: Tensor = field(repr=False)
    score: Tensor = field(repr=False)
    baseline_score: Tensor = field(repr=False)
    evaluations: Tensor = field(repr=False)
    forward_evaluations: Tensor = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return self.graph.names

    @cached_property
    def mean(self) -> Tensor:
        """Over examples: `(E,)`."""
        return self.values.mean(0)

    @property
    def completeness_gap(self) -> Tensor:
        """Σ over edges from the input − (F(clean) − F(corrupted)): the rule's error, `(N,)`. Other edges claim none."""
        first = self.graph.ends[0] == 0
        return self.values[:, first].sum(1) - (self.score - self.baseline_score)

    def top(self, n: int = 10) -> list[tuple[str, float]]:
        """The n edges of largest mean score by absolute value, with it."""
        order = self.mean.abs().argsort(descending=True, stable=True)[: _count(n, self.graph.size)]
        return [(self.names[i], float(self.mean[i])) for i in order.tolist()]

    @cached_property
    def nodes(self) -> dict[str, float]:
        """The score of each source: the sum over the edges that leave it, Δz_u · the mean of ∂F/∂z_u, over examples."""
        totals = torch.zeros(len(self.graph.sources), dtype=torch.float64, device="cpu")
        totals.index_add_(0, self.graph.ends[0], self.mean)
        return dict(zip(self.graph.sources, totals.tolist(), strict=True))

    def largest(self, n: int) -> Circuit:
        """The n edges of largest mean score by absolute value, without those that then lead nowhere."""
        kept = torch.zeros(self.graph.size, dtype=torch.bool, device="cpu")
        kept[self.mean.abs().argsort(descending=True, stable=True)[: _count(n, self.graph.size)]] = True
        return Circuit(self.graph, kept).pruned()

    def above(self, threshold: float) -> Circuit:
        """The edges with a mean score of at least `threshold` by absolute value, without those that lead nowhere."""
        if not threshold >= 0:
            raise InputError("a threshold of at least 0", f"{threshold}")
        return Circuit(self.graph, self.mean.abs() >= threshold).pruned()

    def greedy(self, n: int) -> Circuit:
        """From the logits backwards n edges, each time that of largest score into a part which is already there."""
        graph, size = self.graph, self.mean.abs().tolist()
        leads: dict[int, list[int]] = {}
        for v, target in enumerate(graph.targets):
            for u in target.feeds:
                leads.setdefault(u, []).append(v)
        kept = torch.zeros(graph.size, dtype=torch.bool, device="cpu")
        opened: set[int] = set()
        heap: list[tuple[float, int]] = []

        def open_up(targets: list[int]) -> None:
            for v in targets:
                if v not in opened:
                    opened.add(v)
                    for e in range(graph.starts[v], graph.starts[v + 1]):
                        heapq.heappush(heap, (-size[e], e))

        open_up([len(graph.targets) - 1])
        source = graph.ends[0].tolist()
        for _ in range(_count(n, graph.size)):
            if not heap:
                break
            _, edge = heapq.heappop(heap)
            kept[edge] = True
            open_up(leads.get(source[edge], []))
        return Circuit(graph, kept).pruned()

    def __repr__(self) -> str:
        best = ", ".join(f"{name} {value:.3g}" for name, value in self.top(3))
        return f"Edges({self.graph.size} edges, {len(self.values)} examples; largest: {best})"


@dataclass(frozen=True, eq=False)
class Circuit:
    """Some edges of a graph: `kept (E,)`."""

    graph: Graph
    kept: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        shape = (self.graph.size,)
        if not isinstance(self.kept, Tensor) or self.kept.shape != shape or self.kept.dtype != torch.bool:
            raise InputError(f"kept as a boolean tensor of shape {shape}, one for each edge", repr(self.kept))

    def __len__(self) -> int:
        return int(self.kept.sum())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its edges."""
        return tuple(self.graph.names[e] for e in self.kept.nonzero()[:, 0].tolist())

    @property
    def nodes(self) -> dict[str, int]:
        """The sources of its edges, with how many leave them, most first."""
        source = self.graph.ends[0][self.kept.cpu()].tolist()
        return {self.graph.sources[u]: count for u, count in Counter(source).most_common()}

    def complement(self) -> Circuit:
        """All other edges."""
        return Circuit(self.graph, ~self.kept)

    def pruned(self) -> Circuit:
        """Without edges that lie on no way from the input to the logits: those change nothing."""
        graph, kept = self.graph, self.kept.tolist()
        source = graph.ends[0].tolist()
        alive = {0}
        for v, target in enumerate(graph.targets):
            if any(kept[e] and source[e] in alive for e in range(graph.starts[v], graph.starts[v + 1])):
                alive.update(target.feeds)
        useful: set[int] = set()
        found = torch.zeros(graph.size, dtype=torch.bool, device="cpu")
        for v, target in reversed(list(enumerate(graph.targets))):
            if target.feeds and not useful.intersection(target.feeds):
                continue
            for e in range(graph.starts[v], graph.starts[v + 1]):
                if kept[e] and source[e] in alive:
                    found[e] = True
                    useful.add(source[e])
        return Circuit(graph, found)


def circuit_of(graph: Graph, names: tuple[str, ...] | list[str] | set[str]) -> Circuit:
    """The circuit of edges with these names. Raises `InputError`."""
    known = {name: e for e, name in enumerate(graph.names)}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise InputError("names of edges such as " + repr(graph.names[0]), repr(wrong[0]))
    kept = torch.zeros(graph.size, dtype=torch.bool, device="cpu")
    kept[[known[name] for name in names]] = True
    return Circuit(graph, kept)


def _count(n: object, most: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InputError("a number of edges of at least 1", repr(n))
    return min(n, most)
