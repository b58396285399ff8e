"""Training mode, compiled, replicated and scripted models: maps are those of the model itself in evaluation mode."""

import copy

import pytest
import torch
from torch import nn

import gradline as gl

D = torch.float64


def test_a_model_in_training_mode_has_the_map_of_evaluation_mode_and_is_left_as_it_was():
    torch.manual_seed(6)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(8, 2)
    ).double()
    model(torch.randn(16, 4, dtype=D))
    x, site = torch.randn(3, 4, dtype=D), gl.Layer("1")
    for options in ({}, {"site": site}, {"method": gl.methods.conductance(site)}):
        before = copy.deepcopy(model.state_dict())
        trained = gl.explain(model.train(), x, 1, steps=6, **options)
        assert all(torch.equal(now, before[name]) for name, now in model.state_dict().items())
        assert all(module.training for module in model.modules())
        evaluated = gl.explain(model.eval(), x, 1, steps=6, **options)
        assert torch.equal(trained.values, evaluated.values)
        assert ["GL101" in [f.code for f in a.findings] for a in (trained, evaluated)] == [True, False]


def net():
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double().eval()


def called(function):
    """A plain function around another."""
    return lambda x: function(x)


WRAPPED = {
    "compiled": (lambda model: torch.compile(model, backend="eager"), "0"),
    "compiled in place": (lambda model: model.compile(backend="eager") or model, "0"),
    "a part compiled": (lambda model: nn.Sequential(torch.compile(model, backend="eager"), nn.Identity()), "0.0"),
    "a compiled function": (lambda model: torch.compile(called(model), backend="eager"), None),
    "a function of a compiled model": (lambda model: called(torch.compile(model, backend="eager")), None),
    "replicated": (nn.DataParallel, "0"),
}


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # the compiler's own, where warnings are errors
@pytest.mark.parametrize("way", WRAPPED)
def test_layers_of_a_compiled_or_replicated_model_are_those_of_the_model(way):
    """Also where it was compiled, and called, before anybody asked about a layer."""
    plain, model, x = net(), net(), torch.randn(3, 4, dtype=D)
    wrap, name = WRAPPED[way]
    wrapped = wrap(model)
    wrapped(x)
    for site, ours in ((None, None), (gl.Layer(model[0]), gl.Layer("0")), (name and gl.Layer(name), gl.Layer("0"))):
        if ours is None or site is not None:
            a, b = (gl.explain(m, x, 1, site=s, steps=5) for m, s in ((wrapped, site), (plain, ours)))
            torch.testing.assert_close(a.values, b.values)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_layers_of_a_scripted_model_are_refused_with_the_way_out():
    model, x = net(), torch.randn(3, 4, dtype=D)
    for scripted in (torch.jit.script(model), torch.jit.trace(model, x)):
        torch.testing.assert_close(gl.explain(scripted, x, 1, steps=5).values, gl.explain(model, x, 1, steps=5).values)
        with pytest.raises(gl.SiteError, match="'0' is a TorchScript module; use the module it was scripted from"):
            gl.explain(scripted, x, 1, site=gl.Layer("0"))
