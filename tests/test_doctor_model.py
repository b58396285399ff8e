"""Trouble in the model, its numbers or the question: found, by number, with the cause; and beside another trouble."""

from __future__ import annotations

import re

import pytest
import torch
from doctor_cases import Around, X, codes, doctor, only
from torch import nn
from torch.nn import functional

import gradline as gl

# ------------------------------------------------------------------------------------------------ in place


def test_writing_into_the_input_is_found_with_the_operation():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3))
    found = only(doctor(model, X, 1))
    assert found.code == "GL105"
    assert "argument 0 (nn.functional.relu in layer '0')" in found.detail


@pytest.mark.parametrize("held", ["ids", "mask"])
def test_writing_into_an_entry_that_is_held_is_found(held):
    def model(x, ids, mask):
        entry = {"ids": ids, "mask": mask}[held]
        out = x + mask + ids
        entry.zero_()
        return out

    x = {"x": X, "ids": torch.ones(2, 4, dtype=torch.int64)}
    found = only(doctor(model, x, 1, context={"mask": torch.ones(2, 4)}))
    assert found.code == "GL105"
    assert f"argument '{held}' (Tensor.zero_)" in found.detail


def test_writing_the_same_numbers_is_writing():
    """clamp_(−9, 9) changes nothing at this x, and something at another."""

    class Clamps(nn.Linear):
        def forward(self, x):
            with torch.no_grad():
                x.clamp_(-9, 9)
            return super().forward(x)

    assert codes(doctor(Clamps(4, 3), X, 1)) == ["GL105"]


def test_a_backward_pass_that_fails_because_of_a_write_names_it():
    def middle(h):
        h = torch.sigmoid(h)
        h += 1
        return h

    model = Around(middle)
    diagnosis = doctor(model, X, 1)
    assert only(diagnosis).code == "GL105"
    assert "the backward pass fails" in only(diagnosis).detail
    assert "Tensor.add_ in layer 'middle'" in only(diagnosis).detail


# ------------------------------------------------------------------------------------------------ rows


@pytest.mark.parametrize("strength", [1.0, 1e-3, 1e-6])
def test_rows_that_influence_each_other_are_found_however_little(strength):
    def model(x):
        return torch.tanh(x @ torch.ones(4, 3) + strength * x.mean())

    found = only(doctor(model, X, 1))
    assert found.code == "GL102"
    if strength < 1e-2:
        # d/dx' of tanh(a + s·mean) is s/8 a feature beside 1: their ratio is s/8 to first order
        share = float(re.search(r"([\d.]+) % of its own", found.detail.replace("below 0.001", "0.0000125"))[1]) / 100
        assert share == pytest.approx(strength / 8, rel=0.05)


@pytest.mark.parametrize(
    "model",
    [
        lambda x: torch.softmax(x, 0),
        lambda x: functional.batch_norm(x, None, None, training=True),
        lambda x: x - x.mean(0),
    ],
    ids=["softmax over the batch", "batch statistics", "centred"],
)
def test_normalisation_over_the_batch_is_found(model):
    three = torch.cat([X, X[:1] + 1])
    found = only(doctor(lambda x: model(torch.cat([x, x * x]))[: len(x)], three, 1))
    assert found.code == "GL102"


def test_one_row_at_a_time_is_found():
    found = only(doctor(lambda x: x.reshape(1, 4) * 2, X, 1))
    assert found.code == "GL103"


def test_chance_in_evaluation_mode_is_found_however_little():
    for size in (0.3, 1e-4):
        found = only(doctor(lambda x, s=size: x * (1 + s * torch.randn_like(x)), X, 1))
        assert found.code == "GL112"


def test_dropout_that_is_always_on_is_found():
    found = only(doctor(Around(lambda h: functional.dropout(h, 0.5, training=True)).eval(), X, 1))
    assert found.code == "GL112"


# ------------------------------------------------------------------------------------------------ numbers


def test_the_first_operation_to_return_nan_is_named():
    found = only(doctor(Around(lambda h: torch.log(h)), X, 1))
    assert found.code == "GL109"
    assert "the first to return NaN is log in layer 'middle'" in found.detail


def test_a_mask_that_leaves_nothing_is_named_and_not_the_minus_infinity_in_it():
    found = only(doctor(Around(lambda h: torch.softmax(h.masked_fill(h < 9, -torch.inf), 1)), X, 1))
    assert found.code == "GL109"
    assert "the first to return NaN is softmax in layer 'middle'" in found.detail


def test_weights_that_are_not_finite_are_named():
    model = Around(lambda h: h)
    with torch.no_grad():
        model.first.weight[0, 0] = torch.inf
    found = only(doctor(model, X, 1))
    assert found.code == "GL109"
    assert "weight 'first.weight' is not finite" in found.detail


def test_examples_with_a_score_that_is_not_finite_are_named():
    x = torch.tensor([[1.0, 1], [2, 1], [3, 1], [4, 1], [5, 1], [-6, 1]])
    found = only(doctor(lambda x: torch.sqrt(x[:, :1]) * x[:, 1:], x))
    assert (found.code, found.examples) == ("GL109", (5,))


def test_a_baseline_where_the_score_is_not_finite_is_named():
    found = only(doctor(lambda x: torch.log(x), X.abs(), 1))
    assert found.code == "GL109"
    assert "at the baseline is -inf" in found.detail


def test_a_gradient_that_is_not_finite_is_named():
    """√0 is 0, and its derivative is not."""

    def norm(h):
        return torch.sqrt((h - h.clamp(-9, 9)).square().sum(1, keepdim=True)) + h

    found = only(doctor(Around(norm), X, 1))
    assert found.code == "GL109"
    assert (
        "the score at x is finite, and its gradient is not: that of sqrt in layer 'middle' is the first" in found.detail
    )


def test_a_saturated_probability_is_found_with_its_examples():
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight.copy_(torch.eye(4)[:3])
        model.bias.zero_()
    x = torch.tensor([[1.0, 0, 0, 0], [40, 0, 0, 0]])
    found = only(doctor(model, x, gl.Probability(0)))
    assert (found.code, found.examples) == ("GL107", (1,))
    assert doctor(model, x, 0).healthy


# ------------------------------------------------------------------------------------------------ precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_measured_against_a_float32_copy(dtype):
    model = Around(torch.tanh).to(dtype)
    before = [p.clone() for p in model.parameters()]
    found = only(doctor(model, X.to(dtype), 1))
    assert found.code == "GL106"
    share = float(re.search(r"a gradient by up to ([\d.]+) %", found.detail)[1]) / 100
    eps = torch.finfo(dtype).eps
    assert eps / 8 < share < 8 * eps
    assert all(p.dtype == dtype and torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


def test_half_precision_behind_a_float32_input_is_found():
    class Casts(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 3).bfloat16()

        def forward(self, x):
            return self.inner(x.to(self.inner.weight.dtype)).float()

    class Autocasts(nn.Linear):
        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                return super().forward(x).float()

    assert re.search(r"a gradient by up to [\d.]+ %", only(doctor(Casts(), X, 1)).detail)
    found = only(doctor(Autocasts(4, 3), X, 1))
    assert found.code == "GL106"
    assert "returns half precision" in found.detail


def test_low_precision_without_a_copy_is_found_all_the_same():
    weight = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    found = only(doctor(lambda x: torch.tanh(x @ weight), X.bfloat16(), 1))
    assert found.code == "GL106"
    assert "could not be measured" in found.detail


# ------------------------------------------------------------------------------------------------ the question


def test_a_mask_among_the_inputs_is_found():
    def model(x, mask):
        return (x * mask.unsqueeze(-1)).sum(1)

    x, mask = torch.randn(2, 3, 4), torch.tensor([[1.0, 1, 0], [1, 0, 0]])
    found = only(doctor(model, (x, mask), 1))
    assert found.code == "GL110"
    assert "x[1]" in found.detail
    assert "x['mask']" in only(doctor(model, {"x": x, "mask": torch.ones(2, 3)}, 1)).detail
    assert doctor(model, (x,), 1, context={"mask": mask}).healthy
    assert doctor(model, (x, mask.bool()), 1).healthy


def test_a_baseline_of_token_0_is_found():
    class Tokens(nn.Module):
        def __init__(self, padding=None):
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 4, padding_idx=padding), nn.Linear(4, 3)

        def forward(self, ids):
            return self.head(torch.tanh(self.embed(ids)).mean(1))

    ids, site = torch.tensor([[3, 1, 4], [1, 5, 8]]), gl.Layer("embed")
    assert codes(doctor(Tokens(), ids, 1, site=site)) == ["GL111"]
    assert doctor(Tokens(), ids, 1, site=site, baseline=gl.baselines.AtSite(0.0)).healthy
    assert doctor(Tokens(), ids, 1, site=site, baseline=torch.full((1, 3), 7)).healthy
    assert doctor(Tokens(padding=0), ids, 1, site=site).healthy, "0 is padding there"


# ------------------------------------------------------------------------------------------------ several at once


def test_one_trouble_does_not_hide_the_others():
    class Ill(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.linear = nn.Dropout(0.5), nn.Linear(4, 3)

        def forward(self, x, mask):
            h = torch.softmax(self.linear(self.drop(x) * mask), 0)
            x.zero_()
            return torch.from_numpy(h.numpy())

    mask = torch.tensor([[1.0, 0, 1, 1], [1, 1, 1, 0]])
    diagnosis = gl.doctor(Ill().train(), (X, mask), gl.Probability(1))
    assert codes(diagnosis) == ["GL101", "GL102", "GL104", "GL105", "GL110"]


def test_without_a_gradient_the_rest_is_reported_too():
    diagnosis = doctor(Around(lambda h: torch.log(h.detach())), X, 1)
    assert codes(diagnosis) == ["GL104", "GL109"]
    diagnosis = doctor(Around(lambda h: h.detach()).bfloat16(), X.bfloat16(), 1)
    assert codes(diagnosis) == ["GL104", "GL106"]


def test_a_list_of_targets_is_looked_at_target_by_target():
    model = Around(torch.tanh)
    with torch.no_grad():
        model.last.weight[2] = 0
    diagnosis = doctor(model, X, [0, 2])
    assert codes(diagnosis) == ["GL108"]


def test_what_cannot_be_asked_is_refused_as_explain_refuses_it():
    for wrong in ({"target": 7}, {"site": gl.Layer("nowhere")}, {"baseline": torch.zeros(1, 9)}):
        with pytest.raises(gl.InputError) as by_doctor:
            doctor(Around(torch.tanh), X, **wrong)
        with pytest.raises(gl.InputError) as by_explain:
            gl.explain(Around(torch.tanh).eval(), X, **wrong)
        assert str(by_doctor.value) == str(by_explain.value)
    with pytest.raises(gl.ModelError, match="ZeroDivisionError"):
        doctor(Around(lambda h: 1 / 0), X)


def test_a_diagnosis_shows_its_facts_and_its_findings():
    diagnosis = gl.doctor(nn.Linear(4, 3).train(), X, gl.Probability(1))
    text = repr(diagnosis)
    assert "Linear" in text
    assert "probability of class 1" in text
    assert "GL101 model in training mode" in text
    assert "<pre" in diagnosis._repr_html_()
    healthy = doctor(nn.Linear(4, 3).eval(), X, 1)
    assert healthy.healthy
    assert "nothing found" in repr(healthy)
