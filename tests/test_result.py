"""The attribution as a thing: its parts, its rows, its findings, its provenance."""

import json
import math

import numpy as np
import pytest
import torch
from test_card import ONES, broken, mixed, parabola
from torch import nn

import gradline as gl
from gradline.result.finding import KINDS
from gradline.result.finding import kind as find_kind

# ------------------------------------------------------------------------------------------------ rows


@pytest.mark.parametrize(
    ("index", "chosen"),
    [
        (0, [0]),
        (3, [3]),
        (-1, [5]),
        (-6, [0]),
        (slice(1, 4), [1, 2, 3]),
        (slice(None, None, -2), [5, 3, 1]),
        (slice(4, 99), [4, 5]),
        (np.int64(2), [2]),
    ],
)
def test_indexing_keeps_the_batch_axis(index, chosen):
    a = mixed()
    b = a[index]
    assert isinstance(b, gl.Attribution)
    assert len(b) == len(chosen)
    for name in ("values", "score", "baseline_score", "completeness_gap", "error_estimate"):
        whole, part = getattr(a, name), getattr(b, name)
        torch.testing.assert_close(part, whole[chosen], rtol=0, atol=0, equal_nan=True)
    assert torch.equal(b.evaluations, a.evaluations[chosen])
    assert torch.equal(b.forward_evaluations, a.forward_evaluations[chosen])
    assert b.status == tuple(a.status[i] for i in chosen)
    assert b.names == tuple(a.names[i] for i in chosen)
    assert b.curve == tuple(a.curve[i] for i in chosen)
    assert b.provenance == a.provenance


@pytest.mark.parametrize("index", [6, -7])
def test_there_are_no_more_rows_than_examples(index):
    with pytest.raises(IndexError):
        mixed()[index]


def test_an_attribution_can_be_gone_through():
    rows = list(mixed())
    assert [one.names[0] for one in rows] == ["zero", "one", "two", "three", "four", "five"]
    assert all(one.values.shape == (1, 3) for one in rows)


def test_findings_speak_in_the_words_of_the_catalogue():
    found = [*mixed().findings, *gl.explain(nn.Linear(3, 1).train(), ONES, steps=1).findings]
    assert {f.code for f in found} == {"GL101", "GL201", "GL202", "GL203"}
    for f in found:
        assert (f.title, f.remedy) == (KINDS[f.code].title, KINDS[f.code].remedy)
        assert str(f).count(f.remedy) == 1


@pytest.mark.parametrize("code", KINDS)
def test_every_kind_of_finding_has_cause_consequence_and_remedy(code):
    kind = KINDS[code]
    assert kind is find_kind(code.lower())
    assert (kind.code, code[:2], code[2] in "12", code[3:].isdigit()) == (code, "GL", True, True)
    for text in (kind.title, kind.cause, kind.consequence, kind.remedy):
        assert text
        assert text == text.strip(" .")
    assert str(kind.found("so much of it", (0, 2))).startswith(f"{code} {kind.title} (examples 0, 2): so much of it. ")
    assert kind.found().detail == kind.consequence


def test_a_kind_that_does_not_exist_is_refused():
    assert list(KINDS) == sorted(KINDS)
    with pytest.raises(gl.InputError, match=r"one of GL101, .*, got 'GL999'"):
        find_kind("GL999")


def test_findings_follow_their_examples():
    a = mixed()
    assert {f.code: f.examples for f in a.findings} == {"GL201": (3, 5), "GL202": (2,), "GL203": (1,)}
    assert [f.code for f in a[0].findings] == []
    assert {f.code: f.examples for f in a[1:4].findings} == {"GL201": (2,), "GL202": (1,), "GL203": (0,)}
    assert {f.code: set(f.examples) for f in a[::-1].findings} == {"GL201": {0, 2}, "GL202": {3}, "GL203": {4}}


def test_a_finding_about_all_stays_with_all():
    model = nn.Linear(3, 1).train()
    a = gl.explain(model, torch.ones(3, 3), steps=1)
    assert [f.code for f in a[1].findings] == ["GL101"]
    assert a[1].findings[0].examples == ()


def test_parts_are_indexed_with_their_rows():
    from dataclasses import replace

    a = replace(mixed(), parts={"left": torch.arange(12).reshape(6, 2)})
    assert a[2].parts["left"].tolist() == [[4, 5]]


def test_sums_and_moves():
    a = gl.explain(lambda x: x.square().sum((1, 2, 3)), torch.ones(2, 3, 4, 5), steps=2)
    assert a.sum(1).shape == (2, 4, 5)
    torch.testing.assert_close(a.sum(1), torch.full((2, 4, 5), 3.0))
    torch.testing.assert_close(a.sum((1, 2, 3)), torch.full((2,), 60.0))
    b = a.to("meta")
    assert b.values.device.type == "meta"
    assert b.score.device.type == a.values.device.type == "cpu"
    assert b.status == a.status


# ------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("arguments", [{"tol": 0.05}, {"steps": 3}, {"method": gl.methods.gradient()}])
def test_numbers_have_their_types(dtype, arguments):
    a = gl.explain(parabola, torch.ones(4, 3, dtype=dtype, requires_grad=True), **arguments)
    assert a.values.dtype == dtype
    assert a.values.shape == (4, 3)
    assert not a.values.requires_grad
    for number in (a.score, a.baseline_score, a.completeness_gap, a.error_estimate):
        assert number is None or (number.dtype == torch.float64 and number.shape == (4,))
    assert a.evaluations.dtype == a.forward_evaluations.dtype == torch.int64
    assert len(a) == len(a.status) == len(a.names) == len(a.curve) == 4


@pytest.mark.parametrize("make", [gl.methods.gradient, gl.methods.gradient_x_input])
def test_a_method_without_a_path_claims_nothing(make):
    a = gl.explain(parabola, ONES, method=make())
    assert a.error_estimate is None
    assert a.completeness_gap is None
    assert a.baseline_score is None
    torch.testing.assert_close(a.values, 2 * ONES)


def test_fixed_steps_have_a_gap_and_no_estimate():
    """Four midpoints of the cubic Σx³ miss 1/64 of it; the gap says so, with its sign."""
    a = gl.explain(lambda x: (x**3).sum(1), 2 * ONES, steps=4)
    assert a.error_estimate.isnan().all()
    torch.testing.assert_close(a.completeness_gap, torch.tensor([-24.0 / 64], dtype=torch.float64))
    torch.testing.assert_close(a.completeness_gap, a.values.double().sum(1) - (a.score - a.baseline_score))


def test_several_baselines_are_averaged_and_so_is_their_score():
    a = gl.explain(parabola, ONES, steps=2, baseline=gl.baselines.Each(0.0, 2.0, torch.full((1, 3), -1.0)))
    torch.testing.assert_close(a.baseline_score, torch.tensor([(0.0 + 12 + 3) / 3], dtype=torch.float64))
    torch.testing.assert_close(a.values, torch.full((1, 3), 1.0 - (0 + 4 + 1) / 3))
    torch.testing.assert_close(a.completeness_gap, torch.zeros(1, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("arguments", [{"tol": 0.05}, {"steps": 3}])
@pytest.mark.parametrize("why", ["x is the baseline", "the score is constant"])
def test_a_zero_map_is_flat_with_an_estimate_of_zero(arguments, why):
    constant = why == "the score is constant"
    model = (lambda x: 0 * x.sum(1) + 7) if constant else parabola
    a = gl.explain(model, ONES, baseline=None if constant else ONES, **arguments)
    assert a.status == (gl.Status.FLAT,)
    assert a.error_estimate.tolist() == [0.0]
    assert a.completeness_gap.tolist() == [0.0]
    assert not a.values.any()
    assert [f.code for f in a.findings] == ["GL203"]


@pytest.mark.parametrize("arguments", [{"tol": 0.05}, {"steps": 8}])
def test_a_broken_map_has_no_estimate(arguments):
    """NaN, not zero: zero would say that the map is exact. The example beside it is none the worse."""
    x = torch.tensor([[1.0, 1.0, 1.0], [0.4, 1.0, 1.0]])
    a = gl.explain(broken, x, **arguments)
    assert a.status[0] is gl.Status.NONFINITE
    assert a.status[1].is_sound
    assert a.error_estimate[0].isnan()
    assert a.completeness_gap[0].isnan()
    torch.testing.assert_close(a.values[1], x[1])


def test_the_curve_is_what_was_seen_along_the_path():
    """F = t² · 3 along the path of ones, with a gradient of norm 2 t √3."""
    for arguments, nodes in (({"steps": 5}, 5), ({"tol": 0.05}, 8)):
        (curve,) = gl.explain(parabola, ONES.double(), **arguments).curve
        for array in (curve.t, curve.weight, curve.score, curve.gradient_norm):
            assert array.dtype == np.float64
            assert array.shape == (nodes,)
        assert (np.diff(curve.t) > 0).all()
        assert curve.weight.sum() == pytest.approx(1.0)
        np.testing.assert_allclose(curve.score, 3 * curve.t**2)
        np.testing.assert_allclose(curve.gradient_norm, 2 * curve.t * math.sqrt(3))


@pytest.mark.parametrize("status", gl.Status)
def test_every_status_has_a_meaning(status):
    assert len(status.meaning) > 20
    assert status.is_sound == (status not in (gl.Status.BUDGET_EXHAUSTED, gl.Status.NONFINITE))
    assert str(status) == status.value


# ------------------------------------------------------------------------------------------------ provenance


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        ({}, {"tol": 0.05, "max_evaluations": 512}),
        ({"tol": 0.1, "max_evaluations": 20}, {"tol": 0.1, "max_evaluations": 20}),
        ({"steps": 3}, {"steps": 3, "rule": "Midpoint()"}),
        ({"steps": 3, "rule": gl.rules.GaussLegendre}, {"steps": 3, "rule": "GaussLegendre()"}),
        ({"method": gl.methods.gradient()}, {}),
    ],
    ids=["default", "tol", "steps", "rule", "gradient"],
)
def test_provenance_tells_how_to_repeat_it(arguments, own):
    model = nn.Linear(3, 2)
    a = gl.explain(model, ONES, 1, seed=5, memory="1MiB", **arguments)
    common = {"gradline", "torch", "python", "platform", "device", "dtype", "threads", "created", "method_name"}
    common |= {
        "method",
        "site",
        "model",
        "model_digest",
        "input_digest",
        "seed",
        "memory",
        "seconds",
        "target",
        "unit",
        "paths",
    }
    assert set(a.provenance) == common | set(own)
    assert {k: a.provenance[k] for k in own} == own
    assert a.provenance["model"] == "torch.nn.modules.linear.Linear"
    assert a.provenance["unit"] == ("score per unit of the site" if "method" in arguments else "score")
    assert (a.provenance["seed"], a.provenance["memory"], a.provenance["site"]) == (5, 2**20, "input")
    assert (a.provenance["device"], a.provenance["dtype"], a.provenance["threads"]) == ("cpu", "float32", 1)
    assert json.loads(json.dumps(dict(a.provenance))) == dict(a.provenance)


def digest(model=None, x=ONES):
    provenance = gl.explain(model or nn.Identity(), x, 0, steps=1).provenance
    return provenance["model_digest"], provenance["input_digest"]


def test_digests_change_with_what_they_stand_for():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    model.eval()
    first = digest(model)
    assert digest(model) == first
    with torch.no_grad():
        model[0].weight[2, 1] += 1e-6
    changed = digest(model)
    assert changed[0] != first[0]
    assert changed[1] == first[1]
    model[1].running_mean[3] = 0.5
    assert digest(model)[0] != changed[0]
    others = [ONES, ONES + 1e-6, ONES.double(), torch.ones(2, 3), ONES[:, :2].clone(), torch.ones(1, 3, 1)]
    others += [torch.zeros(1, 3).half(), torch.zeros(1, 3).bfloat16()]
    assert len({digest(nn.Flatten(), x)[1] for x in others}) == len(others)


def test_a_function_has_no_digest():
    a = gl.explain(parabola, ONES, steps=1)
    assert a.provenance["model_digest"] is None
    assert a.provenance["model"].endswith(".parabola")


def test_each_example_says_what_is_explained_of_it():
    a = gl.explain(lambda x: x**2, torch.ones(3, 2).double(), torch.tensor([0, 1, 0]), steps=1)
    assert repr(a).splitlines()[0].startswith("integrated-gradients of several targets: 3 examples")
    assert "1  logit of class 1, fixed" in repr(a)
    assert repr(a[1]).splitlines()[0].startswith("integrated-gradients of logit of class 1: 1 example")
