"""The driver without a model: it answers what a flow asks, at the input and at a layer given by a formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gradline.core.accumulators import Accumulator, Gradient, GradientTimesMove
from gradline.core.adaptive import adaptive
from gradline.core.fixed import fixed
from gradline.core.flow import Flow, Need, Of, Probe
from gradline.core.paths import Straight
from gradline.core.rules import ByOutputChange, GaussLegendre
from gradline.testing import Told, drive, frame
from gradline.testing.drive import OpenRoom

X = torch.tensor([[1.0, -2.0, 0.5], [3.0, 0.3, -1.0]], dtype=torch.float64)
W = torch.tensor([0.7, -0.4, 1.1], dtype=torch.float64)

RIDGES = {
    "linear": lambda s: s,
    "softplus": torch.nn.functional.softplus,
    "kink": lambda s: torch.relu(s - 0.3),
    "sigmoid": lambda s: torch.sigmoid(6 * s - 4),
}


def cube(points: Tensor) -> Tensor:
    return points**3


def asked(flow: Flow, answer: object = None) -> Probe:
    said = flow.send(answer)
    assert isinstance(said, Probe)
    return said


def walked(name: str, accumulator: Accumulator, tol: float, room: OpenRoom | None = None) -> Told:
    """Along x, read at h = x³, F = ridge(w·h)."""

    def score(h: Tensor) -> Tensor:
        return RIDGES[name]((h * W).sum(1, keepdim=True))

    ground = frame(score, X, accumulator=accumulator, lift=cube, room=room)
    return drive(adaptive(ground, Straight(), tol, 512), score, X, accumulator, lift=cube)


def rise(name: str) -> Tensor:
    along = (W * X**3).sum(1, keepdim=True)
    return (RIDGES[name](along) - RIDGES[name](0 * along)) / along


@pytest.mark.parametrize("name", RIDGES)
@pytest.mark.parametrize("tol", [0.05, 0.01, 0.001])
def test_the_tolerance_is_kept_where_the_path_is_read_elsewhere(name: str, tol: float) -> None:
    """∫ ∂F/∂h_j dh_j = w_j x_j³ (r(s) − r(0)) / s with s = w·x³, since the gradient by h keeps its direction."""
    exact = W * X**3 * rise(name)
    told = walked(name, GradientTimesMove(), tol)
    assert set(told.outcome.status) == {"converged"}
    for i in range(2):
        norm = float(exact[i].norm())
        assert float((told.values[i] - exact[i]).norm()) <= tol * norm
        assert told.outcome.error[i] <= tol * norm / 1.25


@pytest.mark.parametrize("name", RIDGES)
@pytest.mark.parametrize("tol", [0.05, 0.01])
def test_the_tolerance_is_kept_where_gradients_are_not_multiplied(name: str, tol: float) -> None:
    """∫ ∂F/∂h_j dt = w_j ∫ r'(s t³) dt, by a fine sum of its own."""
    along = (W * X**3).sum(1, keepdim=True)
    t = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    inside = (along * t**3).requires_grad_()
    (slope,) = torch.autograd.grad(RIDGES[name](inside).sum(), inside)
    exact = W * slope.mean(1, keepdim=True)
    told = walked(name, Gradient(), tol)
    assert set(told.outcome.status) == {"converged"}
    error = (told.values - exact).norm(dim=1)
    assert (error <= tol * exact.norm(dim=1)).all()


def test_memory_is_given_back_where_two_maps_a_node_are_kept() -> None:
    for accumulator in (GradientTimesMove(), Gradient()):
        room = OpenRoom(width=4)
        walked("kink", accumulator, 0.005, room)
        assert room.kept == 0


def test_values_are_in_the_shape_of_the_layer() -> None:
    """h = (x, 2x) side by side; F = Σ h² / 2: A_h = h²/2 for both halves."""

    def twice(points: Tensor) -> Tensor:
        return torch.cat([points, 2 * points], 1)

    def score(h: Tensor) -> Tensor:
        return (h**2).sum(1, keepdim=True) / 2

    told = drive(fixed(frame(score, X, lift=twice), Straight(), GaussLegendre(), 2), score, X, lift=twice)
    torch.testing.assert_close(told.values, twice(X) ** 2 / 2)


# ------------------------------------------------------------------------------------------------ what is answered


def test_probes_carry_tangents_only_where_they_are_needed() -> None:
    for accumulator, lift, need in (
        (GradientTimesMove(), None, Need.GRADIENT),
        (GradientTimesMove(), cube, Need.PUSH),
        (Gradient(), cube, Need.GRADIENT),
    ):
        ground = frame(lambda h: h.sum(1, keepdim=True), X, accumulator=accumulator, lift=lift)
        probe = asked(adaptive(ground, Straight(), 0.1, 64))
        assert probe.need is need
        assert (probe.tangent is not None) == (lift is not None)
        if probe.tangent is not None:
            assert torch.equal(probe.tangent, X[probe.owner])


def test_a_push_says_where_the_point_is_and_where_it_goes() -> None:
    """h = x³ along t x: lifted t³x³, pushed 3t²x³, slope Σ w 3t²x³."""

    def score(h: Tensor) -> Tensor:
        return (h * W).sum(1, keepdim=True)

    told = drive(fixed(frame(score, X, lift=cube), Straight(), GaussLegendre(), 3), score, X, lift=cube)
    (t, _) = GaussLegendre().table(3, ("0",), 0)
    at = torch.from_numpy(np.tile(t, (2, 1)))
    for step in told.steps:
        reading = step.reading
        assert reading.lifted is not None
        assert reading.slope is not None
        assert step.move is reading.pushed
        share = (reading.lifted / X[reading.owner] ** 3).pow(1 / 3)[:, :1]
        assert bool(torch.isin((share * 1e6).round(), (at * 1e6).round()).all())
        torch.testing.assert_close(step.move, 3 * share**2 * X[reading.owner] ** 3)
        torch.testing.assert_close(reading.slope, (W * step.move).sum(1))


def test_values_alone_are_read_without_a_gradient() -> None:
    """The rule that looks at the score first asks for values at the edges of its cells, and is told no gradients."""
    seen: list[bool] = []

    def score(points: Tensor) -> Tensor:
        seen.append(points.requires_grad)
        return points.square().sum(1, keepdim=True)

    ground = frame(score, X)
    seen.clear()
    told = drive(fixed(ground, Straight(), ByOutputChange(8), 4), score, X)
    assert [probe.need for probe in told.probes] == [Need.VALUE, Need.GRADIENT]
    assert seen == [False, True]
    torch.testing.assert_close(told.values.sum(1), (X**2).sum(1), rtol=0.1, atol=0)


def test_another_target_cannot_be_asked_of_a_formula() -> None:
    def flow() -> Flow:
        yield Probe(X, torch.arange(2), of=Of.MARGIN)
        raise AssertionError("answered")

    with pytest.raises(ValueError, match="one target"):
        drive(flow(), lambda points: points.sum(1, keepdim=True), X)
