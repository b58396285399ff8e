"""What each word of a prompt contributes to each token of an answer, as HTML."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np

from gradline.plots.tokens import Level, Sources, reach, sources, visible
from gradline.plots.words import signed
from gradline.report.content import COLOURS, Content, file_stem, plain
from gradline.report.page import rendered
from gradline.report.spelled import kind, own_style, share_of
from gradline.report.text import Text
from gradline.report.words import isolated, typeset
from gradline.result.spelling import short
from gradline.result.storage import write_atomically

TEMPLATE = "matrix.html.jinja"

NUMBERED = 16
"""Columns up to which numbers stand in the cells."""


def write_matrix(matrix: Text, path: str | Path) -> Path:
    """Write the page of a text with a matrix as one file. Raises `InputError`, `StorageError`, `MissingExtra`."""
    page = rendered(TEMPLATE, _content(matrix), name="matrix", whole=True)
    return write_atomically(Path(path), lambda p: p.write_text(page, "utf-8", "replace"))


def fragment_matrix(matrix: Text) -> str:
    """The page as a part of another one. Raises `InputError`, `MissingExtra`."""
    return rendered(TEMPLATE, _content(matrix), name=f"gradline-{secrets.token_hex(4)}", whole=False)


def matrix_content(text: Text) -> Content:
    """What the card of the matrix shows. Raises `InputError` if the text has none."""
    found = sources(text, Level.WORDS)
    scale = reach(found.values[:, ~found.special]) or reach(found.values)
    good = np.where(np.isfinite(found.values), found.values, 0.0)
    sums = good.sum(0)
    whole = reach(sums[~found.special]) or reach(sums)
    columns = [_column(found, k, float(sums[k]), whole) for k in range(len(found.texts))]
    numbers = {column["block"]: column["part"] for column in columns}
    return {
        "columns": columns,
        "blocks": [(part, n, [c for c in columns if c["block"] == n]) for n, part in numbers.items()],
        "rows": [_row(found, r, scale) for r in range(len(found.answer))],
        "numbered": len(columns) <= NUMBERED,
        "scale": short(whole),
        "note": _note(found, scale),
        "data": {
            "answer": [visible(answer) for answer in found.answer],
            "words": [column["text"] for column in columns],
            "values": [plain(row) for row in found.values],
            "totals": found.totals.tolist(),
            "sums": sums.tolist(),
            "scale": scale,
            "whole": whole,
        },
    }


def _content(text: Text) -> Content:
    card = matrix_content(text)
    return {
        "question": "Which words of the prompt lead to each word of the answer?",
        "made_by": f"Answer of {isolated(text.model)} to “{isolated(text.name)}”",
        "matrix": card,
        "python": text.python,
        "command": text.command,
        "own_style": own_style(),
        "data": {
            "file": file_stem(text.name),
            "colours": COLOURS,
            "quantity": "contribution to the log-probability",
            "directions": ("against it", "for it"),
            "matrix": card["data"],
        },
    }


def _column(found: Sources, k: int, value: float, scale: float) -> Content:
    """A stretch of the prompt, coloured by what it adds to the whole answer."""
    text = found.texts[k]
    return {
        "text": text if text.strip() else visible(text),
        "special": bool(found.special[k]),
        "space": bool(found.spaces[k]),
        "breaks": "\n" in text and not text.strip(),
        "part": found.parts[k],
        "block": list(dict.fromkeys(found.parts)).index(found.parts[k]),
        "share": share_of(value, scale),
        "kind": kind(value, scale) + " special" * bool(found.special[k]),
        "k": k,
        "title": typeset(f"{signed(value)} to the whole answer"),
    }


def _row(found: Sources, r: int, scale: float) -> Content:
    """A token of the answer and the cells beside it."""
    cells = [(typeset(signed(v)), share_of(v, scale), kind(v, scale)) for v in map(float, found.values[r])]
    return {"text": visible(found.answer[r]), "cells": cells, "total": typeset(signed(float(found.totals[r])))}


def _note(found: Sources, scale: float) -> str:
    """What full colour is in the table, and what it hides."""
    good = np.isfinite(found.values)
    beyond = int((np.abs(found.values[good]) > scale * (1 + 1e-9)).sum())
    said = (
        f"Contributions to the log-probability of each token of the answer; full colour in the table is ±{short(scale)}"
    )
    said += f", and {beyond} of {good.size} cells lie beyond." if beyond else "."
    if not good.all():
        said += f" {int((~good).sum())} of {good.size} cells are not finite, in grey, and left out of sums."
    return typeset(said)
