"""Token ids, attention masks and a class for each text: the same numbers as Captum 0.9.0 inside transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients, LayerConductance, LayerIntegratedGradients
from captum_cases import RULES, distance
from torch import Tensor, nn

import gradline as gl

IDS = torch.tensor([[7, 3, 12, 5, 9, 4, 11], [2, 15, 8, 6, 10, 0, 0], [14, 4, 9, 3, 0, 0, 0]])
KEEP = IDS > 0
LABELS = torch.tensor([2, 0, 1])
"""Three texts of 7, 5 and 4 words, padded with 0; a class for each."""

PAD, OTHER = torch.zeros_like(IDS), IDS.flip(1)
STARTS = {"padding": (PAD, 0), "one id": (torch.ones(1, 7, dtype=torch.int64),) * 2, "another text": (OTHER, OTHER)}
GAUSS = {"steps": 12, "rule": gl.rules.GaussLegendre}


class Encoder(nn.Module):
    """Words and places embedded, two layers of `nn.TransformerEncoder`, the mean over words that are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(20, 8), nn.Parameter(0.3 * torch.randn(7, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, ids: Tensor, keep: Tensor) -> Tensor:
        h = self.norm(self.encoder(self.embed(ids) + self.place, src_key_padding_mask=~keep))
        weight = keep.to(h).unsqueeze(2)
        y: Tensor = self.head((h * weight).sum(1) / weight.sum(1))
        return y


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder().eval()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("start", STARTS)
def test_embeddings_of_a_masked_transformer_equal_captums(encoder: Encoder, rule: str, start: str) -> None:
    theirs, ours = STARTS[start]
    there = LayerIntegratedGradients(encoder, encoder.embed).attribute(
        IDS, theirs, target=LABELS, additional_forward_args=(KEEP,), n_steps=12, method=rule
    )
    here = gl.explain(
        encoder, IDS, LABELS, baseline=ours, context={"keep": KEEP}, site=gl.Layer("embed"), steps=12, rule=RULES[rule]
    )
    assert here.values.shape == (3, 7, 8)
    assert distance(here.values, there) <= 1e-5


@pytest.mark.parametrize("layer", ["encoder.layers.0", "encoder.layers.1", "encoder", "norm"])
def test_layers_of_a_masked_transformer_equal_captums(encoder: Encoder, layer: str) -> None:
    there = LayerIntegratedGradients(encoder, encoder.get_submodule(layer)).attribute(
        IDS, OTHER, target=LABELS, additional_forward_args=(KEEP,), n_steps=12
    )
    here = gl.explain(encoder, IDS, LABELS, baseline=OTHER, context={"keep": KEEP}, site=gl.Layer(layer), **GAUSS)
    assert distance(here.values, there) <= 1e-5


def test_a_mask_that_is_held_may_also_stand_among_the_inputs(encoder: Encoder) -> None:
    there = LayerIntegratedGradients(encoder, encoder.embed).attribute(
        (IDS, KEEP), (OTHER, KEEP), target=LABELS, n_steps=12
    )
    here = gl.explain(encoder, (IDS, KEEP), LABELS, baseline=(OTHER, None), site=gl.Layer("embed"), **GAUSS)
    assert distance(here.values, there) <= 1e-5


def test_ids_go_in_and_a_tolerance_is_kept(encoder: Encoder) -> None:
    """No steps to guess. An error e of the map moves its sum by at most √D e (Cauchy and Schwarz)."""
    here = gl.explain(encoder, IDS, LABELS, baseline=OTHER, context={"keep": KEEP}, site=gl.Layer("embed"), tol=0.01)
    fine = LayerIntegratedGradients(encoder, encoder.embed).attribute(
        IDS, OTHER, target=LABELS, additional_forward_args=(KEEP,), n_steps=400
    )
    assert set(here.status) == {"converged"}
    assert distance(here.values, fine) <= 0.01
    assert here.completeness_gap is not None
    assert here.error_estimate is not None
    size = here.values.flatten(1).norm(dim=1) * here.values[0].numel() ** 0.5
    assert (here.completeness_gap.abs() <= here.error_estimate * size).all()


class Behind(nn.Module):
    """The encoder behind its embeddings."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, embedded: Tensor, keep: Tensor) -> Tensor:
        h = self.encoder.norm(self.encoder.encoder(embedded + self.encoder.place, src_key_padding_mask=~keep))
        weight = keep.to(h).unsqueeze(2)
        y: Tensor = self.encoder.head((h * weight).sum(1) / weight.sum(1))
        return y


@pytest.mark.parametrize("layer", ["encoder.layers.0", "encoder.layers.0.norm1", "encoder.layers.1.linear1"])
def test_conductance_from_ids_through_attention_is_the_limit_of_captums_from_embeddings(layer: str) -> None:
    """Captum, of first order, extrapolated: 2 A(2n) − A(n); smooth activations, so that the second order is there."""
    torch.manual_seed(0)
    encoder = Encoder().double().eval()
    for part in encoder.encoder.layers:
        part.activation, part.activation_relu_or_gelu = nn.functional.gelu, 2
    ends = encoder.embed(IDS).detach(), encoder.embed(OTHER).detach()
    theirs = LayerConductance(Behind(encoder), encoder.get_submodule(layer))
    arguments: dict[str, Any] = {"target": LABELS, "additional_forward_args": (KEEP,), "method": "riemann_trapezoid"}
    coarse, fine = (theirs.attribute(*ends, n_steps=n, **arguments).detach() for n in (200, 400))
    method = gl.methods.conductance(gl.Layer(layer))
    ours = gl.explain(
        encoder,
        IDS,
        LABELS,
        method=method,
        baseline=OTHER,
        context={"keep": KEEP},
        site=gl.Layer("embed"),
        steps=32,
        rule=gl.rules.GaussLegendre,
    )
    assert distance(ours.values, 2 * fine - coarse) <= 1e-4
    assert distance(ours.values, fine) > 1e-3


class Bert:
    """A tiny BERT with random weights: a sentence classifier of transformers."""

    def __init__(self) -> None:
        from transformers import BertConfig, BertForSequenceClassification

        torch.manual_seed(1)
        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        config = BertConfig(vocab_size=20, max_position_embeddings=12, num_labels=3, initializer_range=0.3, **sizes)
        self.model = BertForSequenceClassification(config).eval()

    def logits(self, ids: Tensor, mask: Tensor) -> Tensor:
        """What Captum is to explain: it takes tensors by position and a tensor out."""
        y: Tensor = self.model(input_ids=ids, attention_mask=mask).logits
        return y


@pytest.fixture(scope="module")
def bert() -> Bert:
    return Bert()


@pytest.mark.parametrize(
    "layer",
    ["bert.embeddings.word_embeddings", "bert.embeddings", "bert.encoder.layer.0", "bert.encoder.layer.1", "dropout"],
)
def test_bert_as_it_is_equals_captums_bert_in_a_wrapper(bert: Bert, layer: str) -> None:
    mask = KEEP.long()
    there: Any = LayerIntegratedGradients(bert.logits, bert.model.get_submodule(layer)).attribute(
        IDS, OTHER, target=LABELS, additional_forward_args=(mask,), n_steps=12
    )
    here = gl.explain(
        bert.model, IDS, LABELS, baseline=OTHER, context={"attention_mask": mask}, site=gl.Layer(layer), **GAUSS
    )
    assert distance(here.values, there[0] if isinstance(there, tuple) else there) <= 1e-5


def test_layers_that_return_objects_are_explained_where_captum_fails(bert: Bert) -> None:
    """The encoder of BERT returns what its last layer does, in an object."""
    mask, encoder = KEEP.long(), bert.model.bert.encoder
    arguments: dict[str, Any] = {"target": LABELS, "additional_forward_args": (mask,), "n_steps": 12}
    with pytest.raises(AttributeError, match="clone"):
        LayerIntegratedGradients(bert.logits, encoder).attribute(IDS, OTHER, **arguments)
    there: Any = LayerIntegratedGradients(bert.logits, encoder.layer[1]).attribute(IDS, OTHER, **arguments)
    here = gl.explain(
        bert.model,
        IDS,
        LABELS,
        baseline=OTHER,
        context={"attention_mask": mask},
        site=gl.Layer("bert.encoder"),
        **GAUSS,
    )
    assert distance(here.values, there[0] if isinstance(there, tuple) else there) <= 1e-5


def test_bert_from_its_embeddings_equals_captum_at_the_input(bert: Bert) -> None:
    """Embeddings handed in by name, as a dict, against the site behind the ids."""
    mask, table = KEEP.long(), bert.model.get_input_embeddings()
    x, start = (table(ids).detach() for ids in (IDS, OTHER))

    def logits(embedded: Tensor, mask: Tensor) -> Tensor:
        y: Tensor = bert.model(inputs_embeds=embedded, attention_mask=mask).logits
        return y

    there = IntegratedGradients(logits).attribute(x, start, target=LABELS, additional_forward_args=mask, n_steps=12)
    context = {"attention_mask": mask}
    by_name = {"inputs_embeds": x}
    here = gl.explain(bert.model, by_name, LABELS, baseline={"inputs_embeds": start}, context=context, **GAUSS)
    inside = gl.explain(
        bert.model,
        {"input_ids": IDS},
        LABELS,
        baseline={"input_ids": OTHER},
        context=context,
        site=gl.Layer("bert.embeddings.word_embeddings"),
        **GAUSS,
    )
    assert distance(here.values["inputs_embeds"], there) <= 1e-5
    assert distance(inside.values, there) <= 1e-5
