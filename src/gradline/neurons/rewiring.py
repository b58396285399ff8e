"""Models whose forward is changed or looked into from outside, and what paths through them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import get_ident
from typing import Any, TypedDict

from torch import Tensor, nn

from gradline.core.method import Method
from gradline.engine import attribute
from gradline.errors import InputError, SiteError
from gradline.question.guard import undisturbed
from gradline.question.inputs import check_inputs
from gradline.question.score import Score
from gradline.question.sites import Layer, Tap
from gradline.question.trees import floating, replaced, shape_of, tensors
from gradline.result import finding
from gradline.result.attribution import Attribution
from gradline.result.provenance import model_digest, model_name

Check = Callable[[], None]


class Budget(TypedDict, total=False):
    """The keyword arguments that paths with a start of their own share with `gl.attribute`."""

    tol: float | None
    steps: int | None
    rule: Any
    max_evaluations: int
    names: Any
    seed: int
    memory: int | str | None
    progress: bool


def published(budget: Budget, steps: int, rule: object) -> Budget:
    """The budget of a paper, where the caller asked for no other. Raises `InputError`."""
    asked = [name for name in ("tol", "steps", "rule") if budget.get(name) is not None]
    if asked:
        raise InputError("as_published=True alone, which says the nodes", f"{', '.join(asked)} beside it")
    return Budget(**budget) | {"steps": steps, "rule": rule}


class Rewired(nn.Module, ABC):
    """A model that is changed or looked into while its own forward runs, by hooks that are gone afterwards.

    Its layers keep their names; places that are added have names of their own beside them.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.training = False
        self.model = model.module if isinstance(model, nn.DataParallel) else getattr(model, "_orig_mod", model)

    @abstractmethod
    def arm(self, around: ExitStack, rows: int, named: dict[str, Any]) -> Check:
        """Set hooks for one forward of so many rows, undone by the stack; take what is ours out of `named`.

        Returns what is to be checked behind a forward that was not stopped on its way.
        """

    def forward(self, *args: Any, **named: Any) -> Any:
        rows = len(tensors([list(args), named])[0][1])
        with ExitStack() as around:
            check = self.arm(around, rows, named)
            output = self.model(*args, **named)
            check()
            return output

    def named_modules(
        self, memo: set[nn.Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Module]]:
        """The layers under the names that they have in the model, and what is added."""
        yield prefix, self
        dot = f"{prefix}." if prefix else ""
        owner = getattr(self.model, "__self__", self.model)
        if isinstance(owner, nn.Module):
            for name, module in owner.named_modules(remove_duplicate=remove_duplicate):
                yield dot + (name or "model"), module
        for name, child in self.named_children():
            if child is not owner:
                yield from child.named_modules(None, dot + name, remove_duplicate)


def rewired(score: Score, model: Rewired, x: Any, method: Method, place: str, budget: Budget) -> Attribution:
    """The score of the rewired model, driven at a place of it; the caller's model is held as `gl.attribute` does."""
    check_score(score)
    asked = replace(score, model=model, site=Layer(place))
    with held(score, x) as training:
        a: Attribution = attribute(asked, x, method, **budget)
    said = {**a.provenance, "model": model_name(score.model), "model_digest": model_digest(score.model)}
    return replace(a, findings=(*([finding.training_mode()] if training else []), *a.findings), provenance=said)


def check_score(score: object) -> None:
    """Raise `InputError` unless it is a score with one target and no site of its own."""
    if not isinstance(score, Score):
        raise InputError("a Score, such as gl.Score(model, 3)", type(score).__name__)
    if score.asks_several:
        raise InputError("a score with one target", "a list of targets", "ask for one target at a time")
    if isinstance(score.site, Layer):
        raise InputError(
            "a score without a site: the layer is named in the call", f"site=gl.Layer({str(score.site)!r})"
        )
    if score.derivative is not None:
        raise InputError("a score without derivative=: gradients are taken inside the network", repr(score.derivative))


@contextmanager
def held(score: Score, x: Any) -> Iterator[bool]:
    """The caller's model in evaluation mode, for nobody else to change; whether it was in training mode."""
    with undisturbed(score.model, check_inputs(x, score.context).anchor.device) as training:
        yield training


def edit(around: ExitStack, tap: Tap, change: Callable[[Tensor], Tensor]) -> Check:
    """For one forward: what a layer returns, `(R, …)`, as `change` makes it. The check: the layer was called."""
    calls, thread = 0, get_ident()

    def hook(module: nn.Module, arguments: Any, output: Any) -> Any:
        nonlocal calls
        if get_ident() != thread:  # somebody else's forward of the same module
            return None
        calls += 1
        if tap.call is None and calls > 1:
            raise SiteError(
                f"layer {tap.label} called once in a forward", "several calls", "say which: gl.Layer(…, call=0)"
            )
        if tap.call is not None and calls != tap.call + 1:
            return None
        found = floating(output)
        if tap.output >= len(found):
            raise SiteError(f"floating-point tensor {tap.output} in what layer {tap.label} returns", shape_of(output))
        path, h = found[tap.output]
        return replaced(output, path, change(h))

    def check() -> None:
        if calls <= (tap.call or 0):
            wanted = "a call" if tap.call is None else f"call {tap.call}"
            raise SiteError(f"{wanted} of layer {tap.label} in a forward of the model", f"{calls} calls")

    around.callback(tap.module.register_forward_hook(hook).remove)
    return check
