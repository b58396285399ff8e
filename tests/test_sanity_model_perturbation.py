"""Model perturbation: noise in the weights, likeness and probability at each level, and their correlation."""

import copy
import math
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import gradline as gl
from gradline.core import random
from gradline.errors import InputError, TargetError
from gradline.evaluation.judge import evaluate
from gradline.metrics import Evaluation, Scale
from gradline.sanity import ModelPerturbation, Spearman, edges
from gradline.sanity.model_perturbation import LEVELS, floating, perturbed

GRADIENT = gl.methods.gradient_x_input()
FEW = ModelPerturbation(levels=(0.05, 0.3, 1.0, 2.0))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layers = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(48, 4)]
        return nn.Sequential(*layers).double().eval()


def judged(metric: ModelPerturbation, model: nn.Module, x: Tensor, names: list[str] | None = None) -> Evaluation:
    score = gl.Score(model)
    return evaluate(metric, score, x, gl.attribute(score, x, GRADIENT, names=names), explainer=GRADIENT, names=names)


def test_noise_by_hand() -> None:
    """W = (1, 3): standard deviation √2 with N − 1 below; at level ½ the noise of the key times √2 / 2. A single number
    and a constant tensor stay as they are."""
    weights = torch.tensor([1.0, 3.0])
    drawn = torch.randn(2, generator=random.generator(0, "w", "weights 0.5"), dtype=torch.float64)
    got = perturbed(weights, 0.5, random.generator(0, "w", "weights 0.5"))
    torch.testing.assert_close(got, weights.double() + drawn * math.sqrt(2) / 2)
    for still in (torch.tensor([7.0]), torch.full((3, 2), 5.0)):
        assert torch.equal(perturbed(still, 1.0, torch.Generator()), still.double())


def test_as_the_definition_has_it() -> None:
    """Rahman et al. (2022) written plainly: every parameter, no running statistic; |gradient × input| by ranks."""
    model, x = network(), noise(3, 2, 6, 6)
    found = judged(FEW, model, x)
    with torch.no_grad():
        classes = model(x).argmax(1)

    def looked_at(net: nn.Module, image: Tensor, label: int) -> tuple[Any, float]:
        leaf = image[None].clone().requires_grad_()
        out = net(leaf)
        (slope,) = torch.autograd.grad(out[0, label], leaf)
        return (slope * image).sum(1).flatten().abs().numpy(), float(out.detach().softmax(1)[0, label])

    for i, image in enumerate(x):
        label = int(classes[i])
        before, clean = looked_at(model, image, label)
        likeness, probability = [], []
        for level in FEW.levels:
            changed = copy.deepcopy(model)
            for name, w in changed.named_parameters():
                drawn = torch.randn(
                    w.shape, generator=random.generator(0, name, f"weights {level!r}"), dtype=torch.float64
                )
                w.data += drawn * level * w.data.std()
            after, p = looked_at(changed, image, label)
            likeness.append(stats.spearmanr(before, after).statistic)
            probability.append(p)
        assert found.curve is not None
        assert found.curve[i].tolist() == pytest.approx(likeness)
        assert found.parts["probability"][i].tolist() == pytest.approx(probability)
        assert float(found.parts["clean"][i]) == pytest.approx(clean)
        assert float(found.values[i]) == pytest.approx(stats.spearmanr(likeness, probability).statistic)
        assert float(found.parts["mean similarity"][i]) == pytest.approx(sum(likeness) / 4)
    assert found.axis is not None
    assert found.axis.tolist() == list(FEW.levels)


def test_small_noise_changes_little_and_large_noise_much() -> None:
    found = judged(ModelPerturbation(levels=(1e-6, 1e-5, 3.0)), network(), noise(4, 2, 6, 6))
    assert found.curve is not None
    assert (found.curve[:, 0] > 0.99).all()
    assert (found.curve[:, 2] < found.curve[:, 0]).all()


def test_noise_of_a_level_does_not_depend_on_the_other_levels() -> None:
    model, x = network(), noise(2, 2, 6, 6)
    one, other = (judged(ModelPerturbation(levels=levels), model, x) for levels in ((0.1, 0.3, 1.0), (0.2, 0.3, 0.4)))
    torch.testing.assert_close(one.parts["probability"][:, 1], other.parts["probability"][:, 1])
    assert not torch.allclose(one.parts["probability"][:, 0], other.parts["probability"][:, 0])


def test_a_map_that_stays_whatever_the_model_has_no_correlation_and_says_so() -> None:
    score, x = gl.Score(network()), noise(2, 2, 6, 6)
    found = evaluate(FEW, score, x, edges(score, x), explainer=edges)
    assert found.values.isnan().all()
    assert found.parts["mean similarity"].tolist() == pytest.approx([1, 1])
    assert all("the same at all levels" in note for note in found.notes)


def test_another_scale_and_another_likeness() -> None:
    model, x = network(), noise(2, 2, 6, 6)
    metric = ModelPerturbation(by=Spearman(), levels=FEW.levels, scale=Scale.LOGIT)
    found = judged(metric, model, x)
    with torch.no_grad():
        torch.testing.assert_close(found.parts["clean"], model(x).amax(1))
    usual = judged(FEW, model, x)
    torch.testing.assert_close(found.curve, usual.parts["spearman"])
    assert "spearman against logit" in found.settings


def test_tied_weights_are_changed_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    model[2].weight = model[0].weight
    assert [name for name, _ in floating(model)] == ["0.weight", "0.bias", "2.bias"]


def test_rows_do_not_meet() -> None:
    model, x = network(), noise(3, 2, 6, 6)
    whole = judged(FEW, model, x, list("abc"))
    alone = [judged(FEW, model, x[i : i + 1], [n]) for i, n in enumerate("abc")]
    torch.testing.assert_close(torch.cat([a.values for a in alone]), whole.values)
    torch.testing.assert_close(torch.cat([a.parts["probability"] for a in alone]), whole.parts["probability"])


def test_nothing_of_the_callers_is_changed() -> None:
    model, x = network().train(), noise(3, 2, 6, 6)
    state, before, chance = copy.deepcopy(model.state_dict()), x.clone(), torch.random.get_rng_state()
    judged(FEW, model, x)
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    assert model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(before, x)
    assert torch.equal(chance, torch.random.get_rng_state())


def test_maps_without_an_order_have_no_value_and_say_why() -> None:
    score, x = gl.Score(network()), noise(3, 2, 6, 6)
    maps = gl.attribute(score, x, GRADIENT).values
    maps[0], maps[1, 0, 0, 0] = 0, math.nan
    found = evaluate(FEW, score, x, maps, explainer=GRADIENT)
    assert found.values.isnan().tolist() == [True, True, False]
    assert [bool(note) for note in found.notes] == [True, True, False]


def test_refusals() -> None:
    x = noise(1, 2, 6, 6)
    with pytest.raises(TargetError, match="has a probability"):
        evaluate(FEW, gl.Score(network(), lambda y: y.square().sum(1)), x, x, explainer=GRADIENT)
    with pytest.raises(InputError, match="explainer= for model-perturbation"):
        evaluate(FEW, gl.Score(network()), x, x)
    for wrong in ((), (0.1, 0.2), (0.2, 0.1, 0.3), (0, 0.1, 0.2), [0.1, 0.2, 0.3], (0.1, True, 2)):
        with pytest.raises(InputError, match="levels as a tuple"):
            ModelPerturbation(levels=wrong)  # type: ignore[arg-type]
    assert ModelPerturbation().levels == LEVELS
