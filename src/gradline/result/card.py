"""The card: what a person wants to know about a result, as rows of text; terminal, notebook and report share them."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from gradline.result.structure import shape_of
from gradline.status import Status

if TYPE_CHECKING:
    from gradline.result.attribution import Attribution

SHOWN = 8
"""Examples listed in a card; the others are counted."""


def percent(share: float) -> str:
    """A share as a percentage with two significant digits: `3.9 %`, `0.041 %`."""
    if math.isnan(share) or math.isinf(share):
        return "unknown"
    if share == 0:
        return "0 %"
    if abs(share) < 1e-5:
        return "below 0.001 %"
    if abs(share) >= 1:
        return f"{share * 100:.0f} %"
    rounded = float(f"{share * 100:.2g}")
    digits = max(0, 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{digits}f} %"


def number(value: float) -> str:
    """A score with four significant digits."""
    return f"{value:.4g}"


def verdict(a: Attribution, i: int) -> str:
    """One line: how accurate the map of example i is."""
    status = a.status[i]
    estimate = math.nan if a.error_estimate is None else float(a.error_estimate[i])
    tol = a.provenance.get("tol")
    match status:
        case Status.CONVERGED:
            return f"converged: estimated map error {percent(estimate)}, asked for {percent(tol or math.nan)}"
        case Status.BUDGET_EXHAUSTED:
            asked = percent(tol or math.nan)
            close = ", and too close to it" if tol and estimate <= tol else ""
            return f"NOT converged: estimated map error {percent(estimate)}, asked for {asked}{close}"
        case _:
            return f"{status.value.replace('_', ' ')}: {status.meaning}"


def rows(a: Attribution, i: int) -> list[tuple[str, str]]:
    """Label and text of each fact about example i, in reading order."""
    facts = [("verdict", verdict(a, i)), ("score F(x)", number(float(a.score[i])))]
    if a.baseline_score is not None:
        facts.append(("baseline F(x')", number(float(a.baseline_score[i]))))
    if a.completeness_gap is not None:
        gap = float(a.completeness_gap[i])
        due = abs(float(a.score[i]) - float(a.baseline_score[i])) if a.baseline_score is not None else 0.0
        share = f" ({percent(abs(gap) / due)} of F(x) - F(x'))" if due > 0 and math.isfinite(gap) else ""
        facts.append(("completeness gap", f"{gap:+.3g}{share}"))
    count = int(a.evaluations[i])
    spent = f"{count} gradient{'s' * (count != 1)}"
    if int(a.forward_evaluations[i]):
        spent += f", {int(a.forward_evaluations[i])} forward only"
    facts.append(("evaluations", spent))
    return facts


def text_card(a: Attribution) -> str:
    """The card as plain text."""
    method, targets = a.provenance.get("method_name", "attribution"), set(a.explained)
    target = targets.pop() if len(targets) == 1 else "several targets"
    shape = shape_of(a.values)
    lines = [f"{method} of {target}: {len(a)} example{'s' * (len(a) != 1)} of shape {shape}"]
    if len(a) == 1:
        lines += [f"  {label:<17} {text}" for label, text in rows(a, 0)]
    else:
        width = max((len(name) for name in a.names[:SHOWN]), default=0)
        several = target == "several targets"
        for i in range(min(len(a), SHOWN)):
            lines.append(f"  {a.names[i]:<{width}}  {a.explained[i] + ', ' if several else ''}{verdict(a, i)}")
        if len(a) > SHOWN:
            lines.append(f"  … and {len(a) - SHOWN} more")
        counts = {s: a.status.count(s) for s in dict.fromkeys(a.status)}
        lines.append("  " + ", ".join(f"{n} {s.value.replace('_', ' ')}" for s, n in counts.items()))
    lines += [f"  {finding}" for finding in a.findings]
    return "\n".join(lines)


def html_card(a: Attribution) -> str:
    """The card as an HTML fragment for notebooks."""
    return f"<pre style='line-height:1.4'>{html.escape(text_card(a))}</pre>"
