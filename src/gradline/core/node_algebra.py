"""Arithmetic on nodes and inner products of node maps: windows, residuals of interpolation, local quadrature."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def windows(n: int, p: int) -> npt.NDArray[np.int_]:
    """For each node the p nodes around it, shifted inwards at the ends: `(n, p)`."""
    low = np.clip(np.arange(n) - p // 2, 0, n - p)
    return np.asarray(low[:, None] + np.arange(p))


def quadratic(gram: Array, window: npt.NDArray[np.int_], c: Array) -> Array:
    """`‖Σ_k c_k v_{window k}‖²` for each window, never below the rounding of the inner products."""
    block = gram[:, window[:, :, None], window[:, None, :]]
    size = np.sqrt(np.einsum("rmkk->rmk", block))
    rounding = 4 * np.finfo(np.float64).eps * (np.abs(c) * size).sum(-1) ** 2
    return np.asarray(np.maximum(np.einsum("rmk,rmkl,rml->rm", c, block, c), rounding))


def length(gram: Array, c: Array) -> Array:
    """`‖Σ_i c_i v_i‖` for coefficients `c (R, n)`."""
    return np.asarray(np.sqrt(np.maximum(np.einsum("ri,rij,rj->r", c, gram, c), 0.0)))


def distance2(gram: Array, i: int, j: int) -> Array:
    """`‖v_i − v_j‖²`."""
    return np.asarray(np.maximum(gram[:, i, i] + gram[:, j, j] - 2 * gram[:, i, j], 0.0))


def leave_one_out(t: Array, window: npt.NDArray[np.int_]) -> Array:
    """Coefficients of `v_i − (interpolation of v at t_i through the others of its window)`: `(R, n, p)`."""
    n, p = window.shape
    own = np.arange(n) - window[:, 0]
    x = t[:, window]
    c = np.ones_like(x)
    for k in range(p):
        for other in range(p):
            factor = (t - x[..., other]) / np.where(other == k, 1.0, x[..., k] - x[..., other])
            skip = (other == own) | (other == k)
            c[..., k] *= np.where(skip, 1.0, factor)
    return np.asarray(np.where(np.arange(p) == own[:, None], 1.0, -c))


def walk_variance(t: Array, window: npt.NDArray[np.int_], c: Array) -> Array:
    """Variance of `Σ c_k B(t_k)`, Σ c = 0, for a walk B with unit rate: what a residual has on a rough path."""
    partial = np.cumsum(c, -1)[..., :-1]
    return np.asarray((partial**2 * np.diff(t[:, window])).sum(-1))


def local_rule(t: Array, p: int, total: Array) -> tuple[Array, Array]:
    """Integrate on each cell (end gaps too) the polynomial through its p nearest nodes: weights, cell integrals."""
    rows, n = t.shape
    edge = np.column_stack([np.zeros(rows), t, np.ones(rows)])
    window = np.clip(np.arange(n + 1) - p // 2, 0, n - p)[:, None] + np.arange(p)
    x = t[:, window]
    g, gw = np.polynomial.legendre.leggauss(p // 2)
    half, middle = np.diff(edge) / 2, (edge[:, 1:] + edge[:, :-1]) / 2
    at = middle[..., None] + half[..., None] * g
    c = np.empty_like(x)
    for k in range(p):
        others = [o for o in range(p) if o != k]
        basis = np.prod((at[..., None] - x[:, :, None, others]) / (x[..., k, None, None] - x[:, :, None, others]), -1)
        c[..., k] = half * (basis * gw).sum(-1)
    weight = np.zeros_like(t)
    np.add.at(weight.T, window.T, c.transpose(2, 1, 0))
    return weight, np.asarray((c * total[:, window]).sum(-1))
