"""Partial maps: what the path has contributed when a given share of it is walked."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradline.core.flow import Step
from gradline.core.method import Method
from gradline.errors import InputError

FAR = 0.5
"""How far beyond two nodes their line is followed, in units of their distance; further out the map stays as it is."""


@dataclass(slots=True, eq=False)
class _Node:
    """The map of a node, per unit of path, and where on which path it was read."""

    draw: int
    t: float
    map: Tensor


class Stages:
    """Integrals of the node maps of N examples over equal stretches of the path, as steps come in.

    Between nodes the map is taken to be linear in t, before the first and after the last as between the nearest two.
    What the rule makes of the same nodes differs a little from that; it is handed out evenly over the path, so that the
    last partial map is the map. A rule's own weights cannot be used: a smooth rule has negative ones.
    """

    def __init__(self, values: Tensor, method: Method) -> None:
        self.method, self.count = method, method.stages
        self.sums = values.new_zeros((len(values), self.count, *values.shape[1:]))
        self.last: list[tuple[_Node, ...]] = [()] * len(values)

    def add(self, owner: Tensor, step: Step) -> None:
        """Take in the rows of a step, ascending in t on each path."""
        if step.t is None or step.draw is None:
            raise InputError(f"a path that says where it is, for the stages of {self.method.name}", "steps without t")
        assert step.reading.grad is not None
        maps = self.method.accumulator.node_map(step.reading.grad, step.move) / self.method.draws
        maps = maps.expand(step.reading.grad.shape)
        rows = zip(owner.tolist(), step.draw.tolist(), step.t.tolist(), maps, strict=True)
        for example, draw, t, one in rows:
            self._walk(example, _Node(draw, t, one.to(self.sums)))

    def maps(self, values: Tensor) -> Tensor:
        """The map of the path up to the end of each stretch, `(N, stages, *G)`, where `values` is all of it."""
        for example in range(len(self.last)):
            self._end(example)
        partial = self.sums.cumsum(1)
        share = values.new_tensor([(k + 1) / self.count for k in range(self.count)])
        missing = (values - partial[:, -1]).unsqueeze(1)
        return partial + share.reshape(1, -1, *[1] * (values.ndim - 1)) * missing

    def _walk(self, example: int, node: _Node) -> None:
        """On to the next node of an example."""
        if self.last[example] and self.last[example][-1].draw != node.draw:
            self._end(example)
        before = self.last[example][-1:]
        if before:
            first = len(self.last[example]) == 1
            self._integrate(example, 0.0 if first else before[0].t, node.t, before[0], node)
        self.last[example] = (*before, node)

    def _end(self, example: int) -> None:
        """The path of an example is at its end."""
        match self.last[example]:
            case (only,):
                self._integrate(example, 0.0, 1.0, only, only)
            case (before, last):
                self._integrate(example, last.t, 1.0, before, last)
        self.last[example] = ()

    def _integrate(self, example: int, begin: float, end: float, one: _Node, two: _Node) -> None:
        """Add the integral over [begin, end] of the line through two nodes to the stages it lies in."""
        for stage in range(int(begin * self.count), self.count):
            low, high = max(begin, stage / self.count), min(end, (stage + 1) / self.count)
            if low >= end:
                break
            if high > low:
                place = (low + high) / 2 - one.t
                share = place / (two.t - one.t) if two.t > one.t else 0.5
                share = min(max(share, -FAR), 1 + FAR)
                self.sums[example, stage] += (high - low) * (one.map + share * (two.map - one.map))
