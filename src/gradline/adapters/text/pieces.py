"""The tokens of a text as pieces: which characters, word and sentence each of them stands for."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from gradline.adapters.text.segments import Span, glued, sentence_starts, word_spans
from gradline.report.text import Piece

NEAR, FAR = 3, 60
"""How many characters may be passed over to the next token, and to the next one behind a token that was not found."""

MARKS = ("##", "▁", "Ġ", "Ċ", "@@", "</w>")
"""What tokenizers put at the ends of tokens to say where words begin, go on or end."""


def pieces_of(
    tokenizer: Any,
    ids: Sequence[int],
    text: str,
    *,
    offsets: Sequence[Span] | None = None,
    special: Sequence[bool] = (),
    place: int = 0,
    word: int = 0,
    sentence: int = 0,
    part: str = "",
) -> tuple[Piece, ...]:
    """The tokens `ids` of a text, in order, as pieces.

    `offsets`: first and behind-last character of each token, as fast tokenizers give them; None: found from the tokens'
    own spelling. `special`: which tokens are no part of the text; () for none. `place`, `word`, `sentence`: numbers of
    the first one. `part`: what this part of the text is called.

    A word is never cut: words that one token covers parts of become one (`glued`). White space in front of a token is
    not part of it. A token that shares its characters with the one before (the bytes of an emoji), or that is a space
    alone, has the text "".
    """
    names = tokenizer.convert_ids_to_tokens(list(ids))
    flags = list(special) or [False] * len(names)
    given = aligned(text, [None if f else n for n, f in zip(names, flags, strict=True)]) if offsets is None else offsets
    spans = [(0, 0) if f else _stripped(text, s, n) for f, s, n in zip(flags, given, names, strict=True)]
    tokens = [span for span, f in zip(spans, flags, strict=True) if not f]
    words = glued(word_spans(text), tokens)
    starts, firsts = [start for start, _ in words], sentence_starts(text)
    pieces: list[Piece] = []
    numbers: dict[int, int] = {}  # words that no token stands for, such as a mask token's own name, are not counted
    seen, last = 0, sentence
    for k, ((first, end), is_special) in enumerate(zip(spans, flags, strict=True)):
        if is_special:
            pieces.append(Piece(names[k], place + k, None, last, special=True, part=part))
            continue
        number = _word_at(words, starts, first)
        last = sentence + max(bisect_right(firsts, words[number][0] if words else first) - 1, 0)
        first = _with_unseen(text, first, seen)
        shown = text[max(first, seen) : end]
        space = text[seen : max(first, seen + (first == end))][-1:].isspace()
        pieces.append(Piece(shown, place + k, word + numbers.setdefault(number, len(numbers)), last, space, part=part))
        seen = max(seen, _visible(text, seen) if space and not shown else end)
    return tuple(pieces)


def next_numbers(pieces: Sequence[Piece]) -> tuple[int, int]:
    """The numbers of the first word and the first sentence behind these pieces."""
    words = [piece.word for piece in pieces if piece.word is not None]
    return max(words, default=-1) + 1, max((p.sentence for p in pieces if p.word is not None), default=-1) + 1


def word_texts(pieces: Sequence[Piece]) -> dict[int, str]:
    """What each word of the pieces says, by its number."""
    found: dict[int, str] = {}
    for piece in pieces:
        if piece.word is not None:
            before = found.get(piece.word)
            found[piece.word] = piece.text if before is None else before + " " * piece.space + piece.text
    return {number: text.strip() for number, text in found.items()}


def said(pieces: Sequence[Piece]) -> str:
    """The pieces as running text."""
    return "".join(" " * piece.space + piece.text for piece in pieces).strip()


def aligned(text: str, names: Sequence[str | None]) -> list[Span]:
    """Where tokens stand in a text, by their own spelling: each is looked for behind the one before.

    Capitals and accents do not matter. A token that is not found, and None, covers nothing where the last one ended.
    """
    plain, homes = _folded(text)
    spans, at, reach = [], 0, NEAR
    for name in names:
        key, _ = _folded(_bare(name)) if name is not None else ("", [])
        found = plain.find(key, at) if key else -1
        gap = plain[at:found] if found >= 0 else ""
        if found < 0 or len(gap.strip()) > reach:
            here = homes[at] if at < len(homes) else len(text)
            spans.append((here, here))
            reach = FAR if name is not None else reach  # an unknown token may stand for a long word
            continue
        at, reach = found + len(key), NEAR
        spans.append((homes[found], homes[at - 1] + 1))
    return spans


def _bare(name: str) -> str:
    for mark in MARKS:
        name = name.removeprefix(mark).removesuffix(mark)
    return name.replace("▁", " ").replace("Ġ", " ")


def _folded(text: str) -> tuple[str, list[int]]:
    """Small letters without accents, and which character of the text each of them is from."""
    plain, homes = [], []
    for place, c in enumerate(text):
        for part in unicodedata.normalize("NFKD", c.casefold()):
            if unicodedata.category(part) != "Mn":
                plain.append(part)
                homes.append(place)
    return "".join(plain), homes


def _stripped(text: str, span: Span, name: str) -> Span:
    """Without white space at its ends. Spaces alone, and a mark before a word, cover nothing; an end of a line does."""
    first, end = span
    covered = text[first:end]
    if "\n" in covered and not covered.strip():
        return span
    if not covered.strip() or not _bare(name or "").strip():
        return first, first
    return first + len(covered) - len(covered.lstrip()), end - len(covered) + len(covered.rstrip())


def _visible(text: str, at: int) -> int:
    """The next place that is no space."""
    return at + len(text[at:]) - len(text[at:].lstrip())


def _with_unseen(text: str, first: int, seen: int) -> int:
    """Where a token begins if invisible characters and marks in front of it, which tokenizers drop, belong to it."""
    while first > seen and unicodedata.category(text[first - 1])[0] in "CM" and not text[first - 1].isspace():
        first -= 1
    return first


def _word_at(words: Sequence[Span], starts: Sequence[int], at: int) -> int:
    """The number of the word that a character belongs to; white space belongs to the word behind it."""
    number = bisect_right(starts, at) - 1
    if number >= 0 and at < words[number][1]:
        return number
    return min(number + 1, max(len(words) - 1, 0))
