"""The language models that `language_sites.py` looks into, and what they read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, BertModel, LlamaConfig, LlamaForCausalLM

Rows = list[tuple[str, int]]
LAYERS, HEADS = 6, 12
LONGEST = 32

STORIES = (
    "Once upon a time, there was a little child named {0}. One day,",
    "{0} was very happy. One day,",
    "One day, {0} was sad. Mom said, \"Don't be sad,",
    '{0} and Mom went to the park. Mom said, "Look,',
    'One day, {0} saw a red ball. The ball said, "Hi,',
    '{0} was playing in the park. A bird said, "Hello,',
    "{0} had a big toy. {0} loved the toy. One day,",
    '{0} lost the ball. {0} was sad. Mom said, "I will help you,',
    "One day, {0} found a big box. In the box was a toy.",
    "Once there was {0}. {0} liked to run. Every day,",
    "{0} went to bed. The next day,",
    "One day, {0} went to the park. When",
)
NAMES = ("Lily", "Tim")
BLOCKS, STORY_HEADS, KEY_HEADS = 5, 8, 4


# ------------------------------------------------------------------------------------------------ film reviews


class Sentiment(nn.Module):
    """MiniLM with the pack's adapter and head: logits `(N, 2)`, negative and positive."""

    def __init__(self, folder: Path, adapter: Any) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(folder, local_files_only=True)
        own = self.bert.state_dict()
        for name in (key[:-2] for key in adapter.files if key.endswith("/A")):
            change = adapter[f"{name}/B"].astype("float32") @ adapter[f"{name}/A"].astype("float32")
            own[name.replace("/", ".") + ".weight"] += torch.from_numpy(change)
        self.head = nn.Linear(384, 2)
        self.head.load_state_dict({k: torch.from_numpy(adapter[f"head/{k}"]) for k in ("weight", "bias")})

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        h = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        seen = attention_mask[..., None].to(h.dtype)
        logits: Tensor = self.head((h * seen).sum(1) / seen.sum(1))
        return logits


def reviews(data: Path, folder: Path, count: int) -> tuple[Any, Rows]:
    """The tokeniser, and the first sentences of the development set with at most LONGEST tokens."""
    tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    with (data / "sst2_dev.csv").open(encoding="utf-8") as file:
        rows = [(row["sentence"], int(row["label"])) for row in csv.DictReader(file)]
    return tokens, [row for row in rows if len(tokens(row[0])["input_ids"]) <= LONGEST][:count]


def encoded(tokens: Any, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    made = tokens([sentence for sentence, _ in rows], padding=True, return_tensors="pt")
    return made["input_ids"], made["attention_mask"], torch.tensor([label for _, label in rows])


@contextmanager
def without(model: Sentiment, heads: Sequence[int]) -> Iterator[None]:
    """Heads, numbered through all layers, add nothing."""
    with ExitStack() as around:
        for number, layer in enumerate(model.bert.encoder.layer):
            mask = torch.ones(HEADS)
            mask[[h % HEADS for h in heads if h // HEADS == number]] = 0

            def hook(_: nn.Module, given: tuple[Any, ...], mask: Tensor = mask) -> tuple[Any, ...]:
                return (given[0] * mask.repeat_interleave(given[0].shape[-1] // HEADS), *given[1:])

            around.callback(layer.attention.output.dense.register_forward_pre_hook(hook).remove)
        yield


# ------------------------------------------------------------------------------------------------ stories


class Answers(nn.Module):
    """The logits behind the last token `(N, 512)`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits[:, -1]


def halves(weight: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Rotary pairs side by side, as the pack has them, to first and second halves of a head, as transformers has."""
    return weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def story_model(pack: Any) -> Any:
    shape = {"vocab_size": 512, "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": BLOCKS}
    heads = {"num_attention_heads": STORY_HEADS, "num_key_value_heads": KEY_HEADS}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": True, "rms_norm_eps": 1e-5}
    model = LlamaForCausalLM(LlamaConfig(**shape, **heads, **ends, max_position_embeddings=512))
    whole = {"model.embed_tokens": "tok_emb", "lm_head": "tok_emb", "model.norm": "final_norm"}
    state = {f"{name}.weight": pack[key] for name, key in whole.items()}
    parts = {"input_layernorm": "att_norm", "post_attention_layernorm": "ffn_norm", "self_attn.v_proj": "wv"}
    parts |= {"self_attn.o_proj": "wo", "mlp.gate_proj": "w1", "mlp.up_proj": "w3", "mlp.down_proj": "w2"}
    for i in range(BLOCKS):
        at = f"model.layers.{i}"
        state |= {f"{at}.{name}.weight": pack[key][i] for name, key in parts.items()}
        state[f"{at}.self_attn.q_proj.weight"] = halves(pack["wq"][i], STORY_HEADS)
        state[f"{at}.self_attn.k_proj.weight"] = halves(pack["wk"][i], KEY_HEADS)
    model.load_state_dict({name: torch.from_numpy(value.astype("float32")) for name, value in state.items()})
    return model.eval().requires_grad_(False)


def pieces(pack: Any, text: str) -> list[int]:
    """Token ids of a text: the start, then bytes merged greedily by the highest score."""
    vocabulary, scores = pack["vocab"].tolist(), pack["vocab_score"].tolist()
    numbers = {piece: i for i, piece in enumerate(vocabulary)}
    ids = [numbers.get(bytes([byte]), byte + 3) for byte in (" " + text).encode()]
    while True:
        joined = [numbers.get(vocabulary[a] + vocabulary[b]) for a, b in pairwise(ids)]
        best = max(((scores[j], -i) for i, j in enumerate(joined) if j is not None), default=None)
        if best is None:
            return [1, *ids]
        at = -best[1]
        ids[at : at + 2] = [joined[at]]


def prompts(pack: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Clean and corrupted ids `(24, T)`, padded in front; the mask; the answers: every story with both names."""
    tokens = [
        [pieces(pack, story.format(name)) for story in STORIES for name in order] for order in (NAMES, NAMES[::-1])
    ]
    width = max(map(len, tokens[0]))
    clean, corrupted = (torch.tensor([[0] * (width - len(ids)) + ids for ids in side]) for side in tokens)
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in tokens[0]])
    return clean, corrupted, mask, torch.tensor([pieces(pack, name)[1] for _ in STORIES for name in NAMES])
