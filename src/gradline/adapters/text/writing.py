"""What a language model writes: the tokens of an answer, the model's own or a given one, behind a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.text.both import takes
from gradline.errors import InputError, ModelError
from gradline.question.guard import undisturbed

LONGEST = 20
"""Tokens of an answer of the model's own."""

CANDIDATES = 5
"""Next tokens listed with their probabilities."""

EAST = 0x2E80
"""Scripts from this character on are written without spaces."""


@dataclass(frozen=True, eq=False)
class Writer:
    """A language model and the tokens it began with. `encoder`: it reads the prompt apart from what it writes."""

    model: Any
    tokenizer: Any
    encoder: bool

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.get_input_embeddings().weight.device
        return device

    @property
    def ends(self) -> set[int]:
        """The tokens that end an answer."""
        named = self._setting("eos_token_id")
        found = named if isinstance(named, list | tuple) else [named]
        return {int(i) for i in (*found, getattr(self.tokenizer, "eos_token_id", None)) if i is not None}

    @property
    def opening(self) -> tuple[int, ...]:
        """What the decoder of an encoder–decoder starts with: its start token, and a language that is forced."""
        start = self._setting("decoder_start_token_id")
        start = self._setting("bos_token_id") if start is None else start
        if start is None:
            remedy = "set model.config.decoder_start_token_id"
            raise InputError("a model that says what its decoder starts with", "decoder_start_token_id=None", remedy)
        forced = self._setting("forced_bos_token_id")
        return (int(start),) if forced is None else (int(start), int(forced))

    def _setting(self, name: str) -> Any:
        for place in ("generation_config", "config"):
            value = getattr(getattr(self.model, place, None), name, None)
            if value is not None:
                return value
        return None

    # ------------------------------------------------------------------------------------------------ the model's own

    def next_logits(self, prompt: Sequence[int], written: Sequence[int], kept: dict[str, Any]) -> Tensor:
        """The logits `(V,)` of the token behind `prompt` and `written`, float64 on the CPU.

        `kept`: of one prompt, what its encoder returned.
        """
        ids = torch.tensor([list(prompt)], device=self.device)
        if not self.encoder:
            ids = torch.tensor([[*prompt, *written]], device=self.device)
            named = {"logits_to_keep": 1} if takes(self.model, "logits_to_keep") else {}
            return self._last(self.model(input_ids=ids, **named).logits)
        after = torch.tensor([[*self.opening, *written]], device=self.device)
        source = {"encoder_outputs": kept["encoded"]} if kept else {"input_ids": ids}
        output = self.model(**source, decoder_input_ids=after, use_cache=False)
        kept["encoded"] = (output.encoder_last_hidden_state,)
        return self._last(output.logits)

    @staticmethod
    def _last(logits: Tensor) -> Tensor:
        return logits[0, -1].double().cpu()

    def first(self, prompt: Sequence[int]) -> Tensor:
        """The logits `(V,)` of the first token behind a prompt."""
        with undisturbed(self.model, self.device), torch.no_grad():
            return self._tried(prompt, (), {})

    def greedy(self, prompt: Sequence[int], longest: int = LONGEST) -> tuple[int, ...]:
        """The most probable token, and again, up to one that ends the answer, or `longest`.

        The ending token is no part of it, unless there is nothing else.
        """
        written: list[int] = []
        kept: dict[str, Any] = {}
        with undisturbed(self.model, self.device), torch.no_grad():
            while len(written) < longest:
                token = int(self._tried(prompt, written, kept).argmax())
                if token in self.ends:
                    return tuple(written or [token])
                written.append(token)
        return tuple(written)

    def _tried(self, prompt: Sequence[int], written: Sequence[int], kept: dict[str, Any]) -> Tensor:
        try:
            return self.next_logits(prompt, written, kept)
        except Exception as error:
            many = len(prompt) + len(written)
            kind = f"{type(error).__name__}: {error}"
            raise ModelError(f"{type(self.model).__name__} failed on {many} tokens: {kind}") from error

    def candidates(self, logits: Tensor, count: int = CANDIDATES) -> tuple[tuple[str, float], ...]:
        """The most probable next tokens and their probabilities; none where the model gives NaN."""
        if not logits.isfinite().all():
            return ()
        top = torch.softmax(logits, 0).topk(min(count, len(logits)))
        return tuple((self.tokenizer.decode([int(i)]), float(p)) for p, i in zip(*top, strict=True))

    # ------------------------------------------------------------------------------------------------ a given one

    def given(self, answer: str, prompt: Sequence[int], said: str) -> tuple[int, ...]:
        """The tokens of an answer as they stand behind the prompt `said`; "" if it is known by its tokens alone."""
        if not answer.strip():
            raise InputError("an answer with text in it", repr(answer), "leave it out: the model writes its own")
        if self.encoder:
            ids = list(self.tokenizer(text_target=answer)["input_ids"])
            return tuple(self._bare(ids))
        if said:
            whole = tuple(self.tokenizer(spaced(said, answer))["input_ids"])
            whole = tuple(self._bare(list(whole)))
            if whole[: len(prompt)] == tuple(prompt) and len(whole) > len(prompt):
                return whole[len(prompt) :]
            answer = spaced(said, answer)[len(said) :]
        return tuple(self.tokenizer(answer, add_special_tokens=False)["input_ids"])

    def _bare(self, ids: list[int]) -> list[int]:
        """Without the special tokens that the tokenizer puts around an answer."""
        if self.encoder:
            while ids and ids[0] in {*self.opening, getattr(self.tokenizer, "bos_token_id", None)}:
                ids = ids[1:]
        while len(ids) > 1 and ids[-1] in {*self.ends, getattr(self.tokenizer, "sep_token_id", None)}:
            ids = ids[:-1]
        return ids


def spaced(prompt: str, answer: str) -> str:
    """Prompt and answer with a space between them where neither has white space, but for scripts without spaces."""
    together = prompt[-1:].isspace() or answer[:1].isspace() or ord(answer[0]) >= EAST
    return prompt + answer if together else f"{prompt} {answer}"
