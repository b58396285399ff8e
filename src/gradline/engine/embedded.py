"""What a model does first with the embeddings that are put into it, and where it stops being finite."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gradline.question.bound import BoundScore
from gradline.question.sites import Reached
from gradline.question.trace import first_nonfinite
from gradline.result.finding import Finding, zero_before_norm

EARLY = 0.1
"""Share of the path before which a norm that starts at zero has turned on, for a finding to say so."""

PARALLEL = 1e-2
"""Relative distance up to which two tensors point the same way; half precision rounds to some thousandths."""

EPSILONS = ("variance_epsilon", "eps", "epsilon")
"""What norms call the number that keeps them from dividing by zero."""


@dataclass(frozen=True, eq=False)
class Norm:
    """A norm that gets the embeddings as they are, but for a factor. `turn (N, T)`: the share of the way from zero at
    which its output has 1/√2 of its size: √ε over the size of what it gets, root mean square or standard deviation."""

    layer: str
    turn: Tensor


def vocabulary(layer: nn.Embedding) -> Tensor:
    """What the layer returns for each of its tokens, `(V, D)`."""
    if type(layer) is nn.Embedding and layer.max_norm is None:
        return layer.weight.detach()
    with torch.no_grad():
        found: Tensor = layer(torch.arange(layer.num_embeddings, device=layer.weight.device))
    return found


def starts_at_zero(bound: BoundScore, start: Tensor, end: Tensor, rows: Tensor) -> list[Finding]:
    """GL114 if paths of the examples `rows (B,)` from `start` to `end (B, T, D)` begin at zero right before a norm.

    With x' = 0 the norm gets t·e, and returns t·e / √(t² mean(e²) + ε): all but still from t ≈ √ε / rms(e) on.
    """
    if bound.drive is None or end.ndim != 3:
        return []
    moved = (start == 0).all(2) & (end != 0).any(2)
    if not moved.any():
        return []
    norm = first_norm(bound, end, rows)
    if norm is None:
        return []
    turns = [norm.turn[i][moved[i]].median() if moved[i].any() else torch.tensor(1.0) for i in range(len(rows))]
    early = [i for i, turn in enumerate(turns) if float(turn) < EARLY]
    if not early:
        return []
    latest = max(float(turns[i]) for i in early)
    examples = tuple(int(rows[i]) for i in early) if len(early) < len(rows) else ()
    return [zero_before_norm(examples, norm.layer, latest)]


def first_norm(bound: BoundScore, points: Tensor, owner: Tensor) -> Norm | None:
    """The first norm behind `points (R, T, D)`, if it gets them as they are, times one number."""
    model, drive = getattr(bound.model, "__self__", bound.model), bound.drive
    if drive is None or not isinstance(model, nn.Module):
        return None
    found: list[tuple[str, nn.Module, Tensor]] = []
    heard: list[None] = []

    def listening(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, named: Any) -> None:
            if len(heard) <= (drive.call or 0):
                return
            taken = next((v for v in (*args, *named.values()) if isinstance(v, Tensor)), None)
            if taken is not None and taken.is_floating_point():
                found.append((name, module, taken.detach()))
                raise Reached

        return hook

    with ExitStack() as hooks, torch.no_grad():
        hooks.callback(drive.module.register_forward_hook(lambda *_: heard.append(None)).remove)
        for name, module in model.named_modules():
            if _eps(module) is not None:
                hooks.callback(module.register_forward_pre_hook(listening(name), with_kwargs=True).remove)
        bound.forward(points.clone(), owner, ())
    if not found:
        return None
    name, module, taken = found[0]
    return _as_they_are(name, module, taken.double(), points.double().to(taken.device))


def _as_they_are(name: str, module: nn.Module, taken: Tensor, points: Tensor) -> Norm | None:
    if taken.shape != points.shape:
        return None
    factor = (taken * points).sum() / (points * points).sum()
    if not (taken - factor * points).norm() <= PARALLEL * taken.norm():
        return None
    size = taken.std(2, correction=0) if isinstance(module, nn.LayerNorm) else taken.square().mean(2).sqrt()
    return Norm(repr(name), (_eps(module) or 0.0) ** 0.5 / size)


def _eps(module: nn.Module) -> float | None:
    """The ε of a norm over the last axis; None if this is none."""
    kind = type(module).__name__
    if not kind.endswith("Norm") or kind.startswith(("Batch", "Group", "Instance")):
        return None
    values = [getattr(module, name, None) for name in EPSILONS]
    return next((float(value) for value in values if isinstance(value, int | float)), None)


def where_not_finite(bound: BoundScore, points: Tensor, owner: Tensor) -> str:
    """The layer that is the first to return NaN or infinity at a point `(1, *F)`, in words; "" if none does."""
    return first_nonfinite(lambda: bound.forward(points.clone(), owner, ()), bound.model)
