"""What ways through the words of a vocabulary have in common: tokens pass other words, each feature monotonely."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from numbers import Integral
from typing import Self

import torch
from torch import Tensor

from gradline.core.adaptive import adaptive
from gradline.core.fixed import fixed
from gradline.core.flow import Flow, Frame
from gradline.core.paths.base import Budget, Curve, FixedBudget, ToleranceBudget
from gradline.core.paths.neighbours import CLOSE, Around, Nearest
from gradline.core.paths.polyline import Polyline, place, tangent
from gradline.errors import InputError


class Strategy(StrEnum):
    """Which of the words around a token is passed next."""

    GREEDY = "greedy"
    """The one that has to be changed least, in L2, to lie between here and the end of the way."""

    MAX_COUNT = "max-count"
    """The one with the most features that lie there already."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """Words of M tokens: embeddings `point (M, D)`, places in the vocabulary `at (M,)`, −1 for none."""

    point: Tensor
    at: Tensor


@dataclass(frozen=True, eq=False)
class Anchored(Curve):
    """A polyline of m + 1 equal stretches of t for each token, the last axis: from x' by way of m words to x.

    It is laid from x on. c_0 = x; of the free words around, one is chosen (`strategy`), and c_j is its embedding v
    where v lies between c_{j−1} and x', and c_{j−1} − (c_{j−1} − x') / m in all other features. So every feature goes
    one way. Free is what is not x, not x' and not yet passed. A token with x' = x (padding, special tokens) stays.
    `vocabulary (V, D)`: the embedding matrix, for points `(…, D)`; None until a text case, or `within`, fills it in.
    `anchors`: m ≥ 1. `neighbours`: how many words are looked at, all at most. `from_words`: as in the authors' code,
    v is compared with the last word instead of c_{j−1} when words are chosen, and a token without a free word goes to
    x' at once. Corners are kept for all examples of a group, (m + 2) numbers a feature. Raises `InputError`.

    A fixed rule moves by exact increments. To a tolerance, the controller sees a bend at each corner.
    """

    vocabulary: Tensor | None = None
    strategy: Strategy = Strategy.GREEDY
    anchors: int = 30
    neighbours: int = 500
    from_words: bool = False

    def __post_init__(self) -> None:
        words = self.vocabulary
        if words is not None:
            if not (isinstance(words, Tensor) and words.ndim == 2 and words.is_floating_point() and len(words)):
                got = f"shape {tuple(words.shape)}, {words.dtype}" if isinstance(words, Tensor) else repr(words)[:80]
                remedy = "pass model.get_input_embeddings().weight"
                raise InputError("vocabulary as an embedding matrix (V, D), floating", got, remedy)
            if not torch.isfinite(words.detach()).all():
                raise InputError("a finite vocabulary", "NaN or infinite values")
        if not isinstance(self.strategy, Strategy):
            raise InputError("strategy as one of gl.paths.Strategy", repr(self.strategy))
        for name, value in (("anchors", self.anchors), ("neighbours", self.neighbours)):
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise InputError(f"{name} as a whole number of at least 1", f"{value!r}")

    def within(self, vocabulary: Tensor) -> Self:
        """The same path where the words are known; unchanged if it has its own."""
        return self if self.vocabulary is not None else replace(self, vocabulary=vocabulary)

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return place(self.corners(start.unsqueeze(1), end)[:, 0], t)

    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        return tangent(self.corners(start.unsqueeze(1), end)[:, 0], t)

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        corners = self.corners(frame.start, frame.end)
        with _booked(frame, corners.element_size() * corners.numel()):
            line = Polyline(frame, corners)
            match budget:
                case ToleranceBudget(tol, max_evaluations):
                    return (yield from adaptive(frame, line, tol, max_evaluations))
                case FixedBudget(steps, rule):
                    return (yield from fixed(frame, line, rule, steps))
                case _:
                    raise TypeError("a discretized path needs a tolerance or a number of steps")

    def corners(self, start: Tensor, end: Tensor) -> Tensor:
        """The corners `(B, K, m + 2, *F)` of the ways from `start (B, K, *F)` to `end (B, *F)`, in this order."""
        words = Nearest(self._fitting(end).detach().to(end))
        end = end.unsqueeze(1).expand_as(start)
        first, last = (tensor.reshape(-1, end.shape[-1]) for tensor in (start, end))
        found = last.unsqueeze(1).repeat(1, self.anchors + 2, 1)
        found[:, 0] = first
        rows = (first != last).any(1).nonzero()[:, 0]
        if len(rows):
            found[rows, 1:-1] = self._ways(words, first[rows], last[rows]).flip(1)
        return found.reshape(*start.shape[:-1], *found.shape[1:]).movedim(-2, 2)

    def _fitting(self, end: Tensor) -> Tensor:
        if self.vocabulary is None:
            raise InputError(
                "a vocabulary (V, D), the words that the path goes by",
                "none",
                "pass vocabulary=model.get_input_embeddings().weight and site=gl.Layer(that embedding), or use "
                "gl.explain_text, which knows",
            )
        if end.ndim < 2 or end.shape[-1] != self.vocabulary.shape[1]:
            remedy = "drive the path where words are embedded: site=gl.Layer(model.get_input_embeddings())"
            raise InputError(f"points (…, {self.vocabulary.shape[1]}), as the words are", f"{tuple(end.shape)}", remedy)
        return self.vocabulary

    def _ways(self, words: Nearest, start: Tensor, end: Tensor) -> Tensor:
        """The m inner corners from x on, of tokens with ends `(M, D)`: `(M, m, D)`."""
        here, word, at = end, end, words.place(end)
        taken = torch.stack([words.place(start), at], 1)
        corners = []
        for step in range(self.anchors):
            asked, seen_from = self.around(start, end, Word(word, at), step), word if self.from_words else here
            next_at, passed = self._next(words, start, seen_from, taken, asked)
            some = (next_at >= 0).unsqueeze(1)
            at, word = torch.where(some[:, 0], next_at, at), torch.where(some, passed, word)
            here = torch.where(some, self.between(passed, start, here), self.without(start, end, here, step))
            taken = torch.cat([taken, at[:, None]], 1)
            corners.append(here)
        return torch.stack(corners, 1)

    def _next(self, words: Nearest, start: Tensor, here: Tensor, taken: Tensor, asked: Word) -> tuple[Tensor, Tensor]:
        """The next words of M tokens: their places `(M,)`, −1 for none, and embeddings `(M, D)`."""
        index = words.candidates(asked.point, self.neighbours, asked.at)
        size = max(1, CLOSE // (index.shape[1] * start.shape[1]))
        parts = zip(*(torch.split(t, size) for t in (index, start, here, taken, asked.point, asked.at)), strict=True)
        chosen = []
        for index, start, here, taken, point, at in parts:
            around = words.among(index, point, self.neighbours, at)
            free = around.near & ~(index[:, :, None] == taken[:, None]).any(2)
            best = self._best(around, free, start, here)
            chosen.append(torch.where(free.any(1), index.gather(1, best)[:, 0], -1))
        places = torch.cat(chosen)
        return places, words.words[places.clamp_min(0)]

    def _best(self, around: Around, free: Tensor, start: Tensor, here: Tensor) -> Tensor:
        """Which of the free words is best, `(M, 1)`; of equals the nearest."""
        start, here = start.unsqueeze(1), here.unsqueeze(1)
        if self.strategy is Strategy.GREEDY:
            cost = torch.linalg.vector_norm(around.words - self.between(around.words, start, here), dim=2)
        else:
            cost = -inside(around.words, start, here).sum(2).to(here)
        cost = torch.where(free, cost, torch.inf)
        equal = free & (cost == cost.min(1, keepdim=True).values)
        return torch.where(equal, around.distance, torch.inf).sort(dim=1, stable=True).indices[:, :1]

    def between(self, word: Tensor, start: Tensor, here: Tensor) -> Tensor:
        """The word, made to lie between here and x'."""
        return torch.where(inside(word, start, here), word, torch.lerp(here, start, 1 / self.anchors))

    @abstractmethod
    def around(self, start: Tensor, end: Tensor, last: Word, step: int) -> Word:
        """Where words are looked for, `point (M, D)`, and a word each that does not count, `at (M,)`."""

    @abstractmethod
    def without(self, start: Tensor, end: Tensor, here: Tensor, step: int) -> Tensor:
        """Where a token goes that has no free word around it: `(M, D)`."""


def inside(word: Tensor, start: Tensor, here: Tensor) -> Tensor:
    """Which features of the word lie between here and x', ends included."""
    return (word >= torch.minimum(start, here)) & (word <= torch.maximum(start, here))


@contextmanager
def _booked(frame: Frame, size: int) -> Generator[None]:
    """Book the corners while the paths are walked; where memory is short they are kept all the same."""
    booked = frame.room.keep(size)
    try:
        yield
    finally:
        if booked:
            frame.room.keep(-size)
