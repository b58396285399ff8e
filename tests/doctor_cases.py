"""What the tests of the doctor share: an input, a model with something in its middle, and what was found."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import gradline as gl

X = torch.tensor([[0.9, -1.4, 0.6, 2.1], [1.3, 0.4, -0.8, 0.7]])


class Around(nn.Module):
    """Two linear layers with something between them, in a layer named `middle`."""

    def __init__(self, middle) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.middle, self.last = nn.Linear(4, 5), Middle(middle), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(torch.tanh(self.first(x))))


class Middle(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def doctor(model, x, *question, **options) -> gl.Diagnosis:
    """Of a model in evaluation mode."""
    return gl.doctor(model.eval() if isinstance(model, nn.Module) else model, x, *question, **options)


def codes(diagnosis: gl.Diagnosis) -> list[str]:
    return [f.code for f in diagnosis.findings]


def only(diagnosis: gl.Diagnosis) -> gl.Finding:
    assert dict(diagnosis.facts).get("not checked") is None
    (found,) = diagnosis.findings
    return found
