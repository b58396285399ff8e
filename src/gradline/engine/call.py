"""One call of `attribute`: F(x) and F(x'), the flows, the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gradline.core.adaptive import FIRST
from gradline.core.flow import Frame, Step
from gradline.core.method import Method
from gradline.core.paths import Budget, ToleranceBudget
from gradline.engine.answer import Answerer
from gradline.engine.assemble import Ledger, assemble
from gradline.engine.memory import CPU, Memory
from gradline.engine.pool import Running, Spent, run
from gradline.engine.progress import Watch
from gradline.question.score import BoundScore, Score
from gradline.question.targets import Target
from gradline.result import finding
from gradline.result.attribution import Attribution
from gradline.result.provenance import environment, model_digest, model_name, tensor_digest
from gradline.status import Status

MOST_EXAMPLES = 64
"""Examples that one flow drives at the most."""


class Call:
    """The state of one call of `attribute`."""

    def __init__(
        self,
        bound: BoundScore,
        x: Tensor,
        method: Method,
        budget: Budget,
        names: tuple[str, ...],
        seed: int,
        memory: Memory,
    ) -> None:
        self.x, self.method, self.budget, self.names, self.seed, self.memory = x, method, budget, names, seed, memory
        self.answerer = Answerer(bound, memory, x.dtype)
        working = self.answerer.working
        count, several = x.shape[0], len(bound.targets)
        self.values = torch.zeros((several, *x.shape), dtype=working, device=x.device)
        self.spent = Spent(*(torch.zeros((several, count), dtype=torch.int64, device=CPU) for _ in range(2)))
        self.ledgers = [
            Ledger(self.values[k], [Status.NO_CLAIM] * count, [float("nan")] * count, [[]] * count, [""] * count)
            for k in range(several)
        ]
        self.estimate = 0.0

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.answerer.score.targets

    # ------------------------------------------------------------------------------------------------ F(x) and F(x')

    def read_ends(self) -> None:
        """Check the model, freeze the targets at x, and evaluate F(x) and F(x')."""
        every = torch.arange(len(self.names), device=CPU)
        if self.method.baseline is not None:
            self.method.baseline.check(self.x)
        self.score = torch.stack(self._freeze(every))
        self.start_score: Tensor | None = None
        if self.method.baseline is not None:
            groups = torch.split(every, self.memory.rows())
            self.start_score = torch.cat([self._start_scores(rows) for rows in groups], 1)

    def _freeze(self, every: Tensor) -> list[Tensor]:
        outputs = self.answerer.outputs(self.x, every)
        whole = _joined(outputs, len(every))
        if whole is None:  # not a batch of rows in one tensor: for targets that can do with that
            self.answerer.score = self.answerer.score.freeze(outputs[0], 1)
            return self.answerer.values(self.x, every, self.targets)
        self.answerer.score = self.answerer.score.freeze(whole, len(every))
        return [t.pick(whole, every).detach().cpu().double() for t in self.targets]

    def _start_scores(self, rows: Tensor) -> Tensor:
        """F at the starts of these examples' paths: `(T, B, K)`."""
        starts = self._starts(rows)
        owner = rows.repeat_interleave(starts.shape[1])
        values = self.answerer.values(starts.flatten(0, 1), owner, self.targets)
        return torch.stack([v.reshape(starts.shape[:2]) for v in values])

    def _starts(self, rows: Tensor) -> Tensor:
        x = self.x[rows.to(self.x.device)]
        baseline = self.method.baseline
        return x.unsqueeze(1) if baseline is None else baseline.start(x, rows)

    # ------------------------------------------------------------------------------------------------ the flows

    def run(self, watch: Watch) -> None:
        """Drive all flows to their end, folding their steps into the values."""
        ended = 0

        def look() -> None:
            watch(ended, int(self.spent.gradients.sum()), self.estimate)

        flows = run(self._flows(), self.answerer, self.memory, self.targets, self.spent, look)
        for running in flows:
            assert running.outcome is not None
            self.ledgers[running.target].take(running.rows, running.outcome)
            ended += len(running.rows)
            look()

    def _flows(self) -> Iterator[list[Running]]:
        """Flows in the order to start them; those of several targets over the same examples together, if they fit."""
        draws = 1 if self.method.baseline is None else self.method.baseline.draws
        free = self.memory.limit - self.memory.row_bytes
        most = free / self._kept_bytes(1) if self._kept_bytes(1) else float("inf")
        together = max(1, int(min(len(self.targets), most)))
        size = max(1, int(min(MOST_EXAMPLES, self.memory.rows() // (FIRST * draws), most / together)))
        for rows in torch.split(torch.arange(len(self.names), device=CPU), size):
            starts, ends = self._starts(rows).to(self.values), self.x[rows.to(self.x.device)].to(self.values)
            for first in range(0, len(self.targets), together):
                targets = range(first, min(first + together, len(self.targets)))
                yield [self._flow(k, rows, starts, ends) for k in targets]

    def _kept_bytes(self, examples: int) -> int:
        """Bytes of gradients that a flow over so many examples may come to keep."""
        if not isinstance(self.budget, ToleranceBudget):
            return 0
        return examples * self.budget.max_evaluations * self.values.element_size() * self.values[0, 0].numel()

    def _flow(self, target: int, rows: Tensor, starts: Tensor, ends: Tensor) -> Running:
        at_end = self.score[target, rows].numpy()
        at_start = at_end[:, None] if self.start_score is None else self.start_score[target, rows].numpy()
        frame = Frame(
            start=starts,
            end=ends,
            start_score=at_start,
            end_score=at_end,
            names=tuple(self.names[i] for i in rows),
            seed=self.seed,
            precision=self.x.dtype,
            bounded=self.targets[target].bounded,
            room=self,
        )
        flow = self.method.path.flow(frame, self.budget)
        return Running(flow, target, rows, self._fold, self._kept_bytes(len(rows)))

    def _fold(self, target: int, owner: Tensor, step: Step) -> None:
        term = self.method.accumulator.term(step)
        self.values[target].index_add_(0, owner.to(self.x.device), term.to(self.values.dtype))

    # ------------------------------------------------------------------------------------------------ Room, for flows

    def rows(self) -> int:
        return self.memory.rows()

    def keep(self, nbytes: int) -> bool:
        return self.memory.keep(nbytes)

    def progress(self, estimate: float) -> None:
        self.estimate = estimate

    # ------------------------------------------------------------------------------------------------ the answer

    def results(self, score: Score, training: bool, seconds: float) -> list[Attribution]:
        """One attribution for each target."""
        findings = [finding.training_mode()] if training else []
        made = self._provenance(score, seconds)
        starts = self.start_score
        return [
            assemble(
                self.ledgers[k],
                method=self.method,
                budget=self.budget,
                score=self.score[k],
                baseline_score=None if starts is None else starts[k].mean(1),
                evaluations=self.spent.gradients[k],
                forward_evaluations=self.spent.forwards[k],
                names=self.names,
                explained=tuple(target.describe(i) for i in range(len(self.names))),
                findings=findings,
                provenance=made,
            )
            for k, target in enumerate(self.targets)
        ]

    def _provenance(self, score: Score, seconds: float) -> dict[str, Any]:
        return {
            **environment(self.x.device, self.x.dtype),
            "method_name": self.method.name,
            "method": repr(self.method),
            "model": model_name(score.model),
            "model_digest": model_digest(score.model),
            "input_digest": tensor_digest(self.x),
            "seed": self.seed,
            "memory": self.memory.limit,
            "seconds": round(seconds, 3),
        }


def _joined(outputs: list[Any], rows: int) -> Tensor | None:
    """The outputs of several batches as one tensor of so many rows, None if they are something else."""
    tensors = [o.detach() for o in outputs if isinstance(o, Tensor) and o.ndim > 0]
    if len(tensors) < len(outputs) or len({t.shape[1:] for t in tensors}) > 1:
        return None
    whole = torch.cat(tensors)
    return whole if len(whole) == rows else None
