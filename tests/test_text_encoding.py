"""Tokens, words and sentences of a text: every kind of tokenizer, any script, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from text_cases import CORPUS, TOKENIZERS, byte_level, tiny, tokenizer_of, unigram, wordpiece

import gradline as gl
from gradline.adapters.text import Task, TextModel, encode, pieces_of, text_model
from gradline.adapters.text.pieces import aligned, word_texts
from gradline.adapters.text.segments import glued, sentence_starts, word_spans


def words(text: str) -> list[str]:
    return [text[a:b] for a, b in word_spans(text)]


def model_with(tokenizer: Any, **more: Any) -> TextModel:
    return TextModel("tiny", tiny("Bert", "SequenceClassification", **more), tokenizer, Task.SEQUENCE)


# ---------------------------------------------------------------------------------------------------- segments


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I didn't like it.", ["I", "didn't", "like", "it", "."]),
        ("  A well-made film, 3.5 of 5!!", ["A", "well-made", "film", ",", "3.5", "of", "5", "!!"]),
        ("电影很好。", ["电", "影", "很", "好", "。"]),
        ("👩‍🚀🎬👍🏽 🇫🇷!", ["👩‍🚀", "🎬", "👍🏽", "🇫🇷", "!"]),
        ("naïve हिन्दी שלום", ["naïve", "हिन्दी", "שלום"]),
        ("(it's) -- 'so' ...", ["(", "it's", ")", "--", "'", "so", "'", "..."]),
        ("'tis 1,000.", ["'", "tis", "1,000", "."]),
        (" \n\t", []),
    ],
)
def test_words_of_any_script(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It was good. I liked it! Did you?", 3),
        ("Dr. Smith paid 3.5 dollars to J. Doe. Fine.", 2),
        ("“Good.” She left.", 2),
        ("Well... it was long. 很好。我喜欢！", 3),
        ("one line\nanother one", 2),
        ("no end", 1),
        ("trailing.  ", 1),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentence_starts(text)) == count


def test_words_that_a_token_covers_parts_of_are_one() -> None:
    spans = [(0, 1), (1, 2), (2, 5), (6, 8)]
    assert glued(spans, [(0, 2), (2, 5), (6, 7)]) == [(0, 2), (2, 5), (6, 8)]
    assert glued(spans, [(0, 2), (1, 8)]) == [(0, 8)]
    assert glued(spans, [(0, 0), (5, 6)]) == spans
    assert glued([], [(0, 1)]) == []


# ---------------------------------------------------------------------------------------------------- pieces


TEXTS = [
    *CORPUS,
    "  The movie was unbelievably great.  ",
    "这部电影很好看。",
    "naïver 🎬👩‍🚀 Plan...",
    "boring\n\nfilm",
    "Zürich?!",
]


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_pieces_say_the_text_again_and_words_are_never_cut(kind: str) -> None:
    """Whatever the tokenizer: every visible character in one piece, numbers in order, words as in the text."""
    tokenizer = TOKENIZERS[kind]()
    for text in TEXTS:
        encoded = encode(model_with(tokenizer), text)
        (pieces,) = encoded.pieces
        own = [p for p in pieces if not p.special]
        assert "".join("".join(p.text.split()) for p in own) == "".join(text.split())
        assert [p.place for p in pieces] == list(range(len(pieces)))
        numbers = [p.word for p in own]
        assert all(0 <= b - a <= 1 for a, b in pairwise(numbers))
        assert numbers[0] == 0
        sentences = [p.sentence for p in own]
        assert sentences == sorted(sentences)
        home = {p.word: p.sentence for p in own}
        assert all(home[p.word] == p.sentence for p in own)
        said = [w for w in word_texts(pieces).values() if w]
        plain, at = words(text), 0
        for word in said:  # each a run of the words of the text
            run = ""
            while run != "".join(word.split()):
                run, at = run + plain[at], at + 1
        assert at == len(plain)
        assert [p.text for p in pieces if p.special] == list(
            map(tokenizer.convert_ids_to_tokens, (tokenizer.cls_token_id, tokenizer.sep_token_id))
        )
        assert encoded.free[0].tolist() == [not p.special for p in pieces]


def test_sub_words_belong_together_in_every_kind() -> None:
    for kind, made in TOKENIZERS.items():
        encoded = encode(model_with(made()), "It was boringly slow.")
        assert list(word_texts(encoded.pieces[0]).values()) == ["It", "was", "boringly", "slow", "."], kind
        assert sum(p.word == 2 for p in encoded.pieces[0]) > 1, kind
        spaces = [p.space for p in encoded.pieces[0] if not p.special]
        assert sum(spaces) == 3, kind


def test_bytes_of_an_emoji_have_one_text() -> None:
    pieces = encode(model_with(byte_level()), "so 😀 !").pieces[0]
    emoji = [p for p in pieces if p.word == 1]
    assert len(emoji) > 1
    assert [p.text for p in emoji if p.text] == ["😀"]
    assert [p.space for p in emoji] == [True] + [False] * (len(emoji) - 1)
    assert next(p for p in pieces if p.word == 2).space


def test_two_texts_have_parts_and_go_on_counting() -> None:
    encoded = encode(model_with(wordpiece()), ("Great movie.", "Bad music! Slow."))
    pieces = encoded.pieces[0]
    assert [p.part for p in pieces] == ["first"] * 5 + ["second"] * 6
    assert [p.word for p in pieces if not p.special] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [p.sentence for p in pieces if not p.special] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert encoded.context["token_type_ids"][0].tolist() == [0] * 5 + [1] * 6
    for tokenizer in (byte_level(), unigram()):
        more = encode(model_with(tokenizer), ("Great movie.", "Bad music! Slow."))
        assert list(word_texts(more.pieces[0]).values()) == ["Great", "movie", ".", "Bad", "music", "!", "Slow", "."]
        assert {p.part for p in more.pieces[0] if p.word is not None and p.word > 2} == {"second"}


@pytest.mark.parametrize("side", ["left", "right"])
def test_places_follow_the_padding(side: str) -> None:
    tokenizer = wordpiece(padding_side=side)
    model = model_with(tokenizer)
    encoded = encode(model, ["Great.", "Bad music, and slow."])
    assert encoded.mask.sum(1).tolist() == [4, 8]
    for row, ids in zip(encoded.pieces, encoded.ids, strict=True):
        shown = tokenizer.convert_ids_to_tokens(ids[[p.place for p in row]].tolist())
        assert [t.removeprefix("##") for t in shown] == [p.text if p.special else p.text.casefold() for p in row]
    assert encoded.mask[0].tolist() == ([0] * 4 + [1] * 4 if side == "left" else [1] * 4 + [0] * 4)
    assert not encoded.free[encoded.mask == 0].any()


def test_a_prompt_of_a_language_model() -> None:
    """`pieces_of` on ids and offsets, counting from given numbers."""
    tokenizer = byte_level()
    made = tokenizer("Good\nmovie", add_special_tokens=False, return_offsets_mapping=True)
    pieces = pieces_of(
        tokenizer,
        made["input_ids"],
        "Good\nmovie",
        offsets=made["offset_mapping"],
        place=3,
        word=5,
        sentence=2,
        part="user",
    )
    assert pieces[0].place == 3
    assert (pieces[0].word, pieces[0].sentence, pieces[0].part) == (5, 2, "user")
    assert (pieces[-1].word, pieces[-1].sentence) == (6, 3)


def test_spelling_finds_tokens_where_there_are_no_offsets() -> None:
    text = "  Überraschend gut, naïve!"
    tokens = ["ub", "##err", "##aschend", "gut", ",", "naive", "!", None]
    assert [text[a:b] for a, b in aligned(text, tokens)] == ["Üb", "err", "aschend", "gut", ",", "naïve", "!", ""]
    assert [s[1] - s[0] for s in aligned("一个 known", ["[UNK]", "▁known"])] == [0, 5]
    for kind, made in TOKENIZERS.items():
        tokenizer = made()
        for sentence in CORPUS[:5]:
            fast = tokenizer(sentence, add_special_tokens=False, return_offsets_mapping=True)
            ids = fast["input_ids"]
            with_offsets = pieces_of(tokenizer, ids, sentence, offsets=fast["offset_mapping"])
            assert pieces_of(tokenizer, ids, sentence) == with_offsets, kind


class Slow:
    """A tokenizer without offsets, as those written in Python are."""

    is_fast = False

    def __init__(self, fast: Any) -> None:
        self.fast = fast

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fast, name)

    def __len__(self) -> int:
        return len(self.fast)

    def __call__(self, *texts: Any, **options: Any) -> Any:
        assert "return_offsets_mapping" not in options
        return dict(self.fast(*texts, **options))


@pytest.mark.parametrize("text", ["The movie was unbelievably slow.", ("Great movie.", "Bad music! Slow.")])
def test_a_tokenizer_without_offsets(text: Any) -> None:
    fast = wordpiece()
    a, b = encode(model_with(Slow(fast)), text), encode(model_with(fast), text)
    assert a.pieces == b.pieces
    assert torch.equal(a.ids, b.ids)


def test_kinds_of_tokens_go_where_there_is_an_embedding_for_them() -> None:
    assert "token_type_ids" not in encode(text_model(tiny("DistilBert", "MaskedLM"), wordpiece()), "Good.").context
    assert "token_type_ids" not in encode(text_model(tiny("Roberta", "MaskedLM"), byte_level()), ("a", "b")).context
    single = model_with(wordpiece(), type_vocab_size=1)
    assert "token_type_ids" not in encode(single, ("Good.", "Bad.")).context


# ---------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "words in the text, got an empty one; a model says nothing"),
        (" \n\t", "words in the text, got white space alone"),
        (["Good.", " "], "words in the text 1, got white space alone"),
        (("Good.", ""), "words in the second part of text, got an empty one"),
        ([], "at least one text, got an empty list"),
        (b"Good.", "text as a str.*got bytes; decode it"),
        (3, "text as a str, or two in a tuple.*got int"),
        (("a", "b", "c"), "got a tuple of str, str, str"),
        (["Good.", None], "text 1 as a str.*got NoneType"),
    ],
)
def test_what_is_no_text_is_refused(text: Any, says: str) -> None:
    with pytest.raises(gl.InputError, match=says):
        encode(model_with(wordpiece()), text)


def test_a_text_above_the_limit_is_refused_not_cut() -> None:
    long = "great " * 70
    with pytest.raises(gl.InputError, match=r"at most 66 tokens for tiny, got 72 in the text; shorten it"):
        encode(model_with(wordpiece()), long)
    with pytest.raises(gl.InputError, match=r"at most 20 tokens for tiny, got 72 in text 1 \('great"):
        encode(model_with(wordpiece(model_max_length=20)), ["great", long])
    roberta = text_model(tiny("Roberta", "SequenceClassification"), tokenizer_of("Roberta"))
    assert roberta.limit == 64  # two of 66 positions are before the first token
    fits = encode(roberta, "a" * 1)
    roberta.output(fits.arguments)
    with pytest.raises(gl.InputError, match="at most 64 tokens"):
        encode(roberta, "a " * 70)


def test_texts_of_several_lengths_need_a_mask() -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(400, 4)

        def get_input_embeddings(self) -> torch.nn.Module:
            return self.embed

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return self.embed(input_ids).sum(1)

    model = TextModel("plain", Plain(), wordpiece(), Task.SEQUENCE)
    assert encode(model, ["Great.", "Bad."]).context == {}
    with pytest.raises(gl.InputError, match="texts of one length for plain"):
        encode(model, ["Great.", "Bad music."])
