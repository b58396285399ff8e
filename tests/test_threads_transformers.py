"""Transformers as they are: word ids in, an embedding map out, masks held fixed, layers that return tuples.

Tiny configurations with random weights.
"""

import math

import pytest
import torch
from transformers import (
    BertConfig,
    BertForTokenClassification,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

import gradline as gl

IDS = torch.tensor([[4, 9, 2, 17, 6, 11], [8, 3, 25, 1, 30, 12]])
MASK = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
START = {"input_ids": torch.zeros_like(IDS)}
LAST = gl.Element(5, 3)  # of the logits (N, 6, 32): the last word's score for word 3
EMBED = gl.Layer("model.embed_tokens")


def llama(dtype=torch.float64):
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "max_position_embeddings": 32}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "initializer_range": 0.3}
    return LlamaForCausalLM(LlamaConfig(vocab_size=32, **size, **heads)).eval().to(dtype)


def bert():
    torch.manual_seed(1)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return BertForTokenClassification(BertConfig(vocab_size=32, **size, num_labels=3, initializer_range=0.3)).eval()


def explain(model, target=LAST, **options):
    options = {"site": EMBED, "context": {"attention_mask": MASK}, "baseline": START} | options
    return gl.explain(model, {"input_ids": IDS}, target, **options)


def reference(function, x, start, nodes=300):
    """The map by a plain loop: midpoint sum of gradient ⊙ move."""
    total = torch.zeros_like(x)
    for k in range(nodes):
        point = (start + (k + 0.5) / nodes * (x - start)).detach().requires_grad_()
        total += torch.autograd.grad(function(point).sum(), point)[0] / nodes
    return (total * (x - start)).detach()


def llama_map(model, nodes=300):
    """The same question put to the model through `inputs_embeds`."""
    with torch.no_grad():
        ends = [model.model.embed_tokens(ids) for ids in (IDS, START["input_ids"])]
    return reference(lambda p: model(inputs_embeds=p, attention_mask=MASK).logits[:, 5, 3], *ends, nodes)


def errors(values, exact):
    return (values - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)


# ---------------------------------------------------------------------------------------------------- words in


def test_word_ids_go_in_and_an_embedding_map_comes_out():
    """A transformers model is taken as it is; the gap is within what the estimate allows."""
    model = llama()
    a = explain(model, tol=0.01)
    assert a.values.shape == (2, 6, 16)
    assert a.status == (gl.Status.CONVERGED,) * 2
    exact = llama_map(model)
    assert (errors(a.values, exact) <= 0.01).all()
    allowed = a.error_estimate * a.values.flatten(1).norm(dim=1) * math.sqrt(6 * 16)
    assert (a.completeness_gap.abs() <= allowed).all()
    with torch.no_grad():
        ends = [model(input_ids=ids, attention_mask=MASK).logits[:, 5, 3] for ids in (IDS, START["input_ids"])]
    torch.testing.assert_close(a.score, ends[0])
    torch.testing.assert_close(a.baseline_score, ends[1])


def test_the_attention_mask_is_held_fixed_and_hides_what_it_hides():
    """Every forward gets whole numbers, the rows of the mask that was passed; at hidden words the map is zero."""
    model, seen = llama(), []
    handle = model.register_forward_pre_hook(lambda m, a, k: seen.append(k["attention_mask"].clone()), with_kwargs=True)
    a = explain(model, tol=0.05)
    handle.remove()
    masks = torch.cat(seen)
    assert masks.dtype == torch.int64
    assert {tuple(row) for row in masks.tolist()} == {tuple(row) for row in MASK.tolist()}
    assert len(masks) > 16
    assert not a.values[0, :2].any()
    assert a.values[0, 2:].any(1).all()
    assert a.values[1].any(1).all()


def test_a_mask_among_the_inputs_is_held_too():
    inside = gl.explain(llama(), {"input_ids": IDS, "attention_mask": MASK}, LAST, site=EMBED, baseline=START, steps=9)
    assert torch.equal(inside.values, explain(llama(), steps=9).values)


def test_words_in_both_directions_and_every_tag_in_one_call():
    """Tagging: one map for each word and label, all from the same forwards."""
    model, rows = bert(), []
    handle = model.register_forward_hook(lambda m, args, out: rows.append(len(out.logits)))
    tags = [gl.Element(place, label) for place in (2, 3, 4, 5) for label in range(3)]
    site = gl.Layer("bert.embeddings.word_embeddings")
    found = explain(model, tags, site=site, steps=10, context={"attention_mask": MASK})
    several = sum(rows)
    rows.clear()
    one = explain(model, tags[7], site=site, steps=10, context={"attention_mask": MASK})
    handle.remove()
    assert several == sum(rows)
    torch.testing.assert_close(found[7].values, one.values, atol=1e-6, rtol=1e-5)
    assert [a.explained[0] for a in found[:2]] == ["element (2, 0) of the output", "element (2, 1) of the output"]
    assert all(not a.values[0, :2].any() and a.values[1].any() for a in found)


def test_every_method_takes_the_same_call():
    inside = gl.Layer("model.layers.0")
    path = gl.methods.integrated_gradients()
    for method in (path, gl.methods.conductance(inside), gl.methods.internal_influence(inside)):
        assert explain(llama(), method=method, steps=3).values.shape == (2, 6, 16)
    for method in (gl.methods.gradient(), gl.methods.gradient_x_input()):
        assert explain(llama(), method=method, baseline=None).values.shape == (2, 6, 16)


# ---------------------------------------------------------------------------------------------------- layers


def at_layer(model, name):
    """What a layer shows first at x and at the start, and the score with something else put there."""
    layer, ends = model.get_submodule(name), []
    for ids in (IDS, START["input_ids"]):
        taken = layer.register_forward_hook(lambda m, a, out: ends.append(out if torch.is_tensor(out) else out[0]))
        with torch.no_grad():
            model(input_ids=ids, attention_mask=MASK)
        taken.remove()

    def score(point):
        handle = layer.register_forward_hook(lambda m, a, out: point if torch.is_tensor(out) else (point, *out[1:]))
        logits = model(input_ids=IDS, attention_mask=MASK).logits
        handle.remove()
        return logits[:, 5, 3]

    return ends, score


@pytest.mark.parametrize("name", ["model.layers.0.self_attn", "model.layers.1", "model.layers.1.mlp"])
def test_layers_that_return_tuples(name):
    """Attention returns a tuple. What bypasses it, the stream of words, sees x: so says the score at the start."""
    model = llama()
    (end, start), score = at_layer(model, name)
    a = explain(model, site=gl.Layer(name), tol=0.01)
    assert a.status == (gl.Status.CONVERGED,) * 2
    assert (errors(a.values, reference(score, end, start, 100)) <= 0.01).all()
    with torch.no_grad():
        torch.testing.assert_close(a.baseline_score, score(start))


def test_a_layer_that_returns_an_object():
    """Behind the last hidden state stands one matrix: A = w ⊙ (h(x) − h(x')) at the word that is read."""
    model = llama()
    a = explain(model, site=gl.Layer("model"), steps=1)
    with torch.no_grad():
        end, start = (model.model(ids, attention_mask=MASK).last_hidden_state for ids in (IDS, START["input_ids"]))
    torch.testing.assert_close(a.values[:, 5], (model.lm_head.weight[3] * (end - start)[:, 5]).detach())
    assert not a.values[:, :5].any()


def test_conductance_at_a_decoder_layer_under_integer_input():
    """Against ∂F/∂h at the middles of 200 cells times what h gains in each."""
    model, name, cells = llama(), "model.layers.0", 200
    layer = model.get_submodule(name)
    with torch.no_grad():
        end, start = (model.model.embed_tokens(ids) for ids in (IDS, START["input_ids"]))
    seen = []
    handle = layer.register_forward_hook(lambda m, a, out: seen.append(out))
    exact = torch.zeros_like(end)
    for k in range(cells):
        edges = [torch.lerp(start, end, (k + d) / cells) for d in (0.0, 0.5, 1.0)]
        seen.clear()
        scores = [model(inputs_embeds=p.requires_grad_(), attention_mask=MASK).logits[:, 5, 3].sum() for p in edges]
        exact += torch.autograd.grad(scores[1], seen[1])[0] * (seen[2] - seen[0]).detach()
    handle.remove()
    a = explain(model, method=gl.methods.conductance(gl.Layer(name)), tol=0.01)
    assert (errors(a.values, exact) <= 0.01).all()
    assert a.findings == ()
    assert (a.completeness_gap.abs() <= 0.05 * (a.score - a.baseline_score).abs()).all()
    past = explain(model, method=gl.methods.conductance(gl.Layer("model.layers.0.self_attn")), tol=0.01)
    assert [f.code for f in past.findings] == ["GL206"]


# ---------------------------------------------------------------------------------------------------- two embeddings


QUESTION = {"input_ids": IDS[:, :5], "decoder_input_ids": IDS[:, 3:] + 1}
NOTHING = {name: torch.zeros_like(ids) for name, ids in QUESTION.items()}


def t5():
    torch.manual_seed(2)
    size = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    return T5ForConditionalGeneration(T5Config(vocab_size=40, decoder_start_token_id=0, **size)).eval()


def test_an_encoder_and_a_decoder_that_share_an_embedding_are_told_apart():
    """Whether the weights are shared, or the module itself: then the call says which."""
    model = t5()
    apart = [
        gl.explain(model, QUESTION, gl.Element(2, 3), site=gl.Layer(f"{side}.embed_tokens"), baseline=NOTHING, tol=0.02)
        for side in ("encoder", "decoder")
    ]
    assert [a.values.shape for a in apart] == [(2, 5, 16), (2, 3, 16)]
    model.encoder.embed_tokens = model.decoder.embed_tokens = model.shared
    for call, one in enumerate(apart):
        a = gl.explain(
            model, QUESTION, gl.Element(2, 3), site=gl.Layer("shared", call=call), baseline=NOTHING, tol=0.02
        )
        assert torch.equal(a.values, one.values)
        assert a.status == (gl.Status.CONVERGED,) * 2
        assert (a.completeness_gap.abs() <= 0.1 * (a.score - a.baseline_score).abs()).all()
    with pytest.raises(gl.SiteError, match=r"called several times.*call=0"):
        gl.explain(model, QUESTION, gl.Element(2, 3), site=gl.Layer("shared"), baseline=NOTHING)
