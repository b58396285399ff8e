"""Laws of targets: one scalar a row, of that row alone, settled at x; its gradient is right; nothing is changed.

Each raises `AssertionError` with what is wrong. `output`: from numbers `(R, 12)` to whatever a model returns.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from gradline.engine import explain
from gradline.question.sites import Input, Layer, Site
from gradline.question.targets import Contrast, Entry, Target
from gradline.question.targets.convert import as_target
from gradline.question.trees import replaced, tensors
from gradline.testing.nets import SHAPES, Net, Split, batch, shared
from gradline.testing.requiring import ROUNDING, require
from gradline.testing.site_laws import by_hand, pieces

Output = Callable[[Tensor], Any]

N, FEATURES = 3, 12
OWNER = torch.tensor([2, 0, 0, 1, 2, 2, 0], device="cpu")
ORDER = torch.tensor([3, 6, 0, 5, 1, 4, 2], device="cpu")


def _boxes(z: Tensor) -> tuple[Tensor, Tensor]:
    corners = torch.tensor([0.0, 0.0, 4.0, 3.0], dtype=z.dtype, device=z.device)
    return corners + 0.3 * torch.tanh(z).reshape(-1, 3, 4), torch.sigmoid(z[:, :6].reshape(-1, 3, 2))


def _maps(z: Tensor) -> Tensor:
    """Three channels over 2 × 2 pixels, of which each is the largest somewhere."""
    tint = 4 * torch.eye(3, 4, dtype=z.dtype, device=z.device).reshape(3, 2, 2)
    return z.reshape(len(z), 3, 2, 2) + tint


OUTPUTS: dict[str, Output] = {
    "table": lambda z: 2 * z[:, :4],
    "column": lambda z: z[:, :1] + z[:, 1:2] ** 2,
    "maps": _maps,
    "plane": lambda z: _maps(z).sum(1),
    "boxes": _boxes,
    "entries": lambda z: {"scores": 2 * z[:, :4], "maps": _maps(z)},
}
"""What models return: classes, one number, channels over a plane, a plane, detections, several things by name."""


def fits(target: Target, output: Output) -> bool:
    """The target finds its scalar in what this model returns."""
    try:
        return target.freeze(output(_at_x()), N).pick(output(_points()), OWNER).shape == OWNER.shape
    except Exception:
        return False


# ------------------------------------------------------------------------------------------------------- row after row


def rows_stand_alone(target: Target, output: Output) -> None:
    """`(R,)` finite scalars; each is what it is alone, in any order, and beside itself."""
    frozen, points = target.freeze(output(_at_x()), N), _points()
    scalars = frozen.pick(output(points), OWNER)
    require(scalars.shape == OWNER.shape, f"scalars have shape {tuple(scalars.shape)}, due is {tuple(OWNER.shape)}")
    require(scalars.is_floating_point(), f"scalars are {scalars.dtype}")
    require(bool(scalars.isfinite().all()), "scalars are not finite")
    _close(frozen.pick(output(points[ORDER]), OWNER[ORDER]), scalars[ORDER], "rows in another order")
    for row in range(len(OWNER)):
        alone = frozen.pick(output(points[row : row + 1]), OWNER[row : row + 1])
        _close(alone, scalars[row : row + 1], f"row {row} alone")
        pair = torch.tensor([row, row], device="cpu")
        _close(frozen.pick(output(points[pair]), OWNER[pair]), scalars[pair], f"row {row} beside itself")


def gradients_are_right(target: Target, output: Output) -> None:
    """The gradient is that of central differences, in float64."""
    frozen, points = target.freeze(output(_at_x()), N), _points()
    leaf = points.clone().requires_grad_()
    scalars = frozen.pick(output(leaf), OWNER)
    require(scalars.requires_grad, "scalars hang on the output through nothing that can be differentiated")
    (grad,) = torch.autograd.grad(scalars.sum(), leaf)
    step, measured = 1e-6, torch.zeros_like(grad)
    for i in range(FEATURES):
        move = torch.zeros(FEATURES, dtype=points.dtype)
        move[i] = step
        ahead, behind = (frozen.pick(output(points + sign * move), OWNER) for sign in (1, -1))
        measured[:, i] = (ahead - behind) / (2 * step)
    error = float((grad - measured).abs().max())
    require(error <= 1e-6 * float(grad.abs().max()) + 1e-8, f"the gradient is off by {error:.2g} from differences")


# ---------------------------------------------------------------------------------------------------- settled and kept


def what_is_settled_stays(target: Target, output: Output) -> None:
    """Frozen at x, a target does not change with what it is shown later, nor with what becomes of the output at x."""
    seen = output(_at_x().clone())
    frozen = target.freeze(seen, N)
    before, words = frozen.pick(output(_points()), OWNER), [frozen.describe(i) for i in range(N)]
    frozen.pick(output(-_points()), OWNER)
    for _, tensor in tensors(seen):
        tensor.mul_(-3) if tensor.is_floating_point() else tensor.zero_()
    require(torch.equal(frozen.pick(output(_points()), OWNER), before), "a frozen target says something else later")
    require([frozen.describe(i) for i in range(N)] == words, "a frozen target is described in other words later")
    require(all(word and word.isprintable() for word in words), f"not in words: {words}")
    again = frozen.freeze(output(_at_x()), N).pick(output(_points()), OWNER)
    require(torch.equal(again, before), "frozen twice it says something else")
    require(frozen.bounded == target.bounded, "`bounded` changes when it is frozen")


def output_is_left_alone(target: Target, output: Output) -> None:
    """The output and the owners of its rows are not written to, the target's words stay."""
    given, kept = output(_points().clone()), copy.deepcopy(output(_points()))
    owner, said = OWNER.clone(), repr(target)
    target.freeze(output(_at_x()), N).pick(given, owner)
    require(torch.equal(owner, OWNER), "the owners were changed")
    require(repr(target) == said, "the target was changed")
    for (path, now), (_, then) in zip(tensors(given), tensors(kept), strict=True):
        require(torch.equal(now, then), f"the output was changed{f' at {path}' if path else ''}")


def bounds_are_kept(target: Target, output: Output) -> None:
    """`bounded` targets stay in [0, 1], differences of two in [−1, 1], however large the output."""
    if not target.bounded:
        return
    inner = target
    while isinstance(inner, Entry):
        inner = as_target(inner.target)
    lowest = -1.0 if isinstance(inner, Contrast) else 0.0
    frozen = target.freeze(output(_at_x()), N)
    for scale in (0.1, 1, 50):
        scalars = frozen.pick(output(scale * _points()), OWNER)
        inside = bool(((scalars >= lowest) & (scalars <= 1)).all())
        require(inside, f"`bounded`, yet {float(scalars.min()):g} to {float(scalars.max()):g}")


def precisions_agree(target: Target, output: Output, dtype: torch.dtype) -> None:
    """From a low precision output it takes what that says, rounded once."""
    low, at_x = output(_points().to(dtype)), output(_at_x().to(dtype))
    scalars = target.freeze(at_x, N).pick(low, OWNER)
    require(scalars.is_floating_point(), f"scalars are {scalars.dtype}")
    exact = target.freeze(_doubled(at_x), N).pick(_doubled(low), OWNER)
    off = (scalars.double() - exact.double()).abs() / exact.double().abs().clamp_min(1)
    eps = float(torch.finfo(dtype).eps)
    require(bool((off <= 8 * eps).all()), f"scalars in {dtype} are off by {float(off.max()) / eps:.2g} of its rounding")


def something_is_aimed_at(target: Target, outputs: Iterable[Output]) -> None:
    """From one of these outputs at least, the scalars change with it."""
    for output in outputs:
        first, other = (target.freeze(output(_at_x()), N).pick(output(s * _points()), OWNER) for s in (1, -1))
        if not torch.equal(first, other):
            return
    raise AssertionError("the scalars are the same whatever the model returns")


# ----------------------------------------------------------------------------------------------------------- explained


def is_explained_as_by_hand(target: Target, model: nn.Module, x: Tensor, site: Site) -> None:
    """F(x), F(x') and the map are those of a plain loop, with the target frozen once."""
    start = batch(x.shape[1:], len(x), 9, x.dtype)
    a = explain(model, x, target, site=site, steps=4, baseline=start)
    listen = hearing(model, target)
    with torch.no_grad():
        frozen = target.freeze(listen(x), len(x))
    split: Split = pieces(model, site)
    if target.layer is not None:
        split = torch.clone, lambda h, x: listen(h)
    assert a.baseline_score is not None
    every = torch.arange(len(x), device="cpu")
    due = by_hand(split, x, start, lambda output: frozen.pick(output, every))
    for what, got, right in zip(("the map", "F(x)", "F(x')"), (a.values, a.score, a.baseline_score), due, strict=True):
        error = (got.double() - right.double()).reshape(len(x), -1).norm(dim=1)
        size = right.double().reshape(len(x), -1).norm(dim=1) + due[1].abs()
        close = bool((error <= 10 * ROUNDING[x.dtype] * size).all())
        require(close, f"{what} is off by {error.tolist()} from a plain loop with the target frozen once")


def hearing(model: nn.Module, target: Target) -> Callable[[Tensor], Any]:
    """What the target is shown for points at the input: the output, or what its layer returns."""
    if target.layer is None:
        return model
    layer = target.layer if isinstance(target.layer, Layer) else Layer(target.layer)  # type: ignore[arg-type]
    return pieces(model, layer)[0]


def model_with(output: Output, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Net:
    """A net that returns such."""
    return shared(shape, dtype, FEATURES, bypass=True, last=output)


def carries(target: Target, output: Output) -> bool:
    """Nets with this output have the layer that the target reads, if it reads one, and numbers that it wants."""
    try:
        for shape in SHAPES.values():
            listen = hearing(model_with(output, shape), target)
            frozen = target.freeze(listen(batch(shape, N)), N)
            if frozen.pick(listen(batch(shape, len(OWNER), 2)), OWNER).shape != OWNER.shape:
                return False
    except Exception:
        return False
    return True


def sites_for(target: Target) -> dict[str, Site]:
    """Where the path is driven: what a layer inside says is explained from the input."""
    return {"input": Input()} if target.layer is not None else {"input": Input(), "layer": Layer("stem")}


# -------------------------------------------------------------------------------------------------------------- helpers


def _at_x() -> Tensor:
    return batch((FEATURES,), N, 1)


def _points() -> Tensor:
    return batch((FEATURES,), len(OWNER), 2)


def _doubled(tree: Any) -> Any:
    for path, tensor in tensors(tree):
        if tensor.is_floating_point():
            tree = replaced(tree, path, tensor.double())
    return tree


def _close(got: Tensor, due: Tensor, what: str) -> None:
    require(got.shape == due.shape, f"{what}: shapes {tuple(got.shape)} and {tuple(due.shape)}")
    error = float((got - due).detach().abs().max())
    require(error <= 1e-9 * max(1.0, float(due.detach().abs().max())), f"{what} it says something else, by {error:.2g}")
