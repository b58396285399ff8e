"""What every target is: one number for each row of the model's output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gradline.errors import TargetError


class Target(ABC):
    """Picks one scalar a row from the model's output. A row's scalar depends on that row alone.

    `bounded`: it saturates (a probability). `layer`: if set, a `gl.Layer` whose output, one tensor `(R, ...)`, is what
    `freeze` and `pick` get in place of the model's output.
    """

    if TYPE_CHECKING:  # to read only; a plain attribute at run time, so that a field may take its place

        @property
        def bounded(self) -> bool: ...
        @property
        def layer(self) -> object | None: ...
    else:
        bounded = False
        layer = None

    def freeze(self, output: Any, rows: int) -> Target:
        """The target with everything that depends on x settled at x; checks that it fits the output of `rows` rows."""
        return self

    @abstractmethod
    def pick(self, output: Any, owner: Tensor) -> Tensor:
        """Scalars `(R,)` from the output for rows that belong to examples `owner (R,)`."""

    @abstractmethod
    def describe(self, example: int) -> str:
        """What is explained of this example, in words, for cards and provenance."""

    def margin(self) -> Target:
        """The class explained less the best other class: it changes its sign where the decision does."""
        raise TargetError(
            "a target whose class has rivals",
            f"{type(self).__name__}, which has none",
            "aim at a class, such as gl.Logit(3), or at gl.Predicted()",
        )
