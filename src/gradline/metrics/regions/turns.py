"""Filling parts of the examples in turn, and the curves of scores that come of it."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from gradline.core.baselines import Baseline
from gradline.metrics.asking import Ask, Values
from gradline.metrics.subject import Subject

ZERO_SCORE = "the score at x is zero: nothing to divide by"
NEGATIVE_SCORE = "the score at x is negative: the curve starts at −1"
NO_SCORE = "a score is not finite"


def fill_in_turn(
    subject: Subject, turn: Tensor, there: Tensor, fill: Baseline, key: tuple[object, ...]
) -> Generator[Ask, Values, Values]:
    """The score after the first k turns were filled, on every scale `(N, L + 1)`, the mean over the fill's draws.

    `turn (N, *G)`: when a value is filled, from 1 on, broadcastable to x. `there (N, L)`: which turns an example has;
    NaN at others. `key`: what tells these turns of a map from others.
    """
    starts = subject.starts(fill)
    example, draw, step = there[:, None, :].expand(-1, starts.shape[1], -1).nonzero(as_tuple=True)

    def points(rows: Tensor) -> Tensor:
        own, k = example[rows], step[rows]
        gone = turn[own] <= (k + 1).reshape(-1, *[1] * (turn.ndim - 1))
        here = own.to(subject.x.device)
        return torch.where(gone.to(subject.x.device), starts[here, draw[rows].to(starts.device)], subject.x[here])

    full = yield from subject.at_x()
    told = yield Ask(("regions", subject.number, fill, there.shape[1], *key), example, points)
    found: Values = {}
    for scale in full:
        table = full[scale][:, None, None].repeat(1, starts.shape[1], there.shape[1] + 1)
        table[..., 1:] = torch.nan
        table[example, draw, step + 1] = told[scale]
        found[scale] = table.mean(1)
    return found


def relative(curve: Tensor, notes: tuple[str, ...]) -> tuple[Tensor, tuple[str, ...]]:
    """Scores `(N, K)` over the size of the first, and notes on those where that is zero or was negative."""
    start = curve[:, 0].tolist()
    said = [
        note or (ZERO_SCORE if s == 0 else NEGATIVE_SCORE if s < 0 else "")
        for note, s in zip(notes, start, strict=True)
    ]
    size = curve[:, :1].abs()
    return curve / torch.where(size > 0, size, torch.nan), tuple(said)


def own_mean(drops: Tensor, there: Tensor) -> Tensor:
    """The mean of `drops (N, L + 1)` over the first and the steps `there (N, L)` that an example has."""
    has = torch.cat([torch.ones_like(there[:, :1]), there], 1)
    return torch.where(has, drops, 0.0).sum(1) / has.sum(1)


def reasons(values: Tensor, notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes, and a word on values that are not there for no other reason than the model's answer."""
    told = zip(values.isfinite().tolist(), notes, strict=True)
    return tuple(note or ("" if finite else NO_SCORE) for finite, note in told)
