"""Letters that the fonts of this machine can draw: other fonts where the default has none, a square where none has."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

MISSING = "□"
"""Stands for a letter that no font here can draw."""

FONTS, LOOKED_AT = 4, 150
"""Further fonts that a figure falls back on, and that are looked into, at most."""

_BIDIRECTIONAL = ("R", "AL")


@contextmanager
def letters_of(texts: Iterable[str]) -> Iterator[None]:
    """Meanwhile, text that is made falls back on fonts of this machine that have the letters of these texts."""
    wanted = (
        {ord(c) for text in texts for c in text}
        - _letters_of_families(tuple(mpl.rcParams["font.family"]))
        - {ord("\n")}
    )
    families = list(mpl.rcParams["font.family"])
    for name, path in _others() if wanted else ():
        has = wanted & _letters(path)
        if has and len(families) <= FONTS:
            families.append(name)
            wanted -= has
    with mpl.rc_context({"font.family": families}):
        yield


def drawable(text: str) -> str:
    """The text, what the fonts in use cannot draw replaced by `MISSING`; on one line."""
    known = _letters_of_families(tuple(mpl.rcParams["font.family"]))
    kept = (c if ord(c) in known else " " if c.isspace() else _replaced(c) for c in text)
    return "".join(kept)


def in_mono(text: str) -> bool:
    """Whether the font of code has all of these letters."""
    return {ord(c) for c in text} <= _letters(_path("monospace"))


def runs_leftward(text: str) -> bool:
    """Whether its first letter with a direction runs from right to left."""
    directions = (unicodedata.bidirectional(c) for c in text)
    return next((d in _BIDIRECTIONAL for d in directions if d in (*_BIDIRECTIONAL, "L")), False)


def _replaced(character: str) -> str:
    """A square for what is seen, nothing for joiners and marks of direction."""
    return "" if unicodedata.category(character) in ("Cf", "Cc", "Mn") else MISSING


@cache
def _letters_of_families(families: tuple[str, ...]) -> frozenset[int]:
    return frozenset().union(*(_letters(_path(name)) for name in families))


def _path(family: str) -> str:
    return str(findfont(FontProperties(family=[family])))


@cache
def _others() -> tuple[tuple[str, str], ...]:
    """Name and file of each family of this machine, those made for text on screens first; no font of boxes alone."""
    upright = {font.name: font.fname for font in fontManager.ttflist if font.style == "normal" and _is_text(font.name)}
    return tuple(sorted(upright.items(), key=lambda item: ("Sans" not in item[0], item[0]))[:LOOKED_AT])


def _is_text(name: str) -> bool:
    return (
        not any(word in name for word in ("Last Resort", "LastResort", "Symbol", "Blank", "STIX")) and name[:2] != "cm"
    )


@cache
def _letters(path: str) -> frozenset[int]:
    try:
        return frozenset(get_font(path).get_charmap())
    except (OSError, RuntimeError):  # a broken font file
        return frozenset()
