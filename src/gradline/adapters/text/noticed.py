"""What is to be said of texts beside their attribution: a start at zero before a norm, the layer where NaN began."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gradline.adapters.text.case import TextCase
from gradline.engine.embedded import starts_at_zero, where_not_finite
from gradline.engine.inquiry import inquire
from gradline.question.bound import BoundScore
from gradline.question.guard import undisturbed
from gradline.result import Attribution
from gradline.result.finding import Finding
from gradline.status import Status

PLACES = (1.0, 0.5, 0.0)
"""Where on the path of an example a layer is looked for that returns NaN."""


def noticed(case: TextCase, a: Attribution) -> Attribution:
    """The attribution of a case with further findings, for a few forwards.

    GL114 where paths start at zero right before a norm. GL202 also says which layer is the first to return NaN or
    infinity.
    """
    broken = [i for i, status in enumerate(a.status) if status is Status.NONFINITE]
    zero = _maybe_zero(case)
    if not (broken or zero):
        return a
    with inquire(case.score, case.inputs) as inquiry:
        start, end = inquiry.starts(case.baseline)[:, 0], inquiry.ends
    bound = case.score.bind(case.inputs)
    findings = list(a.findings)
    with undisturbed(case.model.model, end.device):
        if zero:
            findings = [*starts_at_zero(bound, start, end, torch.arange(len(end), device="cpu")), *findings]
        if broken:
            row = broken[0]
            said = _layer(bound, start[row : row + 1], end[row : row + 1], torch.tensor([row], device="cpu"))
            findings = [_told(f, said) for f in findings] if said else findings
    return replace(a, findings=tuple(findings))


def _layer(bound: BoundScore, start: Tensor, end: Tensor, owner: Tensor) -> str:
    points = (torch.lerp(start.float(), end.float(), t).to(end.dtype) for t in PLACES)
    return next((said for p in points if (said := where_not_finite(bound, p, owner))), "")


def _told(finding: Finding, said: str) -> Finding:
    return replace(finding, detail=f"{finding.detail}; {said}") if finding.code == "GL202" else finding


def _maybe_zero(case: TextCase) -> bool:
    """A start that may hold zero embeddings: given at the embedding, or a token whose own embedding is zero."""
    parts = getattr(case.baseline, "parts", (case.baseline,))
    if any(part.at_site for part in parts if hasattr(part, "at_site")):
        return True
    table = case.model.table
    return table is not None and bool((table == 0).all(1).any())
