"""Noisy copies of the examples and their maps: made once, whatever is asked of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.ranking import NOT_FINITE
from gradline.metrics.robustness.noise import InputNoise
from gradline.metrics.subject import Subject
from gradline.metrics.units import fitted

ZERO_MAP = "the map is zero: there is no change relative to it"
NO_NOISE = "the noise leaves the example as it is"
COPY_NOT_FINITE = "the map of a noisy copy is not finite"


@dataclass(frozen=True, eq=False)
class Copies:
    """`draws` noisy copies an example. `x (N, *F)`: the examples, as they were handed in.

    Raises `InputError` unless these are one floating-point tensor.
    """

    subject: Subject
    noise: InputNoise
    draws: int

    def __post_init__(self) -> None:
        x = self.subject.inputs
        if not isinstance(x, Tensor) or not x.is_floating_point():
            got = f"{x.dtype}" if isinstance(x, Tensor) else type(x).__name__
            raise InputError("examples that are one floating-point tensor, to which noise can be added", got)

    @property
    def x(self) -> Tensor:
        found: Tensor = self.subject.inputs
        return found.detach()

    def one(self, example: int, draw: int) -> Tensor:
        """A copy of one example: `(*F)`."""
        x = self.x[example]
        noise = self.noise.drawn(x, self.subject.generator(example, "noisy copy", draw))
        return (x + noise).to(x.dtype)

    def of(self, draw: int) -> Tensor:
        """One copy of every example: `(N, *F)`."""
        return torch.stack([self.one(i, draw) for i in range(len(self.x))])

    def points(self, rows: Tensor) -> Tensor:
        """Some of the copies `(r, *F)`, example by example, draw by draw."""
        return torch.stack([self.one(*divmod(row, self.draws)) for row in rows.tolist()])

    def maps(self, draw: int) -> Tensor:
        """Their maps: float64 `(N, V)` on the CPU. Raises `InputError` if they are unlike those that are judged."""
        subject = self.subject
        found = subject.explained_at(("noisy copy", self.noise, draw), self.of(draw))
        found = fitted(found, tuple(subject.x.shape[1:]))
        if found.shape != subject.maps.shape:
            raise InputError(
                f"an explainer whose maps are like those it is to explain, {tuple(subject.maps.shape)}",
                f"{tuple(found.shape)}",
            )
        return flat(found)

    def changes(self) -> Tensor:
        """The size of the maps' change, ‖a(x_j) − a(x)‖: `(N, draws)`."""
        own = flat(self.subject.maps)
        return torch.stack([(self.maps(j) - own).norm(dim=1) for j in range(self.draws)], 1)

    def moves(self) -> Tensor:
        """The size of the noise, ‖x_j − x‖ as the model sees it: `(N, draws)`."""
        x = flat(self.x)
        return torch.stack([(flat(self.of(j)) - x).norm(dim=1) for j in range(self.draws)], 1)

    def notes(self, moves: Tensor, *, relative: bool) -> tuple[str, ...]:
        """Why an example has no value, "" if it has; `relative` to the map's size."""
        own = flat(self.subject.maps)
        finite = torch.stack([self.maps(j).isfinite().all(1) for j in range(self.draws)], 1).all(1)
        reasons = {
            NOT_FINITE: ~own.isfinite().all(1),
            ZERO_MAP: (own == 0).all(1) & relative,
            NO_NOISE: (moves == 0).any(1),
            COPY_NOT_FINITE: ~finite,
        }
        rows = zip(*(holds.tolist() for holds in reasons.values()), strict=True)
        return tuple(next((r for r, h in zip(reasons, row, strict=True) if h), "") for row in rows)


def flat(values: Tensor) -> Tensor:
    """`(N, V)` in float64 on the CPU."""
    return values.detach().cpu().double().flatten(1)
