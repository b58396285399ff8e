"""A path may ask about other targets of the same model; every answer is that of the target asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.flow import Flow, Frame, Need, Of, Outcome, Probe, Step, Trace
from gradline.core.paths import Budget, Path

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 4)).double().eval()
X = torch.randn(6, 5, dtype=torch.float64)


@dataclass(frozen=True)
class Asking(Path):
    """One gradient at x, of whatever it is told to ask for, after a value of it."""

    of: object

    integrates = False
    complete = False

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        owner = torch.arange(frame.examples)
        value = yield Probe(frame.end, owner, Need.VALUE, of=self.of)
        reading = yield Probe(frame.end, owner, of=self.of)
        assert torch.equal(value.value, reading.value)
        yield Step(reading, frame.end, torch.ones(frame.examples, dtype=torch.float64))
        one = torch.ones(1).numpy()
        trace = [[Trace(one, one, v[None].numpy(), one)] for v in reading.value]
        return Outcome([gl.Status.NO_CLAIM] * len(owner), [float("nan")] * len(owner), trace, [""] * len(owner))


def asking(of: object) -> gl.Method:
    return replace(gl.methods.gradient(), path=Asking(of))


def gradient_of(pick) -> Tensor:
    leaf = X.clone().requires_grad_()
    return torch.autograd.grad(pick(NET(leaf)).sum(), leaf)[0]


RIVAL = NET(X).detach().clone()
EVERY = torch.arange(6)


@pytest.mark.parametrize("memory", ["1B", None], ids=["row by row", "together"])
def test_the_answer_is_that_of_the_target_asked_for(memory: str | None) -> None:
    own = torch.tensor([0, 1, 2, 3, 0, 1])
    others = RIVAL.clone()
    others[EVERY, own] = -torch.inf
    rival = others.argmax(1)
    due = {
        None: lambda out: out[EVERY, own],
        Of.MARGIN: lambda out: out[EVERY, own] - out[EVERY, rival],
        3: lambda out: out[:, 3],
        gl.Contrast(0, 2): lambda out: out[:, 0] - out[:, 2],
        gl.Neuron("1", 4): None,
    }
    for of, pick in due.items():
        a = gl.explain(NET, X, own, method=asking(of), memory=memory)
        if pick is None:
            leaf = X.clone().requires_grad_()
            expected = torch.autograd.grad(NET[1](NET[0](leaf))[:, 4].sum(), leaf)[0]
        else:
            expected = gradient_of(pick)
        torch.testing.assert_close(a.values, expected, rtol=0, atol=1e-13)
        assert a.evaluations.tolist() == a.forward_evaluations.tolist() == [1] * 6


def test_flows_of_several_targets_keep_their_own_margins() -> None:
    many = gl.explain(NET, X, [0, 1, 2], method=asking(Of.MARGIN))
    for k, a in enumerate(many):
        alone = gl.explain(NET, X, k, method=asking(Of.MARGIN))
        torch.testing.assert_close(a.values, alone.values, rtol=0, atol=1e-14)
    assert not torch.equal(many[0].values, many[1].values)


def test_a_target_without_rivals_says_so() -> None:
    with pytest.raises(gl.TargetError, match="rival"):
        gl.explain(NET, X, lambda out: out[:, 0], method=asking(Of.MARGIN))
