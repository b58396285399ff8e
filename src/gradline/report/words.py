"""What the report says: every sentence that depends on the numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradline.plots import PathPanel
from gradline.plots.path import SATURATED
from gradline.plots.words import extent, quantity
from gradline.report.photo import Photo
from gradline.result import Attribution
from gradline.result.card import rows, tone
from gradline.result.finding import KINDS, Finding
from gradline.result.spelling import number, percent
from gradline.status import Status


@dataclass(frozen=True)
class Verdict:
    """How the map ended: the line of the card, its `tone` (good, plain or bad), what follows, and the facts under it.

    `error`, `tol`: estimated and asked for, None where there is no such number.
    """

    text: str
    tone: str
    meaning: str
    facts: tuple[tuple[str, str], ...]
    error: float | None
    tol: float | None


def verdict(a: Attribution, things: str = "pixels") -> Verdict:
    """The verdict of the first example; `things`: what its values belong to."""
    (_, text), *facts = [(typeset(label), typeset(said)) for label, said in rows(a, 0)]
    if "seconds" in a.provenance:
        facts.append(("time", f"{a.provenance['seconds']:.1f} s"))
    status = a.status[0]
    error = float("nan") if a.error_estimate is None else float(a.error_estimate[0])
    known = error if np.isfinite(error) else None
    return Verdict(
        text, tone(status), _MEANING[status].format(things=things), tuple(facts), known, a.provenance.get("tol")
    )


_MEANING = {
    Status.CONVERGED: "It is an estimate of the relative L2 error of the whole map; single {things} may be off by "
    "more.",
    Status.BUDGET_EXHAUSTED: "The map is less accurate than was asked for. Read its large features, not single "
    "{things}.",
    Status.FIXED: "How wrong this map is, is not known: a fixed number of steps has no error estimate. Ask for an "
    "accuracy (tol) instead of steps to get one.",
    Status.NONFINITE: "This map cannot be used.",
    Status.FLAT: "There is nothing to see: none of the {things} changed the score on this path.",
    Status.NO_CLAIM: "How wrong this map is, is not known, and its values need not add up to anything.",
}


def weakness(found: Finding) -> dict[str, str]:
    """A finding with what causes it and what follows, where its number is known."""
    known = KINDS.get(found.code)
    return {
        "code": found.code,
        "title": found.title,
        "detail": found.detail,
        "remedy": found.remedy,
        "cause": known.cause if known else "",
        "consequence": known.consequence if known and known.consequence != found.detail else "",
    }


def shares(stages: np.ndarray | None) -> np.ndarray | None:
    """The share ⟨A(t), A(1)⟩ / ‖A(1)‖² of the map made by t = 0, 1/K … 1; None if it is zero or not finite."""
    if stages is None or not np.isfinite(stages).all():
        return None
    flat = stages.reshape(len(stages), -1).astype(np.float64)
    whole = float(flat[-1] @ flat[-1])
    return None if whole == 0 else np.concatenate([[0.0], flat @ flat[-1] / whole])


def path(panel: PathPanel, made: np.ndarray | None, paths: int, to: str = "photo") -> str:
    """What the path panel shows; `to`: what the path leads to."""
    if not np.isfinite(panel.score).all():
        return "The score is not finite everywhere on the path; gaps in the line are where it is not."
    start, end = number(panel.score[0]), number(panel.score[-1])
    first = "the baseline (t = 0)" if panel.t[0] == 0 else f"t = {panel.t[0]:.2g}"
    text = f"On the way from {first} to the {to} (t = 1) the score goes from {start} to {end}"
    if panel.split:
        text += f". It saturates at t* = {panel.saturation:.2f}, where the map is split"
    elif panel.saturation == panel.saturation:
        text += f"; {percent(SATURATED)} of that change is first made by t = {panel.saturation:.2f}"
    text += "."
    if made is not None:
        half = np.interp(0.5, made, np.linspace(0, 1, len(made))) if (np.diff(made) > 0).all() else None
        text += "" if half is None else f" Half of the map is made by t = {half:.2f}, by projection on the whole map."
    if paths > 1:
        text += f" The map is the mean over {paths} paths; the lines and the start shown are those of the first."
    return typeset(text)


def caption(a: Attribution, sums: np.ndarray, scale: float, side: int, shape: Sequence[int]) -> str:
    """What the picture of the map shows, what its colours mean, and what they hide."""
    drawn = quantity(a, 0)
    notes = ", ".join(extent(sums, scale, "blocks" if side > 1 else "pixels"))
    text = f"{drawn[0].upper()}{drawn[1:]}, summed over colours. "
    text += f"Linear scale up to the 99th percentile of sizes: {notes}."
    if side > 1:
        text += f" The photo has {shape[0]} × {shape[1]} pixels; this page adds up blocks of {side} × {side} of them."
    return typeset(text)


def typeset(text: str) -> str:
    """Plain text with the signs of print: a true minus and prime, and no line break before a per cent sign."""
    text = re.sub(r"(?<![\w.])-(?=\d)", "−", text).replace(") - F(", ") − F(").replace("x')", "x′)")
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)


def question(photo: Photo) -> str:
    """What was asked, in one sentence."""
    return f"Which pixels of {isolated(photo.name)} speak for “{isolated(photo.title)}”?"


def isolated(name: str) -> str:
    """A name inside a sentence: one that runs from right to left does not turn the rest round."""
    turns = any(unicodedata.bidirectional(c) in ("R", "AL", "RLE", "RLO", "LRO", "RLI", "FSI") for c in name)
    return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}" if turns else name


def made_by(a: Attribution, photo: Photo) -> str:
    """How it was answered, in one line."""
    method = a.provenance.get("method_name", "attribution")
    one = f", path from {photo.baseline}" if photo.baseline else ""
    paths = f", mean over {photo.paths} paths" if photo.paths > 1 else one
    return f"{method} of {isolated(photo.model)}, {a.explained[0]}{paths}"


def provenance(shown: Mapping[str, Attribution]) -> list[tuple[str, object]]:
    """How maps were made, by their names: once what holds for all of them, one by one what differs."""
    found: list[tuple[str, object]] = []
    for key in dict.fromkeys(key for a in shown.values() for key in a.provenance):
        label, values = key.replace("_", " "), {name: a.provenance.get(key, "–") for name, a in shown.items()}
        first = next(iter(values.values()))
        if all(value == first for value in values.values()):
            found.append((label, first))
        else:
            found += [(f"{label}, {name}", value) for name, value in values.items()]
    return found


def methods_summary(statuses: Sequence[Status]) -> tuple[str, str]:
    """How several maps ended, in a line, and its tone."""
    count, converged = len(statuses), statuses.count(Status.CONVERGED)
    bad = sum(not status.is_sound for status in statuses)
    if bad:
        return f"{bad} of {count} maps {'is' if bad == 1 else 'are'} not what was asked for", "bad"
    if converged == count:
        return f"{'All maps' if count > 1 else 'The map'} converged to the accuracy asked for", "good"
    return f"{converged} of {count} maps converged; for the others no error is known", "plain"
