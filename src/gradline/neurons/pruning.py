"""Knock-out: what is left of a region's attribution, and of the score, without the first neurons of a ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import Any, TypedDict, Unpack

import torch
from torch import Tensor

from gradline.core.baselines import AtSite, Each, Zero
from gradline.engine import attribute
from gradline.engine.inquiry import Inquiry, inquire
from gradline.errors import InputError
from gradline.neurons.behind import as_layer, regions
from gradline.neurons.pruned import ROW, Cells, Copies, Pruned, no_batch
from gradline.neurons.ranks import random_ranking
from gradline.question.bound import BoundScore
from gradline.question.inputs import check_inputs
from gradline.question.score import Score
from gradline.question.sites import Layer, OddAxis, Tap
from gradline.question.targets import Target
from gradline.question.views import Shares, View, view_of
from gradline.result.attribution import Attribution

SHARES = (0.0, 0.01, 0.03, 0.1, 0.3)
STEPS = 32

BATCH = 16
"""Rows of a forward in which activations are read."""


class Fill(Enum):
    """What stands in for a neuron that is taken away.

    `ZERO`, as the authors do. `BASELINE`: its activation at the baseline x' (the mean over several), which leaves F(x')
    as it is. `MEAN`: its mean activation over the examples of the call, of which there must be two.
    """

    ZERO = "zero"
    BASELINE = "baseline"
    MEAN = "mean"


class Options(TypedDict, total=False):
    """The keyword arguments that `default_rankings` shares with `gl.attribute`."""

    baseline: object
    steps: int
    rule: Any
    names: Sequence[str] | None
    seed: int
    memory: int | str | None


@dataclass(frozen=True, eq=False)
class Knockout:
    """What is left when the first neurons of each ranking are taken away.

    `names`: of the rankings (P). `shares`: of the layer's neurons, ascending from 0 (K). `examples`: their names (N).
    `fill`: what stands in for the neurons. Float64 `(P, K, N)`: `inside`, `outside`, the Integrated Gradients of the
    pruned network summed inside and outside the region, at share 0 those of the network as it is; `score`,
    `baseline_score`, F(x) and F(x') of the pruned network.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    examples: tuple[str, ...]
    fill: Fill
    inside: Tensor
    outside: Tensor
    score: Tensor
    baseline_score: Tensor

    @property
    def whole(self) -> Tensor:
        """Integrated Gradients of the pruned network summed over all of x: `(P, K, N)`."""
        return self.inside + self.outside

    def loss_inside(self) -> Tensor:
        """By how much the sum inside the region falls: `(P, K, N)`, 0 at share 0."""
        return self.inside[:, :1] - self.inside

    def loss_outside(self) -> Tensor:
        """By how much the sum outside the region falls: `(P, K, N)`; negative where it rises."""
        return self.outside[:, :1] - self.outside

    def loss_score(self) -> Tensor:
        """By how much the score falls: `(P, K, N)`."""
        return self.score[:, :1] - self.score


def default_rankings(
    score: Score, x: Any, layer: Layer | str, mask: Any, **options: Unpack[Options]
) -> dict[str, Attribution | Tensor]:
    """The rankings that Lundstrom et al. (2022) compare, and chance: maps of the layer.

    "region": `gl.neurons.region`. "conductance": the same of the whole input. "random". The first two share gradients
    and forwards. Arguments as of `gl.attribute`; 32 nodes. Raises `InputError`, `SiteError`.
    """
    inputs = check_inputs(x, score.context if isinstance(score, Score) else None)
    one = torch.ones((), device="cpu")
    driven = isinstance(score, Score) and isinstance(score.site, Layer)
    whole: Any = one if driven or inputs.form is Tensor else dict.fromkeys(inputs.attributed, one)
    asked = Options(steps=STEPS) | options
    ((region, conductance),) = regions(score, x, [layer], [mask, whole], **asked)
    assert isinstance(region.values, Tensor)
    chance = random_ranking(region.values.shape[1:], region.names, options.get("seed", 0))
    return {"region": region, "conductance": conductance, "random": chance}


def knockout(
    score: Score,
    x: Any,
    layer: Layer | str,
    mask: Any,
    rankings: Mapping[str, Attribution | Tensor] | None = None,
    *,
    shares: Sequence[float] = SHARES,
    fill: Fill = Fill.ZERO,
    baseline: object = None,
    steps: int = STEPS,
    rule: Any = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> Knockout:
    """Take the first neurons of rankings away and attribute anew: Integrated Gradients inside and outside a region.

    For each ranking and share p the first ⌊J p⌋ of the layer's J neurons return what `fill` says, at x, at x' and all
    along the path; Integrated Gradients of the network that is left are taken at the same `steps` nodes of `rule`
    (default `Midpoint`), from the same x', for the same class: a predicted one is that of the whole network.

    `mask`: as in `gl.neurons.region`. `rankings`: maps in the layer's shape, `(N, *G)`, or one for all `(1, *G)`,
    attributions or tensors, the largest value first (by magnitude: `a.values.abs()`); without them
    `default_rankings`. `shares`: in [0, 1], ascending; 0 is measured in any case. What bypasses the layer stays.
    Costs `steps` gradients an example for share 0, and for each ranking and share.

    Lundstrom, Huang, Razaviyayn (2022, arXiv:2202.11912), whose code takes 256 right-hand steps of a probability and
    zeros. Raises `InputError`, `SiteError`.
    """
    if not isinstance(score, Score):
        raise InputError("a Score, such as gl.Score(model, 3)", type(score).__name__)
    if score.asks_several:
        raise InputError("a score with one target", "a list of targets", "knock out for one target at a time")
    if not isinstance(fill, Fill):
        raise InputError("a fill, such as gl.neurons.Fill.ZERO", repr(fill))
    chosen, grid, start = as_layer(layer), _grid(shares), Zero() if baseline is None else baseline
    if rankings is None:
        rankings = default_rankings(
            score, x, chosen, mask, baseline=baseline, steps=steps, rule=rule, names=names, seed=seed, memory=memory
        )
    tap = chosen.find(score.model)
    with inquire(score, x, names=names, seed=seed, memory=memory) as asked:
        driven = isinstance(score.site, Layer)
        view = view_of(Shares((chosen,), (mask,)), score.model, asked.inputs, driven=driven)
        region = view.fitted(asked.ends.shape[1:], len(asked.names)).masks
        assert region is not None
        bound = replace(score.bind(x), read=View((tap,)))
        starts = asked.starts(start)
        one = _activations(bound, tap, torch.arange(1, device="cpu"))
        cells = Cells.of(rankings, grid, (len(asked.names), *one.shape[1:]))
        model = Pruned(score.model, tap, cells, _filling(fill, bound, tap, starts, one))
        a = attribute(
            _question(score, asked, model, cells.count),
            _repeated(asked, asked.inputs.entries, cells.count),
            baseline=_same_starts(asked, starts, cells.count, driven=driven),
            steps=steps,
            rule=rule,
            names=[f"{name}, pruned {cell}" for name in asked.names for cell in range(cells.count)],
            seed=seed,
            memory=memory,
        )
        packed = asked.packed(a.values, "values")
    sums = _sums(packed, region[0], len(asked.names))
    ends = (a.score, a.score if a.baseline_score is None else a.baseline_score)
    found = [cells.laid_out(part) for part in (*sums, *ends)]
    return Knockout(tuple(rankings), grid, asked.names, fill, *found)


def _grid(shares: object) -> tuple[float, ...]:
    """Shares ascending from 0. Raises `InputError`."""
    if isinstance(shares, str) or not isinstance(shares, Sequence):
        raise InputError("shares as a sequence of numbers", repr(shares))
    wrong = [p for p in shares if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1]
    if wrong or not shares or any(a >= b for a, b in pairwise(shares)):
        raise InputError("shares of the neurons, ascending, in [0, 1]", repr(tuple(shares)))
    return tuple(dict.fromkeys((0.0, *map(float, shares))))


def _question(score: Score, asked: Inquiry, model: Pruned, copies: int) -> Score:
    """The score of the pruned model for all copies of the examples."""
    target = asked.score.target
    assert isinstance(target, Target)
    rows = len(asked.names)
    held = {name: _each(value, rows, copies) for name, value in asked.inputs.context.items()}
    context = {**held, ROW: torch.arange(rows * copies, device="cpu")}
    return replace(score, model=model, target=Copies(target, copies), context=context)


def _repeated(asked: Inquiry, entries: Mapping[str, Any], copies: int) -> Any:
    """Entries of all examples in x's structure, so many copies of each."""
    found = {name: _each(value, len(asked.names), copies) for name, value in entries.items()}
    if asked.inputs.form is dict:
        return found
    return found["0"] if asked.inputs.form is Tensor else tuple(found.values())


def _each(value: Any, rows: int, copies: int) -> Any:
    many = isinstance(value, Tensor) and value.ndim > 0 and len(value) == rows
    return value.repeat_interleave(copies, 0) if many else value


def _same_starts(asked: Inquiry, starts: Tensor, copies: int, *, driven: bool) -> object:
    """The starts `(N, draws, *F)` of the whole network, for every copy."""
    if driven:
        return Each(*(AtSite(start.repeat_interleave(copies, 0)) for start in starts.unbind(1)))
    several = []
    for start in starts.unbind(1):
        whole = asked.inputs.structured(start)
        named: Any = {"0": whole} if isinstance(whole, Tensor) else whole
        entries = named if isinstance(named, Mapping) else {str(k): v for k, v in enumerate(named)}
        several.append(_repeated(asked, entries, copies))
    return Each(*several)


# ---------------------------------------------------------------------------------------------------------- activations


def _filling(fill: Fill, bound: BoundScore, tap: Tap, starts: Tensor, one: Tensor) -> Tensor:
    """What stands in for neurons: `(N, *G)`, or `(1, *G)` for all."""
    every = torch.arange(bound.inputs.rows, device="cpu")
    if fill is Fill.ZERO:
        return torch.zeros_like(one)
    if fill is Fill.BASELINE:
        return _activations(bound, tap, every, starts)
    if len(every) < 2:
        raise InputError("two examples or more for Fill.MEAN, the mean over them", "one", "use Fill.BASELINE")
    return _activations(bound, tap, every).mean(0, keepdim=True)


def _activations(bound: BoundScore, tap: Tap, examples: Tensor, starts: Tensor | None = None) -> Tensor:
    """What the layer returns at examples, or at their starts `(N, draws, *F)`, the mean over these: `(B, *G)`."""
    parts = []
    try:
        for rows in torch.split(examples, BATCH):
            if starts is None:
                parts.append(bound.survey(rows, []).heard[tap])
                continue
            points, owner = starts[rows.to(starts.device)], rows.repeat_interleave(starts.shape[1])
            with torch.no_grad():
                heard = bound.forward(points.flatten(0, 1).clone(), owner, []).heard[tap]
            parts.append(heard.reshape(*points.shape[:2], *heard.shape[1:]).mean(1))
    except OddAxis:
        raise no_batch(tap, "another") from None
    return torch.cat(parts).detach()


def _sums(values: Tensor, region: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Sums inside and outside the region of all copies `(N · C, *F)`: `(N · C,)` float64 on the CPU each."""
    inside, outside = [], []
    for own, part in zip(values.cpu().chunk(rows), region.expand(rows, *region.shape[1:]), strict=True):
        wide = own.double()
        inside.append((wide * part).flatten(1).sum(1))
        outside.append((wide * (1 - part)).flatten(1).sum(1))
    return torch.cat(inside), torch.cat(outside)
