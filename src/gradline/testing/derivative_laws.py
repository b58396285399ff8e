"""Laws of what stands in for automatic differentiation: rows stand alone, costs are as said, linear scores come out.

Each raises `AssertionError` with what is wrong. `points (R, *F)`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.question.derivatives import Derivative, Estimate
from gradline.testing.nets import batch
from gradline.testing.requiring import ROUNDING, require

WIDE = 4096


def estimates_are_like_points(derivative: Derivative, points: Tensor) -> None:
    """For each target a value a row and a gradient in the shape of the points, finite; the points stay."""
    before = points.clone()
    _checked(derivative)
    for found in _asked(derivative, points)[0]:
        require(found.value.shape == (len(points),), f"values have shape {tuple(found.value.shape)}")
        require(found.grad.shape == points.shape, f"gradients have shape {tuple(found.grad.shape)}")
        require(found.grad.dtype == points.dtype, f"gradients are {found.grad.dtype}, points are {points.dtype}")
        require(bool(found.grad.isfinite().all() and found.value.isfinite().all()), "an estimate is not finite")
        short = found.noise is None or len(found.noise) == len(points)
        require(short, "noise is one row for each point")
    require(torch.equal(points, before), "the points were changed")


def rows_stand_alone(derivative: Derivative, points: Tensor) -> None:
    """A row is what it is alone; as many rows at a time as fit make no difference."""
    whole, _ = _asked(derivative, points)
    narrow, _ = _asked(derivative, points, width=1)
    for k, found in enumerate(whole):
        _close(narrow[k].grad, found.grad, "one row at a time gives another gradient")
        for i in range(len(points)):
            alone, _ = _asked(derivative, points, rows=slice(i, i + 1))
            _close(alone[k].grad, found.grad[i : i + 1], f"row {i} alone has another gradient")
            _close(alone[k].value, found.value[i : i + 1], f"row {i} alone has another value")


def costs_are_as_said(derivative: Derivative, points: Tensor) -> None:
    """No more forward rows than `forwards` and `forwards_of_value` say."""
    _, rows = _asked(derivative, points)
    most = derivative.forwards(points[0].numel()) + derivative.forwards_of_value()
    require(rows <= most * len(points), f"{rows} forward rows for {len(points)} gradients, {most} each are said")


def linear_scores_come_out(derivative: Derivative, points: Tensor) -> None:
    """The gradient of w·x is w, up to rounding, or to six of the standard errors that are told."""
    weight = batch(points.shape[1:], 1, 13, points.dtype)
    found = _asked(derivative, points)[0][0]
    error = (found.grad - weight).double().flatten(1).norm(dim=1).cpu()
    rounding = 1e3 * ROUNDING[points.dtype] * float(weight.norm() + points.norm())
    told = torch.zeros(len(points)) if found.noise is None else found.noise.reshape(len(points), -1)[:, 0].cpu()
    most = rounding + 6 * told.double() * points[0].numel() ** 0.5
    require(bool((error <= most).all()), f"the gradient of a linear score is off by {error.tolist()}")


def values_belong_to_gradients(derivative: Derivative, points: Tensor) -> None:
    """`values` says the same as `estimate`."""
    found, _ = _asked(derivative, points)
    owner, keys = torch.arange(len(points), device="cpu"), [str(i) for i in range(len(points))]
    for value, estimate in zip(derivative.values(_scores, points, owner, keys, WIDE), found, strict=True):
        _close(value.double().cpu(), estimate.value.double().cpu(), "`values` and `estimate` say different scores")


def _checked(derivative: Derivative) -> None:
    try:
        derivative.check()
    except InputError as error:
        raise AssertionError(f"it refuses its own arguments: {error}") from error


def _scores(points: Tensor, owner: Tensor) -> list[Tensor]:
    """A linear score and one that is not."""
    flat = points.flatten(1)
    linear = (flat * batch(points.shape[1:], 1, 13, points.dtype).flatten(1)).sum(1)
    return [linear, torch.tanh(flat).sum(1)]


def _asked(
    derivative: Derivative, points: Tensor, width: int = WIDE, rows: slice = slice(None)
) -> tuple[list[Estimate], int]:
    """Estimates for both scores, and the forward rows that they took."""
    owner = torch.arange(len(points), device="cpu")[rows]
    sizes: list[int] = []

    def values(asked: Tensor, whose: Tensor) -> list[Tensor]:
        sizes.append(len(asked))
        require(len(asked) == len(whose), f"{len(asked)} points of {len(whose)} owners")
        return _scores(asked, whose)

    return derivative.estimate(values, points[rows], owner, [str(i) for i in owner.tolist()], width), sum(sizes)


def _close(got: Tensor, due: Tensor, message: str) -> None:
    error, size = float((got - due).double().abs().max()), float(due.double().abs().max())
    require(error <= 1e3 * ROUNDING.get(due.dtype, 1e-12) * max(1.0, size), f"{message}, by {error:.2g}")
