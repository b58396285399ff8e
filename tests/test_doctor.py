"""Gradients that are cut, halved, dead or not the score's: found, by number, with the operation and its layer."""

from __future__ import annotations

import re

import pytest
import torch
from doctor_cases import Around, Middle, X, codes, doctor, only
from torch import Tensor, nn
from torch.nn import functional

import gradline as gl


def no_grad(h: Tensor) -> Tensor:
    with torch.no_grad():
        return h * 2


# ------------------------------------------------------------------------------------------------ training mode


def test_training_mode_is_found_and_left_on():
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = only(gl.doctor(model, X))
    assert found.code == "GL101"
    assert all(m.training for m in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


# ------------------------------------------------------------------------------------------------ cut gradients

CUTS = {
    "detach": (lambda h: h.detach(), "Tensor.detach in layer 'middle'"),
    "data": (lambda h: h.data, "Tensor.data in layer 'middle'"),
    "no_grad": (no_grad, "Tensor.mul under no_grad() in layer 'middle'"),
    "long": (lambda h: h.mul(3).long().float(), "Tensor.long in layer 'middle'"),
    "argmax": (lambda h: functional.one_hot(h.argmax(1), 5).float(), "Tensor.argmax in layer 'middle'"),
    "round": (lambda h: h.mul(3).round(), "Tensor.round (its derivative is zero) in layer 'middle'"),
    "sign": (torch.sign, "sign (its derivative is zero) in layer 'middle'"),
    "floor": (lambda h: 3 * h // 1, "Tensor.__floordiv__ (its derivative is zero) in layer 'middle'"),
    "compare": (lambda h: (h > 0.1).float(), "Tensor.gt in layer 'middle'"),
    "numpy": (lambda h: torch.from_numpy(h.numpy()), "Tensor.numpy in layer 'middle'"),
    "detached numpy": (lambda h: torch.from_numpy(h.detach().numpy()), "Tensor.detach in layer 'middle'"),
    "item": (lambda h: torch.tensor([[v.item() for v in row] for row in h]), "Tensor.item in layer 'middle'"),
    "tolist": (lambda h: torch.tensor(h.tolist()), "Tensor.tolist in layer 'middle'"),
    "bucketize": (lambda h: torch.bucketize(h, torch.linspace(-1, 1, 9)).float(), "bucketize in layer 'middle'"),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_cut_gradient_path_is_found_with_the_operation_and_its_layer(name):
    middle, said = CUTS[name]
    diagnosis = doctor(Around(middle), X, 1)
    assert only(diagnosis).code == "GL104"
    assert said in only(diagnosis).detail


@pytest.mark.parametrize("name", [n for n in CUTS if n != "data"])
def test_explain_refuses_a_cut_path_or_says_that_its_map_is_not_converged(name):
    """Where autograd returns no gradient at all, words; where it returns zeros for a score that changes, no map."""
    model = Around(CUTS[name][0]).eval()
    try:
        a = gl.explain(model, X, 1, max_evaluations=16)
    except gl.ModelError as error:
        assert re.search(r"cut by|numpy|derivative for", str(error))  # noqa: PT017
    else:
        assert gl.Status.CONVERGED not in a.status
        assert {f.code for f in a.findings} & {"GL201", "GL203", "GL204"}


class Gated(nn.Module):
    """A branch that is differentiated beside one that is cut."""

    def __init__(self, cut) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.cut = nn.Linear(4, 3), nn.Linear(4, 3), Middle(cut)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.one(x)) + 2 * self.cut(torch.tanh(self.two(x)))


@pytest.mark.parametrize("name", ["detach", "no_grad"])
def test_half_a_gradient_is_found_by_its_slope(name):
    """Autograd is content; central differences of the score along the path are not."""
    middle, said = CUTS[name]
    found = only(doctor(Gated(middle), X, 1))
    assert found.code == "GL113"
    assert said.replace("'middle'", "'cut'") in found.detail
    numbers = re.search(r"changes by (\S+) for each unit of t, and its gradient says ([-.\d]+)", found.detail)
    at = float(re.search(r"t = (\S+) of", found.detail)[1])
    t = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    model = Gated(middle).double()
    whole = (
        torch.tanh(model.one(t * X[:1].double()))
        + 2 * torch.tanh(model.two(t * X[:1].double())) * (1 + (name == "no_grad"))
    )[0, 1]
    (right,) = torch.autograd.grad(whole, t)
    (cut,) = torch.autograd.grad(torch.tanh(model.one(t * X[:1].double()))[0, 1], t)
    assert float(numbers[1]) == pytest.approx(float(right), rel=0.05, abs=0.01)
    assert float(numbers[2]) == pytest.approx(float(cut), rel=0.05, abs=0.01)


def mixed(output: Tensor) -> Tensor:
    return output @ torch.tensor([1.0, 2.0, -1.5])


@pytest.mark.parametrize("name", ["round", "long", "argmax", "compare", "sign"])
def test_a_branch_of_steps_is_found_by_its_jump(name):
    middle, said = CUTS[name]
    model = Gated(lambda h: middle(torch.cat([h, h[:, :2]], 1))[:, :3]).eval()
    found = only(doctor(model, -X[:1], mixed))
    assert found.code == "GL104"
    assert said.replace("'middle'", "'cut'") in found.detail
    size, t = (float(v) for v in re.search(r"jumps by (\S+) at t = (\S+) of", found.detail).groups())
    with torch.no_grad():
        below, above = (mixed(model(-(t + s) * X[:1])) for s in (-1e-3, 1e-3))
    assert float(above - below) == pytest.approx(size, abs=0.02)


def test_many_small_steps_are_found_by_what_the_gradients_miss():
    """A quantised branch: no jump is large, and together they are half of the score."""
    model = Gated(lambda h: (2048 * h).round() / 2048)
    found = only(doctor(model, X, 1))
    assert found.code == "GL104"
    assert "account for" in found.detail
    assert "Tensor.round" in found.detail
    told, change = (
        float(v) for v in re.search(r"account for (\S+) of a change of the score of (\S+)[;]", found.detail).groups()
    )
    with torch.no_grad():
        ends = [torch.tanh(model.one(t * X[:1]))[0, 1] for t in (0, 1)]
        score = [model(t * X[:1])[0, 1] for t in (0, 1)]
    assert told == pytest.approx(float(ends[1] - ends[0]), abs=2e-3)
    assert change == pytest.approx(float(score[1] - score[0]), rel=1e-2)


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, grad):
        return grad


def test_a_straight_through_estimator_is_found():
    found = only(doctor(Around(lambda h: Rounded.apply(4 * h)), X, 1))
    assert found.code == "GL113"
    assert "changes by 0 for" in found.detail


def test_a_hook_left_over_from_guided_backpropagation_is_found():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    assert doctor(model, X, 1).healthy
    handle = model[1].register_full_backward_hook(lambda module, given, came: (given[0].clamp_min(0),))
    assert codes(doctor(model, X, 1)) == ["GL113"]
    handle.remove()
    assert doctor(model, X, 1).healthy


def test_weights_that_are_detached_or_quantised_are_no_cut():
    class Quantised(nn.Linear):
        def forward(self, x):
            return functional.linear(x, (self.weight.detach() * 16).round() / 16, self.bias.data)

    assert doctor(Quantised(4, 3), X, 1).healthy


def test_the_cut_is_named_where_a_layer_is_driven():
    model = Around(lambda h: h.detach())
    found = only(doctor(model, X, 1, site=gl.Layer("first")))
    assert found.code == "GL104"
    assert "Tensor.detach in layer 'middle'" in found.detail
    assert doctor(model, X, 1, site=gl.Layer("middle")).healthy


def test_a_target_that_cuts_is_named():
    found = only(doctor(nn.Linear(4, 3), X, lambda out: out.argmax(1).float()))
    assert found.code == "GL104"
    assert "Tensor.argmax" in found.detail


# ------------------------------------------------------------------------------------------------ dead targets


def test_a_target_behind_a_dead_unit_is_dead_not_cut():
    """Comparisons on the way (x > 0) are no reason, since the score does not change at all."""
    model = Around(lambda h: functional.relu(h * (h > -2)) - 0.5)
    with torch.no_grad():
        model.last.weight[1] = 0
    assert only(doctor(model, X, 1)).code == "GL108"
    assert doctor(model, X, 0).healthy


def test_examples_for_which_the_target_is_dead_are_named():
    model = nn.Sequential(nn.Linear(4, 1), nn.ReLU())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0, 0, 0]]))
        model[0].bias.zero_()
    found = only(doctor(model, torch.tensor([[1.0, 1, 1, 1], [-1, 1, 1, 1], [2, 0, 0, 1]])))
    assert (found.code, found.examples) == ("GL108", (1,))


def test_a_target_that_ignores_x_has_no_gradient():
    found = only(doctor(lambda x: torch.ones(len(x), 2), X, 1))
    assert found.code == "GL104"
    assert "may not use x at all" in found.detail
