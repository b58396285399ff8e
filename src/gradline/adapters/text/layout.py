"""Prompts and answers laid out for a language model: one row an example, targets that find the answer's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.text.both import BothAnswers, BothDecoded, placed, takes
from gradline.adapters.text.encoding import Encoded
from gradline.adapters.text.model import Task, TextModel
from gradline.adapters.text.prompts import Prompt
from gradline.adapters.text.writing import Writer
from gradline.errors import SiteError
from gradline.question.sites import Layer
from gradline.question.targets import Contrast, Target, TokenSpan

Ids = tuple[int, ...]
Filled = tuple[Tensor, Tensor]
"""Token ids `(N, K)` and where they are, the rest is filled up: int64 both."""


@dataclass(frozen=True, eq=False)
class Laid:
    """`model`: what is called; for two answers it runs both. `encoded`: its inputs, with the pieces of the prompts
    alone, so that a baseline replaces those alone. `site`: behind the embedding of the prompts. `target`: the answers;
    `tokens`: one each token, of a single prompt whose answers share a forward."""

    model: TextModel
    encoded: Encoded
    site: Layer
    target: Target
    tokens: tuple[TokenSpan, ...] = ()


def laid_out(
    model: TextModel,
    writer: Writer,
    prompts: Sequence[Prompt],
    answers: tuple[list[Ids], list[Ids] | None],
    words: tuple[tuple[str, ...], tuple[str, ...]],
) -> Laid:
    """The answers behind the prompts, and others that they are compared with.

    A causal model gets `[padding, prompt, answer, padding]` with positions from the prompt's first token; an encoder
    the prompt, its decoder the answer, held. Two answers that differ before their last token each get a run. `words`:
    both in words.
    """
    decoder, (own, others) = model.task is Task.SEQ2SEQ, answers
    first = _filled(own)
    second = None if others is None else _filled(others)
    shares = others is None or all(len(a) == len(b) and a[:-1] == b[:-1] for a, b in zip(own, others, strict=True))
    site = Layer(model.embedding, call=0 if decoder or not shares else model.call)
    skip = len(writer.opening) - 1 if decoder else 0
    places = torch.arange(first[0].shape[1]) + skip
    if shares or second is None:
        encoded, before = (_read if decoder else _continued)(model, writer, prompts, first)
        rivals = None if second is None else second[0]
        said = words[0] if rivals is None else tuple(f"{a} less that of {b}" for a, b in zip(*words, strict=True))
        whole = TokenSpan(first[0], places + before, against=rivals, mask=first[1].bool(), words=said)
        return Laid(model, encoded, site, whole, _one_by_one(whole))
    encoded = _both(model, writer, prompts, (first, second))
    twice = (BothDecoded if decoder else BothAnswers)(model.model)
    behind = torch.arange(second[0].shape[1]) + len(places) + 2 * skip
    one = TokenSpan(first[0], places, mask=first[1].bool(), words=words[0])
    other = TokenSpan(second[0], behind, mask=second[1].bool(), words=words[1])
    return Laid(replace(model, model=twice), encoded, site, Contrast(one, other))


def check_encoder(laid: Laid) -> None:
    """The first call of the embedding is the encoder's, where decoders share it. Raises `SiteError`."""
    owner: Any = laid.model.plain
    encoder = (owner.model if isinstance(owner, BothDecoded) else owner).get_encoder()
    inside: list[bool] = []  # of each call of the embedding
    running: list[None] = []
    with ExitStack() as hooks:
        hooks.callback(encoder.register_forward_pre_hook(lambda *_: running.append(None)).remove)
        hooks.callback(encoder.register_forward_hook(lambda *_: running.clear()).remove)
        hooks.callback(laid.model.embedding.register_forward_pre_hook(lambda *_: inside.append(bool(running))).remove)
        laid.model.output(laid.encoded.arguments)
    if not inside or not inside[0]:
        got = "a call elsewhere" if inside else "none"
        raise SiteError(f"{laid.model.name} to embed its text inside its encoder, in the first call", got)


def _one_by_one(whole: TokenSpan) -> tuple[TokenSpan, ...]:
    """A span for each token of a single answer."""
    if len(whole.ids) != 1:
        return ()
    ids, places, rivals = whole.ids, whole.positions, whole.against
    columns = [slice(k, k + 1) for k in range(ids.shape[1])]
    return tuple(TokenSpan(ids[:, k], places[k], against=None if rivals is None else rivals[:, k]) for k in columns)


def _continued(model: TextModel, writer: Writer, prompts: Sequence[Prompt], answer: Filled) -> tuple[Encoded, int]:
    """Prompts, padded in front, with their answers behind; and the place whose logits predict the first token."""
    ids, mask, pieces = _padded(model, prompts, left=True)
    whole = torch.cat([mask, answer[1]], 1)
    named = placed(model.model, whole)
    before = ids.shape[1] - 1
    if takes(model.model, "logits_to_keep"):
        named, before = named | {"logits_to_keep": answer[0].shape[1] + 1}, 0
    return _encoded(model, prompts, (torch.cat([ids, answer[0]], 1), whole), (named, pieces)), before


def _read(model: TextModel, writer: Writer, prompts: Sequence[Prompt], answer: Filled) -> tuple[Encoded, int]:
    """Prompts for the encoder, and for the decoder the answers behind what it starts with."""
    ids, mask, pieces = _padded(model, prompts, left=False)
    named = {"decoder_input_ids": _shifted(writer, answer[0]), "use_cache": False}
    return _encoded(model, prompts, (ids, mask), (named, pieces)), 0


def _both(model: TextModel, writer: Writer, prompts: Sequence[Prompt], answers: tuple[Filled, Filled]) -> Encoded:
    """Prompts, and apart from them both answers, as `BothAnswers` and `BothDecoded` take them."""
    first, second = answers
    decoder = model.task is Task.SEQ2SEQ
    ids, mask, pieces = _padded(model, prompts, left=not decoder)
    if decoder:
        named = {"first": _shifted(writer, first[0]), "second": _shifted(writer, second[0])}
    else:
        named = {"first": first[0], "first_mask": first[1], "second": second[0], "second_mask": second[1]}
    return _encoded(model, prompts, (ids, mask), (named, pieces))


def _shifted(writer: Writer, answer: Tensor) -> Tensor:
    opening = torch.tensor([writer.opening]).expand(len(answer), -1)
    return torch.cat([opening, answer[:, :-1]], 1)


def _filled(answers: Sequence[Ids]) -> Filled:
    count = max(map(len, answers))
    ids, mask = (torch.zeros((len(answers), count), dtype=torch.int64) for _ in range(2))
    for row, answer in enumerate(answers):
        ids[row, : len(answer)], mask[row, : len(answer)] = torch.tensor(answer), 1
    return ids, mask


def _padded(model: TextModel, prompts: Sequence[Prompt], *, left: bool) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    """Token ids and mask `(N, T)`, and the pieces at their places there."""
    length = max(len(p.ids) for p in prompts)
    ids = torch.full((len(prompts), length), model.pad_token or 0, dtype=torch.int64)
    mask, pieces = torch.zeros_like(ids), []
    for row, prompt in enumerate(prompts):
        first = length - len(prompt.ids) if left else 0
        here = slice(first, first + len(prompt.ids))
        ids[row, here], mask[row, here] = torch.tensor(prompt.ids), 1
        pieces.append(tuple(replace(piece, place=piece.place + first) for piece in prompt.pieces))
    return ids, mask, tuple(pieces)


def _encoded(
    model: TextModel, prompts: Sequence[Prompt], rows: Filled, more: tuple[dict[str, Any], tuple[Any, ...]]
) -> Encoded:
    ids, mask = (tensor.to(model.device) for tensor in rows)
    named = {name: v.to(model.device) if isinstance(v, Tensor) else v for name, v in more[0].items()}
    return Encoded({"input_ids": ids}, mask, {"attention_mask": mask} | named, more[1], tuple(p.name for p in prompts))
