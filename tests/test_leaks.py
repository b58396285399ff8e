"""What a call held is gone with it: no tensors, models, layers or hooks stay behind, whether it goes well or not."""

import gc
import weakref
from contextlib import suppress

import pytest
import torch
from test_untouched import Net, prepared
from test_untouched_inside import CALLS, FIRST
from test_untouched_inside import Net as Inside
from test_untouched_inside import prepared as prepared_inside
from torch import nn

import gradline as gl


def tensors_alive(collected=True):
    if collected:
        gc.collect()
    return sum(type(o) in (torch.Tensor, nn.Parameter) for o in gc.get_objects())


def test_fifty_calls_leave_nothing_behind():
    """Tanh and softmax keep their outputs for the way back, which is how graphs come to hold themselves."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2), nn.Softmax(1))
    inputs = []

    def call(k):
        x = torch.full((1, 4), 1.0 + k)
        inputs.append(weakref.ref(x))
        gl.explain(model, x, 1, **({"tol": 0.05} if k % 2 else {"steps": 2}))

    call(0)
    call(1)
    before = tensors_alive()
    for k in range(48):
        call(k)
    assert tensors_alive() <= before
    assert all(ref() is None for ref in inputs)


def test_models_are_not_kept_alive():
    model, x = Net(), torch.randn(2, 6)
    ref = weakref.ref(model)
    a = gl.explain(model, x, 1, steps=2)
    del model
    gc.collect()
    assert ref() is None
    assert len(a) == 2


def test_a_failed_call_keeps_nothing_alive():
    model, x = prepared("train"), torch.randn(3, 6)
    model.at, model.error = 5, RuntimeError("bang")
    before = tensors_alive()
    for _ in range(3):
        model.calls = 0
        with suppress(gl.ModelError):
            gl.explain(model, x, 1, tol=1e-6)
        model.error.__traceback__ = None
    assert tensors_alive() == before


@pytest.mark.parametrize(
    "name", ["driven", "driven to a tolerance", "conductance", "target inside", "searched", "drawn"]
)
def test_nothing_waits_for_the_garbage_collector(name):
    """What a call held is gone with it: on a GPU, memory that only the collector frees is memory that is missing."""
    model, x = prepared_inside(training=False), torch.randn(3, 4)

    def call():
        gl.explain(model, x, **{"target": 1, **CALLS[name]})

    call()
    gc.collect()
    gc.disable()
    try:
        before = tensors_alive(collected=False)
        call()
        assert tensors_alive(collected=False) == before
    finally:
        gc.enable()


def test_models_and_layers_are_not_kept_alive():
    model, x = Inside().eval(), torch.randn(2, 4)
    ref, layer = weakref.ref(model), weakref.ref(model.first)
    results = [gl.explain(model, x, 1, site=gl.Layer(model.first), steps=2), gl.explain(model, x, 1, steps=2)]
    results.append(gl.explain(model, x, gl.Neuron(model.first, 1), method=gl.methods.conductance(FIRST), steps=2))
    del model
    gc.collect()
    assert ref() is None
    assert layer() is None
    assert len(results) == 3
