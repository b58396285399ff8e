"""Sentences judged by the polarity of their words, which is known."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from gradline.core import random
from gradline.question.score import Score
from gradline.question.sites import Layer
from gradline.question.targets import Logit
from gradline.sanity.tasks.base import Task

GOOD = ("good", "fine", "bright", "warm", "witty", "moving", "superb", "delightful")
BAD = ("bad", "poor", "dull", "cold", "clumsy", "tedious", "dreadful", "unbearable")
PLAIN = (
    "the",
    "a",
    "film",
    "plot",
    "actor",
    "scene",
    "is",
    "was",
    "and",
    "with",
    "music",
    "by",
    "of",
    "camera",
    "this",
)
VOCABULARY = ("<pad>", *GOOD, *BAD, *PLAIN)
"""Words in the order of their ids; the n-th good or bad word has polarity ± (1 + (n mod 3)/2), 0 all others."""

POSITIONS, WIDTH, EXAMPLES = 12, 8, 24


class BagOfWords(nn.Module):
    """Ids `(N, T)` to two logits −s and s, `s = Σ_t v·e(word_t)`, where `v·e(word)` is the polarity of the word.

    Across v an embedding is noise of the size of the strongest polarity; padding is the zero vector.
    """

    def __init__(self) -> None:
        super().__init__()
        chance = random.generator(0, "words", "embedding")
        polarity = polarities()[:, None]
        direction = torch.randn(WIDTH, generator=chance, dtype=torch.float64)
        noise = torch.randn(len(polarity), WIDTH, generator=chance, dtype=torch.float64)
        square = direction @ direction
        table = noise + (polarity - (noise @ direction)[:, None]) * direction / square
        table[0] = 0.0
        self.embedding = nn.Embedding.from_pretrained(table)  # type: ignore[no-untyped-call]
        self.direction = nn.Parameter(direction, requires_grad=False)

    def forward(self, ids: Tensor) -> Tensor:
        s = (self.embedding(ids) @ self.direction).sum(1)
        return torch.stack([-s, s], 1)


def polarities() -> Tensor:
    """The polarity of each word of the vocabulary: float64 `(V,)`."""
    sizes = [1 + (n % 3) / 2 for n in range(len(GOOD))]
    return torch.tensor([0.0, *sizes, *(-s for s in sizes), *[0.0] * len(PLAIN)], dtype=torch.float64)


@cache
def words() -> Task:
    """Sentences of 12 words, two or three of the class's polarity, one against it, explained at the embedding.

    The logit of the class is linear in the embeddings, so that `A = ± e ∘ v` from padding, ± 1 by class, and a word's
    values add up to plus or minus its polarity. `swapped`: every word of polarity in exchange for its opposite.
    """
    model = BagOfWords()
    y = torch.arange(EXAMPLES) % 2
    ids = torch.stack([_sentence(i, bool(label)) for i, label in enumerate(y.tolist())])
    sign = (2.0 * y - 1).double()[:, None, None]

    def rule(x: Tensor) -> Tensor:
        seen: Tensor = model.embedding(x)
        return sign[: len(x)] * seen.detach() * model.direction.detach()

    masks = (sign * polarities()[ids][..., None] > 0).double()
    count = len(GOOD)
    opposite = torch.where(ids <= count, ids + count, ids - count)
    swapped = torch.where((ids >= 1) & (ids <= 2 * count), opposite, ids)
    score = Score(model, Logit(y), site=Layer("embedding"))
    return Task("words", score, ids, rule(ids), masks, True, rule=rule, swapped=swapped, other=1 - y)


def _sentence(number: int, good: bool) -> Tensor:
    """Ids `(12,)` of a sentence whose polarity is sure: two or three for, one of the weakest against."""
    chance = random.generator(0, f"words {number}", "sentence")
    first, against = (1, 1 + len(GOOD)) if good else (1 + len(GOOD), 1)
    strong = first + torch.randperm(len(GOOD), generator=chance)[: 2 + number // 2 % 2]
    plain = 1 + 2 * len(GOOD) + torch.randint(len(PLAIN), (POSITIONS - len(strong) - 1,), generator=chance)
    together = torch.cat([strong, torch.tensor([against]), plain])
    return together[torch.randperm(POSITIONS, generator=chance)]
