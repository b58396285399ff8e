"""Text into a model's inputs, checked, with the pieces that its tokens stand for."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.text.model import Task, TextModel
from gradline.adapters.text.pieces import next_numbers, pieces_of
from gradline.adapters.text.segments import Span
from gradline.errors import InputError
from gradline.report.text import Piece

NAME = 40
"""Characters of a text that it is called by."""

TextLike = str | tuple[str, str]
"""A text, or two that a model reads together."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """N texts as a model takes them, the shorter ones filled up.

    `inputs`: `input_ids (N, T)`, int64. `mask (N, T)`: int64, 1 at tokens, 0 at padding. `context`: the mask, and the
    kind of each token, by the names that the model has for them. `pieces`: the tokens of each text. `texts`: as given.
    """

    inputs: dict[str, Tensor]
    mask: Tensor
    context: dict[str, Any]
    pieces: tuple[tuple[Piece, ...], ...]
    texts: tuple[TextLike, ...]

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def ids(self) -> Tensor:
        """Token ids `(N, T)`."""
        return self.inputs["input_ids"]

    @property
    def free(self) -> Tensor:
        """Where a baseline replaces a token `(N, T)`: at all of the text, not at special tokens and padding."""
        return free_places(self.pieces, self.ids)

    @property
    def arguments(self) -> dict[str, Any]:
        """All that the model is called with."""
        return self.inputs | self.context


@dataclass(frozen=True, eq=False)
class Row:
    """One text's tokens: ids, kinds (None if the model does not ask), pieces."""

    ids: list[int]
    kinds: list[int] | None
    pieces: tuple[Piece, ...]


def encode(model: TextModel, texts: object) -> Encoded:
    """Texts as the model takes them: one, two that are read together (a tuple), or a list of either.

    Nothing is cut. Raises `InputError` for what is no text or an empty one, and for one above the model's limit.
    """
    given = listed(texts)
    rows = [_row(model, text, _which(k, given)) for k, text in enumerate(given)]
    length = max(len(row.ids) for row in rows)
    left = getattr(model.tokenizer, "padding_side", "right") == "left"
    padding = _padding(model)
    ids = torch.full((len(rows), length), padding, dtype=torch.int64, device="cpu")
    mask, kinds = torch.zeros_like(ids), torch.zeros_like(ids)
    pieces = []
    for k, row in enumerate(rows):
        first = length - len(row.ids) if left else 0
        here = slice(first, first + len(row.ids))
        ids[k, here], mask[k, here] = torch.tensor(row.ids), 1
        if row.kinds is not None:
            kinds[k, here] = torch.tensor(row.kinds)
        pieces.append(tuple(_moved(piece, first) for piece in row.pieces))
    device = model.device
    context = {"attention_mask": mask.to(device)} if model.accepts("attention_mask") else {}
    if any(row.kinds is not None for row in rows):
        context["token_type_ids"] = kinds.to(device)
    if "attention_mask" not in context and not bool(mask.all()):
        remedy = "explain the texts one by one, or let its forward take attention_mask"
        raise InputError(f"texts of one length for {model.name}, which takes no attention_mask", "several", remedy)
    return Encoded({"input_ids": ids.to(device)}, mask.to(device), context, tuple(pieces), tuple(given))


def listed(texts: object) -> list[TextLike]:
    """The texts as a list. Raises `InputError` for what is no text, or an empty one."""
    found = list(texts) if isinstance(texts, list) else [texts]
    if not found:
        raise InputError("at least one text", "an empty list")
    checked: list[TextLike] = []
    for k, text in enumerate(found):
        where = f"text {k}" if isinstance(texts, list) else "text"
        match text:
            case str():
                checked.append(_filled(text, where))
            case (str() as first, str() as second):
                checked.append((_filled(first, f"first part of {where}"), _filled(second, f"second part of {where}")))
            case _:
                expected = f"{where} as a str, or two in a tuple that the model reads together; several in a list"
                kinds = ", ".join(type(t).__name__ for t in text) if isinstance(text, tuple) else ""
                remedy = "decode it first" if isinstance(text, bytes) else ""
                raise InputError(expected, f"a tuple of {kinds}" if kinds else type(text).__name__, remedy)
    return checked


def free_places(pieces: Sequence[Sequence[Piece]], ids: Tensor) -> Tensor:
    """Where tokens are part of a text: booleans like `ids (N, T)`, on its device."""
    free = torch.zeros(ids.shape, dtype=torch.bool, device="cpu")
    for k, row in enumerate(pieces):
        free[k, [piece.place for piece in row if not piece.special]] = True
    return free.to(ids.device)


def name_of(text: TextLike) -> str:
    """The first words of a text."""
    whole = " ".join((text if isinstance(text, str) else " / ".join(text)).split())
    return textwrap.shorten(whole, NAME, placeholder=" …") if " " in whole[:NAME] else whole[:NAME]


def _filled(text: str, where: str) -> str:
    if not text.strip():
        got = "an empty one" if not text else "white space alone"
        raise InputError(f"words in the {where}", got, "a model says nothing about no text")
    return text


def _which(k: int, given: Sequence[TextLike]) -> str:
    return f"text {k} ({name_of(given[k])!r})" if len(given) > 1 else "the text"


def _row(model: TextModel, text: TextLike, which: str) -> Row:
    first, second = (text, None) if isinstance(text, str) else text
    tokenizer = model.tokenizer
    fast = bool(getattr(tokenizer, "is_fast", False))
    made = tokenizer(
        first,
        second,
        truncation=False,
        padding=False,
        return_special_tokens_mask=True,
        return_token_type_ids=True,
        verbose=False,
        **({"return_offsets_mapping": True} if fast else {}),
    )
    ids = [int(i) for i in made["input_ids"]]
    _check_length(model, len(ids), which)
    hidden = model.mask_token
    special = [bool(s) or i == hidden for s, i in zip(made["special_tokens_mask"], ids, strict=True)]
    if all(special) and hidden not in ids:
        raise InputError(f"{which} to hold a token that the model knows", "none", "is it the model's own tokenizer?")
    offsets = [(int(a), int(b)) for a, b in made["offset_mapping"]] if fast else None
    behind = _second_begins(made, first, special, tokenizer) if second is not None else len(ids)
    kinds = _kinds(model, made)
    return Row(ids, kinds, _pieces(model, text, ids, special, offsets, behind))


def _pieces(
    model: TextModel,
    text: TextLike,
    ids: list[int],
    special: list[bool],
    offsets: list[Span] | None,
    behind: int,
) -> tuple[Piece, ...]:
    """The pieces of one text, or of two: the second begins at token `behind`."""
    parts = [(text, "")] if isinstance(text, str) else list(zip(text, _parts(model), strict=True))
    pieces: tuple[Piece, ...] = ()
    for (words, part), (low, high) in zip(parts, ((0, behind), (behind, len(ids))), strict=False):
        word, sentence = next_numbers(pieces)
        pieces += pieces_of(
            model.tokenizer,
            ids[low:high],
            words,
            offsets=None if offsets is None else offsets[low:high],
            special=special[low:high],
            place=low,
            word=word,
            sentence=sentence,
            part=part,
        )
    return pieces


def _parts(model: TextModel) -> tuple[str, str]:
    return ("question", "context") if model.task is Task.QUESTION else ("first", "second")


def _second_begins(made: Any, first: str, special: list[bool], tokenizer: Any) -> int:
    """The place of the first token of the second text."""
    if callable(getattr(made, "sequence_ids", None)) and getattr(tokenizer, "is_fast", False):
        return int(made.sequence_ids(0).index(1))
    count = len(tokenizer(first, add_special_tokens=False, verbose=False)["input_ids"])
    places = [k for k, s in enumerate(special) if not s]
    return places[count] if count < len(places) else len(special)


def _kinds(model: TextModel, made: Any) -> list[int] | None:
    """Which of two texts a token is of, where the model has embeddings for that."""
    kinds = made.get("token_type_ids") if hasattr(made, "get") else None
    known = getattr(model.config, "type_vocab_size", None)
    if kinds is None or not model.accepts("token_type_ids") or (isinstance(known, int) and max(kinds) >= known):
        return None
    asked = "token_type_ids" in getattr(model.tokenizer, "model_input_names", ()) or max(kinds) > 0
    return [int(k) for k in kinds] if asked else None


def _check_length(model: TextModel, count: int, which: str) -> None:
    limit = model.limit
    if limit is not None and count > limit:
        remedy = "shorten it, or explain its parts one by one: nothing is cut off in silence"
        raise InputError(f"at most {limit} tokens for {model.name}", f"{count} in {which}", remedy)


def _padding(model: TextModel) -> int:
    """What fills up short texts: padding, else the end of a text, else token 0; the mask hides it."""
    for name in ("pad_token_id", "eos_token_id"):
        found = getattr(model.tokenizer, name, None)
        if isinstance(found, int):
            return found
    return 0


def _moved(piece: Piece, by: int) -> Piece:
    return replace(piece, place=piece.place + by) if by else piece
