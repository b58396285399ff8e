"""Conversations: messages with roles, written out by the tokenizer's chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradline.errors import InputError

Messages = Sequence[Mapping[str, Any]]
"""`[{"role": "user", "content": "…"}, …]`."""


@dataclass(frozen=True)
class Stretch:
    """Characters `start` to `end` of a conversation that was written out. `part`: the role they belong to, "" behind
    the last message. `said`: they are what was said; False for what the template writes around it."""

    start: int
    end: int
    part: str
    said: bool


@dataclass(frozen=True)
class Conversation:
    """A conversation as the model reads it, up to where it answers. `stretches`: in order, all of `text`.

    `answer`: what an assistant's last message says, None where the last message is somebody else's.
    """

    text: str
    stretches: tuple[Stretch, ...]
    answer: str | None = None

    def at(self, start: int, end: int) -> Stretch:
        """The stretch of a token that covers characters `start` to `end`: one that was said, if it touches one."""
        touched = [s for s in self.stretches if s.start < max(end, start + 1) and start < s.end]
        return next((s for s in touched if s.said), touched[0] if touched else self.stretches[-1])


def is_chat(value: object) -> bool:
    """Messages with roles."""
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(m, Mapping) for m in value)


def conversation(messages: Messages, tokenizer: Any) -> Conversation:
    """Messages written out by the tokenizer's chat template, with the opening of the assistant's answer behind them.

    An assistant's message at the end is the answer, and stays out. Raises `InputError` without a template, for messages
    without role or content, and for content that the template leaves out or changes.
    """
    checked = [_message(m, i) for i, m in enumerate(messages)]
    if not getattr(tokenizer, "chat_template", None):
        remedy = "pass the conversation as one text, as the model was trained to read it, or set chat_template"
        raise InputError("a tokenizer with a chat template for messages", type(tokenizer).__name__, remedy)
    answer = checked.pop()["content"] if checked[-1]["role"] == "assistant" else None
    if not checked:
        raise InputError("a message before the assistant's", "none")
    text = _written(checked, tokenizer, opened=True)
    return Conversation(text, tuple(_stretches(checked, tokenizer, text)), answer)


def _message(message: Mapping[str, Any], place: int) -> dict[str, str]:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or not isinstance(content, str):
        got = f"{dict(message)!r}"[:80]
        raise InputError(f'message {place} as {{"role": "user", "content": "…"}}, both of text', got)
    return {"role": role, "content": content}


def _written(messages: list[dict[str, str]], tokenizer: Any, *, opened: bool) -> str:
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opened)
    except Exception as error:
        roles = ", ".join(m["role"] for m in messages)
        remedy = f"its template says: {error}"
        raise InputError("messages that the chat template takes", f"roles {roles}", remedy) from error
    return text


def _stretches(messages: list[dict[str, str]], tokenizer: Any, text: str) -> list[Stretch]:
    """What was said, message by message, and what the template writes before and behind it."""
    found: list[Stretch] = []
    at = 0
    for k, message in enumerate(messages):
        said = message["content"].strip()
        start = text.find(said, at)
        if start < 0:
            remedy = f"the template changes or drops it; it writes {text[at : at + 80]!r}"
            raise InputError(f"content of message {k} in what the chat template writes", repr(said[:80]), remedy)
        end = start + len(said)
        close = _close(messages[: k + 1], tokenizer, text, end)
        pieces = ((at, start, False), (start, end, bool(said)), (end, close, False))
        found += [Stretch(a, b, message["role"], words) for a, b, words in pieces if b > a]
        at = close
    return [*found, Stretch(at, len(text), "", said=False)] if at < len(text) or not found else found


def _close(messages: list[dict[str, str]], tokenizer: Any, text: str, end: int) -> int:
    """Where the template is done with these messages; `end` if it does not write them alone."""
    try:
        alone = _written(messages, tokenizer, opened=False)
    except InputError:
        return end
    return len(alone) if len(alone) >= end and text.startswith(alone) else end
