"""What a report of a text shows beside the attribution: plain facts and arrays, no model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gradline.result import Attribution


@dataclass(frozen=True)
class Piece:
    """A token of a text.

    `text`: the characters it covers, or its own spelling where it covers none. `place`: its index on the token axis of
    the attribution. `word`, `sentence`: numbers of what it belongs to, from 0 through all parts; `word` None for a
    special token. `space`: whether white space stands before it. `special`: put there by the tokenizer or the chat
    template. `part`: of a text in several, what this one is called: "question", "system", "user" …
    """

    text: str
    place: int
    word: int | None
    sentence: int
    space: bool = False
    special: bool = False
    part: str = ""


@dataclass(frozen=True, eq=False)
class Text:
    """One text before a model, as it is shown; a `gradline.result.Shown`.

    `name`: what it is called, such as its first words. `model`: its name. `title`: what is explained, a label or an
    answer. `pieces`: the tokens that contribute, in reading order. `start`: for each of them what stands in its place
    where the path starts, () where those are no tokens. `baseline`: the start in words. `candidates`: the most probable
    labels or next tokens. `answer`: of a language model the tokens explained. `matrix (A, T)`: float64, what each piece
    contributes to each of them, None if that was not asked for. `command`, `python`: what repeats it. `paths`: how many
    paths the values are the mean of.
    """

    name: str
    model: str
    title: str
    pieces: tuple[Piece, ...]
    start: tuple[str, ...] = ()
    baseline: str = ""
    candidates: tuple[tuple[str, float], ...] = ()
    answer: tuple[Piece, ...] = ()
    matrix: np.ndarray | None = None
    command: str = ""
    python: str = ""
    paths: int = 1

    def html(self, a: Attribution) -> str:
        """The report as a fragment for notebooks. Raises `MissingExtra`."""
        from gradline.report.text_page import fragment

        return fragment(a, self)

    def write(self, a: Attribution, path: Path) -> Path:
        """The report as .html, or as a figure: .png, .svg, .pdf. Raises `StorageError`, `MissingExtra`."""
        if path.suffix == ".html":
            from gradline.report.text_page import write_text

            return write_text(a, self, path)
        from gradline.plots import text, write_figure

        return write_figure(text(replace(a, shown=(self,))), path)
