"""The targets of a call, settled at x, and others that a path asks for along the way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradline.core.flow import Of
from gradline.engine.answer import Answerer
from gradline.question.bound import Forward
from gradline.question.targets import Entropy, Target, as_target
from gradline.question.trees import joined


class Aims:
    """`targets`: frozen at x. `score (T, N)`: F(x), float64 on the CPU."""

    def __init__(self, answerer: Answerer, forwards: Sequence[Forward]) -> None:
        self._answerer, self._score = answerer, answerer.score
        score = self._score
        taps = dict.fromkeys(tap for t in score.targets if (tap := score.tap_of(t)) is not None)
        forwards = [Forward(f.rows, f.output, {tap: f.heard[tap] for tap in taps}) for f in forwards]
        self._at_x = _joined(forwards)
        self._others: dict[tuple[int, object], Target] = {}
        self.targets = tuple(self._frozen(t) for t in score.targets)
        whole = [self._at_x] if self._at_x.rows == score.inputs.rows else forwards
        self.score = torch.stack([self._score_of(t, whole) for t in self.targets])

    def _score_of(self, target: Target, forwards: Sequence[Forward]) -> Tensor:
        owners = torch.split(torch.arange(self._score.inputs.rows, device="cpu"), [f.rows for f in forwards])
        pairs = zip(forwards, owners, strict=True)
        parts = [self._score.picked(target, f, o).detach().cpu() for f, o in pairs]
        return torch.cat(parts).double()

    def _frozen(self, target: Target) -> Target:
        tap, at_x = self._score.tap_of(target), self._at_x
        if tap is not None and tap not in at_x.heard:
            every = torch.arange(self._score.inputs.rows, device="cpu")
            at_x = _joined(self._answerer.survey(every, [target]))
        return target.freeze(self._score.seen_by(target, at_x), at_x.rows)

    def of(self, place: int, other: object | None) -> Target:
        """Target number `place`, or another one of the same model: its margin, or whatever a call takes as target."""
        target = self.targets[place]
        if other is None:
            return target
        key = (place if other is Of.MARGIN else -1, other)
        if key not in self._others:
            self._others[key] = self._frozen(_other(target, other))
        return self._others[key]


def _other(target: Target, other: object) -> Target:
    match other:
        case Of.MARGIN:
            return target.margin()
        case Of.ENTROPY | Of.ENTROPIES:
            return Entropy(labels=other is Of.ENTROPIES)
        case _:
            return as_target(other)


def _joined(forwards: Sequence[Forward]) -> Forward:
    """Several forwards as one; the first, if outputs cannot be joined (for targets that can do with that)."""
    rows = [f.rows for f in forwards]
    heard = {tap: joined([f.heard[tap] for f in forwards], rows) for tap in forwards[0].heard}
    output = joined([f.output for f in forwards], rows)
    if output is None or any(h is None for h in heard.values()):
        return forwards[0]
    return Forward(sum(rows), output, heard)
