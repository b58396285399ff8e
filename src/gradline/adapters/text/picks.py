"""What is read off the outputs of text models: targets of one token, of a span, of the meaning of a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gradline.errors import TargetError
from gradline.question.targets import ClassTarget, Logit, LogProbability, Predicted, Probability, Target, as_target
from gradline.question.targets.reading import at, batch, check_index, column, rows_of, wide
from gradline.question.trees import shape_of

LONGEST = 30
"""The most tokens of an answer that is looked for."""


def token_logits(output: Any, rows: int) -> Tensor:
    """The output, or its `logits`, as `(rows, T, C)`."""
    expected = f"logits of shape ({rows}, tokens, classes)"
    logits = batch(output, rows, expected, "check that the model keeps the batch axis first")
    if logits.ndim != 3:
        raise TargetError(expected, f"shape {tuple(logits.shape)}")
    return logits


@dataclass(frozen=True, eq=False)
class AtToken(Target):
    """A target of the numbers of one token: `target` picks from `logits[:, place]`, `(R, C)`.

    `place (N,)`: int64, where the token stands. `target`: such as `gl.Logit(3)`.
    """

    place: Tensor
    target: Target = field(default_factory=Predicted)

    @property
    def bounded(self) -> bool:
        return self.target.bounded

    def freeze(self, output: Any, rows: int) -> Target:
        logits = token_logits(output, rows)
        place = check_index(self.place, logits.shape[1], rows, "token")
        return replace(self, target=self.target.freeze(column(logits, place, torch.arange(rows)), rows))

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        return self.target.pick(column(token_logits(output, len(owner)), self.place, owner), owner)

    def describe(self, example: int) -> str:
        return f"{self.target.describe(example)} at token {at(self.place, example)}"

    def margin(self) -> Target:
        return replace(self, target=as_target(self.target).margin())


@dataclass(frozen=True, eq=False)
class FirstInside(Target):
    """The predicted class of the first word whose class is not `outside`, of the first word if there is none.

    `starts (N, W)`: where words begin, −1 behind the last one. `outside`: the class of no interest, None for none.
    `kind`: the scale. Becomes an `AtToken` once it is frozen at x.
    """

    starts: Tensor
    outside: int | None
    kind: type[ClassTarget] = Logit

    def freeze(self, output: Any, rows: int) -> Target:
        best = token_logits(output, rows).argmax(2).cpu()
        there = self.starts >= 0
        inside = there & (best.gather(1, self.starts.clamp(min=0)) != (-1 if self.outside is None else self.outside))
        chosen = torch.where(inside.any(1), inside.int().argmax(1), 0)
        place = self.starts.gather(1, chosen.unsqueeze(1)).squeeze(1)
        return AtToken(place, Predicted(self.kind)).freeze(output, rows)

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        raise TypeError("FirstInside must be frozen at x first")

    def describe(self, example: int) -> str:
        return "predicted label of the first word that has one"


@dataclass(frozen=True, eq=False)
class AnswerSpan(Target):
    """How a model of answers rates a span: S[start] + E[end], its logits or log-probabilities; p · p for probabilities.

    S = `output.start_logits`, E = `output.end_logits`, both `(R, T)`. `inside (N, T)`: booleans, where an answer may
    stand. `start`, `end (N,)`: its first and last token; None: the best ones at x, at most 30 tokens apart. `kind`: the
    scale, `gl.Logit`, `gl.LogProbability` or `gl.Probability`.
    """

    inside: Tensor
    start: Tensor | None = None
    end: Tensor | None = None
    kind: type[ClassTarget] = Logit

    @property
    def bounded(self) -> bool:
        return bool(getattr(self.kind, "bounded", False))

    def freeze(self, output: Any, rows: int) -> Target:
        if self.kind not in (Logit, LogProbability, Probability):
            got = getattr(self.kind, "__name__", repr(self.kind))
            raise TargetError("gl.Logit, gl.LogProbability or gl.Probability as the scale of an answer", got)
        first, last = ends_of(output, rows)
        if self.start is not None and self.end is not None:
            places = first.shape[1]
            start, end = (check_index(s, places, rows, "token") for s in (self.start, self.end))
            return replace(self, start=torch.as_tensor(start), end=torch.as_tensor(end))
        flat = spans_rated(first, last, self.inside).flatten(1).argmax(1).cpu()
        return replace(self, start=flat // first.shape[1], end=flat % first.shape[1])

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        if self.start is None or self.end is None:
            raise TypeError("an AnswerSpan without its ends must be frozen at x first")
        kind = LogProbability if self.kind is Probability else self.kind
        first, last = (kind(0).scale(t.to(wide(t))) for t in ends_of(output, len(owner)))
        both = column(first, self.start, owner) + column(last, self.end, owner)
        return both.exp() if self.kind is Probability else both

    def describe(self, example: int) -> str:
        name = {Logit: "logits", LogProbability: "log-probability"}.get(self.kind, "probability")
        if self.start is None:
            return f"{name} of the predicted answer"
        return f"{name} of tokens {at(self.start, example)} to {at(self.end, example)}"


@dataclass(frozen=True, eq=False)
class Cosine(Target):
    """How alike the meaning of a text is to another one, in [−1, 1]: cos(e(x), r).

    e(x): the mean over tokens of the last hidden states, or what the model returns if that is one vector a text.
    `mask (N, T)`: 1 at tokens. `reference (N, D)`: e of the other text, held.
    """

    mask: Tensor
    reference: Tensor
    bounded = True

    def freeze(self, output: Any, rows: int) -> Target:
        found = sentence_embedding(output, self.mask)
        if found.shape != self.reference.shape:
            raise TargetError(f"an embedding of shape {tuple(found.shape)}", f"shape {tuple(self.reference.shape)}")
        return self

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        found = sentence_embedding(output, self.mask[owner.to(self.mask.device)])
        return functional.cosine_similarity(found, rows_of(self.reference, owner, found).to(found.dtype), 1)

    def describe(self, example: int) -> str:
        return "similarity to the other text"


def ends_of(output: Any, rows: int) -> tuple[Tensor, Tensor]:
    """Start and end logits, `(rows, T)` each."""
    found = []
    for name in ("start_logits", "end_logits"):
        entry = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if not isinstance(entry, Tensor) or entry.ndim != 2 or len(entry) != rows:
            got = shape_of(output if entry is None else entry)
            raise TargetError(f"{name} of shape ({rows}, tokens) in the output of a model that answers questions", got)
        found.append(entry)
    return found[0], found[1]


def spans_rated(first: Tensor, last: Tensor, inside: Tensor) -> Tensor:
    """start + end of every span `(N, T, T)`; −inf where none may be."""
    inside = inside.to(first.device)
    rated = first.to(wide(first)).unsqueeze(2) + last.to(wide(last)).unsqueeze(1)
    order = torch.ones(rated.shape[1:], dtype=torch.bool, device=rated.device).triu().tril(LONGEST - 1)
    return rated.masked_fill(~(inside.unsqueeze(2) & inside.unsqueeze(1) & order), -torch.inf)


def sentence_embedding(output: Any, mask: Tensor) -> Tensor:
    """One vector a text `(R, D)`, in float32 at least."""
    name = "last_hidden_state"
    states = output if isinstance(output, Tensor) else None
    if states is None:
        states = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
    if not isinstance(states, Tensor) or states.ndim not in (2, 3) or len(states) != len(mask):
        raise TargetError(f"a {name} (R, T, D) from an encoder, or one vector a text", shape_of(output))
    states = states.to(wide(states))
    if states.ndim == 2:
        return states
    weight = mask.to(states.device, states.dtype).unsqueeze(2)
    return (states * weight).sum(1) / weight.sum(1)
