"""Targets of models without a head: what stands at a hidden word, how alike two texts are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from gradline.adapters.text.asking import Candidates, Question, TextTarget
from gradline.adapters.text.encoding import Encoded, encode
from gradline.adapters.text.lookup import check_scale, label_index, top, word_at
from gradline.adapters.text.model import Task, TextModel
from gradline.adapters.text.picks import AtToken, Cosine, sentence_embedding, token_logits
from gradline.adapters.text.pieces import said
from gradline.errors import InputError, TargetError
from gradline.question.targets import ClassTarget, Logit, Predicted, Target
from gradline.question.targets.reading import at


@dataclass(frozen=True)
class Masked(TextTarget):
    """What a masked language model expects at the hidden word.

    In a text with one mask token, `word` is what may stand there, a word of one token or a token's id; None: the most
    probable one. In a text without, `word` is the word that is hidden, or its number, and itself is explained.
    `scale`: as in `Label`. Raises `TargetError` for several mask tokens, and for words of several tokens.
    """

    task = Task.MASKED

    word: str | int | None = None
    scale: type[ClassTarget] = Logit

    def ask(self, model: TextModel, encoded: Encoded) -> Question:
        hidden = model.mask_token
        if hidden is None:
            raise InputError(f"a mask token in the tokenizer of {model.name}", "none")
        found = (encoded.ids == hidden).sum(1)
        if int(found.max()) > 1:
            raise TargetError("one mask token in a text", f"{int(found.max())}", "explain one hidden word at a time")
        scale = check_scale(self.scale, model)
        if int(found.min()) == 1:
            place = (encoded.ids == hidden).int().argmax(1).cpu()
            return encoded, AtToken(place, Predicted(scale) if self.word is None else scale(self._token(model)))
        if self.word is None or int(found.max()) == 1:
            token = model.tokenizer.mask_token
            remedy = f"write {token} where a word is to be guessed, or say which word to hide: gl.text.Masked(word)"
            raise TargetError("a text with a mask token", "one without", remedy)
        return self._hide(encoded, hidden, scale, model)

    def _hide(self, encoded: Encoded, hidden: int, scale: type[ClassTarget], model: TextModel) -> Question:
        ids, places, rows = encoded.ids.clone(), [], []
        for row in encoded.pieces:
            word = word_at(row, self.word)
            if len(word) > 1:
                got = f"{said(word)!r} of {len(word)}: {', '.join(repr(piece.text) for piece in word)}"
                raise TargetError("a word of one token", got, "a mask token hides one token: choose another word")
            shown = replace(word[0], text=str(model.tokenizer.mask_token), word=None, special=True)
            rows.append(tuple(shown if piece is word[0] else piece for piece in row))
            places.append(word[0].place)
        where = torch.arange(len(ids), device=ids.device), torch.tensor(places, device=ids.device)
        own = ids[where].cpu()
        ids[where] = hidden
        return replace(encoded, inputs={"input_ids": ids}, pieces=tuple(rows)), AtToken(where[1].cpu(), scale(own))

    def _token(self, model: TextModel) -> int:
        if not isinstance(self.word, str):
            return label_index(model, self.word)
        unknown = getattr(model.tokenizer, "unk_token_id", None)
        tried = []
        for text in (f" {self.word.strip()}", self.word.strip()):  # most tokens of byte-level tokenizers begin with it
            ids = model.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            tried.append(ids)
            if len(ids) == 1 and ids[0] != unknown:
                return int(ids[0])
        parts = ", ".join(map(repr, model.tokenizer.convert_ids_to_tokens(tried[-1])))
        raise TargetError(f"a word that {model.name} has a token for", f"{self.word!r}, which is {parts or 'nothing'}")

    def title(self, model: TextModel, encoded: Encoded, frozen: Target, example: int) -> str:
        if not (isinstance(frozen, AtToken) and isinstance(frozen.target, ClassTarget)):
            return frozen.describe(example)
        return _token_text(model, at(frozen.target.index, example))

    def candidates(self, model: TextModel, encoded: Encoded, output: Any, frozen: Target, example: int) -> Candidates:
        if not isinstance(frozen, AtToken):
            return ()
        logits = token_logits(output, len(encoded))[example, at(frozen.place, example)]
        return top(logits.double().softmax(0), lambda k: _token_text(model, k))


@dataclass(frozen=True)
class Similarity(TextTarget):
    """How alike the text is to another one in meaning: the cosine of the means of their last hidden states.

    `other`: a text for all, or a list of N; None where each text is a pair, whose second part is then the other one.
    The other text is held: what counts there is explained by exchanging the two.
    """

    task = Task.SIMILARITY

    other: str | Sequence[str] | None = None

    def ask(self, model: TextModel, encoded: Encoded) -> Question:
        count = len(encoded)
        if self.other is None:
            pairs = [text for text in encoded.texts if isinstance(text, tuple)]
            if len(pairs) < count:
                remedy = "target=gl.text.Similarity(other), or both in a tuple: (text, other)"
                raise TargetError("another text to compare with", "none", remedy)
            others: Any = [second for _, second in pairs]
            encoded = encode(model, [first for first, _ in pairs])
        else:
            others = [self.other] * count if isinstance(self.other, str) else list(self.other)
        if len(others) != count:
            raise TargetError(f"one other text, or {count}", f"{len(others)}")
        held = encode(model, others)
        reference = sentence_embedding(model.output(held.arguments), held.mask).detach()
        return encoded, Cosine(encoded.mask, reference)

    def title(self, model: TextModel, encoded: Encoded, frozen: Target, example: int) -> str:
        return "similarity to the other text"


def _token_text(model: TextModel, token: int) -> str:
    """A token of the vocabulary as people write it; its number where the tokenizer has no such token."""
    written = model.tokenizer.convert_ids_to_tokens([token])[0]
    if written is None:
        return f"token {token}"
    text = str(model.tokenizer.decode([token])).strip()
    return str(written) if not text or "\ufffd" in text else text
