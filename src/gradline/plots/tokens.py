"""Contributions of tokens, words and sentences: numbers only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np

from gradline.errors import InputError
from gradline.plots.maps import AGAINST, FOR, QUANTILE, example, only_tensor
from gradline.plots.words import signed as signed  # loads the module `words` before the function of that name
from gradline.result import Attribution
from gradline.result.structure import shape_of


class Level(StrEnum):
    """What contributions are summed over."""

    TOKENS = "tokens"
    WORDS = "words"
    SENTENCES = "sentences"


class PieceShown(Protocol):
    """A token, as figures need it: see `gradline.report.text.Piece`."""

    @property
    def text(self) -> str: ...
    @property
    def place(self) -> int: ...
    @property
    def word(self) -> int | None: ...
    @property
    def sentence(self) -> int: ...
    @property
    def space(self) -> bool: ...
    @property
    def special(self) -> bool: ...
    @property
    def part(self) -> str: ...


@runtime_checkable
class TextShown(Protocol):
    """A text before a model, as figures need it: see `gradline.report.text.Text`."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def pieces(self) -> Sequence[PieceShown]: ...
    @property
    def start(self) -> Sequence[str]: ...
    @property
    def baseline(self) -> str: ...
    @property
    def candidates(self) -> Sequence[tuple[str, float]]: ...
    @property
    def answer(self) -> Sequence[PieceShown]: ...
    @property
    def matrix(self) -> np.ndarray | None: ...
    @property
    def command(self) -> str: ...
    @property
    def paths(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Spans:
    """Stretches of a text in reading order, and what each contributes.

    `texts`: as they stand there. `values (K,)`: float64 sums over their tokens. `shares (K,)`: |value| of the sum of
    all |values|. `special (K,)`: tokens put there by the tokenizer or the chat template, each by itself. `spaces (K,)`:
    whether white space stands before it. `parts`: what its part of the text is called. `starts`: what stands in its
    place where the path starts, "" where that is no token. `total`: of all values and `elsewhere`; `special_total`: of
    special tokens. `elsewhere`: the sum at places of the token axis that no token stands for, such as padding. `bad`:
    how many values are not finite; they are left out of sums and shares.
    """

    texts: tuple[str, ...]
    values: np.ndarray
    shares: np.ndarray
    special: np.ndarray
    spaces: np.ndarray
    parts: tuple[str, ...]
    starts: tuple[str, ...]
    total: float
    special_total: float
    elsewhere: float
    bad: int

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class Sources:
    """What stretches of a prompt contribute to each token of an answer.

    `answer`: texts of the A tokens. `texts`, `special (K,)`, `parts`, `spaces (K,)`: of the stretches, as in `Spans`.
    `values (A, K)`: float64. `totals (A,)`: sums over the prompt, of what is finite.
    """

    answer: tuple[str, ...]
    texts: tuple[str, ...]
    values: np.ndarray
    special: np.ndarray
    spaces: np.ndarray
    parts: tuple[str, ...]
    totals: np.ndarray


def tokens(a: Attribution, i: int = 0) -> Spans:
    """Every token of example i by itself. Raises `InputError` where `a` does not know its text."""
    return spans(a, i, Level.TOKENS)


def words(a: Attribution, i: int = 0) -> Spans:
    """Words of example i, sums over their sub-words. Raises `InputError` where `a` does not know its text."""
    return spans(a, i, Level.WORDS)


def sentences(a: Attribution, i: int = 0) -> Spans:
    """Sentences of example i, sums over their words. Raises `InputError` where `a` does not know its text."""
    return spans(a, i, Level.SENTENCES)


def spans(a: Attribution, i: int = 0, by: Level = Level.WORDS) -> Spans:
    """Tokens, words or sentences of example i. Sums are those of `a.values` over tokens: completeness is kept.

    Raises `InputError` where `a` does not know its text, or where the text and the values do not belong together.
    """
    i = example(a, i)
    shown, row = text_of(a, i), _along_tokens(a, i)
    places = [piece.place for piece in shown.pieces]
    if len(set(places)) < len(places) or any(not 0 <= place < len(row) for place in places):
        raise InputError(f"tokens at different places from 0 to {len(row) - 1}", f"{len(places)} tokens at {places}")
    rest = np.delete(row, places)
    found = groups(shown.pieces, by)
    values = np.array([_sum(row[[places[k] for k in group]]) for group in found], np.float64)
    special = np.array([shown.pieces[group[0]].special for group in found], bool)
    good = np.isfinite(values)
    sizes = np.where(good, np.abs(np.where(good, values, 0.0)), 0.0)
    return Spans(
        texts=tuple(_joined(shown.pieces, group, lambda k: shown.pieces[k].text) for group in found),
        values=values,
        shares=sizes / (math.fsum(sizes) or 1.0),
        special=special,
        spaces=np.array([shown.pieces[group[0]].space for group in found], bool),
        parts=tuple(shown.pieces[group[0]].part for group in found),
        starts=tuple(_joined(shown.pieces, g, lambda k: shown.start[k]) if shown.start else "" for g in found),
        total=_sum(np.concatenate([values[good], rest[np.isfinite(rest)]])),
        special_total=_sum(values[special & good]),
        elsewhere=_sum(rest[np.isfinite(rest)]),
        bad=int((~good).sum() + (~np.isfinite(rest)).sum()),
    )


def sources(shown: TextShown, by: Level = Level.WORDS) -> Sources:
    """The matrix of a text and its answer, summed over tokens, words or sentences of the prompt.

    Raises `InputError` where the text has no matrix, or one of another shape than its tokens.
    """
    shape = (len(shown.answer), len(shown.pieces))
    if shown.matrix is None or shown.matrix.shape != shape or not all(shape):
        got = "a text without one" if shown.matrix is None else f"shape {shown.matrix.shape}"
        raise InputError(f"a matrix of answer and prompt tokens {shape}", got, "ask for one row an answer token")
    found = groups(shown.pieces, by)
    matrix = np.asarray(shown.matrix, np.float64)
    values = np.array([[_sum(row[group]) for group in found] for row in matrix])
    firsts = [shown.pieces[group[0]] for group in found]
    return Sources(
        answer=tuple(piece.text for piece in shown.answer),
        texts=tuple(_joined(shown.pieces, group, lambda k: shown.pieces[k].text) for group in found),
        values=values,
        special=np.array([piece.special for piece in firsts], bool),
        spaces=np.array([piece.space for piece in firsts], bool),
        parts=tuple(piece.part for piece in firsts),
        totals=np.array([_sum(row[np.isfinite(row)]) for row in values]),
    )


def text_of(a: Attribution, i: int) -> TextShown:
    """The text of example i. Raises `InputError` if it was made from something else."""
    shown = a.shown[i] if a.shown else None
    if not isinstance(shown, TextShown):
        got = "one made from tensors" if shown is None else f"one that shows a {type(shown).__name__}"
        raise InputError("an attribution that knows its text", got, "gl.explain_text makes one; gl.plots.bars names=")
    return shown


def groups(pieces: Sequence[PieceShown], by: Level) -> list[list[int]]:
    """Which tokens belong together, in the order of their first ones; a special token stays by itself."""
    try:
        level = Level(by)
    except ValueError:
        raise InputError(f"one of {', '.join(map(repr, map(str, Level)))}", repr(by)) from None
    found: dict[object, list[int]] = {}
    for k, piece in enumerate(pieces):
        apart = piece.special or piece.word is None or level is Level.TOKENS
        key = ("token", k) if apart else ("word" if level is Level.WORDS else "sentence", _number(piece, level))
        found.setdefault(key, []).append(k)
    return list(found.values())


def visible(text: str) -> str:
    """A text on one line, white space at its ends made visible where there is nothing else."""
    return " ".join(text.split()) or ("⏎" if "\n" in text else "␣")


def reach(values: np.ndarray) -> float:
    """The contribution drawn in full colour: the largest of up to 100 sizes, of more of them their 99th percentile."""
    sizes = np.abs(values[np.isfinite(values)])
    largest = float(sizes.max(initial=0.0))
    return (float(np.quantile(sizes, QUANTILE, method="higher")) if sizes.size else 0.0) or largest


def tint(value: float, scale: float, paper: Sequence[float] = (255, 255, 255)) -> tuple[int, int, int]:
    """The colour behind a word: `paper` at zero, linear to red and blue at ± scale, grey where not finite."""
    if not math.isfinite(value):
        return 128, 128, 128
    share = min(1.0, abs(value) / scale) if scale else 0.0
    red, green, blue = np.rint(np.asarray(paper) + share * ((FOR if value > 0 else AGAINST) - np.asarray(paper)))
    return int(red), int(green), int(blue)


def is_dark(colour: Sequence[float]) -> bool:
    """Whether white letters are easier to read on it than black ones: the better of both has a contrast above 4.5."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (light + 0.05) > (light + 0.05) / 0.05


def _number(piece: PieceShown, level: Level) -> int | None:
    return piece.word if level is Level.WORDS else piece.sentence


def _along_tokens(a: Attribution, i: int) -> np.ndarray:
    """Contributions `(T,)` of the places on the token axis."""
    row = only_tensor(a)[i].detach().cpu().double().numpy()
    if row.ndim < 1:
        raise InputError("values with a token axis: (N, T) or (N, T, D)", shape_of(a.values))
    return np.array([_sum(place) for place in row.reshape(len(row), -1)], np.float64)


def _sum(values: np.ndarray) -> float:
    """Rounded once; what is not finite stays so."""
    if np.isfinite(values).all():
        return math.fsum(values)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        return float(np.sum(values))


def _joined(pieces: Sequence[PieceShown], group: list[int], text: Callable[[int], str]) -> str:
    """Texts of a group, with the white space between them."""
    return "".join(f"{' ' if n and pieces[k].space else ''}{text(k)}" for n, k in enumerate(group))
