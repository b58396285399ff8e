"""Labels, words and probabilities: what a target in words means for a model and a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.classes import class_index
from gradline.adapters.text.model import TextModel
from gradline.adapters.text.pieces import word_texts
from gradline.adapters.text.segments import word_spans
from gradline.errors import TargetError
from gradline.question.targets import ClassTarget, LabelProbability, LogProbability, Probability
from gradline.question.targets.reading import table
from gradline.question.targets.scales import LabelLogProbability
from gradline.report.text import Piece

CANDIDATES = 5
"""Labels or words listed with their probabilities."""

NEAREST = 5
"""Words suggested for one that is not there."""


def check_scale(scale: object, model: TextModel) -> type[ClassTarget]:
    """The scale; of labels that do not exclude each other, the probability of the label alone. Raises `TargetError`."""
    if not (isinstance(scale, type) and issubclass(scale, ClassTarget)):
        raise TargetError("a scale such as gl.Logit or gl.Probability", repr(scale))
    alone = {Probability: LabelProbability, LogProbability: LabelLogProbability}
    return alone.get(scale, scale) if is_multi_label(model) else scale


def is_multi_label(model: TextModel) -> bool:
    """The labels of the model do not exclude each other."""
    return getattr(model.config, "problem_type", None) == "multi_label_classification"


def label_index(model: TextModel, name: object) -> int:
    """The index of a label by name or number. Raises `TargetError` with the nearest names if there is none."""
    match name:
        case str():
            numbered = re.fullmatch(r"LABEL_(\d+)", name)
            return int(numbered[1]) if numbered and name not in model.labels else class_index(model.labels, name)
        case bool():
            pass
        case Integral():
            return int(name)
    raise TargetError("the name of a label, or its index", repr(name))


def word_at(row: Sequence[Piece], wanted: object) -> list[Piece]:
    """The tokens of a word, by what it says or by its number. Raises `TargetError` with what there is."""
    words = word_texts(row)
    match wanted:
        case str():
            found = _called(words, wanted.strip())
            if len(found) > 1:
                got = f"{len(found)} of them, words {', '.join(map(str, found))}"
                raise TargetError(f"one word {wanted!r}", got, "say which, by its number")
            if not found:
                near = get_close_matches(wanted, list(words.values()), NEAREST) or list(words.values())[:NEAREST]
                raise TargetError("a word of the text", repr(wanted), f"there are {', '.join(map(repr, near))}")
            number = found[0]
        case Integral() if not isinstance(wanted, bool):
            number = int(wanted)
            if number not in words:
                raise TargetError(f"the number of a word, from {min(words)} to {max(words)}", str(number))
        case _:
            raise TargetError("a word of the text, or its number", repr(wanted))
    return [piece for piece in row if piece.word == number]


def word_run(row: Sequence[Piece], first: object, last: object, part: str) -> list[Piece]:
    """The tokens from a word to another; a `first` of several words is the run of them, in this part of the text.

    Raises `TargetError` with what there is.
    """
    own = [piece for piece in row if piece.part == part]
    if isinstance(first, str):
        words = word_texts(own)
        keys, wanted = [w.casefold() for w in words.values()], [first[a:b].casefold() for a, b in word_spans(first)]
        count, numbers = len(wanted), list(words)
        hits = [k for k in range(len(keys) - count + 1) if count and keys[k : k + count] == wanted]
        if not hits:
            near = get_close_matches(first, list(words.values()), NEAREST) or list(words.values())[:NEAREST]
            raise TargetError(f"words of the {part}", repr(first), f"there are {', '.join(map(repr, near))}")
        low, high = numbers[hits[0]], numbers[hits[0] + count - 1]
    else:
        low = high = word_at(row, first)[0].word or 0
    if last is not None:
        high = word_at(own if isinstance(last, str) else row, last)[0].word or 0
    if high < low:
        raise TargetError("the last word of an answer behind its first", f"words {low} and {high}")
    return [piece for piece in row if piece.word is not None and low <= piece.word <= high]


def probabilities(model: TextModel, output: Any, rows: int, example: int) -> Tensor | None:
    """Probabilities of the labels `(labels,)`; None for a model with one output, or that gives NaN."""
    try:
        logits = table(output, rows)[example].double().cpu()
    except TargetError:
        return None
    if len(logits) < 2 or not logits.isfinite().all():
        return None
    return torch.sigmoid(logits) if is_multi_label(model) else torch.softmax(logits, 0)


def top(probabilities: Tensor | None, name: Callable[[int], str]) -> tuple[tuple[str, float], ...]:
    """The most probable, by name, with their probabilities."""
    if probabilities is None or not probabilities.isfinite().all():
        return ()
    best = probabilities.topk(min(CANDIDATES, len(probabilities)))
    return tuple((name(int(k)), float(p)) for p, k in zip(*best, strict=True) if float(p) > 0)


def _called(words: dict[int, str], wanted: str) -> list[int]:
    """Words that say this: as it is written, else whatever the capitals."""
    exact = [number for number, text in words.items() if text == wanted]
    return exact or [number for number, text in words.items() if text.casefold() == wanted.casefold()]
