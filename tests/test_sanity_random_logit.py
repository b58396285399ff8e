"""Random logit: the map of another class, by hand and by draws."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import gradline as gl
from gradline.core import random
from gradline.errors import InputError, TargetError
from gradline.evaluation.judge import evaluate
from gradline.metrics import Evaluation
from gradline.sanity import RandomLogit, Rival, Spearman, TopK, edges, random_map

GRADIENT = gl.methods.gradient_x_input()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(*rows: list[float]) -> nn.Linear:
    model = nn.Linear(len(rows[0]), len(rows), bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor(rows))
    return model


def network(classes: int = 5) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(32, 12), nn.Tanh(), nn.Linear(12, classes)).double()


def judged(
    metric: RandomLogit, score: gl.Score, x: Tensor, names: list[str] | None = None, seed: int = 0
) -> Evaluation:
    made = gl.attribute(score, x, GRADIENT, names=names)
    return evaluate(metric, score, x, made, explainer=GRADIENT, names=names, seed=seed)


def test_the_runner_up_of_a_linear_model_by_hand() -> None:
    """x = (1, 1, 1, 1), so maps are the rows of W, logits their sums 10, 9, 0. Class 0 is predicted, 1 the runner-up:
    ranks of (1, 2, 3, 4) and (1, 3, 2, 3) = (1, 3.5, 2, 3.5), around 2.5: products 2.25 − 0.5 − 0.25 + 1.5 = 3, squares
    5 and 4.5, 3 / √22.5. The largest quarter is the last value of the one, and the first of the two 3s, the second
    value, of the other: 0."""
    model, x = linear([1, 2, 3, 4], [1, 3, 2, 3], [0, 0, 0, 0]), torch.ones(2, 4, dtype=torch.float64)
    metric = RandomLogit(rival=Rival.RUNNER_UP, also=(TopK(0.25),))
    found = judged(metric, gl.Score(model), x)
    assert found.values.tolist() == pytest.approx([3 / math.sqrt(22.5)] * 2)
    assert found.parts["class"].tolist() == [1, 1]
    assert found.parts["top 0.25"].tolist() == [0, 0]
    assert judged(metric, gl.Score(model, 1), x).parts["class"].tolist() == [0, 0]


def test_each_example_has_its_own_class_never_its_own_one() -> None:
    """Of 40 examples in a batch the classes drawn differ, and so they do in the next batch of other names."""
    score, x = gl.Score(network()), noise(40, 2, 4, 4)
    with torch.no_grad():
        own = score.model(x).argmax(1)
    found = judged(RandomLogit(), score, x).parts["class"].long()
    assert (found != own).all()
    assert set(found.tolist()) == set(range(5))
    other = judged(RandomLogit(), score, x, [f"b{i}" for i in range(40)]).parts["class"].long()
    assert not torch.equal(found, other)
    draws = [int(torch.randint(4, (), generator=random.generator(0, str(i), "random-logit"))) for i in range(40)]
    assert found.tolist() == [d + (d >= o) for d, o in zip(draws, own.tolist(), strict=True)]


def test_as_the_definition_has_it() -> None:
    """Gradient × input of the class and of the class drawn, written plainly, channels summed."""
    score, x = gl.Score(network()), noise(3, 2, 4, 4)
    found = judged(RandomLogit(), score, x, seed=4)
    for i, image in enumerate(x):
        maps = []
        for label in (int(score.model(image[None]).argmax()), int(found.parts["class"][i])):
            leaf = image[None].clone().requires_grad_()
            (slope,) = torch.autograd.grad(score.model(leaf)[0, label], leaf)
            maps.append((slope * image).sum(1).flatten().numpy())
        assert float(found.values[i]) == pytest.approx(stats.spearmanr(*maps).statistic)
        absolute = stats.spearmanr(*(abs(m) for m in maps)).statistic
        assert float(found.parts["absolute spearman"][i]) == pytest.approx(absolute)


def test_maps_that_are_the_same_for_all_classes_fail_and_noise_passes() -> None:
    score, x = gl.Score(network()), noise(8, 2, 4, 4)
    fails = evaluate(RandomLogit(), score, x, edges(score, x), explainer=edges)
    torch.testing.assert_close(fails.values, torch.ones(8).double())
    frozen = gl.Score(score.model, score.model(x).argmax(1))
    passes = evaluate(RandomLogit(), frozen, x, random_map(frozen, x), explainer=random_map)
    assert abs(passes.mean) < 0.3


def test_two_classes_of_a_probability_are_opposite() -> None:
    score = gl.Score(network(2), gl.Probability(0))
    found = judged(RandomLogit(), score, noise(2, 2, 4, 4))
    torch.testing.assert_close(found.values, -torch.ones(2).double())


def test_a_margin_turns_to_the_other_class_against_its_best_rival() -> None:
    """Rows sum to 10, 9, 0. Predicted less best other: W0 − W1; runner-up 1 against 0: W1 − W0, so −1."""
    model, x = linear([1, 2, 3, 4], [1, 3, 2, 3], [0, 0, 0, 0]), torch.ones(1, 4, dtype=torch.float64)
    found = judged(RandomLogit(rival=Rival.RUNNER_UP), gl.Score(model, gl.Margin(0)), x)
    assert found.values.tolist() == pytest.approx([-1])
    third = judged(RandomLogit(rival=Rival.RUNNER_UP), gl.Score(model, gl.Margin(0, other=2)), x)
    assert third.values.tolist() == pytest.approx([stats.spearmanr([1, 2, 3, 4], [0, 1, -1, -1]).statistic])


def test_rows_do_not_meet_and_nothing_is_changed() -> None:
    score, x = gl.Score(network()), noise(4, 2, 4, 4)
    before, chance = x.clone(), torch.random.get_rng_state()
    whole = judged(RandomLogit(), score, x, list("abcd")).values
    alone = [judged(RandomLogit(), score, x[i : i + 1], [n]).values for i, n in enumerate("abcd")]
    torch.testing.assert_close(torch.cat(alone), whole)
    assert torch.equal(before, x)
    assert torch.equal(chance, torch.random.get_rng_state())


def test_no_value_with_one_column_or_without_an_order() -> None:
    x = noise(3, 2, 4, 4)
    one = judged(RandomLogit(), gl.Score(network(1)), x)
    assert one.values.isnan().all()
    assert one.notes == ("there is no other class",) * 3
    score = gl.Score(network())
    maps = gl.attribute(score, x, GRADIENT).values
    maps[0], maps[1, 0, 0, 0] = 2, math.nan
    found = evaluate(RandomLogit(), score, x, maps, explainer=GRADIENT)
    assert found.values.isnan().tolist() == [True, True, False]
    assert [bool(note) for note in found.notes] == [True, True, False]


def test_refusals() -> None:
    x = noise(1, 2, 4, 4)
    score = gl.Score(network(), lambda y: y.square().sum(1))
    with pytest.raises(TargetError, match="a target that is a class"):
        evaluate(RandomLogit(), score, x, x, explainer=GRADIENT)
    with pytest.raises(InputError, match="explainer= for random-logit"):
        evaluate(RandomLogit(), gl.Score(network()), x, x)
    with pytest.raises(InputError, match="rival as one of"):
        RandomLogit(rival="runner-up")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="by as a likeness"):
        RandomLogit(by=Spearman)  # type: ignore[arg-type]
