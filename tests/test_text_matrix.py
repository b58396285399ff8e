"""The matrix of a prompt and an answer: its law, its cost, its words, its page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from tiny_language_models import causal, encoder_decoder, tokenizer

import gradline as gl
from gradline.adapters.text.answers import Answer, answer_case
from gradline.adapters.text.matrix import AnswerMatrix, answer_matrix
from gradline.adapters.text.model import TextModel, text_model

PROMPT, SAID = "The capital of France is", "Paris and more"


@lru_cache
def llama() -> TextModel:
    return text_model(causal("Llama", torch.float64), tokenizer(chat=True))


@lru_cache
def matrix() -> AnswerMatrix:
    return answer_matrix(PROMPT, SAID, model=llama(), steps=24)


def test_rows_add_up_to_the_attribution_of_the_whole_answer() -> None:
    case = answer_case(PROMPT, llama(), SAID)
    whole: Any = gl.attribute(case.score, case.inputs, baseline=case.baseline, steps=24)
    tokens = whole.values[0].sum(1).numpy()[[piece.place for piece in case.texts[0].pieces]]
    m = matrix()
    assert m.values.shape == (len(m.answer), len(m.prompt))
    assert m.values.dtype == np.float64
    np.testing.assert_allclose(m.values.sum(0), tokens, rtol=1e-5, atol=1e-6)  # its norm computes in float32
    assert float(sum(a.score[0] for a in m.attributions)) == pytest.approx(float(whole.score[0]), abs=1e-6)


def test_a_row_is_the_attribution_of_its_token_alone() -> None:
    """The log-probability of each token behind the tokens before it."""
    m = matrix()
    one = answer_matrix(PROMPT, "Paris", model=llama(), steps=24)
    np.testing.assert_allclose(one.values[0], m.values[0], rtol=1e-5, atol=1e-6)
    assert m.attributions[1].explained == (f"log-probability of “{m.answer[1].text}”",)


def test_within_a_tolerance_rows_say_how_accurate_they_are() -> None:
    m = answer_matrix(PROMPT, "q", model=llama(), tol=0.1)
    for a, row in zip(m.attributions, m.values, strict=True):
        assert a.status[0] is gl.Status.CONVERGED
        assert float(a.error_estimate[0]) <= 0.1  # type: ignore[index]
        assert row.sum() == pytest.approx(float(a.values.sum()), rel=1e-9)  # type: ignore[union-attr]


def test_the_tokens_of_an_answer_share_forwards() -> None:
    """As many rows of the model as for one token; those that begin and write the answer aside."""
    model, rows = llama().model, []
    handle = model.register_forward_hook(lambda m, args, out: rows.append(len(out.logits)))
    several = []
    for said in (SAID, "q"):
        rows.clear()
        answer_matrix(PROMPT, said, model=llama(), steps=24)
        several.append(sum(rows))
    handle.remove()
    assert several[0] == several[1]


def test_words_are_sums_of_tokens_and_special_tokens_stand_alone() -> None:
    m = matrix()
    words = m.words()
    assert words.columns == ("<s>", *PROMPT.split())
    assert words.rows == tuple(SAID.split())
    assert words.values.sum() == pytest.approx(m.values.sum(), abs=1e-10)
    first = [k for k, piece in enumerate(m.prompt) if piece.word == 0]
    rows = [k for k, piece in enumerate(m.answer) if piece.word == 0]
    assert words.values[0, 1] == pytest.approx(m.values[np.ix_(rows, first)].sum(), abs=1e-12)
    assert not words.values[:, 0].any()
    lines = repr(m).splitlines()
    assert lines[0].split() == list(words.columns)
    assert [line.split()[0] for line in lines[1:]] == list(words.rows)


def test_conversations_and_encoders_have_matrices_too() -> None:
    chat = [{"role": "user", "content": "What is the capital of Spain?"}]
    m = answer_matrix(chat, "Madrid", model=llama(), steps=4)
    assert {piece.part for piece in m.prompt} == {"user", ""}
    t5 = text_model(encoder_decoder("T5"), tokenizer(start=False, end=True))
    one = answer_matrix(PROMPT, SAID, model=t5, steps=4)
    assert one.words().columns == (*PROMPT.split(), "</s>")
    assert np.isfinite(one.values).all()


def test_contrasts_have_a_matrix_where_they_share_a_forward() -> None:
    m = answer_matrix(PROMPT, Answer("qX", against="qY"), model=llama(), steps=8)
    assert not m.values[:-1].any()
    assert m.values[-1].any()
    with pytest.raises(gl.TargetError, match=r"read in one forward.*explain_text"):
        answer_matrix(PROMPT, Answer("Paris", against="Lyon and more"), model=llama())
    with pytest.raises(gl.InputError, match="one prompt for a matrix"):
        answer_matrix([PROMPT, PROMPT], SAID, model=llama())


def test_it_shows_itself_and_is_saved_as_a_page_and_a_figure(tmp_path: Any) -> None:
    m = matrix()
    page = m.save(tmp_path / "matrix.html").read_text("utf-8")
    assert "capital" in page
    assert "capital" in m._repr_html_()
    assert m.save(tmp_path / "matrix.svg").stat().st_size > 1000
    with pytest.raises(gl.StorageError):
        m.save(tmp_path / "matrix.docx")
