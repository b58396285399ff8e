"""How fast Integrated Gradients change: the bound on smooth networks, constants by hand, the jump of max(x1, x2)."""

from __future__ import annotations

import math

import pytest
import torch
from audit_cases import integrated, shapley
from torch import Tensor, nn

import gradline as gl
from gradline.errors import BaselineError, InputError
from gradline.sanity.axioms.lipschitz import ig_lipschitz_bound, max_jump
from gradline.testing.nets import batch


def network(*bends: nn.Module, features: int = 4) -> nn.Sequential:
    """Linear layers of six units with these bends between them, float64."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        for bend in bends:
            layers += [nn.Linear(features, 6), bend]
            features = 6
        return nn.Sequential(*layers, nn.Linear(features, 3)).double().eval()


def single(bend: nn.Module, weight: list[float]) -> nn.Sequential:
    """h(w·x)."""
    first, last = nn.Linear(len(weight), 1, bias=False).double(), nn.Linear(1, 1, bias=False).double()
    first.weight.data, last.weight.data = torch.tensor([weight]).double(), torch.ones(1, 1).double()
    return nn.Sequential(first, bend, last)


# ------------------------------------------------------------------------------------------------ by hand


def test_constants_of_a_softplus_ridge_by_hand() -> None:
    """∂F/∂x_i = w_i σ(w·x), between 0 and w_i; its gradient w_i σ' w, of length at most |w_i| |w| / 4: with w = (3, −4)
    G = (3, 4), L = (15, 20) / 4. At y = (2, −1) from (0, 1): 3 + 15/4 · 2/2 and 4 + 20/4 · 2/2."""
    y = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    found = ig_lipschitz_bound(single(nn.Softplus(), [3.0, -4.0]), y, torch.tensor([[0.0, 1.0]]).double())
    torch.testing.assert_close(found.gradient, torch.tensor([3.0, 4.0]).double())
    torch.testing.assert_close(found.curvature, torch.tensor([3.75, 5.0]).double())
    torch.testing.assert_close(found.constant, torch.tensor([[6.75, 9.0]]).double())
    assert float(found.whole) == pytest.approx(math.hypot(6.75, 9.0))


@pytest.mark.parametrize(
    ("bend", "slope", "bow"),
    [
        (nn.Tanh(), 1.0, 4 / (3 * math.sqrt(3))),
        (nn.Sigmoid(), 0.25, 1 / (6 * math.sqrt(3))),
        (nn.Softplus(beta=2.0), 1.0, 0.5),
        (nn.GELU(), 1.12890, 0.797885),
        (nn.SiLU(), 1.09984, 0.5),
        (nn.ELU(), 1.0, 1.0),
        (nn.Softsign(), 1.0, 2.0),
        (nn.LogSigmoid(), 1.0, 0.25),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_slopes_and_curvatures_of_bends_are_the_largest_there_are(bend: nn.Module, slope: float, bow: float) -> None:
    """h(x) of one weight: G is sup |h'|, L is sup |h''|; on a fine grid both are reached and never exceeded."""
    found = ig_lipschitz_bound(single(bend, [1.0]), torch.zeros(1, 1, dtype=torch.float64))
    assert float(found.gradient) == pytest.approx(slope, abs=1e-5)
    assert float(found.curvature) == pytest.approx(bow, abs=1e-5)
    z = torch.linspace(-12, 12, 240_001, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(bend(z).sum(), z)
    second = first.diff() / z.detach().diff()
    assert float(first.abs().max()) <= float(found.gradient)
    assert float(second.abs().max()) <= float(found.curvature) + 1e-6
    assert float(first.abs().max()) == pytest.approx(slope, rel=1e-3)
    assert float(second.abs().max()) == pytest.approx(bow, rel=1e-3)


def test_an_affine_network_has_its_weights_for_gradient_and_no_curvature() -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 2))
    layers = layers.double().eval()
    x = batch((2, 5, 5), 2)
    found = ig_lipschitz_bound(layers, x, target=1)
    point = x[:1].clone().requires_grad_(True)
    (weights,) = torch.autograd.grad(layers(point)[0, 1], point)
    torch.testing.assert_close(found.gradient, weights[0].abs())
    assert bool((found.curvature == 0).all())
    assert found.constant.shape == x.shape


# ------------------------------------------------------------------------------------------------ the bound


@pytest.mark.parametrize(
    "bends", [(nn.Tanh(),), (nn.Tanh(), nn.GELU()), (nn.Softplus(), nn.Sigmoid(), nn.SiLU())], ids=["1", "2", "3"]
)
def test_the_bound_holds_on_two_hundred_pairs(bends: tuple[nn.Module, ...]) -> None:
    """IG as Σ over 400 Gauss–Legendre nodes of the definition; pairs at distances from 1e-4 to 4."""
    layers = network(*bends)
    y, start = 2 * batch((4,), 200, seed=1), batch((4,), 1, seed=2)
    size = torch.logspace(-4, 0.6, 200, dtype=torch.float64)[:, None]
    x = y + size * nn.functional.normalize(batch((4,), 200, seed=3))
    bound = ig_lipschitz_bound(layers, y, start, target=1)

    def exact(at: Tensor) -> Tensor:
        return gl.explain(layers, at, 1, baseline=start, steps=64, rule=gl.rules.GaussLegendre).values

    change, distance = (exact(x) - exact(y)).abs(), (x - y).norm(dim=1, keepdim=True)
    assert bool((change <= bound.constant * distance * (1 + 1e-9) + 1e-12).all())
    assert bool((change.norm(dim=1) <= bound.whole * distance[:, 0] * (1 + 1e-9) + 1e-12).all())
    if len(bends) == 1:
        share = float((change / (bound.constant * distance)).max())
        assert share > 0.1  # of one layer the bound is not idle


def test_gradient_and_curvature_are_above_those_that_are_met() -> None:
    layers = network(nn.Tanh(), nn.Softplus())
    bound = ig_lipschitz_bound(layers, torch.zeros(1, 4, dtype=torch.float64), target=2)
    x = (3 * batch((4,), 300)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(layers(x)[:, 2].sum(), x, create_graph=True)
    assert bool((gradient.abs() <= bound.gradient).all())
    for i in range(4):
        (row,) = torch.autograd.grad(gradient[:, i].sum(), x, retain_graph=True)
        assert bool((row.norm(dim=1) <= bound.curvature[i]).all())


def test_the_local_estimate_is_below_the_bound() -> None:
    """`gl.metrics.LocalLipschitz` takes the largest change over draws near y; the bound is over all x."""
    layers, y = network(nn.Tanh(), nn.Tanh()), batch((4,), 5)
    method, score = gl.methods.integrated_gradients(), gl.Score(layers, 0)
    maps = gl.attribute(score, y, method, tol=1e-4)
    metric = gl.metrics.LocalLipschitz(gl.metrics.UniformNoise(0.2), draws=4)
    local = gl.evaluate(metric, score, y, maps, explainer=method)
    bound = ig_lipschitz_bound(layers, y)
    assert bool((local.values > 0).all())
    assert bool((local.values <= bound.whole).all())


def test_the_network_is_left_as_it_is() -> None:
    layers = network(nn.Tanh()).float().train()
    before = {k: v.clone() for k, v in layers.state_dict().items()}
    ig_lipschitz_bound(layers, torch.zeros(2, 4))
    assert layers.training
    assert all(v.equal(before[k]) and v.dtype == torch.float32 for k, v in layers.state_dict().items())


def test_refusals() -> None:
    y = torch.zeros(1, 4, dtype=torch.float64)
    with pytest.raises(InputError, match="max_jump") as refused:
        ig_lipschitz_bound(network(nn.ReLU()), y)
    assert "ReLU() at 1" in str(refused.value)
    with pytest.raises(InputError, match="smooth bends"):
        ig_lipschitz_bound(network(nn.GELU(approximate="tanh")), y)
    with pytest.raises(InputError, match="Sequential"):
        ig_lipschitz_bound(nn.Linear(4, 1), y)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="0 to 2"):
        ig_lipschitz_bound(network(nn.Tanh()), y, target=3)
    with pytest.raises(InputError, match="floating-point tensor"):
        ig_lipschitz_bound(network(nn.Tanh()), torch.zeros(4))
    with pytest.raises(InputError, match="layer 0 takes"):
        ig_lipschitz_bound(network(nn.Tanh()), torch.zeros(1, 5))
    with pytest.raises(BaselineError, match="one start"):
        ig_lipschitz_bound(network(nn.Tanh()), y, gl.baselines.Uniform(draws=2))


# ------------------------------------------------------------------------------------------------ the jump


@pytest.mark.parametrize("gap", [0.1, 1e-3, 1e-6])
@pytest.mark.parametrize("method", [gl.methods.integrated_gradients(), integrated], ids=["method", "function"])
def test_maps_of_the_maximum_jump_where_it_changes_hands(method: object, gap: float) -> None:
    """IG of max(x1, x2) from 0 at (1 + e, 1) is (1 + e, 0), at (1, 1 + e) it is (0, 1 + e)."""
    found = max_jump(method, gap)  # type: ignore[arg-type]
    torch.testing.assert_close(found.one, torch.tensor([1 + gap, 0.0]).double())
    torch.testing.assert_close(found.other, torch.tensor([0.0, 1 + gap]).double())
    assert found.distance == pytest.approx(math.sqrt(2) * gap)
    assert found.jump == pytest.approx(math.sqrt(2) * (1 + gap))
    assert found.ratio == pytest.approx(1 / gap + 1)


def test_shapley_values_do_not_jump_there() -> None:
    """(e + (1 + e)) / 2 and 1/2 of the larger and the smaller: the maps differ by √2 e / 1."""
    found = max_jump(shapley, 1e-3)
    torch.testing.assert_close(found.one, torch.tensor([0.501, 0.5]).double())
    assert found.ratio == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(InputError, match="gap"):
        max_jump(shapley, 0)
