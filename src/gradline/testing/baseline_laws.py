"""Laws of baselines: where an example starts hangs on that example, its name and the seed, and on nothing else.

Each raises `AssertionError` with what is wrong. `x (N, *F)`: what the baseline is asked for, N >= 3.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from gradline.core.baselines import Baseline, Found, Group, PerInput, PixelSpace, Search
from gradline.core.baselines.data import FromData
from gradline.core.flow import Need, Of, Probe, Reading
from gradline.engine import explain
from gradline.errors import BaselineError
from gradline.methods import integrated_gradients
from gradline.question.targets import Entropy
from gradline.result import Attribution
from gradline.testing.drive import frame
from gradline.testing.laws import Net, gap_is_what_it_says
from gradline.testing.requiring import ROUNDING, require

PIXELS = PixelSpace((-1.0, -1.5, -2.0), (1.0, 2.0, 3.0))


def fits(part: Baseline, x: Tensor) -> bool:
    """The baseline says that it can start an example of x's shape and precision."""
    try:
        part.check(x)
    except BaselineError:
        return False
    return True


# --------------------------------------------------------------------------------------------------- asked for a group


def starts_are_like_x(part: Baseline, x: Tensor) -> None:
    """Starts `(B, draws, *F)` in the precision of x, on its device, finite, without a graph."""
    got = _starts(part, x)
    due = (len(x), part.draws, *x.shape[1:])
    require(got.shape == due, f"starts have shape {tuple(got.shape)}, due is (examples, draws, *features) = {due}")
    require(got.dtype == x.dtype, f"starts are {got.dtype}, x is {x.dtype}")
    require(got.device == x.device, f"starts are on {got.device}, x is on {x.device}")
    require(not got.requires_grad, "starts are attached to a graph")
    require(bool(torch.isfinite(got).all()), "starts are not finite")


def nothing_is_changed(part: Baseline, x: Tensor) -> None:
    """x, and the global random state of Python, numpy and torch, are left alone."""
    before = _state(x)
    _starts(part, x)
    changed = [what for what, value in _state(x).items() if not _equal(value, before[what])]
    require(not changed, f"changed by the baseline: {', '.join(changed)}")


def examples_start_alone(part: Baseline, x: Tensor) -> None:
    """An example starts alone where it starts in a batch, in any order, beside itself."""
    whole = _starts(part, x)
    every = torch.arange(len(x), device="cpu")
    for chosen in torch.split(every, 1):
        _close(_starts(part, x, chosen), whole[chosen], f"example {int(chosen)} starts elsewhere alone")
    order, twice = every.roll(1).flip(0), torch.tensor([1, 1], device="cpu")
    _close(_starts(part, x, order), whole[order], f"in the order {order.tolist()} examples start elsewhere")
    _close(_starts(part, x, twice), whole[twice], "an example that occurs twice starts elsewhere")


def chance_is_keyed(part: Baseline, x: Tensor) -> None:
    """`random`: starts hang on the example's name, the seed and the draw; otherwise on none of them."""
    chance, names = bool(part.random), [f"n{i}" for i in range(len(x))]
    one = _starts(part, x)
    others = {
        "another name": _starts(part, x, names=names),
        "another seed": _starts(part, x, seed=4),
        "draws that another part of an Each has taken before": _starts(part, x, first=20),
    }
    if not isinstance(part, FromData):  # its rows go together over all inputs of a model
        others["another input of the model"] = _starts(part, x, input="c")
    for what, other in others.items():
        same = torch.equal(one, other)
        wrong = "gives the same random numbers" if chance else "gives other starts, though `random` is not set"
        require(same != chance, f"{what} {wrong}")
    if chance and not isinstance(part, FromData):  # few rows of data are drawn by many
        drawn = torch.ne(one, others["another seed"]).flatten(2).any(2).any(0)
        twins = _starts(part, x[:1].expand_as(x).contiguous())[:, drawn].flatten(0, 1)
        alike = torch.eq(twins.unsqueeze(0), twins.unsqueeze(1)).flatten(2).all(2)
        require(int(alike.sum()) == len(twins), "two equal examples, or two draws of one, share random numbers")


def precisions_agree(part: Baseline, x: Tensor) -> None:
    """Starts for x in a low precision are those in float64, rounded."""
    if not x.is_floating_point():
        return
    exact, size = _starts(part, x.double()), float(x.double().abs().max())
    error = float((_starts(part, x).double() - exact).abs().max())
    most = 8 * torch.finfo(x.dtype).eps * max(1.0, size, float(exact.abs().max()))
    if x.dtype == torch.float64:
        return
    require(error <= most + 8 * torch.finfo(torch.float32).eps, f"starts in {x.dtype} are off by {error:.2g}")


def draws_stay(part: Baseline, x: Tensor) -> None:
    """As many draws where black and white are known, and where it holds for one of several inputs."""
    own = part.of_input("b")
    require(own is not None, "a baseline that names no input must hold for any of them")
    assert own is not None
    for what, other in (("pixels", part.within(PIXELS)), ("an input", own)):
        require(isinstance(other, Baseline), f"known {what}: {type(other).__name__} is no baseline")
        require(other.draws == part.draws, f"with known {what} it has {other.draws} draws, before {part.draws}")
        require(other.random == part.random, f"`random` changes with known {what}")
    _close(_starts(own, x), _starts(part, x), "for one of several inputs it starts elsewhere")


# ----------------------------------------------------------------------------------------------------------- explained


def sums_start_there(part: Baseline, model: Net, x: Tensor) -> None:
    """F(x') of an attribution is the mean of the model over the starts, and the gap is measured against it."""
    gap_is_what_it_says(integrated_gradients(), model, x, baseline=part)


def maps_are_an_examples_own(part: Baseline, model: Net, x: Tensor, **more: Any) -> None:
    """An example is explained alone as it is in a batch, if the baseline is not itself one for the whole batch."""
    if not isinstance(part, PerInput | Search) and not fits(part, x[:1]):
        return
    whole = _explained(model, x, baseline=part, **more)
    alone = _explained(model, x[1:2], baseline=part, names=("1",), **more)
    size = float(whole.score.abs().max()) if isinstance(part, Search) else 0.0  # found near by, up to rounding
    _close(alone.values, whole.values[1:2], "example 1 alone has another map than in a batch", size)


def inputs_start_apart(part: PerInput, model: Any, inputs: dict[str, Tensor]) -> None:
    """Each input starts where its own part says; one that has none, or None, is held and gets nothing."""
    digits = all(name.isdigit() for name in inputs)
    x: Any = tuple(inputs.values()) if digits else inputs
    a = _explained(model, x, baseline=part)
    for name, values in zip(inputs, a.values if digits else a.values.values(), strict=True):
        moves = part.of_input(name) is not None
        require(bool(values.any()) == moves, f"input {name} {'got nothing' if moves else 'is held, yet got something'}")
    starts = {}
    for name, entry in inputs.items():
        own = part.of_input(name)
        starts[name] = entry.unsqueeze(1) if own is None else _starts(own, entry, input=name, seed=0, first=0)
    scores = []
    for k in range(part.draws):
        at = {name: s[:, min(k, s.shape[1] - 1)] for name, s in starts.items()}
        scores.append(model(*at.values()) if digits else model(**at))
    due = torch.stack(scores).mean(0)[:, 0].detach().double()
    got = a.baseline_score
    assert got is not None
    off = float((got - due).abs().max())
    require(
        off <= 10 * ROUNDING[entry.dtype], f"F(x') is off by {off:.2g}: draw k of one input goes with draw k of others"
    )


# ------------------------------------------------------------------------------------------------------------ searched


def searches_stand_alone(part: Search, model: Net, x: Tensor) -> None:
    """A search returns starts `(B, draws, *F)` in the precision of its frame, for each example its own; x stays."""
    before = x.clone()
    whole = _searched(part, model, x)
    due = (len(x), part.draws, *x.shape[1:])
    require(whole.shape == due, f"starts have shape {tuple(whole.shape)}, due is {due}")
    require(whole.dtype == x.dtype, f"starts are {whole.dtype}, the frame is {x.dtype}")
    require(torch.equal(x, before), "x was changed")
    for i in range(len(x)):
        alone = _searched(part, model, x[i : i + 1], (str(i),))
        error = float((alone - whole[i : i + 1]).abs().max())
        require(error <= 100 * ROUNDING[x.dtype], f"example {i} starts elsewhere alone, by {error:.2g}")


def _searched(part: Search, model: Net, x: Tensor, names: tuple[str, ...] | None = None) -> Tensor:
    """What a search finds, its probes answered with column 0 of the model, that less the best other one at x, or the
    entropy of all."""
    with torch.no_grad():
        rival = model(x)[:, 1:].argmax(1) + 1

    def score(points: Tensor, owner: Tensor, of: object | None) -> Tensor:
        output: Tensor = model(points)
        if callable(of):
            return cast(Tensor, of(output))
        if of in (Of.ENTROPY, Of.ENTROPIES):
            return Entropy(labels=of is Of.ENTROPIES).pick(output, owner)
        other = output.gather(1, rival[owner].unsqueeze(1))[:, 0]
        return output[:, 0] - other if of is Of.MARGIN else output[:, 0]

    ground = frame(lambda points: model(points)[:, :1], x)
    flow = part.search(ground if names is None else replace(ground, names=names))
    answer: Reading | None = None
    try:
        while True:
            probe = next(flow) if answer is None else flow.send(answer)
            require(isinstance(probe, Probe), "a search asks, and tells nothing")
            leaf = probe.points.detach().clone().requires_grad_()
            value = score(leaf, probe.owner, probe.of)
            (grad,) = torch.autograd.grad(value.sum(), leaf)
            answer = Reading(probe.owner, value.detach().double(), None if probe.need is Need.VALUE else grad)
    except StopIteration as end:
        found: Found = end.value
        told = {name: len(values) for name, values in found.details.items() if len(values) != len(x)}
        require(not told, f"details do not say something of each of {len(x)} examples: {told}")
        return found.starts


# -------------------------------------------------------------------------------------------------------------- helpers


def _starts(
    part: Baseline,
    x: Tensor,
    rows: Tensor | None = None,
    *,
    names: list[str] | None = None,
    seed: int = 3,
    input: str = "b",  # noqa: A002
    first: int = 2,
) -> Tensor:
    chosen = torch.arange(len(x), device="cpu") if rows is None else rows
    named = tuple(str(i) for i in chosen.tolist()) if names is None else tuple(names)
    own = x if rows is None else x[chosen.to(x.device)]
    return part.start(Group(own, chosen, named, seed, input, first))


def _explained(model: Any, x: Any, **more: Any) -> Attribution:
    a = explain(model, x, 0, steps=8, **more)
    assert isinstance(a, Attribution)
    return a


def _state(x: Tensor) -> dict[str, Any]:
    return {
        "x": x.clone(),
        "the version of x": x._version,
        "torch's random state": torch.get_rng_state(),
        "numpy's random state": repr(np.random.get_state()),
        "Python's random state": random.getstate(),
    }


def _equal(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, Tensor) else bool(one == other)


def _close(got: Tensor, due: Tensor, message: str, size: float = 0.0) -> None:
    error = float((got.double() - due.double()).abs().max())
    size = max(1e-300, size, float(due.double().abs().max()))
    require(got.shape == due.shape and error <= ROUNDING.get(due.dtype, 0.0) * size, f"{message}: by {error:.2g}")
