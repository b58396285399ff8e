"""What a caller may say in place of a target."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

from torch import Tensor

from gradline.errors import TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.classes import Logit, Predicted
from gradline.question.targets.functions import Function

TargetLike = None | int | Tensor | Target | Callable[[Any], Tensor]


def as_target(value: object) -> Target:
    """None is `Predicted()`, an int or a tensor of ints is `Logit`, a callable is `Function`."""
    match value:
        case None:
            return Predicted()
        case Target():
            return value
        case bool():
            pass
        case Integral():
            return Logit(int(value))
        case Tensor():
            return Logit(value)
        case _ if callable(value) and not isinstance(value, type):
            return Function(value)
    raise TargetError(
        "a class index, a tensor of them, a gl target such as gl.Probability(3), or a function of the output",
        repr(value) if isinstance(value, type) else type(value).__name__,
    )
