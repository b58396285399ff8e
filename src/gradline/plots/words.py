"""What figures say about a map: its unit, what full colour means, how accurate it is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from gradline.plots.maps import clipped
from gradline.plots.subject import photo_of
from gradline.result import Attribution
from gradline.result.spelling import percent
from gradline.status import Status


@dataclass(frozen=True)
class Legend:
    """The words of a colour scale. `low`, `high`: the contributions drawn in full blue and full red; `lowers`,
    `raises`: what they do; `notes`: what is drawn, what is clipped, what is not finite."""

    low: str
    high: str
    lowers: str
    raises: str
    notes: tuple[str, ...]


def legend(a: Attribution, i: int, pixels: np.ndarray, scale: float, things: str = "pixels") -> Legend:
    """The legend of one map; `things`: what its values belong to."""
    notes = [quantity(a, i), *extent(pixels, scale, things)]
    return Legend(f"−{amount(scale)}", f"+{amount(scale)}", *directions(a), tuple(notes))


def directions(*shown: Attribution) -> tuple[str, str]:
    """What blue and red mean in all of these maps."""
    contribute = all(unit(a) == "score" for a in shown)
    return ("lowers the score", "raises it") if contribute else ("negative", "positive")


def extent(pixels: np.ndarray, scale: float, things: str) -> list[str]:
    """What a scale leaves out, in sentences."""
    bad = float((~np.isfinite(pixels)).mean()) if pixels.size else 0.0
    notes = []
    if bad < 1 and scale == 0:
        notes.append("every contribution is zero")
    elif bad < 1:
        share = clipped(pixels, scale)
        notes.append(f"{percent(share)} of the {things} lie beyond, in full colour" if share else "nothing is clipped")
    if bad:
        notes.append(f"{percent(bad)} are not finite, in grey")
    return notes


def full_colour(pixels: np.ndarray, scale: float) -> list[str]:
    """The same in a few words, for maps beside others."""
    share = clipped(pixels, scale)
    return [f"full colour ±{amount(scale)}", *([f"{percent(share)} beyond"] if share else [])]


def quantity(a: Attribution, i: int) -> str:
    """What the values of example i are, in words."""
    photo = photo_of(a, i)
    named = f"“{photo.title}”, " if photo is not None and photo.title != a.explained[i] else ""
    if unit(a) == "score":
        return f"contribution to {named}{a.explained[i]}"
    measured = f" ({unit(a)})" if unit(a) else ""
    return f"{a.provenance.get('method_name', 'attribution')} of {named}{a.explained[i]}{measured}"


def unit(a: Attribution) -> str:
    """What the values are measured in; "" if that was not written down."""
    return str(a.provenance.get("unit", "")).replace("the site", str(a.provenance.get("site", "the site")))


def family(a: Attribution, i: int) -> tuple[str, ...]:
    """Equal for maps whose values can be compared: same unit, same place in the network, same kind of score."""
    measured = unit(a) or str(a.provenance.get("method_name", ""))
    return measured, str(a.provenance.get("site", "input")), re.sub(r"\d+", "", a.explained[i])


def brief_verdict(a: Attribution, i: int) -> str:
    """How accurate the map of example i is, in a few words."""
    estimate = math.nan if a.error_estimate is None else float(a.error_estimate[i])
    match a.status[i]:
        case Status.CONVERGED:
            return f"map error {percent(estimate)}"
        case Status.BUDGET_EXHAUSTED:
            return f"NOT converged, map error {percent(estimate)}"
        case Status.FIXED:
            return "map error not controlled"
        case Status.FLAT:
            return "flat: the map is zero"
        case Status.NONFINITE:
            return "not finite"
        case _:
            return "no error estimate"


def amount(value: float) -> str:
    """Three significant digits, without a sign."""
    return f"{abs(value):#.3g}".removesuffix(".") if value else "0"


def signed(value: float) -> str:
    """Three significant digits with a sign; zero has none."""
    return f"{'−' if value < 0 else '+' * (value > 0)}{amount(value)}" if math.isfinite(value) else "not finite"


def photo_name(a: Attribution, i: int) -> str:
    """What stands at the end of the path."""
    return "the input" if photo_of(a, i) is None else "the photo"
