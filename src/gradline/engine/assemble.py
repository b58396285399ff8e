"""From accumulated values and the outcomes of flows to attributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.core.accumulators import SumLaw
from gradline.core.flow import Outcome, Trace
from gradline.core.method import Method
from gradline.core.paths import Budget, FixedBudget, ToleranceBudget
from gradline.result import finding
from gradline.result.attribution import Attribution, Curve
from gradline.result.finding import Finding
from gradline.status import Status

WIDE_GAP = 0.05
"""Share of F(x) − F(x') that a sum may miss before a finding says so (the authors' how-to of Integrated Gradients)."""


@dataclass(slots=True, eq=False)
class Ledger:
    """What one target's flows brought in, for N examples."""

    values: Tensor
    status: list[Status]
    error: list[float]
    trace: list[list[Trace]]
    note: list[str]

    def take(self, rows: Tensor, outcome: Outcome) -> None:
        """Enter what a flow over these examples found."""
        for k, row in enumerate(rows.tolist()):
            self.status[row], self.error[row] = outcome.status[k], outcome.error[k]
            self.trace[row], self.note[row] = outcome.trace[k], outcome.note[k]


def assemble(
    ledger: Ledger,
    *,
    method: Method,
    budget: Budget,
    score: Tensor,
    baseline_score: Tensor | None,
    evaluations: Tensor,
    forward_evaluations: Tensor,
    names: tuple[str, ...],
    explained: tuple[str, ...],
    findings: list[Finding],
    provenance: dict[str, Any],
) -> Attribution:
    """Measure the values against the method's sum law, make the estimates relative, and say what was noticed."""
    flat = ledger.values.flatten(1)
    wide = (flat.cpu() if flat.device.type == "mps" else flat).double()  # Apple's GPUs have no float64
    norm = wide.norm(dim=1).cpu()
    status = [Status.FLAT if n == 0 and s.is_sound else s for s, n in zip(ledger.status, norm, strict=True)]
    gap = None
    if method.law is SumLaw.DIFFERENCE and baseline_score is not None:
        gap = wide.sum(1).cpu() - (score - baseline_score)
    estimate = None
    if method.estimates:
        error = torch.tensor(ledger.error, dtype=torch.float64, device="cpu")
        estimate = torch.where(norm > 0, error / norm, error)
        estimate[[s is Status.FLAT for s in status]] = 0.0
        estimate[[s is Status.NONFINITE for s in status]] = float("nan")
    return Attribution(
        values=ledger.values,
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
        findings=(*findings, *_noticed(status, ledger.note, budget), *_wide_gaps(status, gap, score, baseline_score)),
        provenance=provenance | {"target": ", ".join(dict.fromkeys(explained))} | _budget_spec(budget),
    )


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
        bad = status[examples[0]] is Status.NONFINITE
        found.append((finding.nonfinite if bad else finding.stopped)(examples, text))
    return found


def _wide_gaps(status: list[Status], gap: Tensor | None, score: Tensor, baseline_score: Tensor | None) -> list[Finding]:
    """Maps of a fixed budget that prove themselves wrong: their sum is off by more than `WIDE_GAP`."""
    if gap is None or baseline_score is None:
        return []
    due = (score - baseline_score).abs()
    rounding = 1e-4 * torch.maximum(score.abs(), baseline_score.abs())
    wide = (gap.abs() > WIDE_GAP * due) & (gap.abs() > rounding)
    examples = tuple(i for i, s in enumerate(status) if s is Status.FIXED and wide[i])
    return [finding.wide_gap(examples, float((gap.abs() / due)[list(examples)].max()))] if examples else []


def _budget_spec(budget: Budget) -> dict[str, Any]:
    match budget:
        case ToleranceBudget(tol, max_evaluations):
            return {"tol": tol, "max_evaluations": max_evaluations}
        case FixedBudget(steps, rule):
            return {"steps": steps, "rule": repr(rule)}
        case _:
            return {}
