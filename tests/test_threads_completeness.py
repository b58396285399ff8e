"""Deltas that grow, maps that are incomplete, wrong, empty or not a number: as reported of other tools, gone here."""

import math
from itertools import pairwise

import pytest
import torch
from captum.attr import DeepLift, IntegratedGradients, LayerIntegratedGradients
from torch import nn
from torch.nn import functional

import gradline as gl

D = torch.float64


def mlp(features=6, classes=3, activation=nn.Tanh):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(features, 16), activation(), nn.Linear(16, classes)).double()


def reference(function, x, start, nodes=2000):
    """The map by a plain loop: midpoint sum of gradient ⊙ move."""
    start, total = start.expand_as(x), torch.zeros_like(x)
    for k in range(nodes):
        point = (start + (k + 0.5) / nodes * (x - start)).requires_grad_()
        total += torch.autograd.grad(function(point).sum(), point)[0] / nodes
    return total * (x - start)


def errors(values, exact):
    return (values - exact).norm(dim=1) / exact.norm(dim=1)


# ---------------------------------------------------------------------------------------------------- more steps


KINK = torch.tensor([1.0, 2.0], dtype=D)
KINKED_X = torch.tensor([[1.0, 1.0], [2.0, -0.3], [0.2, 0.5]], dtype=D)


def kinked(x):
    """relu(w·x − 0.7): from zero A_i = w_i x_i (1 − 0.7 / w·x)."""
    return functional.relu(x @ KINK - 0.7)


def test_more_steps_never_make_the_reported_gap_meaningless():
    """Elsewhere 15 steps can miss more than 8 do. Steps say nothing here; what is promised is the error, at any tol."""
    exact = KINK * KINKED_X * (1 - 0.7 / (KINKED_X @ KINK))[:, None]
    deltas = [
        float(IntegratedGradients(kinked).attribute(KINKED_X, n_steps=n, return_convergence_delta=True)[1][0].abs())
        for n in range(5, 16)
    ]
    assert any(more > 1.5 * fewer for fewer, more in pairwise(deltas))
    spent = torch.zeros(3, dtype=torch.int64)
    for tol in (0.2, 0.05, 0.01, 0.002):
        a = gl.explain(kinked, KINKED_X, tol=tol)
        assert a.status == (gl.Status.CONVERGED,) * 3
        assert (errors(a.values, exact) <= tol).all()
        assert (a.completeness_gap.abs() <= tol * exact.norm(dim=1) * math.sqrt(2)).all()
        assert (a.evaluations >= spent).all()
        spent = a.evaluations


def test_rounding_does_not_pile_up_with_thousands_of_steps():
    model, x = mlp().float(), torch.randn(2, 6)
    for steps in (64, 512, 4096):
        a = gl.explain(model, x, 1, steps=steps)
        assert (a.completeness_gap.abs() <= 3 / steps**2 + 2e-6).all()


@pytest.mark.parametrize("rule", [r for r in gl.rules.RULES if not r.random], ids=lambda r: r.__name__)
def test_the_gap_is_that_of_the_values_handed_out(rule):
    model, x, start = mlp(), torch.randn(3, 6, dtype=D), torch.randn(1, 6, dtype=D)
    a = gl.explain(model, x, 2, baseline=start, steps=5, rule=rule)
    with torch.no_grad():
        due = (model(x) - model(start))[:, 2]
    torch.testing.assert_close(a.completeness_gap, a.values.sum(1) - due, atol=1e-12, rtol=0)
    torch.testing.assert_close(a.score - a.baseline_score, due, atol=1e-12, rtol=0)


# ---------------------------------------------------------------------------------------------------- layers


class Reader(nn.Module):
    """Averages words where the ids are not padding: the mask is made inside, from the ids."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.embed, self.top = nn.Embedding(20, 4), nn.Linear(4, 2)
        self.double()

    def read(self, embedded, mask):
        return self.top(torch.tanh((torch.tanh(embedded) * mask).sum(1) / mask.sum(1)))

    def forward(self, ids):
        return self.read(self.embed(ids), (ids != 0).unsqueeze(-1))


WORDS = torch.tensor([[5, 3, 7, 9], [2, 4, 6, 8]])
PADDED = torch.tensor([[1, 0, 0, 0]])


def test_gap_at_a_layer_is_measured_between_the_paths_own_ends():
    """Along the path the mask is that of x. F(x') with the mask of x' is the end of another path."""
    model = Reader()
    theirs = [
        LayerIntegratedGradients(model, model.embed)
        .attribute(WORDS, PADDED.expand(2, 4), target=1, n_steps=n, return_convergence_delta=True)[1]
        .abs()
        for n in (50, 200)
    ]
    torch.testing.assert_close(*theirs, atol=1e-6, rtol=0)  # no number of steps closes that gap
    assert (theirs[1] > 0.01).all()
    a = gl.explain(model, WORDS, 1, site=gl.Layer("embed"), baseline=PADDED, tol=0.001)
    assert (a.completeness_gap.abs() < 0.001 * (a.score - a.baseline_score).abs()).all()
    with torch.no_grad():
        start = model.read(model.embed(PADDED).expand(2, 4, 4), torch.ones(2, 4, 1))[:, 1]
    torch.testing.assert_close(a.baseline_score, start, atol=1e-12, rtol=0)


def test_swapping_input_and_baseline_converges_too():
    model = Reader()
    a = gl.explain(model, PADDED, 1, site=gl.Layer("embed"), baseline=WORDS[:1], tol=0.001)
    assert a.status == (gl.Status.CONVERGED,)
    assert a.completeness_gap.abs() < 0.001 * (a.score - a.baseline_score).abs()
    assert not a.values[:, 1:].any()  # the mask of x is in force, and hides them
    net, x, start = mlp(), torch.randn(3, 6, dtype=D), torch.randn(3, 6, dtype=D)
    there, back = (gl.explain(net, p, 0, baseline=q, steps=9) for p, q in ((x, start), (start, x)))
    torch.testing.assert_close(there.values, -back.values, atol=1e-12, rtol=0)


class Branches(nn.Module):
    """Layers that are not called, not on the way to the target, dead, and alive."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.uncalled, self.aside, self.dead, self.alive = (nn.Linear(3, 3) for _ in range(4))

    def forward(self, x):
        return {"main": self.alive(x) + self.dead(functional.relu(-1 - x**2)), "aux": self.aside(x)}


def test_an_unused_layer_is_told_from_a_zero_difference():
    model, x, target = Branches().eval(), torch.randn(2, 3), gl.Entry("main", 1)
    with pytest.raises(gl.SiteError, match="'uncalled' is never called"):
        gl.explain(model, x, target, site=gl.Layer("uncalled"))
    with pytest.raises(gl.SiteError, match="layer 'aside' to the target: it is unused there"):
        gl.explain(model, x, target, site=gl.Layer("aside"))
    a = gl.explain(model, x, target, site=gl.Layer("dead"))
    assert a.status == (gl.Status.FLAT,) * 2
    assert [f.code for f in a.findings] == ["GL203"]
    torch.testing.assert_close(a.score, a.baseline_score)
    assert not a.values.any()
    assert gl.explain(model, x, target, site=gl.Layer("alive")).values.any()


# ---------------------------------------------------------------------------------------------------- other methods


class Hidden(nn.Module):
    """What rules of propagation stumble over: a ReLU made on the fly; one used twice, with pooling; a softmax."""

    def __init__(self, trouble):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second, self.top = nn.Linear(8, 12), nn.Linear(12, 12), nn.Linear(6, 3)
        self.relu, self.pool, self.trouble = nn.ReLU(), nn.MaxPool1d(2), trouble
        self.double()

    def forward(self, x):
        if self.trouble == "made":
            return self.top(nn.ReLU()(self.first(x))[:, :6])
        x = self.second(self.relu(self.first(x)))
        x = torch.softmax(x, -1) * x if self.trouble == "softmax" else self.relu(x)
        return self.top(self.pool(x.unsqueeze(1)).squeeze(1))


def deeplift(model, x, start):
    """What DeepLift misses of what its values owe, relative; infinity where it refuses the model."""
    try:
        delta = DeepLift(model).attribute(x, start.expand_as(x), target=1, return_convergence_delta=True)[1]
    except RuntimeError:
        return math.inf
    with torch.no_grad():
        return float((delta / (model(x) - model(start))[:, 1]).abs().max())


@pytest.mark.filterwarnings("ignore")  # of Captum's hooks
@pytest.mark.parametrize(("trouble", "missed"), [("made", 0.5), ("reused", math.inf), ("softmax", 0.1)])
def test_deeplift_troubles_do_not_arise_with_reused_relu_and_pooling(trouble, missed):
    model, start = Hidden(trouble).eval(), torch.zeros(1, 8, dtype=D)
    x = torch.randn(3, 8, dtype=D)
    assert deeplift(model, x, start) >= missed
    a = gl.explain(model, x, 1, tol=0.01)
    assert a.status == (gl.Status.CONVERGED,) * 3
    assert (errors(a.values, reference(lambda p: model(p)[:, 1], x, start)) <= 0.01).all()


def test_a_method_that_owes_no_sum_claims_none_and_integrated_gradients_is_the_referee():
    model, x = mlp(), torch.randn(2, 6, dtype=D)
    quick = gl.explain(model, x, 1, method=gl.methods.gradient_x_input())
    assert quick.completeness_gap is None
    assert quick.error_estimate is None
    assert quick.status == (gl.Status.NO_CLAIM,) * 2
    referee = gl.explain(model, x, 1, tol=0.001)
    assert (referee.completeness_gap.abs() < 0.01).all()
    assert (errors(quick.values, referee.values) > 0.05).all()  # close in name only


# ---------------------------------------------------------------------------------------------------- verdicts


def test_the_expected_score_over_the_background_is_there_and_values_add_up_to_it():
    model, x, data = mlp(), torch.randn(3, 6, dtype=D), torch.randn(10, 6, dtype=D)
    a = gl.explain(model, x, 2, baseline=gl.baselines.FromData(data), tol=0.001)
    with torch.no_grad():
        score, background = model(x)[:, 2], model(data)[:, 2].mean()
    torch.testing.assert_close(a.baseline_score, background.expand(3), atol=1e-12, rtol=0)
    torch.testing.assert_close(a.values.sum(1), score - background, atol=2e-3, rtol=0)


def test_an_incomplete_map_is_a_graded_finding_and_never_an_exception():
    """Two examples in a batch need more than two steps: they are named, the third is not, and all maps are there."""
    steep = gl.explain(lambda x: torch.sigmoid(x.sum(1) * 9), torch.tensor([[1.0], [0.01], [3.0]], dtype=D), steps=2)
    (found,) = steep.findings
    assert (found.code, found.examples) == ("GL205", (0, 2))
    assert steep.status == (gl.Status.FIXED,) * 3
    short = gl.explain(kinked, KINKED_X, tol=1e-5, max_evaluations=16)
    assert gl.Status.BUDGET_EXHAUSTED in short.status
    assert "GL201" in [f.code for f in short.findings]
    assert (short.error_estimate[[s is gl.Status.BUDGET_EXHAUSTED for s in short.status]] > 1e-5).all()


def test_vanishing_attributions_come_with_the_scores_that_explain_them():
    """Values of 1e-30 are no fault of the sum: both ends of the path are that small, and the card says so."""
    a = gl.explain(lambda x: torch.stack([x.sum(1) - 70, 0 * x.sum(1)], 1), torch.ones(1, 3), gl.Probability(0))
    assert 0 < float(a.values.abs().max()) < 1e-25
    assert 0 < float(a.score) < 1e-25
    assert "GL107" in [f.code for f in a.findings]
    assert any("logit" in f.remedy for f in a.findings)
    assert (a.error_estimate < 0.05).all()
    assert "GL107" in repr(a)
    assert f"{float(a.score):.4g}" in repr(a)
    assert f"{float(a.baseline_score):.4g}" in repr(a)


def test_nonfinite_names_the_first_layer():
    class Log(nn.Module):
        def forward(self, x):
            return torch.log(x)

    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Tanh(), Log(), nn.Linear(2, 1, bias=False)).eval()
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
    x, start = torch.tensor([[1.0, 2.0], [1.0, 1.0]]), torch.tensor([[0.5, 0.5], [-2.0, 0.5]])
    (found,) = gl.doctor(model, x, baseline=start).findings
    assert found.code == "GL109"
    assert "at halfway is nan" in found.detail
    assert "'2'" in found.detail
    a = gl.explain(model, x, baseline=start)
    assert a.status == (gl.Status.CONVERGED, gl.Status.NONFINITE)
    assert torch.isfinite(a.values[0]).all()
    assert [(f.code, f.examples) for f in a.findings] == [("GL202", (1,))]
    assert "gl.doctor" in a.findings[0].remedy


# ---------------------------------------------------------------------------------------------------- linear models


@pytest.mark.parametrize("rule", gl.rules.RULES, ids=lambda r: r.__name__)
@pytest.mark.parametrize("memory", [None, 2000])
def test_a_linear_map_is_weight_times_difference_however_batches_are_split(rule, memory):
    """Not weight alone, not from zero where another start was given, not halved where steps are doubled."""
    torch.manual_seed(4)
    weight, x = torch.randn(6, dtype=D), torch.randn(4, 6, dtype=D)
    start = torch.randn(4, 6, dtype=D)
    for steps in (5, 11):
        a = gl.explain(lambda p: p @ weight, x, baseline=start, steps=steps, rule=rule, memory=memory)
        torch.testing.assert_close(a.values, weight * (x - start), atol=1e-12, rtol=0)
