"""Scores of edges: against a transformer with a stream for every head, closed forms, patched edges, wrong calls."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_transformers import Tiny, wiring
from torch import Tensor, nn

import gradline as gl
from gradline.neurons.circuits.circuit import Circuit, Edges, circuit_of
from gradline.neurons.circuits.faithfulness import circuit_score
from gradline.neurons.circuits.scores import edges
from gradline.neurons.circuits.wiring import Attention, Block, Heads, Mlp, Wiring, wiring_of

CLEAN = torch.tensor([[1, 4, 2, 6, 3], [0, 5, 5, 2, 1], [3, 3, 1, 0, 6]])
CORRUPTED = torch.tensor([[1, 0, 2, 5, 3], [4, 5, 5, 2, 6], [3, 3, 2, 0, 6]])


def tiny(**options: Any) -> Tiny:
    torch.manual_seed(1)
    return Tiny(7, 5, **options).double().eval()


def split_scores(model: Tiny, clean: Tensor, corrupted: Tensor, nodes: list[float]) -> dict[str, Tensor]:
    """EAP-IG from scratch: every q, k, v, MLP and the logits read a copy of the stream of their own."""
    ends, _, _ = split_run(model, model.embed(clean))
    starts, _, _ = split_run(model, model.embed(corrupted))
    found: dict[str, Tensor] = {}
    for t in nodes:
        e, e_0 = model.embed(clean), model.embed(corrupted)
        _, copies, logits = split_run(model, e_0 + t * (e - e_0))
        grads = torch.autograd.grad((logits[:, 2] - logits[:, 3]).sum(), list(copies.values()), allow_unused=True)
        for (name, (copy)), grad in zip(copies.items(), grads, strict=True):
            for u in copy.sees:  # type: ignore[attr-defined]
                move = (ends[u] - starts[u]).detach()
                score = torch.zeros(len(clean)).double() if grad is None else (move * grad).sum((1, 2))
                found[f"{u}->{name}"] = found.get(f"{u}->{name}", 0) + score / len(nodes)
    return found


def split_run(model: Tiny, embedded: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    sources, copies = {"input": embedded}, {}
    rest = model.place.expand_as(embedded)

    def copy(name: str) -> Tensor:
        own = (rest + torch.stack(list(sources.values())).sum(0)).clone()
        own.sees = list(sources)  # type: ignore[attr-defined]
        copies[name] = own
        return own

    future = torch.ones(embedded.shape[1], embedded.shape[1]).triu(1).bool()
    for layer, block in enumerate(model.blocks):
        a, written = block.attention, {}
        for h in range(a.heads):
            rows = slice(h * a.size, (h + 1) * a.size)
            q, k, v = (
                block.norm_1(copy(f"a{layer}.h{h}<{name}>")) @ f.weight[rows].T + f.bias[rows]
                for name, f in (("q", a.q), ("k", a.k), ("v", a.v))
            )
            logits = q @ k.mT / a.size**0.5 if a.fixed is None else (a.fixed[h] + 0 * (q @ k.mT))
            pattern = logits.masked_fill(future, -torch.inf).softmax(-1)
            written[f"a{layer}.h{h}"] = pattern @ v @ a.o.weight[:, rows].T
        sources |= written
        rest = rest + a.o.bias
        if block.with_mlp:
            sources[f"m{layer}"] = block.mlp(block.norm_2(copy(f"m{layer}")))
    return sources, copies, model.head(model.norm(copy("logits")))[:, -1]


@pytest.mark.parametrize(
    ("rule", "nodes"),
    [
        (gl.rules.Midpoint, [1 / 6, 0.5, 5 / 6]),
        (gl.rules.RightRiemann, [1 / 3, 2 / 3, 1]),
        (gl.rules.LeftRiemann(), [0, 1 / 3, 2 / 3]),
    ],
)
def test_scores_are_those_of_a_transformer_with_a_stream_for_every_input(rule: Any, nodes: list[float]) -> None:
    model = tiny()
    score = gl.Score(model, gl.Margin(2, 3))
    found = edges(score, CLEAN, CORRUPTED, wiring=wiring(model), rule=rule, steps=3)
    truth = split_scores(model, CLEAN, CORRUPTED, nodes)
    assert set(found.names) == set(truth)
    torch.testing.assert_close(found.values, torch.stack([truth[n] for n in found.names], 1), rtol=0, atol=1e-10)
    assert found.values.abs().sum(0).gt(0).sum() > 0.9 * len(found.names)
    assert found.evaluations.tolist() == [3] * 3
    assert found.forward_evaluations.tolist() == [3] * 3


def test_batches_and_order_do_not_matter_and_nothing_is_left_behind() -> None:
    model = tiny().train()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    score = gl.Score(model, gl.Margin(2, 3))
    whole = edges(score, CLEAN, CORRUPTED, wiring=wiring(model))
    small = edges(score, CLEAN, CORRUPTED, wiring=wiring(model), memory=1)
    torch.testing.assert_close(small.values, whole.values, rtol=0, atol=1e-12)
    turned = edges(gl.Score(model, gl.Margin(2, 3)), CLEAN.flip(0), CORRUPTED.flip(0), wiring=wiring(model))
    torch.testing.assert_close(turned.values.flip(0), whole.values, rtol=0, atol=1e-12)
    assert model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert "a0.h0" in repr(whole) or "input" in repr(whole)


def test_in_a_linear_model_a_score_is_what_patching_the_edge_changes() -> None:
    model = tiny(linear=True)
    score, wired = gl.Score(model, 2), wiring(model)
    found = edges(score, CLEAN, CORRUPTED, wiring=wired, steps=1)
    for e, name in list(enumerate(found.names))[::4]:
        kept = torch.ones(len(found.names), dtype=torch.bool)
        kept[e] = False
        patched = circuit_score(score, Circuit(found.graph, kept), CLEAN, CORRUPTED)
        torch.testing.assert_close(found.score - patched.values, found.values[:, e], rtol=0, atol=1e-10, msg=name)
    torch.testing.assert_close(found.completeness_gap, torch.zeros(3).double(), rtol=0, atol=1e-10)


def test_sums_that_hold() -> None:
    """Into the logits: the last stream's move times its gradient. Out of a source: its move times its whole gradient.
    Out of the input: F(clean) − F(corrupted), up to the rule's error."""
    model = tiny()
    with torch.no_grad():
        model.embed.weight *= 0.3
    score, wired = gl.Score(model, 2), wiring(model)
    found = edges(score, CLEAN, CORRUPTED, wiring=wired, rule=gl.rules.RightRiemann, steps=1)
    seen: dict[str, list[Tensor]] = {"norm": [], "mlp": []}
    handles = [
        model.norm.register_forward_pre_hook(lambda _, args: seen["norm"].append(args[0])),
        model.blocks[0].mlp.register_forward_hook(lambda _, __, out: seen["mlp"].append(out)),
    ]
    value = model(CLEAN)[:, 2]
    model(CORRUPTED)
    for handle in handles:
        handle.remove()
    grads = torch.autograd.grad(value.sum(), [seen["norm"][0], seen["mlp"][0]])
    sums = [((a - b) * g).sum((1, 2)) for (a, b), g in zip(seen.values(), grads, strict=True)]
    ends = [(name.split("->")[0], name.split("->")[1]) for name in found.names]
    into = torch.tensor([v == "logits" for _, v in ends])
    out = torch.tensor([u == "m0" for u, _ in ends])
    torch.testing.assert_close(found.values[:, into].sum(1), sums[0].detach(), rtol=0, atol=1e-10)
    torch.testing.assert_close(found.values[:, out].sum(1), sums[1].detach(), rtol=0, atol=1e-10)
    assert found.nodes["m0"] == pytest.approx(sums[1].mean().item())
    gaps = [edges(score, CLEAN, CORRUPTED, wiring=wired, steps=steps).completeness_gap.abs().max() for steps in (8, 32)]
    assert gaps[1] < 1e-2
    assert gaps[0] / gaps[1] == pytest.approx(16, rel=0.3)


# ------------------------------------------------------------------------------------------------ Hugging Face


def near_twins(model: Any, embedding: nn.Embedding, step: float = 1e-4) -> tuple[Any, Tensor, Tensor]:
    """Tokens 10 to 19 are almost tokens 0 to 9: corrupting one moves its embedding by little."""
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        moved = torch.randn(10, embedding.embedding_dim, dtype=torch.float64)
        embedding.weight[10:] = embedding.weight[:10] + step * moved
    clean = torch.tensor([[1, 4, 2, 6, 3], [0, 5, 5, 2, 1]])
    corrupted = clean + 10 * torch.tensor([[1, 0, 1, 0, 1], [0, 1, 1, 0, 1]])
    return model, clean, corrupted


def hugging_face(kind: str) -> tuple[Any, Tensor, Tensor]:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    common: dict[str, Any] = {"vocab_size": 20, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
    sizes = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    if kind == "gpt2":
        config = transformers.GPT2Config(n_embd=12, n_head=3, n_layer=2, n_positions=8, **common)
        model = transformers.GPT2LMHeadModel(config)
        return near_twins(model, model.transformer.wte)
    if kind == "neox":
        common |= {"rotary_pct": 1.0, "max_position_embeddings": 16, "use_parallel_residual": True}
        config = transformers.GPTNeoXConfig(**(sizes | {"hidden_size": 16}), **common)
        model = transformers.GPTNeoXForCausalLM(config)
        return near_twins(model, model.gpt_neox.embed_in)
    common |= {"num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 16}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, **common))
    return near_twins(model, model.model.embed_tokens, 1e-3)  # its norms compute in float32


NEOX = "gpt_neox.layers.1"


def answer(output: Any) -> Tensor:
    logits: Tensor = output.logits
    return logits[:, -1, 3] - logits[:, -1, 7]


@pytest.mark.parametrize("kind", ["gpt2", "neox", "llama"])
def test_scores_are_first_order_effects_of_patched_edges_in_hugging_face_models(kind: str) -> None:
    model, clean, corrupted = hugging_face(kind)
    score = gl.Score(model, answer)
    found = edges(score, {"input_ids": clean}, {"input_ids": corrupted}, steps=1)
    assert (found.completeness_gap.abs() < 2e-3 * (found.score - found.baseline_score).abs().max()).all()
    scale = found.values.abs().max()
    for e in range(0, len(found.names), 9):
        kept = torch.ones(len(found.names), dtype=torch.bool)
        kept[e] = False
        patched = circuit_score(score, Circuit(found.graph, kept), {"input_ids": clean}, {"input_ids": corrupted})
        error = (found.score - patched.values - found.values[:, e]).abs().max()
        assert error < 2e-3 * scale, found.names[e]
    none = circuit_score(score, Circuit(found.graph, torch.zeros_like(kept)), clean, corrupted)
    every = circuit_score(score, Circuit(found.graph, torch.ones_like(kept)), clean, corrupted)
    torch.testing.assert_close(none.values, none.baseline_score, rtol=0, atol=1e-10)
    torch.testing.assert_close(every.values, every.score, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("edge", "gate", "projection", "rows"),
    [
        ("gpt2 m0->a1.h2<k>", "transformer.h.1.ln_1", "transformer.h.1.attn.c_attn", slice(20, 24)),
        ("llama m0->a1.h3<q>", "model.layers.1.input_layernorm", "model.layers.1.self_attn.q_proj", slice(12, 16)),
        ("llama input->a0.kv1<v>", "model.layers.0.input_layernorm", "model.layers.0.self_attn.v_proj", slice(4, 8)),
        ("neox m0->a1.h3<v>", f"{NEOX}.input_layernorm", f"{NEOX}.attention.query_key_value", slice(44, 48)),
    ],
)
def test_the_edge_patched_by_hand(edge: str, gate: str, projection: str, rows: slice) -> None:
    """With plain hooks: one head's q, k or v from a stream in which one source is the corrupted one."""
    kind, name = edge.split()
    model, clean, corrupted = hugging_face(kind)
    found = edges(gl.Score(model, answer), clean, corrupted, steps=1)
    parts = {"m0": {"gpt2": "transformer.h.0.mlp", "neox": "gpt_neox.layers.0.mlp"}.get(kind, "model.layers.0.mlp")}
    source = model.get_submodule(parts.get(name.split("->")[0], "model.embed_tokens"))
    norm, project = model.get_submodule(gate), model.get_submodule(projection)
    seen: list[Tensor] = []
    keep = source.register_forward_hook(lambda _, __, out: seen.append(out))
    with torch.no_grad():
        model(corrupted)
        model(clean)
        keep.remove()
        stream: list[Tensor] = []

        def patch(_: nn.Module, __: Any, out: Tensor) -> Tensor:
            out = out.clone()
            out[..., rows] = project.forward(norm.forward(stream[0] - (seen[1] - seen[0])))[..., rows]
            return out

        handles = [
            norm.register_forward_pre_hook(lambda _, args: stream.append(args[0])),
            project.register_forward_hook(patch),
        ]
        effect = answer(model(clean))
        for handle in handles:
            handle.remove()
        effect = answer(model(clean)) - effect
    value = found.values[:, found.names.index(name)]
    assert effect.abs().max() > (5e-6 if kind == "llama" else 1e-7)
    torch.testing.assert_close(value, effect, rtol=3e-2, atol=1e-7 if kind == "llama" else 1e-9)


def test_models_inside_modules_masks_and_grouped_heads() -> None:
    model, clean, corrupted = hugging_face("llama")
    mask = torch.tensor([[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    pair = {"input_ids": clean, "attention_mask": mask}, {"input_ids": corrupted, "attention_mask": mask}
    found = edges(gl.Score(model, answer), *pair)
    assert "a0.h1->a1.kv0<k>" in found.names
    assert found.graph.targets[4].name == "a0.kv0<k>"
    assert found.graph.targets[4].feeds == (1, 2)

    class Answers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            logits: Tensor = self.inner(input_ids=input_ids, attention_mask=attention_mask).logits
            return logits[:, -1]

    within = edges(gl.Score(Answers(), gl.Margin(3, 7), context={"attention_mask": mask}), clean, corrupted)
    torch.testing.assert_close(within.values, found.values, rtol=0, atol=1e-12)
    two = (clean, mask), (corrupted, mask)
    torch.testing.assert_close(edges(gl.Score(Answers(), gl.Margin(3, 7)), *two).values, found.values)


# ------------------------------------------------------------------------------------------------ wrong calls


def call(model: Any, clean: Any = CLEAN, corrupted: Any = CORRUPTED, **options: Any) -> Edges:
    target = options.pop("target", 2)
    return edges(gl.Score(model, target), clean, corrupted, **options)


def test_unknown_models_are_refused_with_what_was_found() -> None:
    with pytest.raises(gl.InputError, match=r"Tiny with 2 TinyBlock\(norm_1, .*\) at 'blocks'; describe it"):
        call(tiny())
    with pytest.raises(gl.InputError, match="no list of blocks"):
        wiring_of(nn.Linear(2, 2))
    with pytest.raises(gl.InputError, match=r"torch\.nn\.Module"):
        wiring_of(torch.relu)
    gpt2, _, _ = hugging_face("gpt2")
    with pytest.raises(gl.InputError, match="one transformer in the model, got 2"):
        wiring_of(nn.ModuleList([gpt2, gpt2.transformer.__class__(gpt2.config)]))


def test_wrong_examples_targets_and_options_are_refused() -> None:
    model = tiny()
    wired = wiring(model)
    for clean, corrupted, message in (
        (CLEAN, CORRUPTED[:, :4], "position by position"),
        (CLEAN, CORRUPTED[:2], "corrupted examples like"),
        (CLEAN[:0], CORRUPTED[:0], "at least one example"),
    ):
        with pytest.raises(gl.InputError, match=message):
            call(model, clean, corrupted, wiring=wired)
    with pytest.raises(gl.InputError, match="one target"):
        call(model, wiring=wired, target=[1, 2])
    with pytest.raises(gl.errors.TargetError):
        call(model, wiring=wired, target=9)
    with pytest.raises(gl.errors.TargetError, match="one scalar a row"):
        call(model, wiring=wired, target=lambda output: output)
    for options in ({"steps": 0}, {"rule": "midpoint"}, {"wiring": "gpt2"}, {"names": ["a"]}, {"memory": "much"}):
        with pytest.raises(gl.InputError):
            call(model, **{"wiring": wired, **options})
    llama, clean, corrupted = hugging_face("llama")
    ones = torch.ones_like(clean)
    pair = {"input_ids": clean, "attention_mask": ones}, {"input_ids": corrupted, "attention_mask": ones.tril()}
    with pytest.raises(gl.InputError, match="different input_ids, attention_mask"):
        call(llama, *pair, target=answer)
    with pytest.raises(gl.InputError, match="names of edges"):
        circuit_of(call(model, wiring=wired).graph, ["a0->b"])


def test_a_wiring_that_does_not_describe_the_model_is_refused() -> None:
    model = tiny()
    good = wiring(model)
    attention, mlp = good.blocks[0].attention, good.blocks[0].mlp
    assert attention is not None
    assert mlp is not None

    def rewired(*blocks: Block, end: str = "norm") -> Wiring:
        return Wiring("embed", (*blocks, good.blocks[1]), end)

    def attends(**changes: Any) -> Block:
        return Block(Attention(**{**vars(attention), **changes}), mlp)

    for wrong, message in (
        (rewired(), "add up to the stream that"),
        (rewired(Block(attention, None)), "add up to the stream that a1 reads"),
        (rewired(Block(attention, mlp, parallel=True)), "add up to the stream that m0 reads"),
        (rewired(attends(norm="blocks.0.norm_2")), "add up|norm and projections"),
        (rewired(attends(norm=None)), "add up to the stream that a0 reads"),
        (rewired(attends(query=Heads("blocks.0.attention.q", 9))), "at least 21 numbers"),
        (rewired(attends(output="blocks.0.attention.k", size=3)), "takes 3 × 3"),
        (rewired(attends(output="blocks.0.mlp")), "a torch.nn.Linear at 'blocks.0.mlp', got Sequential"),
        (rewired(attends(output="blocks.0.attention.out")), "did you mean"),
        (rewired(Block(attention, Mlp("blocks.0.mlp", norm="unused"))), "named_modules"),
    ):
        with pytest.raises(gl.errors.SiteError, match=message):
            call(model, wiring=wrong)
    with pytest.raises(gl.InputError, match="multiple of key_heads"):
        attends(key_heads=2)
    with pytest.raises(gl.InputError, match="at least one attention or MLP"):
        Wiring("embed", (), "norm")
    with pytest.raises(gl.InputError, match=r"gl\.neurons\.Block"):
        Wiring("embed", ("a",), "norm")  # type: ignore[arg-type]
