"""How fast Integrated Gradients can change with the input: a bound on smooth networks, a jump on max-type ones."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradline.core.baselines import Group, as_baseline
from gradline.core.method import Method
from gradline.errors import BaselineError, InputError
from gradline.sanity.axioms.explainers import Explainer, Explains, asked
from gradline.sanity.axioms.formulas import Extreme, Model, Variable

AFFINE = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
)
"""Layers that are affine in evaluation mode."""

SLOPES: dict[type[nn.Module], tuple[float, float]] = {
    nn.Tanh: (1.0, 4 / (3 * math.sqrt(3))),
    nn.Sigmoid: (1 / 4, 1 / (6 * math.sqrt(3))),
    nn.LogSigmoid: (1.0, 1 / 4),
    nn.Softsign: (1.0, 2.0),
    nn.SiLU: (1.0998395, 1 / 2),
    nn.GELU: (1.1289042, 2 / math.sqrt(2 * math.pi)),
}
"""The largest |h'| and |h''| of a bend, rounded up."""


@dataclass(frozen=True, eq=False)
class LipschitzBound:
    """`|IG_i(x) − IG_i(y)| ≤ constant_i ‖x − y‖₂` for every x, `constant (N, *F)` = G_i + L_i |y_i − x'_i| / 2.

    `gradient (*F)`: G_i ≥ |∂F/∂x_i| everywhere; `curvature (*F)`: L_i, a Lipschitz constant of ∂F/∂x_i in the 2-norm.
    """

    constant: Tensor
    gradient: Tensor
    curvature: Tensor

    @property
    def whole(self) -> Tensor:
        """Of the whole map: `‖IG(x) − IG(y)‖₂ ≤ whole ‖x − y‖₂`, `(N,)`."""
        size: Tensor = self.constant.flatten(1).norm(dim=1)
        return size


def ig_lipschitz_bound(network: nn.Sequential, y: Tensor, baseline: object = 0.0, *, target: int = 0) -> LipschitzBound:
    """How far the map of Integrated Gradients at any x can be from that at `y (N, *F)`, from the same baseline.

    `|IG_i(x) − IG_i(y)| ≤ (G_i + L_i |y_i − x'_i| / 2) ‖x − y‖₂` with G_i = sup |∂F/∂x_i| and L_i = sup ‖∇ ∂F/∂x_i‖₂,
    F = column `target` of a network of linear layers, convolutions, averages, batch normalisation in evaluation mode
    and smooth bends (tanh, sigmoid, log-sigmoid, softplus, softsign, SiLU, exact GELU, ELU of α = 1), one after the
    other. G and L are certified: products of the layers' absolute weights and of the bends' largest slopes and
    curvatures, so they hold on the whole space and are loose for deep networks. `baseline`: as in `gl.explain`, one
    start an example, which may not depend on the example. Needs D² numbers a unit. Float64, on the CPU.

    After Lundstrom, Huang, Razaviyayn (2022), who identify the classes; the formula is our own. There is no bound for
    ReLU and max networks: see `max_jump`. Raises `InputError`.
    """
    if not isinstance(network, nn.Sequential):
        raise InputError("a torch.nn.Sequential, whose layers follow each other", type(network).__name__)
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.ndim < 2 or not len(y):
        got = f"{y.dtype} of shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise InputError("y as a floating-point tensor (N, …)", got)
    points = y.detach().cpu().double()
    start = _start(baseline, points)
    gradient, curvature = _suprema(network, tuple(y.shape[1:]), target)
    gradient, curvature = gradient.reshape(y.shape[1:]), curvature.reshape(y.shape[1:])
    return LipschitzBound(gradient + curvature * (points - start).abs() / 2, gradient, curvature)


def _start(baseline: object, points: Tensor) -> Tensor:
    part = as_baseline(baseline)
    if part.draws != 1 or part.names or part.at_site:
        raise BaselineError("a baseline with one start an example", f"{part!r}")
    part.check(points)
    names = tuple(map(str, range(len(points))))
    return part.start(Group(points, torch.arange(len(points), device="cpu"), names, 0))[:, 0]


def _suprema(network: nn.Sequential, shape: tuple[int, ...], target: int) -> tuple[Tensor, Tensor]:
    """G and L, `(D,)` each.

    With P_l ≥ |∂z_l/∂x|, the units before a bend, and B_l ≥ |∂F/∂a_l|, those behind it: ∂²F/∂x_i∂x_j =
    Σ_l Σ_k ∂F/∂a_lk h''(z_lk) ∂z_lk/∂x_i ∂z_lk/∂x_j.
    """
    stages = list(_stages(network, shape))
    weights, bends = [abs(w) for w, _ in stages], [slopes for _, slopes in stages[:-1]]
    outputs = len(weights[-1])
    if isinstance(target, bool) or not isinstance(target, int) or not 0 <= target < outputs:
        raise InputError(f"target as a column of the output, 0 to {outputs - 1}", repr(target))
    before = [weights[0]]
    for (slope, _), weight in zip(bends, weights[1:], strict=True):
        before.append(weight @ (slope * before[-1]))
    gradient = before[-1][target]
    behind = weights[-1][target]
    hessian = torch.zeros(len(gradient), len(gradient), dtype=torch.float64)
    for place in reversed(range(len(bends))):
        slope, bow = bends[place]
        hessian += before[place].T @ ((bow * behind)[:, None] * before[place])
        behind = (slope * behind) @ weights[place]
    return gradient, hessian.norm(dim=1)


def _stages(network: nn.Sequential, shape: tuple[int, ...]) -> Iterator[tuple[Tensor, tuple[float, float]]]:
    """The matrices between the bends `(out, in)`, and the slopes of the bend behind each; behind the last, of none."""
    matrix = torch.eye(math.prod(shape), dtype=torch.float64)
    for name, layer in _layers(copy.deepcopy(network).cpu().double().eval()):
        slopes = _slopes(layer)
        if slopes is not None:
            yield matrix.T, slopes
            matrix = torch.eye(math.prod(shape), dtype=torch.float64)
        elif isinstance(layer, AFFINE):
            with torch.no_grad():
                rows = torch.cat([torch.zeros(1, math.prod(shape), dtype=torch.float64), matrix])
                try:
                    out = layer(rows.reshape(-1, *shape))
                except RuntimeError as error:
                    raise InputError(f"y that layer {name} takes", f"{tuple(shape)} there: {error}") from error
            shape = tuple(out.shape[1:])
            matrix = (out[1:] - out[:1]).flatten(1)
        else:
            remedy = "no such bound holds for kinks: gl.sanity.max_jump shows why"
            got = f"{layer!r} at {name}"
            raise InputError("linear layers and smooth bends, one after the other", got, remedy)
    yield matrix.T, (0.0, 0.0)


def _layers(network: nn.Sequential, above: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, layer in network.named_children():
        if isinstance(layer, nn.Sequential):
            yield from _layers(layer, f"{above}{name}.")
        else:
            yield above + name, layer


def _slopes(layer: nn.Module) -> tuple[float, float] | None:
    """The largest |h'| and |h''| of a smooth bend; None of anything else."""
    match layer:
        case nn.Softplus():
            return 1.0, float(layer.beta) / 4
        case nn.ELU() if layer.alpha == 1:
            return 1.0, 1.0
        case nn.GELU() if layer.approximate != "none":
            return None
    return SLOPES.get(type(layer))


# ------------------------------------------------------------------------------------------------ the jump of maxima


@dataclass(frozen=True, eq=False)
class Jump:
    """Maps of `max(x1, x2)` from zero at (1 + e, 1), `one (2,)`, and at (1, 1 + e), `other (2,)`."""

    gap: float
    one: Tensor
    other: Tensor

    @property
    def distance(self) -> float:
        """Between the inputs: √2 e."""
        return math.sqrt(2) * self.gap

    @property
    def jump(self) -> float:
        """Between the maps, L2; of Integrated Gradients √2 (1 + e)."""
        return float((self.one - self.other).norm())

    @property
    def ratio(self) -> float:
        """The jump over the distance: it grows without bound as e shrinks where the method is not continuous."""
        return self.jump / self.distance


def max_jump(method: Method | Explainer | Explains, gap: float = 1e-3) -> Jump:
    """The maps on both sides of the kink of `max(x1, x2)`, where two features change by `gap` = e in (0, 1).

    Integrated Gradients give (1 + e, 0) and (0, 1 + e): they are not continuous on max-type networks, and no method is
    that gives all to the larger one. Lundstrom, Huang, Razaviyayn (2022), the example is our own. Raises `InputError`.
    """
    if isinstance(gap, bool) or not isinstance(gap, int | float) or not 0 < gap < 1:
        raise InputError("gap between 0 and 1", repr(gap))
    x = torch.tensor([[1.0 + gap, 1.0], [1.0, 1.0 + gap]], dtype=torch.float64)
    maps = asked(method, 0).values(Model(Extreme("max", (Variable(0), Variable(1)))), x, torch.zeros_like(x[:1]))
    return Jump(float(gap), maps[0], maps[1])
