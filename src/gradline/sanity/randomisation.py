"""Parameter randomisation: does the map change when the weights do?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn

from gradline.errors import InputError
from gradline.metrics.base import Evaluation, Flow, nothing
from gradline.metrics.subject import Subject
from gradline.question.score import Score
from gradline.sanity.anew import Anew, average, curves, listed, map_of, troubles
from gradline.sanity.copying import copied
from gradline.sanity.layers import Block, blocks, state
from gradline.sanity.refilling import Refill, refill


class Order(StrEnum):
    """Which layers are new. `TOP_DOWN`: the last, the last two, … all. `BOTTOM_UP`: the first, the first two, … all.
    `INDEPENDENT`: each alone, the others as they were."""

    TOP_DOWN = "top down"
    BOTTOM_UP = "bottom up"
    INDEPENDENT = "independent"


@dataclass(frozen=True)
class ParameterRandomisation(Anew):
    """How alike the map is to those of the same network with new weights: the mean over layers, low is good.

    The class stays that of x. Layers are those with parameters of their own, as a forward comes to them
    (`layer_order`), or `layers`: names of blocks, each with all in it. `refill`: what weights become. The curve runs
    over the layers in the order of `order`, from the output for `INDEPENDENT` too; parts: every likeness, layer by
    layer. One draw of weights for all methods and orders.

    A low value says that the map depends on the weights, nothing more: noise has the lowest. A high one may come from
    the image, by the factor x − x' of contributions. Adebayo et al. (2018). Published code skips attention's input
    projection, gives layers of one shape the same weights, and takes layers as they were registered.
    """

    name = "parameter-randomisation"
    higher_is_better = False
    range = "−1 to 1; 0 is chance"
    cost = "one map a layer"
    cites = ("adebayo2018",)
    needs = ("explainer",)

    order: Order = Order.TOP_DOWN
    refill: Refill = Refill.RESET
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_member(self, "order", self.order, Order)
        _check_member(self, "refill", self.refill, Refill)
        check_layers(self, self.layers)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        score, network = copied(subject.score)
        found = blocks(score, network, subject.inputs, self.layers)
        if not found:
            raise InputError("a network with weights", "one without", "there is nothing to randomise")
        chain = found if self.order is Order.BOTTOM_UP else found[::-1]
        tables = self.likenesses(subject, self._maps(subject, score, network, chain))
        values, notes = average(subject, tables[self.by])
        said = f"{self.by.words}, {self.order.value}, {self.refill.value}, seed {subject.seed}, "
        said += f"{len(chain)} layers: {listed([b.name for b in chain])}"
        axis = torch.arange(1, len(chain) + 1, dtype=torch.float64)
        return Evaluation(self, values, tables[self.by], axis, curves(tables), notes, said)

    def _maps(self, subject: Subject, score: Score, network: nn.Module, chain: Sequence[Block]) -> list[Tensor]:
        """The map after each step."""
        maps = []
        for i, block in enumerate(chain):
            alone = self.order is Order.INDEPENDENT
            back = _keeping(block) if alone else None
            refill(block, self.refill, subject.seed)
            new = chain[i : i + 1] if alone else chain[: i + 1]
            maps.append(map_of(subject, score, weights_key(self.refill, new)))
            if back is not None:
                back()
        return maps


@dataclass(frozen=True)
class EntropyChange(Anew):
    """(H(a') − H(a)) / H(a) of the map a' of the network with all weights new, H the entropy of a histogram of the
    map's values in 100 equal bins between its extremes: claimed to be better when higher.

    It tells how structured the map was rather than whether it depends on the model: guided backpropagation, which
    hardly does, has the best published values. Hedström et al. (2023). Parts: both entropies in nats, every likeness.
    """

    name = "entropy-change"
    higher_is_better = None
    range = "−1 to ∞"
    cost = "one map"
    cites = ("adebayo2018", "hedstrom2023")
    needs = ("explainer",)

    refill: Refill = Refill.RESET

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_member(self, "refill", self.refill, Refill)

    def flow(self, subject: Subject) -> Flow:
        yield from ()
        score, network = copied(subject.score)
        found = blocks(score, network, subject.inputs)
        for block in found:
            refill(block, self.refill, subject.seed)
        other = map_of(subject, score, weights_key(self.refill, found))
        tables = self.likenesses(subject, [other])
        before, after = entropy(subject.maps), entropy(other)
        parts = {"entropy": before, "entropy after": after, **{k: v[:, 0] for k, v in curves(tables).items()}}
        notes = tuple(
            own or ("" if here else "the map made anew is not finite")
            for own, here in zip(troubles(subject), after.isfinite().tolist(), strict=True)
        )
        values = torch.where(before > 0, (after - before) / before, torch.nan)
        said = f"100 bins, {self.refill.value}, seed {subject.seed}, {len(found)} layers"
        return Evaluation(self, values, None, None, parts, notes, said)


def entropy(maps: Tensor, bins: int = 100) -> Tensor:
    """Of a histogram of the values of each map, in equal bins between its extremes, in nats: `(N,)`; 0 for a constant
    map, NaN for one that is not finite."""
    found = nothing(len(maps))
    for i, row in enumerate(maps.flatten(1).cpu().double()):
        if bool(row.isfinite().all()):
            low, high = row.min(), row.max()
            place = ((row - low) / torch.where(high > low, high - low, 1) * bins).long().clamp(max=bins - 1)
            share = torch.bincount(place, minlength=bins).double() / len(row)
            found[i] = torch.special.entr(share).sum()
    return found


def weights_key(how: Refill, new: Sequence[Block]) -> tuple[object, ...]:
    """Two networks with the same new weights have one key."""
    return ("new weights", how, frozenset(name for block in new for name in block.members))


def check_layers(metric: object, layers: object) -> None:
    """Raise `InputError` unless it is None or a tuple of names."""
    named = isinstance(layers, tuple) and bool(layers) and all(isinstance(name, str) for name in layers)
    if layers is not None and not named:
        raise InputError(f"layers as a tuple of names for {type(metric).__name__}", repr(layers))


def _check_member(metric: object, field: str, value: object, kind: type[StrEnum]) -> None:
    if not isinstance(value, kind):
        expected = f"{field} as one of gl.sanity.{kind.__name__} for {type(metric).__name__}"
        raise InputError(expected, repr(value))


def _keeping(block: Block) -> Callable[[], None]:
    """Puts the block back as it is now."""
    tensors = [t for m in block.members.values() for t in state(m)]
    kept = [t.detach().clone() for t in tensors]

    def back() -> None:
        for now, before in zip(tensors, kept, strict=True):
            now.data.copy_(before)

    return back
