"""`gl.evaluate`: one metric, one set of maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, PixelSpace
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.engine.inquiry import Inquiry, inquire
from gradline.errors import InputError
from gradline.evaluation.run import run
from gradline.metrics.base import Evaluation, Kind, Metric, Need
from gradline.metrics.subject import Explainer, Subject
from gradline.metrics.units import fitted
from gradline.question import Score
from gradline.result import Attribution

Maps = Attribution | Tensor | tuple[Any, ...] | dict[str, Any]
"""An attribution of ours, or any tensor like x."""


def evaluate(
    metric: Metric,
    score: Score,
    x: Any,
    attribution: Any,
    *,
    kind: Kind | None = None,
    masks: Tensor | None = None,
    explainer: Method | Callable[[Score, Any], Any] | None = None,
    pixels: PixelSpace | None = None,
    steps: int | None = None,
    tol: float | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> Evaluation:
    """Judge the maps of N examples by a metric of `gl.metrics` or a sanity check of `gl.sanity`.

    `attribution`: ours, or any tensor like x, such as another library's; for images also `(N, H, W)`. `kind`: the unit
    of a bare tensor's values, a contribution to the score or a gradient. `masks (N, *F)` or what broadcasts to it, in
    [0, 1]: where the evidence is, for localisation. `explainer`: what made the maps, a method or a function
    `(score, x) -> maps`, for metrics that explain again; `steps`, `tol`: of a method. `pixels`: what the model is given
    for black and white. `names`, `seed`: keys of random numbers; `memory` as in `gl.attribute`.

    Raises `InputError` and its kinds, `ModelError`, `MissingExtra`.
    """
    if not isinstance(metric, Metric):
        raise InputError("a metric, such as gl.metrics.Insertion()", repr(metric), _called(metric))
    if isinstance(attribution, Attribution) and names is None:
        names = attribution.names
    metric = metric if pixels is None else metric.within(pixels)
    with inquire(score, x, names=names, seed=seed, memory=memory) as inquiry:
        subject = make_subject(
            inquiry,
            x,
            attribution,
            number=0,
            kind=kind,
            masks=masks,
            explainer=as_explainer(explainer, steps=steps, tol=tol, names=inquiry.names, seed=seed, memory=memory),
            baseline=explainer.baseline if isinstance(explainer, Method) else None,
        )
        check_needs(metric, subject)
        (found,) = run([(metric, subject)], inquiry)
    return found


def make_subject(
    inquiry: Inquiry,
    x: Any,
    maps: Any,
    *,
    number: int,
    kind: Kind | None = None,
    masks: Tensor | None = None,
    explainer: Explainer | None = None,
    baseline: Baseline | None = None,
    memo: dict[Any, Any] | None = None,
) -> Subject:
    """The maps of one method as metrics see them. Raises `InputError` for maps or masks that do not fit x."""
    ends = inquiry.ends
    values = maps.values if isinstance(maps, Attribution) else maps
    packed = inquiry.packed(values, "maps")
    if packed.is_complex() or packed.dtype == torch.bool:
        raise InputError("maps of real numbers", f"{packed.dtype}")
    packed = fitted(packed.detach(), tuple(ends.shape[1:]))
    if len(packed) != len(ends):
        raise InputError(f"{len(ends)} maps, one for each example", f"{len(packed)}")
    return Subject(
        score=inquiry.score,
        x=ends,
        inputs=x,
        maps=packed.double(),
        kind=kind_of(maps, kind),
        number=number,
        names=inquiry.names,
        seed=inquiry.seed,
        scales=tuple(inquiry.scales),
        starts=inquiry.starts,
        at_site=inquiry.score.site is not None,
        masks=None if masks is None else checked_masks(masks, ends),
        explainer=explainer,
        baseline=baseline,
        memo={} if memo is None else memo,
    )


def kind_of(maps: Any, kind: Kind | None) -> Kind | None:
    """What was said of a bare tensor; an attribution of ours knows itself."""
    if isinstance(maps, Attribution) and kind is None:
        unit = maps.provenance.get("unit")
        return None if unit is None else Kind.CONTRIBUTION if unit == "score" else Kind.GRADIENT
    return None if kind is None else Kind(kind)


def checked_masks(masks: Tensor, x: Tensor) -> Tensor:
    """Masks `(N, *G)` that broadcast to x, in [0, 1]: float64. Raises `InputError`."""
    if not isinstance(masks, Tensor):
        raise InputError("masks as a tensor", type(masks).__name__)
    found = fitted(masks.detach().double(), tuple(x.shape[1:]))
    if len(found) not in (1, len(x)):
        raise InputError(f"{len(x)} masks, one for each example", f"{len(found)}")
    if not bool(((found >= 0) & (found <= 1)).all()):
        raise InputError("masks with values in [0, 1]", "others, or NaN")
    return found.expand(len(x), *found.shape[1:])


def check_needs(metric: Metric, subject: Subject) -> None:
    """Raise `InputError` if the metric wants what is not there."""
    if Need.MASKS in metric.needs and subject.masks is None:
        raise InputError(f"masks= for {metric.name}: where the evidence is, in [0, 1], like x or (N, H, W)", "none")
    if Need.EXPLAINER in metric.needs and subject.explainer is None:
        remedy = "a method of gl.methods, or a function (score, x) -> maps"
        raise InputError(f"explainer= for {metric.name}, which makes maps anew", "none", remedy)
    if Need.CONTRIBUTIONS in metric.needs and subject.kind is None:
        remedy = "kind=gl.metrics.Kind.CONTRIBUTION for Integrated Gradients and its like, Kind.GRADIENT for gradients"
        raise InputError(f"the unit of the maps for {metric.name}", "a bare tensor", remedy)


def as_explainer(
    explainer: Method | Callable[[Score, Any], Any] | None,
    *,
    steps: int | None,
    tol: float | None,
    names: Sequence[str],
    seed: int,
    memory: int | str | None,
) -> Explainer | None:
    """A method or a function as what makes maps anew. Raises `InputError`."""
    if explainer is None:
        return None
    if not (isinstance(explainer, Method) or callable(explainer)) or isinstance(explainer, type):
        raise InputError("explainer as a method of gl.methods, or a function (score, x) -> maps", repr(explainer))

    def explain(score: Score, x: Any) -> Tensor:
        if isinstance(explainer, Method):
            found: Any = attribute(
                score,
                x,
                explainer,
                tol=tol if explainer.estimates else None,
                steps=steps if explainer.path.integrates else None,
                names=names,
                seed=seed,
                memory=memory,
            )
        else:
            found = explainer(score, x)
        values = found.values if isinstance(found, Attribution) else found
        if not isinstance(values, Tensor):
            raise InputError("an explainer that returns maps as a tensor", type(values).__name__)
        return values

    return explain


def _called(metric: object) -> str:
    return "call it, with ()" if isinstance(metric, type) else ""
