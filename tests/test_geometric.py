"""Geometrically guided IG: the authors' algorithm written plainly beside ours, its laws, and ascents that go astray."""

from __future__ import annotations

import math
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.accumulators import Maximum
from gradline.core.flow import Probe, Reading, Step
from gradline.core.paths import Climbing, FixedBudget
from gradline.core.rules import Midpoint, Trapezoid
from gradline.errors import InputError
from gradline.testing.drive import OpenRoom, frame

MAX, IG = gl.methods.geometrically_guided_maximum, gl.methods.geometrically_guided_integrated_gradients


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = [nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(48, 6), nn.ReLU(), nn.Linear(6, 4)]
        return nn.Sequential(*layers).double().eval()


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 2, 6, 6, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


NET, X = network(), images()


def published(model: Any, x: Tensor, iterations: int, step: float, *, points: int = 51) -> tuple[Tensor, Tensor]:
    """GGIG-IG and GGIG-Max of one image `(*F)`, as the authors compute them: every gradient kept, the maximum over the
    ascent with NaN counting, then NaN to 0, then trapezoid mean and maximum over the points."""
    with torch.no_grad():
        label = int(model(x[None])[0].argmax())
    kept = []
    for t in torch.linspace(0, 1, points, dtype=torch.float64):
        z, met = t * x, []
        for _ in range(iterations):
            leaf = z.clone().requires_grad_()
            (slope,) = torch.autograd.grad(model(leaf[None])[0, label], leaf)
            met.append(slope)
            z = z + step * slope
        kept.append(torch.nan_to_num(torch.stack(met).max(0)[0]))
    all_points = torch.stack(kept)
    return ((all_points[:-1] + all_points[1:]) / 2).mean(0), all_points.max(0)[0]


# ---------------------------------------------------------------------------------------------- as the authors have it


@pytest.mark.parametrize(("iterations", "step"), [(1, 1.0), (3, 1e-4), (4, 0.3), (6, 2.0)])
@pytest.mark.parametrize("as_published", [True, False])
def test_as_the_authors_compute_it(iterations: int, step: float, as_published: bool) -> None:
    mean, most = published(NET, X[1], iterations, step)
    for method, due in ((IG, mean), (MAX, most)):
        a = gl.explain(NET, X[1:], method=method(iterations, step, as_published=as_published))
        assert float((a.values[0] - due).abs().max()) < 1e-6
        assert a.status == (gl.Status.NO_CLAIM,)
        assert a.evaluations.tolist() == [51 * iterations]


def test_published_defaults() -> None:
    for method in (MAX(as_published=True), IG(as_published=True), MAX(), IG()):
        assert isinstance(method.path, Climbing)
        assert (method.path.iterations, method.path.step, method.path.absolute) == (100, 1e-4, False)
        assert method.budget == FixedBudget(51, Trapezoid())
        assert method.baseline == gl.baselines.Zero()
        assert method.law is gl.accumulators.SumLaw.NONE


def test_what_is_not_finite_counts_as_zero_as_published_and_not_at_all_by_default() -> None:
    """F = −√x₁ + x₂ with steps that lead over the edge: beyond 0 the gradient is NaN. F' = −1/(2 √x₁) is negative, so
    that a zero in its maximum hides it."""

    def model(x: Tensor) -> Tensor:
        return torch.stack([-x[:, 0].clamp(min=-1).sqrt() + x[:, 1], -9 + 0 * x[:, 0]], 1)

    x, settings = torch.tensor([[1.0, 2.0]], dtype=torch.float64), {"baseline": torch.tensor([[0.5, 0.0]]).double()}
    theirs = gl.explain(
        model, x, 0, method=MAX(4, 1.0, as_published=True), steps=3, rule=gl.rules.Trapezoid, **settings
    )
    ours = gl.explain(model, x, 0, method=MAX(4, 1.0), steps=3, rule=gl.rules.Trapezoid, **settings)
    assert theirs.values.tolist() == [[0.0, 1.0]]
    torch.testing.assert_close(ours.values, torch.tensor([[-0.5, 1.0]], dtype=torch.float64))  # at x₁ = 1
    assert ours.evaluations.tolist() == [8]  # ascents end at their second or third point
    assert theirs.evaluations.tolist() == [12]
    assert ours.details["stopped_ascents"] == theirs.details["stopped_ascents"] == [3]
    assert any("not finite" in f.detail for f in ours.findings)


def test_one_iteration_is_the_maximum_over_the_path_and_integrated_gradients() -> None:
    rule: Any = {"steps": 9, "rule": gl.rules.Trapezoid}
    gradients = torch.stack(
        [gl.explain(NET, t * X, 2, method=gl.methods.gradient()).values for t in torch.linspace(0, 1, 9)]
    )
    torch.testing.assert_close(gl.explain(NET, X, 2, method=MAX(1), **rule).values, gradients.amax(0))
    torch.testing.assert_close(
        gl.explain(NET, X, 2, method=MAX(1, absolute=True), **rule).values, gradients.abs().amax(0)
    )
    plain = gl.explain(NET, X, 2, **rule).values
    torch.testing.assert_close(gl.explain(NET, X, 2, method=IG(1, multiply=True), **rule).values, plain)
    torch.testing.assert_close(gl.explain(NET, X, 2, method=IG(1), **rule).values * X, plain)


# ------------------------------------------------------------------------------------------------ what the maximum does


def test_signed_and_absolute_maxima() -> None:
    """F = −eˣ: gradients −eᵗ at nodes t = 0, ½, 1. The signed maximum is the least negative one, the absolute the
    longest; an ascent goes left, where the gradient is smaller."""

    def model(x: Tensor) -> Tensor:
        return -x.exp()

    x, nodes = torch.ones(1, 1, dtype=torch.float64), {"steps": 3, "rule": gl.rules.Trapezoid}

    def value(method: gl.Method) -> float:
        return float(gl.explain(model, x, method=method, **nodes).values)

    assert value(MAX(1)) == pytest.approx(-1)
    assert value(MAX(1, absolute=True)) == pytest.approx(math.e)
    assert value(MAX(2, 0.1)) == pytest.approx(-math.exp(-0.1))
    first = [math.exp(t) for t in (0, 0.5, 1)]
    second = [math.exp(t - 0.1 * g) for t, g in zip((0, 0.5, 1), first, strict=True)]
    mean = (second[0] + 2 * second[1] + second[2]) / 4
    assert value(IG(2, 0.1)) == pytest.approx(-mean)
    assert value(IG(2, 0.1, absolute=True)) == pytest.approx((first[0] + 2 * first[1] + first[2]) / 4)


def test_a_dummy_gets_exactly_nothing() -> None:
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))

    def model(points: Tensor) -> Tensor:
        return net(points[:, [0, 1, 3, 4]])

    for method in (MAX(5, 0.5), IG(5, 0.5), MAX(5, 0.5, absolute=True), IG(5, 0.5, multiply=True)):
        values = gl.explain(model, x, 1, method=method, steps=7).values
        assert (values[:, 2] == 0).all()
        assert (values[:, [0, 1, 3, 4]] != 0).all()


def test_a_signed_maximum_is_biased_upwards() -> None:
    """F = Σ sin(2π x)/2π at x = 1: the mean gradient over the path is 0, the largest 1. And of two gradients with
    noise N(0, 1) the maximum is 1/√π too high on average, of three 3/(2 √π)."""

    def wave(x: Tensor) -> Tensor:
        return torch.sin(2 * math.pi * x).sum(1, keepdim=True) / (2 * math.pi)

    x, nodes = torch.ones(1, 3, dtype=torch.float64), {"steps": 9, "rule": gl.rules.Trapezoid}
    assert gl.explain(wave, x, method=IG(1), **nodes).values.abs().max() < 1e-12
    torch.testing.assert_close(gl.explain(wave, x, method=MAX(1), **nodes).values, torch.ones_like(x))
    for count, due in ((2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi))):
        noise = torch.randn(count, 40_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        values, owner = torch.full((1, 40_000), -torch.inf, dtype=torch.float64), torch.zeros(count, dtype=torch.int64)
        Maximum().fold(values, owner, Step(Reading(owner, noise[:, 0], noise), noise, torch.ones(count)))
        assert float(values.mean()) == pytest.approx(due, abs=4 * float(values.std()) / 200)


def test_a_maximum_does_not_depend_on_the_order_or_the_grouping_of_rows() -> None:
    grads, owner = images(6)[:, 0], torch.tensor([0, 1, 0, 2, 1, 0])
    due = torch.stack([grads[owner == e].amax(0) for e in range(3)])
    for rows in ([[0, 1, 2, 3, 4, 5]], [[5, 3], [1], [0, 4, 2]], [[k] for k in range(6)]):
        values = torch.full((3, 6, 6), -torch.inf, dtype=torch.float64)
        for part in rows:
            step = Step(Reading(owner[part], grads[part, 0, 0], grads[part]), grads[part], torch.zeros(len(part)))
            Maximum().fold(values, owner[part], step)
        assert torch.equal(values, due)


# ---------------------------------------------------------------------------------------------- ascents that go astray


def quartic(x: Tensor) -> Tensor:
    return (x**4).sum(1, keepdim=True)


@pytest.mark.parametrize("method", [MAX(50, 1.0), IG(50, 1.0), MAX(50, 1.0, absolute=True)], ids=["max", "ig", "abs"])
@pytest.mark.parametrize("model", [quartic, lambda x: x.exp().sum(1, keepdim=True)], ids=["quartic", "exp"])
def test_an_ascent_that_overflows_is_stopped_and_reported(method: gl.Method, model: Any) -> None:
    x = torch.tensor([[2.0, 1.5], [0.0, 0.0]])
    a = gl.explain(model, x, method=method, steps=5, rule=gl.rules.Trapezoid)
    assert a.values.isfinite().all()
    assert a.status[0] is gl.Status.FIXED
    assert a.details["stopped_ascents"][0] >= 4
    assert 0 in next(f.examples for f in a.findings if "not finite" in f.detail)
    assert int(a.evaluations[0]) < 5 * 50 / 2
    if model is quartic:  # at 0 there is nothing to climb
        assert a.details["stopped_ascents"][1] == 0
        assert int(a.evaluations[1]) == 5 * 50


def test_a_point_that_is_not_finite_itself_is_no_matter_of_ascents() -> None:
    a = gl.explain(lambda x: x.log(), torch.ones(1, 1), method=MAX(3, 0.1), steps=3, rule=gl.rules.Trapezoid)
    assert a.status == (gl.Status.NONFINITE,)


@pytest.mark.parametrize(("step", "falls"), [(0.5, 0), (1.5, 8), (2.5, 8)])
def test_steps_that_overshoot_are_noted(step: float, falls: int) -> None:
    """F = −x²/2 + 1: steps of η multiply x by 1 − η. Up to 1 the score rises; between 1 and 2 it rises too, on the
    other side; beyond it falls."""
    falls = falls if step > 2 else 0

    def hill(x: Tensor) -> Tensor:
        return 1 - (x**2).sum(1, keepdim=True) / 2

    a = gl.explain(hill, torch.ones(1, 1), method=MAX(6, step), steps=8)
    assert a.details["falling_ascents"] == [falls]
    assert a.details["stopped_ascents"] == [0]
    assert bool(falls) == any("lose height" in f.detail for f in a.findings)


def test_a_fall_that_is_made_good_later_is_seen() -> None:
    """F = −|x|: from 0.25 with steps of 1 the ascent jumps to −0.75 and back."""
    x = torch.full((1, 1), 0.25)
    a = gl.explain(lambda p: -p.abs(), x, method=MAX(3, 1.0), steps=1, rule=gl.rules.RightRiemann)
    assert a.details["falling_ascents"] == [1]


# ------------------------------------------------------------------------------------------------ in the engine


def test_examples_stand_alone_whatever_the_batch_and_the_memory() -> None:
    x, names = images(3), ["a", "b", "c"]
    for method in (MAX(4, 0.3), IG(4, 0.3)):
        whole = gl.explain(NET, x, 1, method=method, steps=6, names=names)
        alone = [gl.explain(NET, x[i : i + 1], 1, method=method, steps=6, names=[n]) for i, n in enumerate(names)]
        torch.testing.assert_close(torch.cat([a.values for a in alone]), whole.values)
        narrow = gl.explain(NET, x, 1, method=method, steps=6, memory=100_000)
        torch.testing.assert_close(narrow.values, whole.values)
        assert [f.code for f in narrow.findings] == [f.code for f in whole.findings]
        back = gl.explain(NET, x.flip(0), 1, method=method, steps=6)
        torch.testing.assert_close(back.values.flip(0), whole.values)


def test_some_ascents_that_stop_leave_the_others_alone() -> None:
    """Rows of one batch: those whose ascents end do not change what the others meet."""
    x = torch.tensor([[3.0], [0.1], [2.0]])
    together = gl.explain(quartic, x, method=MAX(20, 0.3), steps=4)
    for i in range(3):
        alone = gl.explain(quartic, x[i : i + 1], method=MAX(20, 0.3), steps=4)
        torch.testing.assert_close(alone.values[0], together.values[i])
        assert alone.details["stopped_ascents"][0] == together.details["stopped_ascents"][i]
        assert int(alone.evaluations[0]) == int(together.evaluations[i])
    assert together.details["stopped_ascents"][1] == 0 < together.details["stopped_ascents"][0]


def test_from_several_baselines_the_maximum_is_over_all_and_the_mean_over_all() -> None:
    both, nodes = gl.baselines.Each(0.0, 1.0), {"steps": 5}
    for make, join in ((MAX, torch.maximum), (IG, lambda a, b: (a + b) / 2)):
        one, other = (gl.explain(NET, X, 1, method=make(3, 0.2), baseline=b, **nodes).values for b in (0.0, 1.0))
        a = gl.explain(NET, X, 1, method=make(3, 0.2), baseline=both, **nodes)
        torch.testing.assert_close(a.values, join(one, other))
        assert a.evaluations.tolist() == [30, 30]


def test_several_targets_and_several_inputs() -> None:
    for a, k in zip(gl.explain(NET, X, [0, 3], method=MAX(3, 0.2), steps=4), (0, 3), strict=True):
        torch.testing.assert_close(a.values, gl.explain(NET, X, k, method=MAX(3, 0.2), steps=4).values)

    def model(one: Tensor, other: Tensor) -> Tensor:
        return one**3 + one * other

    x = torch.tensor([[2.0, 1.0]])
    a = gl.explain(model, (x[:, :1], x[:, 1:]), 0, method=MAX(3, 0.1), steps=4)
    whole = gl.explain(lambda p: model(p[:, :1], p[:, 1:]), x, 0, method=MAX(3, 0.1), steps=4)
    torch.testing.assert_close(torch.cat(a.values, 1), whole.values)


def test_driven_at_a_layer_it_climbs_there() -> None:
    tail, h, start = NET[2:], NET[:2](X).detach(), NET[:2](torch.zeros_like(X)).detach()
    for method in (MAX(3, 0.2), IG(3, 0.2, multiply=True)):
        a = gl.explain(NET, X, 1, method=method, site=gl.Layer("1"), steps=6)
        torch.testing.assert_close(a.values, gl.explain(tail, h, 1, method=method, baseline=start, steps=6).values)


def test_the_curve_shows_the_points_of_the_path_not_where_ascents_lead() -> None:
    climbed, plain = (gl.explain(NET, X, 1, method=IG(k, 0.3), steps=6) for k in (5, 1))
    for one, other in zip(climbed.curve, plain.curve, strict=True):
        assert one.score == pytest.approx(other.score)
        assert one.gradient_norm == pytest.approx(other.gradient_norm)
    split = gl.explain(NET, X, 1, method=IG(5, 0.3), steps=6, memory=100_000)
    assert split.curve[1].gradient_norm == pytest.approx(plain.curve[1].gradient_norm)


def most_alive(iterations: int) -> int:
    """The most gradients that the path holds between two questions."""
    x, seen, most = torch.ones(2, 50, dtype=torch.float64), [], 0
    flow = Climbing(iterations, 1e-2).flow(frame(quartic, x, room=OpenRoom(8)), FixedBudget(8, Midpoint()))
    said: Any = next(flow)
    while True:
        try:
            if isinstance(said, Probe):
                grad = 4 * said.points**3
                seen.append(weakref.ref(grad))
                reading = Reading(said.owner, (said.points**4).sum(1), grad)
                del grad
                said = flow.send(reading)
                del reading
            else:
                said = next(flow)
        except StopIteration:
            return most
        most = max(most, sum(ref() is not None for ref in seen))


def test_memory_does_not_grow_with_the_number_of_iterations() -> None:
    assert most_alive(30) == most_alive(3) <= 1


def test_nothing_of_the_callers_is_touched() -> None:
    net, x = network().train(), images()
    state, before = {k: v.clone() for k, v in net.state_dict().items()}, x.clone()
    gl.explain(net, x, 1, method=MAX(3, 0.3), steps=3)
    assert torch.equal(x, before)
    assert net.training
    assert all(torch.equal(state[k], v) for k, v in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_a_map_is_saved_and_read_back_with_its_details(tmp_path: Any) -> None:
    a = gl.explain(quartic, torch.full((1, 2), 2.0), method=MAX(50, 1.0), steps=5)
    b = gl.load(a.save(tmp_path / "a.safetensors"))
    assert b.details == a.details
    assert "iterations=50" in b.provenance["method"]


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("iterations", [0, -1, 2.5, True, math.nan, "3"])
@pytest.mark.parametrize("make", [MAX, IG])
def test_iterations_are_a_count(make: Any, iterations: Any) -> None:
    with pytest.raises(InputError, match="iterations"):
        make(iterations)


@pytest.mark.parametrize("step", [0, -1e-4, math.nan, math.inf, True, "1"])
@pytest.mark.parametrize("make", [MAX, IG])
def test_steps_go_uphill(make: Any, step: Any) -> None:
    with pytest.raises(InputError, match="step"):
        make(3, step)


def test_no_accuracy_can_be_asked_for() -> None:
    with pytest.raises(InputError, match="no error estimate"):
        gl.explain(NET, X, 1, method=MAX(), tol=0.1)


def test_gradients_cannot_be_read_elsewhere() -> None:
    with pytest.raises(InputError, match="where a climbing path is driven"):
        gl.explain(NET, X, 1, method=replace(MAX(2), read=gl.Layer("1")), steps=3)
