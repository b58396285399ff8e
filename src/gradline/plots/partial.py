"""Partial maps: how the map grows along the path, numbers only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradline.errors import InputError
from gradline.plots.maps import example
from gradline.plots.path import path_panel
from gradline.plots.subject import photo_of
from gradline.result import Attribution


@dataclass(frozen=True, eq=False)
class Stages:
    """The map of the path up to each of `t (K,)`: `maps (K, H, W)` or `(K, D)`, images summed over channels.

    `scores (K,)`: F there, between nodes on a straight line. `distance (K,)`: relative L2 distance from the whole map,
    NaN if that is zero.
    """

    t: np.ndarray
    maps: np.ndarray
    scores: np.ndarray
    distance: np.ndarray


def partial_maps(a: Attribution, i: int = 0) -> Stages:
    """Those kept in `a.parts["stages"]`, or with the photo. Raises `InputError` if none were kept."""
    i = example(a, i)
    photo, kept = photo_of(a, i), a.parts.get("stages")
    if kept is not None:
        maps = kept[i].detach().cpu().double().numpy()
        maps = maps.reshape(len(maps), 1) if maps.ndim == 1 else maps
    elif photo is not None and photo.stages is not None:
        maps = np.asarray(photo.stages, dtype=np.float64)
    else:
        remedy = "ask for it: method=gl.methods.integrated_gradients().in_stages(16)"
        raise InputError("an attribution that kept partial maps", "one without", remedy)
    if maps.ndim > 4:
        raise InputError("partial maps with up to three axes", str(maps.shape[1:]))
    maps = maps.sum(1) if maps.ndim == 4 else maps
    t = np.arange(1, len(maps) + 1) / len(maps)
    panel = path_panel(a, i)
    scores = np.full(len(t), np.nan) if panel is None else np.interp(t, panel.t, panel.score)
    whole = np.linalg.norm(maps[-1])
    away = np.linalg.norm((maps - maps[-1]).reshape(len(maps), -1), axis=1)
    return Stages(t, maps, scores, away / whole if whole > 0 else np.full(len(t), np.nan))
