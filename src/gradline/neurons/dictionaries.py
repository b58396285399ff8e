"""Features of a sparse dictionary at a layer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from gradline.core.baselines import AtSite
from gradline.core.method import Method
from gradline.core.rules import LeftRiemann, RightRiemann
from gradline.errors import InputError
from gradline.methods import integrated_gradients
from gradline.neurons.behind import as_layer
from gradline.neurons.rewiring import Budget, Check, Rewired, edit, published, rewired
from gradline.question.score import Score
from gradline.question.sites import Layer, Tap
from gradline.question.trees import shape_of
from gradline.result.attribution import Attribution

Encode = Callable[[Tensor], Tensor]
"""From what a layer returns, `(R, …, H)`, to features `(R, …, D)`, or back."""


def dictionary(
    score: Score,
    x: Any,
    layer: Layer | str,
    encode: Encode,
    decode: Encode,
    *,
    patch: object = None,
    as_published: bool = False,
    **budget: Unpack[Budget],
) -> Attribution:
    """What every feature of a sparse dictionary at a layer adds to the score: values `(N, …, D)`.

    A_j = (f_j − f'_j) ∫₀¹ ∂F/∂f_j dt for the state (f, e), features f = encode(h) and error e = h − decode(f) of the
    layer's output h `(N, …, H)`, which the layer returns as decode(f) + e; the straight path runs from the state at
    `patch` to that at x. The error is one node more: `a.parts["error"] (N, …)`. With it the values add up to
    F(x) − F(patch) whatever the dictionary, and `a.completeness_gap` is what is missing.

    `encode`, `decode`: any callables; modules are held in evaluation mode. `patch`: other inputs as the `baseline` of
    `gl.attribute` (such as ids of a prompt of the same length) or `gl.baselines.AtSite(…)` of f and e side by side; by
    default the zero state. `as_published`: 10 left nodes from x to the patch, and the signs of that way, the effect of
    patching: values add up to F(patch) − F(x), and `a.score` is F(patch).

    Marks, Rager, Michaud, Belinkov, Bau, Mueller (2025, arXiv:2403.19647), section 3.1. Raises `InputError`,
    `SiteError`.
    """
    tap = as_layer(layer).find(score.model)
    model = Spliced(score.model, tap, encode, decode)
    if as_published:
        # the left nodes of the way there are the right ones of the way back
        budget = published(budget, 10, RightRiemann())
    method = _method("dictionary-features", "marks2025", AtSite(0.0) if patch is None else patch)
    a = rewired(score, model, x, method, "state", budget)
    values = a.values
    assert isinstance(values, Tensor)
    sign = -1 if as_published else 1
    features, error = sign * values[..., : model.width], sign * values[..., model.width :].sum(-1)
    said = {**a.provenance, "site": repr(str(layer))}
    a = replace(a, values=features, parts={"error": error}, provenance=said)
    return _reversed(a) if as_published else a


def _reversed(a: Attribution) -> Attribution:
    """As of the way from x to the patch, whose values have been given the other sign."""
    assert a.baseline_score is not None
    assert a.completeness_gap is not None
    return replace(
        a,
        score=a.baseline_score,
        baseline_score=a.score,
        completeness_gap=-a.completeness_gap,
        provenance={**a.provenance, "rule": repr(LeftRiemann()), "as_published": True},
    )


def _method(name: str, cites: str, start: object) -> Method:
    return replace(integrated_gradients(), name=name, cites=(cites,)).starting_at(start)


class Spliced(Rewired):
    """A model in which a layer returns decode(f) + e, with f and e side by side at the place `state`.

    `width`: the number of features, known after the first forward.
    """

    def __init__(self, model: Any, tap: Tap, encode: Encode, decode: Encode) -> None:
        super().__init__(model)
        self.tap, self.encode, self.decode = tap, encode, decode
        self.state = nn.Identity()
        self.width = 0
        self.state.training = False

    def arm(self, around: ExitStack, rows: int, named: dict[str, Any]) -> Check:
        return edit(around, self.tap, self._spliced)

    def _spliced(self, h: Tensor) -> Tensor:
        f = self.encode(h)
        shape = (*h.shape[:-1], "features")
        if not isinstance(f, Tensor) or f.shape[:-1] != h.shape[:-1]:
            raise InputError(f"encode to give {shape} from {tuple(h.shape)}".replace("'", ""), shape_of(f))
        back = self.decode(f)
        if not isinstance(back, Tensor) or back.shape != h.shape:
            raise InputError(f"decode to give back shape {tuple(h.shape)}", shape_of(back))
        self.width = f.shape[-1]
        state = self.state(torch.cat([f, h - back], -1))
        return torch.as_tensor(self.decode(state[..., : self.width]) + state[..., self.width :])
