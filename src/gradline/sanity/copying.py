"""A score of a copy of its model, whose weights may be changed."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from gradline.errors import InputError
from gradline.question.score import Score


def copied(score: Score) -> tuple[Score, nn.Module]:
    """The same question put to a deep copy of the network, and the copy; layers that site and target name as modules
    are those of the copy. Raises `InputError` for a model whose weights cannot be seen or copied."""
    network = _network(score.model)
    try:
        made, target, site = copy.deepcopy((network, score.target, score.site))
    except Exception as error:
        kind = type(network).__name__
        raise InputError("a model that copy.deepcopy can copy, for a check that changes its weights", kind) from error
    bound = isinstance(getattr(score.model, "__self__", None), nn.Module)
    model = getattr(made, score.model.__name__) if bound else made
    return replace(score, model=model, target=target, site=site), made


def _network(model: Any) -> nn.Module:
    owner = getattr(model, "__self__", model)
    owner = getattr(owner, "_orig_mod", owner)  # of a compiled module, run as it was written
    if isinstance(owner, torch.jit.ScriptModule):
        raise InputError("a module that takes hooks", "a TorchScript module", "use the module it was scripted from")
    if not isinstance(owner, nn.Module):
        remedy = "pass the network itself, and what is computed from its output as the target"
        raise InputError("a torch.nn.Module, for a check that changes its weights", type(model).__name__, remedy)
    return owner
