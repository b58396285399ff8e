"""What stands before an answer: a text or a conversation, as tokens and as pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradline.adapters.text.chat import Conversation, Messages, conversation, is_chat
from gradline.adapters.text.model import Task, TextModel
from gradline.adapters.text.pieces import pieces_of
from gradline.errors import InputError
from gradline.report.text import Piece

NAME = 40
"""Characters of a prompt that it is called by."""


@dataclass(frozen=True)
class Prompt:
    """One prompt. `ids`, `pieces`: its tokens, each with its place among them. `text`: as it was tokenized. `answer`:
    what the conversation says next, None if it ends with the question. `chat`: it is a conversation."""

    ids: tuple[int, ...]
    pieces: tuple[Piece, ...]
    text: str
    name: str
    answer: str | None = None
    chat: bool = False


def prompts_of(text: object, model: TextModel) -> tuple[Prompt, ...]:
    """One prompt or several: a text, a conversation `[{"role": …, "content": …}, …]`, or a list of either.

    Raises `InputError` for an empty one, and for anything else.
    """
    several = isinstance(text, list | tuple) and not is_chat(text)
    wanted: Sequence[Any] = list(text) if several else [text]  # type: ignore[call-overload]
    if not wanted:
        raise InputError("at least one prompt", "an empty list")
    return tuple(_prompt(one, model) for one in wanted)


def _prompt(text: object, model: TextModel) -> Prompt:
    if isinstance(text, str):
        return _plain(text, model)
    if is_chat(text):
        return _chat(text, model)  # type: ignore[arg-type]
    raise InputError('a prompt as a text, or as messages [{"role": "user", "content": "…"}]', type(text).__name__)


def _plain(text: str, model: TextModel) -> Prompt:
    if not text.strip():
        raise InputError("a prompt with text in it", repr(text))
    tokens = _tokens(model.tokenizer, text, special=True)
    ids, flags = list(tokens["input_ids"]), [bool(s) for s in tokens["special_tokens_mask"]]
    offsets = tokens.get("offset_mapping")
    while ids and flags[-1] and model.task is Task.CAUSAL:
        ids, flags = ids[:-1], flags[:-1]  # an ending behind the prompt would stand before the answer
    if all(flags):
        raise InputError("a prompt with a token in it", repr(text[:NAME]))
    spans = None if offsets is None else offsets[: len(ids)]
    pieces = pieces_of(model.tokenizer, ids, text, offsets=spans, special=flags)
    return Prompt(tuple(ids), pieces, text, called(text))


def _chat(messages: Messages, model: TextModel) -> Prompt:
    said = conversation(messages, model.tokenizer)
    tokens = _tokens(model.tokenizer, said.text, special=False)
    ids, offsets = list(tokens["input_ids"]), tokens.get("offset_mapping")
    if offsets is None:
        remedy = "its tokens do not say which characters they stand for: transformers has a fast one for most models"
        raise InputError("a fast tokenizer for conversations", type(model.tokenizer).__name__, remedy)
    pieces = _with_roles(model.tokenizer, ids, offsets, said)
    if all(piece.special for piece in pieces):
        raise InputError("messages with text in them", "none")
    last = [m["content"] for m in messages if m["role"] != "assistant"][-1:] or [said.text]
    return Prompt(tuple(ids), pieces, said.text, called(str(last[0])), said.answer, chat=True)


def _with_roles(
    tokenizer: Any, ids: Sequence[int], offsets: Sequence[tuple[int, int]], said: Conversation
) -> tuple[Piece, ...]:
    stretches = [said.at(*span) for span in offsets]
    pieces = pieces_of(tokenizer, ids, said.text, offsets=offsets, special=[not s.said for s in stretches])
    found = []
    for piece, stretch, (start, end) in zip(pieces, stretches, offsets, strict=True):
        shown = (said.text[start:end].strip() or piece.text) if piece.special else piece.text
        found.append(replace(piece, part=stretch.part, text=shown))
    return tuple(found)


def _tokens(tokenizer: Any, text: str, *, special: bool) -> Mapping[str, Any]:
    fast = bool(getattr(tokenizer, "is_fast", False))
    options: dict[str, Any] = {"return_offsets_mapping": True} if fast else {}
    found: Mapping[str, Any] = tokenizer(
        text, add_special_tokens=special, return_special_tokens_mask=True, return_attention_mask=False, **options
    )
    return found


def called(text: str) -> str:
    """The first words of a text."""
    words = " ".join(text.split())
    return words if len(words) <= NAME else words[: NAME - 2].rsplit(" ", 1)[0] + " …"
