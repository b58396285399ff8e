"""Several maps side by side: numbers and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from gradline.errors import InputError
from gradline.plots.maps import colour_scale, example, only_tensor, pooled, summed
from gradline.plots.words import Legend, amount, brief_verdict, directions, family, full_colour, quantity, unit
from gradline.result import Attribution
from gradline.result.spelling import percent


@runtime_checkable
class Compared(Protocol):
    """Attributions by name: see `gradline.Comparison`."""

    @property
    def attributions(self) -> Mapping[str, Attribution]: ...


Several = Attribution | Compared | Mapping[str, Attribution]
"""The examples of one attribution, or one example of several methods."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Example i of `a` among other maps. `pixels`: `(H, W)` or `(D,)`. `family`: equal where values can be compared.
    `scale`: the contribution in full colour. `ends`: of the axis on which values `(D,)` stand."""

    name: str
    a: Attribution
    i: int
    pixels: np.ndarray
    family: tuple[str, ...]
    scale: float
    ends: tuple[float, float]

    @property
    def lines(self) -> tuple[str, ...]:
        """How accurate the map is, and what its colours mean."""
        bad = float((~np.isfinite(self.pixels)).mean())
        said = [brief_verdict(self.a, self.i)]
        if self.pixels.ndim > 1:
            said += full_colour(self.pixels, self.scale)
        return (*said, f"{percent(bad)} not finite") if bad else tuple(said)


def panels(several: Several, i: int = 0, *, shared: bool = True) -> list[Panel]:
    """The maps with their scales: one for each family of comparable maps, or one each.

    Raises `InputError` if there is none, or if shapes differ in their number of axes.
    """
    given = _by_name(several, i)
    if not given:
        raise InputError("at least one map", "none")
    maps = [summed(a, k) for _, a, k in given]
    if len({pixels.ndim for pixels in maps}) > 1:
        shapes = ", ".join(str(tuple(only_tensor(a).shape[1:])) for _, a, _ in given)
        raise InputError("maps of one kind: images, tables or rows of features", shapes)
    families = [family(a, k) for _, a, k in given]
    pools = pooled(maps, families) if shared else maps
    return [
        Panel(name, a, k, pixels, kind, colour_scale(pool), _ends(pool))
        for (name, a, k), pixels, kind, pool in zip(given, maps, families, pools, strict=True)
    ]


def common_legend(drawn: list[Panel], *, shared: bool) -> Legend:
    """The legend of all panels: numbers where there is one scale, and which panels share one."""
    first, one = drawn[0], shared and len({panel.family for panel in drawn}) == 1
    lowers, raises = directions(*(panel.a for panel in drawn))
    said = {quantity(panel.a, panel.i) for panel in drawn}
    notes = [*(said if len(said) == 1 else ()), _sharing(drawn, shared=shared)]
    low, high = (f"−{amount(first.scale)}", f"+{amount(first.scale)}") if one else ("", "")
    return Legend(low, high, lowers, raises, tuple(notes))


def _by_name(several: Several, i: int) -> list[tuple[str, Attribution, int]]:
    if isinstance(several, Attribution):
        return [(f"example {name}" if name.isdigit() else name, several, k) for k, name in enumerate(several.names)]
    found = several.attributions if isinstance(several, Compared) else several
    if not isinstance(found, Mapping) or not all(isinstance(a, Attribution) for a in found.values()):
        raise InputError('an attribution, a Comparison, or {"name": attribution, …}', type(several).__name__)
    return [(str(name), a, example(a, i)) for name, a in found.items()]


def _ends(values: np.ndarray) -> tuple[float, float]:
    """From the lowest to the highest value, zero with them, and a little more."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    room = 0.05 * (high - low) or 1.0
    return low - room * (low < 0), high + room * (high > 0 or low == 0)


def _sharing(drawn: list[Panel], *, shared: bool) -> str:
    """Which panels share a scale, in a sentence."""
    groups: dict[tuple[str, ...], list[Panel]] = {}
    for panel in drawn:
        groups.setdefault(panel.family, []).append(panel)
    if len(drawn) == 1:
        return "its own scale"
    if not shared:
        return "every map has a scale of its own: compare patterns, not depths of colour"
    if len(groups) == 1:
        return "one scale for all maps"
    said = [f"{', '.join(p.name for p in group)}{_measured(group[0])}" for group in groups.values()]
    return f"a scale for each kind of value: {'; '.join(said)}"


def _measured(panel: Panel) -> str:
    return f" ({unit(panel.a)})" if unit(panel.a) else ""
