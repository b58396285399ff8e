"""The question put to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gradline.errors import InputError, SiteError
from gradline.question.bound import BoundScore
from gradline.question.derivatives import Derivative
from gradline.question.inputs import Inputs, check_inputs
from gradline.question.sites import Input, Layer, Site, Tap, first_embedding
from gradline.question.targets import TargetLike, as_target
from gradline.question.views import view_of


@dataclass(frozen=True, eq=False)
class Score:
    """F(x): one scalar of a model's output for each row of x.

    `model`: any callable that maps a batch to an output with as many rows: `model(x)` for a tensor, `model(*x)` for a
    tuple, `model(**x)` for a dict. `target`: what of the output is explained; a list asks for several attributions that
    share forwards. `site`: where the path is driven; the input. `context`: named arguments held fixed, tensors with
    first axis N. `derivative`: stands in for automatic differentiation where the model has none (`gl.derivatives`).
    """

    model: Callable[..., Any]
    target: TargetLike | Sequence[TargetLike] = None
    site: Site | None = field(default=None, kw_only=True)
    context: Mapping[str, Any] | None = field(default=None, kw_only=True)
    derivative: Derivative | None = field(default=None, kw_only=True)

    def bind(self, x: object, *, read: object = None) -> BoundScore:
        """The question put to the examples x, checked; gradients read at `read`, a Layer, if that is given.

        Raises `InputError` and its kinds.
        """
        if not callable(self.model):
            raise InputError("a model that can be called with a batch", type(self.model).__name__)
        if self.derivative is not None:
            if not isinstance(self.derivative, Derivative):
                raise InputError("a derivative of gl.derivatives", repr(self.derivative))
            self.derivative.check()
            if read is not None:
                raise InputError("gradients read where the path is driven, with derivative=", f"read={read}")
        inputs = check_inputs(x, self.context)
        drive = self._driven()
        if drive is None and not inputs.attributed:
            raise InputError("a floating-point x", _kinds(inputs), _embedding_advice(self.model))
        wanted = list(self.target) if isinstance(self.target, Sequence) else [self.target]
        if not wanted:
            raise InputError("at least one target", "an empty list")
        targets = tuple(as_target(t) for t in wanted)
        view = None if read is None else view_of(read, self.model, inputs, driven=drive is not None)
        return BoundScore(self.model, targets, inputs, drive, view, self.derivative)

    def _driven(self) -> Tap | None:
        match self.site:
            case None | Input():
                return None
            case Layer():
                return self.site.find(self.model)
            case _:
                raise SiteError("site as gl.Layer(…) or gl.Input()", repr(self.site))

    @property
    def asks_several(self) -> bool:
        """The target is a list: so is the answer."""
        return isinstance(self.target, Sequence)


def _kinds(inputs: Inputs) -> str:
    kinds = {str(v.dtype) for v in inputs.entries.values() if isinstance(v, Tensor)}
    return " and ".join(sorted(kinds))


def _embedding_advice(model: Any) -> str:
    advice = "convert it with .float(); token ids and other integers have no gradient: attribute where they are"
    return f"{advice} embedded, site=gl.Layer({first_embedding(model)})"
