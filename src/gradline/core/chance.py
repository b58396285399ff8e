"""What chance in sampled scores and gradients does to an error bar: it is no roughness of the path, and no jump."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gradline.core.node_algebra import Array

LUCK = 4.0
"""Standard errors of sampled scores and gradients that a gap of the score may be without being told."""

SURE = 2.33
"""Standard normal deviate of the 99th percentile."""


def beyond(residual: Array, noise: Array, window: npt.NDArray[np.int_], c: Array) -> Array:
    """Squared residuals `‖Σ c_k v_k‖²` less what chance has in them; `noise (R, n)`: standard error of a node map."""
    chance = (c**2 * noise[:, window] ** 2).sum(-1)
    return np.asarray(np.where(chance > 0, np.maximum(residual - chance, 0.0), residual))


def of_gaps(t: Array, noise: Array, doubt: Array) -> Array:
    """What chance explains of each cell's gap of the score, `(R, n+1)`; `doubt (R, n)`: standard error of a score."""
    score, slope = (np.pad(sampled**2, ((0, 0), (1, 1)), mode="edge") for sampled in (doubt, noise))
    one = np.ones((len(t), 1))
    width = np.diff(np.hstack([0 * one, t, one]))
    return np.asarray(LUCK * np.sqrt(score[:, 1:] + score[:, :-1] + (width / 2) ** 2 * (slope[:, 1:] + slope[:, :-1])))


def confidence(move: Array) -> Array:
    """By what factor the size of a sum of chances is below its 99th percentile, `(R,)`, for moves `(R, D)`.

    The fewer features the path moves, the more: a sum of k equal squares, k = (Σ m²)²/Σ m⁴ (Wilson & Hilferty 1931).
    """
    size = (move**2).sum(1)
    k = np.divide(size**2, (move**4).sum(1), out=np.ones_like(size), where=size > 0)
    return np.asarray((1 - 2 / (9 * k) + SURE * np.sqrt(2 / (9 * k))) ** 1.5)
