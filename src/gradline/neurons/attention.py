"""Attention attribution: which attention, from which word to which, in which head, a score rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import Enum
from functools import partial
from threading import get_ident
from types import FunctionType
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from gradline.core.baselines import AtSite
from gradline.core.rules import LeftRiemann
from gradline.errors import InputError, SiteError
from gradline.methods import integrated_gradients
from gradline.neurons.behind import as_layer
from gradline.neurons.rewiring import Budget, Check, Rewired, check_score, published, rewired
from gradline.question.score import Score
from gradline.question.sites import Layer, Tap
from gradline.result.attribution import Attribution

PUBLISHED = 64
"""Left nodes of the authors' code: 4 batches of 16."""

SOFTMAXES = frozenset({functional.softmax, torch.softmax, Tensor.softmax, torch.special.softmax})


class HeadScore(Enum):
    """How the map of a head becomes one number."""

    MAXIMUM = "maximum"
    SUM = "sum"


def attention_attribution(
    score: Score,
    x: Any,
    layers: Sequence[Layer | str],
    *,
    as_published: bool = False,
    **budget: Unpack[Budget],
) -> list[Attribution]:
    """What the attention probabilities of layers add to the score: for each layer values `(N, heads, T, S)`.

    Attr_h(A) = A_h ⊙ ∫₀¹ ∂F/∂A_h (αA) dα, all heads of a layer together, those of the other layers as the model
    computes them. [i, h, t, s]: from word t to word s. Values of a layer add up to F(A) − F(0).

    `layers`: modules that compute one softmax attention, such as "encoder.layer.0.attention.self" (BERT),
    "transformer.h.0.attn" (GPT-2), "model.layers.0.self_attn" (Llama) or an `nn.MultiheadAttention`. The probabilities
    are found whether the module calls a softmax or `scaled_dot_product_attention`; flash and flex attention never form
    them: `SiteError`. For a module that returns the probabilities, ask
    `gl.attribute(gl.Score(model, target, site=gl.Layer(…)), x, baseline=gl.baselines.AtSite(0.0))`.
    `as_published`: 64 left nodes.

    Hao, Dong, Wei, Xu (2021, arXiv:2004.11207), eq. 3, who explain a probability: `gl.Probability`. Their
    `zero_baseline` switch has no other position. Raises `InputError`, `SiteError`.
    """
    check_score(score)
    if isinstance(layers, str | Layer | nn.Module) or not isinstance(layers, Sequence) or not layers:
        raise SiteError("a list of layers", repr(layers))
    if as_published:
        budget = published(budget, PUBLISHED, LeftRiemann())
    method = replace(integrated_gradients(), name="attention-attribution", cites=("hao2021",))
    method, found = method.starting_at(AtSite(0.0)), []
    for layer in map(as_layer, layers):
        if layer.output or layer.call is not None:
            raise SiteError("an attention module, without output= or call=", repr(layer))
        a = rewired(score, Opened(score.model, layer.find(score.model)), x, method, "probabilities", budget)
        found.append(replace(a, provenance={**a.provenance, "site": repr(f"{layer}, attention probabilities")}))
    return found


def head_scores(attributions: Sequence[Attribution], *, of: HeadScore = HeadScore.MAXIMUM) -> Tensor:
    """One number for each head, `(N, layers, heads)`, float64: the largest value of its map, or the sum of all.

    The paper's importance of a head is the mean of the maxima over examples: `head_scores(found).mean(0)`; the sum is
    what the head adds to the score (Hao et al. 2021, section 4.2). Raises `InputError`.
    """
    if not attributions:
        raise InputError("attributions of attention probabilities", "none")
    maps = []
    for a in attributions:
        values = a.values
        if not isinstance(values, Tensor) or values.ndim < 4:
            raise InputError("attributions of attention probabilities, (N, heads, T, S)", type(values).__name__)
        maps.append(values.double().flatten(2))
    if len({m.shape[:2] for m in maps}) > 1:
        shapes = ", ".join(str(tuple(m.shape[:2])) for m in maps)
        raise InputError("attributions of the same examples with as many heads each", shapes, "score them apart")
    return torch.stack([m.amax(2) if of is HeadScore.MAXIMUM else m.sum(2) for m in maps], 1)


# ------------------------------------------------------------------------------------------------ the probabilities


class Opened(Rewired):
    """A model whose attention probabilities in one module pass through a place `probabilities`: `(R, heads, T, S)`."""

    def __init__(self, model: Any, tap: Tap) -> None:
        super().__init__(model)
        self.tap = tap
        self.probabilities = nn.Identity()
        self.probabilities.training = False

    def arm(self, around: ExitStack, rows: int, named: dict[str, Any]) -> Check:
        mode = Probabilities(self.tap, rows, self.probabilities)
        around.enter_context(mode)
        around.callback(self.tap.module.register_forward_pre_hook(mode.enter).remove)
        around.callback(self.tap.module.register_forward_hook(mode.leave).remove)
        return mode.check


class Probabilities(TorchFunctionMode):
    """While a module runs, its softmax, or that of a fused attention, goes through `place`.

    Softmax and `scaled_dot_product_attention` are met as they are called, so that no model has to be written for it.
    """

    def __init__(self, tap: Tap, rows: int, place: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.tap, self.rows, self.place = tap, rows, place
        self.inside, self.met, self.thread = False, 0, get_ident()

    def enter(self, *_: Any) -> None:
        self.inside = self.inside or get_ident() == self.thread

    def leave(self, *_: Any) -> None:
        self.inside = self.inside and get_ident() != self.thread

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if not self.inside:
            return func(*args, **named)
        if func is functional.scaled_dot_product_attention:
            return fused(self.passed, *args, **named)
        if func is functional.multi_head_attention_forward:
            return self._looked_into(func)(*args, **named)
        found = func(*args, **named)
        return self.passed(found) if func in SOFTMAXES else found

    def _looked_into(self, func: Any) -> Any:
        """The same Python function, which calls ours for the attention inside."""

        def soft(*args: Any, **named: Any) -> Tensor:
            return self.passed(functional.softmax(*args, **named))

        ours = {"softmax": soft, "scaled_dot_product_attention": partial(fused, self.passed)}
        made = FunctionType(func.__code__, {**func.__globals__, **ours}, func.__name__, func.__defaults__)
        made.__kwdefaults__ = func.__kwdefaults__
        return made

    def passed(self, found: Tensor) -> Tensor:
        """Probabilities `(R, heads, T, S)`, or `(R · heads, T, S)`, as the place has them."""
        self.met += 1
        if self.met > 1:
            more = f"several softmaxes inside {self.tap.label}"
            raise SiteError("a module that computes one attention", more, "name the attention module within it")
        parted = found.ndim == 3 and len(found) % self.rows == 0
        whole = found.reshape(self.rows, -1, *found.shape[1:]) if parted else found
        return self.place(whole).reshape(found.shape)

    def check(self) -> None:
        if not self.met:
            raise SiteError(
                f"a softmax or scaled_dot_product_attention inside layer {self.tap.label}",
                "neither",
                "name the module whose forward computes attention; for flash and flex attention load the model with "
                'attn_implementation="eager"; a module that returns probabilities is a site of its own: '
                "gl.Score(…, site=gl.Layer(…))",
            )


def fused(
    passed: Callable[[Tensor], Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`torch.nn.functional.scaled_dot_product_attention` by its definition, the probabilities as `passed` has them.

    A query that may look nowhere has probabilities of zero, as there.
    """
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    found = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        seen = torch.ones(found.shape[-2:], dtype=torch.bool, device=found.device).tril()
        found = found.masked_fill(~seen, -torch.inf)
    if attn_mask is not None:
        hidden = attn_mask.dtype == torch.bool
        found = found.masked_fill(~attn_mask, -torch.inf) if hidden else found + attn_mask
    blind = found.isneginf().all(-1, keepdim=True)
    probabilities = passed(found.masked_fill(blind, 0.0).softmax(-1).masked_fill(blind, 0.0))
    return functional.dropout(probabilities, dropout_p) @ value
