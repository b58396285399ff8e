"""The formulas of the audit: what they say, what is known of them by looking, how they are written anew."""

from __future__ import annotations

import pytest
import torch

from gradline.core import random
from gradline.sanity.axioms.algebra import (
    bounds,
    direction,
    is_of_sum,
    is_symmetric,
    reads,
    renumbered,
    substituted,
    swapped,
    tidy,
)
from gradline.sanity.axioms.families import FAMILIES, drawn
from gradline.sanity.axioms.formulas import (
    Bend,
    Expression,
    Extreme,
    Model,
    Power,
    Product,
    Sum,
    Variable,
    kinks,
    number,
    spelled,
)
from gradline.sanity.axioms.networks import convolutional, folded, perceptron
from gradline.sanity.axioms.rewriting import LAYERS, WAYS, as_layers, pair, rewritten
from gradline.sanity.axioms.shrinking import cost, shrunk
from gradline.sanity.axioms.simpler import simpler
from gradline.sanity.axioms.trials import Chance, Trial

X, Y = Variable(0), Variable(1)
BOX = [(-1.0, 2.0), (0.5, 1.5), (-2.0, -0.5)]


def chance(part: str, place: int = 0) -> Chance:
    return Chance(random.generator(0, part, "test", place))


def points(rows: int, features: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (Sum((X, Y), (2.0, -1.0), 0.5), "2 x1 − x2 + 0.5"),
        (Sum((X,), (-1.0,)), "−x1"),
        (Sum((), (), -0.5), "−0.5"),
        (Sum((), ()), "0"),
        (Product((X, Power(Sum((X, Y), (1.0, 1.0)), 2))), "x1·(x1 + x2)²"),
        (Bend("tanh", Sum((X, Y), (1.0, -1.0))), "tanh(x1 − x2)"),
        (Extreme("min", (X, number(1.0))), "min(x1, 1)"),
        (Sum((Bend("relu", X), Product((X, Y))), (-1.5, 1.0)), "−1.5 relu(x1) + x1·x2"),
        (Power(X, 4), "x1^4"),
    ],
)
def test_a_formula_is_said_as_it_is_written_on_paper(expression: Expression, words: str) -> None:
    assert expression.words == words
    assert spelled(-0.25) == "−0.25"


def test_values_by_hand() -> None:
    at = torch.tensor([[2.0, -3.0]], dtype=torch.float64)
    values = {
        Sum((X, Y), (2.0, -1.0), 0.5): 7.5,
        Product((X, Y, Y)): 18.0,
        Power(Y, 3): -27.0,
        Bend("relu", Y): 0.0,
        Extreme("max", (X, Y, number(5.0))): 5.0,
        Extreme("min", (X, Y)): -3.0,
    }
    for expression, due in values.items():
        assert float(expression.values(at)) == due
        assert Model(expression)(at).shape == (1, 1)
    model, x = Model(number(3.0)), at.clone().requires_grad_(True)
    assert torch.autograd.grad(model(x).sum(), x)[0].tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("place", range(2 * len(FAMILIES)))
def test_what_is_seen_of_a_formula_is_so(place: int) -> None:
    """Tidying, renaming and substituting keep values; bounds hold; directions are the signs of gradients."""
    features = 3
    f = drawn(chance("seen", place), features, place)
    low, high = (torch.tensor(ends, dtype=torch.float64) for ends in zip(*BOX, strict=True))
    share = torch.rand(400, features, generator=torch.Generator().manual_seed(place), dtype=torch.float64)
    x = (low + share * (high - low)).requires_grad_(True)
    values = Model(f)(x)[:, 0]
    (grad,) = torch.autograd.grad(values.sum(), x)
    torch.testing.assert_close(tidy(f).values(x), f.values(x))
    least, most = bounds(f, BOX)
    assert bool(((values >= least - 1e-9) & (values <= most + 1e-9)).all())
    for i in range(features):
        way = direction(f, i, BOX)
        assert way is None or bool((grad[:, i] * way >= -1e-12).all())
        assert way != 0 or bool((grad[:, i] == 0).all())
        assert (i in reads(f)) or bool((grad[:, i] == 0).all())
    order = [2, 0, 1]
    torch.testing.assert_close(renumbered(f, order).values(x[:, [1, 2, 0]]), f.values(x))
    torch.testing.assert_close(swapped(f, 0, 2).values(x[:, [2, 1, 0]]), f.values(x))
    fixed = x.detach().clone()
    fixed[:, 1] = 0.7
    torch.testing.assert_close(tidy(substituted(f, 1, number(0.7))).values(x), f.values(fixed))


@pytest.mark.parametrize("place", range(len(FAMILIES)))
def test_rising_families_rise(place: int) -> None:
    f = drawn(chance("rising", place), 2, place, rising=True)
    assert all(direction(f, i, [(0.0, 2.0), (0.5, 3.0)]) in (0, 1) for i in range(2))


def test_symmetry_and_sums_are_told_from_what_looks_like_them() -> None:
    assert is_symmetric(Product((Y, X)), 0, 1)
    assert is_symmetric(Sum((Bend("tanh", X), Bend("tanh", Y)), (2.0, 2.0)), 0, 1)
    assert not is_symmetric(Sum((Bend("tanh", X), Bend("tanh", Y)), (2.0, 1.0)), 0, 1)
    assert is_symmetric(Extreme("max", (X, Y)), 0, 1)
    whole = Sum((X, Y), (1.0, 1.0))
    assert is_of_sum(Bend("tanh", Sum((X, Y), (2.0, 2.0), 1.0)), 2)
    assert is_of_sum(Product((whole, Bend("relu", whole))), 2)
    assert not is_of_sum(Bend("tanh", Sum((X, Y), (2.0, 1.0))), 2)
    assert not is_of_sum(Product((X, Y)), 2)
    assert not is_of_sum(Bend("tanh", X), 2)


def test_tidying() -> None:
    assert tidy(Sum((Sum((X,), (2.0,), 1.0), X), (2.0, -4.0), 1.0)) == number(3.0)
    assert tidy(Product((X, Y, X))) == Product((Power(X, 2), Y))
    assert tidy(Product((Sum((X,), (-1.0,)), Y))) == Sum((Product((X, Y)),), (-1.0,))
    assert tidy(Product((number(0.0), Y))) == number(0.0)
    assert tidy(Power(Sum((X,), (2.0,)), 2)) == Sum((Power(X, 2),), (4.0,))
    assert tidy(Extreme("max", (X,))) == X


def test_kinks_are_where_the_gradient_jumps() -> None:
    found = [k.words for k in kinks(Sum((Bend("relu", Sum((X,), (1.0,), -1.0)), Extreme("max", (X, Y))), (1.0, 1.0)))]
    assert found == ["x1 − 1", "x1 − x2"]
    assert not list(kinks(Bend("tanh", X)))


# ------------------------------------------------------------------------------------------------ written anew


@pytest.mark.parametrize("way", dict.fromkeys(WAYS))
def test_a_formula_written_anew_is_the_same_function(way: str) -> None:
    seen = 0
    for place in range(12):
        f = drawn(chance(way, place), 2, (4, 6, 7)[place % 3])
        found = pair(f, 2, way)
        if found is None:
            continue
        seen += 1
        x = points(100, 2, place)
        torch.testing.assert_close(found[0](x), found[1](x), rtol=1e-10, atol=1e-10)
    assert seen >= 3


def test_networks_written_anew_are_the_same_function_and_forms_that_do_not_fit_are_left() -> None:
    x = points(50, 4)
    for place, way in enumerate(LAYERS):
        module = perceptron(chance("anew", place), 4).module
        found = rewritten(module, way)  # type: ignore[arg-type]
        assert found is not None or "relu" in way
        if found is not None:
            torch.testing.assert_close(found(x), module(x), rtol=1e-10, atol=1e-10)
    network = convolutional(chance("folded"), normalised=True)
    images = points(50, 9)
    torch.testing.assert_close(folded(network)(images), network.module(images), rtol=1e-10, atol=1e-10)
    assert as_layers(Product((X, Y)), 2) is None
    assert as_layers(Bend("tanh", Product((X, Y))), 2) is None
    assert as_layers(Sum((Bend("tanh", X), Bend("relu", X)), (1.0, 1.0)), 2) is None


def test_networks_are_what_they_are_made_to_be() -> None:
    x = points(20, 4)
    blind = perceptron(chance("blind"), 4, blind=(2,)).module
    other = x.clone()
    other[:, 2] += 1
    assert blind(x).equal(blind(other))
    alike = perceptron(chance("alike"), 4, alike=(1, 3)).module
    torch.testing.assert_close(alike(x), alike(x[:, [0, 3, 2, 1]]))
    rising = perceptron(chance("rising"), 4, rising=True).module
    assert bool((rising(x + torch.rand(20, 4, dtype=torch.float64)) >= rising(x)).all())


def test_drawing_a_network_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    perceptron(chance("state"), 4)
    folded(convolutional(chance("state"), normalised=True))
    assert torch.get_rng_state().equal(before)


# ------------------------------------------------------------------------------------------------ made smaller


def test_what_is_made_smaller_is_as_small_as_it_can_be() -> None:
    """Wrong whenever a square of the first feature is in it and x1 > 0.4: x1² at 1, no other feature, from 0."""
    f = Sum((Power(X, 2), Bend("tanh", Sum((X, Y), (1.3, -0.2))), Product((X, Y))), (1.7, 0.3, -1.0), 0.4)
    trial = Trial((f,), points(4, 3).abs() + 0.5, points(1, 3))

    def wrong(candidate: Trial) -> bool:
        nodes = list(candidate.functions[0].nodes())  # type: ignore[union-attr]
        first = candidate.x[:, 0] > 0.4
        return any(isinstance(n, Power) for n in nodes) and bool(first.all())

    least = shrunk(trial, wrong)
    assert least.functions[0] == Power(X, 2)
    assert least.x.tolist() == [[1.0]]
    assert least.starts.tolist() == [[0.0]]
    assert cost(least) < cost(trial)


def test_simpler_trials_keep_places_and_shapes() -> None:
    f = Sum((Product((X, Y)), Variable(2)), (1.5, 1.0))
    trial = Trial((f,), points(2, 3), points(2, 3), places=(0, 2), numbers=(0.5,))
    candidates = list(simpler(trial))
    assert any(c.features == 2 for c in candidates)
    for c in candidates:
        assert c.x.shape[1] == c.starts.shape[1] == c.features
        assert len(c.places) == 2
        assert len(set(c.places)) == 2
        assert len(c.starts) == 2
        assert max(reads(c.functions[0]), default=0) < c.features  # type: ignore[arg-type]
    assert shrunk(trial, lambda _: False) is trial
