"""Many gradients are read on a folded copy of the network: the same map, and nothing of the model is changed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.engine import faster
from gradline.engine.prepared import prepared


class Net(nn.Module):
    """Convolutions with batch norms behind them; `crossed`: the norms are used the other way round."""

    def __init__(self, crossed: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.second, self.other = nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)
        self.last, self.crossed = nn.Linear(8, 4), crossed
        for norm in (self.norm, self.other):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        one, two = (self.other, self.norm) if self.crossed else (self.norm, self.other)
        h = torch.relu(one(self.first(x)))
        y: Tensor = self.last(torch.relu(two(self.second(h))).mean((2, 3)))
        return y


X = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The copies that calls make."""
    made: list[Any] = []

    def kept(*arguments: Any, **named: Any) -> Any:
        made.append(prepared(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(faster, "prepared", kept)
    return made


@pytest.mark.parametrize("budget", [{"steps": 24}, {"tol": 0.02}], ids=["steps", "tol"])
def test_the_map_is_that_of_the_model_itself(
    budget: dict[str, float], copies: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    a = gl.explain(model, X, 1, **budget)
    assert copies[0] is not None
    assert not any(isinstance(module, nn.BatchNorm2d) for module in copies[0].modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())
    monkeypatch.setattr(faster, "prepared", lambda *_, **__: None)
    b = gl.explain(model, X, 1, **budget)
    assert (a.values - b.values).norm() < 1e-4 * b.values.norm()
    assert torch.equal(a.evaluations, b.evaluations)
    assert a.provenance["model_digest"] == b.provenance["model_digest"]


def test_whether_a_copy_is_made_is_no_matter_of_how_many_examples_there_are(copies: list[Any]) -> None:
    together = gl.explain(Net(), X, 1, steps=16)
    alone = gl.explain(Net(), X[:1], 1, steps=16)
    assert len(copies) == 2
    assert (together.values[:1] - alone.values).norm() < 1e-5 * alone.values.norm()
    gl.explain(Net(), X, 1, steps=8)
    assert len(copies) == 2, "eight nodes are not worth it"


def test_what_would_not_say_the_same_is_not_used() -> None:
    assert prepared(Net(), X, differentiable=True) is not None
    assert prepared(Net(crossed=True), X, differentiable=True) is None
    assert prepared(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), X, differentiable=True) is None, "nothing to fold"
    hooked = Net()
    hooked.first.register_forward_hook(lambda *_: None)
    assert prepared(hooked, X, differentiable=True) is None, "somebody looks"


def test_layers_derivatives_and_reads_go_to_the_model_itself(copies: list[Any]) -> None:
    model = Net()
    gl.explain(model, X, 1, steps=16, site=gl.Layer("first"))
    gl.explain(model, X, gl.Neuron("second", (0, 0, 0)), steps=16)
    gl.explain(model, X, 1, steps=16, method=gl.methods.conductance(gl.Layer("first")))
    assert not copies
