"""Which tokens of a prompt speak for which tokens of an answer: a row each token that is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gradline.adapters.text.answers import Answer, asked, case_for
from gradline.adapters.text.model import text_model
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.errors import InputError, TargetError
from gradline.question import Score
from gradline.report.text import Piece, Text
from gradline.result import Attribution


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers with names: `values (R, C)`, float64."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray

    def __repr__(self) -> str:
        wide = max((len(row) for row in self.rows), default=0)
        sizes = [max(len(name), 8) for name in self.columns]
        lines = [" ".join([" " * wide, *(n.rjust(s) for n, s in zip(self.columns, sizes, strict=True))])]
        for name, numbers in zip(self.rows, self.values, strict=True):
            cells = (f"{v:+.3g}".replace("-", "−").rjust(s) for v, s in zip(numbers, sizes, strict=True))
            lines.append(" ".join([name.ljust(wide), *cells]))
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class AnswerMatrix:
    """What each token of a prompt contributes to the log-probability of each token of an answer.

    `values (A, T)`: float64, a row for each of `answer`, a column for each of `prompt`, the pieces. `attributions`:
    what each row was made from, with its gap and its estimated error. `shown`: how it looks.

    Law: the rows add up to the attribution of the whole answer, as log-probabilities do: up to rounding with `steps=`,
    within the errors of both with `tol=`.
    """

    values: np.ndarray
    prompt: tuple[Piece, ...]
    answer: tuple[Piece, ...]
    attributions: tuple[Attribution, ...]
    shown: Text

    def words(self) -> Table:
        """The same by words, sums of their tokens'; special tokens stand alone."""
        rows, columns = _words(self.answer), _words(self.prompt)
        sums = np.array([[self.values[np.ix_(r, c)].sum() for _, c in columns] for _, r in rows])
        return Table(tuple(name for name, _ in rows), tuple(name for name, _ in columns), sums)

    def html(self) -> str:
        """A fragment for notebooks. Raises `MissingExtra`."""
        from gradline.report.text_page import fragment_matrix

        return fragment_matrix(self.shown)

    def save(self, path: str | Path) -> Path:
        """Write .html, the page, or a figure: .png, .svg, .pdf. Raises `StorageError`, `MissingExtra`."""
        path = Path(path)
        if path.suffix == ".html":
            from gradline.report.text_page import write_matrix

            return write_matrix(self.shown, path)
        from gradline.plots import token_matrix, write_figure

        return write_figure(token_matrix(self.shown), path)

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return repr(self.words())


def answer_matrix(
    prompt: Any,
    answer: Answer | str | None = None,
    *,
    model: Any,
    tokenizer: Any = None,
    baseline: object = None,
    method: Method | None = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> AnswerMatrix:
    """Attribute every token of an answer to the tokens of one prompt, a text or messages; they share forwards.

    `answer`: its text, a `gl.text.Answer`, or None for the model's own. An answer `against` another one must differ
    from it in the last token alone. The rest as in `gl.explain_text`.

    Raises `InputError` and its kinds, `MissingExtra`, `ModelError`, `MemoryBudgetError`.
    """
    question = asked(prompt, text_model(model, tokenizer), answer)
    spans = question.laid.tokens
    if len(question.prompts) > 1:
        raise InputError("one prompt for a matrix", f"{len(question.prompts)}", "make one each")
    if not spans:
        remedy = "gl.explain_text explains the difference as a whole"
        raise TargetError("an answer whose tokens are read in one forward", "two that part before their ends", remedy)
    case = case_for(question)
    case = case if baseline is None else case.starting_at(baseline)
    pieces = question.answers[0]
    targets = [replace(span, words=(f"“{piece.text}”",)) for span, piece in zip(spans, pieces, strict=True)]
    found: Any = attribute(
        Score(case.model.model, targets, site=case.site, context=case.context),
        case.inputs,
        method,
        baseline=case.baseline,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        names=case.names,
        seed=seed,
        memory=memory,
        progress=progress,
    )
    text = case.texts[0]
    shown = [(replace(text, title=f"“{piece.text}”", answer=(piece,)),) for piece in pieces]
    attributions = tuple(replace(a, shown=one) for a, one in zip(found, shown, strict=True))
    places = torch.tensor([piece.place for piece in text.pieces])
    values = torch.stack([a.values[0].double().sum(1).cpu()[places] for a in attributions])
    whole = replace(text, matrix=values.numpy())
    return AnswerMatrix(values.numpy(), text.pieces, pieces, attributions, whole)


def _words(pieces: Sequence[Piece]) -> list[tuple[str, list[int]]]:
    """Each word, or special token, and which pieces make it."""
    numbered = list(enumerate(pieces))
    found = []
    for _, run in groupby(numbered, lambda pair: (pair[1].word, pair[0] if pair[1].word is None else 0)):
        mine = list(run)
        text = "".join((" " if piece.space and k else "") + piece.text for k, (_, piece) in enumerate(mine))
        found.append((text.strip() or text, [place for place, _ in mine]))
    return found
