"""Where the path of a text starts: what stands in place of its own tokens; special tokens stay what they are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.adapters.text.encoding import TextLike, encode
from gradline.adapters.text.model import TextModel
from gradline.core.baselines import AtSite, Baseline, Each, Given, Group, PerInput, as_baseline
from gradline.errors import BaselineError, InputError

CHUNK = 8192
"""Rows of an embedding that are averaged at a time."""


@dataclass(frozen=True, eq=False)
class Start:
    """A baseline settled for texts that are known.

    `baseline`: for `gl.Score`. `ids (N, T)`: the tokens that the path starts at, None where those are none. `words`:
    the baseline in words.
    """

    baseline: Baseline
    ids: Tensor | None
    words: str


class TextBaseline(Baseline):
    """A start in words: `at` settles it for a model and texts."""

    def start(self, group: Group) -> Tensor:
        name = type(self).__name__
        raise BaselineError(f"gl.text.{name} with a text, in gl.explain_text or gl.text.text_case", "a bare tensor")

    @abstractmethod
    def at(self, model: TextModel, ids: Tensor, free: Tensor) -> Start:
        """The start for texts with token `ids (N, T)`; `free (N, T)`: tokens that may be replaced."""


@dataclass(frozen=True)
class MaskToken(TextBaseline):
    """Every token of the text becomes the tokenizer's mask token: what a masked language model knows as "no word here".

    Raises `BaselineError` where the tokenizer has none.
    """

    def at(self, model: TextModel, ids: Tensor, free: Tensor) -> Start:
        token = model.mask_token
        if token is None:
            raise BaselineError(f"a mask token in the tokenizer of {model.name}", "none", _others(model, "MaskToken"))
        return _of_ids(model, _put(ids, free, token), f"mask token {model.tokenizer.mask_token}")


@dataclass(frozen=True)
class PadToken(TextBaseline):
    """Every token of the text becomes the padding token, which most models have hardly seen where attention is.

    Raises `BaselineError` where the tokenizer has none of its own.
    """

    def at(self, model: TextModel, ids: Tensor, free: Tensor) -> Start:
        token = model.pad_token
        if token is None:
            remedy = _others(model, "PadToken")
            raise BaselineError(f"a padding token in the tokenizer of {model.name}", "none of its own", remedy)
        return _of_ids(model, _put(ids, free, token), f"padding token {model.tokenizer.pad_token}")


@dataclass(frozen=True)
class MeanEmbedding(TextBaseline):
    """Every token of the text gets the mean of the embeddings of all tokens of the vocabulary."""

    def at(self, model: TextModel, ids: Tensor, free: Tensor) -> Start:
        mean = mean_embedding(model).expand(1, ids.shape[1], -1)
        return Start(AtSite(Kept(Given(mean), free)), None, "mean embedding")


@dataclass(frozen=True)
class OtherText(TextBaseline):
    """The tokens of another text in the place of the text's own, in order; padding, or a mask, where it is shorter.

    `text`: one for all texts (a pair for pairs), or a list of N. Raises `BaselineError` for a longer one.
    """

    text: TextLike | Sequence[TextLike]

    def at(self, model: TextModel, ids: Tensor, free: Tensor) -> Start:
        own = self.text if isinstance(self.text, list) else [self.text]
        try:
            others = encode(model, list(own))
        except InputError as error:
            raise BaselineError(error.expected, error.got, error.remedy) from error
        if len(own) not in (1, len(ids)):
            raise BaselineError(f"one text, or {len(ids)}", f"{len(own)}")
        filler = model.pad_token if model.pad_token is not None else model.mask_token
        made = ids.clone()
        for k in range(len(ids)):
            row = 0 if len(own) == 1 else k
            there = others.ids[row][others.free[row]]
            places = free[k].nonzero().flatten()
            missing = len(places) - len(there)
            if missing < 0:
                got = f"{len(there)} in the baseline"
                raise BaselineError(f"at most {len(places)} tokens, as the text has", got, "give a shorter text")
            if missing and filler is None:
                raise BaselineError(f"{len(places)} tokens, as the text has", f"{len(there)}", "there is no padding")
            rest = there.new_full((missing,), filler or 0)
            made[k, places] = torch.cat([there, rest]).to(made.device)
        return _of_ids(model, made, "another text")


@dataclass(frozen=True, eq=False)
class Kept(Baseline):
    """A start at the site for some tokens; all others stay what they are.

    `part`: gives starts `(B, K, T, D)`. `free (N, T)`: booleans, the tokens that it holds for.
    """

    part: Baseline
    free: Tensor

    @property
    def draws(self) -> int:
        return self.part.draws

    @property
    def random(self) -> bool:
        return self.part.random

    def check(self, x: Tensor) -> None:
        self.part.check(x)
        if x.shape[:2] != self.free.shape:
            raise BaselineError(f"embeddings of {tuple(self.free.shape)} tokens", f"shape {tuple(x.shape)}")

    def start(self, group: Group) -> Tensor:
        made = self.part.start(group)
        free = self.free[group.rows.to(self.free.device)].to(made.device)
        return torch.where(free[:, None, :, None], made, group.x.unsqueeze(1))


def default_baseline(model: TextModel) -> TextBaseline:
    """The mask token where the tokenizer has one, else a padding token of its own, else the mean embedding."""
    if model.mask_token is not None:
        return MaskToken()
    return PadToken() if model.pad_token is not None else MeanEmbedding()


def resolved(wanted: object, model: TextModel, ids: Tensor, free: Tensor) -> Start:
    """A baseline for texts with token `ids (N, T)`, of which those `free (N, T)` may be replaced.

    `wanted`: None for `default_baseline`; a part of `gl.text`; another text; token ids `(N, T)` or `(1, T)`; a part of
    `gl.baselines`, a number or a floating-point tensor `(N, T, D)`, which are taken at the embedding:
    `gl.baselines.Zero()` is the zero embedding. Special tokens keep theirs, but with `AtSite` and token ids, which say
    all. Raises `BaselineError`.
    """
    match wanted:
        case None:
            return default_baseline(model).at(model, ids, free)
        case str():
            return OtherText(wanted).at(model, ids, free)
        case list() if all(isinstance(text, str | tuple) for text in wanted):
            return OtherText(wanted).at(model, ids, free)
        case (str() as first, str() as second):
            return OtherText((first, second)).at(model, ids, free)
        case Tensor() if not wanted.is_floating_point():
            Given(wanted).check(ids)
            return _of_ids(model, wanted.to(ids).expand_as(ids), "token ids")
    part = as_baseline(wanted)
    match part:
        case TextBaseline():
            return part.at(model, ids, free)
        case Each():
            starts = [resolved(one, model, ids, free) for one in part.parts]
            words = ", ".join(dict.fromkeys(s.words for s in starts))
            return Start(Each(*(s.baseline for s in starts)), starts[0].ids, words)
        case AtSite():
            return Start(part, None, _words(part.part))
        case PerInput():
            return Start(part, None, "")
        case _:
            return Start(AtSite(Kept(part, free)), None, _words(part))


def mean_embedding(model: TextModel) -> Tensor:
    """The mean of what the embedding returns for the tokens of the vocabulary `(1, 1, D)`, in float32 at least."""
    table = model.table
    if table is None:
        raise BaselineError(f"a table of embeddings in {model.name}", "none", "gl.baselines.Zero() needs none")
    count = min(len(model.tokenizer), len(table)) if hasattr(model.tokenizer, "__len__") else len(table)
    total: Tensor | float = 0.0
    with torch.no_grad():
        for some in torch.arange(count, device=table.device).split(CHUNK):  # type: ignore[no-untyped-call]
            total = total + model.embedding(some.unsqueeze(0)).double().sum((0, 1))  # scaled embeddings scale here too
    mean = torch.as_tensor(total) / count
    return mean.to(torch.promote_types(table.dtype, torch.float32))[None, None]


def start_texts(model: TextModel, ids: Tensor | None, places: Sequence[int], row: int) -> tuple[str, ...]:
    """What stands at these places where the path starts; () where those are no tokens."""
    if ids is None:
        return ()
    return tuple(map(str, model.tokenizer.convert_ids_to_tokens(ids[row, list(places)].tolist())))


def _of_ids(model: TextModel, ids: Tensor, words: str) -> Start:
    """Token ids are pushed through the model to the embedding, so that a scale in it counts."""
    return Start(PerInput({"input_ids": Given(ids)}), ids, words)


def _put(ids: Tensor, free: Tensor, token: int) -> Tensor:
    return torch.where(free, torch.full_like(ids, token), ids)


def _others(model: TextModel, but: str) -> str:
    known: Mapping[str, bool] = {
        "MaskToken": model.mask_token is not None,
        "PadToken": model.pad_token is not None,
        "MeanEmbedding": True,
    }
    return "there are " + ", ".join(f"gl.text.{name}()" for name, there in known.items() if there and name != but)


def _words(part: Baseline) -> str:
    from gradline.adapters.display import in_words

    return "zero embedding" if type(part).__name__ == "Zero" else in_words(part)
