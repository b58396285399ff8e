"""Answers of language models: the question put to a prompt with an answer behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gradline.adapters.text.baselines import MeanEmbedding
from gradline.adapters.text.case import TextCase, case_of
from gradline.adapters.text.layout import Ids, Laid, check_encoder, laid_out
from gradline.adapters.text.model import Task, TextModel
from gradline.adapters.text.pieces import pieces_of
from gradline.adapters.text.prompts import Prompt, prompts_of
from gradline.adapters.text.writing import Writer
from gradline.errors import InputError, TargetError
from gradline.report.text import Piece, Text


@dataclass(frozen=True)
class Answer:
    """What a language model says, as a target: Σ_k log p(token k of the answer | the prompt, the tokens before it).

    One attribution for the whole answer, at the cost of one token's. `text`: the answer, one for all prompts or one
    each; None: the model's own, the most probable token each time, at most 20, up to the end of the sequence, which
    is no part of it. `against`: another answer; its log-probability is taken off: why this rather than that. Each
    answer is read behind its own beginning: answers that differ in their last token alone share a forward, for others
    the model runs twice a row, on the prompt with either answer.

    A space is put between prompt and answer where neither has white space; none behind a conversation.
    """

    text: str | Sequence[str] | None = None
    against: str | Sequence[str] | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """Prompts before a language model and the tokens whose probability is explained.

    `laid`: the question as the model takes it. `answers`: pieces, `place` counted along the answer. `titles`: the
    answers in words. `candidates`: the most probable next tokens.
    """

    laid: Laid
    prompts: tuple[Prompt, ...]
    answers: tuple[tuple[Piece, ...], ...]
    titles: tuple[str, ...]
    candidates: tuple[tuple[tuple[str, float], ...], ...]


def answer_case(text: object, model: TextModel, target: object = None) -> TextCase:
    """A prompt, a conversation `[{"role": …, "content": …}, …]`, or a list of either, for a language model.

    `target`: an `Answer`, its text, or None for the model's own. A conversation that ends with the assistant's message
    has that as its answer. Raises `InputError` and its kinds, `ModelError`.
    """
    return case_for(asked(text, model, target))


def case_for(question: Asked) -> TextCase:
    """The same from a question that was made before."""
    laid = question.laid
    texts = tuple(
        Text(
            name=question.prompts[k].name,
            model=laid.model.name,
            title=question.titles[k],
            pieces=laid.encoded.pieces[k],
            candidates=question.candidates[k],
            answer=question.answers[k],
        )
        for k in range(len(question.prompts))
    )
    case = case_of(laid.model, laid.encoded, laid.target, texts, site=laid.site)
    return case.starting_at(MeanEmbedding()) if _pads_with_zero(laid.model) else case


def _pads_with_zero(model: TextModel) -> bool:
    """The usual start would be a padding token whose embedding is zero, as those that are kept from learning are."""
    token, table = model.pad_token, model.table
    if model.mask_token is not None or token is None or table is None:
        return False
    return not bool(table[token].any())


def asked(text: object, model: TextModel, target: object = None) -> Asked:
    """The question about an answer, in a language model's terms. Raises `InputError`, `TargetError`, `ModelError`."""
    if model.task not in (Task.CAUSAL, Task.SEQ2SEQ):
        raise InputError("a language model, causal or of encoder and decoder", f"{model.name}, for {model.task}")
    wanted = _wanted(target)
    prompts = prompts_of(text, model)
    writer = Writer(model.model, model.tokenizer, model.task is Task.SEQ2SEQ)
    firsts = [writer.first(prompt.ids) for prompt in prompts]
    given = _each(wanted.text, prompts, "text")
    own = [_ids(said, prompt, writer) for said, prompt in zip(given, prompts, strict=True)]
    others = None
    if wanted.against is not None:
        rivals = _each(wanted.against, prompts, "against")
        others = [_ids(said, prompt, writer) for said, prompt in zip(rivals, prompts, strict=True)]
        if any(a == b for a, b in zip(own, others, strict=True)):
            raise TargetError("two different answers for a contrast", "the same tokens twice")
    _check_lengths(model, prompts, [*own, *(others or [])])
    words = tuple(tuple(_words(model.tokenizer, ids) for ids in side) for side in (own, others or []))
    laid = laid_out(model, writer, prompts, (own, others), (words[0], words[1]))
    if model.task is Task.SEQ2SEQ:
        check_encoder(laid)
    answers = tuple(_answer_pieces(model.tokenizer, ids) for ids in own)
    candidates = tuple(writer.candidates(logits) for logits in firsts)
    titles = words[0] if others is None else tuple(f"{a} rather than {b}" for a, b in zip(*words, strict=True))
    return Asked(laid, prompts, answers, titles, candidates)


def _wanted(target: object) -> Answer:
    match target:
        case None:
            return Answer()
        case Answer():
            return target
        case str():
            return Answer(target)
    expected = 'an answer, such as gl.text.Answer("Paris"), or its text; None for the model\'s own'
    raise TargetError(expected, type(target).__name__)


def _each(said: str | Sequence[str] | None, prompts: Sequence[Prompt], what: str) -> list[str | None]:
    if said is None or isinstance(said, str):
        return [said] * len(prompts)
    if len(said) != len(prompts) or not all(isinstance(one, str) for one in said):
        raise TargetError(f"{what} of an Answer as one text, or {len(prompts)}, one each prompt", f"{len(said)}")
    return list(said)


def _ids(said: str | None, prompt: Prompt, writer: Writer) -> Ids:
    said = prompt.answer if said is None else said
    if said is None:
        return writer.greedy(prompt.ids)
    return writer.given(said, prompt.ids, "" if prompt.chat else prompt.text)


def _words(tokenizer: Any, ids: Ids) -> str:
    return f"“{tokenizer.decode(list(ids)).strip()}”"


def _answer_pieces(tokenizer: Any, ids: Ids) -> tuple[Piece, ...]:
    special = set(getattr(tokenizer, "all_special_ids", ()))
    return pieces_of(tokenizer, ids, tokenizer.decode(list(ids)), special=[i in special for i in ids])


def _check_lengths(model: TextModel, prompts: Sequence[Prompt], answers: Sequence[Ids]) -> None:
    if model.limit is None:
        return
    beside = max(map(len, answers)) if model.task is Task.CAUSAL else 0
    longest = max(max(len(p.ids) for p in prompts) + beside, *map(len, answers))
    if longest > model.limit:
        what = f"at most {model.limit} tokens for {model.name}, prompt and answer together"
        raise InputError(what, f"{longest}", "shorten the prompt: nothing is cut off in silence")
