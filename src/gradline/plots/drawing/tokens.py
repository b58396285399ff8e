"""A text whose words are coloured by what they contribute, with the verdict, the legend and the facts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from gradline.plots.drawing.boxes import PAD, ROW, Box, draw_boxes, running
from gradline.plots.drawing.glyphs import drawable, in_mono, letters_of
from gradline.plots.drawing.legend import draw_legend
from gradline.plots.drawing.paper import TWO_COLUMNS, check_width
from gradline.plots.drawing.sheet import (
    BAD,
    BODY,
    GOOD,
    INK,
    QUIET,
    SMALL,
    TITLE,
    breadth,
    cut,
    height_of,
    paragraph,
    sheet,
    shorten,
    wrap,
    write,
)
from gradline.plots.maps import example
from gradline.plots.tokens import Level, Spans, TextShown, reach, spans, text_of, tint, visible
from gradline.plots.words import Legend, amount, directions, quantity, signed
from gradline.result import Attribution
from gradline.result.card import rows, verdict
from gradline.result.spelling import percent

MARGIN = 0.06
"""Around the sheet, in inches."""

FINDINGS = 4
"""Findings written out; more are counted."""


def text(a: Attribution, i: int = 0, *, by: Level = Level.WORDS, width: float = TWO_COLUMNS) -> Figure:
    """Example i of a text model: its text, every word behind which there is colour, and how accurate the map is.

    Red raises the score, blue lowers it; the legend says how much full colour is. Special tokens stand apart. `by`:
    tokens, words or sentences. Letters that no font here can draw become squares, and the figure says so. `width` in
    inches, from 3. Raises `InputError` where `a` does not know its text.
    """
    i, width = example(a, i), check_width(width, least=3.0)
    shown, found = text_of(a, i), spans(a, i, by)
    said = [shown.name, shown.title, shown.model, shown.baseline, shown.command, a.explained[i], *found.texts]
    with letters_of([*said, *found.parts, *(name for name, _ in shown.candidates)]):
        figure = sheet(width)
        top = _head(figure, a, i, shown, width)
        scale = reach(found.values[~found.special]) or reach(found.values)
        top = _text(figure, found, scale, top, width) + 0.1
        legend = Legend(f"−{amount(scale)}", f"+{amount(scale)}", *directions(a), _notes(a, i, found, scale, by))
        top = draw_legend(figure, legend, MARGIN, top, width - 2 * MARGIN, min(2.4, 0.6 * width)) + 0.1
        top = _facts(figure, a, i, shown, top, width)
        return cut(figure, _foot(figure, shown.command, top, width) + MARGIN)


def _head(figure: Figure, a: Attribution, i: int, shown: TextShown, width: float) -> float:
    """The question, the verdict, the findings."""
    inside = width - 2 * MARGIN
    asked = drawable(f"Which words made {shown.model} say “{visible(shown.title)}”?")
    top = paragraph(figure, MARGIN, 0.04, wrap(asked, inside, TITLE, bold=True, most=2), size=TITLE, bold=True)
    colour = GOOD if a.status[i].is_sound else BAD
    top = paragraph(figure, MARGIN, top + 0.02, wrap(verdict(a, i), inside, BODY + 0.5), size=BODY + 0.5, colour=colour)
    found = [f for f in a.findings if not f.examples or i in f.examples]
    for finding in found[:FINDINGS]:
        lines = wrap(drawable(f"{finding.code} {finding.title}: {finding.detail}."), inside, SMALL, most=2)
        top = paragraph(figure, MARGIN, top + 0.02, lines, size=SMALL, colour=BAD)
    if len(found) > FINDINGS:
        top = paragraph(figure, MARGIN, top, [f"and {len(found) - FINDINGS} more findings"], size=SMALL, colour=BAD)
    return top + 0.1


@dataclass(frozen=True)
class Label:
    """Small quiet words among the boxes."""

    left: float
    top: float
    text: str
    bold: bool = False


def _text(figure: Figure, found: Spans, scale: float, top: float, width: float) -> float:
    """The text and, under it, its special tokens; where the next thing may begin."""
    labels: list[Label] = []
    boxes = _parts(found, scale, labels, top, width)
    below = boxes[-1].top + ROW + 0.05 if boxes else top
    small = _special(found, scale, labels, below, width)
    end = small[-1].top + height_of(SMALL) + 0.03 if small else below
    draw_boxes(figure, [*boxes, *small], width, end)
    for label in labels:
        write(figure, label.left, label.top, label.text, size=SMALL, colour=QUIET, bold=label.bold)
    return end


def _parts(found: Spans, scale: float, labels: list[Label], top: float, width: float) -> list[Box]:
    """Each part of the text under its name."""
    boxes: list[Box] = []
    for name in dict.fromkeys(found.parts):
        chosen = [k for k, part in enumerate(found.parts) if part == name and not found.special[k]]
        if not chosen:
            continue
        if name:
            label = shorten(drawable(visible(name)), width - 2 * MARGIN, SMALL, bold=True)
            labels.append(Label(MARGIN, top, label, bold=True))
            top += height_of(SMALL) + 0.02
        boxes += running(found, chosen, scale, (MARGIN, top), width - 2 * MARGIN)
        top = boxes[-1].top + ROW + 0.06
    return boxes


def _special(found: Spans, scale: float, labels: list[Label], top: float, width: float) -> list[Box]:
    """Special tokens, small and apart, each with its value."""
    chosen = np.flatnonzero(found.special)
    boxes: list[Box] = []
    if not len(chosen):
        return boxes
    labels.append(Label(MARGIN, top + 0.005, "special tokens"))
    first = left = MARGIN + breadth("special tokens", SMALL) + 0.08
    for k in chosen:
        word, value = shorten(visible(drawable(found.texts[k])), 0.4 * width, SMALL), signed(float(found.values[k]))
        wide = breadth(word, SMALL) + 2 * PAD
        needs = wide + 0.03 + breadth(value, SMALL)
        if left > first and left + needs > width - MARGIN:
            left, top = first, top + height_of(SMALL) + 0.05
        boxes.append(Box(word, left, top, wide, tint(float(found.values[k]), scale), SMALL))
        labels.append(Label(left + wide + 0.03, top + 0.005, value))
        left += needs + 0.1
    return boxes


def _notes(a: Attribution, i: int, found: Spans, scale: float, by: Level) -> tuple[str, ...]:
    """What the colours are of, what lies beyond them, and what everything adds up to."""
    beyond = int((np.abs(found.values[np.isfinite(found.values)]) > scale * (1 + 1e-9)).sum())
    sums = f"everything adds up to {signed(found.total)}"
    if found.special.any():
        sums += f", special tokens alone to {signed(found.special_total)}"
    if found.elsewhere:
        sums += f", places without a token to {signed(found.elsewhere)}"
    if a.baseline_score is not None and a.completeness_gap is not None:
        sums += f"; F(x) − F(x′) is {signed(float(a.score[i] - a.baseline_score[i]))}"
    notes = [drawable(f"{quantity(a, i)}, summed over {by}"), sums]
    if not scale and found.bad < len(found):
        notes.append("every contribution is zero")
    if beyond:
        notes.append(f"{beyond} of {len(found)} {by} and special tokens lie beyond, in full colour")
    if found.bad:
        notes.append(f"{found.bad} of {len(found)} are not finite, in grey, and left out of sums")
    lost = _lost(found)
    if lost:
        notes.append(f"□ stands for {lost} letters that no font here can draw; the report as .html shows them")
    return tuple(notes)


def _lost(found: Spans) -> int:
    """How many letters are drawn as squares."""
    return sum(drawable(span).count("□") - span.count("□") for span in found.texts)


def _facts(figure: Figure, a: Attribution, i: int, shown: TextShown, top: float, width: float) -> float:
    """Label and text, below one another."""
    facts = rows(a, i)[1:]
    if "seconds" in a.provenance:
        facts.append(("time", f"{a.provenance['seconds']:.2g} s on {a.provenance.get('device', 'cpu')}"))
    if shown.baseline:
        facts.append(("path from", shown.baseline))
    if shown.start:
        facts.append(("in its tokens", " ".join(map(visible, shown.start))))
    if shown.candidates:
        facts.append(("model says", ", ".join(f"{name} {percent(p)}" for name, p in shown.candidates[:3])))
    facts.append(("method", f"{a.provenance.get('method_name', 'attribution')} of {a.explained[i]}"))
    if a.provenance.get("model_digest"):
        facts.append(("fingerprint", f"{a.provenance['model_digest']}, seed {a.provenance.get('seed', 0)}"))
    for label, said in facts:
        write(figure, MARGIN, top, label, colour=QUIET)
        top = paragraph(figure, MARGIN + 1.0, top, wrap(drawable(said), width - 1.0 - 2 * MARGIN, most=3), colour=INK)
        top += 0.02
    return top


def _foot(figure: Figure, command: str, top: float, width: float) -> float:
    """What repeats it on the command line."""
    if not command:
        return top
    mono = in_mono(command)
    lines = wrap(command if mono else drawable(command), width - 2 * MARGIN, SMALL, mono=mono, most=3)
    return paragraph(figure, MARGIN, top + 0.06, lines, size=SMALL, colour=QUIET, mono=mono)
