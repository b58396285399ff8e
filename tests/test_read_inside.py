"""Walking at the input, reading inside: conductance and internal influence against closed forms and plain loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.question.guard import undisturbed
from gradline.question.push import _double_backward, _forward_mode, push

torch.manual_seed(0)
X = torch.randn(3, 4, dtype=torch.float64)


class Squares(nn.Module):
    """h = (x₁², x₂³), F = h₁ h₂: conductance from zero has ∫ h₂ dh₁ = 2/5 F for the first unit, 3/5 F for the other."""

    def __init__(self) -> None:
        super().__init__()
        self.h = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.h(torch.stack([x[:, 0] ** 2, x[:, 1] ** 3], 1))
        return (h[:, 0] * h[:, 1])[:, None]


def test_conductance_is_the_closed_form() -> None:
    x = torch.tensor([[1.5, -2.0]], dtype=torch.float64)
    score = 1.5**2 * -(2.0**3)
    a = gl.explain(Squares(), x, method=gl.methods.conductance(gl.Layer("h")), steps=3, rule=gl.rules.GaussLegendre)
    torch.testing.assert_close(a.values, torch.tensor([[2 / 5, 3 / 5]], dtype=torch.float64) * score)
    # internal influence: ∫ h₂ dt = x₂³/4, ∫ h₁ dt = x₁²/3
    b = gl.explain(
        Squares(), x, method=gl.methods.internal_influence(gl.Layer("h")), steps=3, rule=gl.rules.GaussLegendre
    )
    torch.testing.assert_close(b.values, torch.tensor([[-8 / 4, 2.25 / 3]], dtype=torch.float64))
    assert b.completeness_gap is None
    assert b.baseline_score is not None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("tol", [0.05, 0.01, 1e-3])
def test_converged_means_within_the_tolerance_inside_too(dtype: torch.dtype, tol: float) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, 2)).to(dtype).eval()
    with torch.no_grad():
        net[0].weight *= 2
    x = torch.randn(12, 4).to(dtype)
    for make in (gl.methods.conductance, gl.methods.internal_influence):
        method = make(gl.Layer("1"))
        truth = gl.explain(net.double(), x.double(), 1, method=method, steps=4096).values
        a = gl.explain(net.to(dtype), x, 1, method=method, tol=tol, max_evaluations=2048)
        error = (a.values.double() - truth).norm(dim=1) / truth.norm(dim=1)
        assert set(a.status) == {gl.Status.CONVERGED}
        assert (error <= tol).all(), error
        assert a.values.dtype == dtype


class Bypass(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.way, self.round = nn.Linear(4, 1, bias=False), nn.Linear(4, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.way(x) + self.round(x)


def test_what_goes_past_the_layer_is_measured_and_said() -> None:
    net = Bypass().double().eval()
    with torch.no_grad():
        net.round.weight.copy_(net.way.weight * 3)
    a = gl.explain(net, X, method=gl.methods.conductance(gl.Layer("way")))
    torch.testing.assert_close(a.values, net.way(X).detach())
    (found,) = a.findings
    assert found.code == "GL206"
    assert "up to 75 %" in found.detail
    torch.testing.assert_close(a.completeness_gap, -3 * net.way(X).detach()[:, 0])


def test_a_layer_that_all_passes_through_adds_up_and_says_nothing() -> None:
    net = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 2)).double().eval()
    for layer in "0123":
        a = gl.explain(net, X, 1, method=gl.methods.conductance(gl.Layer(layer)), tol=1e-3)
        assert not a.findings
        assert (a.completeness_gap.abs() <= 1e-3 * a.values.norm(dim=1) * 3).all()
        assert set(a.status) == {gl.Status.CONVERGED}


def test_integer_inputs_drive_at_the_embedding_and_read_deeper() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.embed = nn.Embedding(20, 6)
            self.rnn = nn.GRU(6, 5, batch_first=True)
            self.head = nn.Linear(5, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.rnn(self.embed(ids))[0].mean(1))

    net, ids = Words().double().eval(), torch.randint(1, 20, (2, 7))
    method = gl.methods.conductance(gl.Layer("rnn"))
    a = gl.explain(
        net, ids, 1, site=gl.Layer("embed"), method=method, baseline=torch.zeros(1, 7, dtype=torch.int64), tol=1e-3
    )
    assert a.values.shape == (2, 7, 5)
    # the head is linear in the layer's output: conductance is its weight times the change
    with torch.no_grad():
        change = net.rnn(net.embed(ids))[0] - net.rnn(net.embed(torch.zeros_like(ids)))[0]
    due = change * net.head.weight[1] / 7
    assert ((a.values - due).flatten(1).norm(dim=1) <= 1e-3 * due.flatten(1).norm(dim=1)).all()


LAYERS = {
    "linear, tanh": lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh()),
    "in-place relu": lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True)),
    "lstm": lambda: nn.LSTM(4, 3, batch_first=True),
    "gru": lambda: nn.GRU(4, 3, batch_first=True),
    "fused attention": lambda: nn.MultiheadAttention(4, 2, batch_first=True),
    "encoder": lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, dropout=0.0),
    "convolution, batch norm": lambda: nn.Sequential(nn.Conv1d(6, 4, 3), nn.BatchNorm1d(4), nn.Softplus()),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("way", [push, _forward_mode, _double_backward], ids=lambda f: f.__name__)
def test_a_pushed_tangent_is_the_derivative_along_it(kind: str, way) -> None:
    """Against central differences in float64; every way that there is."""
    torch.manual_seed(0)
    layer = LAYERS[kind]().double().eval()
    flat = kind in ("linear, tanh", "in-place relu")
    point, tangent = (torch.randn(2, 4) if flat else torch.randn(2, 6, 4) for _ in range(2))
    point, tangent = point.double(), tangent.double()

    def lift(p: Tensor) -> Tensor:
        out = layer(p, p, p, need_weights=False) if isinstance(layer, nn.MultiheadAttention) else layer(p)
        return out[0] if isinstance(out, tuple) else out

    with undisturbed(layer, point.device):
        lifted, pushed = way(lift, point, tangent)
    with torch.no_grad():
        due = (lift(point + 1e-5 * tangent) - lift(point - 1e-5 * tangent)) / 2e-5
        torch.testing.assert_close(lifted, lift(point))
    torch.testing.assert_close(pushed, due, rtol=1e-6, atol=1e-8)
    assert not lifted.requires_grad
    assert not pushed.requires_grad


def test_a_fused_recurrent_kernel_without_forward_derivative_is_pushed_all_the_same() -> None:
    torch.manual_seed(0)
    layer, point, tangent = nn.LSTM(4, 3, batch_first=True), torch.randn(2, 6, 4), torch.randn(2, 6, 4)
    wide = push(lambda p: layer.double()(p)[0], point.double(), tangent.double())
    lifted, pushed = push(lambda p: layer.float()(p)[0], point, tangent)
    torch.testing.assert_close(lifted.double(), wide[0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(pushed.double(), wide[1], rtol=1e-4, atol=1e-6)


class NoForward(torch.autograd.Function):
    """x³ with a backward alone, which can be differentiated again."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


class Once(NoForward):
    """… and one that cannot."""

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


def test_an_operation_without_forward_derivative_takes_the_other_way() -> None:
    point, tangent = X, torch.randn_like(X)
    _, pushed = push(NoForward.apply, point, tangent)
    torch.testing.assert_close(pushed, 3 * point**2 * tangent)
    with pytest.raises(gl.ModelError, match=r"neither by forward mode nor .* site=gl.Layer"):
        push(Once.apply, point, tangent)


def test_a_method_without_a_path_reads_where_it_is() -> None:
    from dataclasses import replace

    with pytest.raises(gl.InputError, match="no read= for gradient"):
        gl.explain(Squares(), X[:, :2], method=replace(gl.methods.gradient(), read=gl.Layer("h")))
    with pytest.raises(gl.InputError, match="a layer for conductance"):
        gl.methods.by_name("conductance")
