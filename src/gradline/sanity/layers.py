"""The layers of a network that have weights, in the order in which a forward comes to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from gradline.engine import scores_at, settled
from gradline.errors import InputError, SiteError
from gradline.question.score import Score
from gradline.sanity.copying import copied

FEW = 16
"""Examples at which a layer has to matter."""


@dataclass(frozen=True, eq=False)
class Block:
    """What is changed as one. `name`: of a layer; `members`: the modules in it by name, each with its own tensors."""

    name: str
    members: dict[str, nn.Module]


def layer_order(score: Score, x: Any) -> tuple[str, ...]:
    """The layers of the score's model with parameters of their own, from the input to the output, as a forward comes
    to them.

    A layer whose parameters are used without a call of it (the output projection of attention) follows the layer that
    holds it; one on which the score does not depend at the first 16 of the examples x (an auxiliary head, a layer
    behind the target) is left out: the score stays a number where its parameters are none.
    """
    return tuple(block.name for block in blocks(*copied(_settled(score, x)), x))


def blocks(score: Score, network: nn.Module, x: Any, names: Sequence[str] | None = None) -> list[Block]:
    """The layers of a copied score's network, or those of these `names` with all that is in them, input to output.

    The score's target is settled. Raises `SiteError` for names that are no layers with parameters, or overlap.
    """
    inside = dict(network.named_modules())
    called = _called(score, network, x)
    own = [n for n, module in inside.items() if own_tensors(module) or has_statistics(module)]
    used = [n for n in own if _matters(score, inside[n], x)]
    used.sort(key=lambda n: called[_nearest(n, called)])
    if names is None:
        return [Block(name or "(root)", {name: inside[name]}) for name in used]
    found: dict[str, dict[str, nn.Module]] = {}
    for name in names:
        members = {n: inside[n] for n in used if n == name or n.startswith(f"{name}.")}
        if not members or any(n in members for block in found.values() for n in block):
            listed = ", ".join(repr(n) for n in used[:6])
            raise SiteError(
                "names of layers with parameters, none inside another", repr(name), f"there are {listed}, …"
            )
        found[name] = members
    first = {name: min(used.index(n) for n in members) for name, members in found.items()}
    return [Block(name, found[name]) for name in sorted(found, key=first.__getitem__)]


def own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The floating-point parameters of a module itself, those of its children aside."""
    return {n: p for n, p in module.named_parameters(recurse=False) if p.is_floating_point()}


def state(module: nn.Module) -> list[Tensor]:
    """The floating-point tensors of a module itself: parameters and buffers."""
    return [*own_tensors(module).values(), *(b for b in module.buffers(recurse=False) if b.is_floating_point())]


def has_statistics(module: nn.Module) -> bool:
    """A batch norm, or its like, with running statistics."""
    return isinstance(module, _NormBase) and module.running_mean is not None


def _called(score: Score, network: nn.Module, x: Any) -> dict[str, int]:
    """When a forward first enters each module."""
    order: dict[str, int] = {"": -1}
    with ExitStack() as hooks:
        for name, module in network.named_modules():

            def enter(*_: Any, name: str = name) -> None:
                order.setdefault(name, len(order))

            hooks.callback(module.register_forward_pre_hook(enter).remove)
        _first(score, x)
    return order


def _settled(score: Score, x: Any) -> Score:
    """The score with its target frozen at x."""
    if score.asks_several:
        raise InputError("one target", "a list of targets")
    return replace(score, target=settled(score, x))


def _nearest(name: str, called: dict[str, int]) -> str:
    while name not in called:
        name = name.rpartition(".")[0]
    return name


def _matters(score: Score, module: nn.Module, x: Any) -> bool:
    """The score is no number any more where the parameters, or the statistics, of the module are none."""
    tensors = state(module)
    kept = [t.detach().clone() for t in tensors]
    for tensor in tensors:
        tensor.data.fill_(math.nan)
    try:
        return bool(_first(score, x).isnan().any())
    finally:
        for tensor, before in zip(tensors, kept, strict=True):
            tensor.data.copy_(before)


def _first(score: Score, x: Any) -> Tensor:
    """The score at the first examples."""
    return scores_at(score, x, most=FEW)
