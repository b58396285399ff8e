"""Parameter randomisation: what is randomised, in which order, what stays, and what the check says of known maps."""

import copy
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import gradline as gl
from gradline.core import random
from gradline.errors import InputError, SiteError
from gradline.evaluation.judge import evaluate
from gradline.metrics import Evaluation
from gradline.sanity import (
    EntropyChange,
    Order,
    ParameterRandomisation,
    Refill,
    Spearman,
    edges,
    layer_order,
    random_map,
)
from gradline.sanity.copying import copied
from gradline.sanity.layers import blocks
from gradline.sanity.randomisation import entropy
from gradline.sanity.refilling import refill

GRADIENT = gl.methods.gradient_x_input()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Models of a test are the same in every run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class OutOfOrder(nn.Module):
    """Registered from the output to the input; twins of one shape; a head that nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.auxiliary = nn.Linear(6, 3)
        self.norm = nn.BatchNorm1d(6)
        self.second = nn.Linear(6, 6)
        self.first = nn.Linear(6, 6)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(torch.tanh(self.second(torch.tanh(self.first(x))))))


class Attending(nn.Module):
    """Parameters of its own, attention with its two projections, a layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(noise(1, 1, 4))
        self.scale = nn.Parameter(torch.full((4,), 0.01, dtype=torch.float64))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 2)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        return self.head((x + self.scale * self.attention(x, x, x)[0])[:, 0])


def network() -> nn.Sequential:
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 3, 3, padding=1), nn.Tanh(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(108, 4)).double().eval()


def judged(metric: Any, model: nn.Module, x: Tensor, explainer: Any = GRADIENT, **options: Any) -> Evaluation:
    score = gl.Score(model)
    made = explainer(score, x) if callable(explainer) else gl.attribute(score, x, explainer, names=options.get("names"))
    return evaluate(metric, score, x, made, explainer=explainer, **options)


def new_weights(model: nn.Module, x: Tensor, how: Refill = Refill.RESET, seed: int = 0) -> nn.Module:
    score, made = copied(gl.Score(model, 0))
    for block in blocks(score, made, x):
        refill(block, how, seed)
    return made


# ------------------------------------------------------------------------------------------------ layers


def test_layers_as_a_forward_comes_to_them_unused_ones_left_out() -> None:
    assert layer_order(gl.Score(OutOfOrder()), noise(2, 6)) == ("first", "second", "norm", "head")


def test_attention_is_there_with_both_projections() -> None:
    """The output projection is used through its weights alone: it is never called."""
    assert layer_order(gl.Score(Attending()), noise(2, 3, 4)) == ("(root)", "attention", "attention.out_proj", "head")


def test_layers_by_name_with_all_in_them() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 5)), nn.Linear(5, 2)).double().eval()
    score, made = copied(gl.Score(model, 0))
    found = blocks(score, made, noise(1, 6), ("1", "0"))
    assert [(b.name, list(b.members)) for b in found] == [("0", ["0.0", "0.2"]), ("1", ["1"])]
    for wrong in (("0", "0.2"), ("nonsense",), ("0.1",)):
        with pytest.raises(SiteError, match="layers with parameters"):
            blocks(score, made, noise(1, 6), wrong)


# ------------------------------------------------------------------------------------------------ weights


def test_layers_of_one_shape_get_different_weights() -> None:
    made = new_weights(OutOfOrder(), noise(1, 6))
    first, second = made.first.weight, made.second.weight  # type: ignore[union-attr]
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("how", list(Refill))
def test_every_parameter_that_is_used_is_new(how: Refill) -> None:
    model = Attending()
    made = new_weights(model, noise(1, 3, 4), how)
    for (name, before), after in zip(model.named_parameters(), made.parameters(), strict=True):
        if name != "attention.in_proj_bias" and name != "attention.out_proj.bias":  # zeros: no spread, no size
            assert not torch.equal(before, after), name


def test_what_weights_become() -> None:
    """Linear resets to U(−1/√6, 1/√6); a normal refill is randn of the tensor's key times its standard deviation, of a
    constant tensor times its size; the truncated normal stays within ±2 with a standard deviation of 0.1."""
    model, x = OutOfOrder(), noise(1, 6)
    with torch.no_grad():
        model.first.weight.mul_(100)
        model.norm.running_mean.fill_(3.0)  # type: ignore[union-attr]
        model.norm.weight.fill_(2.0)
    reset = new_weights(model, x)
    assert float(reset.first.weight.detach().abs().max()) <= 1 / math.sqrt(6)  # type: ignore[union-attr]
    assert float(reset.norm.running_mean.abs().max()) == 0  # type: ignore[union-attr]
    normal = new_weights(model, x, Refill.NORMAL, seed=3)
    for name, size in (("first.weight", model.first.weight.std()), ("norm.weight", torch.tensor(2.0).double())):
        drawn = torch.randn(
            model.get_parameter(name).shape, generator=random.generator(3, name, "refill"), dtype=torch.float64
        )
        torch.testing.assert_close(normal.get_parameter(name).detach(), drawn * size.detach())
    assert float(normal.norm.running_mean.abs().max()) == 0  # type: ignore[union-attr]
    wide = nn.Sequential(nn.Linear(100, 100)).double()
    cut = new_weights(wide, noise(1, 100), Refill.TRUNCATED).get_parameter("0.weight").detach()
    assert float(cut.std()) == pytest.approx(0.1, rel=0.05)


def test_the_draw_is_one_for_all_and_follows_the_seed() -> None:
    model, x = OutOfOrder(), noise(1, 6)
    chance = torch.random.get_rng_state()
    one, same, other = (new_weights(model, x, seed=seed).first.weight for seed in (0, 0, 1))  # type: ignore[union-attr]
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)
    assert torch.equal(torch.random.get_rng_state(), chance)


def test_what_a_reset_does_not_reach_is_drawn_and_what_it_reaches_too_far_stays() -> None:
    """A layer that forgets its weight, one whose reset wants an argument, and a holder that resets what it holds."""

    class Forgetful(nn.Linear):
        def reset_parameters(self) -> None:
            nn.init.uniform_(self.bias, 5, 6)

    class Wanting(nn.Linear):
        def reset_parameters(self, size: float = 1.0, *, needed: bool | None = None) -> None:
            if needed is None and hasattr(self, "made"):
                raise TypeError("needed")
            super().reset_parameters()

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.inner, self.last = nn.Parameter(noise(3)), Forgetful(3, 3), Wanting(3, 2)
            self.last.made = True
            nn.init.ones_(self.inner.weight)  # which nothing has set: memory as it was found
            self.double()

        def reset_parameters(self) -> None:
            nn.init.constant_(self.own, 9.0)
            nn.init.constant_(self.inner.weight, 9.0)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.inner(x * self.own))

    model = Holder()
    score, made = copied(gl.Score(model, 0))
    root, *rest = blocks(score, made, noise(1, 3))
    refill(root, Refill.RESET, 0)
    assert made.get_parameter("own").tolist() == [9, 9, 9]
    assert torch.equal(made.get_parameter("inner.weight"), model.inner.weight)
    for block in rest:
        refill(block, Refill.RESET, 0)
    assert float(made.get_parameter("inner.bias").detach().min()) >= 5
    for name in ("inner.weight", "last.weight"):
        assert made.get_parameter(name).isfinite().all()
        assert not torch.allclose(made.get_parameter(name), model.get_parameter(name))


def test_weight_norm_is_randomised_behind_the_layer() -> None:
    """`reset_parameters` of a parametrised layer changes nothing: its weights live in a module inside it."""
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 2)).double()
    made = new_weights(model, noise(1, 4))
    assert layer_order(gl.Score(model), noise(1, 4)) == ("0", "0.parametrizations.weight", "1")
    assert not torch.allclose(model[0].weight, made.get_submodule("0").weight)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ the check


def by_the_book(model: nn.Module, x: Tensor, order: Order) -> Tensor:
    """Adebayo et al. (2018) for gradient × input, written plainly: Spearman layer by layer, `(N, K)`."""
    names = ["0", "2", "5"] if order is Order.BOTTOM_UP else ["5", "2", "0"]
    with torch.no_grad():
        classes = model(x).argmax(1)

    def maps(net: nn.Module) -> np.ndarray:
        rows = []
        for image, label in zip(x, classes, strict=True):
            leaf = image[None].clone().requires_grad_()
            net(leaf)[0, label].backward()
            assert leaf.grad is not None
            rows.append((leaf.grad * image[None]).sum(1).flatten().numpy())
        return np.stack(rows)

    before, columns = maps(model), []
    changed = copy.deepcopy(model)
    for name in names:
        if order is Order.INDEPENDENT:
            changed = copy.deepcopy(model)
        layer = changed.get_submodule(name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(random.generator(0, name, "reset").initial_seed())
            layer.reset_parameters()  # type: ignore[operator]
        columns.append([stats.spearmanr(a, b).statistic for a, b in zip(before, maps(changed), strict=True)])
    return torch.tensor(np.array(columns).T)


@pytest.mark.parametrize("order", list(Order))
def test_as_published_definitions_have_it(order: Order) -> None:
    model, x = network(), noise(3, 2, 6, 6)
    found = judged(ParameterRandomisation(order=order), model, x)
    expected = by_the_book(model, x, order)
    assert found.curve is not None
    torch.testing.assert_close(found.curve, expected)
    torch.testing.assert_close(found.values, expected.mean(1))
    assert "3 layers: " + ("0, 2, 5" if order is Order.BOTTOM_UP else "5, 2, 0") in found.settings
    assert {"spearman", "absolute spearman", "cosine"} == set(found.parts)


def test_cascades_end_in_one_network() -> None:
    model, x = network(), noise(2, 2, 6, 6)
    curves = [judged(ParameterRandomisation(order=o), model, x).curve for o in (Order.TOP_DOWN, Order.BOTTOM_UP)]
    torch.testing.assert_close(*(c[:, -1] for c in curves if c is not None))


def test_a_linear_model_by_hand() -> None:
    """Scores Σ_i w_i x_i at x of ones: gradient × input is w, and of the new model the w' that its layer is reset to:
    the value is the correlation of the ranks of w and w', whatever x is made of."""
    model = nn.Linear(40, 1).double()
    x = torch.ones(2, 40, dtype=torch.float64)
    found = judged(ParameterRandomisation(), model, x)
    weights = new_weights(model, x).get_parameter("weight").detach()
    expected = stats.spearmanr(model.weight.detach()[0], weights[0]).statistic
    assert found.values.tolist() == pytest.approx([expected] * 2)
    assert abs(expected) < 0.5


def test_maps_that_ignore_the_model_fail_and_noise_passes() -> None:
    """Edges are the same whatever the weights, 1 everywhere; noise is new every time: 0 but for 1/√36."""
    model, x = network(), noise(6, 2, 6, 6)
    fails = judged(ParameterRandomisation(), model, x, edges)
    assert fails.curve is not None
    torch.testing.assert_close(fails.curve, torch.ones(6, 3).double())
    passes = judged(ParameterRandomisation(), model, x, random_map)
    assert passes.values.abs().max() < 0.4
    assert abs(passes.mean) < 0.15


def test_rows_do_not_meet() -> None:
    model, x = network(), noise(3, 2, 6, 6)
    whole = judged(ParameterRandomisation(), model, x, names=["a", "b", "c"]).values
    alone = [judged(ParameterRandomisation(), model, x[i : i + 1], names=[n]).values for i, n in enumerate("abc")]
    torch.testing.assert_close(torch.cat(alone), whole)


def test_nothing_of_the_callers_is_changed() -> None:
    model, x = OutOfOrder().train(), noise(4, 6)
    model.first.weight.requires_grad_(False)
    before, state, chance = copy.deepcopy(model.state_dict()), x.clone(), torch.random.get_rng_state()
    for metric in (ParameterRandomisation(), ParameterRandomisation(order=Order.INDEPENDENT), EntropyChange()):
        judged(metric, model, x)
    layer_order(gl.Score(model), x)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert model.training
    assert [p.requires_grad for p in model.parameters()].count(False) == 1
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    assert torch.equal(x, state)
    assert torch.equal(torch.random.get_rng_state(), chance)


def test_hooks_are_removed_where_the_model_fails() -> None:
    class Failing(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("broken")

    score, made = copied(gl.Score(Failing(3, 2), 0))
    with pytest.raises(gl.ModelError, match="broken"):
        blocks(score, made, torch.ones(1, 3))
    assert not made._forward_pre_hooks


def test_at_a_layer_named_by_its_module() -> None:
    """The site follows into the copy: layers in front of it change nothing, so that the last points repeat."""
    model, x = network(), noise(2, 2, 6, 6)
    found = {}
    for where in ("2", model[2]):
        score = gl.Score(model, 1, site=gl.Layer(where))
        made = gl.attribute(score, x, gl.methods.gradient_x_input())
        found[str(where)] = evaluate(ParameterRandomisation(), score, x, made, explainer=GRADIENT).values
    first, second = found.values()
    torch.testing.assert_close(first, second)
    assert first.isfinite().all()


def test_a_target_inside_the_network_follows_too() -> None:
    model, x = network(), noise(2, 2, 6, 6)
    score = gl.Score(model, gl.Neuron(model[2], (0, 1, 1)))
    found = evaluate(ParameterRandomisation(), score, x, gl.attribute(score, x, GRADIENT), explainer=GRADIENT)
    assert "2 layers: 2, 0" in found.settings  # the last layer is behind the neuron
    assert found.values.isfinite().all()


def test_a_function_around_a_network_is_refused() -> None:
    model, x = network(), noise(1, 2, 6, 6)
    score = gl.Score(lambda x: model(x), 0)
    with pytest.raises(InputError, match=r"torch\.nn\.Module, for a check that changes its weights"):
        evaluate(ParameterRandomisation(), score, x, x, explainer=GRADIENT)
    bound = gl.Score(model.forward, 0)
    made = gl.attribute(bound, x, GRADIENT)
    assert evaluate(ParameterRandomisation(), bound, x, made, explainer=GRADIENT).values.isfinite().all()


def test_maps_without_an_order_have_no_value_and_say_why() -> None:
    model, x = network(), noise(4, 2, 6, 6)
    maps = gl.attribute(gl.Score(model), x, GRADIENT).values
    maps[0], maps[1], maps[2, 0, 0, 0] = 0, 1, math.nan
    found = evaluate(ParameterRandomisation(), gl.Score(model), x, maps, explainer=GRADIENT)
    assert found.values.isnan().tolist() == [True, True, True, False]
    assert [bool(note) for note in found.notes] == [True, True, True, False]


def test_layers_that_kill_the_map_are_said() -> None:
    """An explainer whose maps are zero for the new weights of the last layer."""
    model, x = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2)).double(), noise(2, 5)
    last = model[2].weight.detach().clone()
    first = model[0].weight.detach().clone()

    def fickle(score: gl.Score, x: Tensor) -> Tensor:
        net: Any = score.model
        return x if torch.equal(net[0].weight, first) and not torch.equal(net[2].weight, last) else 0 * x

    found = evaluate(ParameterRandomisation(), gl.Score(model), x, x, explainer=fickle)
    assert found.values.tolist() == [1.0, 1.0]
    assert all("1 of 2 maps made anew" in note for note in found.notes)


def test_without_an_explainer_it_says_what_is_missing() -> None:
    with pytest.raises(InputError, match="explainer= for parameter-randomisation"):
        evaluate(ParameterRandomisation(), gl.Score(network(), 0), noise(1, 2, 6, 6), noise(1, 2, 6, 6))


def test_a_network_without_weights_is_refused() -> None:
    with pytest.raises(InputError, match="a network with weights"):
        judged(ParameterRandomisation(), nn.Sequential(nn.Tanh()), noise(2, 3))


def test_wrong_fields_are_refused() -> None:
    for wrong in ({"order": "top down"}, {"refill": "reset"}, {"layers": "fc"}, {"layers": ()}, {"by": "spearman"}):
        with pytest.raises(InputError):
            ParameterRandomisation(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="also as a tuple"):
        ParameterRandomisation(also=Spearman())  # type: ignore[arg-type]


def test_likenesses_of_large_images_are_all_there() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(2 * 18 * 18, 2)).double()
    found = judged(ParameterRandomisation(), model, noise(2, 2, 20, 20))
    assert set(found.parts) == {"spearman", "absolute spearman", "cosine", "ssim", "hog"}
    assert all(part.shape == (2, 2) and part.isfinite().all() for part in found.parts.values())


# ------------------------------------------------------------------------------------------------ entropy


def test_entropy_change_by_hand() -> None:
    """w = (0, 1, 1, 0) at x of ones: two of 100 bins with half each, H = ln 2. Four different values of a new w', each
    in a bin of its own unless two are closer than 1 % of their range: H' = ln 4, (ln 4 − ln 2) / ln 2 = 1."""
    model = nn.Linear(4, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 1, 1, 0]]))
    x = torch.ones(1, 4, dtype=torch.float64)
    new = new_weights(model, x).get_parameter("weight").detach()[0].sort().values
    assert min(float(b - a) for a, b in pairwise(new)) > 0.01 * float(new[-1] - new[0])
    found = judged(EntropyChange(), model, x)
    assert found.values.tolist() == pytest.approx([1.0])
    assert float(found.parts["entropy"]) == pytest.approx(math.log(2))
    assert float(found.parts["entropy after"]) == pytest.approx(math.log(4))


def test_entropy_change_of_a_constant_map_is_none() -> None:
    model, x = network(), noise(2, 2, 6, 6)
    maps = torch.zeros_like(x)
    maps[1, 0, 0, 0] = math.nan
    found = evaluate(EntropyChange(), gl.Score(model), x, maps, explainer=GRADIENT)
    assert found.values.isnan().all()
    assert all(found.notes)


def test_experts_that_only_later_examples_meet_count() -> None:
    """Rows with a negative first feature go to one layer, the others to another."""

    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(4, 2), nn.Linear(4, 2)
            self.double().eval()

        def forward(self, x: Tensor) -> Tensor:
            first = x[:, :1] < 0
            one = self.one(x) if first.any() else x[:, :2]
            other = self.other(x) if not first.all() else x[:, :2]
            return torch.where(first, one, other)

    x = torch.ones(2, 4, dtype=torch.float64)
    x[0] = -1
    assert layer_order(gl.Score(Experts(), 0), x) == ("one", "other")
    assert layer_order(gl.Score(Experts(), 0), x[1:]) == ("other",)


def test_entropy_is_that_of_numpys_histogram() -> None:
    maps = noise(3, 2, 10, 10)
    maps[2] = 4
    shares = [np.histogram(m.flatten().numpy(), 100)[0] / 200 for m in maps]
    torch.testing.assert_close(entropy(maps), torch.tensor([stats.entropy(s) for s in shares], dtype=torch.float64))
