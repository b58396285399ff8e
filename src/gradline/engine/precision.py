"""What rounding does to a map in half precision: its gradients against those of a float32 copy of the model.

The rounding of a node map v_k is e_k. Measured (benchmarks/precision.md): its size relative to v_k is the same all
along a path but for kinks, and from one node to another it is hardly the same error, so most of it averages out. With
s that relative size and ρ the mean of ⟨e_j, e_k⟩ over different places, as a share of the mean of ‖e_k‖², a map
Σ w_k v_k is off by about s·(ρ (Σ w_k ‖v_k‖)² + (1 − ρ) Σ w_k² ‖v_k‖²)^½.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradline.core.accumulators import Accumulator
from gradline.core.adaptive import FIRST
from gradline.core.error_bar import SAFETY
from gradline.core.flow import Trace
from gradline.core.paths import Budget, ToleranceBudget
from gradline.engine.answer import Answerer
from gradline.engine.memory import Memory
from gradline.question.bound import BoundScore
from gradline.question.sites import Tap
from gradline.question.targets import Target
from gradline.result.finding import Finding, low_precision
from gradline.result.spelling import percent

HALF = (torch.float16, torch.bfloat16)

PLACES = (1 / 6, 1 / 2, 5 / 6)
"""Where on the path gradients are compared."""


def twin_bytes(model: object, width: int = 4) -> int:
    """What a copy of the model takes with `width` bytes a number."""
    if not isinstance(model, nn.Module):
        return 0
    return sum(width * t.numel() for t in [*model.parameters(), *model.buffers()])


def twin(score: BoundScore, dtype: torch.dtype = torch.float32) -> BoundScore:
    """The same question put to a copy of the model in another precision; functions are asked in it themselves."""
    copied: dict[int, Any] = {}
    model = copy.deepcopy(score.model, copied) if isinstance(score.model, nn.Module) else score.model
    if isinstance(model, nn.Module):
        model = model.to(dtype)

    def there(tap: Tap | None) -> Tap | None:
        return None if tap is None else replace(tap, module=copied.get(id(tap.module), tap.module))

    def wide(entries: dict[str, Any]) -> dict[str, Any]:
        return {k: v.to(dtype) if isinstance(v, Tensor) and v.is_floating_point() else v for k, v in entries.items()}

    inputs = replace(score.inputs, entries=wide(score.inputs.entries), context=wide(score.inputs.context))
    view = score.read
    if view is not None:
        view = replace(view, taps=tuple(tap for old in view.taps if (tap := there(old)) is not None))
    layers = {layer: tap for layer, old in score.layers.items() if (tap := there(old)) is not None}
    return replace(score, model=model, inputs=inputs, drive=there(score.drive), read=view, layers=layers)


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Rounding of node maps, float64 `(T, B)`: an entry for each target and path.

    `share`: L2 norm of a node map's rounding, relative to the node map. `gain`: L2 norm of a node map, relative to the
    gradient's. `rho`: how much of the rounding's square is the same at different places, 0 to 1. `few`: relative error
    of a map of `FIRST` nodes, roughly.
    """

    share: Tensor
    gain: Tensor
    rho: Tensor
    few: Tensor

    @classmethod
    def unknown(cls, targets: int, rows: int) -> Noise:
        """Nothing measured yet."""
        return cls(*(torch.full((targets, rows), math.nan, dtype=torch.float64, device="cpu") for _ in range(4)))

    def enter(self, rows: Tensor, found: Noise) -> None:
        """Take over what was found for some paths."""
        for mine, theirs in ((self.share, found.share), (self.gain, found.gain), (self.rho, found.rho)):
            mine[:, rows] = theirs
        self.few[:, rows] = found.few

    def of_map(self, target: int, path: int, draws: Sequence[Trace]) -> float:
        """L2 error of the mean map over draws, from weights and gradient norms of their nodes."""
        share = float(self.share[target, path])
        sizes = [np.abs(t.weight) * t.gradient_norm / len(draws) for t in draws]
        rho, alone = float(self.rho[target, path]), sum(float((size**2).sum()) for size in sizes)
        together = sum(float(size.sum()) for size in sizes) ** 2
        true_size = float(self.gain[target, path]) / math.sqrt(1 + share**2)  # rounding made the gradients longer
        return share * true_size * math.sqrt(rho * together + (1 - rho) * alone)

    def in_words(self, target: int | slice = slice(None)) -> str:
        """The worst example, for a person."""
        share, few = (percent(float(t[target].nan_to_num(0.0).max())) for t in (self.share, self.few))
        return f"rounding changes a gradient by up to {share} of its norm, and a map of {FIRST} nodes by about {few}"


def measure_noise(
    half: Answerer, targets: tuple[Target, ...], accumulator: Accumulator, ends: tuple[Tensor, Tensor], owner: Tensor
) -> Noise | None:
    """Compare with a float32 copy at three places of the paths between `ends`, `(B, *F)` each.

    None where no such copy runs: types that do not mix, no memory, a module that cannot be copied.
    """
    seen = [_Seen() for _ in targets]
    try:
        wide = Answerer(twin(half.score), half.memory, torch.float32)
    except Exception:
        return None
    for t in PLACES:
        try:
            there = _node_maps(wide, targets, accumulator, ends, owner, t)
        except Exception:
            return None
        here = _node_maps(half, targets, accumulator, ends, owner, t)
        for each, (low, _), (high, grad) in zip(seen, here, there, strict=True):
            each.add(low, high, grad)
    return Noise(*(torch.stack(column) for column in zip(*(each.noise() for each in seen), strict=True)))


class _Seen:
    """Sums over places, for one target."""

    def __init__(self) -> None:
        self.error = self.map = self.own = self.size = self.grads = torch.zeros(())

    def add(self, low: Tensor, high: Tensor, grad: Tensor) -> None:
        """One place: node maps `(B, *G)` in both precisions, and the gradient in the wide one."""
        off = low - high
        self.error, self.map = (s + new if s.ndim else new for s, new in ((self.error, off), (self.map, high)))
        self.own, self.size = self.own + _squared(off), self.size + _squared(high)
        self.grads = self.grads + _squared(grad)

    def noise(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        n = len(PLACES)
        rho = _over(_squared(self.error) - self.own, (n - 1) * self.own).clamp(0.0, 1.0)
        few = _over(n * self.own * (rho + (1 - rho) / FIRST), _squared(self.map))
        return _over(self.own, self.size).sqrt(), _over(self.size, self.grads).sqrt(), rho, few.sqrt()


def _node_maps(
    answerer: Answerer,
    targets: tuple[Target, ...],
    accumulator: Accumulator,
    ends: tuple[Tensor, Tensor],
    owner: Tensor,
    t: float,
) -> list[tuple[Tensor, Tensor]]:
    """What a node at t contributes, and its gradient, for each target `(B, *G)`, at least in float32."""
    start, end = (e.to(answerer.working) for e in ends)
    move = end - start
    apart = answerer.score.read is not None
    pushing = apart and accumulator.multiplies
    answers = answerer.gradients(torch.lerp(start, end, t), owner, targets, move if apart else None, pushing=pushing)
    along = move if answers.pushed is None else answers.pushed
    return [(accumulator.node_map(grad, along.to(grad)), grad) for grad in answers.grad]


def _squared(values: Tensor) -> Tensor:
    size: Tensor = values.flatten(1).norm(dim=1)
    return size.cpu().double().square()


def _over(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b > 0, a / b, torch.zeros_like(a))


class Rounding:
    """What rounding does to the maps of a call: measured for half precisions, nothing for others."""

    def __init__(
        self,
        score: BoundScore,
        targets: tuple[Target, ...],
        dtype: torch.dtype,
        memory: Memory,
        accumulator: Accumulator,
        *,
        integrates: bool,
    ) -> None:
        self.score, self.targets, self.dtype, self.memory = score, targets, dtype, memory
        self.accumulator = accumulator
        self.noise = Noise.unknown(len(targets), score.inputs.rows)
        self.concerns = score.derivative is None and (dtype in HALF or is_half(score.model))
        self.reason = (
            "" if integrates else "it is measured along paths, and this method has none; gl.doctor measures it"
        )
        if self.concerns and twin_bytes(score.model) > memory.limit:
            size = twin_bytes(score.model) / 2**20
            self.reason = (
                f"a float32 copy of the model takes {size:.0f} MiB, more than memory= allows; gl.doctor makes it"
            )

    @property
    def is_measured(self) -> bool:
        return self.concerns and not self.reason

    def measure(self, start: Tensor, end: Tensor, rows: Tensor) -> None:
        """Learn what rounding does on the paths `start`, `end (B, *F)` of these examples."""
        if not self.is_measured:
            return
        half = Answerer(self.score, self.memory, self.dtype)
        found = measure_noise(half, self.targets, self.accumulator, (start, end), rows)
        if found is None:
            self.reason = "it cannot be measured, since no float32 copy of the model runs"
        else:
            self.noise.enter(rows, found)

    def leaves(self, budget: Budget, target: int, rows: Tensor) -> Budget:
        """What rounding leaves of a tolerance to the quadrature, if no more nodes are read than at first: at least a
        half."""
        if not self.is_measured or not isinstance(budget, ToleranceBudget):
            return budget
        worst = SAFETY * float(self.noise.few[target, rows].nan_to_num(0.0).max())
        left = math.sqrt(max(budget.tol**2 - worst**2, (budget.tol / 2) ** 2))
        return ToleranceBudget(left, budget.max_evaluations)

    def of(self, target: int, traces: Sequence[Sequence[Trace]]) -> Tensor | None:
        """L2 error of the maps of a target that rounding makes, `(N,)`, from what their nodes were."""
        if not self.is_measured:
            return None
        found = [self.noise.of_map(target, path, draws) if draws else math.nan for path, draws in enumerate(traces)]
        return torch.tensor(found, dtype=torch.float64, device="cpu")

    def findings(self, target: int) -> list[Finding]:
        """What must be said of it."""
        if not self.concerns:
            return []
        if self.reason:
            return [low_precision((), f"what rounding does to the map is not known, nor in an estimate: {self.reason}")]
        return [low_precision((), self.noise.in_words(target))]


def is_half(model: object) -> bool:
    """Some weights are bfloat16 or float16."""
    return isinstance(model, nn.Module) and any(p.dtype in HALF for p in model.parameters())
