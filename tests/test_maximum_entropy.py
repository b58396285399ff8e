"""The maximum-entropy baseline, on models whose most undecided inputs are known: W z + b the same in every class."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Found, Itself, MaximumEntropy, PixelSpace
from gradline.core.baselines.entropy import Evenness
from gradline.core.flow import Frame, Need, Of, Probe, Reading
from gradline.testing.drive import OpenRoom

Model = Callable[[Tensor], Tensor]

b = gl.baselines
PLAIN = MaximumEntropy(Itself(), momenta=None, rate=5.0, gap=1e-3, steps=50)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


W, BIAS, X = normal(4, 6), normal(4, seed=1), normal(5, 6, seed=2)


def linear(points: Tensor) -> Tensor:
    """Four classes, W z + b."""
    return points @ W.T.to(points) + BIAS.to(points)


def share(scores: Tensor) -> Tensor:
    """H/log C of softmax probabilities, written down once more."""
    shifted = scores - scores.max(1, keepdim=True).values
    p = shifted.exp() / shifted.exp().sum(1, keepdim=True)
    return -torch.where(p > 0, p * p.clamp_min(1e-300).log(), 0 * p).sum(1) / math.log(scores.shape[1])


def share_of_labels(scores: Tensor) -> Tensor:
    """The mean over labels of the entropy of each, of log 2."""
    p = 1 / (1 + torch.exp(-scores))
    return -(p * p.log() + (1 - p) * (1 - p).log()).mean(1) / math.log(2)


@dataclass(eq=False)
class Sought:
    """`start (B, K, *F)`, what was told of it, the probes in order, and the gradients of each example."""

    start: Tensor
    details: dict[str, Any]
    probes: list[Probe] = field(default_factory=list)
    gradients: list[int] = field(default_factory=list)


def search(
    part: MaximumEntropy, model: Model, x: Tensor, names: tuple[str, ...] | None = None, seed: int = 0
) -> Sought:
    """Run a search on a model of formulas, `(R, *F)` to scores `(R, C)`."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    frame = Frame(
        start=wide.unsqueeze(1),
        end=wide,
        start_score=np.full((len(x), 1), np.nan),
        end_score=np.full(len(x), np.nan),
        names=tuple(str(i) for i in range(len(x))) if names is None else names,
        seed=seed,
        precision=x.dtype,
        bounded=False,
        room=OpenRoom(),
    )
    entropies: dict[Any, Model] = {Of.ENTROPY: share, Of.ENTROPIES: share_of_labels}
    flow, probes, spent, before, answer = part.search(frame), [], [0] * len(x), wide.clone(), None
    try:
        while True:
            probe = flow.send(answer)  # type: ignore[arg-type]
            assert probe.points.shape == (len(probe.owner), *x.shape[1:])
            assert len(probe.owner) > 0
            leaf, grad = probe.points.to(x.dtype).detach().clone().requires_grad_(), None
            told = entropies.get(probe.of, Evenness(part.labels))(model(leaf))
            if probe.need is Need.GRADIENT:
                assert probe.of == Evenness(part.labels)
                (grad,) = torch.autograd.grad(told.sum(), leaf)
                for i in probe.owner.tolist():
                    spent[i] += 1
            else:
                assert probe.of is (Of.ENTROPIES if part.labels else Of.ENTROPY)
            probes.append(probe)
            answer = Reading(probe.owner, told.detach().double(), None if grad is None else grad.to(wide))
    except StopIteration as end:
        assert torch.equal(frame.end, before)
        found: Found = end.value
        assert found.starts.shape == (len(x), part.draws, *x.shape[1:])
        assert found.starts.dtype == wide.dtype
        return Sought(found.starts, found.details, probes, spent)


# --------------------------------------------------------------------------------------------------------- where it is


@pytest.mark.parametrize("starts", [b.Zero(), Itself(), b.Constant(2.0), b.Mean()], ids=repr)
@pytest.mark.parametrize("momenta", [(0.9, 0.999), None], ids=["adam", "plain"])
def test_all_classes_of_a_linear_model_have_the_same_score_there(starts: b.Baseline, momenta: Any) -> None:
    """The optimum of softmax(W z + b): scores equal to each other, whatever they are. ‖scores − their mean‖² is, to
    second order, 2 C times log C − H, so at a gap of 1e-6 it is 2 · 4 · 1.39 · 1e-6 at most."""
    found = search(MaximumEntropy(starts, gap=1e-6, momenta=momenta, rate=0.05 if momenta else 0.5), linear, X)
    scores = linear(found.start[:, 0])
    assert ((scores - scores.mean(1, keepdim=True)) ** 2).sum(1).max() <= 2 * 4 * math.log(4) * 1e-6 * 1.01
    assert found.details["entropy_ascent"] == [["met"]] * 5
    assert all(gap <= 1e-6 for (gap,) in found.details["entropy_gap"])


def test_plain_steps_stay_in_the_plane_of_the_classes_differences() -> None:
    """Gradients are combinations of w_c, so z − start has no part across them: nearest in the limit of small steps."""
    found = search(PLAIN, linear, X)
    moved = found.start[:, 0] - X
    inside = torch.linalg.pinv(W) @ W
    assert torch.allclose(moved @ inside, moved, atol=1e-12)


def test_details_are_those_computed_outside() -> None:
    found = search(MaximumEntropy(b.Each(0, Itself()), steps=3), linear, X)
    for draw in range(2):
        start = found.start[:, draw]
        gaps, far = (1 - share(linear(start))).tolist(), (start - X).norm(dim=1) / X.norm(dim=1)
        assert [g[draw] for g in found.details["entropy_gap"]] == pytest.approx(gaps, rel=1e-12)
        assert [d[draw] for d in found.details["baseline_distance"]] == pytest.approx(far.tolist(), rel=1e-12)
    assert found.details["entropy_ascent"] == [["steps spent"] * 2] * 5


def test_of_an_x_of_zeros_there_is_no_relative_distance() -> None:
    found = search(MaximumEntropy(), linear, torch.zeros(1, 6, dtype=torch.float64))
    assert found.details["baseline_distance"] == [[None]]


def test_the_best_point_seen_is_taken() -> None:
    """Steps far too long for the valley: Σ log p goes up and down; the point of the largest that was read is kept."""
    part, even = MaximumEntropy(momenta=None, rate=200.0, steps=8, gap=1e-9), Evenness(labels=False)
    found = search(part, linear, X)
    seen = [even(linear(p.points)) for p in found.probes if p.need is Need.GRADIENT]
    assert len(seen) == 8
    whole = torch.stack(seen)
    assert (whole[-1] < whole.max(0).values).all(), "it did not end where it was best"
    assert torch.allclose(even(linear(found.start[:, 0])), whole.max(0).values, rtol=1e-12)


def test_what_is_climbed_is_the_divergence_of_even_odds_from_the_models() -> None:
    """−KL(u ‖ p) = Σ_c (1/C) log(p_c C), over log C; for labels −KL(½ ‖ p_c) over log 2, their mean."""
    scores = linear(X)
    p, q = torch.softmax(scores, 1), torch.sigmoid(scores)
    due = (0.25 * (p * 4).log()).sum(1) / math.log(4)
    assert torch.allclose(Evenness(labels=False)(scores), due, rtol=1e-12)
    due = (0.5 * (2 * q).log() + 0.5 * (2 - 2 * q).log()).mean(1) / math.log(2)
    assert torch.allclose(Evenness(labels=True)(scores), due, rtol=1e-12)
    assert torch.allclose(Evenness(labels=False)(scores[:, :1]), Evenness(labels=True)(scores[:, :1]))
    assert torch.equal(Evenness(labels=False)(scores[:, 0]), Evenness(labels=False)(scores[:, :1]))
    for output in (SimpleNamespace(logits=scores), {"logits": scores, "loss": None}, (scores,), (None, scores)):
        assert torch.equal(Evenness(labels=False)(output), Evenness(labels=False)(scores))
    leaf = scores.clone().requires_grad_()
    (grad,) = torch.autograd.grad(Evenness(labels=False)(leaf).sum(), leaf)
    assert torch.allclose(grad, (0.25 - p) / math.log(4), atol=1e-15)


# -------------------------------------------------------------------------------------------- what the map adds up to


@pytest.mark.parametrize("starts", [b.Zero(), Itself()], ids=repr)
def test_the_map_of_a_probability_adds_up_to_what_is_above_one_in_c(starts: b.Baseline) -> None:
    """Σ_i A_i = p_c(x) − p_c(x'), and p_c(x') = 1/4."""
    a = gl.explain(linear, X, gl.Probability(1), baseline=MaximumEntropy(starts, gap=1e-8), tol=0.02)
    p = torch.softmax(linear(X), 1)[:, 1]
    assert a.baseline_score is not None
    assert a.baseline_score.tolist() == pytest.approx([0.25] * 5, abs=1e-3)
    assert (a.values.sum(1) - (p - 0.25)).abs().max() < 5e-3
    assert a.details["entropy_ascent"] == [["met"]] * 5
    assert len(a.details["entropy_gap"]) == len(a.details["baseline_distance"]) == 5


def test_one_column_is_to_be_at_a_half() -> None:
    """σ(w·z + b) = 1/2 on the plane w·z = −b."""
    w, part = normal(6, seed=3), MaximumEntropy(gap=1e-9)
    a = gl.explain(lambda x: (x @ w + 3)[:, None], X, gl.Probability(0), baseline=part, steps=2)
    assert a.baseline_score is not None
    assert a.baseline_score.tolist() == pytest.approx([0.5] * 5, abs=1e-4)


def test_labels_are_each_to_be_at_a_half() -> None:
    """Four labels, six features: W z = −b has solutions, at which every sigmoid is 1/2. As classes that exclude each
    other equal scores would do."""
    part = MaximumEntropy(labels=True, gap=1e-6)
    for label in (0, 3):
        a = gl.explain(linear, X[:2], gl.targets.LabelProbability(label), baseline=part, steps=2)
        assert a.baseline_score is not None
        assert a.baseline_score.tolist() == pytest.approx([0.5] * 2, abs=5e-3)
    found = search(MaximumEntropy(gap=1e-6), linear, X[:1])
    assert (torch.sigmoid(linear(found.start[:, 0])) - 0.5).abs().max() > 0.01
    found = search(part, linear, X[:1])
    assert (torch.sigmoid(linear(found.start[:, 0])) - 0.5).abs().max() < 5e-3


# ---------------------------------------------------------------------------------------------------------- its starts


def test_from_zero_there_is_one_baseline_for_all_examples() -> None:
    found = search(MaximumEntropy(steps=20), linear, X)
    assert torch.equal(found.start, found.start[:1].expand_as(found.start))
    own = search(MaximumEntropy(Itself(), steps=20), linear, X)
    assert (own.start[1:] != own.start[:1]).any(2).all()
    assert max(d for (d,) in own.details["baseline_distance"]) < min(d for (d,) in found.details["baseline_distance"])


def test_maps_from_several_starts_are_averaged() -> None:
    part = MaximumEntropy(b.Each(b.Zero(), Itself(), b.Uniform(-1, 1, draws=2)), gap=0.01)
    assert (part.draws, part.random) == (4, True)
    found = search(part, linear, X)
    a = gl.explain(linear, X, 1, baseline=part, steps=4)
    due = ((X[:, None] - found.start) * W[1]).mean(1)
    assert torch.allclose(a.values, due, atol=1e-12), "of a linear score the map is (x − x') w, from each start"
    assert [len(gaps) for gaps in a.details["entropy_gap"]] == [4] * 5
    assert {why for whys in a.details["entropy_ascent"] for why in whys} == {"met"}
    assert not MaximumEntropy(b.Each(b.Zero(), Itself())).random


def test_where_a_drawn_search_begins_is_keyed_by_name_and_seed() -> None:
    part = MaximumEntropy(b.Uniform(-1, 1), steps=3)
    one = search(part, linear, X).start
    assert torch.equal(one, search(part, linear, X).start)
    assert not torch.equal(one, search(part, linear, X, seed=1).start)
    assert not torch.equal(one, search(part, linear, X, names=tuple("vwxyz")).start)
    assert (one[1:] != one[:1]).any(2).all()


def test_vision_cases_tell_the_starts_what_black_is() -> None:
    pixels = PixelSpace((-1.0, -2.0), (1.0, 2.0))
    part = MaximumEntropy(b.Black()).within(pixels)
    assert part == MaximumEntropy(b.Black(pixels))
    assert MaximumEntropy().within(pixels) == MaximumEntropy(), "it is not kept in the range of pixels unasked"


# --------------------------------------------------------------------------------------- alone, in a batch, how many


def net(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).double().eval()


@pytest.mark.parametrize("part", [MaximumEntropy(Itself()), PLAIN, MaximumEntropy(b.GaussianNoise(0.5, draws=2))])
def test_an_example_alone_finds_what_it_finds_in_a_batch(part: MaximumEntropy) -> None:
    part, model = replace(part, steps=12), net()
    whole = search(part, model, X)
    for i in range(5):
        alone = search(part, model, X[i : i + 1], names=(str(i),))
        assert torch.allclose(alone.start[0], whole.start[i], atol=1e-9)
        assert alone.gradients == whole.gradients[i : i + 1]
        assert alone.details["entropy_ascent"] == whole.details["entropy_ascent"][i : i + 1]
    order = [2, 0, 4, 1, 3]
    mixed = search(part, model, X[order], names=tuple(str(i) for i in order))
    assert torch.allclose(mixed.start, whole.start[order], atol=1e-9)


def test_only_examples_that_still_climb_are_asked() -> None:
    found = search(MaximumEntropy(Itself(), gap=1e-4), linear, X)
    asked = [len(p.owner) for p in found.probes if p.need is Need.GRADIENT]
    assert asked == sorted(asked, reverse=True)
    assert len(set(found.gradients)) > 1
    assert sum(asked) == sum(found.gradients)


@pytest.mark.parametrize("steps", [1, 4])
def test_so_many_gradients_a_start_and_a_look_at_both_ends(steps: int) -> None:
    found = search(MaximumEntropy(b.Uniform(draws=3), steps=steps, gap=1e-9), linear, X)
    assert found.gradients == [3 * steps] * 5
    assert [p.need for p in found.probes] == [Need.VALUE] + [Need.GRADIENT] * steps + [Need.VALUE]


def test_gradients_and_forwards_of_the_search_are_counted() -> None:
    plain = gl.explain(linear, X, 0, steps=4)
    a = gl.explain(linear, X, 0, baseline=MaximumEntropy(steps=7, gap=1e-9), steps=4)
    assert (a.evaluations - plain.evaluations).tolist() == [7] * 5
    assert (a.forward_evaluations - plain.forward_evaluations).tolist() == [2] * 5


def test_an_undecided_start_is_taken_as_it_is() -> None:
    found = search(MaximumEntropy(), lambda z: 3 * z, X)
    assert not found.start.any()
    assert found.gradients == [0] * 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_the_start_is_a_point_that_the_model_can_be_given(dtype: torch.dtype) -> None:
    """The reported gap is that of the point as it is handed out, in the model's precision."""
    found = search(MaximumEntropy(Itself(), steps=100), lambda z: linear(z.float()), X.to(dtype))
    assert found.start.dtype == torch.float32
    assert torch.equal(found.start.to(dtype).float(), found.start)
    gaps = (1 - share(linear(found.start[:, 0].double()))).tolist()
    assert [g for (g,) in found.details["entropy_gap"]] == pytest.approx(gaps, abs=1e-5)
    assert max(gaps) < 0.05


# ------------------------------------------------------------------------------------------------------- equivariance

SHIFT = normal(6, seed=5)


@pytest.mark.parametrize("momenta", [None, (0.9, 0.999)], ids=["plain", "adam"])
def test_a_translated_model_has_its_baselines_translated_and_the_same_map(momenta: Any) -> None:
    """f2(x + m) = f1(x): the search from x itself takes the same way, m apart, and Integrated Gradients agree. It is
    the invariance that Kindermans et al. ask of an explanation: a bias of the first layer absorbs the shift."""
    model, part = net(), PLAIN if momenta is None else MaximumEntropy(Itself(), steps=50)

    def shifted(points: Tensor) -> Any:
        return model(points - SHIFT)

    one = search(part, model, X)
    other = search(part, shifted, X + SHIFT)
    assert ["met"] in one.details["entropy_ascent"]
    assert (other.start - SHIFT - one.start).abs().max() < 1e-10
    assert other.gradients == one.gradients
    ours = gl.explain(model, X, gl.Probability(2), baseline=part, steps=32)
    theirs = gl.explain(shifted, X + SHIFT, gl.Probability(2), baseline=part, steps=32)
    assert (ours.values - theirs.values).abs().max() < 1e-10
    assert ours.values.abs().max() > 1e-2


@pytest.mark.parametrize("baseline", [b.Zero(), MaximumEntropy()], ids=["black", "maximum entropy from zero"])
def test_from_a_fixed_place_the_map_changes_with_a_translation(baseline: b.Baseline) -> None:
    """Zero stays where it is when the data move, and what is found from there with it."""
    model = net()
    ours = gl.explain(model, X, gl.Probability(2), baseline=baseline, steps=32)
    theirs = gl.explain(lambda z: model(z - SHIFT), X + SHIFT, gl.Probability(2), baseline=baseline, steps=32)
    assert (ours.values - theirs.values).abs().max() > 0.1 * ours.values.abs().max()


def test_a_start_that_moves_with_the_data_does_as_well() -> None:
    """From the mean of the data, given to each."""
    model = net()
    centre = X.mean(0, keepdim=True)
    one = search(replace(PLAIN, starts=b.Given(centre)), model, X)
    moved = replace(PLAIN, starts=b.Given(centre + SHIFT))
    other = search(moved, lambda z: model(z - SHIFT), X + SHIFT)
    assert (other.start - SHIFT - one.start).abs().max() < 1e-10


def test_a_rescaled_model_is_another_search() -> None:
    """f2(s x) = f1(x), a scale for each feature: the set of undecided inputs is scaled, and a gradient is divided by s
    where its step should be multiplied. Steps of rate · s² would do; nobody promises them."""
    scale, model = torch.tensor([0.3, 3.0, 1.0, 0.5, 2.0, 1.0], dtype=torch.float64), net()
    one = search(PLAIN, model, X)
    other = search(PLAIN, lambda z: model(z / scale), X * scale)
    assert (other.start / scale - one.start).abs().max() > 1e-3
    assert ["met"] in other.details["entropy_ascent"]


# --------------------------------------------------------------------------------- confident, flat, diverging, bounded


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("momenta", "rate"), [((0.9, 0.999), 0.1), (None, 0.5)], ids=["adam", "plain"])
def test_a_model_that_is_very_sure_at_x_is_led_away_from_there(momenta: Any, rate: float, dtype: torch.dtype) -> None:
    """Logits 20 times those of `linear`, whose entropy and its gradient are zero at x; on its ridges, where two
    classes tie far above the others, the gradient of the entropy would show no way either."""
    x = X[:2].to(dtype)
    assert float(share(20 * linear(x)).min()) < 1e-12
    part = MaximumEntropy(Itself(), steps=150, momenta=momenta, rate=rate, gap=0.01)
    found = search(part, lambda z: 20 * linear(z), x)
    assert found.details["entropy_ascent"] == [["met"]] * 2


def test_without_a_gradient_the_search_stops_and_says_so() -> None:
    """Units that are off from 0 on: scores of 2 and 0 all around x, with p = σ(2)."""
    found = search(MaximumEntropy(Itself()), lambda z: torch.stack([2 + (-z).relu().sum(1), 0 * z[:, 0]], 1), X.abs())
    p = 1 / (1 + math.exp(-2))
    due = 1 + (p * math.log(p) + (1 - p) * math.log(1 - p)) / math.log(2)
    assert found.details["entropy_ascent"] == [["no way up"]] * 5
    assert found.details["entropy_gap"] == [[pytest.approx(due)]] * 5
    assert torch.equal(found.start[:, 0], X.abs())
    assert found.gradients == [1] * 5


def test_an_ascent_that_diverges_is_stopped_and_the_best_is_kept() -> None:
    """Scores 3 − z + 0 √(1 − z) and 0, NaN beyond z = 1 and equal below −1: of three examples one walks over the edge,
    one starts there, one has all the entropy at once."""

    def model(points: Tensor) -> Tensor:
        z = points[:, 0]
        return torch.stack([torch.where(z < -1, 0 * z, 3 - z + 0 * (1 - z).sqrt()), 0 * z], 1)

    found = search(MaximumEntropy(Itself(), rate=0.1), model, torch.tensor([[0.5], [1.5], [-3.0]], dtype=torch.float64))
    assert found.details["entropy_ascent"] == [["not finite"], ["not finite"], ["met"]]
    best = found.start[:, 0]
    assert 0.8 < float(best[0]) <= 1
    assert best[1:].tolist() == [[1.5], [-3.0]]
    assert found.details["entropy_gap"] == [[pytest.approx(1 - float(share(model(best[:1]))))], [None], [0.0]]
    assert found.gradients[1:] == [1, 0]


@pytest.mark.parametrize("momenta", [(0.9, 0.999), None], ids=["adam", "plain"])
def test_steps_beyond_all_bounds_end_the_search(momenta: Any) -> None:
    found = search(MaximumEntropy(Itself(), rate=1e308, momenta=momenta, gap=1e-9), linear, 1e3 * X)
    assert torch.isfinite(found.start).all()
    assert {why for (why,) in found.details["entropy_ascent"]} == {"not finite"}
    assert max(found.gradients) <= 3


def test_a_diverging_search_leaves_an_attribution_that_says_so() -> None:
    a = gl.explain(linear, X, 0, baseline=MaximumEntropy(Itself(), rate=1e308, gap=1e-9), steps=4)
    assert a.details["entropy_ascent"] == [["not finite"]] * 5
    assert torch.isfinite(a.values).all()


def test_within_bounds_the_best_there_is_taken_and_the_gap_told() -> None:
    """Two classes, scores z and 3: the undecided input z = 3 is out of reach; the corner is where it is least sure."""

    def model(points: Tensor) -> Tensor:
        return torch.stack([points[:, 0], 0 * points[:, 0] + 3], 1)

    x = torch.zeros(1, 1, dtype=torch.float64)
    found = search(MaximumEntropy(low=-1.0, high=2.0), model, x)
    assert found.start.tolist() == [[[2.0]]]
    assert found.details["entropy_ascent"] == [["no way up"]]
    p = 1 / (1 + math.e)
    due = 1 + (p * math.log(p) + (1 - p) * math.log(1 - p)) / math.log(2)
    assert found.details["entropy_gap"] == [[pytest.approx(due, rel=1e-9)]]
    outside = search(MaximumEntropy(Itself(), low=-1.0, high=2.0), model, x - 5)
    assert outside.start.tolist() == [[[2.0]]]
    assert min(float(p.points) for p in outside.probes) == -1.0, "the start is brought inside as well"


def test_bounds_are_one_each_channel() -> None:
    def model(points: Tensor) -> Tensor:
        return torch.stack([9 + points.sum((1, 2, 3)), 0 * points[:, 0, 0, 0]], 1)

    x = torch.zeros(2, 3, 2, 2, dtype=torch.float64)
    found = search(MaximumEntropy(low=(-0.1, -2.0, 0.0), high=5.0, steps=9), model, x)
    assert found.start[0, 0].amin((1, 2))[[0, 2]].tolist() == [-0.1, 0.0]
    assert -0.3 < float(found.start[0, 0, 1].max()) < -0.2
    with pytest.raises(gl.BaselineError, match="one bound or 3, one each channel, for MaximumEntropy, got 2"):
        search(MaximumEntropy(low=(0.0, 1.0)), linear, x)


# ------------------------------------------------------------------------------------------------- models, arguments


def test_a_model_without_classes_is_refused() -> None:
    x = torch.randn(2, 3, 4, 4)
    with pytest.raises(gl.TargetError, match=r"expected model output of shape \(2, classes\)"):
        gl.explain(lambda z: z, x, gl.targets.Region(0), baseline=MaximumEntropy(), steps=2)
    with pytest.raises(gl.TargetError, match="scores before the softmax"):
        gl.explain(lambda z: linear(z).softmax(1), X, 0, baseline=MaximumEntropy(), steps=2)
    with pytest.raises(gl.BaselineError, match="floating-point"):
        gl.explain(
            nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2)).eval(),
            torch.ones(2, 2, dtype=torch.int64),
            0,
            site=gl.Layer("0"),
            baseline=MaximumEntropy(),
            steps=2,
        )


def test_it_is_found_at_the_input_and_pushed_to_a_layer() -> None:
    model = net()
    at_input = gl.explain(model, X, gl.Probability(0), baseline=MaximumEntropy(), steps=2)
    inside = gl.explain(model, X, gl.Probability(0), baseline=MaximumEntropy(), steps=2, site=gl.Layer("0"))
    assert inside.details["entropy_gap"] == at_input.details["entropy_gap"]
    assert inside.baseline_score is not None
    assert at_input.baseline_score is not None
    assert torch.allclose(inside.baseline_score, at_input.baseline_score)


def test_several_inputs_are_searched_together() -> None:
    """Two tensors of a tuple: the entropy is that of the model with both moved."""

    def model(one: Tensor, other: Tensor) -> Tensor:
        return linear(torch.cat([one, other.flatten(1)], 1))

    parts = (X[:, :2], X[:, 2:].reshape(5, 2, 2))
    several = gl.explain(model, parts, gl.Probability(0), baseline=MaximumEntropy(), steps=4)
    whole = gl.explain(linear, X, gl.Probability(0), baseline=MaximumEntropy(), steps=4)
    assert several.details == whole.details
    assert torch.allclose(torch.cat([v.flatten(1) for v in several.values], 1), whole.values)


def test_what_is_told_can_be_saved(tmp_path: Any) -> None:
    a = gl.explain(linear, X, 0, baseline=MaximumEntropy(b.Each(0, Itself())), steps=2)
    a.save(tmp_path / "a.safetensors")
    assert gl.load(tmp_path / "a.safetensors").details == a.details
    assert a[1].details["entropy_gap"] == a.details["entropy_gap"][1:2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"starts": "input"}, "a plain baseline where MaximumEntropy starts, got 'input'; use Zero"),
        ({"starts": b.Boundary()}, "a plain baseline where MaximumEntropy starts, got Boundary"),
        ({"starts": b.Each(0, b.AtSite(0))}, "a plain baseline where MaximumEntropy starts, got AtSite"),
        ({"starts": b.PerInput((0,))}, "a plain baseline where MaximumEntropy starts, got PerInput"),
        ({"starts": b.Given(X)}, r"one tensor for all examples \(1, \*F\).* got shape \(5, 6\)"),
        ({"steps": 0}, "a whole number steps >= 1 for MaximumEntropy, got steps=0"),
        ({"rate": 0.0}, "rate > 0 for MaximumEntropy, got rate=0.0"),
        ({"rate": math.nan}, "rate > 0 for MaximumEntropy"),
        ({"gap": 0}, r"gap in \(0, 1\) for MaximumEntropy, got gap=0"),
        ({"gap": 1.0}, r"gap in \(0, 1\) for MaximumEntropy"),
        ({"momenta": (0.9,)}, r"two momenta in \[0, 1\) for MaximumEntropy, or None, got momenta=\(0.9,\)"),
        ({"momenta": (0.9, 1.0)}, r"two momenta in \[0, 1\)"),
        ({"low": 1.0, "high": 1.0}, "low < high in every channel for MaximumEntropy"),
        ({"low": (0.0, 2.0), "high": 1.0}, "low < high in every channel for MaximumEntropy"),
        ({"low": (0.0, 0.0), "high": (1.0, 1.0, 1.0)}, "low < high in every channel for MaximumEntropy"),
        ({"low": math.nan, "high": 1.0}, "low < high in every channel for MaximumEntropy"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected {words}"):
        MaximumEntropy(**arguments)


def test_starts_that_do_not_fit_x_are_refused() -> None:
    with pytest.raises(gl.BaselineError, match="images"):
        gl.explain(linear, X, 0, baseline=MaximumEntropy(b.Blur()), steps=2)


def test_itself_is_x() -> None:
    group = b.Group(X, torch.arange(5), tuple("abcde"), 0)
    assert torch.equal(Itself().start(group)[:, 0], X)
    a = gl.explain(linear, X, 0, baseline=Itself(), steps=2)
    assert set(a.status) == {gl.Status.FLAT}
