"""A model trained here, whose true heads are found by ablation and by their patterns: EAP-IG finds the same."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from tiny_transformers import Tiny, wiring
from torch import Tensor, nn
from torch.nn import functional

import gradline as gl
from gradline.neurons.circuits.circuit import Circuit, Edges, circuit_of
from gradline.neurons.circuits.faithfulness import circuit_score
from gradline.neurons.circuits.graph import Graph
from gradline.neurons.circuits.scores import edges
from gradline.neurons.circuits.wiring import Attention, Block, Heads, Mlp, Wiring

TOKENS, WORDS, HEADS, SIZE = 8, 12, 4, 8


@dataclass(frozen=True)
class Task:
    """Say what came after the earlier occurrence of the last token; corrupted, that occurrence is elsewhere."""

    model: Tiny
    clean: Tensor
    corrupted: Tensor
    at: Tensor
    right: Tensor
    wrong: Tensor

    @property
    def score(self) -> gl.Score:
        return gl.Score(self.model, gl.Margin(self.right, self.wrong))

    def margin(self) -> Tensor:
        with torch.no_grad():
            every = torch.arange(len(self.clean))
            logits = self.model(self.clean)
            return (logits[every, self.right] - logits[every, self.wrong]).mean()


@pytest.fixture(scope="module")
def task() -> Task:
    model, source = trained()
    n = torch.arange(64)
    clean = words(64, source)
    at, elsewhere = (torch.randint(low, low + 2, (64,), generator=source) for low in (1, 4))
    clean[:, -1] = clean[n, at]
    corrupted = clean.clone()
    corrupted[n, at], corrupted[n, elsewhere] = clean[n, elsewhere], clean[n, at]
    return Task(model, clean, corrupted, at, clean[n, at + 1], clean[n, elsewhere + 1])


def words(n: int, source: torch.Generator) -> Tensor:
    """Sequences without repetition."""
    return torch.rand(n, WORDS, generator=source).argsort(1)[:, :TOKENS].clone()


def trained() -> tuple[Tiny, torch.Generator]:
    """On two tasks, the other of which (the last token is a sign: say the first token) needs other heads.

    Heads cost, some more than others, so that one does the work of several.
    """
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Tiny(WORDS + 1, TOKENS, width=HEADS * SIZE, heads=HEADS, mlp=False)
        nn.init.normal_(model.place, std=0.5)
        nn.init.normal_(model.embed.weight, std=0.5)
    source = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.98))
    n = torch.arange(128)
    for _ in range(150):
        ids = words(128, source)
        at = torch.randint(0, TOKENS - 2, (128,), generator=source)
        sign = torch.rand(128, generator=source) < 0.3
        answer = torch.where(sign, ids[:, 0], ids[n, at + 1])
        ids[:, -1] = torch.where(sign, WORDS, ids[n, at])
        loss = functional.cross_entropy(model(ids), answer) + 0.02 * cost(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.double().eval(), source


def cost(model: Tiny) -> Tensor:
    sizes = []
    for block, prices in zip(model.blocks, ([3, 1, 4, 2], [4, 3, 1, 3]), strict=True):
        out = block.attention.o.weight.unflatten(1, (HEADS, SIZE)).square().sum((0, 2))
        value = block.attention.v.weight.unflatten(0, (HEADS, SIZE)).square().sum((1, 2))
        sizes.append((torch.tensor(prices) * ((out + 1e-6) * (value + 1e-6)).sqrt()).sum())
    return torch.stack(sizes).sum()


def ablated(task: Task, layer: int, head: int) -> float:
    """How much the margin falls with a head's result replaced by its mean over the examples."""
    rows = slice(head * SIZE, (head + 1) * SIZE)

    def mean(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        results = args[0].clone()
        results[..., rows] = results[..., rows].mean(0, keepdim=True)
        return (results,)

    before = task.margin()
    handle = task.model.blocks[layer].attention.o.register_forward_pre_hook(mean)
    after = task.margin()
    handle.remove()
    return float(before - after)


def true_heads(task: Task) -> tuple[int, int]:
    """The previous-token head and the induction head."""
    found = []
    task.margin()
    n = torch.arange(len(task.clean))
    for layer, (query, key) in enumerate(((task.at + 1, task.at), (torch.full_like(n, TOKENS - 1), task.at + 1))):
        falls = torch.tensor([ablated(task, layer, h) for h in range(HEADS)])
        attention = task.model.blocks[layer].attention.pattern[n, :, query, key].mean(0)
        head = int(falls.argmax())
        assert falls[head] > 2 * falls.sort().values[-2], "one head matters most"
        assert attention[head] > 0.8
        found.append(head)
    return found[0], found[1]


def test_the_known_circuit_is_recovered(task: Task) -> None:
    assert (task.model(task.clean).argmax(1) == task.right).double().mean() > 0.95
    previous, induction = true_heads(task)
    found = edges(task.score, task.clean, task.corrupted, wiring=wiring(task.model))
    for layer, head in enumerate((previous, induction)):
        scores = [found.nodes[f"a{layer}.h{h}"] for h in range(HEADS)]
        assert max(range(HEADS), key=scores.__getitem__) == head
    way = (f"input->a0.h{previous}<v>", f"a0.h{previous}->a1.h{induction}<k>", f"a1.h{induction}->logits")
    assert set(way) == {name for name, _ in found.top(3)}
    for circuit in (found.greedy(3), found.largest(3)):
        assert set(circuit.names) == set(way)
    small = found.greedy(8)
    assert len(small) < 0.11 * len(found.names)
    inside = circuit_score(task.score, small, task.clean, task.corrupted)
    outside = circuit_score(task.score, small.complement(), task.clean, task.corrupted)
    assert inside.faithfulness > 0.8
    assert abs(outside.faithfulness) < 0.1
    assert (inside.values > 0).double().mean() > 0.95
    assert inside.each.mean() == pytest.approx(inside.faithfulness, abs=0.2)
    assert outside.forward_evaluations.tolist() == [4] * 64


def test_pruning_changes_nothing_and_the_whole_is_the_clean_forward(task: Task) -> None:
    graph = Graph(wiring(task.model))
    kept = torch.rand(graph.size, generator=torch.Generator().manual_seed(3)) < 0.3
    circuit = Circuit(graph, kept)
    pruned = circuit.pruned()
    assert 3 < len(pruned) < len(circuit)
    pair = task.clean[:6], task.corrupted[:6]
    score = gl.Score(task.model, gl.Margin(task.right[:6], task.wrong[:6]))
    runs = [circuit_score(score, c, *pair) for c in (circuit, pruned)]
    torch.testing.assert_close(runs[0].values, runs[1].values, rtol=0, atol=1e-10)
    assert (runs[0].values - runs[0].score).abs().min() > 1e-3
    every = circuit_score(score, circuit_of(graph, graph.names), *pair, memory=1)
    torch.testing.assert_close(every.values, every.score, rtol=0, atol=1e-10)
    assert every.faithfulness == pytest.approx(1)


def small_graph() -> Graph:
    """One layer, one head, an MLP: 9 edges."""
    part = Attention(Heads("q"), Heads("k"), Heads("v"), "o", heads=1, size=2)
    return Graph(Wiring("e", (Block(part, Mlp("m")),), "n"))


def scored(values: dict[str, float]) -> Edges:
    graph = small_graph()
    row = torch.tensor([[values.get(name, 0.0) for name in graph.names]], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    return Edges(graph, row, one, 0 * one, one.long(), one.long())


def test_names_and_order() -> None:
    graph = small_graph()
    heads = tuple(f"input->a0.h0<{letter}>" for letter in "qkv")
    assert graph.names == (*heads, "input->m0", "a0.h0->m0", "input->logits", "a0.h0->logits", "m0->logits")
    assert graph.sources == ("input", "a0.h0", "m0")
    side = Graph(Wiring("e", (Block(graph.wiring.blocks[0].attention, Mlp("m"), parallel=True),), "n"))
    assert "a0.h0->m0" not in side.names
    assert side.size == 7


def test_circuits_on_paper() -> None:
    found = scored({"input->a0.h0<v>": 5, "a0.h0->m0": -4, "m0->logits": 3, "input->logits": 2, "input->m0": 1})
    assert found.top(2) == [("input->a0.h0<v>", 5.0), ("a0.h0->m0", -4.0)]
    assert found.nodes == {"input": 8.0, "a0.h0": -4.0, "m0": 3.0}
    assert float(found.completeness_gap) == 8 - 1
    assert len(found.largest(2)) == 0, "neither reaches the logits"
    assert found.largest(3).names == ("input->a0.h0<v>", "a0.h0->m0", "m0->logits")
    assert found.greedy(1).names == (), "m0 gets nothing"
    assert found.greedy(3).names == ("input->a0.h0<v>", "a0.h0->m0", "m0->logits")
    assert set(found.greedy(4).names) == {*found.greedy(3).names, "input->logits"}
    assert found.above(2.5).names == found.greedy(3).names
    assert len(found.greedy(99)) == found.graph.size
    assert found.greedy(3).nodes == {"input": 1, "a0.h0": 1, "m0": 1}
    for wrong in (lambda: found.top(0), lambda: found.greedy(True), lambda: found.above(-1)):
        with pytest.raises(gl.InputError):
            wrong()
    with pytest.raises(gl.InputError, match="boolean"):
        Circuit(found.graph, torch.ones(8))
    with pytest.raises(gl.InputError, match="a circuit"):
        circuit_score(gl.Score(nn.Linear(2, 2), 0), "all", torch.ones(1, 2), torch.ones(1, 2))  # type: ignore[arg-type]
