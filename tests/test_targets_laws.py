"""What every target keeps: rows stand alone, gradients are right, what was settled at x stays, nothing is changed."""

import copy

import pytest
import torch

from gradline.question import targets
from gradline.question.trees import tensors

N, R = 3, 7
OWNER = torch.tensor([2, 0, 0, 1, 2, 2, 0])
ORDER = torch.tensor([3, 6, 0, 5, 1, 4, 2])
EACH = torch.tensor([2, 0, 1])


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def table(z):
    return z.flatten(1)[:, :4] * 2


def maps(z):
    return z.reshape(len(z), 3, 2, 2)


def boxes(z):
    """Boxes that overlap the one asked for, three to a row, and their scores."""
    flat = z.flatten(1)
    corners = torch.tensor([0.0, 0.0, 4.0, 3.0], dtype=z.dtype) + 0.3 * torch.tanh(flat).reshape(-1, 3, 4)
    return corners, torch.sigmoid(flat[:, :6].reshape(-1, 3, 2))


def listed(z):
    """The same as a detector lists them, some with none."""
    corners, scores = boxes(z)
    counts = (z.flatten(1)[:, 0].abs() * 3).long().clamp(max=3)
    labels = torch.tensor([1, 0, 1])
    rows = zip(corners, scores[..., 1], counts.tolist(), strict=True)
    return [{"boxes": b[:m], "scores": s[:m], "labels": labels[:m]} for b, s, m in rows]


BOX = torch.tensor([[0.0, 0.0, 4.0, 3.0], [1.0, 0.0, 4.0, 2.0], [0.0, 1.0, 3.0, 3.0]])
MASK = (random(N, 2, 2, seed=5) * 0.2 + 0.5).clamp(0, 1)


def first(output):
    return output[:, 0].square()


def tokens(z):
    return z.reshape(len(z), 3, 4)


CASES = {
    "Logit": (targets.Logit(EACH), table),
    "Probability": (targets.Probability(EACH), table),
    "LogProbability": (targets.LogProbability(3), table),
    "LogProbability, one column": (targets.LogProbability(0), lambda z: table(z)[:, :1]),
    "LabelProbability": (targets.LabelProbability(EACH), table),
    "Margin": (targets.Margin(EACH), table),
    "Margin over one": (targets.Margin(0, EACH + 1), table),
    "Entropy": (targets.Entropy(), table),
    "Entropy of labels": (targets.Entropy(labels=True), table),
    "Entropy, one column": (targets.Entropy(), lambda z: table(z)[:, :1]),
    "Predicted": (targets.Predicted(), table),
    "Predicted probability": (targets.Predicted(targets.Probability), table),
    "Function": (targets.Function(first), table),
    "Loss": (targets.Loss(lambda y, r: (y - r).square().mean(1), random(N, 4, seed=9)), table),
    "Element": (targets.Element(1, 0, 1), maps),
    "Element each": (targets.Element(EACH, 1, EACH % 2), maps),
    "Neuron": (targets.Neuron("fc1", (EACH, 0, 0)), maps),
    "Neuron's function": (targets.Neuron("fc1", lambda h: h.flatten(1).square().sum(1)), maps),
    "Region": (targets.Region(1), maps),
    "Region each": (targets.Region(EACH, MASK), maps),
    "Region of one channel": (targets.Region(0), lambda z: maps(z)[:, :1] + 0.5),
    "Region without channels": (targets.Region(), lambda z: maps(z)[:, 0] + 0.5),
    "Box": (targets.Box(BOX, 1), boxes),
    "Box, one label each": (targets.Box(BOX, EACH % 2), boxes),
    "Box, listed": (targets.Box(BOX, 1), listed),
    "Box, decoded": (targets.Box(BOX, 0, decode=lambda y: boxes(y["z"])), lambda z: {"z": z}),
    "Contrast": (targets.Contrast(targets.Probability(1), EACH), table),
    "Entry": (targets.Entry("a", targets.Entry(1, targets.Margin(EACH))), lambda z: {"a": (z, table(z))}),
    "TokenSpan": (targets.TokenSpan(torch.stack([EACH, EACH], 1), torch.tensor([0, 2])), tokens),
    "TokenSpan against": (targets.TokenSpan(EACH.unsqueeze(1), torch.tensor([1]), against=torch.tensor([3])), tokens),
}


X = random(N, 12, seed=1)
POINTS = random(R, 12, seed=2)

every_target = pytest.mark.parametrize(("target", "output"), CASES.values(), ids=CASES)


def frozen_at_x(target, output):
    return target.freeze(output(X), N)


def test_every_public_target_is_here():
    def inside(target):
        yield type(target)
        yield from inside(target.target) if isinstance(target, targets.Entry) else ()

    public = {getattr(targets, name) for name in targets.__all__ if isinstance(getattr(targets, name), type)}
    abstract = {targets.Target, targets.ClassTarget}
    assert {kind for target, _ in CASES.values() for kind in inside(target)} == public - abstract


@every_target
def test_rows_stand_alone_in_any_order(target, output):
    frozen = frozen_at_x(target, output)
    scalars = frozen.pick(output(POINTS), OWNER)
    assert scalars.shape == (R,)
    assert scalars.isfinite().all()
    torch.testing.assert_close(frozen.pick(output(POINTS[ORDER]), OWNER[ORDER]), scalars[ORDER])
    for row in range(R):
        alone = frozen.pick(output(POINTS[row : row + 1]), OWNER[row : row + 1])
        torch.testing.assert_close(alone, scalars[row : row + 1])


@every_target
def test_an_example_may_occur_many_times(target, output):
    frozen = frozen_at_x(target, output)
    together = frozen.pick(output(X), torch.arange(N))
    for i in range(N):
        torch.testing.assert_close(frozen.pick(output(X[[i, i]]), torch.tensor([i, i])), together[[i, i]])


@every_target
def test_gradients_are_those_of_finite_differences(target, output):
    frozen = frozen_at_x(target, output)
    points = POINTS.clone().requires_grad_()
    (grad,) = torch.autograd.grad(frozen.pick(output(points), OWNER).sum(), points)
    assert grad.abs().sum() > 0
    step, measured = 1e-6, torch.zeros_like(grad)
    for i in range(points.shape[1]):
        move = torch.zeros(points.shape[1], dtype=torch.float64)
        move[i] = step
        ahead, behind = (frozen.pick(output(POINTS + sign * move), OWNER) for sign in (1, -1))
        measured[:, i] = (ahead - behind) / (2 * step)
    torch.testing.assert_close(grad, measured, rtol=1e-6, atol=1e-8)


@every_target
def test_what_is_settled_at_x_stays(target, output):
    frozen = frozen_at_x(target, output)
    words = [frozen.describe(i) for i in range(N)]
    before = frozen.pick(output(POINTS), OWNER)
    frozen.pick(output(-POINTS), OWNER)
    frozen.pick(output(10 * POINTS), OWNER)
    assert torch.equal(frozen.pick(output(POINTS), OWNER), before)
    assert [frozen.describe(i) for i in range(N)] == words
    assert all(word.isprintable() and word for word in words)


@every_target
def test_output_owner_and_target_are_left_alone(target, output):
    given, kept = output(POINTS), copy.deepcopy(output(POINTS))
    owner, said = OWNER.clone(), repr(target)
    frozen_at_x(target, output).pick(given, owner)
    assert torch.equal(owner, OWNER)
    assert repr(target) == said
    for (_, now), (_, then) in zip(tensors(given), tensors(kept), strict=True):
        assert torch.equal(now, then)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@every_target
def test_every_precision(target, output, dtype):
    def low(z):
        return output(z.to(dtype))

    if isinstance(target, targets.Loss):
        target = targets.Loss(target.function, target.reference.to(dtype))
    exact = frozen_at_x(target, output).pick(output(POINTS), OWNER)
    scalars = target.freeze(low(X), N).pick(low(POINTS), OWNER)
    assert scalars.is_floating_point()
    close = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(scalars.double(), exact, rtol=close, atol=close)


@every_target
def test_bounded_targets_stay_between_minus_one_and_one(target, output):
    if target.bounded:
        assert frozen_at_x(target, output).pick(output(50 * POINTS), OWNER).abs().max() <= 1
    assert frozen_at_x(target, output).bounded == target.bounded
