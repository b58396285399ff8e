"""The report of one text as HTML: the text itself in colours, and what its words add up to."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import numpy as np

from gradline.plots.maps import example
from gradline.plots.tokens import Level, Spans, reach, spans
from gradline.plots.words import directions, quantity, signed
from gradline.report.content import Content
from gradline.report.frame import frame
from gradline.report.page import rendered
from gradline.report.spelled import Word, blocks, note, own_style, word
from gradline.report.text import Text
from gradline.report.token_matrix import fragment_matrix, matrix_content, write_matrix
from gradline.report.words import isolated, typeset
from gradline.result import Attribution
from gradline.result.spelling import percent, short
from gradline.result.storage import write_atomically

__all__ = ["content", "fragment", "fragment_matrix", "write_matrix", "write_text"]

TEMPLATE = "text.html.jinja"

TOP = 12
"""Words with a bar of their own."""

NAME = 60
"""Letters of a text's name in a heading, at most."""


def write_text(a: Attribution, text: Text, path: str | Path) -> Path:
    """Write the report of the first example as one file. Raises `InputError`, `StorageError`, `MissingExtra`."""
    page = rendered(TEMPLATE, content(a, text), name="report", whole=True)
    return write_atomically(Path(path), lambda p: p.write_text(page, "utf-8", "replace"))


def fragment(a: Attribution, text: Text) -> str:
    """The report as a part of another page: its own style, script and names. Raises `InputError`, `MissingExtra`."""
    return rendered(TEMPLATE, content(a, text), name=f"gradline-{secrets.token_hex(4)}", whole=False)


def content(a: Attribution, text: Text) -> Content:
    """Everything the template asks for, of the first example.

    Raises `InputError` if there is none, or if the values do not fit the text.
    """
    a = replace(a[example(a, 0)], shown=(text,))
    name = isolated(text.name if len(text.name) <= NAME else f"{text.name[: NAME - 1]}…")
    found = frame(
        a,
        question=f"Which words of “{name}” speak for “{isolated(text.title)}”?",
        made_by=_made_by(a, text),
        things="words",
        end="text",
        shown=text,
    )
    levels = {str(level): _level(spans(a, 0, level), level) for level in Level}
    by_word = spans(a, 0, Level.WORDS)
    lowers, raises = directions(a)
    found |= {
        "own_style": own_style(),
        "levels": levels,
        "text": levels[Level.WORDS],
        "lowers": lowers,
        "raises": raises,
        "lead": _lead(by_word, found["data"]["directions"]),
        "quantity": quantity(a, 0),
        "bars": bars(a, by_word),
        "baseline": text.baseline,
        "matrix": None if text.matrix is None else matrix_content(text),
    }
    data = {key: {"words": lv["data"], "scale": lv["scale"], "note": lv["note"]} for key, lv in levels.items()}
    found["data"] |= {"text": data} | ({"matrix": found["matrix"]["data"]} if found["matrix"] else {})
    return found


def bars(a: Attribution, found: Spans) -> Content:
    """The largest words, what all others add up to, and that this is the change of the score."""
    plain = np.flatnonzero(~found.special & np.isfinite(found.values))
    order = plain[np.argsort(-np.abs(found.values[plain]), kind="stable")]
    first, last = order[:TOP], order[TOP:]
    special = np.flatnonzero(found.special & np.isfinite(found.values))
    rows = [(found.texts[k], float(found.values[k]), float(found.shares[k]), True) for k in first]
    for label, chosen in (("other word", last), ("special token", special)):
        if len(chosen):
            named = f"{len(chosen)} {label}{'s' * (len(chosen) > 1)}, summed"
            rows.append((named, float(found.values[chosen].sum()), float(found.shares[chosen].sum()), False))
    if found.elsewhere:
        rows.append(("places without a token, summed", found.elsewhere, float("nan"), False))
    low, high = min([0.0, *(v for _, v, _, _ in rows)]), max([0.0, *(v for _, v, _, _ in rows)])
    span = high - low or 1.0
    return {
        "rows": [_bar(label, value, share, own, low, span) for label, value, share, own in rows],
        "zero": f"{-100 * low / span:.2f}%",
        "total": typeset(signed(found.total)),
        "change": _change(a),
        "bad": found.bad,
    }


def _bar(label: str, value: float, share: float, own: bool, low: float, span: float) -> Content:
    left = (min(value, 0.0) - low) / span
    return {
        "label": label,
        "own": own,
        "value": typeset(signed(value)),
        "raises": value > 0,
        "left": f"{100 * left:.2f}%",
        "width": f"{100 * abs(value) / span:.2f}%",
        "share": "–" if np.isnan(share) else typeset(percent(share)),
    }


def _change(a: Attribution) -> Content | None:
    """F(x) − F(x′), and how far the values are from it; None where they need not add up to it."""
    if a.baseline_score is None or a.completeness_gap is None:
        return None
    gap = float(a.completeness_gap[0])
    return {"value": typeset(signed(float(a.score[0] - a.baseline_score[0]))), "gap": typeset(signed(gap))}


def _level(found: Spans, level: Level) -> Content:
    """The text with all values of one level."""
    scale = reach(found.values[~found.special]) or reach(found.values)
    listed: list[Word] = [word(found, k, scale) for k in range(len(found))]
    return {
        "blocks": blocks(listed),
        "special": [one for one in listed if one.special],
        "words": listed,
        "scale": scale,
        "scale_text": short(scale),
        "note": note(found, scale, level),
        "data": [one.data for one in listed],
    }


def _lead(found: Spans, means: tuple[str, str]) -> str:
    """The two words that matter most, in a sentence."""
    said = []
    contribute = means[1] == "raises it"
    effects = (
        ("raises the score most", "lowers it most") if contribute else ("is the most positive", "the most negative")
    )
    for sign, what in zip((1, -1), effects, strict=True):
        sizes = np.where(found.special | ~np.isfinite(found.values), 0.0, sign * found.values)
        if len(sizes) and sizes.max() > 0:
            k = int(sizes.argmax())
            said.append(f"“{isolated(found.texts[k].strip())}” {what} ({signed(float(found.values[k]))})")
    return typeset(f"{', '.join(said)}.") if said else "No word contributes anything."


def _made_by(a: Attribution, text: Text) -> str:
    """How it was answered, in one line."""
    one = f", path from {text.baseline}" if text.baseline else ""
    paths = f", mean over {text.paths} paths" if text.paths > 1 else one
    return f"{a.provenance.get('method_name', 'attribution')} of {isolated(text.model)}, {a.explained[0]}{paths}"
