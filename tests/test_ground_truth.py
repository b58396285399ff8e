"""Tasks are what they claim: the map that is called right is right, and the evidence is what the model uses."""

import itertools

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.evaluation.judge import evaluate
from gradline.metrics import RelevanceMass
from gradline.question.targets import Logit
from gradline.sanity import tasks
from gradline.sanity.tasks import Task, pictures
from gradline.sanity.tasks.base import decided
from gradline.sanity.tasks.training import convolutions, fit
from gradline.sanity.tasks.words import VOCABULARY, polarities

TRAINED = ("planted patch", "decoy", "without decoy")
BY_FORMULA = tuple(name for name in tasks.EVERY if name not in TRAINED)


def score_of(task: Task, x: Tensor) -> Tensor:
    """What is explained, at any rows: `(N,)`."""
    a = gl.attribute(task.score, x, baseline=task.baseline, steps=1)
    assert a.score is not None
    return a.score


# ---------------------------------------------------------------------------------------------------- by formula


@pytest.mark.parametrize("name", BY_FORMULA)
def test_the_right_map_is_integrated_gradients(name: str) -> None:
    """4096 midpoints: exact for gates, whose kinks lie between them, and within 1e-3 where a kink falls anywhere."""
    task = tasks.EVERY[name]()
    a = gl.attribute(task.score, task.x, baseline=task.baseline, steps=4096, names=task.names)
    error = (a.values - task.oracle).flatten(1).norm(dim=1) / task.oracle.flatten(1).norm(dim=1)
    assert task.exact
    assert error.max() < 1e-3


@pytest.mark.parametrize("name", BY_FORMULA)
def test_the_right_map_adds_up(name: str) -> None:
    """The sum law of Integrated Gradients: F(x) − F(x'), here without any quadrature, and F rises."""
    task = tasks.EVERY[name]()
    a = gl.attribute(task.score, task.x, baseline=task.baseline, steps=1)
    rise = a.score - a.baseline_score
    assert torch.allclose(task.oracle.flatten(1).sum(1), rise, atol=1e-10)
    assert rise.min() > 0


@pytest.mark.parametrize("name", BY_FORMULA)
def test_masks_are_what_speaks_for_the_class(name: str) -> None:
    task = tasks.EVERY[name]()
    speaks = (task.oracle.sum(2, keepdim=True) if task.oracle.ndim == 3 else task.oracle) > 1e-12
    assert torch.equal(task.masks.bool(), speaks)
    assert bool(task.masks.flatten(1).any(1).all())


def test_linear_gives_each_feature_its_weight_times_its_value() -> None:
    """w = 3, −2.5, 2 … and x of ones: the map is w; nothing for the last four."""
    task = tasks.linear()
    assert task.rule is not None
    ones = task.rule(torch.ones(1, 12, dtype=torch.float64))[0]
    assert ones.tolist() == [3.0, -2.5, 2.0, -1.5, 1.0, -0.8, 0.6, -0.4, 0.0, 0.0, 0.0, 0.0]
    assert not task.oracle[:, 8:].any()


@pytest.mark.parametrize(("u", "v"), list(itertools.product((0.0, 1.0), repeat=2)))
def test_gates_share_evenly(u: float, v: float) -> None:
    """The AND and the OR of weight 1: halves of what is open, all of an OR to a bit that is alone."""
    task = tasks.gates()
    assert task.rule is not None
    x = torch.zeros(1, 12, dtype=torch.float64)
    x[0, 0], x[0, 1], x[0, 6], x[0, 7] = u, v, u, v
    found = task.rule(x)[0]
    both, any_ = float(u and v), float(u or v)
    assert found[:2].tolist() == [both / 2, both / 2]
    assert found[6:8].tolist() == [any_ * u / max(u + v, 1), any_ * v / max(u + v, 1)]
    assert float(score_of(task, x)) == both + any_


def test_pertinent_negatives_are_credited_where_nothing_is() -> None:
    """Features 7 to 12 count when they are 0; gradient times input says 0 there."""
    task = tasks.pertinent_negatives()
    absent = task.x[:, 6:9] == 0
    assert bool((task.oracle[:, 6:9][absent] > 0).all())
    assert bool((task.x * task.oracle)[:, 6:].eq(0).all())


def test_interaction_shares_products() -> None:
    """At ones 2 x_1² x_2 = 2 is shared 4/3 and 2/3, x_3 x_4 = 1 in halves, x_5 x_6 x_7 / 2 in sixths."""
    task = tasks.interaction()
    assert task.rule is not None
    found = task.rule(torch.ones(1, 12, dtype=torch.float64))[0]
    wanted = [4 / 3, 2 / 3, 1 / 2, 1 / 2, 1 / 6, 1 / 6, 1 / 6, 0, 0, 0, 0, 0]
    assert torch.allclose(found, torch.tensor(wanted, dtype=torch.float64))


def test_saturated_contributes_where_the_gradient_is_zero() -> None:
    task = tasks.saturated()
    beyond = (task.x > 1) & (task.oracle > 0)
    gradient = gl.attribute(task.score, task.x, gl.methods.gradient()).values
    assert beyond.sum() > 20
    assert not gradient[beyond].any()


def test_shattered_gradients_point_the_wrong_way() -> None:
    """The slope is w (1 + 5 cos 40 x), whose sign is not w's where cos 40 x < −1/5: in 44 % of all places."""
    task = tasks.shattered()
    gradient = gl.attribute(task.score, task.x, gl.methods.gradient()).values[:, :8]
    weights = tasks.linear().rule(torch.ones(1, 12, dtype=torch.float64))[:, :8]  # type: ignore[misc]
    wrong = (gradient * weights < 0).double().mean()
    assert 0.3 < float(wrong) < 0.6


def test_uncertainty_counts_for_nothing() -> None:
    """What moves both logits alike has no share in the probability, and the largest share in the logit."""
    task = tasks.uncertainty()
    logit = gl.attribute(gl.Score(task.score.model, 0), task.x, steps=1).values.abs()
    assert not task.oracle[:, 6:].any()
    assert logit[:, 6:].sum() > logit[:, :6].sum()


def test_words_add_up_to_their_polarity() -> None:
    """For a good sentence the word's own, for a bad one the opposite: 0 for plain words."""
    task = tasks.words()
    sign = torch.tensor([-1.0, 1.0] * (len(task) // 2))[:, None]
    assert torch.allclose(task.oracle.sum(2), sign * polarities()[task.x], atol=1e-12)
    assert polarities()[VOCABULARY.index("good")] == 1.0
    assert polarities()[VOCABULARY.index("dull")] == -2.0
    assert task.swapped is not None
    assert torch.equal(decided(task.score.model, task.swapped), task.other)


# ---------------------------------------------------------------------------------------------------- by training


@pytest.mark.parametrize("name", TRAINED)
def test_the_evidence_is_what_the_network_uses(name: str) -> None:
    """On pictures not trained on: it knows the class, follows exchanged evidence, and does not follow the rest."""
    facts = tasks.EVERY[name]().facts
    assert set(facts) == {"accuracy", "flips", "stays"}
    assert min(facts.values()) >= 0.95, dict(facts)


@pytest.mark.parametrize("name", TRAINED)
def test_facts_hold_for_the_examples(name: str) -> None:
    task = tasks.EVERY[name]()
    target = task.score.target
    assert isinstance(target, Logit)
    assert task.swapped is not None
    assert (decided(task.score.model, task.x) == target.index).double().mean() >= 0.9
    assert (decided(task.score.model, task.swapped) == task.other).double().mean() >= 0.9
    assert bool((task.oracle.flatten(1).sum(1) > 0.5).all())
    assert torch.equal(task.oracle != 0, task.masks.bool().expand_as(task.oracle))


@pytest.mark.parametrize("name", ["planted patch", "decoy"])
def test_only_the_evidence_is_exchanged(name: str) -> None:
    task = tasks.EVERY[name]()
    assert task.swapped is not None
    changed = (task.swapped != task.x).any(1, keepdim=True)
    assert not (changed & ~task.masks.bool()).any()
    assert bool(changed.flatten(1).any(1).all())


def test_the_figure_is_exchanged_beside_the_letter() -> None:
    task, letters = tasks.without_decoy(), tasks.decoy().masks.bool()
    assert task.swapped is not None
    assert not ((task.swapped != task.x) & letters).any()


def test_maps_move_from_the_letter_to_the_figure() -> None:
    """The same pictures, two networks: the share of Integrated Gradients on the letter falls, on the figure grows."""
    misled, sound = tasks.decoy(), tasks.without_decoy()
    assert torch.equal(misled.x, sound.x)
    share = {}
    for task in (misled, sound):
        a = gl.attribute(task.score, task.x, baseline=task.baseline, steps=32, names=task.names)
        for where in (misled, sound):
            share[task.name, where.name] = evaluate(RelevanceMass(), task.score, task.x, a, masks=where.masks).values
    on_letter = share["decoy", "decoy"] - share["without decoy", "decoy"]
    on_figure = share["without decoy", "without decoy"] - share["decoy", "without decoy"]
    assert bool((on_letter > 0).all())
    assert bool((on_figure > 0).all())
    assert share["decoy", "decoy"].mean() > 0.5
    assert share["without decoy", "decoy"].mean() < 0.1


def test_training_needs_nothing_of_the_callers() -> None:
    """Two small runs are equal, leave the global random numbers alone, and train where gradients are off."""
    before = torch.random.get_rng_state()
    found = []
    for _ in range(2):
        chance = torch.Generator().manual_seed(3)
        x, y = pictures.scenes(64, chance), torch.randint(2, (64,), generator=chance)
        model = convolutions((2, 2), (4, 4), 2, chance)
        start = [p.clone() for p in model.parameters()]
        with torch.no_grad():
            fit(model, x, y, chance, epochs=2)
        assert not any(torch.equal(a, b) for a, b in zip(start, model.parameters(), strict=True))
        assert not model.training
        found.append(model(x))
    assert torch.equal(*found)
    assert torch.equal(before, torch.random.get_rng_state())


def test_stamps_cover_what_they_say() -> None:
    """A 2 × 2 stamp with one corner open, at row 1, column 2 of a 4 × 4 picture of zeros."""
    below, upon = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 2, 2)
    cover = torch.tensor([[[[True, True], [True, False]]]])
    found, mask = pictures.stamped(below, upon, cover, torch.tensor([[1, 2]]))
    wanted = torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]])
    assert torch.equal(mask[0, 0].long(), wanted)
    assert torch.equal(found[0].long(), wanted.expand(3, 4, 4))
    assert not below.any()


@pytest.mark.parametrize("name", ["linear", "words", "decoy"])
def test_the_first_examples_alone(name: str) -> None:
    task = tasks.EVERY[name]()
    few = task.first(3)
    assert (len(few), few.names) == (3, task.names[:3])
    assert torch.equal(few.oracle, task.oracle[:3])
    assert torch.allclose(score_of(few, few.x), score_of(task, task.x)[:3], atol=1e-6)
