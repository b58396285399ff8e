"""Ways to write a function anew that do not change it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from gradline.sanity.axioms.algebra import tidy
from gradline.sanity.axioms.formulas import Bend, Expression, Extreme, Model, Sum, Variable, number
from gradline.sanity.axioms.networks import ACTIVATIONS, dense


def as_layers(expression: Expression, features: int) -> nn.Sequential | None:
    """`Σ_k v_k h(w_k·x + b_k) + c` as a linear layer, h and a linear layer; None if it is not of that form."""
    whole = expression if isinstance(expression, Sum) else Sum((expression,), (1.0,))
    units = [part for part in whole.parts if isinstance(part, Bend)]
    if not units or len(units) < len(whole.parts) or len({unit.kind for unit in units}) > 1:
        return None
    weight = torch.zeros(len(units), features, dtype=torch.float64)
    bias = torch.zeros(len(units), dtype=torch.float64)
    for k, unit in enumerate(units):
        inner = unit.inner if isinstance(unit.inner, Sum) else Sum((unit.inner,), (1.0,))
        bias[k] = inner.constant
        for part, w in zip(inner.parts, inner.weights, strict=True):
            if not isinstance(part, Variable):
                return None
            weight[k, part.place] = w
    out = torch.tensor([whole.weights], dtype=torch.float64)
    last = dense(out, torch.tensor([whole.constant], dtype=torch.float64))
    return nn.Sequential(dense(weight, bias), ACTIVATIONS[units[0].kind](), last)


def _reordered(first: nn.Linear, bend: nn.Module, last: nn.Linear) -> list[nn.Module]:
    return [dense(first.weight.detach().flip(0), first.bias.detach().flip(0)), bend, _last(last.weight.flip(1), last)]


def _repeated(first: nn.Linear, bend: nn.Module, last: nn.Linear) -> list[nn.Module]:
    twice = dense(first.weight.detach().repeat(2, 1), first.bias.detach().repeat(2))
    return [twice, bend, _last(last.weight.repeat(1, 2) / 2, last)]


def _scaled(first: nn.Linear, bend: nn.Module, last: nn.Linear) -> list[nn.Module]:
    return [dense(first.weight.detach() * 2, first.bias.detach() * 2), bend, _last(last.weight / 2, last)]


def _split(first: nn.Linear, bend: nn.Module, last: nn.Linear) -> list[nn.Module]:
    """The first layer as two: sums of neighbouring features, and what makes up for it."""
    mixed = torch.eye(first.in_features, dtype=torch.float64)
    mixed[0] = 1.0
    before = dense(mixed, torch.ones(first.in_features, dtype=torch.float64))
    weight = first.weight.detach() @ torch.linalg.inv(mixed)
    return [before, dense(weight, first.bias.detach() - weight.sum(1)), bend, last]


def _normalised(first: nn.Linear, bend: nn.Module, last: nn.Linear) -> list[nn.Module]:
    """With batch normalisation, which undoes what the layer before it does too much."""
    statistics = nn.BatchNorm1d(first.out_features, eps=0.0, dtype=torch.float64).eval()
    assert statistics.running_mean is not None
    assert statistics.running_var is not None
    statistics.running_mean.fill_(1.0)
    statistics.running_var.fill_(4.0)
    return [dense(2 * first.weight.detach(), 2 * first.bias.detach() + 1), statistics, bend, last]


def _last(weight: torch.Tensor, like: nn.Linear) -> nn.Linear:
    return dense(weight.detach(), like.bias.detach())


LAYERS: dict[str, Callable[[nn.Linear, nn.Module, nn.Linear], list[nn.Module]]] = {
    "with its hidden units in reverse order": _reordered,
    "with its first layer as two": _split,
    "with batch normalisation that changes nothing": _normalised,
    "with every hidden unit twice, at half the weight": _repeated,
    "with its relu units doubled, at half the weight": _scaled,
}
"""Of networks that begin with a linear layer, a bend and a linear layer; the last for relu alone."""


def _with_relu(node: Expression) -> Expression:
    if not isinstance(node, Extreme):
        return node
    sign = 1.0 if node.kind == "max" else -1.0
    found = node.parts[0]
    for other in node.parts[1:]:  # max(a, b) = a + relu(b − a), min(a, b) = a − relu(a − b)
        found = Sum((found, Bend("relu", Sum((other, found), (sign, -sign)))), (1.0, sign))
    return found


def _with_max(node: Expression) -> Expression:
    return Extreme("max", (node.inner, number(0.0))) if isinstance(node, Bend) and node.kind == "relu" else node


FORMULAS: dict[str, Callable[[Expression], Expression]] = {
    "with relu in place of max and min": _with_relu,
    "with max in place of relu": _with_max,
}

AS_LAYERS = "as layers"

WAYS: tuple[str, ...] = tuple(
    way for one, other in zip(LAYERS, (*FORMULAS, *FORMULAS, AS_LAYERS), strict=True) for way in (AS_LAYERS, other, one)
)
"""A round of them."""


def pair(expression: Expression, features: int, way: str) -> tuple[nn.Module, nn.Module] | None:
    """An expression in two ways that are equal as functions; None if it cannot be written so."""
    if way in FORMULAS:
        anew = tidy(expression.mapped(FORMULAS[way]))
        return None if anew == expression else (Model(expression), Model(anew))
    layers = as_layers(expression, features)
    if layers is None:
        return None
    if way == AS_LAYERS:
        return Model(expression), layers
    anew_layers = rewritten(layers, way)
    return None if anew_layers is None else (layers, anew_layers)


def rewritten(layers: nn.Sequential, way: str) -> nn.Sequential | None:
    """A network that is equal to one that begins with a linear layer, a bend and a linear layer."""
    first, bend, last, *rest = layers
    if LAYERS[way] is _scaled and not isinstance(bend, nn.ReLU):
        return None
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    return nn.Sequential(*LAYERS[way](first, bend, last), *rest)
