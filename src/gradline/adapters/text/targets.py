"""What of a text model is explained, in words: a label, a word's label, an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.text.asking import Candidates, Question, TextTarget
from gradline.adapters.text.encoding import Encoded
from gradline.adapters.text.hidden import Masked, Similarity
from gradline.adapters.text.lookup import check_scale, label_index, probabilities, top, word_at, word_run
from gradline.adapters.text.model import Task, TextModel
from gradline.adapters.text.picks import AnswerSpan, AtToken, FirstInside, ends_of, spans_rated, token_logits
from gradline.adapters.text.pieces import said, word_texts
from gradline.errors import InputError, TargetError
from gradline.question.targets import ClassTarget, Logit, Predicted, Target, as_target
from gradline.question.targets.reading import at

__all__ = ["Label", "Masked", "Plain", "Similarity", "Span", "TextTarget", "TokenLabel", "as_text_target"]

OUTSIDE = "O"
"""The label of words that are no name of anything, in most models that label words."""


@dataclass(frozen=True)
class Label(TextTarget):
    """A label of the text, by its name or index; None: the predicted one.

    `scale`: `gl.Logit`, `gl.Probability`, `gl.LogProbability`, `gl.Margin`; where labels do not exclude each other,
    probabilities are those of the label alone. Raises `TargetError` for a label that is not there.
    """

    task = Task.SEQUENCE

    name: str | int | None = None
    scale: type[ClassTarget] = Logit

    def ask(self, model: TextModel, encoded: Encoded) -> Question:
        scale = check_scale(self.scale, model)
        return encoded, Predicted(scale) if self.name is None else scale(label_index(model, self.name))

    def title(self, model: TextModel, encoded: Encoded, frozen: Target, example: int) -> str:
        if not isinstance(frozen, ClassTarget) or (frozen.only and not model.labels):
            return frozen.describe(example)
        return model.label(at(frozen.index, example))

    def candidates(self, model: TextModel, encoded: Encoded, output: Any, frozen: Target, example: int) -> Candidates:
        return top(probabilities(model, output, len(encoded), example), model.label)


@dataclass(frozen=True)
class TokenLabel(TextTarget):
    """The label of a word, read at its first token.

    `word`: the word, or its number from 0 through the text; None: the first one whose predicted label is not "O", the
    first of all if there is none. `label`: its name or index; None: the predicted one. `scale`: as in `Label`.
    Raises `TargetError` for a word or a label that is not there.
    """

    task = Task.TOKENS

    word: str | int | None = None
    label: str | int | None = None
    scale: type[ClassTarget] = Logit

    def ask(self, model: TextModel, encoded: Encoded) -> Question:
        scale = check_scale(self.scale, model)
        if self.word is None:
            if self.label is not None:
                raise TargetError("the word that may be called so", "a label alone", "TokenLabel(word, label)")
            outside = model.labels.index(OUTSIDE) if OUTSIDE in model.labels else None
            return encoded, FirstInside(_word_starts(encoded), outside, scale)
        place = torch.tensor([word_at(row, self.word)[0].place for row in encoded.pieces], device="cpu")
        inner = Predicted(scale) if self.label is None else scale(label_index(model, self.label))
        return encoded, AtToken(place, inner)

    def title(self, model: TextModel, encoded: Encoded, frozen: Target, example: int) -> str:
        if not (isinstance(frozen, AtToken) and isinstance(frozen.target, ClassTarget)):
            return frozen.describe(example)
        name = model.label(at(frozen.target.index, example))
        return f"{name} of {_word_of(encoded, example, at(frozen.place, example))}"

    def candidates(self, model: TextModel, encoded: Encoded, output: Any, frozen: Target, example: int) -> Candidates:
        if not isinstance(frozen, AtToken):
            return ()
        logits = token_logits(output, len(encoded))[example, at(frozen.place, example)]
        return top(logits.double().softmax(0), model.label)


@dataclass(frozen=True)
class Span(TextTarget):
    """The answer to a question: the sum of the logits of its first and its last token; by default the predicted one.

    `start_word`: its words as they stand in the context, or the number of its first word, counted from 0 through
    question and context; `end_word`: of its last word, the same by default. `scale`: `gl.Logit`, `gl.LogProbability`,
    `gl.Probability`. Raises `TargetError` for words that are not there.
    """

    task = Task.QUESTION

    start_word: str | int | None = None
    end_word: str | int | None = None
    scale: type[ClassTarget] = Logit

    def ask(self, model: TextModel, encoded: Encoded) -> Question:
        if any(isinstance(text, str) for text in encoded.texts):
            remedy = "give both in a tuple: (question, context)"
            raise InputError(f"a question and the text that answers it, for {model.name}", "one text", remedy)
        inside = torch.zeros(encoded.ids.shape, dtype=torch.bool, device="cpu")
        for k, row in enumerate(encoded.pieces):
            inside[k, [piece.place for piece in row if piece.part == "context" and not piece.special]] = True
        if self.start_word is None:
            if self.end_word is not None:
                raise TargetError("the first word of the answer too", "its last alone", "Span(start_word, end_word)")
            return encoded, AnswerSpan(inside, kind=self.scale)
        runs = [word_run(row, self.start_word, self.end_word, "context") for row in encoded.pieces]
        ends = torch.tensor([(run[0].place, run[-1].place) for run in runs], device="cpu")
        return encoded, AnswerSpan(inside, ends[:, 0], ends[:, 1], self.scale)

    def title(self, model: TextModel, encoded: Encoded, frozen: Target, example: int) -> str:
        if not isinstance(frozen, AnswerSpan) or frozen.start is None:
            return frozen.describe(example)
        return _between(encoded, example, at(frozen.start, example), at(frozen.end, example))

    def candidates(self, model: TextModel, encoded: Encoded, output: Any, frozen: Target, example: int) -> Candidates:
        if not isinstance(frozen, AnswerSpan):
            return ()
        first, last = (ends.double().log_softmax(1) for ends in ends_of(output, len(encoded)))
        rated = spans_rated(first, last, frozen.inside)[example].exp()
        length = rated.shape[1]
        return top(rated.flatten(), lambda k: _between(encoded, example, k // length, k % length))


@dataclass(frozen=True)
class Plain(TextTarget):
    """A target of `gl.targets`, or a function of the model's output, as it is."""

    target: Any

    def ask(self, model: TextModel, encoded: Encoded) -> Question:
        return encoded, as_target(self.target)

    def title(self, model: TextModel, encoded: Encoded, frozen: Target, example: int) -> str:
        if model.task is Task.SEQUENCE and isinstance(frozen, ClassTarget):
            return Label.title(Label(), model, encoded, frozen, example)
        return frozen.describe(example)

    def candidates(self, model: TextModel, encoded: Encoded, output: Any, frozen: Target, example: int) -> Candidates:
        if model.task is Task.SEQUENCE:
            return top(probabilities(model, output, len(encoded), example), model.label)
        return ()


TARGETS: dict[Task, Callable[..., TextTarget]] = {
    Task.SEQUENCE: Label,
    Task.TOKENS: TokenLabel,
    Task.QUESTION: Span,
    Task.MASKED: Masked,
    Task.SIMILARITY: Similarity,
}
"""The target that belongs to a task; its first argument is what a text or a number stands for."""


def as_text_target(value: object, model: TextModel) -> TextTarget:
    """What the caller means: None is the prediction, a str or an int the label, word or text that the task is about."""
    usual = TARGETS.get(model.task)
    if usual is None:
        raise InputError("a model that reads texts", f"{model.name}, a {model.task}, which writes them")
    match value:
        case None:
            return usual()
        case TextTarget():
            if not isinstance(value, Plain) and value.task is not model.task:
                got, name = type(value).__name__, getattr(usual, "__name__", "")
                raise TargetError(f"gl.text.{name} for {model.name}, a model of {model.task}", f"gl.text.{got}")
            return value
        case str():
            return usual(value)
        case bool():
            pass
        case Integral() if model.task is not Task.SIMILARITY:
            return usual(int(value))
        case list() | tuple():
            raise TargetError("one target for all texts", f"{len(value)} of them", "explain them once for each")
    return Plain(as_target(value))


def _word_starts(encoded: Encoded) -> Tensor:
    """The places of the first tokens of words `(N, W)`, −1 behind the last one."""
    firsts = []
    for row in encoded.pieces:
        seen: dict[int, int] = {}
        for piece in row:
            if piece.word is not None:
                seen.setdefault(piece.word, piece.place)
        firsts.append(list(seen.values()))
    width = max(len(first) for first in firsts)
    return torch.tensor([first + [-1] * (width - len(first)) for first in firsts], device="cpu")


def _word_of(encoded: Encoded, example: int, place: int) -> str:
    """The word that a token is part of."""
    row = encoded.pieces[example]
    piece = next(piece for piece in row if piece.place == place)
    return piece.text if piece.word is None else word_texts(row)[piece.word]


def _between(encoded: Encoded, example: int, first: int, last: int) -> str:
    """The text from one token to another."""
    return said([piece for piece in encoded.pieces[example] if first <= piece.place <= last])
