"""Geometric ensemble gradients: the authors' algorithm written plainly beside ours, its cap, what it leaves alone."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core import random
from gradline.errors import InputError, TargetError
from gradline.search.geometric_draws import Combined, geometric_ensemble


def network(outputs: int = 4) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layers = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(48, outputs)]
        return nn.Sequential(*layers).double().eval()


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 2, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


NET, X = network(), images()
FEW: Any = {"accepted": 7, "attempts": 60, "scale": 0.05}


def published(
    model: nn.Module, image: Tensor, *, accepted: int, attempts: int, scale: float, seed: int = 0
) -> list[Tensor]:
    """The gradients of the draws that count for one image, as the authors find them: noise on every floating-point
    tensor of the state but running statistics, from the clean state each time."""
    clean, changed, kept = copy.deepcopy(model.state_dict()), copy.deepcopy(model), []
    with torch.no_grad():
        before = model(image[None]).softmax(1)[0]
    label = int(before.argmax())
    for attempt in range(attempts):
        state = copy.deepcopy(clean)
        for name, value in state.items():
            if "running" not in name and value.is_floating_point():
                source = random.generator(seed, name, "geometric ensemble", attempt)
                value += scale * torch.randn(value.shape, generator=source).double()
        changed.load_state_dict(state)
        leaf = image[None].clone().requires_grad_()
        out = changed(leaf)
        chance = out.softmax(1)[0]
        if len(kept) < accepted and chance[label] >= before[label] and int(chance.argmax()) == label:
            (slope,) = torch.autograd.grad(out[0, label], leaf)
            kept.append(slope[0])
    return kept


# ---------------------------------------------------------------------------------------------- as the authors have it


def test_as_the_authors_compute_it() -> None:
    a = geometric_ensemble(gl.Score(NET), X, **FEW)
    assert a.details["accepted"] == [7, 7, 7]
    for i, image in enumerate(X):
        grads = torch.stack(published(NET, image, **FEW))
        due = {"maximum": grads.amax(0), "mean": grads.mean(0), "trapezoid": ((grads[:-1] + grads[1:]) / 2).mean(0)}
        assert set(a.parts) == set(due)
        for way, values in due.items():
            assert float((a.parts[way][i] - values).abs().max()) < 1e-6
    assert torch.equal(a.values, a.parts["maximum"])
    for way in (Combined.MEAN, Combined.TRAPEZOID):
        assert torch.equal(geometric_ensemble(gl.Score(NET), X, combined=way, **FEW).values, a.parts[way])


def test_what_it_says_of_itself() -> None:
    a = geometric_ensemble(gl.Score(NET), X, **FEW)
    assert a.status == (gl.Status.NO_CLAIM,) * 3
    assert not a.findings
    assert a.evaluations.tolist() == a.details["accepted"]
    assert a.forward_evaluations.tolist() == a.details["attempts"]
    assert all(7 <= n <= 60 for n in a.details["attempts"])
    assert a.error_estimate is a.completeness_gap is a.baseline_score is None
    with torch.no_grad():
        torch.testing.assert_close(a.score, NET(X).amax(1))
    assert a.provenance["method"].startswith("geometric_ensemble(combined=maximum, accepted=7")
    assert a.provenance["model_digest"] == gl.explain(NET, X, method=gl.methods.gradient()).provenance["model_digest"]
    assert a.provenance["unit"] == "score per unit of the site"


def test_every_draw_that_counts_is_as_sure_of_another_class_explained() -> None:
    """The class explained need not be the one decided for: its probability must not fall, and the decision stays."""
    with torch.no_grad():
        before = NET(X[:1]).softmax(1)[0]
    label = int(before.argmin())
    a = geometric_ensemble(gl.Score(NET, label), X[:1], accepted=3, attempts=40, scale=0.05)
    kept = []
    for attempt in range(a.details["attempts"][0]):
        changed = copy.deepcopy(NET)
        for name, value in changed.state_dict().items():
            if "running" not in name and value.is_floating_point():
                source = random.generator(0, name, "geometric ensemble", attempt)
                value += 0.05 * torch.randn(value.shape, generator=source).double()
        leaf = X[:1].clone().requires_grad_()
        out = changed(leaf)
        chance = out.softmax(1)[0]
        if chance[label] >= before[label] and int(chance.argmax()) == int(before.argmax()):
            kept.append(torch.autograd.grad(out[0, label], leaf)[0])
    assert len(kept) == 3
    torch.testing.assert_close(a.values, torch.stack(kept).amax(0))


def test_without_noise_to_speak_of_it_is_the_gradient() -> None:
    a = geometric_ensemble(gl.Score(NET), X, accepted=2, attempts=40, scale=1e-9)
    torch.testing.assert_close(a.values, gl.explain(NET, X, method=gl.methods.gradient()).values)


def test_noise_of_the_size_asked_for_on_weights_buffers_and_no_running_statistic() -> None:
    """A linear score: the gradient of a draw is W plus the noise."""

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 3000))
            self.register_buffer("shift", torch.zeros(2))
            self.register_buffer("running_gain", torch.ones(2))
            self.register_buffer("steps", torch.tensor(3))

        def forward(self, x: Tensor) -> Tensor:
            assert int(self.steps) == 3
            assert torch.equal(self.running_gain, torch.ones(2))
            return (x @ self.weight.T + self.shift) * self.running_gain

    a = geometric_ensemble(gl.Score(Linear(), 0), torch.zeros(1, 3000), accepted=1, attempts=30, scale=0.02)
    off = (a.values - 1).flatten().double()
    assert float(off.std()) == pytest.approx(0.02, rel=4 / math.sqrt(2 * 3000))
    assert abs(float(off.mean())) < 4 * 0.02 / math.sqrt(3000)
    assert a.details["attempts"][0] >= 1  # the noise of `shift` alone decides whether a draw counts


def test_a_maximum_over_draws_is_above_the_gradient_by_what_chance_says() -> None:
    """Of a linear score with weights of noise 0.1, the largest of two gradients is 0.1/√π too high on average; the
    class wins by so much that every draw counts."""

    class Sure(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4000))

        def forward(self, x: Tensor) -> Tensor:
            score = x @ self.weight
            return torch.stack([score + 1e4, score], 1)

    a = geometric_ensemble(gl.Score(Sure()), torch.zeros(1, 4000), accepted=2, attempts=2, scale=0.1)
    assert a.details == {"accepted": [2], "attempts": [2]}
    bias = 0.1 / math.sqrt(math.pi)
    assert float(a.values.mean()) == pytest.approx(bias, abs=4 * 0.1 / math.sqrt(4000))
    assert abs(float(a.parts["mean"].mean())) < 4 * 0.1 / math.sqrt(8000)


def test_tied_weights_get_one_noise() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(3, 3, bias=False)
            self.other = nn.Linear(3, 3, bias=False)
            self.other.weight = self.one.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.one(x) + self.other(x)

    net = Tied()
    a = geometric_ensemble(gl.Score(net, 1), torch.zeros(1, 3), accepted=1, attempts=1, scale=0.1)
    source = random.generator(0, "one.weight", "geometric ensemble", 0)
    due = 2 * (net.one.weight.detach() + 0.1 * torch.randn(3, 3, generator=source))[1]
    torch.testing.assert_close(a.values[0], due)


# ------------------------------------------------------------------------------------------------ the cap


class Peak(nn.Module):
    """The first example has its best weight already, so that no other is as sure; for the second any will do."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        first = 5 + x[:, 0] - x[:, 1] * self.weight**2
        return torch.stack([first, 0 * first], 1)


def test_an_example_that_meets_too_few_models_says_so() -> None:
    x = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    a = geometric_ensemble(gl.Score(Peak().eval()), x, accepted=4, attempts=9, scale=0.1)
    assert a.details == {"accepted": [0, 4], "attempts": [9, 4]}
    assert a.status == (gl.Status.BUDGET_EXHAUSTED, gl.Status.NO_CLAIM)
    (said,) = a.findings
    assert said.examples == (0,)
    assert "fewer than 4 models counted in 9 attempts" in said.detail
    assert a.values[0].isnan().all()
    assert a.values[1].isfinite().all()
    assert all(part[0].isnan().all() and part[1].isfinite().all() for part in a.parts.values())


def test_what_was_found_before_the_cap_counts() -> None:
    whole = geometric_ensemble(gl.Score(NET), X[:1], **FEW)
    tried = whole.details["attempts"][0]
    capped = geometric_ensemble(gl.Score(NET), X[:1], accepted=60, attempts=tried, scale=0.05)
    assert capped.details["accepted"] == [7]
    assert torch.equal(capped.values, whole.values)
    assert capped.status == (gl.Status.BUDGET_EXHAUSTED,)
    one = geometric_ensemble(gl.Score(NET), X[:1], accepted=1, attempts=60, scale=0.05)
    assert torch.equal(one.parts["trapezoid"], one.parts["maximum"])


def test_a_map_with_too_few_models_is_saved_and_read_back(tmp_path: Any) -> None:
    a = geometric_ensemble(gl.Score(Peak().eval()), torch.tensor([[1.0, 1.0]]), accepted=4, attempts=3, scale=0.1)
    b = gl.load(a.save(tmp_path / "a.safetensors"))
    assert b.details == a.details
    assert b.status == a.status


# ------------------------------------------------------------------------------------------------ rows, chance, traces


def test_examples_stand_alone_whatever_the_batch_and_the_memory() -> None:
    whole = geometric_ensemble(gl.Score(NET), X, **FEW)
    for i in range(3):
        alone = geometric_ensemble(gl.Score(NET), X[i : i + 1], **FEW)
        torch.testing.assert_close(alone.values[0], whole.values[i])
        assert alone.details["attempts"][0] == whole.details["attempts"][i]
    narrow = geometric_ensemble(gl.Score(NET), X, memory=10_000, **FEW)
    torch.testing.assert_close(narrow.values, whole.values)
    back = geometric_ensemble(gl.Score(NET), X.flip(0), **FEW)
    torch.testing.assert_close(back.values.flip(0), whole.values)


def test_draws_are_keyed_by_the_seed() -> None:
    torch.manual_seed(5)
    chance = torch.random.get_rng_state()
    one, same, other = (geometric_ensemble(gl.Score(NET), X, seed=seed, **FEW).values for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)
    assert torch.equal(chance, torch.random.get_rng_state())


def test_the_model_is_left_alone() -> None:
    net, x = network().train(), images()
    net[0].weight.grad = torch.ones_like(net[0].weight)
    state, before = copy.deepcopy(net.state_dict()), x.clone()
    a = geometric_ensemble(gl.Score(net), x, **FEW)
    assert all(torch.equal(state[k], v) for k, v in net.state_dict().items())
    assert net.training
    assert all(module.training for module in net.modules())
    assert torch.equal(net[0].weight.grad, torch.ones_like(net[0].weight))
    assert all(p.requires_grad for p in net.parameters())
    assert not net[0]._forward_hooks
    assert torch.equal(before, x)
    assert "GL101" in [f.code for f in a.findings]
    torch.testing.assert_close(a.values, geometric_ensemble(gl.Score(NET), x, **FEW).values)  # in evaluation mode


def test_also_a_model_of_one_column_labels_and_several_inputs() -> None:
    """One column decides by its sign: a draw under which it turns does not count."""
    one = network(1)
    with torch.no_grad():
        sign = one(X)[:, 0] > 0
    a = geometric_ensemble(gl.Score(one), X, **FEW)
    assert a.details["accepted"] == [7, 7, 7]
    assert len(set(sign.tolist())) == 2  # of both decisions
    b = geometric_ensemble(gl.Score(NET, gl.LabelProbability(1)), X, **FEW)
    assert b.details["accepted"] == [7, 7, 7]

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            return self.net(torch.cat([first, second], 1))

    pair = geometric_ensemble(gl.Score(Two()), (X[:, :1], X[:, 1:]), **FEW)
    assert [v.shape for v in pair.values] == [X[:, :1].shape] * 2


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("field", "value"),
    [("accepted", 0), ("accepted", 2.0), ("accepted", True), ("attempts", 0), ("attempts", "9"), ("scale", 0.0),
     ("scale", math.nan), ("scale", -1.0), ("scale", math.inf), ("seed", 1.5), ("combined", "maximum")],
)  # fmt: skip
def test_wrong_arguments_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=field):
        geometric_ensemble(gl.Score(NET), X, **{field: value})


def test_models_without_weights_to_change_are_refused() -> None:
    with pytest.raises(InputError, match=r"torch\.nn\.Module"):
        geometric_ensemble(gl.Score(lambda x: x.flatten(1)), X)
    with pytest.raises(InputError, match="floating-point weights"):
        geometric_ensemble(gl.Score(nn.Flatten()), X)


def test_only_classes_at_the_input_are_explained() -> None:
    with pytest.raises(TargetError, match="a class"):
        geometric_ensemble(gl.Score(NET, lambda output: output.sum(1)), X)
    with pytest.raises(InputError, match="at the input"):
        geometric_ensemble(gl.Score(NET, 1, site=gl.Layer("2")), X)
    with pytest.raises(InputError, match="one target"):
        geometric_ensemble(gl.Score(NET, [0, 1]), X)
    with pytest.raises(InputError, match="a Score"):
        geometric_ensemble(NET, X)  # type: ignore[arg-type]
