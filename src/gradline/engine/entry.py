"""The two entry functions: a question, a method and a budget in, an attribution out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypedDict, Unpack, cast, overload

from torch import Tensor, nn

from gradline.core.method import Method
from gradline.engine.budget import choose_budget
from gradline.engine.call import Call
from gradline.engine.embedded import vocabulary
from gradline.engine.memory import Memory, parse
from gradline.engine.progress import progress as live_progress
from gradline.errors import InputError
from gradline.methods import integrated_gradients
from gradline.question.guard import undisturbed
from gradline.question.inputs import check_names
from gradline.question.score import Score
from gradline.question.sites import Site
from gradline.question.targets import TargetLike
from gradline.result.attribution import Attribution


class Options(TypedDict, total=False):
    """The keyword arguments of `explain`, for type checkers."""

    method: Method | None
    baseline: object
    tol: float | None
    steps: int | None
    rule: Any
    max_evaluations: int
    site: Site | None
    context: Mapping[str, Any] | None
    names: Sequence[str] | None
    seed: int
    memory: int | str | None
    progress: bool


Model = Callable[..., Any]
Examples = Tensor | Sequence[Any] | Mapping[str, Any]


@overload
def explain(model: Model, x: Examples, target: TargetLike = None, **options: Unpack[Options]) -> Attribution: ...
@overload
def explain(
    model: Model, x: Examples, target: Sequence[TargetLike], **options: Unpack[Options]
) -> list[Attribution]: ...
def explain(
    model: Model,
    x: Examples,
    target: TargetLike | Sequence[TargetLike] = None,
    *,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    site: Site | None = None,
    context: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution | list[Attribution]:
    """Explain a model's output at x: `attribute` of `Score(model, target, site=site, context=context)`.

    With the defaults: Integrated Gradients of the predicted class from the zero baseline, to an estimated relative L2
    error of the map of 5 %. `target=[…]` asks for a list of attributions that share forwards.

    >>> import torch, gradline as gl
    >>> gl.explain(lambda x: x**2, torch.tensor([[3.0]])).values
    tensor([[9.]])
    """
    return attribute(
        Score(model, target, site=site, context=context),
        x,
        method,
        baseline=baseline,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        names=names,
        seed=seed,
        memory=memory,
        progress=progress,
    )


def attribute(
    score: Score,
    x: Examples,
    method: Method | None = None,
    *,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution:
    """Attribute `score` to the features of x: a tensor `(N, *F)`, or several as the model takes them, a tuple or dict.

    `method`: default `methods.integrated_gradients()`. `baseline`: replaces the method's; a part of `gl.baselines`, a
    tensor of x's shape (or batch 1), a number. `tol`: relative L2 error of the whole map, in (0, 1), default 0.05 if
    `steps` is not given. `steps`: nodes an example instead, of `rule` (default `Midpoint`). `max_evaluations`: most
    gradient rows an example, over all its baselines. `names`: keys of the random numbers, with `seed`. `memory`: bytes
    or "2GiB" for activations and kept gradients; default 512 MiB on a CPU, a quarter of what is free on a GPU.
    `progress`: a live line on standard error.

    For a score with a list of targets the answer is a list of attributions, one each (`explain` says so in its types).

    Nothing of the caller's is changed: modes, hooks, gradients, `requires_grad`, statistics, global random state.
    Raises `InputError` (and its kinds), `ModelError`, `MemoryBudgetError`.
    """
    if not isinstance(score, Score):
        raise InputError("a Score, such as gl.Score(model, 3)", type(score).__name__)
    if not (method is None or isinstance(method, Method)):
        remedy = "call it, as in gl.methods.gradient()" if callable(method) else ""
        raise InputError("a Method", repr(method), remedy)
    method = (method or integrated_gradients()).starting_at(baseline)
    bound = score.bind(x, read=method.read)
    if bound.drive is not None and isinstance(bound.drive.module, nn.Embedding):
        method = method.with_vocabulary(partial(vocabulary, bound.drive.module))
    inside = bound.drive is not None or bound.read is not None
    if method.stages and not inside and bound.inputs.form is not Tensor:
        raise InputError("x as one tensor for a method in stages", bound.inputs.form.__name__)
    budget = choose_budget(method, tol, steps, rule, max_evaluations)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InputError("seed as a whole number", repr(seed))
    bound = replace(bound, names=check_names(names, bound.inputs.rows), seed=seed)
    device = bound.inputs.anchor.device
    ledger = Memory(parse(memory, device), device)
    began = time.perf_counter()
    shown = live_progress(progress, bound.inputs.rows * len(bound.targets), budget, method.draws * method.path.readings)
    with undisturbed(score.model, device) as training, shown as watch:
        call = Call(bound, method, budget, ledger)
        call.read_ends()
        call.run(watch)
    results = call.results(score, training, time.perf_counter() - began)
    return cast(Attribution, results) if score.asks_several else results[0]
