"""Laws of parts taken by themselves: values that can be stored, curves, paths, accumulators.

Each raises `AssertionError` with what is wrong.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.core.accumulators import Accumulator, SumLaw
from gradline.core.flow import Reading, Step
from gradline.core.paths import Curve, FixedBudget, OwnBudget, Path, Straight, ToleranceBudget
from gradline.core.rules import GaussLegendre, Midpoint
from gradline.status import Status
from gradline.testing import fields as formulas
from gradline.testing.drive import OpenRoom, Told, drive, frame
from gradline.testing.nets import batch
from gradline.testing.requiring import ROUNDING, require
from gradline.testing.state import identical

NEAR = 1e-3
"""How far a sum over many nodes of a curve may be from its integral, relative."""

SMOOTH = (formulas.LINEAR, formulas.POWERS, formulas.PRODUCT, formulas.QUADRATIC, formulas.SOFTPLUS)


# ------------------------------------------------------------------------------------------------------------- any part


def stands_for_itself(part: Any) -> None:
    """A frozen dataclass that stores its arguments unchanged: equality, `repr` and copies follow from its fields."""
    name = type(part).__name__
    require(is_dataclass(part), f"{name} is no dataclass: put @dataclass(frozen=True) in front of it")
    rules = type(part).__dataclass_params__
    require(rules.frozen, f"{name} can be changed: write @dataclass(frozen=True)")
    require(f"{name}(" in repr(part), f"the repr {repr(part)[:80]!r} does not name {name} and its arguments")
    for field in fields(part):
        holds = isinstance(getattr(part, field.name), Tensor)
        remedy = "write @dataclass(frozen=True, eq=False)"
        require(not (holds and rules.eq), f"{field.name} of {name} is a tensor, which cannot be compared: {remedy}")
    for made in (copy.copy(part), *([replace(part)] if rules.init else [])):
        for field in fields(part):
            same = getattr(made, field.name) is getattr(part, field.name)
            require(same, f"{name} does not store its argument {field.name} unchanged")
        require(not rules.eq or made == part, f"a copy of {name} is not equal to it")
        require(not rules.eq or hash(made) == hash(part), f"a copy of {name} has another hash")


# --------------------------------------------------------------------------------------------------------------- curves


def ends_are_exact(curve: Curve, x: Tensor) -> None:
    """γ(0) is the start and γ(1) the end, to the last bit; points have the shape and precision of the ends."""
    start, end = _ends(x)
    t = torch.tensor([[0.0, 0.5, 1.0]], dtype=torch.float64, device="cpu").expand(len(x), -1)
    points = curve.point(start, end, t)
    due = (len(x), 3, *x.shape[1:])
    require(points.shape == due, f"points have shape {tuple(points.shape)}, due is {due}")
    require(points.dtype == x.dtype, f"points are {points.dtype}, the ends are {x.dtype}")
    require(torch.equal(points[:, 0], start), "γ(0) is not the start")
    require(torch.equal(points[:, 2], end), "γ(1) is not the end")


def rows_go_their_own_way(curve: Curve, x: Tensor) -> None:
    """Every row has ends and times of its own, alone as in company; nothing that is handed in is changed."""
    start, end = _ends(x)
    t = _times(len(x), 5)
    kept = start.clone(), end.clone(), t.clone()
    points, moves = _both(curve, start, end, t)
    require(all(map(torch.equal, (start, end, t), kept)), "start, end or t was changed")
    for i in range(len(x)):
        row = slice(i, i + 1)
        for what, together, alone in zip(
            ("point", "move"), (points, moves), _both(curve, start[row], end[row], t[row]), strict=True
        ):
            _close(alone, together[row], f"the {what} of row {i} is another one alone")
        for k in range(t.shape[1]):
            single = _both(curve, start[row], end[row], t[row, k : k + 1])
            _close(single[0], points[row, k : k + 1], f"the point of row {i} at t = {t[i, k]:.3f} hangs on other times")
            _close(single[1], moves[row, k : k + 1], f"the move of row {i} at t = {t[i, k]:.3f} hangs on other times")


def move_is_the_tangent(curve: Curve, x: Tensor) -> None:
    """The move is γ'(t): central differences of the point, in float64."""
    start, end = _ends(x.double())
    t, step = 0.02 + 0.96 * _times(len(x), 7), 1e-6
    ahead, behind = (curve.point(start, end, t + sign * step) for sign in (1, -1))
    _, moves = _both(curve, start, end, t)
    error = (moves - (ahead - behind) / (2 * step)).flatten(2).norm(dim=2)
    size = moves.flatten(2).norm(dim=2) + (end - start).flatten(1).norm(dim=1)[:, None]
    worst = int((error / size).max(1).values.argmax())
    where = float(t[worst, int((error / size)[worst].argmax())])
    wrong = f"the move is not the derivative of the point: off by {float((error / size).max()):.2g} at t = {where:.3f}"
    require(bool((error <= 1e-5 * size).all()), wrong)


def moves_add_up(curve: Curve, x: Tensor) -> None:
    """∫ γ'(t) dt is end − start: eight Gauss–Legendre nodes on each of 128 cells."""
    start, end = _ends(x)
    node, weight = np.polynomial.legendre.leggauss(8)
    t = torch.from_numpy(((np.arange(128)[:, None] + (node + 1) / 2) / 128).ravel()).expand(len(x), -1)
    _, moves = _both(curve, start, end, t)
    share = torch.from_numpy(np.tile(weight / 256, 128)).to(moves.double())
    total = torch.einsum("m,rm...->r...", share, moves.double())
    error = (total - (end - start).double()).flatten(1).norm(dim=1)
    wrong = f"the moves add up to something else than end − start, off by {float(error.max()):.2g}"
    require(bool((error <= NEAR * (end - start).double().flatten(1).norm(dim=1)).all()), wrong)


# ---------------------------------------------------------------------------------------------------------------- paths


def steps_add_up(path: Path, x: Tensor) -> None:
    """The steps of a complete path, moves times weights, add up to x − x', the mean over its starts."""
    if not path.complete:
        return
    told, start = _walked(path, x)
    total = torch.zeros_like(x, dtype=torch.float64)
    for step in told.steps:
        share = step.weight.double().reshape(-1, *[1] * (x.ndim - 1))
        total.index_add_(0, step.reading.owner, step.move.double() * share)
    way = (x - start.mean(1)).double()
    error = (total - way).flatten(1).norm(dim=1)
    wrong = f"weighted moves miss x − x' by {float(error.max()):.2g}"
    require(bool((error <= NEAR * way.flatten(1).norm(dim=1)).all()), wrong)


def examples_do_not_meet(path: Path, x: Tensor) -> None:
    """A group of examples, each alone, and one row at a time: the same steps."""
    together, start = _walked(path, x, steps=12)
    narrow, _ = _walked(path, x, width=1, steps=12)
    _close(narrow.values, together.values, "one row at a time gives another map")
    for i in range(len(x)):
        alone, _ = _walked(path, x[i : i + 1], start=start[i : i + 1], name=str(i), steps=12)
        _close(alone.values, together.values[i : i + 1], f"example {i} alone has another map than in its group")
        require(alone.outcome.status[0] is together.outcome.status[i], f"example {i} alone has another status")


def formulas_add_up(path: Path) -> None:
    """On smooth formulas the values of Σ weight · g ⊙ move add up to F(x) − F(0); to a tolerance it converges."""
    if not path.complete:
        return
    for field in SMOOTH:
        due = float((field(field.x) - field(torch.zeros_like(field.x))).sum())
        ground = frame(field, field.x)
        told = drive(path.flow(ground, _budget(path)), field, field.x)
        size = float(told.values.abs().sum())
        got = float(told.values.sum())
        require(abs(got - due) <= NEAR * size, f"values on the {field} add up to {got:.6g}, due is {due:.6g}")
        if path.estimates:
            told = drive(path.flow(ground, ToleranceBudget(0.01, 512)), field, field.x)
            got, status = float(told.values.sum()), told.outcome.status[0]
            require(status is Status.CONVERGED, f"1 % on the {field} ends as {status.value}")
            require(abs(got - due) <= 0.1 * size, f"values to 1 % on the {field} add up to {got:.6g}, due is {due:.6g}")


# --------------------------------------------------------------------------------------------------------- accumulators


def terms_are_linear_in_the_weight(accumulator: Accumulator, x: Tensor) -> None:
    """What a row adds is its node map times its weight, in the gradient's precision; nothing handed in is changed."""
    grad, move = x, batch(x.shape[1:], len(x), 7, x.dtype)
    kept = grad.clone(), move.clone()
    weight = torch.linspace(0.2, 1.7, len(x), dtype=torch.float64, device="cpu")
    node = accumulator.node_map(grad, move)
    require(node.shape == grad.shape, f"a node map has shape {tuple(node.shape)}, the gradient {tuple(grad.shape)}")
    require(node.dtype == grad.dtype, f"a node map is {node.dtype}, the gradient {grad.dtype}")
    for scale in (1.0, 2.0, -0.5, 0.0):
        term = accumulator.term(_step(grad, move, scale * weight))
        due = node * (scale * weight).to(node).reshape(-1, *[1] * (x.ndim - 1))
        require(term.dtype == grad.dtype, f"a term is {term.dtype}, the gradient {grad.dtype}")
        _close(term, due, f"a term is not its node map times its weight (weights times {scale:g})")
    require(torch.equal(grad, kept[0]) and torch.equal(move, kept[1]), "gradient or move was changed")


def nodes_do_not_meet(accumulator: Accumulator, x: Tensor) -> None:
    """What a row adds hangs on that row alone; without a gradient it adds nothing."""
    move = batch(x.shape[1:], len(x), 7, x.dtype)
    together = accumulator.node_map(x, move)
    for i in range(len(x)):
        _close(accumulator.node_map(x[i : i + 1], move[i : i + 1]), together[i : i + 1], f"row {i} alone adds another")
    nothing = accumulator.node_map(torch.zeros_like(x), move)
    require(not nothing.any(), f"without a gradient a row adds up to {float(nothing.abs().max()):.2g}")


def multiplies_as_it_says(accumulator: Accumulator, x: Tensor) -> None:
    """`multiplies`: no move, no term. Otherwise the move has no say: at a layer inside it is not even known."""
    move = batch(x.shape[1:], len(x), 7, x.dtype)
    if accumulator.multiplies:
        still = accumulator.node_map(x, torch.zeros_like(move))
        require(not still.any(), f"`multiplies`, yet without a move a row adds up to {float(still.abs().max()):.2g}")
    else:
        same = identical(accumulator.node_map(x, move), accumulator.node_map(x, -3 * move))
        require(same, "the move has a say in the node map: set `multiplies = True`")


def sum_law_is_kept(accumulator: Accumulator) -> None:
    """An accumulator that claims F(x) − F(x') keeps it on smooth formulas, by 64 Gauss–Legendre nodes."""
    if accumulator.law is not SumLaw.DIFFERENCE:
        return
    for field in SMOOTH:
        flow = Straight().flow(frame(field, field.x), FixedBudget(64, GaussLegendre()))
        values = drive(flow, field, field.x, accumulator).values
        due = float((field(field.x) - field(torch.zeros_like(field.x))).sum())
        off = abs(float(values.sum()) - due)
        require(off <= 1e-6 * float(values.abs().sum()), f"values on the {field} miss F(x) − F(0) by {off:.2g}")


# -------------------------------------------------------------------------------------------------------------- helpers


def _ends(x: Tensor) -> tuple[Tensor, Tensor]:
    return batch(x.shape[1:], len(x), 5, x.dtype), x


def _times(rows: int, count: int) -> Tensor:
    return batch((count,), rows, 11).sigmoid().sort(1).values


def _both(curve: Curve, start: Tensor, end: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    points = curve.point(start, end, t)
    return points, curve.move(start, end, t).expand(points.shape)


def _step(grad: Tensor, move: Tensor, weight: Tensor) -> Step:
    every = torch.arange(len(grad), device="cpu")
    return Step(Reading(every, torch.zeros(len(grad), dtype=torch.float64), grad), move, weight)


def _budget(path: Path, steps: int = 256) -> FixedBudget | OwnBudget:
    return FixedBudget(steps, Midpoint()) if path.integrates else OwnBudget()


@dataclass(frozen=True)
class _Bowl:
    """F(x) = Σ tanh(x) + (Σ x)² / D: not linear, every feature counts."""

    def __call__(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return flat.tanh().sum(1, keepdim=True) + flat.sum(1, keepdim=True) ** 2 / flat.shape[1]


def _walked(
    path: Path, x: Tensor, *, start: Tensor | None = None, width: int = 16, name: str | None = None, steps: int = 256
) -> tuple[Told, Tensor]:
    """The path from two starts an example, on a formula."""
    score: Callable[[Tensor], Tensor] = _Bowl()
    start = torch.stack([batch(x.shape[1:], len(x), seed, x.dtype) for seed in (5, 6)], 1) if start is None else start
    ground = frame(score, x, start, room=OpenRoom(width))
    if name is not None:
        ground = replace(ground, names=(name,))
    return drive(path.flow(ground, _budget(path, steps)), score, x), start


def _close(got: Tensor, due: Tensor, message: str) -> None:
    error, size = (got - due).double().flatten().norm(), due.double().flatten().norm()
    close = bool(error <= 10 * ROUNDING[due.dtype] * size + 1e-30)
    require(close, f"{message}: by {float(error / size.clamp_min(1e-300)):.2g} of its norm")
