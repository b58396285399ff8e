"""How a metric asks: lazily made rows with a key, so that what several metrics or methods ask for is answered once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gradline.question.targets.scales import Scale

Values = dict[Scale, Tensor]
"""The score `(R,)` on every scale that its target has: float64 on the CPU."""


@dataclass(frozen=True, eq=False)
class Ask:
    """Values wanted at R rows of points.

    `key`: two questions with one key have one answer; it holds everything that the points depend on, the map's number
    (`subject.number`) too if they depend on the map. `owner (R,)`: int64, whose example each row is.
    `points(rows)`: the points `(r, *F)` of some of the rows, asked for when their batch is due.
    """

    key: tuple[Hashable, ...]
    owner: Tensor
    points: Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class AskOf:
    """Values wanted of other inputs: `x` in the structure of the examples, R rows that belong to `owner (R,)`, for what
    cannot be said by points (words left out). `context`: in place of the score's own."""

    key: tuple[Hashable, ...]
    owner: Tensor
    x: Any
    context: Mapping[str, Any] | None = None
