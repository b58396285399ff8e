"""Several inputs, dicts, named arguments, lists, odd outputs, batch sizes written into a model."""

from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

import gradline as gl

D = torch.float64
Prediction = namedtuple("Prediction", "mean spread extra")


def reference(function, *parts, nodes=400):
    """The maps from zero of several inputs that move together, by a plain loop."""
    totals = [torch.zeros_like(p) for p in parts]
    for k in range(nodes):
        points = [((k + 0.5) / nodes * p).detach().requires_grad_() for p in parts]
        for total, grad in zip(totals, torch.autograd.grad(function(*points).sum(), points), strict=True):
            total += grad / nodes
    return [t * p for t, p in zip(totals, parts, strict=True)]


def close(values, exact, tol=0.01):
    """A relative error of the whole map, over all inputs together."""
    missed = sum(float((v - e).square().sum()) for v, e in zip(values, exact, strict=True))
    return missed <= tol**2 * sum(float(e.square().sum()) for e in exact)


class Two(nn.Module):
    """Two inputs of different widths and ranks."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.series, self.static, self.top = nn.Conv1d(2, 4, 3), nn.Linear(3, 4), nn.Linear(4, 2)
        self.double()

    def forward(self, series, static):
        return self.top(torch.tanh(self.series(series).mean(2) * self.static(static)))


def two():
    model = Two().eval()
    return model, torch.randn(3, 2, 6, dtype=D), torch.randn(3, 3, dtype=D)


# ---------------------------------------------------------------------------------------------------- ways in


def test_two_inputs_go_in_as_the_model_takes_them():
    """By position in a tuple or a list, by name in a dict: one map, one estimate, values in the same form."""
    model, series, static = two()
    exact = reference(lambda a, b: model(a, b)[:, 1], series, static)
    for x in ((series, static), [series, static]):
        a = gl.explain(model, x, 1, tol=0.01)
        assert [v.shape for v in a.values] == [(3, 2, 6), (3, 3)]
        assert close(a.values, exact)
    named = gl.explain(model, {"static": static, "series": series}, 1, tol=0.01)
    assert list(named.values) == ["static", "series"]
    assert close([named.values["series"], named.values["static"]], exact)


def test_one_input_moves_while_the_other_is_held():
    model, series, static = two()
    (exact,) = reference(lambda a: model(a, static)[:, 1], series)
    by_baseline = gl.explain(model, (series, static), 1, baseline=(0.0, None), tol=0.01)
    assert close([by_baseline.values[0]], [exact])
    assert not by_baseline.values[1].any()
    held = gl.explain(model, series, 1, context={"static": static}, tol=0.01)
    assert close([held.values], [exact])


def test_together_is_not_the_sum_of_apart_and_each_adds_up_to_its_own_difference():
    """Of u · v from (1, 1) to (3, 4): together 5 and 6, which is 11; apart 8 of 8, with v at 4, and 9 of 9."""
    u, v = torch.tensor([[3.0]], dtype=D), torch.tensor([[4.0]], dtype=D)

    def product(u, v):
        return u * v

    both = gl.explain(product, (u, v), baseline=1.0, tol=0.01)
    assert [float(p) for p in both.values] == pytest.approx([5.0, 6.0])  # 2 ∫ (1 + 3t) dt, 3 ∫ (1 + 2t) dt
    apart = [gl.explain(product, (u, v), baseline=start, tol=0.01) for start in ((1.0, None), (None, 1.0))]
    assert [float(a.values[k]) for k, a in enumerate(apart)] == pytest.approx([8.0, 9.0])
    assert [float(a.score - a.baseline_score) for a in (both, *apart)] == pytest.approx([11.0, 8.0, 9.0])


def test_a_dict_goes_in_and_a_named_tuple_comes_out():
    class Model(Two):
        def forward(self, **inputs):
            out = super().forward(inputs["series"], inputs["static"])
            return Prediction(out, out.square(), "a word")

    plain, series, static = two()
    model, x = Model().eval(), {"series": series, "static": static}
    exact = reference(lambda a, b: plain(a, b)[:, 1] ** 2, series, static)
    for target in (gl.Entry("spread", 1), gl.Entry(1, 1), lambda out: out.spread[:, 1]):
        a = gl.explain(model, x, target, tol=0.01)
        assert close(a.values.values(), exact)
    with pytest.raises(gl.TargetError, match=r"gl.targets.Entry\(0, 3\)"):
        gl.explain(model, x, 1)
    with pytest.raises(gl.TargetError, match=r"'variance'.*there are 0, 1"):
        gl.explain(model, x, gl.Entry("variance", 1))


def test_a_tuple_goes_in_and_a_list_comes_out():
    plain, series, static = two()

    def heads(a, b):
        out = plain(a, b)
        return [out[:, :1], out[:, 1:], {"note": "nothing"}]

    a = gl.explain(heads, (series, static), gl.Entry(1), tol=0.01)
    assert close(a.values, reference(lambda a, b: plain(a, b)[:, 1], series, static))


@dataclass
class Votes:
    """An ensemble's answer: one table for each member."""

    members: list[torch.Tensor]


class Ensemble(nn.Module):
    """Members see the same list of tensors; forward takes the list as its one argument."""

    def __init__(self):
        super().__init__()
        self.members = nn.ModuleList(Two() for _ in range(3))
        torch.manual_seed(1)
        for parameter in self.members.parameters():
            nn.init.normal_(parameter, std=0.5)

    def forward(self, parts):
        return Votes([member(*parts) for member in self.members])


def test_an_ensemble_of_lists_is_explained_by_its_mean_or_by_a_member():
    model, (_, series, static) = Ensemble().eval(), two()

    def called(*parts):
        return model(list(parts))

    def mean(out):
        return torch.stack(out.members).mean(0)[:, 1]

    whole, *members = gl.explain(
        called, (series, static), [mean, *(gl.Entry("members", gl.Entry(k, 1)) for k in range(3))], steps=8
    )
    assert close(whole.values, reference(lambda *p: mean(called(*p)), series, static), tol=0.05)
    for place in range(2):
        torch.testing.assert_close(whole.values[place], sum(m.values[place] for m in members) / 3)


def test_arguments_that_are_no_arrays_pass_through():
    """Words, flags, numbers, None and functions, by name or between the tensors."""
    model, series, static = two()
    seen = []

    def called(series, kind, static, *, scale, act, mask=1, loud=False):
        seen.append((kind, scale, act, mask, loud))
        return act(model(series, static) * scale)

    options = {"scale": 0.5, "act": torch.tanh, "mask": None, "loud": True}
    a = gl.explain(called, (series, "daily", static), 1, context=options, tol=0.01)
    assert a.values[1] is None
    exact = reference(lambda a, b: torch.tanh(model(a, b) * 0.5)[:, 1], series, static)
    assert close([a.values[0], a.values[2]], exact)
    assert set(seen) == {("daily", 0.5, torch.tanh, None, True)}


# ---------------------------------------------------------------------------------------------------- batches


class Fixed(nn.Module):
    """A batch size is written into it."""

    def __init__(self, rows):
        super().__init__()
        torch.manual_seed(2)
        self.rows, self.first, self.top = rows, nn.Linear(4, 6), nn.Linear(6, 2)
        self.double()

    def forward(self, x):
        return self.top(torch.tanh(self.first(x)).reshape(self.rows, -1, 6).mean(1))


def test_a_batch_size_written_into_a_model_is_found_and_worked_round():
    """Steps are not multiplied into it: every point goes alone, and a finding says so."""
    model, x = Fixed(1).eval(), torch.randn(3, 4, dtype=D)
    a = gl.explain(model, x, 1, tol=0.01)
    (exact,) = reference(lambda p: model.top(torch.tanh(model.first(p)))[:, 1], x)
    assert close([a.values], [exact])
    assert [f.code for f in a.findings] == ["GL103"]
    with pytest.raises(gl.ModelError, match=r"the model failed on a batch of shape \(1, 4\)"):
        gl.explain(Fixed(3).eval(), x, 1)  # no row can go alone there


def test_rows_that_look_at_each_other_are_kept_apart():
    """A softmax over the wrong axis: what the map of a row is may not depend on who stands beside it."""
    torch.manual_seed(3)
    weight, x = torch.randn(4, 3, dtype=D), torch.randn(3, 4, dtype=D)

    def mixing(p):
        return torch.softmax(p @ weight, 0) * (p @ weight)

    together = gl.explain(mixing, x, 1, steps=6)
    assert [f.code for f in together.findings] == ["GL102"]
    for row in range(3):
        alone = gl.explain(mixing, x[row : row + 1], 1, steps=6)
        torch.testing.assert_close(together.values[row : row + 1], alone.values)


def test_many_examples_and_one_give_the_same_maps():
    model, series, static = two()
    whole = gl.explain(model, (series.repeat(200, 1, 1), static.repeat(200, 1)), 1, steps=3)
    one = gl.explain(model, (series[:1], static[:1]), 1, steps=3)
    assert len(whole) == 600
    for many, single in zip(whole.values, one.values, strict=True):
        torch.testing.assert_close(many[597:598], single)
