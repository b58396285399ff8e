"""How words are taken from a text: replaced where they stand, or left out; and which of them stay whatever happens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, PixelSpace, as_baseline
from gradline.errors import InputError
from gradline.metrics.asking import Ask, AskOf
from gradline.metrics.curves.sweep import usual_fill
from gradline.metrics.subject import Subject
from gradline.metrics.units import Partition
from gradline.question.inputs import is_integer

Gone = Callable[[Tensor], Tensor]
"""Which units some of the rows lack: `(r,)` to bool `(r, U)`."""


class Removal(ABC):
    """A way to take units from an example."""

    @abstractmethod
    def ask(
        self, subject: Subject, partition: Partition, key: tuple[Any, ...], owner: Tensor, gone: Gone
    ) -> Ask | AskOf:
        """The question what R rows score that lack some units, `owner (R,)`."""

    def empty(self, subject: Subject, partition: Partition, owner: Tensor, gone: Gone) -> Tensor:
        """The rows of which nothing would be left to show to the model: bool `(R,)`."""
        return torch.zeros(len(owner), dtype=torch.bool)

    def within(self, pixels: PixelSpace) -> Removal:
        """The same where black and white are known."""
        return self

    @abstractmethod
    def worded(self, subject: Subject) -> str:
        """The way in words."""


@dataclass(frozen=True, init=False)
class Fill(Removal):
    """Units are replaced where they stand; nothing moves. `baseline`: what replaces them, in the space of the input,
    so `{"input_ids": 103}` puts [MASK] in at an embedding; without one, a large blur for images, zero otherwise, which
    an x of several integer inputs cannot do without naming one."""

    baseline: Baseline | None

    def __init__(self, baseline: object = None) -> None:
        object.__setattr__(self, "baseline", None if baseline is None else as_baseline(baseline))

    def ask(self, subject: Subject, partition: Partition, key: tuple[Any, ...], owner: Tensor, gone: Gone) -> Ask:
        part = usual_fill(self.baseline, subject)
        filled = subject.fill(part)

        def points(rows: Tensor) -> Tensor:
            here = owner[rows].to(subject.x.device)
            mask = partition.spread(gone(rows), owner[rows]).to(subject.x.device)
            return torch.where(mask, filled[here], subject.x[here])

        return Ask((*key, "fill", part), owner, points)

    def within(self, pixels: PixelSpace) -> Removal:
        return self if self.baseline is None else Fill(self.baseline.within(pixels))

    def worded(self, subject: Subject) -> str:
        return f"replaced by {usual_fill(self.baseline, subject)!r}"


@dataclass(frozen=True)
class Drop(Removal):
    """Words are left out, and later ones move up; rows keep their length by padding that the model does not see.

    For an x of word ids `(N, T)` and units that are positions of a layer `(N, T, …)`. `ids`: the input that holds them;
    any name, where one input alone is integers `(N, T)`. `mask`: the input or context that is 1 where the model looks,
    None for a model that knows padding by its id. `pad`: the id put in. `beside`: inputs that go with their words,
    where there are any. `left`: padding goes in front, for models that read the last position. Other inputs, positions
    say, stay as they are.
    """

    ids: str = "input_ids"
    mask: str | None = "attention_mask"
    pad: int = 0
    beside: tuple[str, ...] = ("token_type_ids",)
    left: bool = False

    def ask(self, subject: Subject, partition: Partition, key: tuple[Any, ...], owner: Tensor, gone: Gone) -> AskOf:
        ids, lost = self._tokens(subject, partition, owner, gone)
        order = (~lost if self.left else lost).int().argsort(dim=1, stable=True)
        padded = lost.gather(1, order)
        fills = {ids: self.pad, **({} if self.mask is None else {self.mask: 0}), **dict.fromkeys(self.beside, 0)}

        def moved(name: str, value: Any) -> Any:
            if not isinstance(value, Tensor) or value.ndim == 0:
                return value
            rows = value.expand(len(subject), *value.shape[1:])[owner.to(value.device)]
            if name not in fills:
                return rows
            if rows.shape != order.shape:
                raise InputError(f"{name} of shape {(len(subject), order.shape[1])}", f"shape {tuple(value.shape)}")
            return rows.gather(1, order.to(rows.device)).masked_fill(padded.to(rows.device), fills[name])

        entries = {name: moved(name, value) for name, value in _entries(subject.inputs).items()}
        context = {name: moved(name, value) for name, value in (subject.score.context or {}).items()}
        x: Any = entries if isinstance(subject.inputs, Mapping) else tuple(entries.values())
        return AskOf((*key, self), owner, x[0] if isinstance(subject.inputs, Tensor) else x, context or None)

    def empty(self, subject: Subject, partition: Partition, owner: Tensor, gone: Gone) -> Tensor:
        _, lost = self._tokens(subject, partition, owner, gone)
        return ~(~lost & seen_tokens(subject, self.mask, lost.shape[1])[owner]).any(1)

    def worded(self, subject: Subject) -> str:
        return "left out"

    def _tokens(self, subject: Subject, partition: Partition, owner: Tensor, gone: Gone) -> tuple[str, Tensor]:
        """The name of the ids, and which of them each row lacks, `(R, T)`. Raises `InputError`."""
        entries = _entries(subject.inputs)
        plain = [name for name, value in entries.items() if is_integer(value) and value.ndim == 2]
        ids = self.ids if self.ids in entries else plain[0] if len(plain) == 1 else None
        if ids is None:
            raise InputError(
                f"word ids {self.ids!r} in x for Drop", f"inputs {list(entries)}", "name them: Drop(ids=…)"
            )
        if self.mask is not None and self.mask not in entries | dict(subject.score.context or {}):
            remedy = "pass it in x or context=, or Drop(mask=None) for a model that knows padding by its id"
            raise InputError(f"{self.mask!r} for Drop, which hides what is left out from the model", "none", remedy)
        if not self.left and not bool(seen_tokens(subject, self.mask, entries[ids].shape[1])[:, 0].all()):
            raise InputError("padding behind the words for Drop", "padding in front", "use Drop(left=True)")
        lost = partition.spread(gone(torch.arange(len(owner))), owner)
        if lost.ndim < 2 or lost[0].numel() != entries[ids].shape[1]:
            shapes = f"word ids of shape {tuple(entries[ids].shape)}, values of shape {tuple(subject.x.shape)}"
            raise InputError("a unit for each word for Drop", shapes, "use units=Positions() at a layer (N, T, …)")
        return ids, lost.reshape(len(owner), -1)


@dataclass(frozen=True)
class Special:
    """Words that stay: those with these `ids`, such as the ones of [CLS] and [SEP], and those that `mask` hides from
    the model, where there is such an input or context. `input`: what holds the ids."""

    ids: tuple[int, ...] = ()
    input: str = "input_ids"
    mask: str | None = "attention_mask"

    def flags(self, subject: Subject) -> Tensor:
        """bool `(N, T)`, or `(N, 1)` where nothing is known of single words. Raises `InputError`."""
        entries = _entries(subject.inputs)
        hidden = torch.zeros(len(subject), 1, dtype=torch.bool)
        if self.mask is not None:
            hidden = ~seen_tokens(subject, self.mask, 1)
        if not self.ids:
            return hidden
        only = next(iter(entries.values())) if len(entries) == 1 else None
        words = entries.get(self.input, only)
        if not (isinstance(words, Tensor) and is_integer(words) and words.ndim == 2):
            raise InputError(f"word ids {self.input!r} in x to find special ones", f"inputs {list(entries)}")
        return hidden | torch.isin(words.cpu(), torch.tensor(self.ids))


@dataclass(frozen=True, eq=False)
class Marked:
    """Words that stay, marked one by one: `where (N, T)` bool, or `(1, T)`."""

    where: Tensor

    def flags(self, subject: Subject) -> Tensor:
        """bool `(N, T)`. Raises `InputError`."""
        if not isinstance(self.where, Tensor) or self.where.ndim != 2 or len(self.where) not in (1, len(subject)):
            got = f"shape {tuple(self.where.shape)}" if isinstance(self.where, Tensor) else type(self.where).__name__
            raise InputError(f"marks of shape ({len(subject)}, T)", got)
        return self.where.cpu().bool().expand(len(subject), -1)


def free_units(subject: Subject, partition: Partition, frozen: Special | Marked) -> Partition:
    """The partition without the units that hold a frozen word: they count as not there. Raises `InputError`."""
    flags = frozen.flags(subject)
    if flags.shape[1] not in (1, subject.x.shape[1]):
        wanted = f"one flag for each of {subject.x.shape[1]} positions"
        raise InputError(wanted, f"{flags.shape[1]} of them", "say frozen=Marked(…), or Special(mask=None)")
    held = partition.largest(flags.double().reshape(*flags.shape, *[1] * (subject.x.ndim - 2))) > 0
    return replace(partition, sizes=torch.where(held, 0, partition.sizes))


def seen_tokens(subject: Subject, mask: str | None, length: int) -> Tensor:
    """Where the model looks, by the input or context of this name: bool `(N, T)` on the CPU; all without one."""
    found = {**_entries(subject.inputs), **(subject.score.context or {})}.get(mask) if mask is not None else None
    if not isinstance(found, Tensor) or found.ndim != 2:
        return torch.ones(len(subject), length, dtype=torch.bool)
    return (found != 0).cpu().expand(len(subject), -1)


def _entries(x: Any) -> dict[str, Any]:
    """The inputs by name, "0", "1" … by position."""
    if isinstance(x, Mapping):
        return {str(name): value for name, value in x.items()}
    return dict(zip(map(str, range(len(x))), x, strict=True)) if isinstance(x, tuple) else {"0": x}
