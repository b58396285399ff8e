"""Answers of language models: many families against Captum, padding, contrasts, chats, precision, findings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import LayerIntegratedGradients
from captum_cases import distance
from tiny_language_models import CAUSAL, DECODERS, causal, encoder_decoder, tokenizer

import gradline as gl
from gradline.adapters.text.answers import Answer, answer_case, asked
from gradline.adapters.text.baselines import MeanEmbedding
from gradline.adapters.text.model import Task, TextModel, text_model
from gradline.adapters.text.noticed import noticed
from gradline.adapters.text.writing import spaced

PROMPTS = ["The capital of France is", "Tim was sad. What is"]
PARIS, MADRID = "Paris and more", "Madrid"
WHOLE = torch.float64


def wrapped(family: str, dtype: torch.dtype = WHOLE, **changes: Any) -> TextModel:
    if family in DECODERS:
        return text_model(encoder_decoder(family, dtype), tokenizer(start=False, end=True), task=Task.SEQ2SEQ)
    return text_model(causal(family, dtype, **changes), tokenizer())


def explained(case: Any, **options: Any) -> gl.Attribution:
    found: Any = gl.attribute(case.score, case.inputs, **({"baseline": case.baseline, "steps": 4} | options))
    return found


# ---------------------------------------------------------------------------------------------------- families


def span_of_ids(model: Any, ids: torch.Tensor, prompt: int, row: int) -> Any:
    """What Captum is to explain: one prompt alone, no padding, no mask; log p of what stands behind it, by hand."""

    def score(whole: torch.Tensor) -> torch.Tensor:
        logits = model(input_ids=whole).logits.log_softmax(2)
        return sum(logits[:, k - 1, int(ids[k])] for k in range(prompt, len(ids)))

    return score


@pytest.mark.parametrize("family", CAUSAL)
def test_causal_models_in_a_padded_batch_equal_captums_of_each_prompt_alone(family: str) -> None:
    """Left padding, positions, a shorter answer filled up: nothing of it shows."""
    model = wrapped(family)
    case = answer_case(PROMPTS, model, Answer([PARIS, "Madrid"]))
    a = explained(case, rule=gl.rules.GaussLegendre)
    mask = case.context["attention_mask"].bool()
    for row in range(2):
        own = case.inputs["input_ids"][row][mask[row]]
        prompt = len(case.texts[row].pieces)
        start = own.clone()
        start[1:prompt] = 0
        score = span_of_ids(model.model, own, prompt, row)
        there: Any = LayerIntegratedGradients(score, model.embedding).attribute(own[None], start[None], n_steps=4)
        assert distance(a.values[row : row + 1, mask[row]], there) <= 1e-5
        assert not a.values[row, ~mask[row]].any()
        assert float(a.score[row]) == pytest.approx(float(score(own[None]).detach()), abs=1e-8)


@pytest.mark.parametrize("family", DECODERS)
def test_encoders_and_decoders_equal_captums_at_the_encoder(family: str) -> None:
    """The decoder reads the answer, shifted and held; where both embed with one module it is the encoder's call."""
    model = wrapped(family)
    case = answer_case(PROMPTS[:1], model, PARIS)
    ids, after = case.inputs["input_ids"], case.context["decoder_input_ids"]
    answer = model.tokenizer(PARIS)["input_ids"][:-1]
    assert after[0, 1:].tolist() == answer[:-1]
    assert int(after[0, 0]) == model.model.config.decoder_start_token_id
    encoder = model.model.get_encoder()

    def score(embedded: torch.Tensor) -> torch.Tensor:
        logits = model.model(inputs_embeds=embedded, decoder_input_ids=after.expand(len(embedded), -1)).logits
        return sum(logits[:, k].log_softmax(1)[:, token] for k, token in enumerate(answer))

    start = ids.clone()
    start[:, :-1] = 9
    a = explained(case, baseline={"input_ids": start}, rule=gl.rules.GaussLegendre)
    embed = encoder.get_input_embeddings()
    captum = gl_reference(score, embed(ids).detach(), embed(start).detach())
    assert distance(a.values, captum) <= 1e-5
    assert not a.values[0, -1].any()


def gl_reference(score: Any, x: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Captum from the embeddings, handed in where the ids would go."""
    from captum.attr import IntegratedGradients

    found: torch.Tensor = IntegratedGradients(score).attribute(x, start, n_steps=4)
    return found


def test_a_shared_embedding_is_explained_at_the_encoder() -> None:
    """One module for both; BART scales it: the first call is the encoder's, and is checked to be."""
    model = wrapped("T5")
    other = encoder_decoder("T5", WHOLE)
    other.encoder.embed_tokens = other.decoder.embed_tokens = other.shared
    one, two = (explained(answer_case(PROMPTS, m, PARIS)) for m in (model, text_model(other, model.tokenizer)))
    torch.testing.assert_close(one.values, two.values)
    broken = encoder_decoder("T5", WHOLE)
    broken.encoder.embed_tokens = broken.decoder.embed_tokens = broken.shared
    forward = type(broken).forward
    broken.forward = lambda *a, **k: (broken.shared(torch.tensor([[1]])), forward(broken, *a, **k))[1]
    with pytest.raises(gl.SiteError, match=r"inside its encoder, in the first call, got a call elsewhere"):
        answer_case(PROMPTS, text_model(broken, model.tokenizer), PARIS)


# ---------------------------------------------------------------------------------------------------- padding, cost


@pytest.mark.parametrize("padding", ["left", "right"])
def test_llama_does_not_mind_padding_on_either_side(padding: str) -> None:
    """A raw Llama with its mask, padded on either side, against the same prompt alone."""
    model = causal("Llama", WHOLE)
    ids = torch.tensor([[1, 40, 50, 60, 70, 80]])
    places = torch.tensor([3, 4])
    alone = gl.explain(
        model,
        {"input_ids": ids},
        gl.targets.TokenSpan(ids[0, 4:], places),
        site=gl.Layer("model.embed_tokens"),
        baseline={"input_ids": torch.zeros_like(ids)},
        steps=9,
    )
    by = 3 if padding == "left" else 0
    whole, mask = (torch.zeros(1, 9, dtype=torch.int64) for _ in range(2))
    whole[:, by : by + 6], mask[:, by : by + 6] = ids, 1
    padded = gl.explain(
        model,
        {"input_ids": whole},
        gl.targets.TokenSpan(ids[0, 4:], places + by),
        site=gl.Layer("model.embed_tokens"),
        baseline={"input_ids": torch.zeros_like(whole)},
        steps=9,
        context={"attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)},
    )
    torch.testing.assert_close(padded.values[:, by : by + 6], alone.values)
    assert int((padded.values.abs().sum(2) > 0).sum()) <= 6


def test_a_long_answer_costs_what_a_short_one_costs() -> None:
    model = wrapped("Llama", torch.float32)
    rows: list[int] = []
    handle = model.model.register_forward_hook(lambda m, a, out: rows.append(len(out.logits)))
    spent = []
    for said in ("Lily had a big red ball. Tim lost the ball and was sad. Once upon a time", "Paris"):
        case = answer_case(PROMPTS[0], model, said)
        rows.clear()
        a = explained(case, steps=16)
        spent.append(sum(rows))
        assert int(a.evaluations[0]) == 16
    handle.remove()
    assert len(model.tokenizer(PROMPTS[0])["input_ids"]) == len(case.texts[0].pieces)
    assert spent[0] == spent[1]


def test_memory_is_asked_for_the_answers_logits_alone() -> None:
    """Where the model can keep the last logits, the vocabulary is written out for the answer, not for the prompt."""
    case = answer_case(PROMPTS[0], wrapped("Llama"), "Paris")
    assert case.context["logits_to_keep"] == len(case.texts[0].answer) + 1


# ---------------------------------------------------------------------------------------------------- contrasts


@pytest.mark.parametrize("family", ["GPT-2", "Llama", "T5", "BART"])
def test_a_contrast_is_the_difference_of_both_answers_attributions(family: str) -> None:
    """By linearity, at equal nodes; answers of different lengths, each behind its own beginning."""
    model = wrapped(family)
    both = explained(answer_case(PROMPTS, model, Answer(PARIS, against=MADRID)))
    one, two = (explained(answer_case(PROMPTS, model, said)) for said in (PARIS, MADRID))
    width = both.values.shape[1]
    torch.testing.assert_close(both.values, one.values[:, :width] - two.values[:, :width], rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(both.score, one.score - two.score)
    assert {f.code for f in both.findings} <= {"GL205"}
    assert both.explained[0] == "log-probability of “Paris and more” less log-probability of “Madrid”"
    assert both.evaluations.tolist() == one.evaluations.tolist()


def test_answers_that_differ_in_their_last_token_share_a_forward() -> None:
    model = wrapped("Llama")
    case = answer_case(PROMPTS[0], model, Answer("qX", against="qY"))
    assert case.model.model is model.model
    a = explained(case)
    one, two = (explained(answer_case(PROMPTS[0], model, said)) for said in ("qX", "qY"))
    assert distance(a.values, one.values - two.values) <= 1e-6
    assert case.texts[0].title == "“qX” rather than “qY”"


# ---------------------------------------------------------------------------------------------------- the answer


def test_the_models_own_answer_is_what_generate_gives_without_sampling() -> None:
    model = wrapped("Qwen2", torch.float32)
    before = repr(model.model.generation_config)
    question = asked(PROMPTS[0], model)
    ids = torch.tensor([question.prompts[0].ids])
    theirs = model.model.generate(ids, do_sample=False, max_new_tokens=20, attention_mask=torch.ones_like(ids))
    assert question.laid.target.ids[0].tolist() == theirs[0, ids.shape[1] :].tolist()  # type: ignore[attr-defined]
    assert repr(model.model.generation_config) == before
    assert question.candidates[0][0][0] == model.tokenizer.decode(theirs[0, ids.shape[1]])
    t5 = wrapped("mT5", torch.float32)
    own = asked(PROMPTS[0], t5)
    ids = torch.tensor([own.prompts[0].ids])
    theirs = t5.model.generate(ids, do_sample=False, num_beams=1, max_new_tokens=20)
    assert own.laid.target.ids[0].tolist() == [int(i) for i in theirs[0, 1:]]  # type: ignore[attr-defined]


def test_it_ends_with_the_sequence() -> None:
    """The end is no part of the answer, unless it is all of it."""
    model = wrapped("GPT-2", torch.float32)
    own = asked(PROMPTS[0], model).laid.target.ids[0].tolist()  # type: ignore[attr-defined]
    fresh = next(k for k in range(1, len(own)) if own[k] not in own[:k])
    model.model.generation_config.eos_token_id = own[fresh]
    assert asked(PROMPTS[0], model).laid.target.ids[0].tolist() == own[:fresh]  # type: ignore[attr-defined]
    model.model.generation_config.eos_token_id = [own[0]]
    assert asked(PROMPTS[0], model).laid.target.ids[0].tolist() == own[:1]  # type: ignore[attr-defined]


def test_prompt_and_answer_are_spaced_as_people_write() -> None:
    assert spaced("The capital is", "Paris") == "The capital is Paris"
    assert spaced("Answer:\n", "Paris") == "Answer:\nParis"
    assert spaced("The capital is", " Paris") == "The capital is Paris"
    assert spaced("首都是", "巴黎") == "首都是巴黎"
    model = wrapped("Llama", torch.float32)
    case = answer_case(PROMPTS[0], model, "Paris")
    assert model.tokenizer.decode(case.inputs["input_ids"][0, 1:]) == "The capital of France is Paris"


def test_the_start_keeps_the_answer_and_special_tokens() -> None:
    model = wrapped("Llama")
    case = answer_case(PROMPTS, model, Answer([PARIS, MADRID]))
    free = case.free
    for row, text in enumerate(case.texts):
        assert int(free[row].sum()) == sum(not piece.special for piece in text.pieces)
        assert [piece.special for piece in text.pieces][:2] == [True, False]
    a = explained(case)
    assert not a.values[~free].any()
    mean = explained(case.starting_at(MeanEmbedding()))
    assert not mean.values[~free].any()
    assert mean.values[free].any(1).all()


# ---------------------------------------------------------------------------------------------------- chats

MESSAGES = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "What is the capital of Spain?"},
]


def chat(dtype: torch.dtype = WHOLE) -> TextModel:
    return text_model(causal("Llama", dtype), tokenizer(chat=True))


def test_a_conversation_goes_through_the_template_and_tokens_know_their_role() -> None:
    model = chat()
    case = answer_case(MESSAGES, model, "Madrid")
    text = case.texts[0]
    written = model.tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    ids = model.tokenizer(written + "Madrid", add_special_tokens=False)["input_ids"]
    assert case.inputs["input_ids"][0].tolist() == ids
    said = {
        role: "".join(" " * p.space + p.text for p in text.pieces if p.part == role and not p.special).strip()
        for role in ("system", "user")
    }
    assert said == {m["role"]: m["content"] for m in MESSAGES}
    assert [p.text for p in text.pieces if p.special and p.part == "user"][:2] == ["<|user|>", "Ċ"]
    assert all(p.special for p in text.pieces if p.part == "")
    a = explained(case)
    assert not a.values[~case.free].any()
    by_role = {
        r: sum(float(a.values[0, p.place].sum()) for p in text.pieces if p.part == r) for r in ("system", "user")
    }
    assert sum(by_role.values()) == pytest.approx(float(a.values.sum()), rel=1e-9)


def test_the_assistants_last_message_is_the_answer() -> None:
    model = chat(torch.float32)
    ended = [*MESSAGES, {"role": "assistant", "content": "Madrid"}]
    one, two = answer_case(ended, model), answer_case(MESSAGES, model, "Madrid")
    assert torch.equal(one.inputs["input_ids"], two.inputs["input_ids"])
    assert one.texts[0].title == "“Madrid”"


def test_conversations_that_cannot_be_written_are_refused() -> None:
    plain = text_model(causal("Llama"), tokenizer())
    with pytest.raises(gl.InputError, match=r"tokenizer with a chat template.*as one text"):
        answer_case(MESSAGES, plain, "Madrid")
    with pytest.raises(gl.InputError, match=r'message 0 as \{"role": "user"'):
        answer_case([{"role": "user"}], chat(), "Madrid")
    model = chat()
    model.tokenizer.chat_template = "{{ raise_exception('no system') }}"
    with pytest.raises(gl.InputError, match=r"that the chat template takes, got roles system, user.*no system"):
        answer_case(MESSAGES, model, "Madrid")
    model.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}"
    with pytest.raises(gl.InputError, match=r"content of message 0 in what the chat template writes"):
        answer_case(MESSAGES, model, "Madrid")


# ---------------------------------------------------------------------------------------------------- refusals


def test_what_cannot_be_asked_is_refused() -> None:
    model = wrapped("Llama", torch.float32)
    wrong: list[tuple[Any, Any, str]] = [
        ("  ", None, "a prompt with text"),
        ([], None, "at least one prompt"),
        (3, None, "a prompt as a text, or as messages"),
        (PROMPTS[0], 3, r"gl.text.Answer\(\"Paris\"\)"),
        (PROMPTS[0], " ", "an answer with text"),
        (PROMPTS, Answer(["Paris"]), "one each prompt"),
        (PROMPTS[0], Answer("Paris", against="Paris"), "two different answers"),
        ("The capital of Spain is " * 20, "Madrid", "at most 64 tokens"),
    ]
    for text, target, said in wrong:
        with pytest.raises(gl.InputError, match=said):
            answer_case(text, model, target)
    with pytest.raises(gl.InputError, match="a language model, causal or of encoder and decoder"):
        answer_case(PROMPTS[0], text_model(model.model, model.tokenizer, task=Task.MASKED), "Paris")


# ---------------------------------------------------------------------------------------------------- precision, NaN


def test_bfloat16_is_near_float32_and_says_how_near() -> None:
    low, full = wrapped("Llama", torch.bfloat16), wrapped("Llama", torch.float32)
    maps = [explained(answer_case(PROMPTS[0], m, "Paris"), tol=0.2, steps=None) for m in (low, full)]
    assert maps[0].values.dtype == torch.float32
    assert "GL106" in [f.code for f in maps[0].findings]
    off = (maps[0].values - maps[1].values).flatten(1).norm(dim=1) / maps[1].values.flatten(1).norm(dim=1)
    assert (off.double().cpu() <= 3 * maps[0].error_estimate + maps[1].error_estimate).all()
    assert low.model.dtype == torch.bfloat16


@pytest.mark.parametrize("site", ["model.layers.1.mlp", "model.layers.0.self_attn.o_proj"])
def test_a_nan_inside_is_told_with_the_layer_where_it_began(site: str) -> None:
    model = wrapped("Llama", torch.float32)
    with torch.no_grad():
        target = model.model.get_submodule(site)
        next(target.parameters()).fill_(3e38)
    case = answer_case(PROMPTS, model, "Paris")
    a = noticed(case, explained(case))
    assert set(a.status) == {gl.Status.NONFINITE}
    (found,) = [f for f in a.findings if f.code == "GL202"]
    assert site in found.detail


# ---------------------------------------------------------------------------------------------------- zero, then a norm


@pytest.mark.parametrize("family", ["Llama", "Gemma", "GPT-NeoX", "T5"])
def test_zero_embeddings_before_a_norm_are_noted_with_how_early_it_turns_on(family: str) -> None:
    """By hand: the norm has 1/√2 of its size where the root mean square (or deviation) of t·e is √ε."""
    model = wrapped(family)
    case = answer_case(PROMPTS[0], model, "Paris").starting_at(gl.baselines.Zero())
    (found,) = [f for f in noticed(case, explained(case)).findings if f.code == "GL114"]
    e = model.embedding(case.inputs["input_ids"][0])[case.free[0]].detach()
    size = e.std(1, correction=0) if family == "GPT-NeoX" else e.square().mean(1).sqrt()
    eps = model.model.config.layer_norm_eps if family == "GPT-NeoX" else 1e-6
    turn = float((eps**0.5 / size).median())
    from gradline.result.spelling import percent

    assert percent(turn) in found.detail
    assert "norm" in found.detail
    assert "MeanEmbedding" in found.remedy


@pytest.mark.parametrize("family", ["GPT-2", "OPT", "BART"])
def test_positions_added_before_the_norm_are_no_trouble(family: str) -> None:
    case = answer_case(PROMPTS[0], wrapped(family), "Paris").starting_at(gl.baselines.Zero())
    assert "GL114" not in [f.code for f in noticed(case, explained(case)).findings]


def test_a_start_at_an_embedding_is_no_trouble() -> None:
    model = wrapped("Llama")
    for case in (
        answer_case(PROMPTS, model, "Paris"),
        answer_case(PROMPTS, model, "Paris").starting_at(MeanEmbedding()),
    ):
        a = explained(case)
        assert noticed(case, a).findings == a.findings


def test_from_zero_the_score_changes_early() -> None:
    """What the finding says, measured on a Llama whose embeddings are large: half of F(x) − F(0) in the first tenth."""
    model = wrapped("Llama")
    case = answer_case(PROMPTS[0], model, "Paris").starting_at(gl.baselines.Zero())
    a = explained(case, steps=200)
    curve = a.curve[0]
    early = curve.score[curve.t <= 0.1][-1]
    assert abs(early - float(a.baseline_score[0])) > 0.25 * abs(float(a.score[0] - a.baseline_score[0]))
