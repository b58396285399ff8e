"""What a map that is split at saturation is made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.result import Attribution
from gradline.result.structure import flat

PARTS = ("left", "right")


@dataclass(frozen=True, eq=False)
class Composition:
    """The sides L and R of maps A = L + R, and t*, where they meet: float64 `(N,)` on the CPU, without units.

    `norm_ratio` ‖R‖₂ / ‖L‖₂ and `l1_ratio` ‖R‖₁ / ‖L‖₁: 0 to ∞. `sum_ratio` ΣR / ΣL: −∞ to ∞, about (1 − φ) / φ by
    the definition of t*, whatever the maps. `cosine_left_right`, `cosine_left_whole`, `cosine_right_whole`: of the
    flattened maps, −1 to 1. `path_share` t*: 0 to 1, the part of the path that lies left.

    Where only the denominator is zero a ratio is infinite; 0/0, and a cosine with a map of zeros, is NaN: a path that
    does not saturate has R = 0, ratios of 0 and no cosine with R. Miglani et al. (2020), whose code divides norms by
    norms of the flattened maps; "disproportionate" is a norm ratio far above the sum ratio.
    """

    norm_ratio: Tensor
    l1_ratio: Tensor
    sum_ratio: Tensor
    cosine_left_right: Tensor
    cosine_left_whole: Tensor
    cosine_right_whole: Tensor
    path_share: Tensor


def composition(a: Attribution) -> Composition:
    """How the two sides of every map of `gl.methods.split_integrated_gradients` are made up.

    Raises `InputError` for attributions without sides.
    """
    if not isinstance(a, Attribution):
        raise InputError("an attribution of gl.methods.split_integrated_gradients", type(a).__name__)
    missing = [name for name in PARTS if name not in a.parts]
    if missing or "saturation_point" not in a.details:
        made = a.provenance.get("method_name", "a method")
        raise InputError(
            "parts left and right and a saturation point",
            f"{made}, with parts {', '.join(sorted(a.parts)) or 'none'}",
            "make it with method=gl.methods.split_integrated_gradients()",
        )
    left, right = (flat(a.parts[name]).cpu().double() for name in PARTS)
    whole = left + right
    return Composition(
        norm_ratio=right.norm(dim=1) / left.norm(dim=1),
        l1_ratio=right.abs().sum(1) / left.abs().sum(1),
        sum_ratio=right.sum(1) / left.sum(1),
        cosine_left_right=_cosine(left, right),
        cosine_left_whole=_cosine(left, whole),
        cosine_right_whole=_cosine(right, whole),
        path_share=torch.tensor(a.details["saturation_point"], dtype=torch.float64, device="cpu"),
    )


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """NaN where one of the maps `(N, D)` is zero."""
    cosine: Tensor = (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))
    return cosine
