"""Masks cut into units: where the evidence is, and whether a mask can tell anything."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.base import Evaluation, Metric
from gradline.metrics.subject import Subject
from gradline.metrics.units import Units
from gradline.result.spelling import percent

EMPTY = "the mask is empty"
FULL = "the mask covers everything"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Masks over units. `mask (N, U)`: float64 in [0, 1], the mean of the mask over each unit; `inside`: where it is at
    least 0.5; `there`: the units that an example has; `share (N,)`: of units inside. `notes`: why a mask tells nothing,
    else ""."""

    mask: Tensor
    inside: Tensor
    there: Tensor
    share: Tensor
    notes: tuple[str, ...]


def evidence_of(subject: Subject, units: Units | None, max_share: float | None, *, fractions: bool = False) -> Evidence:
    """The subject's masks over its units; with `fractions`, a mask of small values alone tells something too.

    Raises `InputError` if it has none.
    """
    if subject.masks is None:
        raise InputError("masks=: where the evidence is, in [0, 1], like x or (N, H, W)", "none")
    partition = subject.partition(units)
    there = partition.sizes > 0
    values = partition.sums(torch.ones_like(subject.masks))
    mask = torch.where(there, partition.sums(subject.masks) / values, 0.0)
    inside = mask >= 0.5
    share = inside.sum(1) / there.sum(1).double()
    least, most = torch.where(there, mask, 1.0).amin(1), mask.amax(1)
    empty, full = (most == 0, least == 1) if fractions else (most < 0.5, least >= 0.5)
    notes = tuple(_note(*row, max_share) for row in zip(empty.tolist(), full.tolist(), share.tolist(), strict=True))
    return Evidence(mask, inside, there, share, notes)


def _note(empty: bool, full: bool, share: float, max_share: float | None) -> str:
    if empty:
        return EMPTY
    if full:
        return FULL
    if max_share is not None and share > max_share:
        return f"the mask covers {percent(share)} of the units, more than {percent(max_share)}"
    return ""


def without(
    metric: Metric, found: Tensor, chance: Tensor, notes: tuple[str, ...], said: str, **parts: Tensor
) -> Evaluation:
    """An evaluation of values, what chance expects and what is above it; NaN where a note says why."""
    there = torch.tensor([not note for note in notes])
    values = torch.where(there, found, torch.nan)
    named = {name.replace("_", " "): part for name, part in parts.items()}
    return Evaluation(
        metric, values, parts={"chance": chance, "above chance": values - chance, **named}, notes=notes, settings=said
    )
