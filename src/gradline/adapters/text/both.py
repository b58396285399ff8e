"""A language model that writes two answers to one prompt: what a contrast of whole answers is read from."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn


class BothAnswers(nn.Module):
    """Runs a causal model on a prompt with either answer behind it.

    `forward(input_ids (R, T), attention_mask, first, first_mask, second, second_mask (R, A_i))`: the logits
    `(R, A_1 + A_2, V)` that predict the tokens of the first answer, then of the second. The prompt is embedded in the
    first call of the model's embedding, the answers in the second and third: drive the path at call 0.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.training = model.training

    def get_input_embeddings(self) -> nn.Module:
        """Where prompts are embedded."""
        found: nn.Module = self.model.get_input_embeddings()
        return found

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        *,
        first: Tensor,
        first_mask: Tensor,
        second: Tensor,
        second_mask: Tensor,
    ) -> Tensor:
        embed = self.model.get_input_embeddings()
        prompt = embed(input_ids)
        answers = ((first, first_mask), (second, second_mask))
        return torch.cat([self._logits(prompt, attention_mask, embed(ids), mask) for ids, mask in answers], 1)

    def _logits(self, prompt: Tensor, mask: Tensor, answer: Tensor, answer_mask: Tensor) -> Tensor:
        whole = torch.cat([mask, answer_mask], 1)
        named = placed(self.model, whole)
        logits: Tensor = self.model(inputs_embeds=torch.cat([prompt, answer], 1), attention_mask=whole, **named).logits
        before = prompt.shape[1] - 1
        return logits[:, before : before + answer.shape[1]]


class BothDecoded(nn.Module):
    """Runs an encoder on a text once, and the decoder on either answer.

    `forward(input_ids (R, T), attention_mask, first, second (R, A_i))`, the last two as the decoder takes them: the
    logits `(R, A_1 + A_2, V)` of the first answer, then of the second.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.training = model.training

    def get_input_embeddings(self) -> nn.Module:
        """Where texts are embedded: in the encoder."""
        found: nn.Module = self.model.get_encoder().get_input_embeddings()
        return found

    def forward(self, input_ids: Tensor, attention_mask: Tensor, first: Tensor, second: Tensor) -> Tensor:
        one = self.model(input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=first, use_cache=False)
        encoded = (one.encoder_last_hidden_state,)
        two = self.model(
            encoder_outputs=encoded, attention_mask=attention_mask, decoder_input_ids=second, use_cache=False
        )
        return torch.cat([one.logits, two.logits], 1)


def takes(model: Any, name: str) -> bool:
    """Whether the model's forward has an argument of this name; that of the model inside for adapters of PEFT."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return name in signature(inner.forward).parameters


def placed(model: Any, mask: Tensor) -> dict[str, Any]:
    """Further arguments of a causal model: positions that count from the first token that is no padding; no cache."""
    named: dict[str, Any] = {"use_cache": False} if takes(model, "use_cache") else {}
    if takes(model, "position_ids"):
        named["position_ids"] = (mask.long().cumsum(1) - 1).clamp(min=0)
    return named
