"""Language models of many families, tiny and with random weights, and a tokenizer that is made on the spot."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

WORDS = """The capital of France is Paris and the capital of Spain is Madrid. You are kind. What is the capital?
Lily had a big red ball. Tim lost the ball and was sad. Once upon a time there was a little cat."""

CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIAL = ["<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]

WIDTH, VOCABULARY = 16, 320
LLAMA = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}
PLAIN = {
    "vocab_size": VOCABULARY,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}
BART = PLAIN | {
    "pad_token_id": 0,
    "d_model": WIDTH,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 64,
    "init_std": 0.3,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": None,
    "forced_bos_token_id": None,
}
T5 = PLAIN | {
    "pad_token_id": 0,
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 1,
    "num_heads": 2,
    "decoder_start_token_id": 0,
    "initializer_factor": 0.6,
}

CAUSAL: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2": (
        "GPT2",
        PLAIN | {"n_embd": WIDTH, "n_layer": 2, "n_head": 2, "n_positions": 64, "initializer_range": 0.3},
    ),
    "GPT-NeoX": ("GPTNeoX", LLAMA | {"rotary_pct": 0.5}),
    "Llama": ("Llama", LLAMA),
    "Mistral": ("Mistral", LLAMA | {"sliding_window": 8}),
    "Qwen2": ("Qwen2", LLAMA),
    "Gemma": ("Gemma", LLAMA | {"head_dim": 4}),
    "OPT": (
        "OPT",
        PLAIN
        | {
            "hidden_size": WIDTH,
            "ffn_dim": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            "word_embed_proj_dim": WIDTH,
            "init_std": 0.3,
        },
    ),
}
DECODERS = {
    "T5": ("T5ForConditionalGeneration", "T5Config", T5),
    "mT5": ("MT5ForConditionalGeneration", "MT5Config", T5 | {"feed_forward_proj": "gated-gelu"}),
    "BART": ("BartForConditionalGeneration", "BartConfig", BART),
    "Marian": ("MarianMTModel", "MarianConfig", BART | {"decoder_start_token_id": 0}),
}


def tokenizer(*, chat: bool = False, start: bool = True, end: bool = False) -> Any:
    """Byte-level pieces learned from a few sentences. `start`, `end`: special tokens around every text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [WORDS], trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    around = f"{'<s> ' if start else ''}$A{' </s>' if end else ''}"
    made.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=around, special_tokens=[("<s>", 1), ("</s>", 2)]),
        ]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    more = SPECIAL[3:] if chat else []
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=made, additional_special_tokens=more, **names)
    fast.chat_template = CHAT if chat else None
    return fast


def causal(family: str, dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    name, settings = CAUSAL[family]
    torch.manual_seed(0)
    end = "LMHeadModel" if name == "GPT2" else "ForCausalLM"
    config = getattr(transformers, f"{name}Config")(**settings | changes)
    return getattr(transformers, f"{name}{end}")(config).eval().to(dtype)


def encoder_decoder(family: str, dtype: torch.dtype = torch.float32) -> Any:
    name, config, settings = DECODERS[family]
    torch.manual_seed(0)
    return getattr(transformers, name)(getattr(transformers, config)(**settings)).eval().to(dtype)
