"""SST-2's sentences with words of known polarity, and what each of these words adds; for `word_polarity.py`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import gradline as gl
from gradline.core.random import generator

SEED = 0
NEGATIONS = frozenset(["n't", "not", "no", "never", "nothing", "neither", "nor", "without", "hardly", "barely"])


@dataclass(frozen=True)
class Sentence:
    """Words as SST-2 separates them; `polarity`: 1 and −1 by index, of the words that annotators labelled alone."""

    name: str
    words: tuple[str, ...]
    label: int
    polarity: dict[int, int]

    @property
    def is_negated(self) -> bool:
        return not NEGATIONS.isdisjoint(self.words)

    @property
    def is_mixed(self) -> bool:
        """It holds words of both polarities: no single sign is right for all."""
        return len(set(self.polarity.values())) == 2


def sentences(data: Path, count: int) -> list[Sentence]:
    """Drawn by the seed among the sentences that hold a word of known polarity; short ones first."""
    with (data / "sst_word_polarity.csv").open(encoding="utf-8") as file:
        known = {row["word"]: 2 * int(row["label"]) - 1 for row in csv.DictReader(file)}
    found = []
    with (data / "sst2_dev.csv").open(encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            words = tuple(row["sentence"].lower().split())
            polarity = {k: known[word] for k, word in enumerate(words) if word in known}
            if polarity:
                found.append(Sentence(f"sst2-dev-{number}", words, int(row["label"]), polarity))
    drawn = torch.randperm(len(found), generator=generator(SEED, "sst2", "sentences"))[:count].tolist()
    return sorted((found[i] for i in drawn), key=lambda s: len(s.words))


@dataclass(frozen=True, eq=False)
class Batch:
    """`ids`, `mask (N, T)`; `word`, of the same shape: the index of each token's word, −1 for special tokens."""

    sentences: Sequence[Sentence]
    ids: Tensor
    mask: Tensor
    word: Tensor

    @classmethod
    def of(cls, sentences: Sequence[Sentence], tokenizer: Any) -> Batch:
        made = tokenizer(
            [list(s.words) for s in sentences], is_split_into_words=True, padding=True, return_tensors="pt"
        )
        words = [[-1 if w is None else w for w in made.word_ids(i)] for i in range(len(sentences))]
        return cls(sentences, made["input_ids"], made["attention_mask"], torch.tensor(words))

    def attribute(self, model: Any, method: Any = None, **options: Any) -> Any:
        site, context = gl.Layer(model.get_input_embeddings()), {"attention_mask": self.mask}
        score = gl.Score(model, gl.Margin(1, 0), site=site, context=context)
        names = [s.name for s in self.sentences]
        return gl.attribute(score, {"input_ids": self.ids}, method, names=names, **options)

    def word_sums(self, values: Tensor) -> list[Tensor]:
        """What each word adds, from a map `(N, T, D)`."""
        tokens = values.double().sum(2)
        sums = []
        for sentence, word, row in zip(self.sentences, self.word, tokens, strict=True):
            own = word >= 0
            sums.append(torch.zeros(len(sentence.words), dtype=torch.float64).index_add_(0, word[own], row[own]))
        return sums
