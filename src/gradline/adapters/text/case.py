"""Texts in front of a model: what a question about them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.text.baselines import Start, resolved, start_texts
from gradline.adapters.text.encoding import Encoded, encode, free_places, name_of
from gradline.adapters.text.model import TextModel, text_model
from gradline.adapters.text.targets import as_text_target
from gradline.core.baselines import Baseline
from gradline.question import Score
from gradline.question.sites import Layer
from gradline.question.targets import Target
from gradline.report.text import Text


@dataclass(frozen=True, eq=False)
class TextCase:
    """Texts in front of a model: everything a question about them needs.

    `inputs`: `input_ids (N, T)`, what the path of a text is driven from; `context`: the mask and whatever else goes to
    the model, held. `site`: behind the embedding. `target`: what is explained, settled at x. `baseline`: where the path
    starts, for these texts. `texts`: how each of them is shown.
    """

    model: TextModel
    inputs: dict[str, Tensor]
    context: dict[str, Any]
    site: Layer
    target: Target
    baseline: Baseline
    texts: tuple[Text, ...]

    @property
    def score(self) -> Score:
        """The question, for `gl.attribute(case.score, case.inputs, baseline=case.baseline)`."""
        return Score(self.model.model, self.target, site=self.site, context=self.context)

    @property
    def free(self) -> Tensor:
        """Where a baseline replaces a token `(N, T)`: not at special tokens, padding, and an answer."""
        return free_places([text.pieces for text in self.texts], self.inputs["input_ids"])

    @property
    def names(self) -> tuple[str, ...]:
        """The texts' names, made different by a number."""
        found = [text.name for text in self.texts]
        return tuple(n if found.count(n) == 1 else f"{k + 1}: {n}" for k, n in enumerate(found))

    def starting_at(self, wanted: object) -> TextCase:
        """The same from another baseline; None for the usual one. Raises `BaselineError`."""
        start = resolved(wanted, self.model, self.inputs["input_ids"], self.free)
        return replace(self, baseline=start.baseline, texts=_started(self.texts, start, self.model))


def text_case(text: object, model: Any, target: object = None) -> TextCase:
    """A text, two in a tuple, or a list of either, for a model as in `text_model`.

    `target`: a part of `gl.text` or `gl.targets`; the name of a label; a word or an answer, as the model's task has it.
    Raises `InputError` and its kinds, `MissingExtra`, `ModelError`.
    """
    chosen = text_model(model)
    wanted = as_text_target(target, chosen)
    encoded, asked = wanted.ask(chosen, encode(chosen, text))
    output = chosen.output(encoded.arguments)
    frozen = asked.freeze(output, len(encoded)) if asked.layer is None else asked
    texts = tuple(
        Text(
            name=name_of(encoded.texts[k]),
            model=chosen.name,
            title=wanted.title(chosen, encoded, frozen, k),
            pieces=encoded.pieces[k],
            candidates=wanted.candidates(chosen, encoded, output, frozen, k),
        )
        for k in range(len(encoded))
    )
    return case_of(chosen, encoded, frozen, texts)


def case_of(
    model: TextModel, encoded: Encoded, target: Target, texts: Sequence[Text], *, site: Layer | None = None
) -> TextCase:
    """A case from its parts, from the usual baseline."""
    start = resolved(None, model, encoded.ids, encoded.free)
    return TextCase(
        model,
        encoded.inputs,
        encoded.context,
        model.site if site is None else site,
        target,
        start.baseline,
        _started(texts, start, model),
    )


def _started(texts: Sequence[Text], start: Start, model: TextModel) -> tuple[Text, ...]:
    ids = None if start.ids is None else start.ids.to(torch.device("cpu"))
    return tuple(
        replace(
            text,
            start=start_texts(model, ids, [piece.place for piece in text.pieces], row),
            baseline=start.words,
            paths=start.baseline.draws,
        )
        for row, text in enumerate(texts)
    )
