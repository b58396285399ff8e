"""The nearest point of the decision boundary, searched for on formulas whose nearest point is known."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.core.baselines import Boundary, PixelSpace
from gradline.core.flow import Frame, Need, Of, Probe, Reading
from gradline.testing.drive import OpenRoom

Margin = Callable[[Tensor, Tensor], Tensor]
"""Margins `(R,)` of points `(R, *F)` that belong to examples `owner (R,)`."""


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@dataclass(eq=False)
class Found:
    """`start (B, *F)`, its distance from x, the probes in order, and the gradients of each example."""

    start: Tensor
    far: Tensor
    probes: list[Probe]
    gradients: list[int]

    @property
    def forwards(self) -> int:
        return sum(p.need is Need.VALUE for p in self.probes)


def search(part: Boundary, x: Tensor, margin: Margin, names: tuple[str, ...] | None = None) -> Found:
    part.check(x)
    frame = Frame(
        start=x.unsqueeze(1).to(torch.promote_types(x.dtype, torch.float32)),
        end=x.to(torch.promote_types(x.dtype, torch.float32)),
        start_score=np.full((len(x), 1), np.nan),
        end_score=np.full(len(x), np.nan),
        names=tuple(str(i) for i in range(len(x))) if names is None else names,
        seed=0,
        precision=x.dtype,
        bounded=False,
        room=OpenRoom(),
    )
    flow, probes, spent, answer = part.search(frame), [], [0] * len(x), None
    before = frame.end.clone()
    try:
        while True:
            probe = flow.send(answer)  # type: ignore[arg-type]
            assert probe.of is Of.MARGIN
            assert probe.points.shape == (len(probe.owner), *x.shape[1:])
            assert len(probe.owner) > 0
            assert probe.owner.device.type == "cpu"
            leaf = probe.points.to(x.dtype).detach().clone().requires_grad_()
            value, grad = margin(leaf, probe.owner), None
            if probe.need is Need.GRADIENT:
                (grad,) = torch.autograd.grad(value.sum(), leaf)
                grad = grad.to(frame.end.dtype)
                for i in probe.owner.tolist():
                    spent[i] += 1
            probes.append(probe)
            answer = Reading(probe.owner, value.detach().double(), grad)
    except StopIteration as end:
        assert torch.equal(frame.end, before)
        found: Tensor = end.value.starts
        assert found.shape == (len(x), 1, *x.shape[1:])
        assert found.dtype == frame.end.dtype
        start = found[:, 0]
        return Found(start, (start - frame.end).flatten(1).norm(dim=1).double(), probes, spent)


# -------------------------------------------------------------------------------------------------------------- linear

W, B = normal(6, 4), normal(6, seed=1)
X = normal(6, 4, seed=2)


def linear(points: Tensor, owner: Tensor) -> Tensor:
    """w·x + b, each example its own; x is on either side."""
    return (points * W[owner].to(points)).sum(1) + B[owner].to(points)


def test_a_plane_is_met_at_the_foot_of_the_perpendicular() -> None:
    """x' = x − (w·x + b) w / ‖w‖²: two gradients, one at x and one beyond the plane, then the bisections."""
    found = search(Boundary(), X, linear)
    at_x = linear(X, torch.arange(6))
    assert set(at_x.sign().tolist()) == {-1.0, 1.0}
    foot = X - (at_x / (W**2).sum(1)).unsqueeze(1) * W
    assert torch.allclose(found.start, foot, atol=3e-4 * float(found.far.max()))
    assert found.gradients == [2] * 6
    assert found.forwards == 12
    assert [p.need for p in found.probes] == [Need.GRADIENT] * 2 + [Need.VALUE] * 12


@pytest.mark.parametrize("bisections", [0, 1, 5, 12, 25])
def test_bisections_say_how_near_the_boundary_the_start_is(bisections: int) -> None:
    """On the other side, by at most 2^−n of the way: for a plane, of the margin at x; by the overshoot without any."""
    found = search(Boundary(bisections=bisections), X, linear)
    share = linear(found.start, torch.arange(6)) / linear(X, torch.arange(6))
    assert (share <= 0).all()
    assert (share >= -(1.03 * 2.0**-bisections if bisections else 0.03)).all()
    assert found.forwards == bisections


def test_on_the_boundary_already() -> None:
    found = search(Boundary(), row(0.0, 3.0), lambda p, _: p[:, 0])
    assert found.start.tolist() == [[0.0, 3.0]]
    assert found.gradients == [1]


# -------------------------------------------------------------------------------------------------------------- curved


def ball(points: Tensor, _: Tensor) -> Tensor:
    return 4 - (points**2).sum(1)


def test_a_sphere_is_met_along_its_radius() -> None:
    """From inside a sphere of radius 2 the nearest point is 2 x / ‖x‖, at 2 − ‖x‖; from outside at ‖x‖ − 2."""
    x = torch.cat([normal(3, 5) / 4, 3 * normal(3, 5, seed=1)])
    assert (ball(x, x) > 0).tolist() == [True] * 3 + [False] * 3
    found = search(Boundary(), x, ball)
    assert found.far.tolist() == pytest.approx((x.norm(dim=1) - 2).abs().tolist(), rel=2e-3)
    assert torch.allclose(found.start, 2 * x / x.norm(dim=1, keepdim=True), atol=1e-2)
    assert max(found.gradients) <= 8


def ellipse(points: Tensor, _: Tensor) -> Tensor:
    return 1 - points[:, 0] ** 2 - (4 * points[:, 1]) ** 2


ANGLE = torch.linspace(0, 2 * math.pi, 40_001, dtype=torch.float64)
CURVE = torch.stack([ANGLE.cos(), ANGLE.sin() / 4], 1)
INSIDE = torch.tensor([[0.5, 0.05], [0.9, 0.01], [0.1, 0.1], [0.3, 0.001], [-0.7, 0.1]], dtype=torch.float64)
OUTSIDE = torch.tensor([[2.5, 0.05], [3, 3], [1, 1], [0, 5], [10, 0.1], [-1, -10]], dtype=torch.float64)


@pytest.mark.parametrize("x", [INSIDE, OUTSIDE], ids=["inside", "outside"])
def test_an_ellipse_is_met_at_its_nearest_point(x: Tensor) -> None:
    """Where the gradient at x does not point to the nearest point, and from afar, where plain steps circle it."""
    found = search(Boundary(), x, ellipse)
    nearest = torch.cdist(x, CURVE).min(1).values
    assert (ellipse(found.start, x).sign() != ellipse(x, x).sign()).all()
    assert found.far.tolist() == pytest.approx(nearest.tolist(), rel=2e-3)


def net(seed: int = 0) -> tuple[Tensor, Margin]:
    """A ReLU network of random weights with three classes, 12 inputs, and the margin over the frozen rival."""
    torch.manual_seed(seed)
    made = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)).double()
    x = normal(12, 20, seed=seed)
    two = made(x).detach().topk(2, 1).indices

    def margin(points: Tensor, owner: Tensor) -> Tensor:
        return made(points).gather(1, two[owner]) @ torch.tensor([1.0, -1.0], dtype=points.dtype)

    return x, margin


def test_in_a_network_nothing_nearer_is_near() -> None:
    """Nearer than DeepFool's point, and no point of 12 × 2000 on the sphere of 97 % of the distance is beyond."""
    x, margin = net()
    every = torch.arange(len(x))
    found = search(Boundary(), x, margin)
    assert (margin(found.start, every) <= 0).all()
    assert (margin(found.start, every) > -1e-3 * margin(x, every)).all()
    fool = x.clone()
    for _ in range(50):
        leaf = fool.requires_grad_()
        value = margin(leaf, every)
        (grad,) = torch.autograd.grad(value.sum(), leaf)
        step = (value / (grad**2).sum(1)).clamp(min=0).unsqueeze(1) * grad
        fool = (leaf - 1.001 * step).detach()
    assert (margin(fool, every) <= 0).all()
    assert (found.far <= (fool - x).norm(dim=1) * 1.001).all()
    way = (found.start - x) / found.far.unsqueeze(1)
    around = way + 0.05 * normal(2000, 12, 20)
    points = x + 0.97 * found.far.unsqueeze(1) * around / around.norm(dim=2, keepdim=True)
    assert (margin(points.flatten(0, 1), every.repeat(2000)) > 0).all()


def test_saturated_margins_are_crossed() -> None:
    """A margin like that of probabilities, flat on both sides: tanh(6 d) with d the distance from a plane, at d = 1."""
    x = row(1.0, 2.0)
    found = search(Boundary(bisections=20), x, lambda p, _: torch.tanh(6 * p[:, 0]))
    assert found.start.tolist()[0] == pytest.approx([0.0, 2.0], abs=1e-3)
    assert float(found.start[0, 0]) <= 0
    assert found.gradients[0] <= 20, "the first step leads to −6800, from where every gradient halves the way"


@pytest.mark.parametrize("nothing", [math.nan, math.inf])
def test_a_step_to_where_the_model_says_nothing_is_halved(nothing: float) -> None:
    """log x = 0 at 1: from 20 the first step leads to −41, where the margin is not finite, though its gradient is."""

    def logarithm(points: Tensor, _: Tensor) -> Tensor:
        return torch.where(points > 0, points.clamp(min=1e-9).log(), points + nothing)[:, 0]

    found = search(Boundary(), row(20.0), logarithm)
    assert float(found.start) == pytest.approx(1, rel=1e-2)


# ------------------------------------------------------------------------------------------------------------------ box


def test_the_box_is_kept_and_the_nearest_point_in_it_is_found() -> None:
    """x + 2 y + z = 3 from 0 with y <= ½: without the box (½, 1, ½), with it (1, ½, 1), by symmetry in x and z."""
    x, plane = row(0.0, 0.0, 0.0), lambda p, _: 3 - p[:, 0] - 2 * p[:, 1] - p[:, 2]
    assert search(Boundary(bisections=20), x, plane).start.tolist()[0] == pytest.approx([0.5, 1, 0.5], abs=1e-4)
    boxed = search(Boundary(high=(9.0, 0.5, 9.0), bisections=20), x, plane)
    assert boxed.start.tolist()[0] == pytest.approx([1, 0.5, 1], abs=1e-4)
    assert boxed.gradients[0] <= 3
    for probe in boxed.probes:
        assert (probe.points[:, 1] <= 0.5).all()


def test_a_curved_boundary_is_found_in_the_box() -> None:
    """x² + 4 y² = 4 from (0.2, 0.1): (0.07, 1) is nearest; with 0 <= y <= ½ it is the corner (√3, ½)."""
    x = row(0.2, 0.1)
    found = search(Boundary(low=(-9.0, 0.0), high=(9.0, 0.5)), x, lambda p, _: 4 - p[:, 0] ** 2 - 4 * p[:, 1] ** 2)
    assert found.start.tolist()[0] == pytest.approx([math.sqrt(3), 0.5], rel=3e-3)


def test_a_boundary_beyond_the_box_is_not_found() -> None:
    x, plane = row(0.0, 0.0), lambda p, _: 3 - p.sum(1)
    with pytest.raises(
        gl.BaselineError, match=r"none in 40 steps for 1 of 1 \(0\); raise steps=, widen low= and high="
    ):
        search(Boundary(low=-1.0, high=1.0), x, plane)
    assert search(Boundary(low=-1.0, high=2.0), x, plane).far.tolist() == pytest.approx([3 / math.sqrt(2)], rel=1e-3)


def test_where_x_is_outside_the_box_x_is_the_bound() -> None:
    found = search(Boundary(low=-1.0, high=1.0), row(4.0, 0.0), lambda p, _: 4.5 - p[:, 0] - p[:, 1])
    assert found.start.tolist()[0] == pytest.approx([4, 0.5], abs=1e-3)


def test_vision_cases_fill_in_black_and_white() -> None:
    pixels = PixelSpace((-1.0, 2.0), (1.0, -2.0))
    part = Boundary(steps=5).within(pixels)
    assert part == Boundary(steps=5, low=(-1.0, -2.0), high=(1.0, 2.0))
    assert Boundary(low=0.0).within(pixels) == Boundary(low=0.0), "what is said stays"
    x = torch.zeros(1, 2, 3, 3, dtype=torch.float64)
    found = search(Boundary().within(pixels), x, lambda p, _: 20 - p.flatten(1).sum(1))
    assert found.start[0, 0].max() <= 1
    assert float(found.start.sum()) == pytest.approx(20, rel=1e-3)
    with pytest.raises(gl.BaselineError, match="expected one bound or 3, one each channel, for Boundary, got 2"):
        part.check(torch.zeros(1, 3, 4, 4))


# ------------------------------------------------------------------------------------------------------- rows, failures


def test_an_example_alone_finds_what_it_finds_in_a_batch() -> None:
    x, margin = net(1)
    batch = search(Boundary(), x, margin)
    for i in range(len(x)):
        alone = search(Boundary(), x[i : i + 1], lambda p, owner, i=i: margin(p, owner + i))
        assert torch.allclose(alone.start[0], batch.start[i], rtol=1e-9, atol=1e-12)
        assert alone.gradients == batch.gradients[i : i + 1]
    order = torch.arange(len(x)).flip(0)
    mixed = search(Boundary(), x[order], lambda p, owner: margin(p, order[owner]))
    assert torch.allclose(mixed.start, batch.start[order], rtol=1e-9, atol=1e-12)


def test_only_examples_that_still_search_are_asked() -> None:
    x, margin = net(2)
    found = search(Boundary(steps=15), x, margin)
    asked = [len(p.owner) for p in found.probes if p.need is Need.GRADIENT]
    assert asked == sorted(asked, reverse=True)
    assert asked[0] == 12
    assert sum(asked) == sum(found.gradients)
    assert max(found.gradients) <= 16


def test_a_search_that_fails_names_the_examples() -> None:
    """Of seven examples six have no boundary: a margin without a gradient, and others that stay above zero."""
    names = ("fine", "one", "two", "three", "four", "five", "six")
    x = torch.ones(7, 2, dtype=torch.float64)

    def margin(points: Tensor, owner: Tensor) -> Tensor:
        hill = torch.where(owner == 1, 0 * points[:, 0] + 1, 1 + points[:, 0] ** 2)
        return torch.where(owner == 0, points[:, 0], hill)

    with pytest.raises(gl.BaselineError) as refusal:
        search(Boundary(steps=7), x, margin, names)
    words = "expected a decision boundary within reach of every example, got none in 7 steps for 6 of 7 "
    assert str(refusal.value).startswith(f"{words}(one, two, three, four, five, …); raise steps=")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_margin_that_is_not_finite_at_x_is_no_boundary(bad: float) -> None:
    with pytest.raises(gl.BaselineError, match=r"none in 40 steps for 1 of 2 \(1\)"):
        search(Boundary(), X[:2], lambda p, owner: linear(p, owner) * torch.tensor([1, bad]).to(p)[owner])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_the_start_is_a_point_that_the_model_can_be_given(dtype: torch.dtype) -> None:
    """In the precision of the model the start is exact, and the margin there is that of the other side."""
    x = X.to(dtype)
    found = search(Boundary(), x, linear)
    assert found.start.dtype == torch.float32
    assert torch.equal(found.start.to(dtype).float(), found.start)
    side = linear(x, torch.arange(6)).sign()
    assert (side * linear(found.start.to(dtype), torch.arange(6)) <= 0).all()
    due = (linear(X, torch.arange(6)) / W.norm(dim=1)).abs()
    assert torch.allclose(found.far, due, rtol=0.05, atol=0.05 * float(due.max()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"steps": 0}, "a whole number steps >= 1 for Boundary, got steps=0"),
        ({"bisections": -1}, "a whole number bisections >= 0 for Boundary, got bisections=-1"),
        ({"overshoot": 1.0}, r"overshoot in \[0, 1\) for Boundary, got overshoot=1.0"),
        ({"overshoot": math.nan}, r"overshoot in \[0, 1\) for Boundary"),
        ({"low": 1.0, "high": 1.0}, "low < high in every channel for Boundary, got low=1.0, high=1.0"),
        ({"low": math.nan}, "low < high in every channel for Boundary"),
        ({"low": (0.0, 2.0), "high": 1.0}, "low < high in every channel for Boundary"),
        ({"low": (0.0, 2.0), "high": (1.0, 3.0, 4.0)}, "low < high in every channel for Boundary"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(gl.BaselineError, match=f"expected {words}"):
        Boundary(**arguments)  # type: ignore[arg-type]
