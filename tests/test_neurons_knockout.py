"""Rankings and knock-out: closed forms, what share 0 and share 1 are, fills, targets, sites, nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.neurons.pruning import Fill, Knockout, default_rankings, knockout
from gradline.neurons.ranks import channel_sums, random_ranking, ranking

FIELDS = ("inside", "outside", "whole", "score", "baseline_score")


def close(found: Tensor, due: Any, within: float = 1e-12) -> None:
    torch.testing.assert_close(found, torch.as_tensor(due, dtype=found.dtype).expand_as(found), rtol=0, atol=within)


# ---------------------------------------------------------------------------------------------------------- rankings


def test_rankings_descend_and_ties_keep_their_order() -> None:
    a = torch.tensor([[[0.0, 3.0], [-5.0, 3.0]], [[1.0, 1.0], [1.0, 2.0]]])
    assert ranking(a).tolist() == [[1, 3, 0, 2], [3, 0, 1, 2]]
    assert ranking(a, absolute=True).tolist() == [[2, 1, 3, 0], [3, 0, 1, 2]]


def test_channels_are_summed_over_their_positions() -> None:
    a = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert channel_sums(a).tolist() == [[66, 210]]
    assert channel_sums(a.flatten(2), axis=-1).tolist() == [[12 + 2 * k for k in range(12)]]
    assert channel_sums(torch.ones(2, 3)).tolist() == [[1, 1, 1]] * 2


def test_chance_depends_on_the_name_alone() -> None:
    both, one = random_ranking((2, 3), ["a", "b"], 4), random_ranking((2, 3), ["b"], 4)
    assert both.shape == (2, 2, 3)
    assert torch.equal(both[1:], one)
    assert not torch.equal(both[0], both[1])
    assert not torch.equal(random_ranking((2, 3), ["b"], 5), one)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ranking(torch.ones(3)), r"\(N, …\)"),
        (lambda: ranking([1.0]), "a map of a layer"),  # type: ignore[arg-type]
        (lambda: ranking(torch.tensor([[1.0, torch.nan]])), "a finite map"),
        (lambda: channel_sums(torch.ones(1, 2, 3), axis=3), "axis of the channels"),
        (lambda: channel_sums(torch.ones(1, 2, 3), axis=0), "axis of the channels"),
        (lambda: random_ranking((2,), []), "a name for each example"),
    ],
)
def test_wrong_maps_are_refused(call: Callable[[], Tensor], said: str) -> None:
    with pytest.raises(gl.InputError, match=said):
        call()


# ------------------------------------------------------------------------------------------------------ closed forms


class Linear(nn.Module):
    """F = Σ_j v_j h_j with h = W x + b."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            self.h, self.v = nn.Linear(6, 4).double(), nn.Linear(4, 1, bias=False).double()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.v(self.h(x))
        return out


X = torch.tensor([[1.0, -2, 0.5, 1.5, 0.25, -1], [0.5, 1, -1, 2, 1, 3]], dtype=torch.float64)
HALF = torch.tensor([1.0, 1, 0, 0.5, 0, 0], dtype=torch.float64)


@pytest.mark.parametrize("fill", [Fill.ZERO, Fill.BASELINE, Fill.MEAN])
def test_where_all_is_linear_a_neuron_takes_its_own_share_away(fill: Fill) -> None:
    """IG_i = Σ_j v_j W_ji x_i, so without j the sum inside falls by A_j(S) = v_j Σ_{i∈S} W_ji x_i."""
    model = Linear()
    score = gl.Score(model)
    region = gl.neurons.region(score, X, "h", HALF, steps=2)
    v, w = model.v.weight.detach()[0], model.h.weight.detach()
    close(region.values, v * ((HALF * X) @ w.T))
    order = torch.tensor([[4.0, 1, 3, 2]])  # 0, 2, 3, 1
    k = knockout(score, X, "h", HALF, {"given": order}, shares=(0.25, 0.5, 0.99, 1), fill=fill, steps=2)
    assert k.shares == (0, 0.25, 0.5, 0.99, 1)
    assert (k.names, k.examples, k.fill) == (("given",), ("0", "1"), fill)
    assert k.inside.shape == (1, 5, 2)
    assert k.inside.dtype == k.score.dtype == torch.float64
    close(k.inside[0, 0], region.values.sum(1))
    for at, gone in enumerate([[], [0], [0, 2], [0, 2, 3], [0, 1, 2, 3]]):
        close(k.loss_inside()[0, at], region.values[:, gone].sum(1))
        close(k.loss_outside()[0, at], (v * ((1 - HALF) * X @ w.T))[:, gone].sum(1))
        with torch.no_grad():
            h, h0 = model.h(X), model.h(0 * X)
            stand_in = {Fill.ZERO: 0 * h, Fill.BASELINE: h0, Fill.MEAN: h.mean(0).expand_as(h)}[fill]
            close(k.loss_score()[0, at], (v * (h - stand_in))[:, gone].sum(1))
            close(k.baseline_score[0, at], (v * h0).sum(1) + (v * (stand_in - h0))[:, gone].sum(1))
    close(k.whole, k.inside + k.outside)
    close(k.whole[:, -1], 0)


def transcription(model: Linear, x: Tensor, kept: Tensor, fill: Tensor, steps: int) -> Tensor:
    """Right-hand steps of the tanh of a pruned network, by hand: `(N, 6)`."""
    found = torch.zeros_like(x)
    for step in range(1, steps + 1):
        p = (x * step / steps).requires_grad_()
        h = model.h(p) * kept + fill * (1 - kept)
        found += torch.autograd.grad(model.v(h).tanh().sum(), p)[0] * x / steps
    return found


class Bent(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).tanh()


def test_every_example_has_masks_rankings_and_a_region_of_its_own() -> None:
    model, masks = Bent(), torch.stack([HALF, 1 - HALF])
    maps = {"one": torch.tensor([[4.0, 3, 2, 1], [1, 2, 3, 4]]), "other": torch.tensor([[0.0, 1, 0, 0]])}
    gone = {"one": torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]]), "other": torch.tensor([[1.0, 1, 0, 0]] * 2)}
    k = knockout(gl.Score(model), X, "h", masks, maps, shares=(0.5,), steps=5, rule=gl.rules.RightRiemann)
    plain = gl.attribute(gl.Score(model), X, steps=5, rule=gl.rules.RightRiemann)
    for p, name in enumerate(k.names):
        due = transcription(model, X, 1 - gone[name], torch.zeros(4), 5)
        close(k.inside[p, 1], (due * masks).sum(1))
        close(k.outside[p, 1], (due * (1 - masks)).sum(1))
        close(k.inside[p, 0], (plain.values * masks).sum(1))
        close(k.score[p, 0], plain.score)
        assert plain.baseline_score is not None
        close(k.baseline_score[p, 0], plain.baseline_score)
    for i in range(2):
        rows = {name: m[i : i + 1] if len(m) == 2 else m for name, m in maps.items()}
        alone = knockout(gl.Score(model), X[i : i + 1], "h", masks[i], rows, shares=(0.5,), steps=5,
                         rule=gl.rules.RightRiemann)  # fmt: skip
        for field in FIELDS:
            close(getattr(k, field)[..., i], getattr(alone, field)[..., 0])


# ---------------------------------------------------------------------------------------------------------- networks


def net() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        made = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 3, 3, stride=2), nn.GELU())
        made.extend([nn.Flatten(), nn.Linear(27, 3)])
    return made.double().eval()


PHOTOS = torch.randn(3, 2, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
BOX = torch.zeros(8, 8)
BOX[2:5, 1:6] = 1


def test_default_rankings_share_their_gradients_and_stand_beside_chance() -> None:
    score = gl.Score(net(), gl.Probability(1))
    found = default_rankings(score, PHOTOS, "1", BOX, steps=4, seed=2)
    assert list(found) == ["region", "conductance", "random"]
    region, whole = found["region"], found["conductance"]
    assert isinstance(region, gl.Attribution)
    assert isinstance(whole, gl.Attribution)
    close(region.values, gl.neurons.region(score, PHOTOS, "1", BOX, steps=4).values)
    close(whole.values, gl.attribute(score, PHOTOS, gl.methods.conductance(gl.Layer("1")), steps=4).values)
    assert torch.equal(found["random"], random_ranking((4, 8, 8), ["0", "1", "2"], 2))  # type: ignore[arg-type]
    given = knockout(score, PHOTOS, "1", BOX, found, shares=(0.1,), steps=4)
    for field in FIELDS:
        own = knockout(score, PHOTOS, "1", BOX, shares=(0.1,), steps=4, seed=2)
        close(getattr(own, field), getattr(given, field))


@pytest.mark.parametrize("baseline", [None, 0.3, "noise", "several"])
def test_without_all_neurons_nothing_is_left_and_the_baselines_activation_keeps_its_score(baseline: Any) -> None:
    several = gl.baselines.Each(gl.baselines.Constant(0.2), gl.baselines.Uniform(-1, 1, draws=2))
    start = {"noise": gl.baselines.Uniform(-1, 1), "several": several}.get(baseline, baseline)
    model = net()
    maps, options = {"given": torch.rand(1, 4, 8, 8)}, {"baseline": start, "steps": 3, "names": ["a", "b", "c"]}
    score = gl.Score(model, 2)
    plain = gl.attribute(score, PHOTOS, **options)  # type: ignore[arg-type]
    assert plain.baseline_score is not None
    zero = knockout(score, PHOTOS, "1", BOX, maps, shares=(0.2, 1.0), **options)  # type: ignore[arg-type]
    close(zero.inside[0, 0], (plain.values * BOX).flatten(1).sum(1))
    close(zero.inside[:, 2], 0)
    close(zero.outside[:, 2], 0)
    with torch.no_grad():
        close(zero.score[0, 2], model[2:](torch.zeros(1, 4, 8, 8).double())[:, 2])
    kept = knockout(score, PHOTOS, "1", BOX, maps, shares=(0.2, 1.0), fill=Fill.BASELINE, **options)  # type: ignore[arg-type]
    close(kept.whole[:, 2], 0)
    if baseline != "several":
        close(kept.baseline_score, plain.baseline_score)
        close(kept.score[0, 2], plain.baseline_score)
    assert (kept.inside[:, 1] - zero.inside[:, 1]).abs().min() > 1e-6


def test_the_class_is_that_of_the_whole_network() -> None:
    model = net()
    with torch.no_grad():
        classes = model(PHOTOS).argmax(1)
    maps = {"given": torch.rand(1, 3, 3, 3)}
    own = knockout(gl.Score(model, gl.Predicted(gl.Probability)), PHOTOS, "3", BOX, maps, shares=(0.9,), steps=2)
    told = knockout(gl.Score(model, gl.Probability(classes)), PHOTOS, "3", BOX, maps, shares=(0.9,), steps=2)
    for field in FIELDS:
        close(getattr(own, field), getattr(told, field))
    assert len(set(classes.tolist())) > 1


def test_the_model_is_as_it_was() -> None:
    model = net()
    model[1].train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.random.get_rng_state()
    k = knockout(gl.Score(model), PHOTOS, gl.Layer(model[1]), BOX, shares=(0.1,), steps=2, memory="1MiB")
    assert torch.equal(random, torch.random.get_rng_state())
    assert [m.training for m in model] == [False, True, False, False, False, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    rest = knockout(gl.Score(net()), PHOTOS, "1", BOX, shares=(0.1,), steps=2)
    for field in FIELDS:
        close(getattr(k, field), getattr(rest, field))


class Words(nn.Module):
    """Ids and a mask of words, one of whose layers sees all words."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            self.embed, self.mix = nn.Embedding(9, 6).double(), nn.Linear(6, 5).double()

    def forward(self, ids: Tensor, seen: Tensor) -> Tensor:
        return (self.mix(self.embed(ids)).tanh() * seen.double()[:, :, None]).sum((1, 2))[:, None]


@pytest.mark.parametrize("named", [False, True])
def test_sites_and_contexts_are_kept(named: bool) -> None:
    model, ids = Words(), torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    seen = torch.tensor([[1, 1, 0, 1], [1, 1, 1, 1]])
    span = torch.tensor([0.0, 1, 1, 0])
    site, context = gl.Layer("embed" if named else model.embed), {"seen": seen}
    score = gl.Score(model, site=site, context=context)
    ig = gl.attribute(score, ids, steps=3)
    k = knockout(score, ids, "mix", span, shares=(0.3, 1.0), steps=3)
    assert k.inside.shape == (3, 3, 2)
    close(k.inside[0, 0], ig.values[:, 1:3].flatten(1).sum(1))
    close(k.whole[:, 2], 0)
    assert (k.loss_inside()[0, 1] > k.loss_inside()[2, 1]).all()


@pytest.mark.parametrize("form", [tuple, dict])
def test_several_inputs(form: type) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.h = nn.Linear(7, 3).double()

        def forward(self, x: Tensor, y: Tensor, k: Tensor) -> Tensor:
            return (self.h(torch.cat([x, y], 1)).tanh() * k[:, None]).sum(1, keepdim=True)

    x, y, k = X[:, :3], X[:, 2:6], torch.tensor([2, 3])
    given: Any = (x, y, k) if form is tuple else {"x": x, "y": y, "k": k}
    mask: Any = (torch.tensor([1.0, 0, 0]), torch.zeros(4))
    mask = mask if form is tuple else dict(zip("xy", mask, strict=True))
    score = gl.Score(Two())
    start: Any = (0.5, None, None) if form is tuple else {"x": 0.5}
    ig = gl.attribute(score, given, steps=4, baseline=start)
    of_x = ig.values[0 if form is tuple else "x"]  # type: ignore[index]
    found = knockout(score, given, "h", mask, shares=(1 / 3,), steps=4, baseline=start)
    assert found.inside.shape == (3, 2, 2)
    close(found.inside[0, 0], of_x[:, 0])
    close(found.outside[0, 0], of_x[:, 1:].sum(1))
    assert (found.loss_inside()[0, 1] >= found.loss_inside()[2, 1] - 1e-12).all()


# ---------------------------------------------------------------------------------------------------------- refusals


def asked(**changed: Any) -> Knockout:
    given = {"score": gl.Score(net(), 0), "x": PHOTOS, "layer": "1", "mask": BOX, "rankings": None} | changed
    return knockout(**given, steps=1)


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"score": net()}, gl.InputError, "a Score"),
        ({"score": gl.Score(net(), [0, 1])}, gl.InputError, "one target"),
        ({"layer": "conv9"}, gl.SiteError, "the name of a layer"),
        ({"layer": 3}, gl.SiteError, "a layer, as in"),
        ({"mask": torch.zeros(8, 8)}, gl.InputError, "covers something"),
        ({"mask": torch.ones(7, 8)}, gl.InputError, "a mask that broadcasts"),
        ({"rankings": {}}, gl.InputError, "dict of maps by name"),
        ({"rankings": {"own": torch.ones(3, 4, 8, 7)}}, gl.InputError, r"ranking 'own' of shape \(3, 4, 8, 8\)"),
        ({"rankings": {"own": torch.ones(2, 4, 8, 8)}}, gl.InputError, r"\(1, 4, 8, 8\) for all"),
        ({"rankings": {"own": None}}, gl.InputError, "a map of a layer"),
        ({"shares": (0.3, 0.1)}, gl.InputError, "ascending"),
        ({"shares": (0.1, 1.5)}, gl.InputError, "in \\[0, 1\\]"),
        ({"shares": ()}, gl.InputError, "ascending"),
        ({"shares": 0.1}, gl.InputError, "a sequence"),
        ({"fill": "zero"}, gl.InputError, "gl.neurons.Fill"),
        ({"x": PHOTOS[:1], "fill": Fill.MEAN}, gl.InputError, "two examples or more"),
    ],
)
def test_what_cannot_be_done_is_refused(changed: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        asked(**changed)


def test_a_layer_that_is_called_twice_needs_its_call() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.h = nn.Linear(6, 6).double()

        def forward(self, x: Tensor) -> Tensor:
            return self.h(self.h(x).tanh())

    model = Twice()
    with pytest.raises(gl.SiteError, match="call"):
        knockout(gl.Score(model, 0), X, "h", HALF, {"own": torch.ones(1, 6)}, steps=1)
    k = knockout(gl.Score(model, 0), X, gl.Layer("h", call=0), HALF, {"own": torch.ones(1, 6)}, shares=(1.0,), steps=1)
    close(k.whole[0, 1], 0)
    assert k.whole[0, 0].abs().min() > 1e-6
