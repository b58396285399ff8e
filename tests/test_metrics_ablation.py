"""Ablation that conserves information: values on paper, shared ends, a transcription, and baselines against fills."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Baseline, Black, Boundary, Constant, Given, Group, MaximumEntropy, Uniform, Zero
from gradline.errors import BaselineError, InputError, TargetError
from gradline.evaluation import BaselineByFill, baseline_by_fill
from gradline.evaluation.judge import evaluate
from gradline.metrics import AreaBetweenCurves, Deletion, InformationConservingAblation, Percentiles, Steps
from gradline.metrics.base import Evaluation, Kind
from gradline.metrics.curves.area import NOT_POSITIVE, Relative
from gradline.metrics.ranking import CONSTANT, NOT_FINITE, Sign
from gradline.metrics.units import Values
from gradline.question.targets.scales import Scale

MOST, LEAST = "most relevant first", "least relevant first"
LOG = math.log
IG = gl.methods.integrated_gradients()


class Softmax(nn.Module):
    """Logits `x Wᵀ + b` of the flattened input."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.double())
        self.bias = nn.Parameter(torch.zeros(len(weight)).double() if bias is None else bias.double())

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T + self.bias


class Watched(nn.Module):
    """Remembers how many rows it is shown at a time."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.rows: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.rows.append(len(x))
        out: Tensor = self.inner(x)
        return out


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(180, classes)).double()
    with torch.no_grad():
        weight, bias = list(inner.parameters())[-2:]
        weight.mul_(4)  # surer than at random, at zero too
        bias.mul_(20)
    return inner.eval()


def images(count: int = 3) -> tuple[Tensor, Tensor]:
    return normal(count, 3, 6, 6), normal(count, 3, 6, 6, seed=2)


def ablation(fill: Baseline | None = Zero(), count: int = 20, **settings: object) -> InformationConservingAblation:  # noqa: B008
    return InformationConservingAblation(fill, Steps(count), **settings)  # type: ignore[arg-type]


def undecided(model: Softmax, x: Tensor) -> Tensor:
    """The nearest point to each x where all logits are equal: D (W z + b) = 0 with D the differences to the first."""
    every = torch.eye(len(model.weight), dtype=torch.float64)
    difference = every[1:] - every[:1]
    w, b = difference @ model.weight.detach(), difference @ model.bias.detach()
    flat = x.flatten(1)
    found: Tensor = flat - (flat @ w.T + b) @ torch.linalg.pinv(w).T
    return found.reshape(x.shape)


# ---------------------------------------------------------------------------------------------------- on paper

WEIGHTS = torch.tensor([[LOG(6), LOG(2), -LOG(3)], [0, 0, 0], [0, 0, 0]], dtype=torch.float64)
"""The first class has the odds e^z : 1 : 1, and e^z at x = 1 is 6 · 2 / 3 = 4."""


def doubt(p: float) -> float:
    """The entropy of (p, (1 − p)/2, (1 − p)/2) as a share of log 3."""
    return (p * LOG(1 / p) + (1 - p) * LOG(2 / (1 - p))) / LOG(3)


def test_three_features_on_paper() -> None:
    """Odds 4, p = 2/3. Most first: odds 2/3, 1/3, 1, p = 1/4, 1/7, 1/3. Least first: odds 12, 6, 1, p = 6/7, 3/4, 1/3.

    Divided by 2/3: 1 3/8 3/14 1/2 and 1 9/7 9/8 1/2, of areas 25/56 and 59/56; the difference is 17/28.
    """
    x = torch.ones(1, 3, dtype=torch.float64)
    found = evaluate(ablation(count=3), gl.Score(Softmax(WEIGHTS), 0), x, WEIGHTS[:1] * x)
    parts = found.parts
    assert found.values.tolist() == pytest.approx([17 / 28])
    assert (parts[MOST].item(), parts[LEAST].item()) == pytest.approx((25 / 56, 59 / 56))
    assert parts[f"{MOST} curve"][0].tolist() == pytest.approx([1, 3 / 8, 3 / 14, 1 / 2])
    assert parts[f"{LEAST} curve"][0].tolist() == pytest.approx([1, 9 / 7, 9 / 8, 1 / 2])
    assert parts[f"{MOST} entropy"][0].tolist() == pytest.approx([doubt(2 / 3), doubt(1 / 4), doubt(1 / 7), 1])
    assert parts[f"{LEAST} entropy"][0].tolist() == pytest.approx([doubt(2 / 3), doubt(6 / 7), doubt(3 / 4), 1])
    assert parts[f"{MOST} hits"][0, :3].tolist() == [1, 0, 0]
    assert parts[f"{LEAST} hits"][0, :3].tolist() == [1, 1, 1]
    assert found.curve is not None
    assert found.axis is not None
    assert found.curve[0].tolist() == pytest.approx([0, 51 / 56, 51 / 56, 0])
    assert found.axis.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_one_column_on_paper() -> None:
    """σ(z) with e^z = 6 · 2 = 12, p = 12/13. Most first 2, 1: p = 2/3, 1/2; least first 6, 1: p = 6/7, 1/2."""
    model, x = Softmax(torch.tensor([[LOG(6), LOG(2)]])), torch.ones(1, 2, dtype=torch.float64)
    found = evaluate(ablation(count=2), gl.Score(model, 0), x, model.weight.detach() * x)
    assert found.values.tolist() == pytest.approx([(6 / 7 - 2 / 3) / 2 * 13 / 12])

    def binary(p: float) -> float:
        return -(p * LOG(p) + (1 - p) * LOG(1 - p)) / LOG(2)

    assert found.parts[f"{MOST} entropy"][0].tolist() == pytest.approx([binary(12 / 13), binary(2 / 3), 1])
    assert found.parts[f"{LEAST} entropy"][0].tolist() == pytest.approx([binary(12 / 13), binary(6 / 7), 1])


def test_labels_have_a_doubt_each() -> None:
    """Labels that do not exclude each other: the score is one sigmoid, the entropy the mean over both, of log 2 each.
    Odds of the labels at x: 12 and 1/4; without the first feature 2 and 1; at the fill 1 and 1."""
    model = Softmax(torch.tensor([[LOG(6), LOG(2)], [-LOG(4), 0]]))
    x = torch.ones(1, 2, dtype=torch.float64)
    found = evaluate(ablation(count=2), gl.Score(model, gl.LabelProbability(0)), x, torch.tensor([[2.0, 1.0]]))

    def mean(*odds: float) -> float:
        p = [one / (1 + one) for one in odds]
        return sum(-(q * LOG(q) + (1 - q) * LOG(1 - q)) for q in p) / len(p) / LOG(2)

    assert found.parts[f"{MOST} entropy"][0].tolist() == pytest.approx([mean(12, 1 / 4), mean(2, 1), 1])
    assert found.parts[f"{MOST} curve"][0].tolist() == pytest.approx([1, 2 / 3 * 13 / 12, 1 / 2 * 13 / 12])
    softmax = evaluate(ablation(count=2), gl.Score(model, 0), x, torch.tensor([[2.0, 1.0]]))
    assert not torch.allclose(softmax.parts[f"{MOST} entropy"], found.parts[f"{MOST} entropy"])


def test_channels_of_a_pixel_add_up_with_their_signs() -> None:
    """Pixel sums (5 − 5, 0 + 1) put the second pixel first; by sizes the first one goes first."""
    maps = torch.tensor([[[[5.0, 0.0]], [[-5.0, 1.0]]]], dtype=torch.float64)
    model, x = Softmax(torch.tensor([[1.0, 2, 4, 8], [0, 0, 0, 0]])), torch.ones(1, 2, 1, 2, dtype=torch.float64)
    for sign, left in ((Sign.AUTO, 1 + 4), (Sign.SIZES, 2 + 8)):
        found = evaluate(ablation(count=2, scale=Scale.LOGIT, sign=sign), gl.Score(model, 0), x, maps)
        assert found.parts[f"{MOST} curve"][0].tolist() == pytest.approx([1, left / 15, 0])
    gradients = evaluate(ablation(count=2), gl.Score(model, 0), x, maps, kind=Kind.GRADIENT)
    assert "absolute ranking" in gradients.settings


# ---------------------------------------------------------------------------------------------------- the ends


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_where_the_fill_says_nothing_every_curve_ends_there(classes: int) -> None:
    """p = 1/C and H = log C at an input whose logits are all equal, solved for; p(x) and H(x) at the other end."""
    model, x = Softmax(normal(classes, 12), normal(classes, seed=3)), normal(4, 12, seed=4)
    score = gl.Score(model, gl.Probability(1))
    with torch.no_grad():
        p = model(x).softmax(1)
    entropy = -(p * p.log()).sum(1) / LOG(classes)
    for seed in range(3):
        parts = evaluate(ablation(Given(undecided(model, x))), score, x, normal(4, 12, seed=10 + seed)).parts
        for order in (MOST, LEAST):
            curve, doubts = parts[f"{order} curve"] * p[:, 1:2], parts[f"{order} entropy"]
            most = torch.ones(4, dtype=torch.float64)
            torch.testing.assert_close(curve[:, -1], most / classes, rtol=0, atol=1e-12)
            torch.testing.assert_close(doubts[:, -1], most, rtol=0, atol=1e-12)
            torch.testing.assert_close(doubts[:, 0], entropy, rtol=0, atol=1e-12)
            assert bool((doubts <= 1 + 1e-12).all())


@pytest.mark.parametrize("fill", [Zero(), Constant(0.7), Boundary()], ids=lambda f: type(f).__name__)
def test_all_maps_share_both_ends_with_any_fill(fill: Baseline) -> None:
    """To the last bit; only with a fill that says nothing is the entropy there the largest."""
    score, (x, _) = gl.Score(network(), 1), images()
    found = [evaluate(ablation(fill), score, x, normal(3, 3, 6, 6, seed=20 + k)).parts for k in range(3)]
    for kind in ("curve", "entropy", "hits"):
        first = found[0][f"{MOST} {kind}"]
        for parts in found:
            for order in (MOST, LEAST):
                assert torch.equal(parts[f"{order} {kind}"][:, [0, -1]], first[:, [0, -1]])
    assert bool((found[0][f"{MOST} entropy"][:, -1] < 0.999).all())


def test_the_usual_fill_is_searched_for_once_and_says_nothing() -> None:
    score, (x, maps) = gl.Score(network(), 1), images()
    metric = InformationConservingAblation()
    assert metric.fill == MaximumEntropy()
    found = evaluate(metric, score, x, maps)
    torch.testing.assert_close(found.parts[f"{MOST} entropy"][:, -1], torch.ones(3).double(), rtol=0, atol=2e-3)
    assert "MaximumEntropy" in found.settings
    assert "20 steps" in found.settings


def test_labels_are_undecided_at_a_half_each() -> None:
    """Labels that are independent of each other want another search than classes."""
    score, (x, maps) = gl.Score(network(3), gl.LabelProbability(1)), images()
    ends = [
        evaluate(ablation(MaximumEntropy(labels=labels)), score, x, maps).parts[f"{MOST} entropy"][:, -1]
        for labels in (True, False)
    ]
    assert bool((ends[0] > 1 - 2e-3).all())
    assert bool((ends[1] < ends[0]).all())


# ---------------------------------------------------------------------------------------------------- laws


def transcribed(model: nn.Module, x: Tensor, relevance: Tensor, fill: Tensor, steps: int, target: int) -> list[float]:
    """One image `(3, H, W)`, its map summed over channels `(H, W)` without equal values, one forward at a time."""
    order = sorted(range(relevance.numel()), key=lambda k: -relevance.flatten()[k].item())
    areas, doubts = [], []
    for sequence in (order, order[::-1]):
        p, h = [], []
        for k in range(steps + 1):
            image = x.clone()
            for place in sequence[: math.floor(len(order) * k / steps + 0.5)]:
                row, column = divmod(place, x.shape[2])
                image[:, row, column] = fill[:, row, column]
            logits = model(image[None])[0].tolist()
            total = sum(math.exp(z) for z in logits)
            shares = [math.exp(z) / total for z in logits]
            p.append(shares[target])
            h.append(-sum(s * LOG(s) for s in shares) / LOG(len(shares)))
        p = [one / p[0] for one in p]
        areas.append(sum((a + b) / 2 for a, b in itertools.pairwise(p)) / steps)
        doubts.append(h)
    return [areas[1] - areas[0], *doubts[0], *doubts[1]]


@pytest.mark.parametrize("steps", [1, 7, 20])
def test_transcribed(steps: int) -> None:
    """36 pixels, which seven and twenty steps do not divide."""
    model, (x, maps) = network(), images()
    fill = normal(3, 3, 6, 6, seed=5)
    found = evaluate(ablation(Given(fill), steps), gl.Score(model, 2), x, maps)
    doubts = torch.cat([found.parts[f"{order} entropy"] for order in (MOST, LEAST)], 1)
    with torch.no_grad():
        for i in range(3):
            expected = transcribed(model, x[i], maps[i].sum(0), fill[i], steps, 2)
            assert [found.values[i].item(), *doubts[i].tolist()] == pytest.approx(expected, abs=1e-12)


def test_the_right_map_beats_chance_and_chance_the_map_turned_round() -> None:
    """A linear softmax model: the right map is (w_c − mean of the others) ∘ (x − fill)."""
    model, x = Softmax(normal(5, 16), normal(5, seed=3)), normal(40, 16, seed=4)
    target = model(x).argmax(1)
    fill = undecided(model, x)
    others = (model.weight.sum(0) - model.weight[target]) / 4
    right = ((model.weight[target] - others) * (x - fill)).detach()
    score, metric = gl.Score(model, target), ablation(Given(fill))
    best, worst = (evaluate(metric, score, x, sign * right).values for sign in (1, -1))
    chance = torch.stack([evaluate(metric, score, x, normal(40, 16, seed=30 + k)).values for k in range(8)])
    assert best.mean() > 0.3
    assert abs(chance.mean()) < 0.05
    torch.testing.assert_close(worst, -best, rtol=0, atol=1e-12)  # equal shares: one order is the other's reverse
    assert bool((best > chance.mean(0)).all())


def test_it_is_the_area_between_curves_of_equal_settings_and_costs_no_more() -> None:
    model = Watched(network())
    x, maps = images(2)
    score = gl.Score(model, 1)
    other = AreaBetweenCurves(Zero(), Steps(20), relative=Relative.INPUT)
    model.rows.clear()
    found = evaluate(ablation(), score, x, maps)
    spent = sum(model.rows)
    model.rows.clear()
    known = evaluate(other, score, x, maps)
    assert spent == sum(model.rows)
    torch.testing.assert_close(found.values, known.values, rtol=0, atol=0)


def test_rows_do_not_meet_and_memory_is_bounded() -> None:
    model = Watched(network())
    x, maps = images(4)
    whole = evaluate(ablation(), gl.Score(model, 1), x, maps)
    together = max(model.rows)
    model.rows.clear()
    tight = evaluate(ablation(), gl.Score(model, 1), x, maps, memory="64KiB")
    assert 3 * max(model.rows) <= together
    torch.testing.assert_close(tight.values, whole.values, rtol=0, atol=1e-12)
    for i in range(4):
        alone = evaluate(ablation(), gl.Score(model, 1), x[i : i + 1], maps[i : i + 1])
        torch.testing.assert_close(alone.values, whole.values[i : i + 1], rtol=0, atol=1e-12)


def test_single_precision() -> None:
    (x, maps), fill = images(2), normal(2, 3, 6, 6, seed=5)
    found = evaluate(ablation(Given(fill.float())), gl.Score(network().float(), 1), x.float(), maps)
    exact = evaluate(ablation(Given(fill)), gl.Score(network(), 1), x, maps)
    torch.testing.assert_close(found.values, exact.values, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.parts[f"{MOST} entropy"], exact.parts[f"{MOST} entropy"], rtol=0, atol=1e-5)


def test_nothing_of_the_callers_is_changed() -> None:
    model, (x, maps) = network().train(), images(2)
    kept = [t.clone() for t in (x, maps, *model.parameters())]
    state = torch.get_rng_state()
    evaluate(ablation(), gl.Score(model, 1), x, maps)
    baseline_by_fill(gl.Score(model, 1), x, {"zero": 0}, {"one": 1}, steps=2)
    assert all(torch.equal(a, b) for a, b in zip([x, maps, *model.parameters()], kept, strict=True))
    assert all(p.grad is None for p in model.parameters())
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


# ---------------------------------------------------------------------------------------------------- trouble


def test_maps_without_an_order_have_no_value() -> None:
    score, (x, maps) = gl.Score(network(), 1), images(4)
    maps[0], maps[1], maps[2] = 0, torch.nan, 3.0
    found = evaluate(ablation(), score, x, maps)
    assert found.notes == (CONSTANT, NOT_FINITE, CONSTANT, "")
    for values in (found.values, found.parts[MOST], found.parts[LEAST]):
        assert values.isfinite().tolist() == [False, False, False, True]


def test_a_probability_of_zero_has_no_share() -> None:
    model, x = Softmax(torch.tensor([[-2000.0, 0], [0, 0]])), torch.ones(1, 2, dtype=torch.float64)
    found = evaluate(ablation(count=2), gl.Score(model, 0), x, torch.tensor([[2.0, 1.0]]))
    assert found.notes == (NOT_POSITIVE,)
    assert found.values.isnan().all()
    assert found.parts[f"{MOST} entropy"][0].tolist() == [0, 1, 1]


@pytest.mark.parametrize("scale", [Scale.PROBABILITY, Scale.EXPLAINED])
def test_a_model_without_classes_is_refused(scale: Scale) -> None:
    score, (x, maps) = gl.Score(network(), gl.Function(lambda out: out.sum(1))), images()
    with pytest.raises(TargetError, match="entropy"):
        evaluate(ablation(scale=scale), score, x, maps)


def test_wrong_settings_say_what_is_expected() -> None:
    score, (x, maps) = gl.Score(network(), 1), images()
    for steps in (0, -3, 2.5, True):
        with pytest.raises(InputError, match="steps"):
            ablation(count=steps)  # type: ignore[arg-type]
    for wrong in (Steps(None, 4), Percentiles(5)):
        with pytest.raises(InputError, match="equal shares"):
            InformationConservingAblation(steps=wrong)
    with pytest.raises(InputError, match="scale of the class"):
        ablation(scale=Scale.ENTROPY)
    with pytest.raises(InputError, match="fill as a baseline"):
        ablation(torch.zeros(3, 3, 6, 6))  # type: ignore[arg-type]
    with pytest.raises(BaselineError, match="shape"):
        evaluate(ablation(Given(torch.zeros(3, 3, 6, 5).double())), score, x, maps)
    with pytest.raises(InputError, match="one start an example"):
        evaluate(ablation(Uniform(0, 1, draws=2)), score, x, maps)
    with pytest.raises(InputError, match="maps of shape"):
        evaluate(ablation(), score, x, maps[..., :5])


# ------------------------------------------------------------------------------------------ baselines against fills


class Counted(Baseline):
    """A constant, which counts how often it is asked for."""

    def __init__(self, value: float) -> None:
        self.value, self.asked = value, 0

    def start(self, group: Group) -> Tensor:
        self.asked += 1
        return torch.full_like(group.x, self.value).unsqueeze(1)


def table(values: Tensor, own: Tensor) -> BaselineByFill:
    """One made by hand."""
    metric = ablation()
    rows = {
        f"e{e}": {f"f{f}": Evaluation(metric, values[e, f]) for f in range(values.shape[1])} for e in range(len(values))
    }
    return BaselineByFill(metric, values, own, rows, {})


@pytest.mark.parametrize("own", [torch.eye(3).bool(), torch.eye(3, 4).bool(), torch.tensor([[1, 0], [0, 0]]).bool()])
def test_the_advantage_of_the_own_fill_is_found_in_additive_tables(own: Tensor) -> None:
    """v = a_e + b_f + δ own, with δ of 0.25 and −1: least squares says them whatever a and b are."""
    a, b, delta = normal(own.shape[0], 1, 2), normal(1, own.shape[1], 2, seed=2), torch.tensor([0.25, -1]).double()
    found = table(a + b + delta * own.unsqueeze(2), own)
    torch.testing.assert_close(found.advantage, delta)


def test_the_advantage_of_two_by_two_on_paper() -> None:
    """Two baselines, their own fills: δ = (v₁₁ + v₂₂ − v₁₂ − v₂₁) / 2 = (0.9 + 0.6 − 0.5 − 0.4) / 2."""
    values = torch.tensor([[0.9, 0.5], [0.4, 0.6]]).double().unsqueeze(2)
    assert table(values, torch.eye(2).bool()).advantage.item() == pytest.approx(0.3)


def test_tables_that_cannot_tell_an_advantage() -> None:
    values = normal(2, 2, 3)
    for own in (torch.zeros(2, 2), torch.ones(2, 2), torch.tensor([[1, 0], [1, 0]])):
        assert bool(table(values, own.bool()).advantage.isnan().all())
    values[0, 1, 2] = torch.nan
    found = table(values, torch.eye(2).bool())
    assert found.advantage.isnan().tolist() == [False, False, True]
    assert bool(found.mean.isfinite().all())


def test_every_baseline_meets_every_fill_as_if_it_were_alone() -> None:
    score, (x, _) = gl.Score(network(), gl.Probability(1)), images()
    given = normal(3, 3, 6, 6, seed=5)
    explainers = {"zero": Zero(), "drawn": Uniform(-1, 1, draws=2), "given": given}
    fills = {"given": given, "zero": Zero(), "boundary": Boundary(), "one": 1}
    found = baseline_by_fill(score, x, explainers, fills, metric=ablation(count=6), steps=8, names=("a", "b", "c"))
    assert found.values.shape == (3, 4, 3)
    assert found.values.dtype == torch.float64
    assert found.own.tolist() == [[False, True, False, False], [False] * 4, [True, False, False, False]]
    assert (found.explainers, found.fills, found.names) == (tuple(explainers), tuple(fills), ("a", "b", "c"))
    for e, base in enumerate(explainers.values()):
        a = gl.attribute(score, x, baseline=base, steps=8, names=("a", "b", "c"))
        torch.testing.assert_close(found.attributions[found.explainers[e]].values, a.values, rtol=0, atol=1e-12)
        for f, fill in enumerate((Given(given), Zero(), Boundary(), Constant(1))):
            alone = evaluate(ablation(fill, 6), score, x, a)
            torch.testing.assert_close(found.values[e, f], alone.values, rtol=0, atol=1e-9)
            known = found.evaluations[found.explainers[e]][found.fills[f]]
            assert torch.equal(known.values, found.values[e, f])
            assert known.metric == replace(ablation(count=6), fill=known.metric.fill)  # type: ignore[attr-defined]
    said = repr(found)
    assert "entropy at the fill" in said
    assert said.count("*") == 3
    assert "worth" in said
    assert len(found) == 3


def test_maps_and_fills_are_made_once() -> None:
    """Two explanations of 8 gradients, and forwards at x, at two fills, and 2 · 2 · 2 · 5 inner steps of each image."""
    model = Watched(network())
    x, _ = images(2)
    fills = {"one": Counted(1.0), "two": Counted(2.0)}
    explainers = {"zero": Zero(), "half": Constant(0.5)}
    score = gl.Score(model, 1)
    model.rows.clear()
    for base in explainers.values():
        gl.attribute(score, x, baseline=base, steps=8)
    evaluate(ablation(count=1), score, x, images(2)[1])  # x and one fill, and what it takes to begin
    begun = sum(model.rows)
    model.rows.clear()
    found = baseline_by_fill(score, x, explainers, fills, metric=ablation(count=6), steps=8)
    assert [fill.asked for fill in fills.values()] == [1, 1]
    assert sum(model.rows) - begun == 2 * (1 + 2 * 2 * 2 * 5)
    assert found.entropy is not None
    assert found.entropy.shape == (2, 2)


def test_another_metric_with_a_fill_has_a_table_too() -> None:
    score, (x, _) = gl.Score(network(), 1), images()
    both = {"zero": Zero(), "one": Constant(1)}
    found = baseline_by_fill(score, x, both, both, metric=Deletion(units=Values()), steps=4)
    assert found.entropy is None
    assert "entropy" not in repr(found)
    assert found.own.tolist() == [[True, False], [False, True]]
    other = baseline_by_fill(score, x, both, both, method=replace(IG, name="other"), steps=4)
    assert other.attributions["zero"].provenance["method_name"] == "other"
    with pytest.raises(InputError, match="has no baseline"):
        baseline_by_fill(score, x, both, both, method=gl.methods.gradient_x_input())


def test_black_is_told_to_explainers_and_fills() -> None:
    pixels = gl.baselines.PixelSpace((-1.0, -2.0, -3.0), (1.0, 2.0, 3.0))
    score, (x, _) = gl.Score(network(), 1), images()
    found = baseline_by_fill(score, x, {"black": Black()}, {"black": Black()}, pixels=pixels, steps=4)
    black = torch.tensor([-1.0, -2.0, -3.0]).double()[:, None, None].expand(1, 3, 6, 6)
    given = baseline_by_fill(score, x, {"black": black}, {"black": black}, steps=4)
    torch.testing.assert_close(found.values, given.values, rtol=0, atol=1e-12)
    assert found.own.all()


def test_wrong_tables_say_what_is_expected() -> None:
    score, (x, _) = gl.Score(network(), 1), images()
    one = {"zero": Zero()}
    with pytest.raises(InputError, match="explainers by name"):
        baseline_by_fill(score, x, {}, one)
    with pytest.raises(InputError, match="fills by name"):
        baseline_by_fill(score, x, one, [Zero()])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has a fill"):
        baseline_by_fill(score, x, one, one, metric=gl.metrics.Sparseness())
    with pytest.raises(InputError, match="a Score"):
        baseline_by_fill(network(), x, one, one)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one target"):
        baseline_by_fill(gl.Score(network(), [0, 1]), x, one, one)
    with pytest.raises(BaselineError, match="a baseline"):
        baseline_by_fill(score, x, one, {"blur": "blur"})
