"""Starts taken from a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core.baselines.base import Baseline, Group, check_values, check_whole
from gradline.core.random import generator
from gradline.errors import BaselineError

Inputs = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]


@dataclass(frozen=True, init=False, eq=False)
class FromData(Baseline):
    """Examples of a data set: A = E_{x' ~ data} A(x, x'), the expectation of Expected Gradients.

    `data`: `(M, *F)`, one example a row; for several inputs a tuple or mapping of such tensors, of which one draw takes
    the same row. `draws`: how many distinct rows an example, drawn without replacement (each example its own; the same
    rows for every input). None, or M and more: every row once, and then nothing is random.

    Raises `BaselineError` unless the rows have the shape and the kind of x, and are finite. Erion et al. (Nature
    Machine Intelligence 2021) draw with replacement and read one gradient on the way from each reference, at a random
    place; here the references differ and every way is integrated.
    """

    data: Inputs
    sample: int | None

    def __init__(self, data: Inputs, draws: int | None = None) -> None:
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "sample", draws)
        if draws is not None:
            check_whole(self, "draws", draws)
        tensors = _named(data)
        for name, tensor in tensors.items():
            if not isinstance(tensor, Tensor) or not tensor.ndim or not len(tensor):
                got = f"shape {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
                of = f" for input {name}" if name else ""
                raise BaselineError(f"a tensor of data (M, …){of} for FromData, an example a row", got)
        if len({len(tensor) for tensor in tensors.values()}) != 1:
            lengths = ", ".join(f"{name}: {len(tensor)}" for name, tensor in tensors.items())
            raise BaselineError("as many rows of data for every input", lengths or "no data")

    @property
    def rows(self) -> int:
        """M, the examples in the data set."""
        return len(next(iter(_named(self.data).values())))

    @property
    def draws(self) -> int:
        return self.rows if self.sample is None else min(self.sample, self.rows)

    @property
    def random(self) -> bool:
        return self.draws < self.rows

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in _named(self.data) if name)

    def of_input(self, name: str) -> Baseline | None:
        if isinstance(self.data, Tensor):
            return self
        found = _named(self.data).get(name)
        return None if found is None else FromData(found, self.sample)

    def check(self, x: Tensor) -> None:
        data = self._single()
        if data.shape[1:] != x.shape[1:]:
            raise BaselineError(f"data of shape {('M', *x.shape[1:])}".replace("'", ""), f"shape {tuple(data.shape)}")
        check_values("data set", data, x)

    def start(self, group: Group) -> Tensor:
        data, x = self._single().detach(), group.x
        if not self.random:
            return data.to(x).expand(len(group.names), *data.shape)
        keys = [generator(group.seed, name, "FromData", group.first) for name in group.names]  # the same for all inputs
        drawn = torch.stack([torch.randperm(self.rows, generator=key, device="cpu")[: self.draws] for key in keys])
        return data[drawn.to(data.device)].to(x)

    def _single(self) -> Tensor:
        if isinstance(self.data, Tensor):
            return self.data
        raise BaselineError("data for one input", f"data for inputs {', '.join(self.names)}", "pass x in the same way")


def _named(data: Inputs) -> dict[str, Tensor]:
    match data:
        case Mapping():
            return {str(name): tensor for name, tensor in data.items()}
        case tuple():
            return {str(place): tensor for place, tensor in enumerate(data)}
    return {"": data}
