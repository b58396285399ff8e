"""The card: what a person wants to know about a result, as rows of text; terminal, notebook and report share them."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from gradline.result.spelling import number, percent
from gradline.result.structure import shape_of
from gradline.status import Status

if TYPE_CHECKING:
    from gradline.result.attribution import Attribution

SHOWN = 8
"""Examples listed in a card; the others are counted."""


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


def tone(status: Status) -> str:
    """The colour beside a verdict: good, plain or bad."""
    return "good" if status is Status.CONVERGED else "plain" if status.is_sound else "bad"


def rows(a: Attribution, i: int) -> list[tuple[str, str]]:
    """Label and text of each fact about example i, in reading order."""
    facts = [("verdict", verdict(a, i)), ("score F(x)", number(float(a.score[i])))]
    if a.baseline_score is not None:
        facts.append(("baseline F(x')", number(float(a.baseline_score[i]))))
    if a.completeness_gap is not None:
        gap = float(a.completeness_gap[i])
        due = abs(float(a.score[i]) - float(a.baseline_score[i])) if a.baseline_score is not None else 0.0
        share = f" ({percent(abs(gap) / due)} of F(x) - F(x'))" if due > 0 and math.isfinite(gap) else ""
        facts.append(("completeness gap", f"{gap:+.3g}{share}" if math.isfinite(gap) else "unknown"))
    count = int(a.evaluations[i])
    spent = f"{count} gradient{'s' * (count != 1)}"
    if int(a.forward_evaluations[i]):
        spent += f", {int(a.forward_evaluations[i])} forward only"
    facts.append(("evaluations", spent))
    return facts


def text_card(a: Attribution) -> str:
    """The card as plain text."""
    lines = [title(a)]
    if len(a) == 1:
        lines += [f"  {label:<17} {text}" for label, text in rows(a, 0)]
    else:
        width = max((len(name) for name in a.names[:SHOWN]), default=0)
        several = len(set(a.explained)) > 1
        for i in range(min(len(a), SHOWN)):
            lines.append(f"  {a.names[i]:<{width}}  {a.explained[i] + ', ' if several else ''}{verdict(a, i)}")
        lines += [f"  {line}" for line in counted(a)]
    lines += [f"  {finding}" for finding in a.findings]
    return "\n".join(lines)


def title(a: Attribution) -> str:
    """What was made of what, in one line."""
    method, targets = a.provenance.get("method_name", "attribution"), set(a.explained)
    target = targets.pop() if len(targets) == 1 else "several targets"
    return f"{method} of {target}: {len(a)} example{'s' * (len(a) != 1)} of shape {shape_of(a.values)}"


def counted(a: Attribution) -> list[str]:
    """Under a list of examples: how many are not in it, and how many ended in which way."""
    counts = {s: a.status.count(s) for s in dict.fromkeys(a.status)}
    ended = ", ".join(f"{n} {s.value.replace('_', ' ')}" for s, n in counts.items())
    return [*([f"… and {len(a) - SHOWN} more"] if len(a) > SHOWN else []), ended]


def html_card(a: Attribution) -> str:
    """The card as an HTML fragment for notebooks, readable where styles are taken away."""
    body = _one(a) if len(a) == 1 else _several(a)
    found = "".join(f"<li><b>{escape(f.code)}</b> {escape(f.text)}</li>" for f in a.findings)
    beneath = f"<ul>{found}</ul>" if found else ""
    head = f"<p><b>{escape(title(a))}</b></p>"
    return f'<div class="gradline-card"><style>{_STYLE}</style>{head}<table>{body}</table>{beneath}</div>'


def _one(a: Attribution) -> str:
    """A line for each fact."""
    facts = [(label, (_dot(a, 0) if label == "verdict" else "") + escape(text)) for label, text in rows(a, 0)]
    lines = (f'<tr><th scope="row">{escape(label)}</th><td>{text}</td></tr>' for label, text in facts)
    return f"<tbody>{''.join(lines)}</tbody>"


def _several(a: Attribution) -> str:
    """A line for each of the first examples, then how many there are."""
    heads = ["example", *(["target"] if len(set(a.explained)) > 1 else []), "verdict", "score F(x)", "evaluations"]
    lines = []
    for i in range(min(len(a), SHOWN)):
        targets = [escape(a.explained[i])] if "target" in heads else []
        facts = dict(rows(a, i))
        cells = [*targets, _dot(a, i) + escape(facts["verdict"]), facts["score F(x)"], facts["evaluations"]]
        lines.append(
            f'<tr><th scope="row">{escape(a.names[i])}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        )
    lines += [f'<tr><td colspan="{len(heads)}">{escape(line)}</td></tr>' for line in counted(a)]
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"


def _dot(a: Attribution, i: int) -> str:
    """Colour beside the verdict, which says the same in words."""
    return f'<i class="{tone(a.status[i])}"></i>'


_STYLE = """
.gradline-card { font: 14px/1.5 system-ui, sans-serif; }
.gradline-card p { margin: 0 0 6px; }
.gradline-card table { border-collapse: collapse; margin: 0; font-size: 14px; }
.gradline-card :is(th, td) { text-align: left; vertical-align: top; padding: 3px 20px 3px 0; border: 0;
  background: none; font-variant-numeric: tabular-nums; }
.gradline-card th { font-weight: 400; opacity: .72; }
.gradline-card tr { background: none; border-top: 1px solid rgb(128 128 128 / .28); }
.gradline-card i { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 8px; }
.gradline-card .good { background: #2e9e66; }
.gradline-card .plain { background: #8a93a0; }
.gradline-card .bad { background: #d9822b; }
.gradline-card ul { margin: 8px 0 0; padding: 0 0 0 18px; }
"""
