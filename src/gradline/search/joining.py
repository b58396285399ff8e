"""Attributions of some examples each, put together in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from gradline.result import Attribution
from gradline.result.finding import Finding
from gradline.result.structure import Structured


def joined(parts: Sequence[Attribution]) -> Attribution:
    """All examples, in order. Findings that say the same of several parts are one; the provenance is the first's."""
    first = parts[0]
    whole: dict[str, Any] = {}
    for name in {f.name for f in fields(Attribution)} - {"values", "findings"}:
        column = [getattr(part, name) for part in parts]
        if isinstance(column[0], Tensor):
            whole[name] = torch.cat(column)
        elif isinstance(column[0], tuple):
            whole[name] = tuple(entry for one in column for entry in one)
    every = {name: torch.cat([part.parts[name] for part in parts]) for name in first.parts}
    details = {name: [entry for part in parts for entry in part.details[name]] for name in first.details}
    values = _stacked([part.values for part in parts])
    return replace(first, **whole, values=values, parts=every, details=details, findings=_findings(parts))


def _stacked(values: Sequence[Structured]) -> Structured:
    match values[0]:
        case dict() as one:
            return {k: None if v is None else torch.cat([other[k] for other in values]) for k, v in one.items()}
        case tuple() as one:
            return tuple(None if v is None else torch.cat([o[k] for o in values]) for k, v in enumerate(one))
    return torch.cat(list(values))


def _findings(parts: Sequence[Attribution]) -> tuple[Finding, ...]:
    found: dict[Finding, tuple[int, ...]] = {}
    before = 0
    for part in parts:
        for finding in part.findings:
            about = replace(finding, examples=())
            examples = finding.examples or tuple(range(len(part)))
            found[about] = (*found.get(about, ()), *(before + k for k in examples))
        before += len(part)
    return tuple(replace(f, examples=() if len(e) == before else e) for f, e in found.items())
