"""How a direction in the space of the path looks at a layer inside: the Jacobian times a tangent."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from gradline.errors import GradlineError, ModelError
from gradline.question.trouble import is_out_of_memory

Lift = Callable[[Tensor], Tensor]
"""From points `(R, *F)` to what the layer shows there `(R, *G)`."""


def push(lift: Lift, points: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
    """h(p) and J_h(p)·v for points `(R, *F)` and tangents `(R, *F)`: both `(R, *G)`.

    By forward mode, with attention that has a forward derivative; where an operation has none, by differentiating the
    backward pass (two reverse passes). Raises `ModelError` if neither can be done.
    """
    try:
        return _forward_mode(lift, points, tangent)
    except GradlineError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
    try:
        return _double_backward(lift, points, tangent)
    except GradlineError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise ModelError(
            "the layer's derivative along the path can be had neither by forward mode nor by differentiating the "
            f"backward pass: {type(error).__name__}: {error}; drive the path at the layer instead, site=gl.Layer(…)"
        ) from error


@lru_cache
def _prepared() -> None:
    """PyTorch loads derivatives at the first dual number, with a warning about what it uses itself."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.simplefilter("ignore")
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))  # type: ignore[no-untyped-call]


def _forward_mode(lift: Lift, points: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
    _prepared()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), forward_ad.dual_level():
        dual = forward_ad.make_dual(points.clone(), tangent.to(points.dtype))  # type: ignore[no-untyped-call]
        seen = forward_ad.unpack_dual(lift(dual))  # type: ignore[no-untyped-call]
        pushed = torch.zeros_like(seen.primal) if seen.tangent is None else seen.tangent
        return seen.primal.detach().clone(), pushed.detach().clone()


def _double_backward(lift: Lift, points: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        leaf = points.detach().clone().requires_grad_()
        seen = lift(leaf.clone())
        if not seen.requires_grad:
            return seen, torch.zeros_like(seen)
        dummy = torch.zeros_like(seen, requires_grad=True)
        (back,) = torch.autograd.grad(seen, leaf, dummy, create_graph=True, allow_unused=True)
        if back is None:
            return seen.detach(), torch.zeros_like(seen)
        differentiable = back.requires_grad
        pushed = (
            torch.autograd.grad(back, dummy, tangent.to(back.dtype), allow_unused=True)[0] if differentiable else None
        )
        if pushed is None:  # an operation whose derivative is declared to be the last one
            raise RuntimeError("the backward pass cannot be differentiated")
        return seen.detach(), pushed.detach()
