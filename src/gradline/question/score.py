"""The question put to a model, and the only place where a model is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradline.errors import GradlineError, InputError, ModelError, SiteError
from gradline.question.inputs import check_context
from gradline.question.sites import Input, Site
from gradline.question.targets import Target, as_target

TargetLike = None | int | Tensor | Target | Callable[[Any], Tensor]


@dataclass(frozen=True, eq=False)
class Score:
    """F(x): one scalar of a model's output for each row of x.

    `model`: any callable that maps a batch `(R, *F)` to an output with R rows. `target`: what of the output is
    explained; a list asks for several attributions that share forwards. `site`: where the path is driven; the input.
    `context`: tensors by name, first axis N, passed to the model beside x and held fixed.
    """

    model: Callable[..., Any]
    target: TargetLike | Sequence[TargetLike] = None
    site: Site | None = field(default=None, kw_only=True)
    context: Mapping[str, Tensor] | None = field(default=None, kw_only=True)

    def bind(self, x: Tensor) -> BoundScore:
        """The question put to the examples `x (N, *F)`, checked. Raises `InputError` and its kinds."""
        if not callable(self.model):
            raise InputError("a model that can be called with a batch", type(self.model).__name__)
        if not (self.site is None or isinstance(self.site, Input)):
            raise SiteError("site=None or gl.Input(): this version explains the model's input", repr(self.site))
        bound = BoundScore(self.model, (), check_context(self.context, x.shape[0]))
        wanted = list(self.target) if isinstance(self.target, Sequence) else [self.target]
        if not wanted:
            raise InputError("at least one target", "an empty list")
        return bound.aiming_at([as_target(t) for t in wanted])

    @property
    def asks_several(self) -> bool:
        """The target is a list: so is the answer."""
        return isinstance(self.target, Sequence)


@dataclass(frozen=True, eq=False)
class BoundScore:
    """A model with targets and the context of N examples: values and gradients at any rows."""

    model: Callable[..., Any]
    targets: tuple[Target, ...]
    context: dict[str, Tensor]

    def aiming_at(self, targets: Sequence[Target]) -> BoundScore:
        return BoundScore(self.model, tuple(targets), self.context)

    def freeze(self, output: Any, rows: int) -> BoundScore:
        """Settle what depends on the output at x."""
        return self.aiming_at([t.freeze(output, rows) for t in self.targets])

    def output(self, points: Tensor, owner: Tensor) -> Any:
        """The model's output at `points (R, *F)` of the examples `owner (R,)`; a failure becomes a `ModelError`.

        The points are the model's to write to: callers hand in copies.
        """
        extra = {name: value[owner.to(value.device)] for name, value in self.context.items()}
        try:
            return self.model(points, **extra)
        except GradlineError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise ModelError(
                f"the model failed on a batch of shape {tuple(points.shape)}, {points.dtype} on {points.device}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def values(self, points: Tensor, owner: Tensor, targets: Sequence[Target]) -> list[Tensor]:
        """The scalars `(R,)` of each target, without gradients."""
        with torch.no_grad():
            output = self.output(points.clone(), owner)
            return [t.pick(output, owner).detach() for t in targets]

    def gradients(self, points: Tensor, owner: Tensor, targets: Sequence[Target]) -> list[tuple[Tensor, Tensor]]:
        """Scalars `(R,)` and their gradients `(R, *F)` for each target, from one forward."""
        leaf = points.detach().clone().requires_grad_()
        output = self.output(leaf.clone(), owner)  # a copy, since a model may write into its input
        answers = []
        for last, target in zip([False] * (len(targets) - 1) + [True], targets, strict=True):
            scalar = target.pick(output, owner)
            answers.append((scalar.detach(), _gradient(scalar, leaf, keep=not last)))
        return answers


def _gradient(scalar: Tensor, leaf: Tensor, *, keep: bool) -> Tensor:
    if not scalar.requires_grad:
        grad = None
    else:
        try:
            (grad,) = torch.autograd.grad(scalar.sum(), leaf, retain_graph=keep, allow_unused=True)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise ModelError(
                f"the gradient failed on a batch of shape {tuple(leaf.shape)}: {type(error).__name__}: {error}"
            ) from error
    if grad is None:
        raise ModelError(
            "the score does not depend on x through differentiable operations: the model ignores x, or the path is cut "
            "by detach(), no_grad(), argmax, rounding, .long() or .item(); explain an output in front of the cut"
        )
    return grad.detach()


def is_out_of_memory(error: BaseException) -> bool:
    """The error says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) and not isinstance(error, GradlineError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        phrase in text for phrase in ("out of memory", "not enough memory", "can't allocate memory")
    )
