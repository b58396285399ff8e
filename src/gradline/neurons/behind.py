"""Which neurons are behind a region of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import torch
from torch import Tensor

from gradline.core.accumulators import GradientTimesShare
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.core.paths import FixedBudget, Straight
from gradline.core.rules import RightRiemann
from gradline.engine import attribute
from gradline.engine.assemble import bypassed
from gradline.errors import InputError, SiteError
from gradline.question.guard import undisturbed
from gradline.question.score import Score
from gradline.question.sites import Layer
from gradline.question.views import Shares, View
from gradline.result.attribution import Attribution


class Options(TypedDict, total=False):
    """The keyword arguments that `region` shares with `gl.attribute`."""

    baseline: object
    tol: float | None
    steps: int | None
    rule: Any
    max_evaluations: int
    names: Sequence[str] | None
    seed: int
    memory: int | str | None
    progress: bool


def region(score: Score, x: Any, layer: Layer | str, mask: Any, **options: Unpack[Options]) -> Attribution:
    """What every neuron of a layer carries of a region's contribution: an attribution in the layer's shape.

    A_j(S) = ∫₀¹ ∂F/∂h_j(γ(t)) · [J_h(γ(t)) ((x − x') ⊙ 1_S)]_j dt along the straight path γ at the input.

    Summed over the neurons this is Σ_{i∈S} IG_i, the region's Integrated Gradients: exactly, node by node, where all of
    the score passes through the layer; `a.completeness_gap` is the sum less that, and a finding says if much goes past
    it. Additive over disjoint regions; the whole input gives conductance. Costs a gradient and a forward derivative a
    node, whatever the number of neurons and the size of the region.

    `mask`: fractions in [0, 1] that fit x without its batch axis, `(H, W)` for all channels of images, a vector of
    tokens for their embeddings (`Score(…, site=…)`), or `(N, …)`, one for each example; like x where that is a tuple or
    dict. `baseline`, `tol`, `steps`, `rule` and the rest as of `gl.attribute`. `a.parts["share"] (N, 1)`, float64: the
    region's Integrated Gradients from the same nodes.

    Lundstrom, Huang, Razaviyayn (2022, arXiv:2202.11912). Their code takes one-sided differences of h instead of the
    derivative (`region_as_published`), which errs by O(1/steps). Raises `InputError`, `SiteError`.
    """
    ((found,),) = regions(score, x, [layer], [mask], **options)
    return found


def regions(
    score: Score, x: Any, layers: Sequence[Layer | str], masks: Sequence[Any], **options: Unpack[Options]
) -> list[list[Attribution]]:
    """`region` for several layers and regions, which share gradients and forwards: a list a layer, an entry a region.

    A `tol` is asked of all maps together, side by side, and so is `error_estimate`.
    """
    chosen = _layers(layers)
    if isinstance(masks, Tensor) or not isinstance(masks, Sequence) or not masks:
        raise InputError("a list of masks, one for each region", type(masks).__name__)
    return _parted(_together(score, x, Shares(chosen, tuple(masks)), None, options), score, x, chosen)


def region_as_published(
    score: Score, x: Any, layer: Layer | str, mask: Any, *, baseline: object = None, steps: int = 256
) -> Attribution:
    """`region` as the authors' code has it: for each of `steps` equal steps, the gradient at its end times what moving
    the region alone changes in h at its beginning. Errs by O(1/steps); costs two forwards and a gradient a step.

    Main.py of optimization-for-data-driven-science/XAI, which explains a softmax probability with 256 steps.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError("steps as a whole number of at least 1", repr(steps))
    chosen = _layers([layer])
    looks = Shares(chosen, (mask,), difference=1 / steps)
    options: Options = {"baseline": baseline}
    ((found,),) = _parted(_together(score, x, looks, FixedBudget(steps, RightRiemann()), options), score, x, chosen)
    return found


def _together(score: Score, x: Any, looks: Shares, budget: FixedBudget | None, options: Options) -> Attribution:
    if isinstance(score, Score) and score.asks_several:
        raise InputError("a score with one target", "a list of targets", "ask for one region of one target at a time")
    name, cites = "region-to-neurons", ("lundstrom2022", "shrikumar2018")
    method = Method(name, Straight(), GradientTimesShare(), Zero(), cites, looks, budget=budget)
    found: Attribution = attribute(score, x, method, **options)
    return found


def _layers(layers: Sequence[Layer | str]) -> tuple[Layer, ...]:
    if isinstance(layers, str | Layer) or not isinstance(layers, Sequence) or not layers:
        raise SiteError("a list of layers", repr(layers))
    return tuple(as_layer(layer) for layer in layers)


def as_layer(layer: object) -> Layer:
    """A layer, or the name of one. Raises `SiteError`."""
    if isinstance(layer, Layer):
        return layer
    if isinstance(layer, str | torch.nn.Module):
        return Layer(layer)
    raise SiteError("a layer, as in gl.Layer('features.3')", repr(layer))


def _parted(a: Attribution, score: Score, x: Any, layers: tuple[Layer, ...]) -> list[list[Attribution]]:
    """One attribution for each layer and region, from the values of all, `(N, regions, ΣG)`."""
    values, share = a.values, a.parts["share"]
    assert isinstance(values, Tensor)
    if len(layers) == 1:
        maps = [values]
    else:
        shapes = _shapes(score, x, layers)
        sizes = [shape.numel() for shape in shapes]
        parts = torch.split(values, sizes, 2)
        maps = [part.reshape(*values.shape[:2], *shape) for part, shape in zip(parts, shapes, strict=True)]
    return [
        [_one(a, layer, of_layer[:, k], share[:, k]) for k in range(share.shape[1])]
        for layer, of_layer in zip(layers, maps, strict=True)
    ]


def _shapes(score: Score, x: Any, layers: tuple[Layer, ...]) -> list[torch.Size]:
    """The layers' shapes, without the batch axis, at the first example."""
    taps = [layer.find(score.model) for layer in layers]
    bound = replace(score.bind(x), read=View(tuple(taps)))
    with undisturbed(score.model, bound.inputs.anchor.device):
        heard = bound.survey(torch.zeros(1, dtype=torch.int64), []).heard
    return [heard[tap].shape[1:] for tap in taps]


def _one(a: Attribution, layer: Layer, values: Tensor, share: Tensor) -> Attribution:
    wide = values.flatten(1).cpu().double()
    precision: torch.dtype = getattr(torch, a.provenance["dtype"])
    return replace(
        a,
        values=values.clone(),
        completeness_gap=wide.sum(1) - share,
        parts={"share": share[:, None]},
        findings=(*a.findings, *bypassed(wide, share, precision)),
        provenance={**a.provenance, "site": repr(str(layer))},
    )
