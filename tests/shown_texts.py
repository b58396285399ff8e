"""Attributions of texts from plain numbers, for tests of what shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

import gradline as gl
from gradline.report import Piece, Text

REVIEW: tuple[tuple[str, int | None, float], ...] = (
    ("[CLS]", None, 0.25),
    ("The", 0, 0.125),
    ("act", 1, 0.5),
    ("ing", 1, 0.25),
    ("is", 2, -0.125),
    ("brilliant", 3, 2.0),
    (",", 4, 0.0625),
    ("the", 5, 0.125),
    ("plot", 6, -0.25),
    ("thin", 7, -1.0),
    (".", 8, 0.0625),
    ("[SEP]", None, -0.5),
)
"""Token, its word, its contribution; they add up to 1.5."""


def pieces() -> tuple[Piece, ...]:
    """Tokens of the review: white space before every word but the first and marks."""
    made, before = [], None
    for place, (text, word, _) in enumerate(REVIEW):
        space = word not in (None, before, 0) and text not in ",."
        made.append(Piece(text, place, word, 0, space=space, special=word is None))
        before = word
    return tuple(made)


def review(**changed: Any) -> Text:
    """A review with two special tokens."""
    made = Text(
        name="The acting is brilliant, the plot thin.",
        model="minilm-sentiment",
        title="positive",
        pieces=pieces(),
        start=("[CLS]", *["[MASK]"] * 10, "[SEP]"),
        baseline="mask tokens, special tokens kept",
        candidates=(("positive", 0.93), ("negative", 0.07)),
        command='gradline explain --text "The acting is brilliant, the plot thin." --target positive',
        python='import gradline as gl\n\na = gl.explain_text("The acting is brilliant, the plot thin.")',
    )
    return replace(made, **changed)


def attribution(contributions: Any = None, **changed: Any) -> gl.Attribution:
    """One example with contributions `(T,)`, spread over four channels, and a path of four nodes."""
    listed = [value for _, _, value in REVIEW] if contributions is None else contributions
    row = torch.as_tensor(listed, dtype=torch.float64)
    total = float(row.nan_to_num().sum())
    t = np.array([0.125, 0.375, 0.625, 0.875])
    one = torch.ones(1, dtype=torch.float64)
    a = gl.Attribution(
        values=(row[:, None] * torch.tensor([1.0, 0.5, -1.0, 0.5]))[None],
        score=(total + 0.5) * one,
        baseline_score=0.5 * one,
        completeness_gap=0 * one,
        error_estimate=0.037 * one,
        evaluations=torch.tensor([4]),
        forward_evaluations=torch.tensor([0]),
        status=(gl.Status.CONVERGED,),
        names=("review",),
        explained=("logit of class 1",),
        curve=(gl.Curve(t, np.full(4, 0.25), 0.5 + total * t, 3 - t),),
        provenance={
            "method_name": "integrated-gradients",
            "method": "Method(name='integrated-gradients')",
            "unit": "score",
            "tol": 0.05,
            "seconds": 1.5,
            "site": "embeddings",
        },
    )
    return replace(a, **changed)


def known(shown: Text | None = None, contributions: Any = None, **changed: Any) -> gl.Attribution:
    """The same, with its text."""
    return attribution(contributions, shown=(review() if shown is None else shown,), **changed)


def plain(text: str, seed: int = 0) -> tuple[Text, np.ndarray]:
    """A text of words between white space, each a token, sentences ending in a full stop, and a value for each."""
    made, sentence = [], 0
    for place, word in enumerate(text.split()):
        made.append(Piece(word, place, place, sentence, space=place > 0))
        sentence += word.endswith((".", "!", "?", "。"))
    values = np.random.default_rng(seed).laplace(size=len(made)) ** 3
    command = f'gradline explain --text "{text[:30]}"'
    return review(name=text[:40], pieces=tuple(made), start=(), command=command), values


def chat() -> Text:
    """A prompt in two roles with template tokens, an answer of three tokens, and what led to each."""
    rows = [
        ("<|system|>", None, 0, "system"),
        ("Be", 0, 0, "system"),
        ("brief", 1, 0, "system"),
        (".", 2, 0, "system"),
        ("<|user|>", None, 1, "user"),
        ("What", 3, 1, "user"),
        ("is", 4, 1, "user"),
        ("the", 5, 1, "user"),
        ("cap", 6, 1, "user"),
        ("ital", 6, 1, "user"),
        ("of", 7, 1, "user"),
        ("France", 8, 1, "user"),
        ("?", 9, 1, "user"),
    ]
    made = tuple(
        Piece(text, k, word, sentence, text not in ".?" and text != "ital" and k > 1, word is None, part)
        for k, (text, word, sentence, part) in enumerate(rows)
    )
    answer = tuple(Piece(text, k, k, 0, k > 0) for k, text in enumerate(("It", "is", "Paris")))
    matrix = np.round(np.random.default_rng(3).laplace(size=(3, len(rows))) * 0.3, 3)
    matrix[2, 11], matrix[2, 8] = 3.25, 1.5
    return review(
        name="What is the capital of France?",
        model="story-llama",
        title="It is Paris",
        pieces=made,
        start=(),
        answer=answer,
        matrix=matrix,
        candidates=(),
    )
