"""The error bar on a map: how far a quadrature over a few node maps may be from the integral.

Everything here is plain float64 arithmetic on inner products of node maps `v_k = g(t_k) ⊙ γ'(t_k)`; no map is touched.
Two hypotheses about the path are weighed against each other.

*Rough* (a ReLU network): between nodes the gradient behaves like a process with independent increments. The best linear
rule is the open non-uniform trapezoid; a cell of width w misses variance `ρ w³/12`, where the rate ρ is read off second
differences `r_i = v_i − lerp(v_{i−1}, v_{i+1})`. Errors of cells are independent, except for the coherent part
`‖Σ c_i r_i‖`, which does not cancel.

*Smooth* (tanh, GELU, soft-plus): a node is predicted far better by the cubic through its four neighbours than by a
line. Then the rate comes from those residuals, the rule integrates the local quintic, and its coherent error is bounded
by its distance to the rule one order lower. The smooth reading is believed only where it is at least twice as sharp; on
a rough path the two residuals have equal rates and, in more than a few dimensions, it never is.

On top of both, what the score itself says. `e_j = F(t_{j+1}) − F(t_j) − (quadrature of Σ v over the cell)` is the sum
of what the cell gets wrong. A cell whose `e_j` is large hides a jump (the guard). Where a cell's map changes in one
direction, by `δ = v_{j+1} − v_j`, its error has the norm `|e_j| ‖δ‖₂/‖δ‖₁`: this catches singular ends. A gap far
beyond what the map's own error explains counts in full. And an end gap, which has a node on one side only, is never
taken to be better than its `e_j`, its quarter of the path, or a singularity that fits its first three nodes says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradline.core import chance
from gradline.core import node_algebra as algebra
from gradline.core.node_algebra import Array
from gradline.core.seen import Seen

SAFETY = 1.25
"""Least factor between the estimate and the tolerance (measured: estimate/true reaches down to 0.8)."""

ENOUGH, SPARSE = 12, 2.0
"""On a rough path with fewer nodes than this the estimate is low, and the safety factor that much larger."""

SURPRISE = 4.0
"""Standard deviations by which a cell's gap of the score may exceed what its map explains before it counts in full."""

SHARPER = 0.5
"""The smooth hypothesis is taken if its estimate is below this share of the rough one."""

_EXPONENTS = np.linspace(0.02, 0.94, 47)


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """The verdict on R paths: rule, estimate and where to look next.

    `weight (R, n)`: the rule, rows sum to one. `norm (R,)`: L2 norm of the map. `error (R,)`: estimated L2 error of the
    map, absolute. `factor (R,)`: safety factor. `cell (R, n+1)`: squared error of each cell, end gaps included, the
    larger of what the maps and what the score say. `jump (R, n+1)`: cells that the guard wants split.
    """

    weight: Array
    norm: Array
    error: Array
    factor: Array
    cell: Array
    jump: npt.NDArray[np.bool_]


def error_bar(seen: Seen, tol: float) -> Bar:
    """Weigh both hypotheses and return rule, estimate and cells; `tol` scales the guard's threshold.

    Needs at least 6 nodes a path.
    """
    rough = _rough(seen)
    smooth = _smooth(seen, rough.rate)
    better = smooth.error < SHARPER * rough.error

    def pick(a: Array, b: Array) -> Array:
        return np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    weight, cell = pick(smooth.weight, rough.weight), pick(smooth.cell, rough.cell)
    gap = _gaps(seen, pick(smooth.integral, rough.integral))
    cell = _cross_examined(seen, gap, cell)
    signed = gap * _focus(seen)
    rounding = seen.floor * (np.abs(weight) * np.sqrt(np.einsum("rii->ri", seen.gram))).sum(1)
    claimed = pick(smooth.error, rough.error)
    error = np.maximum.reduce([claimed, np.sqrt(cell.sum(1)), np.abs(signed.sum(1)), rounding])
    factor = np.where(better, SAFETY, _safety(cell) * (SPARSE if seen.t.shape[1] < ENOUGH else 1.0))
    return Bar(
        weight=weight,
        norm=algebra.length(seen.gram, weight),
        error=error,
        factor=factor,
        cell=np.maximum(cell, signed**2),
        jump=_jumps(seen, gap, tol),
    )


# ------------------------------------------------------------------------------------------------ the two hypotheses


@dataclass(frozen=True, slots=True, eq=False)
class _Hypothesis:
    weight: Array  # (R, n)
    integral: Array  # (R, n+1): quadrature of the summed map over each cell
    error: Array  # (R,)
    cell: Array  # (R, n+1)
    rate: Array  # (R, n)


def _rough(seen: Seen) -> _Hypothesis:
    t, gram = seen.t, seen.gram
    w = np.diff(t)
    a, b = w[:, :-1], w[:, 1:]
    line = np.stack([-b / (a + b), np.ones_like(a), -a / (a + b)], -1)
    inner = algebra.windows(t.shape[1], 3)[1:-1]
    rate = np.zeros_like(t)
    rate[:, 1:-1] = chance.beyond(algebra.quadratic(gram, inner, line), seen.noise, inner, line) * (a + b) / (a * b)

    change = seen.changes()
    ends = [change[:, 0] ** 2 / w[:, 0], change[:, -1] ** 2 / w[:, -1]]
    cell = _cells(t, rate, ends)

    share = np.zeros_like(t)  # of the trapezoid's error coefficient w³/12, half to each end of a cell
    share[:, :-1] += w**3 / 24
    share[:, 1:] += w**3 / 24
    share[:, 1] += share[:, 0]
    share[:, -2] += share[:, -1]
    coherent = np.zeros_like(t)
    pull = -2 / (a * b) * share[:, 1:-1]
    for k in range(3):
        coherent[:, inner[:, k]] += pull * line[..., k]
    error = np.maximum(np.sqrt(cell.sum(1)), algebra.length(gram, coherent))

    weight = np.zeros_like(t)
    weight[:, :-1] += w / 2
    weight[:, 1:] += w / 2
    weight[:, 0] += t[:, 0]
    weight[:, -1] += 1 - t[:, -1]
    total = seen.total
    integral = np.column_stack(
        [t[:, 0] * total[:, 0], w * (total[:, 1:] + total[:, :-1]) / 2, (1 - t[:, -1]) * total[:, -1]]
    )
    return _Hypothesis(weight, integral, error, cell, rate)


def _smooth(seen: Seen, rough_rate: Array) -> _Hypothesis:
    t, gram = seen.t, seen.gram
    n = t.shape[1]
    window = algebra.windows(n, 5)
    cubic = algebra.leave_one_out(t, window)
    residual = chance.beyond(algebra.quadratic(gram, window, cubic), seen.noise, window, cubic)
    rate = residual / algebra.walk_variance(t, window, cubic)
    ends = [rate[:, 0], rate[:, -1]]
    inner = rate[:, 1:-1]
    padded = np.pad(inner, ((0, 0), (1, 1)))
    widest = np.maximum(inner, np.maximum(padded[:, :-2], padded[:, 2:]))
    calm = np.zeros_like(t)
    calm[:, 1:-1] = np.minimum(rough_rate[:, 1:-1], widest)
    cell = _cells(t, calm, ends)

    weight, integral = algebra.local_rule(t, 6, seen.total)
    lower, _ = algebra.local_rule(t, 4, seen.total)
    error = np.maximum(np.sqrt(cell.sum(1)), algebra.length(gram, weight - lower))
    return _Hypothesis(weight, integral, error, cell, rate)


def _cells(t: Array, rate: Array, ends: list[Array]) -> Array:
    """Squared error of every cell from the rates of its two nodes; the end gaps use the constant rule."""
    w = np.diff(t)
    cell = np.empty_like(w)
    cell[:, 1:-1] = (rate[:, 1:-2] + rate[:, 2:-1]) / 2
    cell[:, 0], cell[:, -1] = rate[:, 1], rate[:, -2]
    first, last = np.maximum(cell[:, 0], ends[0]), np.maximum(cell[:, -1], ends[1])
    return np.column_stack([first * t[:, 0] ** 3 / 3, cell * w**3 / 12, last * (1 - t[:, -1]) ** 3 / 3])


# ------------------------------------------------------------------------------------------- what the score itself says


def _gaps(seen: Seen, integral: Array) -> Array:
    """Per cell: change of the score minus the quadrature of the summed map, zero within the score's rounding and
    within what chance in sampled scores and gradients explains."""
    value = seen.values()
    gap = np.diff(value) - integral
    rounding = 4 * seen.eps * np.abs(value).max(1, keepdims=True)
    return np.asarray(np.where(np.abs(gap) > rounding + chance.of_gaps(seen.t, seen.noise, seen.doubt), gap, 0.0))


def _cross_examined(seen: Seen, gap: Array, cell: Array) -> Array:
    """Squared errors of the cells, raised where the score, or the other side of an end, gives reason to doubt them."""
    echo, outer = _echo(seen), [0, -1]
    cell = cell.copy()
    doubts = [gap[:, outer] ** 2 / echo, _calm_ends(seen.t, cell), _singular_ends(seen)]
    cell[:, outer] = np.maximum.reduce([cell[:, outer], *doubts])
    surprising = np.abs(gap) > SURPRISE * np.sqrt(echo * cell)
    return np.asarray(np.where(surprising, np.maximum(cell, gap**2), cell))


def _calm_ends(t: Array, cell: Array) -> Array:
    """Squared errors of the end gaps at the mean rate of the nearest quarter of the path: `(R, 2)`.

    One cell alone may be calm by chance, and no node lies on the gap's other side.
    """
    inner, width, middle = cell[:, 1:-1], np.diff(t), (t[:, 1:] + t[:, :-1]) / 2
    found = []
    for near, gap in ((middle < 0.25, t[:, 0]), (middle > 0.75, 1 - t[:, -1])):
        span = (near * width).sum(1)
        rate = np.divide((near * inner * 12 / width**2).sum(1), span, out=np.zeros_like(span), where=span > 0)
        found.append(rate * gap**3 / 3)
    return np.stack(found, 1)


def _singular_ends(seen: Seen) -> Array:
    """Squared errors of the end gaps if the map grows like `t^−a` there, 0 < a < 1: `(R, 2)`, zero if it does not.

    Then `(v_2 − v_3)/(v_1 − v_2)` tells a, and the constant rule misses `a/(1 − a) · t_1 v_1`. The score may be blind
    to it: √x − √y.
    """
    change = seen.changes()
    found = []
    for t, first, second in (
        (seen.t[:, :3], change[:, 0], change[:, 1]),
        (1 - seen.t[:, :-4:-1], change[:, -1], change[:, -2]),
    ):
        power = (t[:, :, None] / t[:, :1, None]) ** -_EXPONENTS  # (R, 3, A), relative to the outermost node
        slower = (power[:, 1] - power[:, 2]) / (power[:, 0] - power[:, 1])  # falls with a
        steeper = second[:, None] <= slower * first[:, None]
        best = steeper.sum(1) - 1  # the largest exponent that the changes are steep enough for
        walk = np.sqrt((t[:, 2] - t[:, 1]) / (t[:, 1] - t[:, 0]))  # the ratio on a rough path
        best[second > 0.7 * walk * first] = -1
        a = _EXPONENTS[np.maximum(best, 0)]
        missed = a / (1 - a) * t[:, 0] * first / (1 - (t[:, 1] / t[:, 0]) ** -a)
        found.append(np.where((best >= 0) & (first > 0), missed, 0.0) ** 2)
    return np.stack(found, 1)


def _echo(seen: Seen) -> Array:
    """How much of a change of the map is heard in its sum: `Σ_j (Σδ_j)² / Σ_j ‖δ_j‖₂²` over the path, `(R, 1)`.

    An end gap has a node on one side only, so a kink in it may go unseen by the maps; its own gap of the score, over
    this, is an estimate of its squared error.
    """
    change = seen.changes()
    heard = (np.diff(seen.total) ** 2).sum(1)
    size = (change**2).sum(1)
    share = np.divide(heard, size, out=np.ones_like(size), where=size > 0)
    return np.asarray(np.maximum(share, 0.01)[:, None])


def _focus(seen: Seen) -> Array:
    """`‖δ‖₂/‖δ‖₁` of each cell's change of map, 1/√D to 1: the norm of an error that adds up to one. 1 if unseen."""
    change = seen.changes()
    visible = change > 1e-5 * np.sqrt(np.einsum("rii->ri", seen.gram).max(1, keepdims=True))
    focus = np.divide(change, seen.variation, out=np.ones_like(change), where=visible & (seen.variation > 0))
    return np.asarray(np.clip(np.column_stack([focus[:, 0], focus, focus[:, -1]]), 0.0, 1.0))


def _jumps(seen: Seen, gap: Array, tol: float) -> npt.NDArray[np.bool_]:
    """Cells whose own gap is too large for the tolerance."""
    scale = np.maximum(np.abs(seen.ends[:, 1] - seen.ends[:, 0]), 0.1 * np.ptp(seen.values(), axis=1))
    return np.asarray(np.abs(gap) > tol * scale[:, None])


def _safety(cell: Array) -> Array:
    """Safety factor: `SAFETY`, more where a few cells carry the error and it does not average out.

    One kink inside one cell is off by up to √3 times its root mean square. The error is a sum of K independent squares
    u², u uniform on a cell, with K = (Σ E²)²/ΣE⁴ over 2.67 cells per kink: mean plus 2.5 standard deviations.
    """
    total = cell.sum(1)
    fourth = (cell**2).sum(1)
    kinks = np.divide(total**2, 2.67 * fourth, out=np.full_like(total, np.inf), where=fourth > 0)
    return np.asarray(np.maximum(SAFETY, np.sqrt(np.minimum(3.0, 1 + 2.24 / np.sqrt(kinks)))))
