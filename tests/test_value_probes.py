"""Forward-only probes: a path may ask for scores alone; they cost no gradient and are counted apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import gradline as gl
from gradline.core.accumulators import GradientTimesMove
from gradline.core.flow import Flow, Frame, Need, Outcome, Probe, Step, Trace
from gradline.core.paths import Budget, Path


@dataclass(frozen=True)
class BestOfThree(Path):
    """Asks for the score at x/3, 2x/3 and x, then for one gradient, where the score is largest."""

    integrates = False
    complete = False

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        shares = torch.tensor([1 / 3, 2 / 3, 1.0], dtype=frame.end.dtype)
        points = shares.reshape(1, -1, *[1] * (frame.end.ndim - 1)) * frame.end.unsqueeze(1)
        every = torch.arange(frame.examples)
        reading = yield Probe(points.flatten(0, 1), every.repeat_interleave(3), Need.VALUE)
        assert reading.grad is None
        best = points[every, reading.value.reshape(-1, 3).argmax(1)]
        reading = yield Probe(best, every)
        yield Step(reading, best, torch.ones(frame.examples))
        trace = [[Trace(*(torch.ones(1).numpy() for _ in range(4)))] for _ in every]
        return Outcome(
            [gl.Status.NO_CLAIM] * frame.examples, [float("nan")] * frame.examples, trace, [""] * frame.examples
        )


METHOD = gl.Method("best-of-three", BestOfThree(), GradientTimesMove(), None)


def hill(x: Tensor) -> Tensor:
    return torch.stack([-((x - 2).sum(1) ** 2), x.sum(1)], 1)


def test_values_are_read_without_gradients_and_counted_apart() -> None:
    grads: list[bool] = []

    def model(x: Tensor) -> Tensor:
        grads.append(torch.is_grad_enabled())
        return hill(x)

    a = gl.explain(model, torch.tensor([[3.0], [1.5], [6.0]]), 0, method=METHOD)
    assert a.forward_evaluations.tolist() == [3, 3, 3]
    assert a.evaluations.tolist() == [1, 1, 1]
    assert a.values.tolist() == [[0.0], [1.5], [0.0]]  # tops at 2, 1.5 and 2: gradient −2 (x − 2), times x
    # the measured first row, that row beside another, the rest of x, three points each, gradients
    assert grads == [True, False, False, False, True]


def test_targets_that_ask_for_the_same_values_share_the_forward() -> None:
    rows: list[int] = []

    def model(x: Tensor) -> Tensor:
        rows.append(len(x))
        return hill(x)

    one, two = gl.explain(model, torch.tensor([[3.0], [1.5]]), [0, gl.Logit(0)], method=METHOD)
    assert torch.equal(one.values, two.values)
    assert rows == [1, 2, 1, 6, 2]
