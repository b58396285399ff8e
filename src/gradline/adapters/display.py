"""What a report shows of a photo: pictures of both ends of the path, partial maps, maps from other baselines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.vision import ImageCase
from gradline.comparison import compare, rank_correlation
from gradline.core.baselines import AtSite, Baseline, Each, PerInput
from gradline.core.method import Method
from gradline.core.paths import Saturation, Straight
from gradline.plots.maps import blocks
from gradline.question import Score
from gradline.question.targets import TargetLike
from gradline.report import OtherBaseline, Photo
from gradline.result import Attribution

STAGES = 16
"""Partial maps along the path in a report."""

SIDE = 112
"""Partial maps and maps from other baselines are summed over blocks until no side is longer."""

CANDIDATES = 5
"""Classes listed with their probabilities."""


def shown(
    case: ImageCase,
    a: Attribution,
    *,
    title: str,
    method: Method | None = None,
    baseline: Baseline | None = None,
    target: TargetLike = None,
    seed: int = 0,
    command: str = "",
    python: str = "",
) -> Attribution:
    """The attribution of a case with its photo; partial maps go from `a.parts` into it.

    `title`: what is explained, in words. `method`, `baseline`, `target`, `seed`: what made it; the first start is
    shown.
    """
    stages = a.parts.get("stages")
    photo = Photo(
        name=case.name,
        model=case.model.name,
        title=title,
        pixels=case.shown,
        start=None if baseline is None else case.pixels_of(case.start(baseline, seed, target)),
        baseline="" if baseline is None else in_words(baseline),
        straight=method is None or isinstance(method.path, Straight | Saturation),
        paths=1 if baseline is None else baseline.draws,
        candidates=case.candidates(CANDIDATES),
        stages=None if stages is None else condensed(stages[0].sum(1)),
        command=command,
        python=python,
    )
    parts = {name: part for name, part in a.parts.items() if name != "stages"}
    return replace(a, parts=parts, shown=(photo,))


def other_baselines(
    case: ImageCase,
    a: Attribution,
    target: TargetLike,
    method: Method,
    baselines: Mapping[str, Baseline],
    *,
    tol: float = 0.1,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> tuple[OtherBaseline, ...]:
    """Maps of the same target from other `baselines`, by their names, and how their ranks agree with `a`.

    To a map error of `tol`: ranks forgive more than values. Agreement is of contributions summed over channels.
    """
    methods = {name: method.in_stages(0).starting_at(baseline) for name, baseline in baselines.items()}
    score = Score(case.model.model, target)
    others = compare(score, case.x, methods, tol=tol, names=[case.name], seed=seed, memory=memory, progress=progress)
    found = []
    for name, other in others.attributions.items():
        maps = torch.stack([m.values[0].sum(0).flatten().cpu().double() for m in (a, other)])
        signed, absolute = (float(rank_correlation(m)[0, 1]) for m in (maps, maps.abs()))
        estimate = float("nan") if other.error_estimate is None else float(other.error_estimate[0])
        start = case.pixels_of(case.start(baselines[name], seed, target))
        pixels = condensed(other.values[0].sum(0, keepdim=True))[0]
        found.append(OtherBaseline(name, start, pixels, estimate, signed, absolute))
    return tuple(found)


def in_words(baseline: Baseline) -> str:
    """The name of a baseline, such as "pixel noise"; empty for one that is made of others."""
    if isinstance(baseline, Each | PerInput | AtSite):
        return ""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(baseline).__name__).lower()


def condensed(maps: Tensor) -> np.ndarray:
    """Maps `(K, H, W)` summed over the smallest square blocks that leave no side above `SIDE`: float32."""
    height, width = maps.shape[1:]
    side = -(-max(height, width) // SIDE)
    shape = -(-height // side), -(-width // side)
    return np.stack([blocks(one, shape) for one in maps.cpu().double().numpy()]).astype(np.float32)
