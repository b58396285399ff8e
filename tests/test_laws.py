"""The laws hold for every method, precision and feature shape, and each of them can fail."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.accumulators import Accumulator, GradientTimesMove, SumLaw
from gradline.core.flow import Step
from gradline.core.paths import Straight
from gradline.core.rules import Rule, Table
from gradline.testing import laws, rule_laws

METHODS = (gl.methods.integrated_gradients(), gl.methods.gradient(), gl.methods.gradient_x_input())
IG = METHODS[0]
DTYPES = (torch.float64, torch.float32, torch.bfloat16)
SHAPES = {"flat": (5,), "sequence": (4, 3), "image": (3, 6, 6)}


class Series(nn.Module):
    """A recurrence over `(N, 4, 3)`."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.back, self.out = nn.Linear(3, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros_like(self.into(x[:, 0]))
        for step in x.unbind(1):
            state = torch.tanh(self.into(step) + self.back(state))
        return self.out(state)


def net(shape: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    match shape:
        case "flat":
            model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
        case "sequence":
            model = Series()
        case _:
            model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    return model.eval()


def batch(shape: str, n: int = 3) -> Tensor:
    return torch.randn(n, *SHAPES[shape], generator=torch.Generator().manual_seed(1), dtype=torch.float64)


every_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_shape = pytest.mark.parametrize("shape", SHAPES)


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@every_method
@every_dtype
@every_shape
def test_laws_hold(law: Callable[..., None], method: gl.Method, dtype: torch.dtype, shape: str) -> None:
    law(method, net(shape).to(dtype), batch(shape).to(dtype))


@every_method
@every_dtype
@every_shape
def test_attributions_are_linear_in_the_score(method: gl.Method, dtype: torch.dtype, shape: str) -> None:
    laws.linear_in_the_score(method, net(shape).to(dtype), net(shape, 5).to(dtype), batch(shape).to(dtype))


@every_dtype
@every_shape
def test_an_input_that_is_its_own_baseline_gets_a_flat_zero(dtype: torch.dtype, shape: str) -> None:
    laws.no_way_no_map(IG, net(shape).to(dtype), batch(shape).to(dtype))


@every_method
@every_shape
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_low_precision_models_are_summed_wide(method: gl.Method, dtype: torch.dtype, shape: str) -> None:
    laws.sums_are_wide(method, net(shape).to(dtype), batch(shape).to(dtype))


@pytest.mark.parametrize("rule", [gl.rules.MonteCarlo(), gl.rules.Stratified()], ids=repr)
@every_shape
def test_random_rules_are_keyed_by_seed_and_name(rule: Rule, shape: str) -> None:
    laws.noise_is_keyed(IG, net(shape).double(), batch(shape), rule=rule)


@pytest.mark.parametrize("law", [laws.rows_are_independent, laws.order_does_not_matter, laws.gap_is_what_it_says])
@every_shape
def test_laws_hold_to_a_tolerance_with_a_baseline_and_a_target_each(law: Callable[..., None], shape: str) -> None:
    x, targets = batch(shape), torch.tensor([2, 0, 1])
    law(IG, net(shape).double(), x, target=targets, baseline=x.flip(0) / 3, tol=1e-3)


@pytest.mark.parametrize("law", [laws.rows_are_independent, laws.chunks_do_not_matter, laws.gap_is_what_it_says])
def test_laws_hold_over_several_baselines(law: Callable[..., None]) -> None:
    law(IG, net("image").double(), batch("image"), baseline=gl.baselines.Each(0, gl.baselines.Blur(1.0), 0.5))


@every_shape
def test_values_add_up(shape: str) -> None:
    laws.values_add_up(IG, net(shape).double(), batch(shape))


def test_a_small_memory_does_make_small_batches() -> None:
    sizes: list[int] = []

    def watched(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return net("flat").double()(x)

    laws.chunks_do_not_matter(IG, watched, batch("flat"))
    calls = len(sizes)
    wide = next(k for k in range(calls) if sizes[k] == 3 * 16)
    assert sizes[wide + 1 :] == [1, 2] + [1] * (2 + 3 + 3 * 16), "F(x), two rows compared, F(x') and 16 gradients each"


# -------------------------------------------------------------------------------------------- what the caller has stays


class Busy(nn.Module):
    """Batch norm, dropout and a draw of its own on every call, with hooks and a frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.drop = nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)
        self.last = nn.Linear(8, 2).requires_grad_(False)
        self.first.register_forward_hook(lambda module, args, output: None)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.drop(self.norm(self.first(x)))) + 1e-3 * torch.rand(1)


@every_method
@pytest.mark.parametrize("training", [True, False])
def test_nothing_of_the_callers_is_touched(method: gl.Method, training: bool) -> None:
    torch.manual_seed(3)
    model = Busy().train(training)
    model.drop.eval()
    model(torch.randn(4, 5)).sum().backward()
    x = batch("flat").float().requires_grad_()
    x.grad = torch.ones_like(x)
    baseline = torch.full((1, 5), 0.1) if method.baseline else None
    laws.nothing_is_touched(method, model, x, baseline=baseline)


@every_method
def test_no_gradient_is_left_in_a_fresh_model(method: gl.Method) -> None:
    model = Busy().train()
    laws.nothing_is_touched(method, model, batch("flat").float())
    assert all(parameter.grad is None for parameter in model.parameters())


# ---------------------------------------------------------------------------------------------- each law can be broken


@dataclass(frozen=True)
class Broken(Accumulator):
    """A term of one's own, claimed to be the path integral."""

    of: Callable[[Tensor, Tensor], Tensor]
    law = SumLaw.DIFFERENCE
    estimates = True
    multiplies = True

    def node_map(self, grad: Tensor, move: Tensor) -> Tensor:
        return self.of(grad, move)


def summing(of: Callable[[Tensor, Tensor], Tensor]) -> gl.Method:
    return gl.Method("broken", Straight(), Broken(of), gl.baselines.Zero())


def scalar(x: Tensor) -> Tensor:
    return torch.tanh(x.flatten(1)).sum(1, keepdim=True)


class Counter:
    """A score that grows with every call."""

    calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return scalar(x) + self.calls


BREACHES = {
    "rows see each other in a crowd": lambda x: laws.rows_are_independent(
        IG, lambda z: scalar(z - z.mean(0) * (len(z) > 2)), x
    ),
    "place in the batch": lambda x: laws.order_does_not_matter(
        METHODS[1], lambda z: scalar(z) * torch.arange(len(z)).unsqueeze(1), x
    ),
    "size of the batch": lambda x: laws.chunks_do_not_matter(IG, lambda z: scalar(z) * max(2, len(z)), x),
    "place of the feature": lambda x: laws.features_may_be_renamed(
        summing(lambda grad, move: move * torch.arange(5)), scalar, x
    ),
    "square of the gradient": lambda x: laws.linear_in_the_score(
        summing(lambda grad, move: grad**2), scalar, lambda z: scalar(z**3), x
    ),
    "something for nothing": lambda x: laws.dummy_gets_nothing(summing(lambda grad, move: move), scalar, x),
    "nothing for everything": lambda x: laws.dummy_gets_nothing(summing(lambda grad, move: 0 * move), scalar, x),
    "a map without a way": lambda x: laws.no_way_no_map(summing(lambda grad, move: grad), scalar, x),
    "a score that drifts": lambda x: laws.gap_is_what_it_says(IG, Counter(), x),
    "no multiplier": lambda x: laws.values_add_up(summing(lambda grad, move: grad), scalar, x),
    "no chance": lambda x: laws.noise_is_keyed(IG, scalar, x, rule=gl.rules.Midpoint()),
}


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_laws_hold_for_a_model_whose_rows_see_each_other(law: Callable[..., None]) -> None:
    """Its rows are evaluated alone, which is what such a model says of one example."""
    law(IG, lambda z: scalar(z + 0.5 * z.mean(0)), batch("flat"))


@pytest.mark.parametrize("breach", BREACHES)
def test_laws_can_be_broken(breach: str) -> None:
    with pytest.raises(AssertionError):
        BREACHES[breach](batch("flat"))


@dataclass(frozen=True)
class CaptumTrapezoid(Rule):
    """Weights 1/n with half of it at the ends: they sum to 1 − 1/n."""

    def nodes(self, n: int, random: torch.Generator) -> Table:
        w = np.full(n, 1 / n)
        w[[0, -1]] /= 2
        return np.linspace(0, 1, n), w


def test_laws_of_rules_can_be_broken() -> None:
    with pytest.raises(AssertionError, match="sum to one"):
        rule_laws.weights_sum_to_one(CaptumTrapezoid(), 8)
    with pytest.raises(AssertionError, match="off by"):
        rule_laws.exact_to_degree(gl.rules.Midpoint(), 8, 2)
    with pytest.raises(AssertionError, match="beyond degree 0"):
        rule_laws.exact_to_degree(gl.rules.Midpoint(), 8, 0)


class Careless(nn.Module):
    """Counts its calls in a buffer, and draws from numpy's global state."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return scalar(x) * np.random.rand()


def test_a_model_that_changes_itself_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"calls of the state, numpy's random state"):
        laws.nothing_is_touched(IG, Careless(), batch("flat"))


def test_a_gradient_summed_in_half_precision_is_noticed() -> None:
    @dataclass(frozen=True)
    class Narrow(GradientTimesMove):
        def term(self, step: Step) -> Tensor:
            return super().term(step).bfloat16()

    narrow = gl.Method("narrow", Straight(), Narrow(), gl.baselines.Zero())
    with pytest.raises(AssertionError, match="float64 sum"):
        laws.sums_are_wide(narrow, net("flat").bfloat16(), batch("flat").bfloat16())
