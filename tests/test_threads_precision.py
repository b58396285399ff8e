"""Transformers in half precision, in four bits, with adapters: sums in float32, rounding measured and reported.

A tiny configuration with random weights.
"""

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

import gradline as gl

LAST = gl.Element(5, 3)  # of the logits (N, 6, 32): the last word's score for word 3


def llama(dtype=torch.float64):
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "max_position_embeddings": 32}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "initializer_range": 0.3}
    return LlamaForCausalLM(LlamaConfig(vocab_size=32, **size, **heads)).eval().to(dtype)


def explain(model, rows=2, **options):
    ids = torch.randint(1, 32, (rows, 6), generator=torch.Generator().manual_seed(0))
    options = {"site": gl.Layer("model.embed_tokens"), "baseline": {"input_ids": ids * 0}} | options
    return gl.explain(model, {"input_ids": ids}, LAST, **options)


def errors(values, exact):
    return (values - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)


def twins():
    """The same weights in bfloat16 and in float64."""
    low, high = llama(torch.bfloat16), llama()
    high.load_state_dict({name: weight.double() for name, weight in low.state_dict().items()})
    return low, high


@pytest.mark.parametrize("steps", [4, 16, 128])
def test_the_rounding_of_bfloat16_is_measured_and_reported(steps):
    """Against a float64 copy at the same nodes: nothing but rounding is between the two."""
    a, exact = (explain(model, 12, steps=steps) for model in twins())
    true = errors(a.values.double(), exact.values)
    reported = torch.tensor(a.details["rounding_error"], dtype=torch.float64)
    assert 0.002 < true.median() < 0.2
    assert (true < 3 * reported).all()
    assert 1 / 2 < (true / reported).median() < 2
    assert "GL106" in [f.code for f in a.findings]


def test_the_rounding_of_two_scores_is_not_taken_for_too_few_steps():
    """At 128 steps what the sums miss in bfloat16 is the rounding of F(x) and F(x')."""
    low, high = (explain(model, 12, steps=128) for model in twins())
    assert high.findings == ()
    assert [f.code for f in low.findings] == ["GL106"]


def test_no_tolerance_below_the_rounding_of_bfloat16_is_claimed():
    a = explain(llama(torch.bfloat16), tol=0.001)
    assert a.status == (gl.Status.BUDGET_EXHAUSTED,) * 2
    assert (a.error_estimate >= torch.tensor(a.details["rounding_error"], dtype=torch.float64)).all()
    assert "GL106" in [f.code for f in a.findings]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_gradients_are_summed_in_float32_at_least(dtype):
    a = explain(llama(dtype), steps=4)
    assert a.values.dtype == torch.promote_types(dtype, torch.float32)
    assert a.score.dtype == torch.float64


class LowRank(nn.Module):
    """A frozen layer with an adapter of rank 2 beside it."""

    def __init__(self, frozen):
        super().__init__()
        self.frozen, self.down, self.up = frozen, nn.Linear(16, 2, bias=False), nn.Linear(2, 16, bias=False)

    def forward(self, x):
        return self.frozen(x) + self.up(self.down(x))


def test_adapters_and_frozen_weights_make_no_difference():
    """An adapter that adds nothing changes nothing; one that does gives the map of the merged weights."""
    plain, adapted = llama(), llama()
    attention = adapted.model.layers[0].self_attn
    attention.q_proj = adapter = LowRank(attention.q_proj).double()
    nn.init.zeros_(adapter.up.weight)
    for parameter in adapted.parameters():
        parameter.requires_grad_(False)
    torch.testing.assert_close(explain(adapted, steps=5).values, explain(plain, steps=5).values)
    nn.init.normal_(adapter.up.weight)
    with torch.no_grad():
        plain.model.layers[0].self_attn.q_proj.weight += adapter.up.weight @ adapter.down.weight
    for method in (None, gl.methods.conductance(gl.Layer("model.layers.0"))):
        ours, merged = (explain(model, method=method, steps=5).values for model in (adapted, plain))
        torch.testing.assert_close(ours, merged)


class FourBits(nn.Module):
    """A layer whose weights are whole numbers from −8 to 7 in bytes, scaled back at each use, in bfloat16 say."""

    def __init__(self, layer):
        super().__init__()
        scale = layer.weight.detach().abs().amax(1, keepdim=True) / 7
        self.register_buffer("codes", (layer.weight.detach() / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)

    def weight(self, dtype):
        return self.codes.to(dtype) * self.scale.to(dtype)

    def forward(self, x):
        return nn.functional.linear(x, self.weight(x.dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_weights_in_four_bits_are_no_obstacle(dtype):
    """At the embedding, at attention and for conductance: the map of the same model with its weights written out."""
    small, plain = llama(dtype), llama(dtype)
    for name, module in list(plain.named_modules()):
        if isinstance(module, nn.Linear) and "layers" in name:
            parent, _, child = name.rpartition(".")
            four = FourBits(module)
            setattr(small.get_submodule(parent), child, four)
            module.weight.data = four.weight(dtype)
    tolerance = {"rtol": 1e-4, "atol": 1e-6} if dtype == torch.float32 else {"rtol": 0.05, "atol": 1e-2}
    attention, layer = gl.Layer("model.layers.0.self_attn"), gl.Layer("model.layers.1")
    for options in ({}, {"site": attention}, {"method": gl.methods.conductance(layer)}):
        a, b = (explain(model, steps=6, **options) for model in (small, plain))
        torch.testing.assert_close(a.values, b.values, **tolerance)
        assert ("GL106" in [f.code for f in a.findings]) == (dtype == torch.bfloat16)
