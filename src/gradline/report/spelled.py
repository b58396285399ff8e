"""Words of a text as a page spells them: their colours, their titles, and what they add up to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from gradline.plots.tokens import Level, Spans, is_dark, tint, visible
from gradline.plots.words import signed
from gradline.report.words import isolated, typeset
from gradline.result.spelling import percent


@dataclass(frozen=True)
class Word:
    """A stretch of text on its colour. `share`: of full colour, in [0, 1]. `kind`: classes of the element. `space`:
    whether white space stands before it, `breaks`: whether a line ends with it. `data`: what the script knows of it:
    text, value, share of all sizes, block, special, space, breaks, start."""

    text: str
    share: float
    kind: str
    title: str
    value: str
    size: str
    block: int
    part: str
    special: bool
    space: bool
    breaks: bool
    data: tuple[object, ...]


def word(found: Spans, k: int, scale: float) -> Word:
    """One of the stretches; blocks are numbered in the order of parts."""
    text, value, part = found.texts[k], float(found.values[k]), found.parts[k]
    spelled = text if text.strip() else visible(text)
    share = percent(float(found.shares[k]))
    block = list(dict.fromkeys(found.parts)).index(part)
    special, space, breaks = bool(found.special[k]), bool(found.spaces[k]), "\n" in text and not text.strip()
    known = value if math.isfinite(value) else None
    start = found.starts[k]
    return Word(
        text=spelled,
        share=share_of(value, scale),
        kind=kind(value, scale),
        title=title(value, f"{share} of all sizes" if known is not None else "", start),
        value=typeset(signed(value)),
        size=typeset(share) if known is not None else "–",
        block=block,
        part=part,
        special=special,
        space=space,
        breaks=breaks,
        data=(spelled, known, float(found.shares[k]), block, int(special), int(space), int(breaks), start),
    )


def blocks(words: Sequence[Word]) -> list[tuple[str, int, list[Word]]]:
    """Name, number and words of each part of the text, without special tokens."""
    numbers = {one.block: one.part for one in words if not one.special}
    return [(part, n, [one for one in words if one.block == n and not one.special]) for n, part in numbers.items()]


def share_of(value: float, scale: float) -> float:
    """Of full colour, in [0, 1]; three digits are enough to see."""
    return round(min(1.0, abs(value) / scale), 3) if scale and math.isfinite(value) else 0.0


def kind(value: float, scale: float) -> str:
    """Classes of a coloured element: its sign, and whether letters on it are white in the light theme too."""
    if not math.isfinite(value):
        return "bad"
    return ("up" if value > 0 else "down" if value < 0 else "") + (" deep" if is_dark(tint(value, scale)) else "")


def title(value: float, share: str, start: str) -> str:
    """What is read of a word under the pointer."""
    begins = f"the path starts at “{isolated(start)}”" if start else ""
    return typeset("; ".join(filter(None, (signed(value), share, begins))))


def note(found: Spans, scale: float, level: Level) -> str:
    """What everything adds up to, and what the colours hide, in sentences."""
    count = int((~found.special).sum())
    several = {Level.TOKENS: "tokens", Level.WORDS: "words", Level.SENTENCES: "sentences"}[level]
    said = f"{count} {several if count != 1 else several[:-1]}"
    if found.special.any():
        n = int(found.special.sum())
        said += f" and {n} special token{'s' * (n != 1)} ({signed(found.special_total)})"
    said += f" add up to {signed(found.total)}."
    beyond = int((np.abs(found.values[np.isfinite(found.values)]) > scale * (1 + 1e-9)).sum())
    if not scale and found.bad < len(found):
        said += " Every contribution is zero."
    if beyond:
        said += f" {beyond} of them {'lies' if beyond == 1 else 'lie'} beyond the scale, in full colour."
    if found.bad:
        said += f" {found.bad} {'is' if found.bad == 1 else 'are'} not finite, in grey, and left out of sums."
    return typeset(said)


@cache
def own_style() -> str:
    """The style of coloured words."""
    return files("gradline.report").joinpath("assets/text.css").read_text("utf-8")
