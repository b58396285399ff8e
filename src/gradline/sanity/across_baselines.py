"""Baseline sensitivity: how much of a map is the baseline's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.core.baselines import PixelSpace, as_baseline
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.errors import InputError
from gradline.question.score import Score
from gradline.result.attribution import Attribution
from gradline.result.ranks import rank_correlation
from gradline.result.spelling import number, percent
from gradline.result.structure import flat


@dataclass(frozen=True, eq=False)
class BaselineSensitivity:
    """Maps of the same N examples from B baselines, and how they differ. Float64, on the CPU.

    `rank_agreement (N, B, B)`: Spearman's rank correlation of the maps, each with each, NaN for constant ones.
    `agreement (N,)`: its mean over the pairs. `spread (N,)`: √(mean_b |a_b − ā|²) / |ā| with ā the mean map, NaN where
    that is zero. `stable (N,)`: the share of units whose sign, 0 included, is the same from all baselines. A spread
    below the maps' own `error_estimate` says nothing.
    """

    attributions: Mapping[str, Attribution]
    rank_agreement: Tensor
    agreement: Tensor
    spread: Tensor
    stable: Tensor

    @property
    def names(self) -> tuple[str, ...]:
        """Of the examples."""
        return next(iter(self.attributions.values())).names

    def __len__(self) -> int:
        return len(self.spread)

    def __repr__(self) -> str:
        lines = [f"maps from {', '.join(self.attributions)}"]
        for i, name in enumerate(self.names):
            agreement, spread, stable = (float(t[i]) for t in (self.agreement, self.spread, self.stable))
            lines.append(
                f"  {name}: mean rank agreement {number(agreement)}, relative spread {number(spread)}, "
                f"sign stable in {percent(stable)} of units"
            )
        return "\n".join(lines)


def baseline_sensitivity(
    score: Score,
    x: Any,
    baselines: Mapping[str, object],
    method: Method | None = None,
    *,
    pixels: PixelSpace | None = None,
    tol: float | None = None,
    steps: int | None = None,
    max_evaluations: int = 512,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> BaselineSensitivity:
    """Attribute `score` to x from each of `baselines`, by the names they are given here, and compare the maps.

    `method`: default `methods.integrated_gradients()`. `pixels`: what the model is given for black and white, for
    baselines such as `gl.baselines.Black()`; a photo's case has them. The rest as in `attribute`. The channels of a
    pixel of images are summed first. Raises `InputError` and whatever `attribute` raises.
    """
    if not isinstance(baselines, Mapping) or len(baselines) < 2:
        raise InputError(
            'two baselines or more by name, such as {"zero": 0, "blur": gl.baselines.Blur()}', repr(baselines)
        )
    if score.asks_several:
        raise InputError("one target for all baselines", "a list of targets")
    parts = {name: as_baseline(b) for name, b in baselines.items()}
    told = {name: b if pixels is None else b.within(pixels) for name, b in parts.items()}
    found = {
        name: attribute(
            score,
            x,
            method,
            baseline=baseline,
            tol=tol,
            steps=steps,
            max_evaluations=max_evaluations,
            names=names,
            seed=seed,
            memory=memory,
        )
        for name, baseline in told.items()
    }
    summed = score.site is None and isinstance(x, Tensor) and x.ndim == 4
    maps = torch.stack([flat(a.sum(1) if summed else a.values).cpu().double() for a in found.values()], 1)
    return sensitivity(found, maps)


def sensitivity(attributions: Mapping[str, Attribution], maps: Tensor) -> BaselineSensitivity:
    """What `maps (N, B, U)` of so many baselines have in common."""
    count = maps.shape[1]
    agreement = torch.stack([rank_correlation(own) for own in maps])
    pairs = torch.triu_indices(count, count, 1)
    mean = maps.mean(1, keepdim=True)
    distance = (maps - mean).square().sum(2).mean(1).sqrt()
    length = mean.norm(dim=(1, 2))
    spread = torch.where(length > 0, distance / length, torch.nan)
    signs = maps.sign()
    stable = (signs == signs[:, :1]).all(1).double().mean(1)
    stable = torch.where(maps.isfinite().all(2).all(1), stable, torch.nan)
    return BaselineSensitivity(attributions, agreement, agreement[:, pairs[0], pairs[1]].mean(1), spread, stable)
