"""Numbers and figures of texts: sums over sub-words, words and sentences, colours, and letters of every script."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from plot_cases import texts
from shown_texts import REVIEW, attribution, chat, known, pieces, plain, review

import gradline as gl
from gradline.plots.drawing.boxes import LETTERS, running
from gradline.plots.drawing.glyphs import drawable, letters_of, runs_leftward
from gradline.plots.tokens import Level, is_dark, reach, tint, visible

TOTAL = sum(value for _, _, value in REVIEW)


def test_sub_words_add_up_to_words_and_special_tokens_stay_apart() -> None:
    """“act” 0.5 and “ing” 0.25 are “acting” 0.75; the sizes of all eleven spans add up to 5.25."""
    a = known()
    by_token, by_word = gl.plots.tokens(a), gl.plots.words(a)
    assert by_token.texts == tuple(text for text, _, _ in REVIEW)
    assert by_token.values.tolist() == [value for _, _, value in REVIEW]
    assert by_word.texts == ("[CLS]", "The", "acting", "is", "brilliant", ",", "the", "plot", "thin", ".", "[SEP]")
    assert by_word.values[2] == 0.75
    assert by_word.special.tolist() == [True, *[False] * 9, True]
    assert by_word.spaces.tolist() == [False, False, True, True, True, False, True, True, True, False, False]
    assert (by_word.starts[2], by_word.starts[0]) == ("[MASK][MASK]", "[CLS]")
    assert (by_word.total, by_word.special_total, by_word.elsewhere, by_word.bad) == (TOTAL, -0.25, 0, 0)
    assert by_word.shares[4] == pytest.approx(2 / 5.25)
    by_sentence = gl.plots.sentences(a)
    assert by_sentence.texts == ("[CLS]", "The acting is brilliant, the plot thin.", "[SEP]")
    assert by_sentence.values.tolist() == [0.25, 1.75, -0.5]


@pytest.mark.parametrize("level", Level)
def test_every_sum_is_that_of_the_map(level: Level) -> None:
    """Also of float32 values of all sizes, and with padding that carries something."""
    shown, values = plain("one two. three four five. six. " * 20)
    values = np.append(values, [0.125, 0.5])
    a = replace(known(shown, values), values=torch.randn(1, len(values), 3, generator=torch.Generator().manual_seed(0)))
    found = gl.plots.spans(a, 0, level)
    whole = math.fsum(a.values.double().flatten().tolist())
    assert found.total == pytest.approx(whole, abs=1e-13)
    assert math.fsum([*found.values, found.elsewhere]) == pytest.approx(whole, abs=1e-13)
    assert found.elsewhere == pytest.approx(float(a.values[0, -2:].double().sum()), abs=1e-13)
    assert len(found) == {"tokens": 120, "words": 120, "sentences": 60}[level]


def test_two_parts_of_a_text_and_values_without_channels() -> None:
    c = chat()
    found = gl.plots.words(replace(known(c), values=torch.arange(13.0)[None]))
    assert found.parts == ("system",) * 4 + ("user",) * 8
    assert found.texts[9] == "of"
    assert found.values[8] == 8 + 9
    assert gl.plots.tokens(known(c, torch.zeros(13))).shares.tolist() == [0] * 13


def test_what_is_not_finite_is_shown_and_left_out_of_sums() -> None:
    row = [value for _, _, value in REVIEW]
    row[3] = math.nan
    found = gl.plots.words(known(contributions=row))
    assert math.isnan(found.values[2])
    assert found.bad == 1
    assert found.total == TOTAL - 0.75
    figure = gl.plots.text(known(contributions=row))
    assert "1 of 11 are not finite, in grey, and left out of sums" in texts(figure)
    row[2], row[3] = math.inf, -math.inf
    assert gl.plots.words(known(contributions=row)).bad == 1


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(gl.InputError, match=r"knows its text.*tensors.*explain_text"):
        gl.plots.text(attribution())
    with pytest.raises(gl.InputError, match="from 0 to 0"):
        gl.plots.words(known(), 1)
    with pytest.raises(gl.InputError, match="'tokens', 'words', 'sentences'"):
        gl.plots.text(known(), by="letters")  # type: ignore[arg-type]
    twice = review(pieces=(*pieces(), pieces()[0]))
    with pytest.raises(gl.InputError, match="different places"):
        gl.plots.tokens(known(twice))
    with pytest.raises(gl.InputError, match="0 to 3"):
        gl.plots.tokens(known(contributions=[1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(gl.InputError, match="without one"):
        gl.plots.token_matrix(review())
    with pytest.raises(gl.InputError, match=r"\(3, 13\)"):
        gl.plots.sources(replace(chat(), matrix=np.zeros((2, 13))))


def test_names_of_numbers_stay_after_a_figure_was_drawn() -> None:
    """The modules `plots.words` and `plots.tokens` do not take the places of the functions."""
    gl.plots.text(known())
    assert callable(gl.plots.words)
    assert callable(gl.plots.tokens)


def test_letters_can_be_read_on_every_colour() -> None:
    """Contrast by WCAG 2, of black or white letters on anything between white and both ends of the scale."""

    def light(colour: tuple[float, ...]) -> float:
        parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for value, paper in itertools.product((*np.linspace(-1.2, 1.2, 241), math.nan), ((255, 255, 255), (24, 24, 24))):
        colour = tint(float(value), 1.0, paper)
        behind = light(colour)
        contrast = 1.05 / (behind + 0.05) if is_dark(colour) else (behind + 0.05) / 0.05
        assert contrast >= 4.5, value
    assert tint(1, 1) == (178, 24, 43)
    assert tint(-5, 1) == (33, 102, 172)
    assert tint(0, 0) == (255, 255, 255)


def test_full_colour_is_the_largest_of_few_and_a_quantile_of_many() -> None:
    assert reach(np.array([1.0, -3.0, math.nan])) == 3
    assert reach(np.arange(1000.0)) == 990
    assert reach(np.array([])) == 0
    assert reach(np.append(np.zeros(500), 7.0)) == 7


def test_the_figure_says_everything() -> None:
    said = texts(gl.plots.text(known()))
    for words in (
        "Which words made minilm-sentiment say “positive”?",
        "converged: estimated map error 3.7 %",
        "acting",
        "[SEP]",
        "−0.500",
        "−2.00 lowers the score",
        "+2.00 raises it",
        "everything adds up to +1.50, special tokens alone to −0.250; F(x) − F(x′) is +1.50",
        "mask tokens, special tokens kept",
        "positive 93 %, negative 7.0 %",
        "gradline explain --text",
    ):
        assert words in said, words
    many = tuple(gl.Finding("GL999", f"number {k}", "detail", "remedy") for k in range(6))
    assert "and 2 more findings" in texts(gl.plots.text(known(findings=many, status=(gl.Status.BUDGET_EXHAUSTED,))))


def test_boxes_stay_on_the_sheet_and_in_order() -> None:
    shown, values = plain("word " * 30 + "x" * 300 + " end. " + "another " * 10)
    found = gl.plots.words(known(shown, values))
    boxes = running(found, range(len(found)), 1.0, (0.1, 0.2), 3.0)
    assert all(box.left >= 0.1 - 1e-9 and box.left + box.width <= 3.1 + 1e-9 for box in boxes)
    assert "".join(box.text for box in boxes) == "".join(found.texts)
    for one, other in itertools.pairwise(boxes):
        assert other.top > one.top or other.left >= one.left + one.width
    assert {box.size for box in boxes} == {LETTERS}


def test_texts_that_run_leftward_are_laid_out_from_the_right() -> None:
    shown, values = plain("הסרט היה מרתק אבל הסוף משעמם " * 3)
    found = gl.plots.words(known(shown, values))
    boxes = running(found, range(len(found)), 1.0, (0.0, 0.0), 3.0)
    assert boxes[0].left + boxes[0].width == pytest.approx(3.0)
    assert boxes[1].left + boxes[1].width <= boxes[0].left
    assert runs_leftward("1. שלום hello")
    assert not runs_leftward("hello שלום")
    gl.plots.text(known(shown, values), width=3.3)


def test_letters_without_a_font_become_squares_and_it_is_said(tmp_path: Path) -> None:
    """A missing glyph would warn, and a warning is an error here. Old Persian is in no font of ours."""
    shown, values = plain("film 𐎠𐎡𐎢 \u200fok\u200d \x1b[31m 很好 🎬.")
    figure = gl.plots.text(known(shown, values))
    figure.savefig(tmp_path / "text.png", dpi=30)
    assert "□□□" in texts(figure)
    assert "letters that no font here can draw" in texts(figure)
    with letters_of(["很"]):
        assert drawable("ab\ncd\x1be") == "ab cde"
    assert mpl.rcParams["font.family"] == ["sans-serif"]
    assert [visible(text) for text in (" a\n b ", "\n", " ")] == ["a b", "⏎", "␣"]


def test_the_matrix_by_words_of_the_prompt() -> None:
    """“cap” and “ital” are one column; sums of rows are those of the matrix."""
    shown = chat()
    found = gl.plots.sources(shown)
    assert shown.matrix is not None
    assert found.texts[8] == "capital"
    assert found.values[2, 8] == pytest.approx(shown.matrix[2, 8] + shown.matrix[2, 9])
    assert found.totals == pytest.approx(shown.matrix.sum(1))
    figure = gl.plots.token_matrix(shown)
    image = np.asarray(figure.axes[0].images[0].get_array())
    assert image.shape == (3, 12, 3)
    assert image[2, 10].tolist() == [178, 24, 43]
    said = texts(figure)
    for words in ("Paris", "capital", "+3.25 for it", "sum", "<|user|>"):
        assert words in said


def test_a_wide_matrix_goes_on_below() -> None:
    shown, _ = plain("some words of a long prompt that needs more than one band of columns " * 6)
    matrix = np.ones((3, len(shown.pieces)))
    matrix[0, 0] = math.nan
    figure = gl.plots.token_matrix(replace(shown, answer=chat().answer, matrix=matrix), width=3.3)
    bands = [np.asarray(axes.images[0].get_array()).shape[1] for axes in figure.axes if axes.images][:-1]
    assert len(bands) > 1
    assert sum(bands) == len(shown.pieces)
    assert "1 of 252 are not finite" in texts(figure)
