"""From accumulated values and the outcomes of flows to attributions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.core.accumulators import SumLaw
from gradline.core.error_bar import SAFETY
from gradline.core.flow import Outcome, Trace
from gradline.core.method import Method
from gradline.core.paths import Budget, FixedBudget, ToleranceBudget
from gradline.result import finding
from gradline.result.attribution import Attribution, Curve
from gradline.result.finding import Finding
from gradline.status import Status

WIDE_GAP = 0.05
"""Share of F(x) − F(x') that a sum may miss before a finding says so (the authors' how-to of Integrated Gradients)."""

BYPASS = 0.01
"""Share of the score's change that may go past the layer that is read before a finding says so, but for rounding."""


@dataclass(slots=True, eq=False)
class Ledger:
    """What one target's flows brought in, for N examples."""

    values: Tensor
    status: list[Status]
    error: list[float]
    trace: list[list[Trace]]
    note: list[str]
    spread: list[float]
    claim: list[float]
    details: dict[str, list[Any]]

    @classmethod
    def blank(cls, values: Tensor) -> Ledger:
        """Nothing known yet of `values (N, *G)`."""
        count = len(values)
        unknown = [float("nan")] * count
        trace: list[list[Trace]] = [[] for _ in range(count)]
        return cls(values, [Status.NO_CLAIM] * count, unknown[:], trace, [""] * count, unknown[:], unknown[:], {})

    def take(self, rows: Tensor, outcome: Outcome) -> None:
        """Enter what a flow over these examples found."""
        for k, row in enumerate(rows.tolist()):
            self.status[row], self.error[row] = outcome.status[k], outcome.error[k]
            self.trace[row], self.note[row] = outcome.trace[k], outcome.note[k] or self.note[row]
            self.spread[row] = outcome.spread[k] if outcome.spread else float("nan")
            self.claim[row] = outcome.claim[k] if outcome.claim else float("nan")
        self.note_details(rows, outcome.details)

    def note_details(self, rows: Tensor, details: Mapping[str, list[Any]], note: Sequence[str] = ()) -> None:
        """Enter what else is to be said of these examples; lists over draws go on where one is there already."""
        for name, found in details.items():
            column = self.details.setdefault(name, [None] * len(self.status))
            for row, one in zip(rows.tolist(), found, strict=True):
                column[row] = column[row] + one if isinstance(column[row], list) else one
        for row, text in zip(rows.tolist(), note, strict=False):
            self.note[row] = self.note[row] or text


def assemble(
    ledger: Ledger,
    *,
    method: Method,
    budget: Budget,
    score: Tensor,
    baseline_score: Tensor | None,
    through: Tensor | None,
    rounding: Tensor | None,
    precision: torch.dtype,
    evaluations: Tensor,
    forward_evaluations: Tensor,
    names: tuple[str, ...],
    explained: tuple[str, ...],
    findings: list[Finding],
    provenance: dict[str, Any],
    parts: dict[str, Tensor],
    structured: Callable[[Tensor], Any] | None,
) -> Attribution:
    """Measure the values against the method's sum law, make the estimates relative, and say what was noticed.

    `through (N,)`: the change of the score along the path as its slopes add up, where gradients are read at a layer
    inside. `rounding (N,)`: L2 error of the map that a half `precision` makes. `structured`: puts packed values
    into x's structure.
    """
    flat = ledger.values.flatten(1)
    wide = (flat.cpu() if flat.device.type == "mps" else flat).double()  # Apple's GPUs have no float64
    norm = wide.norm(dim=1).cpu()
    sums = method.accumulator.blank == 0  # a maximum can be zero without anything being so
    ended = [Status.FLAT if sums and n == 0 and s.is_sound else s for s, n in zip(ledger.status, norm, strict=True)]
    if budget is method.budget and not method.estimates:
        ended = [Status.NO_CLAIM if s is Status.FIXED else s for s in ended]
    gap = due = None
    if method.law is not SumLaw.NONE and baseline_score is not None:
        claim = torch.tensor(ledger.claim, dtype=torch.float64, device="cpu")
        due = score - baseline_score if method.law is SumLaw.DIFFERENCE else claim
        gap = wide.sum(1).cpu() - due
    rounding = rounding if rounding is None else torch.where(norm > 0, rounding / norm, rounding)
    beside = {"rounding_error": rounding, "standard_error": _standard_error(ledger, method, norm)}
    estimate = _estimate(ledger, ended, norm, beside) if method.estimates else None
    status = ended if estimate is None else _judged(ended, _estimate(ledger, ended, norm, beside, SAFETY), budget)
    return Attribution(
        values=ledger.values if structured is None else structured(ledger.values),
        score=score,
        baseline_score=baseline_score,
        completeness_gap=gap,
        error_estimate=estimate,
        evaluations=evaluations,
        forward_evaluations=forward_evaluations,
        status=tuple(status),
        names=names,
        explained=explained,
        curve=tuple(Curve(t[0].t, t[0].weight, t[0].value, t[0].gradient_norm) for t in ledger.trace),
        findings=(
            *findings,
            *_noticed(ended, ledger.note, budget),
            *_few_draws(ended, status, method, beside["standard_error"]),
            *_bypassed(method, wide, through, precision),
            *([] if through is not None else _wide_gaps(status, gap, due, score, precision)),
        ),
        parts=parts,
        details={name: _plain(error) for name, error in beside.items() if error is not None} | ledger.details,
        provenance=provenance | {"target": ", ".join(dict.fromkeys(explained))} | _budget_spec(budget),
    )


def _standard_error(ledger: Ledger, method: Method, norm: Tensor) -> Tensor | None:
    """What chance in the baselines does to the mean map, relative to its norm: `(N,)`; None without chance."""
    averaged = method.accumulator.blank == 0  # no maximum over all draws
    if method.baseline is None or not method.baseline.random or method.baseline.draws < 2 or not averaged:
        return None
    return torch.tensor(ledger.spread, dtype=torch.float64, device="cpu") / norm


def _estimate(
    ledger: Ledger, ended: list[Status], norm: Tensor, beside: dict[str, Tensor | None], factor: float = 1.0
) -> Tensor:
    """Relative error of each map: that of the quadrature and, times `factor`, what stands beside it, in quadrature."""
    error = torch.tensor(ledger.error, dtype=torch.float64, device="cpu")
    estimate = torch.where(norm > 0, error / norm, error)
    for other in beside.values():
        if other is not None:
            estimate = torch.where(norm > 0, torch.hypot(estimate, factor * other), estimate)
    estimate[[s is Status.FLAT for s in ended]] = 0.0
    estimate[[s is Status.NONFINITE for s in ended]] = float("nan")
    return estimate


def _judged(ended: list[Status], estimate: Tensor, budget: Budget) -> list[Status]:
    """Converged no longer, where something beside the quadrature puts the estimate above the tolerance."""
    if not isinstance(budget, ToleranceBudget):
        return ended
    above = estimate > budget.tol
    return [
        Status.BUDGET_EXHAUSTED if s is Status.CONVERGED and high else s for s, high in zip(ended, above, strict=True)
    ]


def _few_draws(ended: list[Status], status: list[Status], method: Method, chance: Tensor | None) -> list[Finding]:
    if chance is None or method.baseline is None:
        return []
    examples = tuple(i for i, (a, b) in enumerate(zip(ended, status, strict=True)) if a is not b)
    return [finding.few_draws(examples, float(chance[list(examples)].max()), method.baseline.draws)] if examples else []


def _plain(values: Tensor) -> list[float | None]:
    """For JSON, which has no NaN: None where a number is not known."""
    return [float(v) if math.isfinite(v) else None for v in values]


def _noticed(status: list[Status], note: list[str], budget: Budget) -> list[Finding]:
    found: list[Finding] = []
    exhausted = tuple(i for i, s in enumerate(status) if s is Status.BUDGET_EXHAUSTED and not note[i])
    if exhausted and isinstance(budget, ToleranceBudget):
        found.append(finding.budget_exhausted(exhausted, budget.max_evaluations))
    flat = tuple(i for i, s in enumerate(status) if s is Status.FLAT)
    if flat:
        found.append(finding.flat(flat))
    for text in dict.fromkeys(n for n in note if n):
        examples = tuple(i for i, n in enumerate(note) if n == text)
        kinds = {Status.NONFINITE: finding.nonfinite, Status.BUDGET_EXHAUSTED: finding.stopped}
        found.append(kinds.get(status[examples[0]], finding.limited)(examples, text))
    return found


def _wide_gaps(
    status: list[Status], gap: Tensor | None, due: Tensor | None, score: Tensor, precision: torch.dtype
) -> list[Finding]:
    """Maps of a fixed budget that prove themselves wrong: their sum is off by more than `WIDE_GAP`."""
    if gap is None or due is None:
        return []
    rounding = max(1e-4, 2 * torch.finfo(precision).eps) * torch.maximum(score.abs(), (score - due).abs())
    due = due.abs()
    wide = (gap.abs() > WIDE_GAP * due) & (gap.abs() > rounding)
    examples = tuple(i for i, s in enumerate(status) if s is Status.FIXED and wide[i])
    return [finding.wide_gap(examples, float((gap.abs() / due)[list(examples)].max()))] if examples else []


def _bypassed(method: Method, wide: Tensor, through: Tensor | None, precision: torch.dtype) -> list[Finding]:
    """Maps at a layer inside that the score's change does not wholly pass through."""
    if through is None or method.law is not SumLaw.DIFFERENCE:
        return []
    return bypassed(wide.cpu(), through, precision)


def bypassed(wide: Tensor, through: Tensor, precision: torch.dtype) -> list[Finding]:
    """Says which maps `(N, D)`, float64 on the CPU, miss much of what should pass: `through (N,)`."""
    missed = (through - wide.sum(1)).abs()
    scale = torch.maximum(through.abs(), 1e-2 * wide.abs().sum(1))
    least = max(BYPASS, 8 * torch.finfo(precision).eps)
    examples = tuple(int(i) for i in ((missed > least * scale) & (missed > 0)).nonzero()[:, 0])
    return [finding.bypass(examples, float((missed / scale)[list(examples)].max()))] if examples else []


def _budget_spec(budget: Budget) -> dict[str, Any]:
    match budget:
        case ToleranceBudget(tol, max_evaluations):
            return {"tol": tol, "max_evaluations": max_evaluations}
        case FixedBudget(steps, rule):
            return {"steps": steps, "rule": repr(rule)}
        case _:
            return {}
