"""At equal nodes the same numbers as Captum 0.9.0 inside the network: layers and neurons."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from captum.attr import (
    InternalInfluence,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    NeuronGradient,
    NeuronIntegratedGradients,
)
from captum_cases import EACH, RULES, conv, distance, skip
from torch import Tensor, nn

import gradline as gl

Make = Callable[[], tuple[nn.Module, Tensor, Tensor]]
LAYERS = [
    (skip, "lower"),
    (skip, "act"),
    (skip, "upper"),
    (skip, "gate"),
    (skip, "head"),
    (conv, "one"),
    (conv, "pool"),
]
every_layer = pytest.mark.parametrize(("make", "layer"), LAYERS)
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
GAUSS = {"steps": 12, "rule": gl.rules.GaussLegendre}


def case(make: Make, dtype: torch.dtype) -> tuple[nn.Module, Tensor, Tensor]:
    model, x, baseline = make()
    return model.to(dtype), x.to(dtype), baseline.to(dtype)


@every_layer
@every_dtype
@pytest.mark.parametrize("rule", RULES)
def test_layer_integrated_gradients_equal_captums(make: Make, layer: str, dtype: torch.dtype, rule: str) -> None:
    """A class for each example; the layers of `skip` have a way round them, which sees x on both sides."""
    model, x, baseline = case(make, dtype)
    theirs = LayerIntegratedGradients(model, getattr(model, layer)).attribute(
        x, baseline, target=EACH, n_steps=7, method=rule
    )
    ours = gl.explain(model, x, EACH, baseline=baseline, steps=7, rule=RULES[rule], site=gl.Layer(layer))
    assert distance(ours.values, theirs) <= 1e-5


@pytest.mark.parametrize("rows", [3, 5, 7])
def test_layer_maps_in_pieces_equal_captums(rows: int) -> None:
    model, x, baseline = skip()
    theirs = LayerIntegratedGradients(model, model.act).attribute(
        x, baseline, target=1, n_steps=12, internal_batch_size=rows
    )
    ours = gl.explain(model, x, 1, baseline=baseline, site=gl.Layer("act"), memory=rows * 4000, **GAUSS)
    assert distance(ours.values, theirs) <= 1e-5


@every_layer
def test_a_layer_may_be_named_or_handed_over(make: Make, layer: str) -> None:
    model, x, baseline = make()
    theirs = LayerIntegratedGradients(model, getattr(model, layer)).attribute(x, baseline, target=2, n_steps=12)
    for where in (layer, getattr(model, layer)):
        ours = gl.explain(model, x, 2, baseline=baseline, site=gl.Layer(where), **GAUSS)
        assert distance(ours.values, theirs) <= 1e-5


@pytest.mark.parametrize(("layer", "in_front"), [("upper", "act"), ("gate", "upper"), ("head", "gate")])
def test_the_input_of_a_layer_is_the_output_of_the_one_in_front(layer: str, in_front: str) -> None:
    model, x, baseline = skip()
    theirs = LayerIntegratedGradients(model, getattr(model, layer)).attribute(
        x, baseline, target=EACH, n_steps=12, attribute_to_layer_input=True
    )
    ours = gl.explain(model, x, EACH, baseline=baseline, site=gl.Layer(in_front), **GAUSS)
    assert distance(ours.values, theirs) <= 1e-5


def test_further_arguments_are_held_at_a_layer() -> None:
    model, x, baseline = skip()
    scale = torch.rand(3, 1) + 0.5
    theirs = LayerIntegratedGradients(model, model.upper).attribute(
        x, baseline, target=1, additional_forward_args=(scale, 2), n_steps=12
    )
    context = {"scale": scale, "power": 2}
    ours = gl.explain(model, x, 1, baseline=baseline, context=context, site=gl.Layer("upper"), **GAUSS)
    assert distance(ours.values, theirs) <= 1e-5


@every_layer
@every_dtype
def test_internal_influence_equals_captums(make: Make, layer: str, dtype: torch.dtype) -> None:
    model, x, baseline = case(make, dtype)
    for rule, part in RULES.items():
        theirs = InternalInfluence(model, getattr(model, layer)).attribute(
            x, baseline, target=EACH, n_steps=7, method=rule
        )
        method = gl.methods.internal_influence(gl.Layer(layer))
        ours = gl.explain(model, x, EACH, method=method, baseline=baseline, steps=7, rule=part)
        assert distance(ours.values, theirs) <= 1e-5


@every_layer
@every_dtype
def test_gradient_times_activation_equals_captums(make: Make, layer: str, dtype: torch.dtype) -> None:
    model, x, _ = case(make, dtype)
    theirs = LayerGradientXActivation(model, getattr(model, layer)).attribute(x, target=EACH)
    ours = gl.explain(model, x, EACH, method=gl.methods.gradient_x_input(), site=gl.Layer(layer))
    assert distance(ours.values, theirs) <= 1e-5
    alone = LayerGradientXActivation(model, getattr(model, layer), multiply_by_inputs=False).attribute(x, target=EACH)
    ours = gl.explain(model, x, EACH, method=gl.methods.gradient(), site=gl.Layer(layer))
    assert distance(ours.values, alone) <= 1e-5


def channel_mean(h: Tensor) -> Tensor:
    return h[:, 2].flatten(1).mean(1)


NEURONS: list[tuple[Make, str, Any]] = [
    (skip, "lower", 2),
    (skip, "gate", 5),
    (conv, "one", (2, 1, 3)),
    (conv, "gelu", (4, 0, 1)),
    (conv, "one", channel_mean),
]


@every_dtype
@pytest.mark.parametrize(("make", "layer", "neuron"), NEURONS)
def test_neurons_equal_captums(make: Make, layer: str, neuron: Any, dtype: torch.dtype) -> None:
    model, x, baseline = case(make, dtype)
    target = gl.Neuron(gl.Layer(layer), neuron)
    theirs = NeuronIntegratedGradients(model, getattr(model, layer)).attribute(x, neuron, baseline, n_steps=12)
    ours = gl.explain(model, x, target, baseline=baseline, **GAUSS)
    assert distance(ours.values, theirs) <= 1e-5
    leaf = x.clone().requires_grad_()
    theirs = NeuronGradient(model, getattr(model, layer)).attribute(leaf, neuron)
    assert distance(gl.explain(model, x, target, method=gl.methods.gradient()).values, theirs) <= 1e-5


def conductance_of(layer: str, target: Any) -> tuple[Tensor, Callable[[int, str], Tensor]]:
    """The conductance, exact to rounding, and what Captum has for n steps of a rule."""
    model, x, baseline = case(skip, torch.float64)
    method = gl.methods.conductance(gl.Layer(layer))
    ours = gl.explain(model, x, target, method=method, baseline=baseline, steps=24, rule=gl.rules.GaussLegendre)
    theirs = LayerConductance(model, getattr(model, layer))
    return ours.values, lambda n, rule: theirs.attribute(x, baseline, target=target, n_steps=n, method=rule).detach()


@pytest.mark.parametrize("layer", ["lower", "act", "upper"])
def test_conductance_is_what_captums_closed_rule_tends_to_at_first_order(layer: str) -> None:
    """Captum sums ∂F/∂h at a node times the difference of h to the next one: off by C/n, halved by every doubling. The
    first order falls away in 2 A(2n) − A(n), which is off by C'/n², a quarter at every doubling."""
    ours, theirs = conductance_of(layer, EACH)
    maps = [theirs(n, "riemann_trapezoid") for n in (50, 100, 200, 400)]
    errors = [distance(ours, m) for m in maps]
    extrapolated = [distance(ours, 2 * b - a) for a, b in itertools.pairwise(maps)]
    assert errors[0] > 1e-3
    assert all(1.9 < coarse / fine < 2.1 for coarse, fine in itertools.pairwise(errors))
    assert all(3.6 < coarse / fine < 4.4 for coarse, fine in itertools.pairwise(extrapolated))
    assert extrapolated[-1] <= 1e-5


@pytest.mark.parametrize("rule", RULES)
def test_conductance_is_what_captums_open_rules_tend_to_as_well(rule: str) -> None:
    """The pieces at the ends that they leave out shrink with n, those of Gauss and Legendre with n²."""
    ours, theirs = conductance_of("act", 1)
    assert 7.5 < distance(ours, theirs(100, rule)) / distance(ours, theirs(800, rule)) < 8.5


@pytest.mark.parametrize("steps", [2, 9])
def test_conductance_equals_captums_closed_rule_where_the_rest_is_linear(steps: int) -> None:
    """Behind `gate` the score is linear in h, so differences of h from end to end are all there is to it."""
    ours, theirs = conductance_of("gate", EACH)
    assert distance(ours, theirs(steps, "riemann_trapezoid")) <= 1e-12
