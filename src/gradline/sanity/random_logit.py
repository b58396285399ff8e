"""Random logit: does the map of another class look different?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from gradline.engine import outputs_at
from gradline.errors import InputError, TargetError
from gradline.metrics.base import Evaluation, Flow, nothing
from gradline.metrics.subject import Subject
from gradline.question.targets.classes import ClassTarget, Margin
from gradline.question.targets.reading import Index
from gradline.sanity.anew import Anew, average, curves, map_of


class Rival(StrEnum):
    """The other class. `RANDOM`: one drawn for each example. `RUNNER_UP`: the largest of the others at x."""

    RANDOM = "random class"
    RUNNER_UP = "runner-up"


@dataclass(frozen=True)
class RandomLogit(Anew):
    """How alike the map is to that of another class of the same example: low is good, since a map that is the same for
    all classes explains none.

    The target keeps its scale; of a margin, the other class against its best rival. `rival`: the runner-up is the
    harder question, and needs no draw. Parts: the other class, every likeness. With two classes a map of probabilities
    is that of the other class with its sign changed: −1, whatever the method.

    Sixt, Granz, Landgraf (2020). Published code takes 1000 classes for granted and repeats its draws in every batch.
    """

    name = "random-logit"
    higher_is_better = False
    range = "−1 to 1"
    cost = "one map"
    cites = ("sixt2020",)
    needs = ("explainer",)

    rival: Rival = Rival.RANDOM

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.rival, Rival):
            raise InputError("rival as one of gl.sanity.Rival for RandomLogit", repr(self.rival))

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        target = subject.score.target
        if not isinstance(target, ClassTarget):
            raise TargetError("a target that is a class, such as gl.Logit(3)", f"{type(target).__name__}")
        said = f"{self.by.words}, {self.rival.value}, seed {subject.seed}"
        outputs = outputs_at(subject.score, subject.inputs)
        if outputs.shape[1] == 1:
            notes = ("there is no other class",) * len(subject)
            return Evaluation(self, nothing(len(subject)), notes=notes, settings=said)
        other = self._others(subject, target.index, outputs)
        aimed = replace(target, index=other)
        if isinstance(aimed, Margin):
            aimed = replace(aimed, other=None).freeze(outputs, len(outputs))  # type: ignore[assignment]
        made = map_of(subject, replace(subject.score, target=aimed), ("class", tuple(other.tolist())))
        tables = self.likenesses(subject, [made])
        values, notes = average(subject, tables[self.by])
        parts = {"class": other.double(), **{name: found[:, 0] for name, found in curves(tables).items()}}
        return Evaluation(self, values, None, None, parts, notes, said)

    def _others(self, subject: Subject, own: Index, outputs: Tensor) -> Tensor:
        """Another class for each example: int64 `(N,)`."""
        index = torch.as_tensor(own).cpu().long().expand(len(subject))
        count = outputs.shape[1]
        if self.rival is Rival.RUNNER_UP:
            rest = outputs.double().scatter(1, index[:, None], -torch.inf)
            return rest.argmax(1)
        draws = [
            int(torch.randint(count - 1, (), generator=subject.generator(i, self.name))) for i in range(len(index))
        ]
        drawn = torch.tensor(draws)
        return drawn + (drawn >= index)
