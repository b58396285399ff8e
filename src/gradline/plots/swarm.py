"""Dots side by side: where each goes so that none covers another."""

from __future__ import annotations

import numpy as np

SHRINK = 0.85
"""How much smaller dots are tried next."""


def swarm(x: np.ndarray, diameter: float) -> np.ndarray:
    """Heights `(N,)` of dots at the places `x (N,)`, in one unit: no two are nearer than `diameter`.

    From left to right, each takes the free height nearest to 0, the upper of two; equal places pile up evenly. The
    same places give the same heights.
    """
    order = np.argsort(x, kind="stable")
    heights = np.zeros(len(x))
    first = 0
    for count, k in enumerate(order):
        while x[k] - x[order[first]] >= diameter:
            first += 1
        near = order[first:count]
        reach = np.sqrt(np.maximum(diameter**2 - (x[near] - x[k]) ** 2, 0.0))
        heights[k] = _free(heights[near] - reach, heights[near] + reach)
    return heights


def _free(low: np.ndarray, high: np.ndarray) -> float:
    """The height nearest to 0 that lies inside none of the open intervals."""
    places = np.concatenate([[0.0], high, low])
    for place in places[np.argsort(np.abs(places), kind="stable")]:
        slack = 1e-9 * (1 + abs(place))
        if not ((place > low + slack) & (place < high - slack)).any():
            return float(place)
    raise AssertionError("the ends of all intervals are inside others")


def fitted(
    columns: list[np.ndarray], diameter: float, pitch: float, least: float
) -> tuple[list[np.ndarray], float, tuple[int, ...]]:
    """Heights of the dots of every row, their diameter, and the rows in which dots touch.

    The diameter shrinks from `diameter` as far as `least`, until three of four rows stay within `pitch`; the others are
    pressed together to fit.
    """
    while True:
        heights = [swarm(x, diameter) for x in columns]
        spreads = [2 * float(np.abs(h).max(initial=0.0)) for h in heights]
        wide = tuple(k for k, spread in enumerate(spreads) if spread + diameter > pitch)
        if 4 * len(wide) <= len(columns) or diameter * SHRINK < least:
            room = pitch - diameter
            pressed = [h * room / spreads[k] if k in wide else h for k, h in enumerate(heights)]
            return pressed, diameter, wide
        diameter *= SHRINK
