"""One call of `attribute`: F(x) and F(x'), the flows, the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gradline.core.adaptive import FIRST
from gradline.core.baselines import Found, Search
from gradline.core.flow import Frame, Need, Probe, Reading, Step
from gradline.core.method import Method
from gradline.core.paths import Budget, ToleranceBudget
from gradline.engine.aims import Aims
from gradline.engine.answer import Answerer, rows_joined
from gradline.engine.assemble import Ledger, assemble
from gradline.engine.faster import faster
from gradline.engine.memory import CPU, Memory
from gradline.engine.pool import Running, Spent, run
from gradline.engine.precision import Rounding
from gradline.engine.progress import Watch
from gradline.engine.remarks import about_question, about_target
from gradline.engine.stages import Stages
from gradline.engine.starts import Starts
from gradline.question.bound import BoundScore, Forward
from gradline.question.rows import Rows
from gradline.question.score import Score
from gradline.question.targets import Target
from gradline.result import finding
from gradline.result.attribution import Attribution
from gradline.result.finding import Finding
from gradline.result.provenance import environment, inputs_digest, model_digest, model_name

MOST_EXAMPLES = 64
"""Examples that one flow drives at the most."""

_ABOUT_ROWS = {
    Rows.DEPENDENT: finding.rows_influence,
    Rows.SINGLE: finding.single_rows,
    Rows.RANDOM: finding.random_model,
}


class Call:
    """The state of one call of `attribute`."""

    def __init__(self, score: BoundScore, method: Method, budget: Budget, memory: Memory) -> None:
        self.score, self.method, self.budget, self.memory = score, method, budget, memory
        self.names, self.seed = score.names, score.seed
        self.answerer = Answerer(score, memory)
        self.every = torch.arange(len(self.names), device=CPU)
        self.findings: list[Finding] = []
        self.estimate = 0.0

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.aims.targets

    # ------------------------------------------------------------------------------------------------ F(x) and F(x')

    def read_ends(self) -> None:
        """Check the model, freeze the targets at x, evaluate F(x), and find where the paths end and start."""
        forwards = self._survey()
        self.aims = Aims(self.answerer, forwards)
        if self.score.derivative is not None:  # the score that the derivative belongs to may be a smoothed one
            self.aims.score = torch.stack(self.answerer.values(self.ends, self.every, self.targets))
        view = self.score.read
        if view is not None and self.score.drive is not None:
            self.score = replace(self.score, read=view.fitted(self.ends.shape[1:], len(self.names)))
            self.answerer.score = self.score
        like = self.ends if view is None else view.joined([forwards[0].heard[tap] for tap in view.taps])
        working, several = self.answerer.working, len(self.targets)
        shape = (several, len(self.every), *like.shape[1:])
        blank = self.method.accumulator.blank
        self.values = torch.full(shape, blank, dtype=working, device=like.device)
        self.parts: list[dict[str, Tensor]] = [{} for _ in range(several)]
        self.spent = Spent(*(torch.zeros((several, len(self.every)), dtype=torch.int64, device=CPU) for _ in range(2)))
        self.through = torch.zeros((several, len(self.every)), dtype=torch.float64, device=CPU)
        self.ledgers = [Ledger.blank(values) for values in self.values]
        self.stages = [Stages(values, self.method) for values in self.values] if self.method.stages else []
        integrates, accumulator = self.method.path.integrates, self.method.accumulator
        self.rounding = Rounding(
            self.score, self.targets, self.answerer.dtype, self.memory, accumulator, integrates=integrates
        )
        self.starts: Starts | None = None
        self.start_score = torch.full_like(self.aims.score, float("nan"))
        if self.method.baseline is not None:
            self.starts = Starts(self.method.baseline, self.answerer, self.ends, self.names, self.seed)
        self.findings += about_question(self.score, self.starts)

    def _survey(self) -> list[Forward]:
        """Forwards at x: the first row alone, then in company to see whether it minds, then all others."""
        answerer, drive, one = self.answerer, self.score.drive, self.every[:1]
        if drive is None:
            points = self.score.inputs.packed
            answerer.dtype = points.dtype
            first = answerer.measure(points[:1], one)
        else:
            (first,) = answerer.survey(one, self.score.targets)
            points = first.heard[drive]
            answerer.dtype = points.dtype
            answerer.measure(points, one)
        seen, detail = answerer.compare_rows(points[:1], first, one)
        if seen is not Rows.INDEPENDENT:
            self.findings.append(_ABOUT_ROWS[seen](detail))
        forwards = [first, *answerer.survey(self.every[1:], self.score.targets)]
        self.ends = points if drive is None else rows_joined([f.heard[drive] for f in forwards], drive.label)
        return forwards

    def ground(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Where the paths of these examples start `(B, K, *F)`, and F there `(T, B, K)`, noted."""
        if self.starts is None:
            return self._ends(rows).unsqueeze(1), self.aims.score[:, rows].unsqueeze(2)
        starts = self.starts.of(rows, self._searched)
        owner = rows.repeat_interleave(starts.shape[1])
        values = self.answerer.values(starts.flatten(0, 1), owner, self.targets)
        scores = torch.stack([v.reshape(starts.shape[:2]) for v in values])
        self.start_score[:, rows] = scores.mean(2)
        return starts, scores

    def _ends(self, rows: Tensor) -> Tensor:
        return self.ends[rows.to(self.ends.device)]

    def _searched(self, search: Search, rows: Tensor) -> Tensor:
        """Run a search for starts in input space, an example's own for its first target."""
        score = self.score.at_input()
        answerer = Answerer(score, self.memory, score.inputs.dtype)
        points = score.inputs.packed[rows.to(self.ends.device)]
        at_end = self.aims.score[0, rows].numpy()
        frame = self._frame(0, rows, points.unsqueeze(1), points, at_end[:, None], at_end)
        flow = search.search(replace(frame, precision=answerer.dtype, need=Need.GRADIENT, apart=False))
        answer: Reading | None = None
        while True:
            try:
                probe = next(flow) if answer is None else flow.send(answer)
            except StopIteration as end:
                found: Found = end.value
                for ledger in self.ledgers:
                    ledger.note_details(rows, found.details, found.note)
                return found.starts.to(points)
            answer = self._answered(answerer, rows, probe)

    def _answered(self, answerer: Answerer, rows: Tensor, probe: Probe) -> Reading:
        owner, target = rows[probe.owner], [self.aims.of(0, probe.of)]
        for place in range(len(self.targets)):
            self.spent.count(place, owner, probe, answerer)
        if probe.need is Need.VALUE:
            return Reading(probe.owner, answerer.values(probe.points, owner, target)[0], None)
        answers = answerer.gradients(probe.points, owner, target)
        return Reading(probe.owner, answers.value[0], answers.grad[0])

    # ------------------------------------------------------------------------------------------------ the flows

    def run(self, watch: Watch) -> None:
        """Drive all flows to their end, folding their steps into the values."""
        ended = 0

        def look() -> None:
            watch(ended, int(self.spent.gradients.sum()), self.estimate)

        asked = faster(self.answerer, self.targets, self.method, self.budget, self.ends[:1])
        flows = run(self._flows(), asked, self.memory, self.aims, self.spent, look)
        for running in flows:
            assert running.outcome is not None
            self.ledgers[running.target].take(running.rows, running.outcome)
            ended += len(running.rows)
            look()

    def _flows(self) -> Iterator[list[Running]]:
        """Flows in the order to start them; those of several targets over the same examples together, if they fit."""
        draws = self.method.draws
        free = self.memory.limit - self.memory.row_bytes
        most = free / self._kept_bytes(1) if self._kept_bytes(1) else float("inf")
        together = max(1, int(min(len(self.targets), most)))
        size = max(1, int(min(MOST_EXAMPLES, self.memory.rows() // (FIRST * draws), most / together)))
        at_once = max(size, self.memory.rows() // draws // size * size)  # F(x') is read for many flows in one go
        for many in torch.split(self.every, at_once):
            ground = zip(
                *(torch.split(t, size, d) for t, d in zip(self.ground(many), (0, 1), strict=True)), strict=True
            )
            for rows, (starts, scores) in zip(torch.split(many, size), ground, strict=True):
                self.rounding.measure(starts[:, 0], self._ends(rows), rows)
                for first in range(0, len(self.targets), together):
                    targets = range(first, min(first + together, len(self.targets)))
                    yield [self._flow(k, rows, starts, scores[k]) for k in targets]

    def _kept_bytes(self, examples: int) -> int:
        """Bytes of gradients that a flow over so many examples may come to keep."""
        if not isinstance(self.budget, ToleranceBudget):
            return 0
        maps = 2 if self._need is Need.PUSH else 1
        return maps * examples * self.budget.max_evaluations * self.values.element_size() * self.values[0, 0].numel()

    @property
    def _need(self) -> Need:
        """What the flows ask for: a push where gradients are multiplied by moves at another site."""
        apart = self.score.read is not None
        return Need.PUSH if apart and self.method.accumulator.multiplies else Need.GRADIENT

    def _flow(self, target: int, rows: Tensor, starts: Tensor, at_start: Tensor) -> Running:
        starts, ends = starts.to(self.values.dtype), self._ends(rows).to(self.values.dtype)
        frame = self._frame(target, rows, starts, ends, at_start.numpy(), self.aims.score[target, rows].numpy())
        flow = self.method.path.flow(frame, self.rounding.leaves(self.budget, target, rows))
        return Running(flow, target, rows, self._fold, self._kept_bytes(len(rows)))

    def _frame(self, target: int, rows: Tensor, starts: Tensor, ends: Tensor, at_start: Any, at_end: Any) -> Frame:
        return Frame(
            start=starts,
            end=ends,
            start_score=at_start,
            end_score=at_end,
            names=tuple(self.names[i] for i in rows),
            seed=self.seed,
            precision=self.answerer.dtype,
            bounded=self.targets[target].bounded,
            room=self,
            need=self._need,
            apart=self.score.read is not None,
            node_map=self.method.accumulator.node_map,
            rounded=not self.rounding.is_measured,
        )

    def _fold(self, target: int, owner: Tensor, step: Step) -> None:
        accumulator = self.method.accumulator
        accumulator.fold(self.values[target], owner, step)
        if step.part:
            parts, blank = self.parts[target], torch.full_like(self.values[target], accumulator.blank)
            accumulator.fold(parts.setdefault(step.part, blank), owner, step)
        if self.stages:
            self.stages[target].add(owner, step)
        if step.reading.shares is not None:
            parts, shares = self.parts[target], step.reading.shares
            blank = torch.zeros((len(self.every), shares.shape[1]), dtype=torch.float64, device=CPU)
            parts.setdefault("share", blank).index_add_(0, owner, step.weight[:, None] * shares)
        if step.reading.slope is not None:
            self.through[target].index_add_(0, owner, step.weight * step.reading.slope)

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
        findings = [*([finding.training_mode()] if training else []), *self.findings]
        made = self._provenance(score, seconds)
        at_input = self.score.drive is None and self.score.read is None
        return [
            assemble(
                self.ledgers[k],
                method=self.method,
                budget=self.budget,
                score=self.aims.score[k],
                baseline_score=None if self.starts is None else self.start_score[k],
                through=None if self.score.read is None else self.through[k],
                precision=self.answerer.dtype,
                evaluations=self.spent.gradients[k],
                forward_evaluations=self.spent.forwards[k],
                names=self.names,
                explained=tuple(target.describe(i) for i in range(len(self.names))),
                rounding=self.rounding.of(k, self.ledgers[k].trace),
                findings=[*findings, *self.rounding.findings(k), *about_target(target, self.aims.score[k])],
                provenance=made,
                parts=self.parts[k] | ({"stages": self.stages[k].maps(self.values[k])} if self.stages else {}),
                structured=self.score.inputs.structured if at_input else None,
            )
            for k, target in enumerate(self.targets)
        ]

    def _provenance(self, score: Score, seconds: float) -> dict[str, Any]:
        place = self.score.read or self.score.drive
        return {
            **environment(self.ends.device, self.answerer.dtype),
            "method_name": self.method.name,
            "method": repr(self.method),
            "site": "input" if place is None else place.label,
            "unit": "score" if self.method.accumulator.multiplies else "score per unit of the site",
            "model": model_name(score.model),
            "model_digest": model_digest(score.model),
            "input_digest": inputs_digest(self.score.inputs.entries),
            "paths": self.method.draws,
            "seed": self.seed,
            "memory": self.memory.limit,
            "seconds": round(seconds, 3),
        }
