"""The sides of a straight path that is split, by a fixed rule on the whole of it: every cell is shared out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from gradline.core.fixed import Spread, fixed
from gradline.core.flow import Flow, Frame, Probe, Reading, Step, relay
from gradline.core.node_algebra import Array
from gradline.core.paths.base import FixedBudget
from gradline.core.paths.crossing import Split
from gradline.core.paths.straight import Straight
from gradline.status import Status


class Place(StrEnum):
    """Which side of the split; the name of its part of the map."""

    LEFT = "left"
    RIGHT = "right"


def shares(frame: Frame, split: Split, places: tuple[Place, ...], budget: FixedBudget) -> Flow:
    """The whole path by a rule; what a node counts for a side is the share of its cell that lies there."""
    reached = np.zeros((frame.examples, frame.draws))
    spread, alone = Spread(frame), len(places) == 1

    def ask(probe: Probe) -> Generator[Probe | Step, Reading, Reading]:
        return (yield probe)

    def tell(step: Step) -> Iterator[Step]:
        assert step.draw is not None
        draw = int(step.draw[0])
        weight = step.weight.reshape(frame.examples, -1).numpy() * frame.draws
        edges = reached[:, draw, None] + np.cumsum(weight, 1)
        reached[:, draw] = edges[:, -1]
        left = torch.from_numpy(_left_share(edges - weight, weight, split.t[:, draw, None]).reshape(-1))
        for place in places:
            share = left if place is Place.LEFT else 1 - left
            yield _told(_muted(step, share), draw) if alone else part_of(step, share, place)

    def _told(step: Step, draw: int) -> Step:
        if draw > spread.closed:
            spread.close()
        spread.add(step)
        return step

    outcome = yield from relay(fixed(frame, Straight(), budget.rule, budget.steps, apart=True), ask, tell)
    if alone:  # of a whole path the rule has its own
        spread.close()
        found = zip(outcome.status, spread.error(), strict=True)
        outcome.spread = [float("nan") if status is Status.NONFINITE else error for status, error in found]
    return outcome


def part_of(step: Step, share: Tensor, place: Place) -> Step:
    """The rows of a step of which a share `(R,)` above 0 belongs to a part."""
    rows, reading = share > 0, step.reading
    there = rows.to(step.move.device)
    assert reading.grad is not None
    assert step.t is not None
    assert step.draw is not None
    slope = None if reading.slope is None else reading.slope[rows]
    chosen = Reading(reading.owner[rows], reading.value[rows], reading.grad[there], slope)
    return Step(chosen, step.move[there], (step.weight * share)[rows], step.t[rows], step.draw[rows], place.value)


def _left_share(begin: Array, width: Array, t: Array) -> Array:
    """How much of each cell lies left of the split; what is off by rounding alone is whole."""
    share = np.clip(np.divide(t - begin, width, out=np.zeros_like(width), where=width != 0), 0.0, 1.0)
    return np.where(np.abs(share - share.round()) < 1e-9, share.round(), share)


def _muted(step: Step, share: Tensor) -> Step:
    """All rows of a step by their shares, those without one with no gradient, as there is nothing on their side."""
    grad = step.reading.grad
    assert grad is not None
    silent = (share == 0).to(grad.device).reshape(-1, *[1] * (grad.ndim - 1))
    return replace(step, reading=replace(step.reading, grad=grad.masked_fill(silent, 0.0)), weight=step.weight * share)
