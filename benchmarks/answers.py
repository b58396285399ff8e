"""Answers of a real language model, explained (half a minute on one core).

    GRADLINE_DATA=<data pack> python benchmarks/answers.py

The pack's story model as a LlamaForCausalLM. For each of twelve beginnings of stories its own answer of up to twelve
tokens is explained as a whole, from the mean embedding, to 5 %, and compared with a map to 1 %; and from zero
embeddings, where the first norm makes nearly all of the change near the start. Model rows are counted: an answer costs
what its first token costs. Writes answers.json beside it.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intervals import wilson
from language_models import STORIES, pieces, story_model
from torch import Tensor

import gradline as gl

OUT = Path(__file__).with_suffix(".json")
TOL, FINE, LONGEST = 0.05, 0.01, 12


def answer(model: Any, ids: Tensor) -> Tensor:
    """What the model writes by itself."""
    with torch.no_grad():
        for _ in range(LONGEST):
            ids = torch.cat([ids, model(input_ids=ids).logits[:, -1:].argmax(2)], 1)
    return ids


def span(whole: Tensor, start: int, count: int) -> gl.TokenSpan:
    """The log-probability of `count` tokens behind the prompt."""
    at = torch.arange(start, start + count)
    return gl.TokenSpan(whole[:, at], at - 1)


def explained(model: Any, whole: Tensor, start: int, from_: Tensor, count: int = LONGEST, **budget: Any) -> Any:
    """The prompt, from other embeddings; the answer is held."""
    table = model.get_input_embeddings()
    begin = table(whole).detach()
    begin[:, 1:start] = from_
    at = gl.baselines.AtSite(gl.baselines.Given(begin))
    x = {"input_ids": whole}
    return gl.explain(model, x, span(whole, start, count), site=gl.Layer(table), baseline=at, **budget)


def main() -> None:
    began = time.process_time()
    torch.set_num_threads(1)
    pack = np.load(Path(os.environ["GRADLINE_DATA"]) / "models" / "tinystories260k.npz")
    model = story_model(pack)
    table = model.get_input_embeddings().weight.detach()
    mean, zero = table.mean(0), torch.zeros_like(table[0])
    rows = {"mean": [], "zero": []}
    first, whole_span = [], []
    for story in STORIES:
        ids = torch.tensor([pieces(pack, story.format("Lily"))])
        start = ids.shape[1]
        whole = answer(model, ids)
        for name, from_ in (("mean", mean), ("zero", zero)):
            a = explained(model, whole, start, from_, tol=TOL)
            due = explained(model, whole, start, from_, tol=FINE, max_evaluations=2048)
            even = explained(model, whole, start, from_, steps=50)
            rows[name].append(
                {
                    "converged": a.status[0] is gl.Status.CONVERGED,
                    "error": float((a.values - due.values).norm() / due.values.norm()),
                    "gradients": int(a.evaluations[0]),
                    "error of 50 midpoints": float((even.values - due.values).norm() / due.values.norm()),
                }
            )
        first.append(int(explained(model, whole, start, mean, count=1, steps=16).evaluations[0]))
        whole_span.append(int(explained(model, whole, start, mean, steps=16).evaluations[0]))
    found: dict[str, Any] = {name: summary(one) for name, one in rows.items()}
    found["gradients with steps=16, first token / whole answer"] = [first[0], whole_span[0]]
    assert first == whole_span
    seconds = round(time.process_time() - began, 1)
    found["made with"] = {"torch": torch.__version__, "machine": platform.machine(), "seconds of one core": seconds}
    OUT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=1))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    sure = [row for row in rows if row["converged"]]
    hits = sum(row["error"] <= TOL for row in sure)
    low, high = wilson(hits, len(sure))
    return {
        "answers": len(rows),
        "converged": len(sure),
        "of those within 5 %": {"share": hits / max(1, len(sure)), "low": low, "high": high},
        "median error": float(np.median([row["error"] for row in rows])),
        "median gradients": float(np.median([row["gradients"] for row in rows])),
        "median error of 50 midpoints": float(np.median([row["error of 50 midpoints"] for row in rows])),
    }


if __name__ == "__main__":
    main()
