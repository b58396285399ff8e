"""What real language models showed: spans through BERT's fused attention, value vectors in half precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

import gradline as gl
from gradline.neurons.value_vectors import log_probability_increase

IDS = torch.tensor([[2, 9, 4, 17, 6, 3, 0, 0], [2, 8, 25, 11, 30, 12, 7, 3]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0], [1] * 8])


class Sentences(nn.Module):
    """BERT of MiniLM's kind, its words averaged over the mask: logits `(N, 2)`."""

    def __init__(self) -> None:
        super().__init__()
        shape: dict[str, Any] = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 3}
        ends: dict[str, Any] = {"vocab_size": 32, "num_attention_heads": 4, "initializer_range": 0.3}
        self.bert = BertModel(BertConfig(**shape, **ends, attn_implementation="sdpa"), add_pooling_layer=False)
        self.head = nn.Linear(24, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        h = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        seen = attention_mask[..., None].to(h.dtype)
        logits: Tensor = self.head((h * seen).sum(1) / seen.sum(1))
        return logits


def test_attention_and_spans_of_sentences_add_up() -> None:
    torch.manual_seed(4)
    model, x = Sentences().double().eval(), {"input_ids": IDS}
    score = gl.Score(model, gl.Probability(torch.tensor([1, 0])), context={"attention_mask": MASK})
    layers = [f"bert.encoder.layer.{i}.attention.self" for i in range(3)]
    for a in gl.neurons.attention_attribution(score, x, layers, steps=24, rule=gl.rules.GaussLegendre):
        assert (a.completeness_gap.abs() < 1e-5).all()
        assert (a.score - a.baseline_score).abs().max() > 1e-3
    embedded = gl.Score(
        model, score.target, site=gl.Layer("bert.embeddings.word_embeddings"), context={"attention_mask": MASK}
    )
    span = torch.tensor([0.0, 0, 1, 1, 1, 0, 0, 0])
    own = gl.attribute(embedded, x, steps=5).values.flatten(2).sum(2)[:, 2:5].sum(1)
    assert own.abs().min() > 1e-4
    blocks = ["bert.encoder.layer.0", "bert.encoder.layer.2"]
    for (a,) in gl.neurons.regions(embedded, x, blocks, [span], steps=5):
        torch.testing.assert_close(a.values.flatten(1).sum(1), own, rtol=0, atol=1e-12)
        assert not a.findings


def test_value_vectors_in_half_precision_are_not_lost_in_rounding() -> None:
    """Only what the forward rounds is left: the differences are taken in float32."""
    shape: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "vocab_size": 32}
    heads: dict[str, Any] = {"num_attention_heads": 2, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.1}
    torch.manual_seed(5)
    model = LlamaForCausalLM(LlamaConfig(**shape, **heads)).bfloat16().eval()
    for recomputed in (False, True):
        found = log_probability_increase(model, {"input_ids": IDS}, 5, position=-1, recomputed_norm=recomputed)
        exact = log_probability_increase(model.double(), {"input_ids": IDS}, 5, position=-1, recomputed_norm=recomputed)
        model.bfloat16()  # the weights are those of bfloat16 throughout
        for ours, theirs in zip(found.scores, exact.scores, strict=True):
            assert ours.dtype == torch.float32
            assert float((ours - theirs).norm() / theirs.norm()) < 0.04
