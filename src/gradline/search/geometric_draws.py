"""Gradients of models near the one explained, those that are at least as sure of the class: no path, noisy weights."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradline.core import random
from gradline.core.accumulators import Gradient
from gradline.core.flow import Need, Outcome, Probe, Trace
from gradline.core.method import Method
from gradline.core.paths import AtInput, OwnBudget
from gradline.engine.call import Call
from gradline.engine.memory import Memory, parse
from gradline.errors import InputError, TargetError
from gradline.question.guard import undisturbed
from gradline.question.inputs import check_names
from gradline.question.score import Score
from gradline.question.sites import Input
from gradline.question.targets import LabelProbability, Predicted, Target
from gradline.question.targets.scales import Scale, on_scales
from gradline.result.attribution import Attribution
from gradline.sanity.copying import copied
from gradline.status import Status


class Combined(StrEnum):
    """How the gradients of a geometric ensemble become one map.

    `MAXIMUM`: the largest, feature by feature and signed ("GEG-Max"). `MEAN`. `TRAPEZOID`: the mean as the authors
    have it ("GEG-IG"), in which the first and the last draw count half, as if draws were points of a path.
    """

    MAXIMUM = "maximum"
    MEAN = "mean"
    TRAPEZOID = "trapezoid"


def geometric_ensemble(
    score: Score,
    x: Any,
    *,
    combined: Combined = Combined.MAXIMUM,
    accepted: int = 200,
    attempts: int = 1000,
    scale: float = 1e-3,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> Attribution:
    """A_i = max_r g_r,i, or the mean, of gradients g_r = ∇F_r(x) of models whose weights are W_r = W + N(0, scale²).

    A model counts for an example if there the probability of the class explained is not below that of the model itself
    and the decision is the same; draws go on until `accepted` of them do, `attempts` at the most. Noise is on every
    floating-point tensor of the state but running statistics, from the clean weights each time; `scale` in units of
    weights. All examples meet the same models, so that a map does not depend on the batch; draws are keyed by `seed`,
    tensor and attempt. Memory does not grow with them. Your model is not touched: a copy is.

    `a.parts`: all three of `Combined`. `a.details`: `accepted`, `attempts`, one each. An example with fewer models than
    asked for ends as `budget_exhausted`, with a finding; without any its map is NaN. Claims no sum; a signed maximum
    is biased upwards. Costs a forward an attempt and a gradient a model that counts. Raises `InputError`, also for a
    model without weights or without classes.

    Rahman, Lewis, Plis (2022), after the first author's code: 200 draws, scale 0.001. There the probability is that of
    the true label, draws are unseeded, and it may loop for ever.
    """
    began = time.perf_counter()
    _check(score, combined, accepted, attempts, scale, seed)
    moved, network = copied(score)
    noisy = _Noisy(network, scale, seed)
    bound = moved.bind(x)
    bound = replace(bound, names=check_names(names, bound.inputs.rows), seed=seed)
    device = bound.inputs.anchor.device
    method = Method("geometric-ensemble", AtInput(), Gradient(), None, ("rahman2022",))
    with undisturbed(moved.model, device) as training:
        call = Call(bound, method, OwnBudget(), Memory(parse(memory, device), device))
        call.read_ends()
        found = _draw(call, noisy, accepted, attempts)
    call.values[0] = found.maps[combined]
    call.parts[0] = {str(way): values for way, values in found.maps.items()}
    call.ledgers[0].take(call.every, found.outcome)
    (a,) = call.results(score, training, time.perf_counter() - began)
    asked = f"combined={combined}, accepted={accepted}, attempts={attempts}, scale={scale}"
    return replace(a, provenance={**a.provenance, "method": f"geometric_ensemble({asked})"})


def _check(score: object, combined: object, accepted: object, attempts: object, scale: object, seed: object) -> None:
    if not isinstance(score, Score):
        raise InputError("a Score, such as gl.Score(model, 3)", type(score).__name__)
    if score.asks_several:
        raise InputError("one target for a geometric ensemble", "a list of targets")
    if not isinstance(score.site, None | Input):
        raise InputError("an ensemble explained at the input, since layers move with the weights", f"site={score.site}")
    if not isinstance(combined, Combined):
        raise InputError("combined as one of gl.search.Combined", repr(combined))
    for name, value in (("accepted", accepted), ("attempts", attempts), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, int) or (value < 1 and name != "seed"):
            raise InputError(f"{name} as a whole number", repr(value))
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not (scale > 0 and math.isfinite(scale)):
        raise InputError("finite scale > 0, the standard deviation of the weights' noise", f"scale={scale!r}")


class _Noisy:
    """The copy of the network, to be had with other noise in its weights."""

    def __init__(self, network: nn.Module, scale: float, seed: int) -> None:
        self.scale, self.seed = scale, seed
        own = {t.data_ptr(): (name, t) for name, t in reversed(network.state_dict().items()) if _is_weight(name, t)}
        self.weights = {name: (t, t.clone()) for name, t in own.values()}  # tied ones once, by their first name
        if not self.weights:
            raise InputError("a model with floating-point weights, for noise in them", type(network).__name__)

    def draw(self, attempt: int) -> None:
        """W + N(0, scale²), from the clean weights."""
        for name, (weight, clean) in self.weights.items():
            source = random.generator(self.seed, name, "geometric ensemble", attempt)
            noise = torch.randn(clean.shape, generator=source, dtype=torch.float32, device="cpu")
            with torch.no_grad():
                weight.copy_(torch.add(clean, noise.to(clean), alpha=self.scale))


def _is_weight(name: str, value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.numel() > 0 and "running" not in name


def _draw(call: Call, noisy: _Noisy, accepted: int, attempts: int) -> _Found:
    """Show all examples model after model, until each has as many that count as asked for."""
    answerer, target = call.answerer, call.targets[0]
    asked = _chance_and_decision(call, target)
    clean = torch.stack(answerer.values(call.ends, call.every, asked))
    found = _Found(call)
    for attempt in range(attempts):
        rows = (found.accepted < accepted).nonzero()[:, 0]
        if not len(rows):
            break
        noisy.draw(attempt)
        probe = Probe(call.ends[rows.to(call.ends.device)], rows, Need.VALUE)
        chance, decision = answerer.values(probe.points, rows, asked)
        call.spent.count(0, rows, probe, answerer)
        found.attempts[rows] += 1
        rows = rows[(chance >= clean[0, rows]) & (decision == clean[1, rows])]
        if len(rows):
            probe = Probe(call.ends[rows.to(call.ends.device)], rows)
            found.take(rows, answerer.gradients(probe.points, rows, [target]).grad[0])
            call.spent.count(0, rows, probe, answerer)
    found.close(accepted, attempts)
    return found


def _chance_and_decision(call: Call, target: Target) -> list[Target]:
    """The probability of the class explained; and what is 1 or 0 and stays so with the decision."""
    scales = on_scales(target)
    if Scale.PROBABILITY not in scales:
        raise TargetError("a target that is a class, such as gl.Logit(3), for an ensemble", "one without a probability")
    decision = target if isinstance(target, LabelProbability) else call.aims.of(0, Predicted())
    return [scales[Scale.PROBABILITY], on_scales(decision)[Scale.HIT]]


class _Found:
    """What the models that count have said of N examples, their gradients folded as they come."""

    def __init__(self, call: Call) -> None:
        blank = torch.zeros_like(call.values[0])
        self.score = call.aims.score[0]
        self.total, self.first, self.last = (blank.clone() for _ in range(3))
        self.most = torch.full_like(blank, -torch.inf)
        self.accepted, self.attempts = (torch.zeros(len(blank), dtype=torch.int64, device="cpu") for _ in range(2))
        self.square = torch.zeros(len(blank), dtype=torch.float64, device="cpu")
        self.maps: dict[Combined, Tensor] = {}

    def take(self, rows: Tensor, grad: Tensor) -> None:
        at = rows.to(grad.device)
        new = (self.accepted[rows] == 0).to(grad.device)
        self.first[at[new]] = grad[new]
        self.last[at] = grad
        self.total[at] += grad
        self.most[at] = torch.maximum(self.most[at], grad)
        self.square[rows] += grad.flatten(1).norm(dim=1).cpu().double() ** 2
        self.accepted[rows] += 1

    def close(self, wanted: int, attempts: int) -> None:
        """The maps and what there is to say of them, when the last model is drawn."""
        n = self.accepted.to(self.total).reshape(-1, *[1] * (self.total.ndim - 1))
        ends = torch.where(n > 1, self.first + self.last, 0) / 2
        none = torch.where(n > 0, 0.0, torch.nan)
        self.maps[Combined.MAXIMUM] = torch.where(n > 0, self.most, torch.nan)
        self.maps[Combined.MEAN] = self.total / n.clamp(min=1) + none
        self.maps[Combined.TRAPEZOID] = (self.total - ends) / (n - 1).clamp(min=1) + none
        few, finite = (self.accepted < wanted).tolist(), self.square.isfinite().tolist()
        note = f"fewer than {wanted} models counted in {attempts} attempts (a.details['accepted'] says how many): "
        note += "raise attempts=, or lower scale="
        norm = (self.square / self.accepted).sqrt()
        at_x = zip(self.score.numpy(), norm.numpy(), strict=True)
        self.outcome = Outcome(
            status=[self._status(f, ok) for f, ok in zip(few, finite, strict=True)],
            error=[math.nan] * len(few),
            trace=[[Trace(np.ones(1), np.ones(1), np.array([score]), np.array([size]))] for score, size in at_x],
            note=[note * f if ok else "a gradient is not finite" for f, ok in zip(few, finite, strict=True)],
            details={"accepted": self.accepted.tolist(), "attempts": self.attempts.tolist()},
        )

    @staticmethod
    def _status(few: bool, finite: bool) -> Status:
        if not finite:
            return Status.NONFINITE
        return Status.BUDGET_EXHAUSTED if few else Status.NO_CLAIM
