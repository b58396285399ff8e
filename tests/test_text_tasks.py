"""Raw transformers, every head, family by family: Captum's numbers without a wrapper, padding that changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from captum.attr import LayerIntegratedGradients
from captum_cases import distance
from text_cases import FAMILIES, HEADS, tiny, tokenizer_of
from torch import Tensor

import gradline as gl
from gradline.adapters.text import (
    Label,
    Masked,
    Similarity,
    Span,
    TextModel,
    TokenLabel,
    encode,
    explain_text,
    text_case,
    text_model,
)
from gradline.adapters.text.picks import FirstInside
from gradline.plots.tokens import words

REVIEW = "The movie was great in Paris. It was unbelievably slow!"
QUESTION = ("Who wrote the book?", "Anna Berg wrote the book in Rome.")
GAUSS: dict[str, Any] = {"steps": 6, "rule": gl.rules.GaussLegendre}


def asked(family: str, head: str) -> tuple[Any, Any, Any, Any, Callable[[Any], Tensor]]:
    """A model, its tokenizer, a text, a target, and the same target as a function of the output."""
    model, tokenizer = tiny(family, head), tokenizer_of(family)
    match head:
        case "SequenceClassification":
            return model, tokenizer, REVIEW, "positive", lambda out: out.logits[:, 1]
        case "TokenClassification":
            encoded = encode(text_model(model, tokenizer), REVIEW)
            place = next(p.place for p in encoded.pieces[0] if p.word == 5)
            target = TokenLabel("Paris", "B-LOC", gl.LogProbability)
            return model, tokenizer, REVIEW, target, lambda out: out.logits.log_softmax(2)[:, place, 2]
        case "QuestionAnswering":
            encoded = encode(text_model(model, tokenizer), QUESTION)
            own = [p.place for p in encoded.pieces[0] if p.word in (5, 6)]
            first, last = own[0], own[-1]
            return (
                model,
                tokenizer,
                QUESTION,
                "Anna Berg",
                lambda out: out.start_logits[:, first] + out.end_logits[:, last],
            )
        case _:
            text = f"The movie was {tokenizer.mask_token}, and the actors were bad."
            encoded = encode(text_model(model, tokenizer), text)
            place = int((encoded.ids[0] == tokenizer.mask_token_id).nonzero())
            return model, tokenizer, text, Masked(7, gl.Probability), lambda out: out.logits.softmax(2)[:, place, 7]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_and_head_equals_captum_in_a_wrapper(family: str, head: str) -> None:
    model, tokenizer, text, target, function = asked(family, head)
    case = text_case(text, text_model(model, tokenizer), target)
    ids, free = case.inputs["input_ids"], case.free
    start = torch.where(free, torch.full_like(ids, tokenizer.mask_token_id), ids)

    def forward(given: Tensor, *context: Tensor) -> Tensor:
        return function(model(input_ids=given, **dict(zip(case.context, context, strict=True))))

    there = LayerIntegratedGradients(forward, model.get_input_embeddings()).attribute(
        ids, start, additional_forward_args=tuple(case.context.values()), n_steps=6, method="gausslegendre"
    )
    here = explain_text(text, model=model, tokenizer=tokenizer, target=target, **GAUSS)
    assert here.values.shape == there.shape
    assert distance(here.values, there) <= 1e-5
    assert not here.values[~free].any()
    sums = words(here)
    assert sums.values.sum() == pytest.approx(float(here.score - here.baseline_score + here.completeness_gap), abs=1e-6)
    with torch.no_grad():
        assert float(here.score) == pytest.approx(float(function(model(ids, **case.context))), abs=1e-5)


SHORT = "I like music."


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert", "Albert", "XLMRoberta", "MPNet"])
def test_padding_changes_nothing(family: str) -> None:
    """A short text beside a long one, and alone; at padding the map is zero."""
    model = text_model(tiny(family, "SequenceClassification"), tokenizer_of(family))
    both = explain_text([SHORT, REVIEW], model=model, steps=8)
    for k, text in enumerate((SHORT, REVIEW)):
        alone = explain_text(text, model=model, steps=8)
        length = alone.values.shape[1]
        assert distance(both.values[k : k + 1, :length], alone.values) <= 1e-5
        assert not both.values[k, length:].any()
        assert both.shown[k].pieces == alone.shown[0].pieces
    assert both.names == (SHORT, "The movie was great in Paris. It was …")


def test_an_attribution_of_words_is_within_the_reported_gap() -> None:
    """To a tolerance: Σ words = F(x) − F(x') + gap, and the gap within what the estimate allows."""
    a = explain_text(REVIEW, model=tiny("Bert", "SequenceClassification"), tokenizer=tokenizer_of("Bert"), tol=0.02)
    assert a.status == (gl.Status.CONVERGED,)
    total = words(a).values.sum()
    gap = float(a.completeness_gap)
    assert total - float(a.score - a.baseline_score) == pytest.approx(gap, abs=1e-6)
    assert abs(gap) <= float(a.error_estimate) * float(a.values.norm()) * a.values.numel() ** 0.5


# ---------------------------------------------------------------------------------------------------- labels


@pytest.fixture(scope="module")
def reviewer() -> TextModel:
    return text_model(tiny("Bert", "SequenceClassification"), tokenizer_of("Bert"))


def test_a_label_by_name_index_and_by_default(reviewer: TextModel) -> None:
    by = {name: text_case(REVIEW, reviewer, name) for name in ("positive", 1, "LABEL_1", Label("Positive"), None)}
    logits = reviewer.output(by[None].inputs | by[None].context).logits[0].double()
    order = [reviewer.labels[k] for k in logits.argsort(descending=True)]
    assert [case.texts[0].title for case in by.values()] == ["positive"] * 4 + order[:1]
    assert by["positive"].texts[0].candidates == by[None].texts[0].candidates
    names, chances = zip(*by[None].texts[0].candidates, strict=True)
    assert list(names) == order
    assert list(chances) == pytest.approx(logits.softmax(0).sort(descending=True)[0].tolist())


def test_scales_of_a_label(reviewer: TextModel) -> None:
    case = text_case(REVIEW, reviewer, Label("positive", gl.Probability))
    a = explain_text(REVIEW, model=reviewer, target=Label("positive", gl.Probability), steps=2)
    assert float(a.score) == pytest.approx(dict(case.texts[0].candidates)["positive"], abs=1e-6)
    predicted = explain_text(REVIEW, model=reviewer, target=Label(scale=gl.LogProbability), steps=2)
    assert float(predicted.score.exp()) == pytest.approx(case.texts[0].candidates[0][1], abs=1e-6)
    logits = reviewer.output(case.inputs | case.context).logits[0]
    margin = explain_text(REVIEW, model=reviewer, target=Label(1, gl.Margin), steps=2)
    assert float(margin.score) == pytest.approx(float(logits[1] - max(logits[0], logits[2])), abs=1e-6)


def test_labels_that_do_not_exclude_each_other() -> None:
    model = tiny("Bert", "SequenceClassification", problem_type="multi_label_classification")
    case = text_case(REVIEW, text_model(model, tokenizer_of("Bert")), Label(2, gl.Probability))
    assert isinstance(case.target, gl.LabelProbability)
    logits = model(**case.inputs, **case.context).logits[0].detach().double()
    assert dict(case.texts[0].candidates)["neutral"] == pytest.approx(float(logits[2].sigmoid()))


def test_each_text_of_a_batch_has_its_own_prediction(reviewer: TextModel) -> None:
    case = text_case([REVIEW, SHORT], reviewer)
    logits = reviewer.output(case.inputs | case.context).logits
    assert [text.title for text in case.texts] == [reviewer.labels[k] for k in logits.argmax(1)]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("positve", r"the name of a label|name of a class.*positive \(1\)"),
        (7, "class index from 0 to 2, got 7"),
        (TokenLabel("movie"), r"gl.text.Label for BertFor.*got gl.text.TokenLabel"),
        (["positive", "negative"], "one target for all texts, got 2"),
        (True, "bool"),
        (Label("positive", "logit"), "a scale such as gl.Logit"),
        (Label(2.5), "the name of a label, or its index, got 2.5"),
    ],
)
def test_a_label_that_is_not_there(reviewer: TextModel, target: Any, says: str) -> None:
    with pytest.raises(gl.TargetError, match=says):
        text_case(REVIEW, reviewer, target)


# ---------------------------------------------------------------------------------------------------- words


def tagger() -> TextModel:
    return text_model(tiny("Bert", "TokenClassification"), tokenizer_of("Bert"))


def test_a_word_is_labelled_by_default_where_it_has_a_label() -> None:
    """By hand: class 0 is outside; the first word of another class, else the first word."""
    starts, logits = torch.tensor([[1, 3, -1], [1, 2, 4]]), torch.zeros(2, 5, 3)
    logits[..., 0] = 1
    logits[0, 2, 1] = 5  # a token inside the first word: not where words begin
    logits[1, 2, 2] = 5
    frozen = FirstInside(starts, 0).freeze(logits, 2)
    assert frozen.place.tolist() == [1, 2]
    assert frozen.target.index.tolist() == [0, 2]
    assert frozen.pick(logits[[1, 0]], torch.tensor([1, 0])).tolist() == [5, 1]
    assert frozen.describe(1) == "logit of class 2 at token 2"
    assert FirstInside(starts, None).freeze(logits, 2).place.tolist() == [1, 1]


def test_the_label_of_a_word_by_name_and_number() -> None:
    model = tagger()
    named = text_case(REVIEW, model, TokenLabel("Paris", "B-LOC"))
    assert named.texts[0].title == "B-LOC of Paris"
    numbered = text_case(REVIEW, model, TokenLabel(5, 2))
    assert numbered.target.place.tolist() == named.target.place.tolist()
    assert text_case([SHORT, "music"], model, "music").target.place.tolist() == [3, 1]
    with pytest.raises(gl.TargetError, match=r"a word of the text, got 'Pariss'; there are 'Paris'"):
        text_case(REVIEW, model, TokenLabel("Pariss"))
    with pytest.raises(gl.TargetError, match=r"one word 'was', got 2 of them, words 2, 8; say which"):
        text_case(REVIEW, model, "was")
    with pytest.raises(gl.TargetError, match="number of a word, from 0 to 11, got 12"):
        text_case(REVIEW, model, 12)
    with pytest.raises(gl.TargetError, match="the word that may be called so"):
        text_case(REVIEW, model, TokenLabel(label="B-PER"))


# ---------------------------------------------------------------------------------------------------- answers


def test_the_predicted_answer_is_the_best_span_of_the_context() -> None:
    model = text_model(tiny("Bert", "QuestionAnswering"), tokenizer_of("Bert"))
    case = text_case(QUESTION, model)
    out = model.output(case.inputs | case.context)
    inside = [p.place for p in case.texts[0].pieces if p.part == "context" and not p.special]
    best = max((float(out.start_logits[0, s] + out.end_logits[0, e]), s, e) for s in inside for e in inside if s <= e)
    assert (int(case.target.start), int(case.target.end)) == best[1:]
    scores = {
        kind: float(explain_text(QUESTION, model=model, target=Span(scale=kind), steps=1).score)
        for kind in (gl.Logit, gl.LogProbability, gl.Probability)
    }
    assert scores[gl.Logit] == pytest.approx(best[0], abs=1e-5)
    chance = float(out.start_logits.softmax(1)[0, best[1]] * out.end_logits.softmax(1)[0, best[2]])
    assert scores[gl.Probability] == pytest.approx(chance, rel=1e-5)
    assert scores[gl.LogProbability] == pytest.approx(math.log(chance), rel=1e-4)
    assert case.texts[0].candidates[0] == (case.texts[0].title, pytest.approx(chance, rel=1e-5))


def test_an_answer_in_words() -> None:
    model = text_model(tiny("Bert", "QuestionAnswering"), tokenizer_of("Bert"))
    assert text_case(QUESTION, model, "the book in Rome").texts[0].title == "the book in Rome"
    assert text_case(QUESTION, model, Span("anna", "book")).texts[0].title == "Anna Berg wrote the book"
    assert text_case(QUESTION, model, Span(5, 6)).texts[0].title == "Anna Berg"
    with pytest.raises(gl.TargetError, match=r"words of the context, got 'Who'"):
        text_case(QUESTION, model, "Who")
    with pytest.raises(gl.TargetError, match="behind its first, got words 7 and 5"):
        text_case(QUESTION, model, Span(7, 5))
    with pytest.raises(gl.TargetError, match="as the scale of an answer, got Margin"):
        text_case(QUESTION, model, Span(scale=gl.Margin))
    with pytest.raises(gl.InputError, match=r"a question and the text.*\(question, context\)"):
        text_case(REVIEW, model)


# ---------------------------------------------------------------------------------------------------- hidden words


def test_a_hidden_word_or_one_that_is_hidden() -> None:
    """The two ways to ask about one word put the same question."""
    model = text_model(tiny("Bert", "MaskedLM"), tokenizer_of("Bert"))
    written = text_case("The movie was [MASK] and slow.", model, "great")
    hidden = text_case("The movie was great and slow.", model, Masked("great"))
    assert torch.equal(written.inputs["input_ids"], hidden.inputs["input_ids"])
    assert written.texts[0].title == hidden.texts[0].title == "great"
    a, b = (
        explain_text(t, model=model, target=Masked("great"), steps=2)
        for t in ("The movie was [MASK] and slow.", "The movie was great and slow.")
    )
    assert torch.equal(a.values, b.values)
    assert [p.text for p in a.shown[0].pieces if p.special] == ["[CLS]", "[MASK]", "[SEP]"]
    assert not a.values[0, 4].any()
    guessed = text_case("The movie was [MASK].", model)
    assert guessed.texts[0].title == guessed.texts[0].candidates[0][0]


def test_byte_level_words_begin_with_their_space() -> None:
    tokenizer = tokenizer_of("Roberta")
    model = text_model(tiny("Roberta", "MaskedLM"), tokenizer)
    case = text_case("The movie was<mask>.", model, "was")
    assert tokenizer.convert_ids_to_tokens([int(case.target.target.index)]) == ["Ġwas"]


def test_refusals_of_hidden_words() -> None:
    model = text_model(tiny("Bert", "MaskedLM"), tokenizer_of("Bert"))
    with pytest.raises(gl.TargetError, match="one mask token in a text, got 2"):
        text_case("[MASK] was [MASK]", model)
    with pytest.raises(gl.TargetError, match=r"a text with a mask token, got one without; write \[MASK\]"):
        text_case(REVIEW, model)
    with pytest.raises(gl.TargetError, match="a word of one token, got 'boringly' of"):
        text_case("It was boringly slow.", model, "boringly")
    with pytest.raises(gl.TargetError, match="has a token for, got 'boringly', which is 'bor'"):
        text_case("It was [MASK].", model, "boringly")


# ---------------------------------------------------------------------------------------------------- likeness


def test_similarity_to_another_sentence() -> None:
    """The cosine of means over the mask; padding and the other text's length do not matter."""
    encoder, tokenizer = tiny("Bert", None), tokenizer_of("Bert")
    a = explain_text([SHORT, REVIEW], model=encoder, tokenizer=tokenizer, target="I like coffee.", **GAUSS)
    means = []
    for text in (SHORT, REVIEW, "I like coffee."):
        states = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state.detach()
        means.append(states.mean(1))
    for k in range(2):
        assert float(a.score[k]) == pytest.approx(float(torch.cosine_similarity(means[k], means[2])), abs=1e-5)
    pair = explain_text((SHORT, "I like coffee."), model=encoder, tokenizer=tokenizer, **GAUSS)
    assert distance(pair.values, a.values[:1, : pair.values.shape[1]]) <= 1e-5
    case = text_case(SHORT, text_model(encoder, tokenizer), Similarity("I like coffee."))
    start = torch.where(case.free, torch.full_like(case.inputs["input_ids"], 4), case.inputs["input_ids"])

    def cosine(ids: Tensor) -> Tensor:
        return torch.cosine_similarity(encoder(ids).last_hidden_state.mean(1), means[2])

    there = LayerIntegratedGradients(cosine, encoder.get_input_embeddings()).attribute(
        case.inputs["input_ids"], start, n_steps=6, method="gausslegendre"
    )
    assert distance(pair.values, there) <= 1e-5
    with pytest.raises(gl.TargetError, match="another text to compare with, got none"):
        text_case(SHORT, text_model(encoder, tokenizer))
