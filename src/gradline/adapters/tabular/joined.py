"""A model whose embedded categories are moved: the same forward, with vectors in place of what layers return."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from gradline.adapters.tabular.model import TabularModel
from gradline.errors import InputError
from gradline.question.guard import undisturbed
from gradline.question.sites import Ear, Reached, Tap


class Joined(nn.Module):
    """The model as a function of its packed numbers, codes and embedding vectors, all by name.

    A vector stands in for what its layer returns, while this module runs and in this thread only; the model itself
    stays as it is. `entries`: layer to the name of its vectors in x. Its layers keep the names that the model gives
    them.
    """

    def __init__(self, described: TabularModel) -> None:
        super().__init__()
        self.training = False  # of its own it has nothing that trains; the model inside says for itself
        self.inner: Any = described.model
        self.described = described
        self.taps = {layer: layer.find(described.model) for layer in described.layers}
        columns = {column.name for column in described.columns}
        self.numbers, self.codes = _unlike("numbers", columns), _unlike("codes", columns)
        self.entries = {layer: "+".join(names) for layer, names in described.layers.items()}

    def named_modules(
        self, memo: set[nn.Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Module]]:
        """Of the model, under its own names."""
        yield prefix, self
        owner = getattr(self.inner, "__self__", self.inner)
        if isinstance(owner, nn.Module):
            for name, module in owner.named_modules(memo, prefix, remove_duplicate):
                yield name or "model", module

    def forward(self, **given: Tensor) -> Any:
        """The model's output for rows of packed numbers `(R, P)`, codes `(R, C)` and vectors `(R, …, D)`."""
        rows = len(next(iter(given.values())))
        ears = {
            tap: Ear(tap, rows, put=given[self.entries[layer]])
            for layer, tap in self.taps.items()
            if self.entries[layer] in given
        }
        arguments, named = self._arguments(given)
        with _listening(ears):
            output = self.inner(*arguments, **named)
        for ear in ears.values():
            ear.result()
        return output

    def vectors(self, numbers: Tensor | None, codes: Tensor) -> dict[str, Tensor]:
        """What the layers return for codes `(R, C)`: name to `(R, …, D)`. Raises `InputError` for shapes that do not
        fit the columns."""
        given = {self.codes: codes} | ({} if numbers is None else {self.numbers: numbers})
        awaited = set(self.taps.values())
        ears = {tap: Ear(tap, len(codes), awaited=awaited) for tap in self.taps.values()}
        arguments, named = self._arguments(given)
        with undisturbed(self.inner, codes.device), torch.no_grad(), _listening(ears), suppress(Reached):
            self.inner(*arguments, **named)
        found = {}
        for layer, tap in self.taps.items():
            heard, names = ears[tap].result().detach(), self.described.layers[layer]
            shared = len(names) > 1
            if len(heard) != len(codes) or (shared and (heard.ndim != 3 or heard.shape[1] != len(names))):
                wanted = f"(rows, {len(names)}, D)" if shared else "(rows, D)"
                got = f"shape {tuple(heard.shape)} for {len(codes)} rows"
                raise InputError(f"layer {tap.label} to return {wanted} for column {', '.join(names)}", got)
            found[self.entries[layer]] = heard
        return found

    def _arguments(self, given: dict[str, Tensor]) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The model's arguments, put together from their columns."""
        order = [column.name for column in self.described.embedded]
        positional, named = [], {}
        for name, columns, single in self.described.arguments:
            coded = all(column in order for column in columns)
            parts = [
                given[self.codes][:, order.index(c)].unsqueeze(1)
                if c in order
                else given[self.numbers][:, self.described.packed[c]]
                for c in columns
            ]
            like = next((part for part in parts if part.is_floating_point()), None)
            like = self.described.like if like is None and not coded else like
            parts = parts if coded or like is None else [part.to(like) for part in parts]
            whole = torch.cat(parts, 1)
            whole = whole[:, 0] if single and whole.shape[1] == 1 else whole
            if name is None:
                positional.append(whole)
            else:
                named[name] = whole
        return positional, named


@contextmanager
def _listening(ears: dict[Tap, Ear]) -> Iterator[None]:
    with ExitStack() as around:
        for tap, ear in ears.items():
            around.callback(tap.module.register_forward_hook(ear).remove)
        yield


def _unlike(name: str, others: set[str]) -> str:
    """A name that no column has."""
    while name in others:
        name += "_"
    return name
