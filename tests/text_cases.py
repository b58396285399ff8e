"""Tiny tokenizers of every kind, and tiny transformers with random weights, for tests on text."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "The movie was great, and the actors were never boring.",
    "I didn't like the plot. It was slow, cheap and bad!",
    "Dr. Smith paid 3.5 dollars for a well-made coffee in Paris.",
    "Who wrote the book? Anna Berg wrote the book in Rome.",
    "Unbelievable acting, unbelievably dull music.",
    "这部电影很好看。演员也不错。",
    "Der Film war überraschend schön.",
    "Ein naïver Plan 🎬 und 👩‍🚀 am Ende 🇫🇷!",
]
"""Every character of these is known to the tokenizers."""

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ANGLED = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
VOCABULARY = 520
WORDS = [
    "the",
    "movie",
    "was",
    "great",
    "and",
    "actors",
    "were",
    "never",
    "like",
    "plot",
    "it",
    "slow",
    "cheap",
    "bad",
    "paid",
    "for",
    "coffee",
    "who",
    "wrote",
    "book",
    "music",
    "film",
    "good",
    "in",
    "may",
    "of",
    "is",
    "not",
]
"""Words that are one token; others fall into pieces and characters. No training: it would not be the same each time."""

PIECES = ["un", "bor", "ing", "ly", "acting", "able", "dull", "ann"]
LETTERS = sorted({c for text in CORPUS for c in text if not c.isspace()} | set("abcdefghijklmnopqrstuvwxyz.,!?"))


def wordpiece(**more: Any) -> PreTrainedTokenizerFast:
    """As BERT's: small letters, pieces that begin with ##."""
    known = [*SPECIAL, *WORDS, "paris", "rome", "anna", "berg", *PIECES, *LETTERS]
    known += [f"##{piece}" for piece in (*PIECES, *LETTERS)]
    vocabulary = {token: k for k, token in enumerate(dict.fromkeys(known))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, mask_token="[MASK]", **names, **more)


def byte_level(**more: Any) -> PreTrainedTokenizerFast:
    """As RoBERTa's: bytes, spaces are part of the token behind them."""
    merges = [(f"Ġ{word[:k]}", word[k]) for word in (*WORDS, "Paris", "Berg") for k in range(len(word))]
    merges += [(piece[:k], piece[k]) for piece in (*PIECES, "The", "Anna") for k in range(1, len(piece))]
    merges = [("Ġ", pair[1]) if pair[0] == "Ġ" else pair for pair in dict.fromkeys(merges)]
    known = [*ANGLED, *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in merges)]
    vocabulary = {token: k for k, token in enumerate(dict.fromkeys(known))}
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True)
    names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", mask_token="<mask>", **names, **more
    )


def unigram(**more: Any) -> PreTrainedTokenizerFast:
    """As that of XLM-R: SentencePiece's pieces, ▁ where a word begins."""
    known = [*(f"▁{word}" for word in (*WORDS, "The", "Paris")), *PIECES, "▁", *LETTERS]
    pieces = [(token, 0.0) for token in ANGLED]
    pieces += [(token, -2.0 if len(token) > 1 else -4.0) for token in dict.fromkeys(known)]
    made = Tokenizer(models.Unigram(pieces, unk_id=3))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", mask_token="<mask>", **names, **more
    )


TOKENIZERS = {"wordpiece": wordpiece, "byte level": byte_level, "unigram": unigram}

SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "initializer_range": 0.25,
    "max_position_embeddings": 66,
}
ROBERTA = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1}
DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
DISTIL = {
    "vocab_size": VOCABULARY,
    "dim": 16,
    "hidden_dim": 32,
    "n_layers": 1,
    "n_heads": 2,
    "initializer_range": 0.25,
    "max_position_embeddings": 64,
    "qa_dropout": 0.0,
}

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Bert": ("wordpiece", SIZES),
    "Roberta": ("byte level", SIZES | ROBERTA),
    "DistilBert": ("wordpiece", DISTIL),
    "Albert": ("unigram", SIZES | ROBERTA | {"embedding_size": 8, "type_vocab_size": 2}),
    "Electra": ("wordpiece", SIZES | {"embedding_size": 8}),
    "DebertaV2": ("unigram", SIZES | ROBERTA | DEBERTA | {"type_vocab_size": 0}),
    "XLMRoberta": ("unigram", SIZES | ROBERTA),
    "MPNet": ("byte level", SIZES | {"pad_token_id": 1}),
}
"""A family of transformers: which tokenizer it has, and a configuration."""

HEADS = ("SequenceClassification", "TokenClassification", "QuestionAnswering", "MaskedLM")


def tiny(family: str, head: str | None, *, seed: int = 0, **more: Any) -> Any:
    """A model of a family with a head, random weights, in evaluation mode; the encoder alone without a head."""
    import transformers

    labels = {
        "SequenceClassification": {"id2label": {0: "negative", 1: "positive", 2: "neutral"}},
        "TokenClassification": {"id2label": {0: "O", 1: "B-PER", 2: "B-LOC"}},
    }.get(head or "", {})
    config = getattr(transformers, f"{family}Config")(**FAMILIES[family][1], **labels, **more)
    torch.manual_seed(seed)
    kind = f"{family}Model" if head is None else f"{family}For{head}"
    return getattr(transformers, kind)(config).eval()


_KEPT: dict[str, PreTrainedTokenizerFast] = {}


def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a family, made once."""
    kind = FAMILIES[family][0]
    return _KEPT.setdefault(kind, TOKENIZERS[kind]())
