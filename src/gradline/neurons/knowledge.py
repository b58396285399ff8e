"""Knowledge neurons: which feed-forward activations a language model's answer rests on, and what it says without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from gradline.core.baselines import AtSite, Baseline, Group
from gradline.core.random import generator
from gradline.core.rules import LeftRiemann
from gradline.engine import attribute
from gradline.engine.inquiry import Inquiry, inquire
from gradline.errors import BaselineError, InputError, SiteError
from gradline.methods import integrated_gradients
from gradline.neurons.behind import as_layer
from gradline.neurons.rewiring import Budget, Check, Rewired, check_score, edit, published
from gradline.question.inputs import check_inputs
from gradline.question.score import Score
from gradline.question.sites import Layer, Tap
from gradline.question.targets.scales import Scale
from gradline.result.attribution import Attribution

Neurons = frozenset[tuple[str, int]]
"""Neurons as pairs of a layer's name and an index of its last axis."""

PUBLISHED = 20
"""Left nodes of the paper."""

POSITION = "gradline_position"
"""Under this name positions go to a rewired model, one for each row."""


@dataclass(frozen=True, eq=False)
class KnowledgeNeurons:
    """Attributions of the neurons of several layers: `attributions[l].values (N, D_l)` for `layers[l]`."""

    layers: tuple[str, ...]
    attributions: tuple[Attribution, ...]

    @property
    def values(self) -> Tensor:
        """All layers side by side, `(N, ΣD)`, float64 on the CPU."""
        return torch.cat([_map(a).cpu().double() for a in self.attributions], 1)

    @property
    def neurons(self) -> list[tuple[str, int]]:
        """What the columns of `values` are."""
        sizes = (_map(a).shape[1] for a in self.attributions)
        return [(layer, j) for layer, size in zip(self.layers, sizes, strict=True) for j in range(size)]

    def found(self, share: float = 0.2) -> list[Neurons]:
        """For each prompt its neurons above `share` of the largest value of all layers; none if that is not positive.

        0.2 in the paper's section 3.3; another published code takes 0.3. Raises `InputError`.
        """
        _check_share(share)
        values, named = self.values, self.neurons
        most = values.amax(1, keepdim=True)
        kept = (values > share * most) & (most > 0)
        return [frozenset(named[j] for j in row.nonzero()[:, 0].tolist()) for row in kept]

    def drawn_like(self, found: Sequence[Neurons], *, seed: int = 0) -> list[Neurons]:
        """As many neurons for each prompt, drawn without repetition from all others: what suppression is compared with.

        Raises `InputError`.
        """
        named, names = self.neurons, self.attributions[0].names
        if len(found) != len(names):
            raise InputError(f"{len(names)} sets of neurons, one for each prompt", f"{len(found)}")
        drawn = []
        for name, own in zip(names, found, strict=True):
            others = [neuron for neuron in named if neuron not in own]
            order = torch.randperm(len(others), generator=generator(seed, name, "random neurons"), device="cpu")
            drawn.append(frozenset(others[j] for j in order[: len(own)].tolist()))
        return drawn


def knowledge_neurons(
    score: Score,
    x: Any,
    layers: Sequence[Layer | str],
    *,
    position: int | Tensor,
    as_published: bool = False,
    **budget: Unpack[Budget],
) -> KnowledgeNeurons:
    """What each feed-forward neuron of layers adds to the score at one position: values `(N, D)` for each layer.

    A_j = w_j ∫₀¹ ∂F/∂w_j (αw) dα for the activations w `(N, T, D)` of a layer at that position; other positions, and
    other layers but for what follows from it, stay as they are. Values of a layer add up to F(w) − F(0 there); nothing
    is claimed across layers.

    `layers`: those whose outputs are the activations, such as "transformer.h.0.mlp.act" (GPT-2) or
    "bert.encoder.layer.0.intermediate" (BERT). `position`: of the axis behind the batch, from the end if negative;
    whole, or a tensor of N. `as_published`: 20 left nodes.

    Dai, Dong, Hao, Sui, Chang, Wei (2022, arXiv:2104.08696), eq. 1 and 2, who explain the probability of the answer's
    token, `gl.Probability`. Raises `InputError`, `SiteError`.
    """
    check_score(score)
    if isinstance(layers, str | Layer | nn.Module) or not isinstance(layers, Sequence) or not layers:
        raise SiteError("a list of layers", repr(layers))
    if as_published:
        budget = published(budget, PUBLISHED, LeftRiemann())
    rows = check_inputs(x, score.context).rows
    where = _positions(position, rows)
    method = replace(integrated_gradients(), name="knowledge-neurons", cites=("dai2022",))
    method, found, names = method.starting_at(AtSite(ZeroAt(where))), [], []
    for layer in map(as_layer, layers):
        names.append(_name(layer, score.model))
        a: Attribution = attribute(replace(score, site=layer), x, method, **budget)
        values = a.values
        assert isinstance(values, Tensor)
        own = values[torch.arange(rows), where.to(values.device)].clone()
        found.append(replace(a, values=own, parts={"position": where}))
    return KnowledgeNeurons(tuple(names), tuple(found))


def refine(found: Sequence[Neurons], *, share: float = 0.7, at_least: int = 3) -> Neurons:
    """What the prompts agree on: neurons in at least `share` of the sets, and in at least `at_least` of them.

    Of several wordings of one fact what is not of the fact drops out (Dai et al. 2022, section 3.3; 3 in their code).
    Raises `InputError`, so for fewer sets than `at_least`.
    """
    _check_share(share)
    if isinstance(at_least, bool) or not isinstance(at_least, int) or not 1 <= at_least <= len(found):
        raise InputError(f"at_least from 1 to the {len(found)} sets of neurons", repr(at_least))
    votes = Counter(neuron for own in found for neuron in own)
    needed = max(at_least, share * len(found) - 1e-9)
    return frozenset(neuron for neuron, count in votes.items() if count >= needed)


def of_relation(facts: Sequence[Neurons], *, share: float = 0.1) -> Neurons:
    """Neurons that at least `share` of the facts of one relation have: they belong to the relation, not to a fact.

    Taken off each fact's neurons they leave its own: the relation-level filter of Dai et al. (2022). Raises
    `InputError`.
    """
    return refine(facts, share=share, at_least=1)


# ------------------------------------------------------------------------------------------------ suppressed, amplified


def suppress(score: Score, neurons: Iterable[tuple[str, int]], *, position: int | Tensor) -> Score:
    """The score of the model in which these neurons are zero at a position."""
    return scaled(score, neurons, 0.0, position=position)


def amplify(score: Score, neurons: Iterable[tuple[str, int]], *, position: int | Tensor) -> Score:
    """The score of the model in which these neurons are doubled at a position."""
    return scaled(score, neurons, 2.0, position=position)


def scaled(score: Score, neurons: Iterable[tuple[str, int]], factor: float, *, position: int | Tensor) -> Score:
    """The score of the model in which these neurons are multiplied at a position. Raises `InputError`, `SiteError`.

    `position`: of the axis behind the batch; whole, or a tensor of N for a call with N examples.
    """
    by_layer: dict[str, list[int]] = {}
    for layer, index in sorted(neurons):
        by_layer.setdefault(layer, []).append(index)
    taps = tuple((Layer(layer).find(score.model), tuple(indices)) for layer, indices in by_layer.items())
    where = position if isinstance(position, Tensor) else _positions(position, 1)
    return replace(score, model=Scaled(score.model, taps, factor), context={**(score.context or {}), POSITION: where})


@dataclass(frozen=True, eq=False)
class Effect:
    """The score of each example as the model is, and with neurons changed: float64 `(N,)`."""

    before: Tensor
    after: Tensor

    @property
    def ratio(self) -> Tensor:
        """The relative change, after / before − 1, as in the paper's figure 4 for probabilities."""
        return self.after / self.before - 1


def effect(
    score: Score,
    x: Any,
    neurons: Iterable[tuple[str, int]],
    *,
    position: int | Tensor,
    factor: float = 0.0,
    memory: int | str | None = None,
) -> Effect:
    """What multiplying neurons at a position does to the score: 0 suppresses, 2 amplifies. Two forwards an example.

    A target that depends on the model, such as the predicted class, is that of the model as it is. Raises
    `InputError`, `SiteError`.
    """
    check_score(score)
    chosen = sorted(neurons)
    if not chosen:
        raise InputError("at least one neuron, (layer, index)", "none")
    asked = replace(score, site=Layer(chosen[0][0]))  # a place for x of integers; nothing moves there
    changed = scaled(asked, chosen, factor, position=position)
    with inquire(asked, x, memory=memory) as before:
        every = torch.arange(before.inputs.rows)
        was = _explained(before, every)
        with inquire(replace(changed, target=before.score.target), x, memory=memory) as after:
            return Effect(was, _explained(after, every))


def _explained(open_score: Inquiry, every: Tensor) -> Tensor:
    found: Tensor = open_score.values(open_score.ends, every)[Scale.EXPLAINED]
    return found.detach().cpu().double()


class Scaled(Rewired):
    """A model in which neurons of layers are multiplied by a factor at a position of each row."""

    def __init__(self, model: Any, taps: tuple[tuple[Tap, tuple[int, ...]], ...], factor: float) -> None:
        super().__init__(model)
        self.taps, self.factor = taps, factor

    def arm(self, around: ExitStack, rows: int, named: dict[str, Any]) -> Check:
        where = named.pop(POSITION)
        checks = [edit(around, tap, partial(self._changed, own, where)) for tap, own in self.taps]

        def check() -> None:
            for one in checks:
                one()

        return check

    def _changed(self, own: tuple[int, ...], where: Tensor, h: Tensor) -> Tensor:
        if h.ndim < 3 or not all(-h.shape[1] <= p < h.shape[1] for p in where.tolist()):
            raise SiteError(f"activations (N, T, D) with positions {where.tolist()}", f"shape {tuple(h.shape)}")
        if not all(0 <= j < h.shape[-1] for j in own):
            raise InputError(f"neurons from 0 to {h.shape[-1] - 1}", f"{[j for j in own if not 0 <= j < h.shape[-1]]}")
        factor = torch.ones_like(h)
        rows, columns = torch.arange(len(h), device=h.device)[:, None], torch.tensor(own, device=h.device)[None]
        factor[rows, where.to(h.device)[:, None], ..., columns] = self.factor
        return h * factor


# ------------------------------------------------------------------------------------------------ parts


@dataclass(frozen=True, eq=False)
class ZeroAt(Baseline):
    """What a layer shows at x, `(N, T, …)`, with zero at one position of each example. `position (N,)`: int64."""

    position: Tensor = field(repr=False)

    def check(self, x: Tensor) -> None:
        if x.ndim < 3:
            raise BaselineError("a layer that returns (N, T, D)", f"shape {tuple(x.shape)}")
        wrong = [p for p in self.position.tolist() if not -x.shape[1] <= p < x.shape[1]]
        if wrong:
            raise BaselineError(f"a position below {x.shape[1]}", str(wrong[0]))

    def start(self, group: Group) -> Tensor:
        self.check(group.x)
        found = group.x.clone()
        rows = torch.arange(len(found), device=found.device)
        found[rows, self.position[group.rows].to(found.device)] = 0
        return found.unsqueeze(1)


def _positions(position: int | Tensor, rows: int) -> Tensor:
    """Whole numbers `(rows,)`, int64 on the CPU. Raises `InputError`."""
    expected = f"position as a whole number, or a tensor of {rows} whole numbers"
    if isinstance(position, Tensor):
        if position.is_floating_point() or position.dtype == torch.bool or position.shape != (rows,):
            raise InputError(expected, f"{position.dtype} of shape {tuple(position.shape)}")
        return position.detach().to("cpu", torch.int64)
    if isinstance(position, bool) or not isinstance(position, int):
        raise InputError(expected, repr(position))
    return torch.full((rows,), position)


def _name(layer: Layer, model: Any) -> str:
    """The name of a layer in the model. Raises `SiteError`."""
    tap = layer.find(model)
    if isinstance(layer.where, str):
        return layer.where
    return next((name for name, module in model.named_modules() if module is tap.module), str(layer))


def _map(a: Attribution) -> Tensor:
    values = a.values
    assert isinstance(values, Tensor)
    return values


def _check_share(share: float) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InputError("share in [0, 1]", repr(share))
