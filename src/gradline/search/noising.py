"""Adaptive noising: the σ of SmoothTaylor at which a map of the example is best by a metric."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from gradline.core import random
from gradline.engine import attribute
from gradline.engine.inquiry import inquire
from gradline.engine.progress import progress as live_progress
from gradline.errors import InputError
from gradline.evaluation.groups import examples_of, score_of
from gradline.methods import smooth_taylor
from gradline.question import Score
from gradline.result import Attribution
from gradline.result.provenance import inputs_digest
from gradline.search import walks
from gradline.search.joining import joined

Objective = Callable[[Attribution], Tensor]
"""What is to be small: a number `(N,)` for each example of an attribution, NaN where there is nothing to judge."""


def adaptive_noising(
    score: Score,
    x: Any,
    objective: Objective,
    *,
    roots: int = 150,
    step: float = 0.1,
    decay: float = 0.9,
    stops: int = 3,
    rounds: int = 20,
    sigma: float | None = None,
    as_published: bool = False,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution:
    """The map of `smooth_taylor(σ, roots)` with the σ at which `objective` is smallest, searched for every example.

    From `sigma` (None: mean |x_i|) to σ + `step` or, if that is not better, |σ − step|; if neither is, the step is
    multiplied by `decay`, until that has happened in `stops` + 1 rounds in a row, or after `rounds` of them: a local
    minimum. `objective`: of attributions of single examples, one after the other, whose `names` say which; such as
    `gl.search.by_metric`. All σ of an example have the same noise, times σ, and an objective the same chance, if it
    keys that by `a.provenance["seed"]`. What is not finite is worst.

    `a.details`, one each: `sigma`; `objective` there, None if no map could be judged; `trace`, every [σ, objective] in
    order; `best`, its place; `ended`. The least of several values that depend on chance is biased downwards: judge the
    map with another seed. `a.evaluations`: of the whole search, at most roots · (1 + 2 · rounds); what the objective
    spends is not in it. Raises `InputError`.

    Goh, Lapuschkin, Weber, Samek, Binder (2020), Algorithm 1. `as_published=True` is that of their code: fresh roots
    and fresh chance at every σ, and the search goes on from there also where it is worse.
    """
    began = time.perf_counter()
    plan = _checked(objective, roots, sigma, walks.Plan(step, decay, stops, rounds))
    with inquire(score, x, names=names, seed=seed, memory=memory) as inquiry:
        names, digest = inquiry.names, inputs_digest(inquiry.inputs.entries)
        starts = [float(end.double().abs().mean()) if sigma is None else float(sigma) for end in inquiry.ends]
    for name, start in zip(names, starts, strict=True):
        if not (start > 0 and math.isfinite(start)):
            raise InputError("x of a finite mean size above 0, to start from", f"{start:g} of {name}", "pass sigma=")
    asked = _Asked(objective, roots, seed, memory, as_published)
    walk, count = walks.as_published if as_published else walks.descend, len(names)
    found: list[Attribution] = []
    with live_progress(progress, count) as watch:
        for i, (name, start) in enumerate(zip(names, starts, strict=True)):
            one = slice(i, i + 1)
            tried = _Tried(score_of(score, one, count), examples_of(x, one, count), name, asked)
            found.append(tried.best(walk(tried.value, start, plan)))
            watch(i + 1, sum(int(a.evaluations) for a in found), math.nan)
    said = ", ".join(f"{k}={v}" for k, v in vars(plan).items())
    said = f"adaptive_noising(roots={roots}, sigma={sigma}, {said}, as_published={as_published})"
    a, seconds = joined(found), round(time.perf_counter() - began, 3)
    made = {"method_name": "adaptive-noising", "method": said, "input_digest": digest, "seed": seed, "seconds": seconds}
    return replace(a, provenance={**a.provenance, **made})


def _checked(objective: object, roots: int, sigma: float | None, plan: walks.Plan) -> walks.Plan:
    if not callable(objective):
        remedy = "such as gl.search.by_metric(metric, score, x)"
        raise InputError("objective as a function of an attribution", repr(objective), remedy)
    smooth_taylor(1.0 if sigma is None else sigma, roots)  # says what is wrong with them
    for name, value, most in (("step", plan.step, math.inf), ("decay", plan.decay, 1.0)):
        if isinstance(value, bool) or not isinstance(value, Real) or not (0 < value <= most and math.isfinite(value)):
            raise InputError(f"finite {name} > 0{' and at most 1' * (most == 1)}", f"{name}={value!r}")
    for name, number, least in (("stops", plan.stops, 0), ("rounds", plan.rounds, 1)):
        if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
            raise InputError(f"{name} as a whole number of at least {least}", f"{name}={number!r}")
    return plan


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What is the same for every map of a search. `fresh`: no two maps share chance."""

    objective: Objective
    roots: int
    seed: int
    memory: int | str | None
    fresh: bool


@dataclass(slots=True, eq=False)
class _Tried:
    """The search of one example: `x` is it alone."""

    score: Score
    x: Any
    name: str
    asked: _Asked
    maps: int = 0
    spent: int = 0

    def value(self, sigma: float) -> tuple[float, Attribution]:
        """The objective of the map at σ, and the map."""
        seed = self.asked.seed
        if self.asked.fresh:
            seed = random.generator(seed, self.name, "adaptive noising", self.maps).initial_seed()
        method = smooth_taylor(sigma, self.asked.roots)
        a = attribute(self.score, self.x, method, names=[self.name], seed=seed, memory=self.asked.memory)
        self.maps += 1
        self.spent += int(a.evaluations)
        told = self.asked.objective(a)
        if not isinstance(told, Tensor) or told.numel() != 1 or told.is_complex():
            got = f"a tensor {tuple(told.shape)}" if isinstance(told, Tensor) else type(told).__name__
            raise InputError("an objective that returns a tensor (N,), a number for each example", got)
        return float(told), a

    def best(self, walked: walks.Walked) -> Attribution:
        """The map of the best σ, with the whole search in its details."""
        values = [v if math.isfinite(v) else None for v in walked.values]
        details = {
            "sigma": [walked.sigmas[walked.best]],
            "objective": [values[walked.best]],
            "trace": [[[s, v] for s, v in zip(walked.sigmas, values, strict=True)]],
            "best": [walked.best],
            "ended": [str(walked.ended)],
        }
        a: Attribution = walked.kept
        return replace(a, evaluations=torch.full_like(a.evaluations, self.spent), details={**a.details, **details})
