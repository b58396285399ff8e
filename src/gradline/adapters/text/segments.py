"""Where words and sentences of a text begin and end, in any script, without a dictionary."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
"""Scripts that put no space between words: kana and Chinese characters stand by themselves."""

JOINER = "\u200d"
"""Joins emoji into one picture."""

ENDS = ".!?…‽"
WIDE_ENDS = "。！？．"
CLOSERS = "\"'”’)]}»›」』"
SHORT = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "st", "vs", "no", "fig", "e.g", "i.e", "cf", "etc", "jr", "sr", "approx")
)
"""Words whose full stop ends no sentence."""

Span = tuple[int, int]


def word_spans(text: str) -> list[Span]:
    """First and behind-last character of each word.

    A word is a run of letters, digits and marks, with apostrophes and hyphens inside it ("don't", "well-made") and
    stops inside numbers ("3.5"); a Chinese character or kana; an emoji with all that is joined to it; a run of one
    punctuation mark ("...").
    """
    spans, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        end = _end(text, at)
        spans.append((at, end))
        at = end
    return spans


def sentence_starts(text: str) -> list[int]:
    """Where sentences begin: 0, and behind a line's end or a mark that ends a sentence. Not behind "Dr." or "A."."""
    starts, at = [0], 0
    while at < len(text):
        c = text[at]
        end = at + 1
        if c == "\n":
            starts.append(end)
        elif c in WIDE_ENDS or (c in ENDS and not _short(text, at)):
            while end < len(text) and text[end] in ENDS + WIDE_ENDS + CLOSERS:
                end += 1
            follows = text[end:].lstrip()
            begins = c in WIDE_ENDS or (end < len(text) and text[end].isspace() and not follows[:1].islower())
            if begins and follows:
                starts.append(end)
        at = end
    return starts


def glued(spans: Sequence[Span], tokens: Sequence[Span]) -> list[Span]:
    """Words in order, those joined that one token covers parts of: no token then belongs to two words."""
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    joined = [False] * len(spans)  # with the word behind it
    for first, last in tokens:
        low, high = bisect_right(ends, first), bisect_left(starts, last) - 1
        for k in range(low, high):
            joined[k] = True
    words: list[Span] = []
    for k, (start, end) in enumerate(spans):
        if k and joined[k - 1]:
            words[-1] = (words[-1][0], end)
        else:
            words.append((start, end))
    return words


def _end(text: str, at: int) -> int:
    """Behind the word that begins at a character."""
    end = at + 1
    if _is_letter(text[at]):
        while end < len(text) and (_is_letter(text[end]) or _binds(text, end)):
            end += 1
        return end
    if _is_ideograph(text[at]):
        return _marks(text, end)
    if unicodedata.category(text[at]).startswith("S"):
        if _is_flag(text[at]) and end < len(text) and _is_flag(text[end]):
            end += 1
        end = _marks(text, end)
        while end + 1 < len(text) and text[end] == JOINER:
            end = _marks(text, end + 2)
        return end
    while end < len(text) and text[end] == text[at]:
        end += 1
    return _marks(text, end)


def _is_ideograph(c: str) -> bool:
    return any(low <= ord(c) <= high for low, high in IDEOGRAPHS)


def _is_letter(c: str) -> bool:
    return (unicodedata.category(c)[0] in "LNM" or c == "_") and not _is_ideograph(c)


def _is_flag(c: str) -> bool:
    return 0x1F1E6 <= ord(c) <= 0x1F1FF


def _marks(text: str, end: int) -> int:
    """Behind what belongs to the character before: combining marks, variants, skin colours."""
    while end < len(text) and (unicodedata.category(text[end])[0] == "M" or 0x1F3FB <= ord(text[end]) <= 0x1F3FF):
        end += 1
    return end


def _binds(text: str, at: int) -> bool:
    """An apostrophe or hyphen between letters, a stop or comma between digits."""
    if at + 1 >= len(text):
        return False
    before, c, after = text[at - 1], text[at], text[at + 1]
    if c in "'’-‐":
        return _is_letter(before) and _is_letter(after)
    return c in ".," and before.isdigit() and after.isdigit()


def _short(text: str, at: int) -> bool:
    """A full stop behind an abbreviation or an initial, with more to come."""
    if text[at] != ".":
        return False
    word = text[:at].split()[-1:] or [""]
    bare = word[0].lstrip("(\"'“")
    return bare.casefold() in SHORT or (len(bare) == 1 and bare.isupper() and bare != "I")
