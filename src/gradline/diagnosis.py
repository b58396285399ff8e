"""What stands between a model and a true map, found before hours are spent: numbered findings with cause and remedy."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradline.core.method import Method
from gradline.engine.budget import choose_budget
from gradline.engine.call import Call
from gradline.engine.checkup import Checkup
from gradline.engine.embedded import starts_at_zero
from gradline.engine.memory import Memory, parse
from gradline.errors import ModelError
from gradline.methods import integrated_gradients
from gradline.question.bound import BoundScore
from gradline.question.derivatives import FiniteDifferences
from gradline.question.guard import undisturbed
from gradline.question.score import Score
from gradline.question.sites import Site
from gradline.question.targets import TargetLike
from gradline.result.finding import Finding, training_mode
from gradline.result.provenance import model_name
from gradline.result.spelling import number

FEW = 4
"""Examples that are looked at closely."""


@dataclass(frozen=True)
class Diagnosis:
    """`findings`: what was found, by number. `facts`: label and text of what was looked at."""

    findings: tuple[Finding, ...]
    facts: tuple[tuple[str, str], ...]

    @property
    def healthy(self) -> bool:
        """Nothing was found."""
        return not self.findings

    @property
    def verdict(self) -> str:
        """One line."""
        count = len(self.findings)
        if count:
            return f"{count} finding{'s' * (count != 1)}: {', '.join(dict.fromkeys(f.code for f in self.findings))}"
        return "nothing found: gradients reach x, rows are independent"

    def __repr__(self) -> str:
        lines = [f"{label:<17} {text}" for label, text in self.facts]
        lines += [str(finding) for finding in self.findings] or [self.verdict]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre style='line-height:1.4'>{html.escape(repr(self))}</pre>"


def doctor(
    model: Callable[..., Any],
    x: Any,
    target: TargetLike = None,
    *,
    site: Site | None = None,
    context: Mapping[str, Any] | None = None,
    baseline: object = None,
    memory: int | str | None = None,
) -> Diagnosis:
    """Look at a model with an input before explaining it: the arguments are those of `explain`.

    Checks training mode; a gradient that is cut, zero, not finite, or not that of the score; in-place operations; rows
    that influence each other; chance; low precision, against a float32 copy of the model; a saturated probability, a
    dead target; NaN and infinity; masks among the inputs; zero embeddings before a norm. Costs one forward of every
    example, and up to 200 forwards and gradients of the first four. Raises what `explain` would raise where x, target
    or site do not fit the model.
    """
    method = integrated_gradients().starting_at(baseline)
    bound = Score(model, target, site=site, context=context).bind(x)
    bound = replace(bound, names=tuple(str(i) for i in range(bound.inputs.rows)))
    with undisturbed(model, bound.inputs.anchor.device) as training:
        rows = torch.arange(min(FEW, bound.inputs.rows), device="cpu")
        try:
            call, failure = _call(bound, method, memory), None
        except ModelError as error:  # without gradients it may run: this derivative asks for none
            call, failure = _without_gradients(bound, method, memory, error), error
        checkup = Checkup(call, rows, differentiable=failure is None)
        found = [*call.findings, *checkup.findings()]
        found += starts_at_zero(call.score, checkup.start, checkup.end, rows)
        if failure is not None:
            found.append(checkup.without_gradient(failure))
    if training:
        found.append(training_mode())
    return Diagnosis(tuple(sorted(found, key=lambda f: f.code)), tuple(_facts(checkup)))


def _call(bound: BoundScore, method: Method, memory: int | str | None) -> Call:
    """A call of `explain` up to where its paths would begin."""
    device = bound.inputs.anchor.device
    budget = choose_budget(method, None, None, None, 512)
    call = Call(bound, method, budget, Memory(parse(memory, device), device))
    call.read_ends()
    return call


def _without_gradients(bound: BoundScore, method: Method, memory: int | str | None, failure: ModelError) -> Call:
    """The same, with forwards alone. Raises the failure if that fails too."""
    try:
        return _call(replace(bound, derivative=FiniteDifferences()), method, memory)
    except ModelError:
        raise failure from failure.__cause__


def _facts(checkup: Checkup) -> list[tuple[str, str]]:
    """What a person wants to see first."""
    call = checkup.call
    shapes = {k: tuple(v.shape) for k, v in call.score.inputs.entries.items() if isinstance(v, Tensor)}
    place = call.score.drive
    facts = [
        ("model", model_name(call.score.model)),
        ("x", ", ".join(f"{k} {s}" if len(shapes) > 1 else f"{s}" for k, s in shapes.items())),
        *([] if place is None else [("site", place.label)]),
        ("explained", ", ".join(dict.fromkeys(target.describe(0) for target in call.targets))),
        ("precision", str(call.answerer.dtype).removeprefix("torch.")),
    ]
    for name, score in checkup.scores.items():
        grads = checkup.grads.get(name)
        text = "" if grads is None else f", gradient norm {number(float(grads[0][0].norm()))}"
        facts.append((f"F at {name}", f"{number(float(score[0, 0]))}{text}"))
    return facts + [("not checked", f"{name}: {reason}") for name, reason in checkup.failed]
