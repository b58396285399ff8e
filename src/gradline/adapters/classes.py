"""Classes by what people call them: "tabby cat", "Tabby", "281"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache

from gradline.adapters.models import ImageModel
from gradline.adapters.vision import ImageCase
from gradline.errors import TargetError

NEAREST = 5
"""Names suggested for one that is not there."""

LISTED = 8
"""Classes listed for a name that several have."""


def class_index(classes: Sequence[str] | ImageModel | ImageCase, wanted: str) -> int:
    """The index of the class that is called `wanted`: its name, one of its synonyms, all of them, or its number.

    Capitals, hyphens and repeated spaces do not matter. Raises `TargetError` with the indices if several are called so,
    with the nearest names if none is.
    """
    names = _names(classes)
    key = _key(wanted)
    called = sorted(_calls(tuple(names)).get(key, ()))
    number = int(key) if re.fullmatch(r"-?[0-9]+", key) else None
    if number is not None and 0 <= number < (len(names) or number + 1):
        called = sorted({*called, number})
    if len(called) == 1:
        return called[0]
    if called:
        listed = "; ".join(f"{i} ({names[i]})" for i in called[:LISTED])
        raise TargetError(f"one class called {wanted!r}", f"{len(called)} of them: {listed}", "give the index")
    if not names:
        raise TargetError("a class index, since this model's classes have no names", repr(wanted))
    if number is not None:
        raise TargetError(f"a class index from 0 to {len(names) - 1}", wanted)
    raise TargetError("the name of a class", repr(wanted), _advice(names, key))


def _names(classes: Sequence[str] | ImageModel | ImageCase) -> Sequence[str]:
    match classes:
        case ImageCase():
            return classes.model.classes
        case ImageModel():
            return classes.classes
        case _:
            return classes


def _key(name: str) -> str:
    """What is left of a name once spelling that does not matter is gone."""
    joined = re.sub(r"(?<=\w)[-_](?=\w)", " ", name.casefold())  # between words: a minus stays
    return " ".join(joined.replace("_", " ").replace("’", "'").split())


@lru_cache(maxsize=8)
def _calls(names: tuple[str, ...]) -> dict[str, set[int]]:
    """All that classes are called, and which: the whole name and each synonym, also with the index behind it."""
    found: dict[str, set[int]] = {}
    for index, name in enumerate(names):
        for call in {_key(name), *(_key(synonym) for synonym in name.split(","))}:
            found.setdefault(call, set()).add(index)
            found.setdefault(f"{call} ({index})", set()).add(index)
    return found


def _advice(names: Sequence[str], key: str) -> str:
    """The nearest names: those that hold all the words, then those that are spelt alike."""
    calls: dict[str, list[int]] = {}
    spelt: dict[str, str] = {}
    for index, name in enumerate(names):
        for synonym in name.split(","):
            calls.setdefault(_key(synonym), []).append(index)
            spelt.setdefault(_key(synonym), synonym.strip())
    words = set(key.split())
    near = [call for call in calls if words and words <= set(call.split())]
    near += [call for call in get_close_matches(key, calls, NEAREST) if call not in near]
    if not near:
        return f"none is spelt alike; give its number, 0 to {len(names) - 1}"
    listed = ", ".join(f"{spelt[call]} ({', '.join(map(str, calls[call]))})" for call in near[:NEAREST])
    return f"the nearest: {listed}"
