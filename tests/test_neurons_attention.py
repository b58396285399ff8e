"""Attention attribution: closed form, completeness, a loop of our own, fused and written-out attention, refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

import gradline as gl
from gradline.neurons.attention import HeadScore, attention_attribution, fused, head_scores

IDS = torch.tensor([[4, 9, 2, 17, 6, 11], [8, 3, 25, 1, 30, 12]])
MASK = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
SIZE: dict[str, Any] = {"vocab_size": 32, "initializer_range": 0.25}
WORDS = {"bos_token_id": 1, "eos_token_id": 2}


def bert(kind: str) -> nn.Module:
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(**SIZE, **shape, max_position_embeddings=32, num_labels=3, attn_implementation=kind)
    torch.manual_seed(1)
    return BertForSequenceClassification(config).double().eval()


def gpt2(kind: str) -> nn.Module:
    config = GPT2Config(**SIZE, **WORDS, n_embd=16, n_layer=2, n_head=2, n_positions=32, attn_implementation=kind)
    torch.manual_seed(1)
    return GPT2LMHeadModel(config).double().eval()


def llama(kind: str) -> nn.Module:
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(**SIZE, **WORDS, **shape, num_key_value_heads=1, attn_implementation=kind)
    torch.manual_seed(1)
    return LlamaForCausalLM(config).double().eval()


CASES = [
    (bert, "bert.encoder.layer.{}.attention.self", gl.Probability(1)),
    (gpt2, "transformer.h.{}.attn", gl.Element(3, 7)),
    (llama, "model.layers.{}.self_attn", gl.Element(3, 7)),
]


class OneHead(nn.Module):
    """softmax(x xᵀ) x, summed and squared: words of one number each."""

    def __init__(self) -> None:
        super().__init__()
        self.soft = nn.Softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.soft(x @ x.transpose(1, 2))
        return (a @ x).sum((1, 2), keepdim=False)[:, None] ** 2


def test_one_head_is_the_closed_form() -> None:
    """F(αA) = α² s² with s = Σ_ts A_ts x_s, so that Attr_ts = A_ts x_s · s ∫ 2α dα = A_ts x_s s."""
    x = torch.tensor([[[0.5], [-1.0], [2.0]], [[1.0], [0.3], [-0.2]]], dtype=torch.float64)
    model = OneHead()
    for where in ("soft", gl.Layer(model.soft), ""):
        (a,) = attention_attribution(gl.Score(model), x, [where], steps=3)
        probabilities = (x @ x.transpose(1, 2)).softmax(-1)
        terms = probabilities * x.transpose(1, 2)
        expected = terms * terms.sum((1, 2), keepdim=True)
        torch.testing.assert_close(a.values, expected[:, None], rtol=0, atol=1e-12)
        assert (a.completeness_gap.abs() < 1e-12).all()
    torch.testing.assert_close(head_scores([a])[:, 0, 0], expected.flatten(1).amax(1))
    torch.testing.assert_close(head_scores([a], of=HeadScore.SUM)[:, 0, 0], a.score - a.baseline_score)


@pytest.mark.parametrize(("make", "name", "target"), CASES, ids=["bert", "gpt2", "llama"])
def test_every_layer_is_complete_however_attention_is_computed(make: Any, name: str, target: Any) -> None:
    x, layers, maps = {"input_ids": IDS}, [name.format(0), name.format(1)], {}
    for kind in ("eager", "sdpa"):
        model = make(kind)
        before = {n: p.clone() for n, p in model.state_dict().items()}
        score = gl.Score(model, target, context={"attention_mask": MASK})
        found = attention_attribution(score, x, layers, steps=32, rule=gl.rules.GaussLegendre)
        with torch.no_grad():
            output = model(input_ids=IDS, attention_mask=MASK).logits
        own = output.softmax(1)[:, 1] if output.ndim == 2 else output[:, 3, 7]
        for a in found:
            assert a.values.shape == (2, 2, 6, 6)
            torch.testing.assert_close(a.score, own, rtol=0, atol=1e-9)
            assert (a.completeness_gap.abs() < 1e-3 * (a.score - a.baseline_score).abs()).all()
            assert a.values[0, :, :, 4:].abs().max() == 0  # nobody looks at padding
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
        assert all(torch.equal(p, before[n]) for n, p in model.state_dict().items())
        assert model.config._attn_implementation == kind
        maps[kind] = found
    for written, hidden in zip(maps["eager"], maps["sdpa"], strict=True):
        torch.testing.assert_close(written.values.double(), hidden.values, rtol=0, atol=1e-6)  # Llama: float32 softmax
    assert head_scores(maps["sdpa"]).shape == (2, 2, 2)


def test_as_published_is_the_loop_of_64_left_steps() -> None:
    model = bert("eager")
    (a,) = attention_attribution(
        gl.Score(model, gl.Probability(2)),
        {"input_ids": IDS},
        ["bert.encoder.layer.1.attention.self"],
        as_published=True,
    )
    torch.testing.assert_close(a.values, transcription(model, 64), rtol=0, atol=1e-10)
    assert a.evaluations.tolist() == [64, 64]
    assert a.provenance["model"].endswith("BertForSequenceClassification")


def transcription(model: Any, steps: int) -> Tensor:
    """The upper layer written out, its probabilities scaled."""
    layer = model.bert.encoder.layer[1]
    own = layer.attention.self
    with torch.no_grad():
        h = model.bert(input_ids=IDS, output_hidden_states=True).hidden_states[1]
        q, k, v = (part(h).view(2, 6, 2, 8).transpose(1, 2) for part in (own.query, own.key, own.value))
        a = (q @ k.transpose(2, 3) / math.sqrt(8)).softmax(-1)
    total = torch.zeros_like(a)
    for step in range(steps):
        scaled = (step / steps * a).requires_grad_()
        mixed = (scaled @ v).transpose(1, 2).reshape(2, 6, 16)
        attended = layer.attention.output(mixed, h)
        top = layer.output(layer.intermediate(attended), attended)
        p = model.classifier(model.bert.pooler(top)).softmax(1)[:, 2]
        total += torch.autograd.grad(p.sum(), scaled)[0]
    return (total / steps * a).detach()


@pytest.mark.parametrize("weights", [True, False])
def test_torch_attention_with_and_without_its_weights(weights: bool) -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.mix(x, x, x, need_weights=weights)[0].mean(1).tanh())

    torch.manual_seed(2)
    model, x = Pooled().double(), torch.randn(3, 5, 8, dtype=torch.float64)
    (a,) = attention_attribution(gl.Score(model, 1), x, ["mix"], tol=0.01)
    assert a.values.shape == (3, 2, 5, 5)
    assert (a.error_estimate <= 0.01).all()
    assert "GL101" in [f.code for f in a.findings]
    assert model.training
    assert model.mix.training
    with torch.no_grad():
        alone = model.head(model.mix.out_proj.bias.tanh())[1]
    torch.testing.assert_close(a.baseline_score, alone.expand(3), rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", ["plain", "causal", "boolean", "additive", "grouped", "blind"])
def test_fused_attention_is_torchs_own(case: str) -> None:
    torch.manual_seed(3)
    q, k, v = (torch.randn(2, 4, 5, 8, dtype=torch.float64) for _ in range(3))
    named: dict[str, Any] = {}
    if case == "causal":
        named = {"is_causal": True, "scale": 0.7}
    elif case == "boolean":
        named = {"attn_mask": torch.rand(2, 1, 5, 5) > 0.3}
    elif case == "additive":
        named = {"attn_mask": torch.randn(5, 5, dtype=torch.float64)}
    elif case == "grouped":
        k, v, named = k[:, :2], v[:, :2], {"enable_gqa": True}
    elif case == "blind":
        named = {"attn_mask": torch.ones(5, 5, dtype=torch.bool).tril(-1)}
    expected = functional.scaled_dot_product_attention(q, k, v, **named)
    torch.testing.assert_close(fused(lambda p: p, q, k, v, **named), expected, rtol=0, atol=1e-12)


def test_targets_keep_the_names_of_the_models_layers() -> None:
    model = gpt2("sdpa")
    target = gl.Neuron("transformer.h.1.mlp.act", (3, 4))
    (a,) = attention_attribution(gl.Score(model, target), {"input_ids": IDS}, ["transformer.h.0.attn"], steps=2)
    assert a.explained[0] == "neuron (3, 4) of transformer.h.1.mlp.act"


def test_refusals() -> None:
    model, x = gpt2("sdpa"), {"input_ids": IDS}
    score = gl.Score(model, gl.Element(3, 7))
    with pytest.raises(gl.SiteError, match=r"inside layer 'transformer.h.0.mlp', got neither"):
        attention_attribution(score, x, ["transformer.h.0.mlp"], steps=2)
    with pytest.raises(gl.SiteError, match="several softmaxes inside 'transformer'"):
        attention_attribution(score, x, ["transformer"], steps=2)
    with pytest.raises(gl.SiteError, match=r"did you mean 'transformer.h.0.attn"):
        attention_attribution(score, x, ["transformer.h.0.attm"], steps=2)
    with pytest.raises(gl.InputError, match="says the nodes, got steps"):
        attention_attribution(score, x, ["transformer.h.0.attn"], steps=2, as_published=True)
    with pytest.raises(gl.InputError, match="one target"):
        attention_attribution(gl.Score(model, [0, 1]), x, ["transformer.h.0.attn"], steps=2)
    with pytest.raises(gl.InputError, match="without a site"):
        attention_attribution(gl.Score(model, site=gl.Layer("transformer.wte")), x, ["transformer.h.0.attn"])
    with pytest.raises(gl.SiteError, match="a list of layers"):
        attention_attribution(score, x, "transformer.h.0.attn")
    with pytest.raises(gl.InputError, match="probabilities"):
        head_scores([])
