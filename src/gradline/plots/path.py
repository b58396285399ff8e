"""The path panel in numbers: the score along the way from the baseline to the input, and where it was read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradline.plots.maps import example
from gradline.plots.subject import photo_of
from gradline.result import Attribution

SATURATED = 0.9
"""Share of the rise of the score after which the path counts as saturated."""


@dataclass(frozen=True, eq=False)
class PathPanel:
    """Arrays for plotting, ascending in t. `t`, `score (n + 2,)`: with both ends; `nodes`, `gradient_norm (n,)`.

    `saturation`: first t at which the score has made `SATURATED` of its whole change; NaN if it does not change. Of a
    map that is `split` it is the saturation point t*; `t` and `score` then also have it, and all that was looked at to
    find it. `paths`: how many the map is a mean over. Of several this is the first, and its start, whose score is not
    known alone, is left out: `t`, `score (n + 1,)`, no `saturation`.
    """

    t: np.ndarray
    score: np.ndarray
    nodes: np.ndarray
    gradient_norm: np.ndarray
    saturation: float
    paths: int = 1
    split: bool = False

    @property
    def mark(self) -> str:
        """What stands at `saturation`, in words."""
        return "saturation point t*" if self.split else f"{SATURATED:.0%} of the change".replace("%", " %", 1)


def path_panel(a: Attribution, i: int = 0) -> PathPanel | None:
    """The panel of example i; None for methods without a path."""
    i = example(a, i)
    if a.baseline_score is None:
        return None
    curve, photo = a.curve[i], photo_of(a, i)
    paths = int(a.provenance.get("paths", 1)) if photo is None else photo.paths
    t = np.concatenate([[0.0], curve.t, [1.0]])
    score = np.concatenate([[float(a.baseline_score[i])], curve.score, [float(a.score[i])]])
    if paths > 1:
        return PathPanel(t[1:], score[1:], curve.t, curve.gradient_norm, float("nan"), paths)
    if "saturation_point" not in a.details:
        return PathPanel(t, score, curve.t, curve.gradient_norm, _saturation(t, score))
    point, value, scores = (a.details[name][i] for name in ("saturation_point", "saturation_score", "path_scores"))
    grid = np.linspace(0, 1, len(scores))
    t, place = np.unique(np.concatenate([t, grid, [point]]), return_index=True)
    score = np.concatenate([score, np.array([*scores, value], dtype=np.float64)])[place]
    return PathPanel(t, score, curve.t, curve.gradient_norm, point, split=True)


def _saturation(t: np.ndarray, score: np.ndarray) -> float:
    change = score[-1] - score[0]
    if not np.isfinite(score).all() or change == 0:
        return float("nan")
    made = (score - score[0]) / change
    after = int(np.argmax(made >= SATURATED))
    if after == 0 or made[after] == made[after - 1]:
        return float(t[after])
    share = (SATURATED - made[after - 1]) / (made[after] - made[after - 1])
    return float(t[after - 1] + share * (t[after] - t[after - 1]))
