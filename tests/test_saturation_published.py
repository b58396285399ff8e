"""`as_published`: the authors' algorithm, written out in plain loops in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import gradline as gl

SPLIT, LEFT = gl.methods.split_integrated_gradients, gl.methods.left_integrated_gradients


def network(kind: type[nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 4, 3, padding=1), kind(), nn.Conv2d(4, 6, 3, stride=2), kind(), nn.Flatten(), nn.LazyLinear(4)
    net = nn.Sequential(*layers).double()
    net(torch.zeros(1, 3, 6, 6).double())
    return net.eval().requires_grad_(False)


def written_out(net: nn.Module, x: Tensor, k: int, phi: float, n: int = 200) -> tuple[Tensor, Tensor, int]:
    """Split IG of one image `(3, H, W)` and class k: left, right, and how many of the n steps are left.

    Right-hand Riemann sums from zero. The first step whose output is above F(0) + φ (F(1) − F(0)) begins the right
    side; without one all are left (the authors' slices then make both sides the whole).
    """
    at_zero, at_x = (float(net(p[None])[0, k]) for p in (torch.zeros_like(x), x))
    threshold = at_zero + phi * (at_x - at_zero)
    left, right = torch.zeros_like(x), torch.zeros_like(x)
    before = None
    for step in range(1, n + 1):
        point = (step / n * x).requires_grad_()
        output = net(point[None])[0, k]
        (grad,) = torch.autograd.grad(output, point)
        if before is None and float(output.detach()) > threshold:
            before = step - 1
        side = left if before is None else right
        side += x * grad / n
    return left, right, n if before is None else before


@pytest.mark.parametrize("phi", [0.5, 0.95])
@pytest.mark.parametrize("kind", [nn.Tanh, nn.ReLU])
def test_the_published_form_is_the_authors_algorithm(kind: type[nn.Module], phi: float) -> None:
    """On an image and class whose output rises the most, and on one where it falls the most."""
    net = network(kind, 3)
    images = 2 * torch.randn(12, 3, 6, 6, dtype=torch.float64)
    rise = net(images) - net(0 * images)
    chosen = torch.stack([rise.amax(1).argmax(), rise.amin(1).argmin()])
    x, target = images[chosen], torch.stack([rise[chosen[0]].argmax(), rise[chosen[1]].argmin()])
    a = gl.explain(net, x, target, method=SPLIT(phi, as_published=True))
    one_side = gl.explain(net, x, target, method=LEFT(phi, as_published=True))
    found = []
    for i in range(2):
        left, right, steps = written_out(net, x[i], int(target[i]), phi)
        found.append(steps)
        assert a.details["saturation_point"][i] == pytest.approx(steps / 200, abs=1e-12)
        for mine, due in ((a.parts["left"], left), (a.parts["right"], right), (a.values, left + right)):
            torch.testing.assert_close(mine[i], due, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(one_side.values[i], left, atol=1e-6, rtol=1e-6)
    assert 0 < found[0] < 200
    assert found[1] == 0
    assert a.status == (gl.Status.NO_CLAIM,) * 2
    assert a.error_estimate is None
    assert a.evaluations.tolist() == [200] * 2


def test_the_crossing_step_goes_to_the_right() -> None:
    """F = t: above 0.5 first at step 101 of 200 (step 100 is not above), so that t* = 100/200 and left is exactly ½."""
    a = gl.explain(lambda x: x, torch.ones(1, 1).double(), method=SPLIT(0.5, as_published=True))
    assert a.details["saturation_point"] == [0.5]
    assert float(a.parts["left"]) == pytest.approx(0.5)
    early = gl.explain(lambda x: x, torch.ones(1, 1).double(), method=SPLIT(0.5021, as_published=True))
    assert early.details["saturation_point"] == [0.5]  # 0.505 is the first above; by bisection it is 0.5021
    assert gl.explain(lambda x: x, torch.ones(1, 1).double(), method=SPLIT(0.5021)).details[
        "saturation_point"
    ] == pytest.approx([0.5021])


def test_without_a_crossing_all_is_left() -> None:
    """φ = 1: the comparison is strict, nothing is above F(x)."""
    a = gl.explain(lambda x: x**2, torch.ones(1, 1).double(), method=SPLIT(1.0, as_published=True))
    assert a.details["saturation_point"] == [1.0]
    assert torch.equal(a.parts["left"], a.values)
    assert not a.parts["right"].any()


def test_the_baseline_itself_is_not_looked_at() -> None:
    """F falls within the first step of 200 below the threshold −½ of F(x) = −1, and comes back up to −0.3 at t ≈ ½."""

    def dip(x: Tensor) -> Tensor:
        return -torch.tanh(2000 * x) + 0.7 * torch.exp(-(((x - 0.5) / 0.05) ** 2))

    a = gl.explain(dip, torch.ones(1, 1).double(), method=SPLIT(0.5, as_published=True))
    left, right, steps = 0.0, 0.0, None
    for k in range(1, 201):
        point = torch.tensor([[k / 200]], dtype=torch.float64, requires_grad=True)
        value = dip(point)
        (grad,) = torch.autograd.grad(value, point)
        steps = k - 1 if steps is None and float(value.detach()) > -0.5 else steps
        left, right = (left + float(grad) / 200, right) if steps is None else (left, right + float(grad) / 200)
    assert steps is not None
    assert 80 < steps < 100
    assert a.details["saturation_point"] == [steps / 200]
    assert float(a.parts["left"]) == pytest.approx(left, abs=1e-6)
    assert float(a.parts["right"]) == pytest.approx(right, abs=1e-6)
