"""`gl.leaderboard`: methods × metrics × examples, a group of examples at a time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any

from torch import Tensor

from gradline.core.baselines import PixelSpace
from gradline.core.method import Method
from gradline.engine.inquiry import inquire
from gradline.errors import InputError
from gradline.evaluation.board import Leaderboard
from gradline.evaluation.entrants import Budget, Entrant, Explains, check_masks, entrants, named_metrics
from gradline.evaluation.groups import examples_of, joined, score_of
from gradline.evaluation.judge import as_explainer, make_subject
from gradline.evaluation.run import run
from gradline.evaluation.watching import Watch, watching
from gradline.metrics.base import Evaluation, Kind, Metric, Need, nothing
from gradline.metrics.curves.sweep import usual_fill
from gradline.metrics.subject import Subject
from gradline.question import Score
from gradline.question.inputs import Inputs, check_names
from gradline.result import Attribution
from gradline.result.provenance import environment, inputs_digest, model_digest, model_name

GROUP = 8
"""Examples that are worked on together: what is held of them at a time is one map for each method."""

NO_EXPLAINER = "its maps were made beforehand: nothing here can explain anew"
NO_UNIT = "the unit of its maps is not known: say kinds={name: gl.metrics.Kind.CONTRIBUTION}, or GRADIENT"


def leaderboard(
    score: Score,
    x: Any,
    methods: Mapping[str, Any],
    metrics: Mapping[str, Metric] | Iterable[Metric],
    *,
    controls: Mapping[str, Explains] | None = None,
    masks: Tensor | None = None,
    kinds: Mapping[str, Kind] | None = None,
    pixels: PixelSpace | None = None,
    names: Sequence[str] | None = None,
    tol: float | None = None,
    steps: int | None = None,
    max_evaluations: int = 512,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
    group: int = GROUP,
) -> Leaderboard:
    """Judge methods by metrics on N examples: the same images, fills and noise for all of them, so that they compare.

    `methods`: by name a method, a function `(score, x) -> maps`, or maps made beforehand, an attribution or a tensor
    like x. `metrics`: by name, or in a row under their own. `controls`: maps that explain nothing, by name, the first
    of them chance; without them a random map and, for images, an edge detector; `{}` for none. `masks (N, *G)`: where
    the evidence is. `kinds`: the unit of bare maps. `pixels`: black and white. `tol`, `steps`, `max_evaluations`: of
    methods that take them. `group`: examples at a time. The rest as in `gl.attribute`.

    A metric that explains anew has no value for maps made beforehand; a note says so. An interrupted call leaves
    nothing; `boards` yields what is known after every group. Raises `InputError` and its kinds before the work where it
    can, `ModelError`, `MemoryBudgetError`, `MissingExtra`.
    """
    *_, board = boards(
        score,
        x,
        methods,
        metrics,
        controls=controls,
        masks=masks,
        kinds=kinds,
        pixels=pixels,
        names=names,
        budget=Budget(tol, steps, max_evaluations, seed, memory),
        progress=progress,
        group=group,
    )
    return board


def boards(
    score: Score,
    x: Any,
    methods: Mapping[str, Any],
    metrics: Mapping[str, Metric] | Iterable[Metric],
    *,
    controls: Mapping[str, Explains] | None = None,
    masks: Tensor | None = None,
    kinds: Mapping[str, Kind] | None = None,
    pixels: PixelSpace | None = None,
    names: Sequence[str] | None = None,
    budget: Budget = Budget(),  # noqa: B008
    progress: bool = False,
    group: int = GROUP,
) -> Iterator[Leaderboard]:
    """The leaderboard of the examples done so far, after every group of them. Arguments as in `leaderboard`."""
    began = time.perf_counter()
    if not isinstance(score, Score):
        raise InputError("a Score, such as gl.Score(model, 3)", type(score).__name__)
    if score.asks_several:
        raise InputError("one target to judge maps by", "a list of targets")
    if isinstance(group, bool) or not isinstance(group, int) or group < 1:
        raise InputError("group as a whole number from 1", repr(group))
    inputs = score.bind(x).inputs
    count, named = inputs.rows, check_names(names, inputs.rows)
    judges = named_metrics(metrics)
    judges = judges if pixels is None else {name: metric.within(pixels) for name, metric in judges.items()}
    check_masks(judges, masks, count)
    usual = usual_controls(score, x, budget.seed) if controls is None else controls
    everyone = entrants(methods, usual, kinds, count)
    known = _provenance(score, inputs, everyone, budget)
    found: dict[str, dict[str, list[Evaluation]]] = {e.name: {m: [] for m in judges} for e in everyone}
    explained: list[str] = []
    forwards, unsound = 0, Counter[str]()
    with watching(progress, count) as watch:
        for first in range(0, count, group):
            rows = slice(first, min(first + group, count))
            bout = Bout(score, x, rows, count, named[rows], masks, budget, watch)
            for name, row in bout.judged(everyone, judges).items():
                for metric, evaluation in row.items():
                    found[name][metric].append(evaluation)
            forwards += bout.forwards
            unsound.update(bout.unsound)
            explained += bout.explained
            watch.done(rows.stop)
            yield Leaderboard(
                named[: rows.stop],
                judges,
                {e.name: {m: joined(parts) for m, parts in found[e.name].items()} for e in everyone},
                tuple(e.name for e in everyone if e.control),
                tuple(explained),
                known | {"forwards_of_metrics": forwards, "seconds": round(time.perf_counter() - began, 2)},
                budget.seed,
                dict(unsound),
                bout.at_home,
            )


class Bout:
    """A group of examples: the maps of everyone, then all metrics at once, so that they share forwards."""

    def __init__(
        self,
        score: Score,
        x: Any,
        rows: slice,
        count: int,
        names: Sequence[str],
        masks: Tensor | None,
        budget: Budget,
        watch: Watch,
    ) -> None:
        self.score, self.x = score_of(score, rows, count), examples_of(x, rows, count)
        self.masks = None if masks is None else examples_of(masks, rows, count)
        self.rows, self.count, self.names, self.budget, self.watch = rows, count, names, budget, watch
        self.forwards = 0
        self.explained: tuple[str, ...] = ()
        self.unsound: Counter[str] = Counter()
        self.at_home: dict[str, tuple[str, ...]] = {}

    def judged(self, everyone: Sequence[Entrant], metrics: Mapping[str, Metric]) -> dict[str, dict[str, Evaluation]]:
        """Evaluations by entrant and metric; without values, and a note, where a metric cannot judge an entrant."""
        maps = {}
        for one in everyone:
            self.watch.now(one.name)
            maps[one.name] = one.maps(self.score, self.x, self.rows, self.count, self.names, self.budget)
            if isinstance(found_maps := maps[one.name], Attribution) and not all(s.is_sound for s in found_maps.status):
                self.unsound[one.name] = sum(not s.is_sound for s in found_maps.status)
        self.watch.now("metrics")
        found: dict[str, dict[str, Evaluation]] = {one.name: {} for one in everyone}
        budget = self.budget
        with inquire(self.score, self.x, names=self.names, seed=budget.seed, memory=budget.memory) as inquiry:
            memo: dict[Any, Any] = {}
            pairs, places = [], []
            for number, one in enumerate(everyone):
                subject = make_subject(
                    inquiry,
                    self.x,
                    maps[one.name],
                    number=number,
                    kind=one.kind,
                    masks=self.masks,
                    explainer=self._explainer(one),
                    baseline=one.explains.baseline if isinstance(one.explains, Method) else None,
                    memo=memo,
                )
                for name, metric in metrics.items():
                    if starts_at_fill(one, metric, subject):
                        self.at_home[name] = (*self.at_home.get(name, ()), one.name)
                    if reason := lacking(metric, subject):
                        notes = (reason,) * len(subject)
                        none = nothing(len(subject))
                        found[one.name][name] = Evaluation(metric, none, notes=notes, names=tuple(self.names))
                    else:
                        pairs.append((metric, subject))
                        places.append((one.name, name))
            for (entrant, name), evaluation in zip(places, run(pairs, inquiry, self.watch.tick), strict=True):
                found[entrant][name] = evaluation
            self.forwards = int(inquiry.forwards.sum())
            self.explained = inquiry.explained
        return {one: {name: row[name] for name in metrics} for one, row in found.items()}

    def _explainer(self, one: Entrant) -> Callable[[Score, Any], Tensor] | None:
        budget = self.budget
        return as_explainer(
            one.explains,
            steps=budget.steps,
            tol=budget.tol,
            names=self.names,
            seed=budget.seed,
            memory=budget.memory,
        )


def judge_attributions(
    score: Score,
    x: Any,
    attributions: Mapping[str, Attribution],
    explains: Mapping[str, Explains],
    metrics: Mapping[str, Metric],
    *,
    masks: Tensor | None = None,
    budget: Budget = Budget(),  # noqa: B008
) -> dict[str, dict[str, Evaluation]]:
    """Evaluations by method and metric of attributions that are there, with what made them: for `gl.compare`."""
    first = next(iter(attributions.values()))
    count = len(first)
    check_masks(metrics, masks, count)
    everyone = [Entrant(name, explains[name], made=a) for name, a in attributions.items()]
    bout = Bout(score, x, slice(0, count), count, first.names, masks, budget, Watch())
    return bout.judged(everyone, metrics)


def lacking(metric: Metric, subject: Subject) -> str:
    """Why a metric has no value for these maps, "" if nothing is in the way."""
    if Need.EXPLAINER in metric.needs and subject.explainer is None:
        return NO_EXPLAINER
    if Need.CONTRIBUTIONS in metric.needs and subject.kind is None:
        return NO_UNIT
    return ""


def starts_at_fill(one: Entrant, metric: Metric, subject: Subject) -> bool:
    """The path of a method starts where a metric that removes what a map found puts what is removed."""
    if not isinstance(one.explains, Method) or "fill" not in vars(metric):
        return False
    return bool(usual_fill(vars(metric)["fill"], subject) == one.explains.baseline)


def usual_controls(score: Score, x: Any, seed: int = 0) -> dict[str, Explains]:
    """A random map, which is chance, and for images an edge detector; none where they cannot be made."""
    from gradline.sanity.controls import Edges, RandomMap

    if score.site is not None or not isinstance(x, Tensor):
        return {}
    found: dict[str, Explains] = {"random map": RandomMap(seed)}
    if x.ndim == 4:
        found["edge detector"] = Edges()
    return found


def _provenance(score: Score, inputs: Inputs, everyone: Sequence[Entrant], budget: Budget) -> dict[str, Any]:
    """How it was made, but for what is known at the end."""
    anchor = inputs.anchor
    made = {f"method_{one.name}": _worded(one.explains) for one in everyone if one.explains is not None}
    spent = {name: value for name, value in vars(budget).items() if value is not None}
    return {
        "model": model_name(score.model),
        "model_digest": model_digest(score.model),
        **environment(anchor.device, anchor.dtype),
        **spent,
        "examples": inputs.rows,
        "inputs_digest": inputs_digest(inputs.entries),
        **made,
    }


def _worded(explains: Explains) -> str:
    """What makes maps, without an address in memory."""
    return model_name(explains) if isinstance(explains, FunctionType | MethodType) else repr(explains)
