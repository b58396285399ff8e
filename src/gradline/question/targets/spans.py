"""Targets of models that write: log-probabilities of given tokens at given places."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gradline.errors import TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.reading import batch, rows_of, wide


@dataclass(frozen=True, eq=False)
class TokenSpan(Target):
    """The log-probability of a span of tokens: Σ_k log softmax(logits[:, positions_k])[ids_k], at most 0.

    The output, or its `logits`, is `(R, T, V)`. `ids`, `positions`: whole numbers `(K,)` for all examples or `(N, K)`,
    token k and the place whose logits predict it (in a causal model the one before the token's own). `against`: other
    tokens at the same places, like `ids`; log p(ids) − log p(against), in which softmax cancels. Both are read behind
    the same tokens, so that two answers compare this way if they differ in their last token alone. `mask`: booleans
    like `ids`, False where a shorter span is filled up. `words`: an example's span in words, for cards.

    The sum is taken in float32, in float64 for a float64 model. Raises `TargetError` unless all of that fits.
    """

    ids: Tensor
    positions: Tensor
    against: Tensor | None = field(default=None, kw_only=True)
    mask: Tensor | None = field(default=None, kw_only=True)
    words: tuple[str, ...] = field(default=(), kw_only=True, repr=False)

    def freeze(self, output: Any, rows: int) -> Target:
        logits = _logits(output, rows)
        places, vocabulary = logits.shape[1:]
        ids = _numbers(self.ids, "ids", rows, vocabulary)
        like = tuple(ids.shape)
        positions = _numbers(self.positions, "positions", rows, places, like)
        against = None if self.against is None else _numbers(self.against, "against", rows, vocabulary, like)
        mask = None if self.mask is None else _mask(self.mask, rows, like)
        if len(self.words) not in (0, rows):
            raise TargetError(f"words for {rows} examples", f"{len(self.words)}")
        return replace(self, ids=ids, positions=positions, against=against, mask=mask)

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        logits = _logits(output, len(owner))
        positions, ids = (self._of(values, owner, logits) for values in (self.positions, self.ids))
        rows = torch.arange(len(logits), device=logits.device).unsqueeze(1)
        read = logits[rows, positions].to(wide(logits))
        if self.against is None:
            each = torch.log_softmax(read, 2).gather(2, ids.unsqueeze(2)).squeeze(2)
        else:
            pair = torch.stack([ids, self._of(self.against, owner, logits)], 2)
            chosen = read.gather(2, pair)
            each = chosen[..., 0] - chosen[..., 1]
        if self.mask is not None:
            each = each.masked_fill(~self._of(self.mask, owner, logits), 0)
        return each.sum(1)

    @staticmethod
    def _of(values: Tensor, owner: Tensor, like: Tensor) -> Tensor:
        """What belongs to each row, `(R, K)`."""
        if values.ndim == 1:
            return values.to(like.device).expand(len(owner), -1)
        return rows_of(values, owner, like)

    def describe(self, example: int) -> str:
        if self.words:
            return f"log-probability of {self.words[example]}"
        ids = self._said(self.ids, example)
        what = f"token {ids[0]}" if len(ids) == 1 else f"{len(ids)} tokens"
        if self.against is None:
            return f"log-probability of {what}"
        others = self._said(self.against, example)
        return f"log-probability of {what} less that of {f'token {others[0]}' if len(others) == 1 else 'others'}"

    def _said(self, values: Tensor, example: int) -> list[int]:
        own = values if values.ndim == 1 else values[example]
        if self.mask is not None:
            own = own[self.mask if self.mask.ndim == 1 else self.mask[example]]
        return own.tolist()


def _logits(output: Any, rows: int) -> Tensor:
    expected = f"logits of shape ({rows}, tokens, vocabulary)"
    logits = batch(output, rows, expected, "check that the model keeps the batch axis first")
    if logits.ndim != 3:
        remedy = "gl.LogProbability explains a class of an output (N, classes)"
        raise TargetError(expected, f"shape {tuple(logits.shape)}", remedy)
    return logits


def _numbers(values: object, name: str, rows: int, size: int, like: tuple[int, ...] = ()) -> Tensor:
    """Whole numbers from 0 to `size` - 1, a copy on the CPU: `(K,)` or `(rows, K)`; of both if `like` has no axis."""
    shape = f"shape (K,) or ({rows}, K)"
    if like:
        shape = f"as many {name} as ids, shape ({like[-1]},) or ({rows}, {like[-1]})"
    if not isinstance(values, Tensor):
        raise TargetError(f"{name} as a tensor, {shape}", type(values).__name__)
    if values.dtype == torch.bool or values.is_floating_point() or values.is_complex():
        raise TargetError(f"{name} as whole numbers", f"{values.dtype}")
    fits = values.ndim in (1, 2) and values.shape[-1] and (values.ndim == 1 or len(values) == rows)
    if not fits or (like and values.shape[-1] != like[-1]):
        raise TargetError(shape if like else f"{name} of {shape}", f"shape {tuple(values.shape)}")
    checked = values.detach().to("cpu", torch.int64, copy=True)
    wrong = checked[(checked < 0) | (checked >= size)]
    if len(wrong):
        raise TargetError(f"{name} from 0 to {size - 1}", f"{int(wrong[0])}")
    return checked


def _mask(mask: object, rows: int, like: tuple[int, ...]) -> Tensor:
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        got = f"{mask.dtype}" if isinstance(mask, Tensor) else type(mask).__name__
        raise TargetError("mask as a tensor of booleans", got)
    if tuple(mask.shape) not in ((like[-1],), (rows, like[-1])):
        raise TargetError(f"a mask of shape ({like[-1]},) or {(rows, like[-1])}", f"shape {tuple(mask.shape)}")
    if not mask.any(-1).all():
        raise TargetError("a mask that leaves every example a token", "one without")
    return mask.detach().to("cpu", copy=True)
