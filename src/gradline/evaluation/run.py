"""Runs many metrics at once: equal questions have one answer, the rest share batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradline.engine.inquiry import Inquiry, Values
from gradline.metrics.asking import Ask, AskOf
from gradline.metrics.base import Evaluation, Flow, Metric
from gradline.metrics.subject import Subject

Asked = Ask | AskOf


@dataclass(slots=True, eq=False)
class _Running:
    metric: Metric
    subject: Subject
    flow: Flow
    asked: Asked | None = None
    found: Evaluation | None = None

    def advance(self, answer: Values | None = None) -> None:
        try:
            self.asked = next(self.flow) if answer is None else self.flow.send(answer)
        except StopIteration as end:
            self.asked, self.found = None, end.value


def run(
    pairs: Sequence[tuple[Metric, Subject]], inquiry: Inquiry, watch: Callable[[], None] = lambda: None
) -> list[Evaluation]:
    """Judge each pair; the evaluations in their order."""
    known: dict[tuple[Any, ...], Values] = {}
    running = [_Running(metric, subject, metric.flow(subject)) for metric, subject in pairs]
    for one in running:
        one.advance()
    while any(one.asked is not None for one in running):
        waiting: dict[tuple[Any, ...], Asked] = {}
        for one in running:
            if one.asked is not None and one.asked.key not in known:
                waiting.setdefault(one.asked.key, one.asked)
        known |= _answers(waiting, inquiry, watch)
        for one in running:
            if one.asked is not None:
                one.advance(known[one.asked.key])
    return [_named(one) for one in running]


def _named(one: _Running) -> Evaluation:
    assert one.found is not None
    found = one.found
    notes = found.notes or ("",) * len(one.subject)
    return replace(found, notes=notes, names=one.subject.names, settings=found.settings or one.metric.settings)


def _answers(
    waiting: dict[tuple[Any, ...], Asked], inquiry: Inquiry, watch: Callable[[], None]
) -> dict[tuple[Any, ...], Values]:
    """The answers to questions that nobody has asked before, in batches that reach across them."""
    found: dict[tuple[Any, ...], Values] = {}
    pooled: list[tuple[tuple[Any, ...], Ask]] = []
    for key, ask in waiting.items():
        if isinstance(ask, AskOf):
            found[key] = inquiry.values_of(ask.x, ask.owner, ask.context)
            watch()
        else:
            pooled.append((key, ask))
    if pooled:
        found |= _pooled(pooled, inquiry, watch)
    return found


def _pooled(
    asks: list[tuple[tuple[Any, ...], Ask]], inquiry: Inquiry, watch: Callable[[], None]
) -> dict[tuple[Any, ...], Values]:
    which = torch.cat([torch.full((len(ask.owner),), k) for k, (_, ask) in enumerate(asks)])
    place = torch.cat([torch.arange(len(ask.owner)) for _, ask in asks])
    parts: list[Values] = []
    first = 0
    while first < len(which):
        rows = slice(first, first + inquiry.rows())
        first = rows.stop
        points, owner = _batch([ask for _, ask in asks], which[rows], place[rows])
        parts.append(inquiry.values(points, owner))
        watch()
    joined = {scale: torch.cat([part[scale] for part in parts]) for scale in inquiry.scales} if parts else {}
    sizes = [len(ask.owner) for _, ask in asks]
    empty = torch.zeros(0, dtype=torch.float64)
    split = {scale: torch.split(joined.get(scale, empty), sizes) for scale in inquiry.scales}
    return {key: {scale: split[scale][k] for scale in inquiry.scales} for k, (key, _) in enumerate(asks)}


def _batch(asks: list[Ask], which: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    points, owner = [], []
    for k in sorted(set(which.tolist())):
        rows = place[which == k]
        points.append(asks[k].points(rows))
        owner.append(asks[k].owner[rows])
    return torch.cat(points), torch.cat(owner)
