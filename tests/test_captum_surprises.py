"""What Captum 0.9.0 does to a model, or fails at, with nothing said; what we do, with values derived on paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import (
    IntegratedGradients,
    InternalInfluence,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
)
from captum_cases import distance
from torch import Tensor, nn

import gradline as gl

GAUSS = {"steps": 12, "rule": gl.rules.GaussLegendre}


def wide(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------ the model's state


def test_captum_moves_the_statistics_of_batch_norm_and_we_do_not() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Tanh(), nn.Linear(4, 2)).train()
    for _ in range(5):
        model(torch.randn(16, 3))
    x = torch.randn(5, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ours = gl.explain(model, x, 1, **GAUSS)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.training
    assert "GL101" in {f.code for f in ours.findings}
    theirs = IntegratedGradients(model).attribute(x, target=1, n_steps=12)
    assert not torch.equal(before["1.running_mean"], model[1].running_mean)
    assert int(model[1].num_batches_tracked) == 6
    assert distance(ours.values, theirs) > 0.1
    model.load_state_dict(before)
    assert distance(ours.values, IntegratedGradients(model.eval()).attribute(x, target=1, n_steps=12)) <= 1e-5


class Mixed(nn.Module):
    """F_r = x_r · (mean of x over the batch)²: alone x³."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean(0, keepdim=True) ** 2


def test_captums_steps_see_each_other_where_rows_do() -> None:
    """Captum makes one batch of its n steps t_k x, with mean x/2 for a symmetric rule. The sum of its outputs is
    n m³ with m the mean, so the gradient at each step is 3 m² = 3/4 x², and the map 3/4 x³. Alone: x³ = 8."""
    theirs = IntegratedGradients(Mixed()).attribute(wide([2.0]), target=0, n_steps=4)
    ours = gl.explain(Mixed(), wide([2.0]), **GAUSS)
    assert abs(float(theirs) - 6.0) < 1e-5
    assert abs(float(ours.values) - 8.0) < 1e-12
    assert "GL102" in {f.code for f in ours.findings}


def test_captums_batch_grows_with_the_steps_and_ours_with_the_memory_allowed() -> None:
    torch.manual_seed(0)
    inner, x = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 4)).eval(), torch.randn(3, 6)
    rows: list[int] = []

    def model(z: Tensor) -> Tensor:
        rows.append(len(z))
        y: Tensor = inner(z)
        return y

    largest = []
    for steps in (50, 500):
        rows.clear()
        IntegratedGradients(model).attribute(x, target=1, n_steps=steps)
        assert max(rows) == 3 * steps
        rows.clear()
        gl.explain(model, x, 1, steps=steps, memory=20_000)
        largest.append(max(rows))
    assert largest[0] == largest[1] < 50


def test_captum_refuses_several_columns_without_a_target_and_we_explain_the_predicted_one() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).eval(), torch.randn(5, 3)
    with pytest.raises(AssertionError, match="Target not provided"):
        IntegratedGradients(model).attribute(x)
    ours = gl.explain(model, x, **GAUSS)
    assert distance(ours.values, IntegratedGradients(model).attribute(x, target=model(x).argmax(1), n_steps=12)) <= 1e-5


def test_captum_fails_where_gradients_were_switched_off_for_good() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).eval(), torch.randn(2, 3)
    expected = gl.explain(model, x, 1, **GAUSS)
    with torch.inference_mode():
        with pytest.raises(RuntimeError, match="does not require grad"):
            IntegratedGradients(model).attribute(x, target=1)
        ours = gl.explain(model, x, 1, **GAUSS)
    assert torch.equal(ours.values, expected.values)


# ------------------------------------------------------------------------------------------------ layers


def test_captum_fails_in_front_of_an_operation_in_place() -> None:
    torch.manual_seed(0)
    inner, outer = nn.Linear(3, 8), nn.Linear(8, 2)
    there = nn.Sequential(inner, nn.ReLU(inplace=True), outer).eval()
    apart = nn.Sequential(inner, nn.ReLU(), outer).eval()
    x = torch.randn(4, 3)
    with pytest.raises(RuntimeError, match="in-place operation"):
        LayerIntegratedGradients(there, inner).attribute(x, target=1, n_steps=12)
    ours = gl.explain(there, x, 1, site=gl.Layer("0"), **GAUSS)
    theirs = LayerIntegratedGradients(apart, inner).attribute(x, target=1, n_steps=12)
    assert distance(ours.values, theirs) <= 1e-5


class Twice(nn.Module):
    """F = Σ h(x) h(2x + 1) with one layer h(z) = z for both."""

    def __init__(self) -> None:
        super().__init__()
        self.h = nn.Linear(2, 2, bias=False).double()
        self.h.weight.data = torch.eye(2, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = (self.h(x) * self.h(2 * x + 1)).sum(1, keepdim=True)
        return y


def test_captum_puts_one_tensor_into_both_calls_of_a_layer() -> None:
    """x = (1, 2), from zero. The first call runs from 0 to (1, 2) beside h(2x + 1) = (3, 5): A = (3, 10). The second
    from (1, 1) to (3, 5) beside (1, 2): A = (2, 8). Captum takes the ends of the last call and puts the same point p
    into both: F = Σ p², A = (9 − 1, 25 − 1) = (8, 24), where F(x) − F(0) is 13. We ask which call is meant."""
    model, x = Twice(), wide([1.0, 2.0])
    theirs, delta = LayerIntegratedGradients(model, model.h).attribute(x, target=0, return_convergence_delta=True)
    assert torch.allclose(theirs.double(), wide([8.0, 24.0]), rtol=1e-6)
    assert abs(float(delta) - 19) < 1e-5
    with pytest.raises(gl.SiteError, match="which call"):
        gl.explain(model, x, site=gl.Layer("h"))
    for call, exact in enumerate((wide([3.0, 10.0]), wide([2.0, 8.0]))):
        ours = gl.explain(model, x, site=gl.Layer("h", call=call), tol=0.01)
        assert torch.allclose(ours.values, exact, rtol=1e-12)
        assert ours.completeness_gap is not None
        assert abs(float(ours.completeness_gap)) < 1e-12


class Fork(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, 2 * x


class Joined(nn.Module):
    """F = Σ a b with the outputs a = x and b = 2 x of one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.fork = Fork()

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.fork(x)
        y: Tensor = (a * b).sum(1, keepdim=True)
        return y


def test_captum_moves_all_outputs_of_a_layer_together_and_we_one_at_a_time() -> None:
    """Both are right; they answer different questions. Together each has half of a b = 2 x² = (2, 8); with the other
    one held at x, each has it all."""
    model, x = Joined(), wide([1.0, 2.0])
    theirs = LayerIntegratedGradients(model, model.fork).attribute(x, target=0)
    for place in range(2):
        assert torch.allclose(theirs[place].double(), wide([1.0, 4.0]), rtol=1e-6)
        ours = gl.explain(model, x, site=gl.Layer("fork", output=place), tol=0.01)
        assert torch.allclose(ours.values, wide([2.0, 8.0]), rtol=1e-12)


class Parallel(nn.Module):
    """F = Σ a(x) b(x) with layers a(z) = z and b(z) = 2 z side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(2, 2, bias=False).double(), nn.Linear(2, 2, bias=False).double()
        for factor, layer in enumerate((self.a, self.b), 1):
            layer.weight.data = factor * torch.eye(2, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = (self.a(x) * self.b(x)).sum(1, keepdim=True)
        return y


@pytest.mark.filterwarnings("ignore:Multiple layers provided")
def test_captum_moves_several_layers_together_and_we_one_at_a_time() -> None:
    """As for the outputs of one layer: half of a b = (2, 8) for each, or all of it beside the other at x."""
    model, x = Parallel(), wide([1.0, 2.0])
    theirs = LayerIntegratedGradients(model, [model.a, model.b]).attribute(x, target=0)
    for there, name in zip(theirs, ("a", "b"), strict=True):
        assert torch.allclose(there.double(), wide([1.0, 4.0]), rtol=1e-6)
        assert torch.allclose(gl.explain(model, x, site=gl.Layer(name), tol=0.01).values, wide([2.0, 8.0]), rtol=1e-12)


class Recurrent(nn.Module):
    """An LSTM, whose output is nested: (h, (h_n, c_n))."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.lstm(x)[0][:, -1])
        return y


def test_captum_fails_at_layers_that_return_nested_tuples() -> None:
    """Only the last step of h reaches the head: A = w ⊙ (h(x) − h(0)) there, zero at all others."""
    torch.manual_seed(0)
    model, x = Recurrent().double().eval(), torch.randn(3, 6, 4, dtype=torch.float64)
    with pytest.raises(AttributeError):
        LayerIntegratedGradients(model, model.lstm).attribute(x, target=1)
    change = (model.lstm(x)[0] - model.lstm(torch.zeros_like(x))[0]).detach()
    change[:, :-1] = 0
    ours = gl.explain(model, x, 1, site=gl.Layer("lstm"), steps=1)
    assert torch.allclose(ours.values, change * model.head.weight[1].detach(), atol=1e-14)


class Words(nn.Module):
    """Ids and a number beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.hidden, self.head = nn.Embedding(9, 4), nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, ids: Tensor, factor: Tensor | None = None) -> Tensor:
        y: Tensor = self.head(torch.tanh(self.hidden(self.embed(ids))).mean(1))
        return y if factor is None else y * factor


@pytest.fixture
def words() -> tuple[Words, Tensor, Tensor]:
    torch.manual_seed(0)
    return Words().double().eval(), torch.randint(2, 9, (3, 6)), torch.ones(3, 6, dtype=torch.int64)


@pytest.mark.parametrize("kind", [LayerConductance, InternalInfluence])
def test_captum_turns_token_ids_into_fractions_for_conductance(kind: Any, words: tuple[Words, Tensor, Tensor]) -> None:
    """Its path runs through the ids themselves. Ours can be driven at the embedding and read further inside."""
    model, ids, start = words
    with pytest.raises(RuntimeError, match="indices"):
        kind(model, model.hidden).attribute(ids, start, target=1)
    method = gl.methods.conductance if kind is LayerConductance else gl.methods.internal_influence
    ours = gl.explain(model, ids, 1, method=method(gl.Layer("hidden")), baseline=start, site=gl.Layer("embed"), **GAUSS)
    leaf = model.embed(ids).detach()

    class Rest(nn.Module):
        def forward(self, embedded: Tensor) -> Tensor:
            y: Tensor = model.head(torch.tanh(model.hidden(embedded)).mean(1))
            return y

    theirs = kind(Rest(), model.hidden)
    if kind is InternalInfluence:
        assert distance(ours.values, theirs.attribute(leaf, model.embed(start).detach(), target=1, n_steps=12)) <= 1e-5
    else:
        ends = leaf, model.embed(start).detach()
        coarse, fine = (theirs.attribute(*ends, target=1, n_steps=n, method="riemann_trapezoid") for n in (200, 400))
        assert distance(ours.values, 2 * fine - coarse) <= 1e-5
        assert ours.completeness_gap is not None
        assert (ours.completeness_gap.abs() < 1e-10).all()


def test_captum_fails_on_integers_among_the_inputs_and_we_hold_them(words: tuple[Words, Tensor, Tensor]) -> None:
    """F is linear in the factor, so its map is F(x), whatever the ids."""
    model, ids, _ = words
    factor = wide([1.0], [-2.0], [0.5])
    with pytest.raises(RuntimeError, match="indices"):
        IntegratedGradients(model).attribute((ids, factor), target=1)
    ours = gl.explain(model, (ids, factor), 1, steps=1)
    assert ours.values[0] is None
    assert torch.allclose(ours.values[1][:, 0], ours.score, rtol=1e-12)


def test_captum_reads_only_the_last_call_of_a_layer() -> None:
    """Gradient times activation of the second call of h(z) = z in F = Σ h(x) h(2x + 1): x (2x + 1) = (3, 10), the same
    as for the first; the conductance of the calls is x² + x and x², and Captum has the second."""
    model, x = Twice(), wide([1.0, 2.0])
    theirs = LayerGradientXActivation(model, model.h).attribute(x, target=0).detach()
    assert torch.allclose(theirs, wide([3.0, 10.0]))
    theirs = LayerConductance(model, model.h).attribute(x, target=0, n_steps=2000, method="riemann_trapezoid").detach()
    assert torch.allclose(theirs, wide([1.0, 4.0]), rtol=1e-3)
    for call, exact in enumerate((wide([2.0, 6.0]), wide([1.0, 4.0]))):
        method = gl.methods.conductance(gl.Layer("h", call=call))
        assert torch.allclose(gl.explain(model, x, method=method, **GAUSS).values, exact, rtol=1e-12)
