"""What other background rows would have given: standard errors of mean contributions, column by column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.tabular.encoding import Places
from gradline.core.baselines import Baseline, Given, Group, PerInput
from gradline.core.method import Method
from gradline.engine import attribute, settled
from gradline.question import Score
from gradline.question.targets import Target
from gradline.result.structure import Structured, named

MOST = 64
"""Rows of a background from which the scatter is estimated; its own error is then 9 %."""

STEPS = 8
"""Nodes of each of these paths: enough for a scatter."""


def by_column(values: Structured, places: Mapping[str, Places]) -> Tensor:
    """Contributions summed over the entries of each column: `(N, C)`, float64 on the CPU."""
    flat = {name: tensor.detach().cpu().double().flatten(1) for name, tensor in named(values).items()}
    return torch.stack([flat[entry][:, list(where)].sum(1) for entry, where in places.values()], 1)


def standard_errors(
    score: Score,
    x: Any,
    baseline: Baseline,
    places: Mapping[str, Places],
    *,
    method: Method,
    names: Sequence[str],
    seed: int,
    memory: int | str | None = None,
) -> Tensor | None:
    """Standard error of each column's mean contribution over the starts of a baseline: `(N, C)`, float64.

        s / √K, with s the standard deviation of the contributions from single starts and K their number

    In units of the score. The maps from up to `MOST` of the starts are made anew, each in `STEPS` nodes, since one run
    keeps only their mean. It says how far the mean would move with K other rows of the same source, and nothing of the
    model's error or of the quadrature's. None for a single start, or where the method integrates nothing.
    """
    if baseline.draws < 2 or not method.path.integrates:
        return None
    starts = _starts(baseline, x, tuple(names), seed)
    count = min(MOST, baseline.draws)
    moved = {name: Given(start[:, :count].flatten(0, 1)) for name, start in starts.items()}
    a = attribute(
        Score(score.model, Again(settled(score, x), count)),
        {name: _again(t, count) for name, t in x.items()} if isinstance(x, dict) else _again(x, count),
        method,
        baseline=moved[""] if "" in moved else PerInput(moved),
        steps=STEPS,
        names=[f"{name}/{draw}" for name in names for draw in range(count)],
        seed=seed,
        memory=memory,
    )
    found = by_column(a.values, places)
    return found.reshape(len(names), count, -1).std(1) / math.sqrt(baseline.draws)


@dataclass(frozen=True, eq=False)
class Again(Target):
    """A target frozen at N examples, for `count` copies of each, one after the other."""

    target: Target
    count: int

    @property
    def bounded(self) -> bool:
        return self.target.bounded

    @property
    def layer(self) -> object | None:
        return self.target.layer

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        return self.target.pick(output, owner // self.count)

    def describe(self, example: int) -> str:
        return self.target.describe(example // self.count)


def _again(x: Tensor, count: int) -> Tensor:
    return x.repeat_interleave(count, 0)


def _starts(baseline: Baseline, x: Any, names: tuple[str, ...], seed: int) -> dict[str, Tensor]:
    """The starts of every entry that moves: name to `(N, K, *F)`, the same as in the run itself."""
    found = {}
    for name, tensor in x.items() if isinstance(x, dict) else [("", x)]:
        own = baseline.of_input(name) if tensor.is_floating_point() else None
        part = baseline if name == "" else own
        if part is not None:
            rows = torch.arange(len(names))
            found[name] = part.start(Group(tensor, rows, names, seed, name))
    return found
