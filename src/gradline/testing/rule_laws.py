"""Laws of quadrature rules; each raises `AssertionError` with what is wrong."""

from __future__ import annotations

import numpy as np

from gradline.core.rules import Rule
from gradline.testing.requiring import require


def weights_sum_to_one(rule: Rule, n: int, value: np.ndarray | None = None) -> None:
    """n nodes ascending in [0, 1], with weights that sum to one, in float64.

    `value (probes + 1,)`: the score that a rule is shown which places its nodes by it.
    """
    t, w = rule.table(n, ("only",), 0, 0, 1, _row(value))
    require(t.shape == w.shape == (1, n), f"{rule} on {n} nodes has shapes {t.shape}, {w.shape}")
    require(t.dtype == w.dtype == np.float64, f"{rule} is in {t.dtype}, {w.dtype}")
    require(bool((np.diff(t) > 0).all()), f"the nodes of {rule} do not ascend")
    require(bool((np.abs(t - 0.5) <= 0.5).all()), f"the nodes of {rule} leave [0, 1]")
    require(abs(w.sum() - 1) <= 1e-12, f"the weights of {rule} on {n} nodes sum to one {w.sum() - 1:+.2g}")


def exact_to_degree(rule: Rule, n: int, degree: int, value: np.ndarray | None = None) -> None:
    """n nodes integrate every polynomial up to `degree`, and not the Legendre polynomial one degree beyond."""
    (t,), (w,) = rule.table(n, ("only",), 0, 0, 1, _row(value))
    for d in range(degree + 1):
        got, due = w @ ((t + 0.3) / 1.3) ** d, (1.3 - 0.3 * (0.3 / 1.3) ** d) / (d + 1)
        require(abs(got - due) <= 1e-12, f"{rule} on {n} nodes is off by {got - due:.2g} at degree {d}")
    beyond = w @ np.polynomial.legendre.Legendre.basis(degree + 1, [0, 1])(t)
    require(abs(beyond) > 1e-9, f"{rule} on {n} nodes is exact beyond degree {degree}")


def _row(value: np.ndarray | None) -> np.ndarray | None:
    return None if value is None else value[None]
