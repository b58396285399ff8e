"""What a baseline is, and for whom it is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gradline.core import random
from gradline.errors import BaselineError

if TYPE_CHECKING:
    from gradline.core.baselines.image import PixelSpace


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The examples that starts are asked for.

    `x (B, *F)`: one input of the model, or, for a start at a site, what the site shows at x. `rows (B,)`: their places
    in the whole batch, int64 on the CPU. `names`, `seed`: key of their random numbers; `input`: which of several
    inputs, so that two of them share no noise; `first`: draws that others of the same `Each` have taken before.
    """

    x: Tensor
    rows: Tensor
    names: tuple[str, ...]
    seed: int
    input: str = ""
    first: int = 0

    def generator(self, example: int, part: str, draw: int) -> torch.Generator:
        """The CPU generator of one example (its place in this group), one part and one draw."""
        key = f"{part}/{self.input}" if self.input else part
        return random.generator(self.seed, self.names[example], key, self.first + draw)


class Baseline(ABC):
    """A rule for the start of the path. The maps from its starts are averaged."""

    @property
    def draws(self) -> int:
        """How many starts an example."""
        return 1

    @property
    def random(self) -> bool:
        """The starts are a sample: the mean over them has a standard error."""
        return False

    @property
    def at_site(self) -> bool:
        """The start is given in the space of the site, not of the model's input."""
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """The model's inputs that it speaks of by name ("0", "1" … in a tuple); none: it holds for any input."""
        return ()

    @abstractmethod
    def start(self, group: Group) -> Tensor:
        """The starts `(B, draws, *F)`, in the dtype of x and on its device, possibly a view.

        Raises `BaselineError`.
        """

    def check(self, x: Tensor) -> None:
        """Raise `BaselineError` unless it fits the whole batch `x (N, *F)`."""
        return

    def within(self, pixels: PixelSpace) -> Baseline:
        """The same baseline where black and white are known; unchanged if it does not need them."""
        return self

    def of_input(self, name: str) -> Baseline | None:
        """What holds for one of several inputs, with as many draws; None: this input is held at x."""
        return self


def kind(dtype: torch.dtype) -> str:
    """Values of one kind can be told from each other and not turned into another kind in silence."""
    if dtype.is_floating_point:
        return "floating-point"
    return "boolean" if dtype == torch.bool else "complex" if dtype.is_complex else "integer"


def check_floating(part: Baseline, x: Tensor) -> None:
    """Raise `BaselineError` unless x is floating."""
    if not x.is_floating_point():
        name, remedy = type(part).__name__, "use Zero, Constant, a tensor of the same dtype, or FromData"
        raise BaselineError(f"a floating-point input, which {name} needs", f"{x.dtype}", remedy)


def check_whole(part: Baseline, field: str, value: object, least: int = 1) -> None:
    """Raise `BaselineError` unless `value` is a whole number and at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BaselineError(f"a whole number {field} >= {least} for {type(part).__name__}", f"{field}={value!r}")


def check_values(what: str, values: Tensor, x: Tensor) -> None:
    """Raise `BaselineError` unless the values `(M, *F)` are of x's kind and remain what they are in x's dtype."""
    wanted, got = kind(x.dtype), kind(values.dtype)
    if got != wanted:
        convert = {"floating-point": ".float()", "boolean": ".bool()"}.get(wanted, ".long()")
        article = "an" if wanted == "integer" else "a"
        raise BaselineError(f"{article} {wanted} {what}, as x is", f"{values.dtype}", f"convert it with {convert}")
    bad = 0
    for some in torch.split(values.detach(), max(1, 2**22 // max(1, values[:1].numel()))):
        kept = some.to(x.dtype)
        bad += int((~torch.isfinite(kept) if wanted == "floating-point" else kept.to(some.dtype) != some).sum())
    if bad and wanted == "floating-point":
        raise BaselineError(f"a finite {what}", f"{bad} NaN or infinite values in {x.dtype}")
    if bad:
        raise BaselineError(f"a {what} that fits {x.dtype}", f"{bad} values beyond its range")
