"""Knowledge neurons and value vectors of a causal model trained here on facts: sums, loops, votes, suppression."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

import gradline as gl
from gradline.neurons.knowledge import (
    KnowledgeNeurons,
    amplify,
    effect,
    knowledge_neurons,
    of_relation,
    refine,
    scaled,
    suppress,
)
from gradline.neurons.value_vectors import Decoder, find_decoder, log_probability_increase

SUBJECTS, WORDINGS, WIDTH = 8, 4, 32
LAYERS = ["blocks.0.act", "blocks.1.act"]
DECODER = Decoder(("blocks.0", "blocks.1"), "ln_2", "down", "norm", "head")


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.act, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.ln_1(x)).chunk(3, -1)
        x = x + self.out(functional.scaled_dot_product_attention(q, k, v, is_causal=True))
        return x + self.down(self.act(self.up(self.ln_2(x))))  # type: ignore[no-any-return]


class Causal(nn.Module):
    """Logits of the next word, `(N, T, 32)`."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(32, WIDTH), nn.Embedding(4, WIDTH)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 32, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))  # type: ignore[no-any-return]


class Last(nn.Module):
    """Logits behind the last word."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        return self.model(ids)[:, -1]  # type: ignore[no-any-return]


@cache
def facts() -> tuple[Tensor, Tensor]:
    """Prompts (subject, one of four words for a relation) `(64, 2)`, the wordings of a fact together; the objects."""
    objects = torch.stack([torch.randperm(SUBJECTS, generator=torch.Generator().manual_seed(r)) for r in (5, 6)])
    every = [(s, r, w) for r in range(2) for s in range(SUBJECTS) for w in range(WORDINGS)]
    prompts = torch.tensor([[s, 8 + WORDINGS * r + w] for s, r, w in every])
    return prompts, torch.tensor([16 + int(objects[r, s]) for s, r, _ in every])


@cache
def trained() -> Causal:
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        model, (prompts, answers) = Causal(), facts()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(60):
            loss = functional.cross_entropy(model(prompts)[:, -1], answers)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert (model(prompts)[:, -1].argmax(1) == answers).all()
    return model.eval().requires_grad_(False)


def score_of(rows: slice) -> tuple[gl.Score, Tensor]:
    prompts, answers = facts()
    return gl.Score(Last(trained()), gl.Probability(answers[rows])), prompts[rows]


NAMES = [f"model.{layer}" for layer in LAYERS]


# ------------------------------------------------------------------------------------------------ attributions


def test_the_neurons_of_a_layer_add_up_and_nothing_else_moves() -> None:
    score, x = score_of(slice(0, 6))
    where = torch.tensor([1, 1, 0, -1, 0, 1])
    found = knowledge_neurons(score, x, [*NAMES], position=where, steps=32, rule=gl.rules.GaussLegendre)
    assert found.layers == tuple(NAMES)
    for layer, a in zip(found.layers, found.attributions, strict=True):
        assert a.values.shape == (6, 2 * WIDTH)
        start = transcription(score, x, layer, where, [0.0])[0]
        torch.testing.assert_close(a.values.double().sum(1), a.score - start, rtol=0, atol=1e-5)
        torch.testing.assert_close(a.baseline_score, start, rtol=0, atol=1e-6)
    assert found.values.shape == (6, 4 * WIDTH)
    assert found.neurons[2 * WIDTH] == (NAMES[1], 0)


def test_as_published_is_the_loop_of_20_left_steps() -> None:
    score, x = score_of(slice(0, 4))
    (a,) = knowledge_neurons(score, x, [gl.Layer("model.blocks.1.act")], position=-1, as_published=True).attributions
    expected = transcription(score, x, NAMES[1], torch.full((4,), -1), [k / 20 for k in range(20)])[1]
    torch.testing.assert_close(a.values, expected, rtol=0, atol=1e-6)
    assert a.evaluations.tolist() == [20] * 4


def transcription(score: gl.Score, x: Tensor, layer: str, where: Tensor, nodes: list[float]) -> tuple[Tensor, Tensor]:
    """The score at the last of the nodes, and w ⊙ mean gradient: activations at one place replaced by hand."""
    module: Any = dict(score.model.named_modules())[layer]  # type: ignore[attr-defined]
    rows, answers = torch.arange(len(x)), score.target.index  # type: ignore[union-attr]
    heard: list[Tensor] = []
    handle = module.register_forward_hook(lambda m, i, o: heard.append(o.detach()))
    score.model(x)
    handle.remove()
    own = heard[0][rows, where]
    total, last = torch.zeros_like(own), torch.zeros(len(x))
    for alpha in nodes:
        leaf = (alpha * own).requires_grad_()

        def put(m: Any, i: Any, output: Tensor, leaf: Tensor = leaf) -> Tensor:
            changed = output.clone()
            changed[rows, where] = leaf
            return changed

        handle = module.register_forward_hook(put)
        last = score.model(x).softmax(1)[rows, answers]
        handle.remove()
        total = total + torch.autograd.grad(last.sum(), leaf)[0] / len(nodes)
    return last.detach().double(), (own * total).detach()


# ------------------------------------------------------------------------------------------------ which ones


def attributions(values: list[list[float]], names: tuple[str, ...]) -> gl.Attribution:
    rows = torch.tensor(values)
    a = gl.explain(lambda x: x.sum(1, keepdim=True), rows, names=names, steps=1)
    assert isinstance(a, gl.Attribution)
    return a


def test_thresholds_are_of_all_layers_together() -> None:
    first = attributions([[1.0, 0.3, -5.0], [-1.0, -0.3, -2.0]], ("p", "q"))
    second = attributions([[2.0, 0.41, 0.39], [-0.1, 0.0, -3.0]], ("p", "q"))
    found = KnowledgeNeurons(("a", "b"), (first, second))
    assert found.found() == [{("a", 0), ("b", 0), ("b", 1)}, frozenset()]
    assert found.found(0.6) == [{("b", 0)}, frozenset()]
    drawn = found.drawn_like(found.found())
    assert [len(own) for own in drawn] == [3, 0]
    assert not drawn[0] & found.found()[0]
    assert drawn == found.drawn_like(found.found())
    with pytest.raises(gl.InputError, match="share in"):
        found.found(1.2)
    with pytest.raises(gl.InputError, match="2 sets of neurons"):
        found.drawn_like([frozenset()])


def test_votes() -> None:
    a, b, c = ("l", 1), ("l", 2), ("m", 1)
    prompts = [frozenset(own) for own in ([a, b], [a, b], [a, b, c], [a])]
    assert refine(prompts) == {a, b}  # 4 and 3 of 4: at least 70 %
    assert refine(prompts, share=0.8) == {a}
    assert refine(prompts, share=0.2) == {a, b}  # 1 of 4 is enough, but three prompts are wanted
    assert refine(prompts, share=0.2, at_least=1) == {a, b, c}
    assert refine([frozenset([a])] * 7 + [frozenset()] * 3) == {a}  # 7 of 10 is 70 %
    assert of_relation([frozenset([a])] + [frozenset([b])] * 10) == {b}
    with pytest.raises(gl.InputError, match="at_least from 1 to the 2 sets"):
        refine(prompts[:2])


# ------------------------------------------------------------------------------------------------ suppressed, amplified


def test_suppressing_knowledge_neurons_hurts_the_answer_and_random_ones_do_not() -> None:
    """Paired over facts: the mean relative change of the right answer's probability over its wordings."""
    score, x = score_of(slice(None))
    known = knowledge_neurons(score, x, NAMES, position=-1, as_published=True)
    found = known.found()
    own, drawn = [], []
    for fact in range(0, 2 * SUBJECTS, 3):
        rows = slice(WORDINGS * fact, WORDINGS * (fact + 1))
        neurons = refine(found[rows])
        others = known.drawn_like([neurons] * len(found))[rows.start]
        assert 0 < len(neurons) < 2 * WIDTH
        of_fact, prompts = score_of(rows)
        own.append(effect(of_fact, prompts, neurons, position=-1).ratio.mean())
        drawn.append(effect(of_fact, prompts, others, position=-1).ratio.mean())
    hurt, random = torch.stack(own), torch.stack(drawn)
    assert (hurt < random).all()
    assert hurt.mean() < -0.25
    assert random.mean().abs() < 0.05


def test_changed_scores_are_the_models_with_a_hook_and_leave_it_alone() -> None:
    score, x = score_of(slice(0, 4))
    neurons, where = {(NAMES[1], 3), (NAMES[0], 5), (NAMES[1], 9)}, torch.tensor([1, 0, 1, 1])
    model: Any = trained()
    for factor, changed in ((0.0, suppress), (2.0, amplify)):
        other = changed(score, neurons, position=where)
        a = gl.attribute(
            gl.Score(other.model, score.target, site=gl.Layer("model.words"), context=other.context), x, steps=1
        )
        handles = [
            model.blocks[0].act.register_forward_hook(lambda m, i, o, f=factor: by_hand(o, where, [5], f)),
            model.blocks[1].act.register_forward_hook(lambda m, i, o, f=factor: by_hand(o, where, [3, 9], f)),
        ]
        expected = model(x)[:, -1].softmax(1)[torch.arange(4), facts()[1][:4]]
        for handle in handles:
            handle.remove()
        torch.testing.assert_close(a.score, expected.double(), rtol=0, atol=1e-6)
        found = effect(score, x, neurons, position=where, factor=factor)
        torch.testing.assert_close(found.after, expected.double(), rtol=0, atol=1e-6)
        torch.testing.assert_close(found.ratio, found.after / found.before - 1)
    plain = model(x)[:, -1].softmax(1)[torch.arange(4), facts()[1][:4]]
    torch.testing.assert_close(found.before, plain.double(), rtol=0, atol=1e-6)
    assert not any(m._forward_hooks for m in model.modules())


def by_hand(output: Tensor, where: Tensor, own: list[int], factor: float) -> Tensor:
    changed = output.clone()
    for row, place in enumerate(where.tolist()):
        changed[row, place, own] *= factor
    return changed


def test_refusals() -> None:
    score, x = score_of(slice(0, 2))
    with pytest.raises(gl.InputError, match="position as a whole number"):
        knowledge_neurons(score, x, NAMES, position=torch.tensor([0.5, 1.0]), steps=2)
    with pytest.raises(gl.BaselineError, match="a position below 2, got 2"):
        knowledge_neurons(score, x, NAMES, position=2, steps=2)
    with pytest.raises(gl.SiteError, match="did you mean"):
        knowledge_neurons(score, x, ["model.blocks.0.akt"], position=0, steps=2)
    with pytest.raises(gl.SiteError, match="list of layers"):
        knowledge_neurons(score, x, NAMES[0], position=0, steps=2)
    with pytest.raises(gl.InputError, match="says the nodes, got tol"):
        knowledge_neurons(score, x, NAMES, position=0, tol=0.1, as_published=True)
    with pytest.raises(gl.InputError, match=r"neurons from 0 to 63, got \[64\]"):
        effect(score, x, {(NAMES[0], 64)}, position=0)
    with pytest.raises(gl.InputError, match="at least one neuron"):
        effect(score, x, [], position=0)
    with pytest.raises(gl.SiteError, match="nowhere"):
        scaled(score, {("nowhere", 1)}, 0.5, position=0)


# ------------------------------------------------------------------------------------------------ value vectors


def test_value_vectors_are_the_stream_with_and_without_each_neuron() -> None:
    model: Any = trained()
    x, answers = facts()[0][:3], facts()[1][:3]
    found = log_probability_increase(model, x, answers, decoder=DECODER)
    anew = log_probability_increase(model, x, answers, decoder=DECODER, blocks=[1], recomputed_norm=True)
    streams, activations = parts(model, x)
    for i in range(3):
        final, w = streams[2][i], int(answers[i])
        sigma = (final.var(correction=0) + model.norm.eps).sqrt()

        def frozen(r: Tensor, sigma: Tensor = sigma, w: int = w) -> Tensor:
            return model.head((r - r.mean()) / sigma * model.norm.weight + model.norm.bias).log_softmax(0)[w]

        def own(r: Tensor, w: int = w) -> Tensor:
            return model.head(model.norm(r)).log_softmax(0)[w]

        for b in (0, 1):
            r, m, vectors = streams[b][i], activations[b][i], model.blocks[b].down.weight.T
            raised = torch.stack([frozen(r + m[v] * vectors[v]) - frozen(r) for v in range(2 * WIDTH)])
            torch.testing.assert_close(found.scores[b][i], raised, rtol=0, atol=1e-4)
            torch.testing.assert_close(found.log_probability[i, b], frozen(r), rtol=0, atol=1e-4)
        raised = torch.stack([own(r + m[v] * vectors[v]) - own(r) for v in range(2 * WIDTH)])
        torch.testing.assert_close(anew.scores[0][i], raised, rtol=0, atol=1e-4)
    assert found.blocks == (0, 1)
    assert anew.blocks == (1,)


def parts(model: Any, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Streams in front of the feed-forward parts and the final norm, and activations, at the last word."""
    h, streams, activations = model.words(x) + model.places(torch.arange(2)), [], []
    for block in model.blocks:
        q, k, v = block.qkv(block.ln_1(h)).chunk(3, -1)
        hidden = torch.full((2, 2), -torch.inf).triu(1)
        h = h + block.out((q @ k.transpose(1, 2) / math.sqrt(WIDTH) + hidden).softmax(-1) @ v)
        m = block.act(block.up(block.ln_2(h)))
        streams.append(h[:, -1])
        activations.append(m[:, -1])
        h = h + block.down(m)
    return [*streams, h[:, -1]], activations


def test_gpt2_and_llama_are_known() -> None:
    """One neuron of Llama by its modules: log p(word | r + m v) − log p(word | r), both normed anew."""
    words = {"vocab_size": 32, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.3}
    shape = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(4)
    gpt2 = GPT2LMHeadModel(GPT2Config(**words, n_embd=16, n_layer=2, n_head=2, n_positions=8)).eval()
    llama: Any = LlamaForCausalLM(LlamaConfig(**words, **shape)).eval()
    ids = {"input_ids": torch.tensor([[3, 9, 4], [7, 7, 1]])}
    assert find_decoder(gpt2).blocks == ("transformer.h.0", "transformer.h.1")
    assert [s.shape for s in log_probability_increase(gpt2, ids, 5).scores] == [(2, 64), (2, 64)]
    found = log_probability_increase(llama, ids, 5, blocks=[1], recomputed_norm=True)
    heard: list[Tensor] = []
    mlp, before = llama.model.layers[1].mlp, llama.model.layers[1].post_attention_layernorm
    handles = [m.register_forward_pre_hook(lambda m, i: heard.append(i[0][:, -1])) for m in (before, mlp.down_proj)]
    with torch.no_grad():
        llama(**ids)
        r, m = heard
        moved = r[0] + m[0, 7] * mlp.down_proj.weight[:, 7]
        expected = [llama.lm_head(llama.model.norm(s)).log_softmax(-1)[5] for s in (moved, r[0])]
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(found.scores[0][0, 7], expected[0] - expected[1], rtol=0, atol=1e-5)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.modules())


def test_value_vectors_refuse_what_they_do_not_know() -> None:
    model, x = trained(), facts()[0][:2]
    with pytest.raises(gl.SiteError, match="built like GPT-2 or Llama, got Causal"):
        log_probability_increase(model, x, 3)
    with pytest.raises(gl.ModelError, match="what a block adds"):
        log_probability_increase(model, x, 3, decoder=Decoder(DECODER.blocks, "ln_1", "down", "norm", "head"))
    with pytest.raises(gl.SiteError, match="a linear down-projection in block"):
        log_probability_increase(model, x, 3, decoder=Decoder(DECODER.blocks, "ln_2", "act", "norm", "head"))
    with pytest.raises(gl.InputError, match="numbers of blocks from 0 to 1"):
        log_probability_increase(model, x, 3, blocks=[2], decoder=DECODER)
    with pytest.raises(gl.InputError, match="a word from 0 to 31, got 32"):
        log_probability_increase(model, x, 32, decoder=DECODER)
    with pytest.raises(gl.InputError, match="a tensor of 2 whole numbers"):
        log_probability_increase(model, x, torch.tensor([1, 2, 3]), decoder=DECODER)
