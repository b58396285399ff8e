"""Who takes part: methods, functions, maps made beforehand, and controls, each as something that makes maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gradline.core.method import Method
from gradline.engine import attribute
from gradline.errors import InputError
from gradline.evaluation.groups import examples_of
from gradline.metrics.base import Kind, Metric, Need
from gradline.question.score import Score
from gradline.result import Attribution

Explains = Method | Callable[[Score, Any], Any]
"""A method, or a function `(score, x) -> maps`."""


@dataclass(frozen=True)
class Budget:
    """What maps may cost, as in `gl.attribute`; methods take of it what they know."""

    tol: float | None = None
    steps: int | None = None
    max_evaluations: int = 512
    seed: int = 0
    memory: int | str | None = None


@dataclass(frozen=True, eq=False)
class Entrant:
    """One that takes part. `explains`: what makes its maps; `made`: its maps of all examples, if they are there.
    `kind`: their unit, if that was said. `control`: its maps explain nothing."""

    name: str
    explains: Explains | None = None
    made: Any = None
    kind: Kind | None = None
    control: bool = False

    def maps(self, score: Score, x: Any, rows: slice, count: int, names: Sequence[str], budget: Budget) -> Any:
        """The maps of some of `count` examples: an attribution, or what is like x."""
        if self.made is not None:
            return self.made[rows] if isinstance(self.made, Attribution) else examples_of(self.made, rows, count)
        if not isinstance(self.explains, Method):
            assert self.explains is not None
            return self.explains(score, x)
        method = self.explains
        return attribute(
            score,
            x,
            method,
            tol=budget.tol if method.estimates else None,
            steps=budget.steps if method.path.integrates else None,
            max_evaluations=budget.max_evaluations,
            names=names,
            seed=budget.seed,
            memory=budget.memory,
        )


def entrants(
    methods: object, controls: Mapping[str, Explains], kinds: Mapping[str, Kind] | None, count: int
) -> tuple[Entrant, ...]:
    """Everyone by name. Raises `InputError`."""
    if not isinstance(methods, Mapping) or not methods:
        raise InputError('methods by name, such as {"ig": gl.methods.integrated_gradients()}', repr(methods))
    if both := set(methods) & set(controls):
        raise InputError("names of methods that no control has", repr(sorted(both)))
    said = dict(kinds or {})
    if unknown := set(said) - set(methods):
        raise InputError("kinds= of methods that take part", repr(sorted(unknown)))
    own = [_entrant(str(name), value, said.get(name), count) for name, value in methods.items()]
    return (*own, *(Entrant(name, explains=value, control=True) for name, value in controls.items()))


def _entrant(name: str, value: object, kind: Kind | None, count: int) -> Entrant:
    kind = None if kind is None else Kind(kind)
    if isinstance(value, Attribution | Tensor):
        if len(value) != count:
            raise InputError(f"{count} maps for {name}, one for each example", f"{len(value)}")
        return Entrant(name, made=value, kind=kind)
    if isinstance(value, tuple | Mapping):
        return Entrant(name, made=value, kind=kind)
    if isinstance(value, Method) or (callable(value) and not isinstance(value, type)):
        return Entrant(name, explains=value, kind=kind)
    expected = f"a method of gl.methods, a function (score, x) -> maps, or maps like x, for {name}"
    raise InputError(expected, type(value).__name__)


def named_metrics(metrics: Mapping[str, Metric] | Iterable[Metric]) -> dict[str, Metric]:
    """Metrics by name: their own, with the settings in which they differ where two share it. Raises `InputError`."""
    if isinstance(metrics, Mapping):
        found = {str(name): metric for name, metric in metrics.items()}
    else:
        listed = [metrics] if isinstance(metrics, Metric) else list(metrics)
        names = [_told_apart(metric, listed) for metric in listed]
        if len(set(names)) < len(names):
            raise InputError("metrics that differ, or a mapping that names them", f"{names}")
        found = dict(zip(names, listed, strict=True))
    if not found:
        raise InputError("at least one metric, such as gl.metrics.Insertion()", "none")
    for metric in found.values():
        if not isinstance(metric, Metric):
            hint = "call it, with ()" if isinstance(metric, type) else ""
            raise InputError("metrics, such as gl.metrics.Insertion()", repr(metric), hint)
    return found


def _told_apart(metric: object, listed: list[Any]) -> str:
    if not isinstance(metric, Metric):
        return repr(metric)
    others = [other for other in listed if isinstance(other, Metric) and other.name == metric.name]
    if len(others) == 1:
        return metric.name
    fields = [f for f in vars(metric) if any(getattr(other, f, None) != getattr(metric, f) for other in others)]
    values = {f.replace("_", " "): getattr(metric, f) for f in fields}
    told = ", ".join(f"{name} {'default' if value is None else value}" for name, value in values.items())
    return f"{metric.name} ({told})" if told else metric.name


def check_masks(metrics: Mapping[str, Metric], masks: object, count: int | None = None) -> None:
    """Raise `InputError` if a metric wants masks and there are none, or not `count` of them."""
    wanting = [name for name, metric in metrics.items() if Need.MASKS in metric.needs]
    if masks is None:
        if wanting:
            expected = f"masks= for {', '.join(wanting)}: where the evidence is, in [0, 1], like x or (N, H, W)"
            raise InputError(expected, "none")
        return
    if not isinstance(masks, Tensor) or masks.ndim < 1 or (count is not None and len(masks) not in (1, count)):
        got = f"shape {tuple(masks.shape)}" if isinstance(masks, Tensor) else type(masks).__name__
        raise InputError(f"{'' if count is None else f'{count} '}masks, one for each example", got)
