"""Questions about a score's values, at any points of its examples: what metrics are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines import as_baseline
from gradline.engine.answer import Answerer
from gradline.engine.budget import choose_budget
from gradline.engine.call import Call
from gradline.engine.memory import Memory, parse
from gradline.engine.prepared import prepared
from gradline.engine.starts import Starts
from gradline.errors import InputError
from gradline.methods import integrated_gradients
from gradline.question.bound import BoundScore
from gradline.question.guard import undisturbed
from gradline.question.inputs import check_inputs, check_names
from gradline.question.score import Score
from gradline.question.targets.scales import Scale, on_scales

CACHE = 32 * 2**20
"""Bytes, by the measure of `Memory`, beyond which a larger batch of forwards is slower on a CPU (measured)."""

HEAP = 24 * 2**20
"""Bytes that batches may free and take again without the system being asked. glibc gives memory back above twice the
largest block that it has seen freed, up to 32 MiB; a small network then spends up to a third of its time on new pages
(measured)."""

LEAST = 4
"""Rows below which a batch of forwards is slower (measured)."""

Values = dict[Scale, Tensor]
"""The score `(R,)` on every scale that its target has: float64 on the CPU."""


class Inquiry:
    """A score with N examples, open for questions. Use `inquire`.

    `ends (N, *F)`: the examples where they are driven, at the input or at the score's site. `score`: with its target
    frozen at x. `forwards (N,)`: rows evaluated for each example so far.
    """

    def __init__(self, score: Score, bound: BoundScore, memory: Memory) -> None:
        method = replace(integrated_gradients(), baseline=None)
        self._call = Call(bound, method, choose_budget(method, None, 1, None, 1), memory)
        self._call.read_ends()
        (target,) = self._call.targets
        self.score = replace(score, target=target)
        self.ends, self.names, self.seed = self._call.ends, bound.names, bound.seed
        self.inputs = bound.inputs
        if self.ends.device.type == "cpu":
            torch.empty(HEAP, dtype=torch.uint8)  # freed at once
        self.scales = on_scales(target)
        self.forwards = torch.zeros(len(self.names), dtype=torch.int64)
        self.explained = tuple(target.describe(i) for i in range(len(self.names)))
        self._fills: dict[object, Tensor] = {}
        self._plain = bound.drive is None and bound.derivative is None and target.layer is None

    def rows(self) -> int:
        """Rows of a batch: what memory holds, on a CPU no more than its caches do."""
        memory = self._call.memory
        cached = max(LEAST, int(CACHE / max(1.0, memory.row_bytes)))
        return memory.rows() if self.ends.device.type == "cuda" else min(memory.rows(), cached)

    @cached_property
    def _faster(self) -> Answerer:
        """Evaluates rows with a prepared copy of the network, if there is one."""
        own = self._call.answerer
        faster = prepared(own.score.model, self.ends) if self._plain else None
        return own if faster is None else Answerer(replace(own.score, model=faster), own.memory, own.dtype)

    def values(self, points: Tensor, owner: Tensor) -> Values:
        """The score at `points (R, *F)` of the examples `owner (R,)`."""
        many = int(self.forwards.sum()) >= self.rows()  # a copy takes as long to make as a batch to evaluate, or so
        answerer = self._faster if many else self._call.answerer
        found = answerer.values(points, owner, list(self.scales.values()))
        self.forwards.index_add_(0, owner, torch.ones_like(owner))
        return dict(zip(self.scales, found, strict=True))

    def values_of(self, x: Any, owner: Tensor, context: Mapping[str, Any] | None = None) -> Values:
        """The score of other inputs `x`, R rows in the structure of the examples, which belong to `owner (R,)`.

        For what cannot be said by points: words left out. `context`: theirs, in place of the score's own.
        """
        bound = self._call.score
        other = replace(bound, inputs=check_inputs(x, context), drive=None, read=None, layers={})
        found: dict[Scale, list[Tensor]] = {scale: [] for scale in self.scales}
        for rows in torch.split(torch.arange(len(owner)), self.rows()):
            forward = other.survey(rows, list(self.scales.values()))
            for scale, target in self.scales.items():
                found[scale].append(other.picked(target, forward, owner[rows]).detach().cpu().double())
        self.forwards.index_add_(0, owner, torch.ones_like(owner))
        return {scale: torch.cat(parts) for scale, parts in found.items()}

    def starts(self, baseline: object) -> Tensor:
        """What a baseline is for these examples, where they are driven: `(N, draws, *F)`. Raises `BaselineError`."""
        part = as_baseline(baseline)
        if part not in self._fills:
            call = self._call
            starts = Starts(part, call.answerer, call.ends, call.names, call.seed)
            self._fills[part] = starts.of(call.every, call._searched).to(self.ends)
        return self._fills[part]

    def packed(self, values: Any, label: str) -> Tensor:
        """Values in the structure of x as one tensor like `ends`. Raises `InputError`."""
        if isinstance(values, Tensor):
            return values
        entries = (
            values if isinstance(values, Mapping) else dict(enumerate(values)) if isinstance(values, tuple) else {}
        )
        named = {str(k): v for k, v in entries.items() if isinstance(v, Tensor)}
        if self._call.score.drive is not None or not set(self.inputs.attributed) <= set(named):
            raise InputError(f"{label} as a tensor like x, or in x's structure", type(values).__name__)
        return self.inputs.pack(named)


@contextmanager
def inquire(
    score: Score,
    x: Any,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> Iterator[Inquiry]:
    """Open a score with the examples x for questions. Arguments and errors as in `attribute`."""
    if not isinstance(score, Score):
        raise InputError("a Score, such as gl.Score(model, 3)", type(score).__name__)
    if score.asks_several:
        raise InputError("one target to judge maps by", "a list of targets")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InputError("seed as a whole number", repr(seed))
    bound = score.bind(x)
    bound = replace(bound, names=check_names(names, bound.inputs.rows), seed=seed)
    device = bound.inputs.anchor.device
    with undisturbed(score.model, device):
        yield Inquiry(score, bound, Memory(parse(memory, device), device))
