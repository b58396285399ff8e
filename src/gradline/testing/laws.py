"""Laws that every method keeps, each a function that raises `AssertionError` where the law is broken.

A law takes a method, a model (any callable in evaluation mode; column `target` of its output is explained) and inputs
`x (N, *F)` in the precision under test. `steps` is the budget of methods that integrate; the others ignore it. `LAWS`
hold for every method, model and input; the others say what they need.

>>> from gradline.testing import laws
>>> laws.rows_are_independent(gl.methods.gradient(), model, x)          # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gradline.core.accumulators import GradientTimesMove, SumLaw
from gradline.core.baselines import Group
from gradline.core.method import Method
from gradline.core.rules import MonteCarlo, Rule
from gradline.engine import explain
from gradline.result import Attribution
from gradline.status import Status
from gradline.testing.requiring import ROUNDING, require, rows_agree
from gradline.testing.state import identical, state_of

Net = Callable[[Tensor], Any]
Index = int | Tensor
Tol = float | None


# ------------------------------------------------------------------------------------------------------------ examples


def rows_are_independent(
    method: Method, model: Net, x: Tensor, *, target: Index = 0, baseline: Any = None, steps: int = 16, tol: Tol = None
) -> None:
    """An example is explained alone as it is in a batch."""
    batch = _run(method, model, x, target=target, baseline=baseline, steps=steps, tol=tol)
    for i in range(len(x)):
        own = {"target": _rows(target, slice(i, i + 1)), "baseline": _rows(baseline, slice(i, i + 1))}
        alone = _run(method, model, x[i : i + 1], steps=steps, tol=tol, names=(str(i),), **own)
        _same(alone, batch[i], x.dtype, f"example {i} alone differs from example {i} of a batch of {len(x)}")


def order_does_not_matter(
    method: Method, model: Net, x: Tensor, *, target: Index = 0, baseline: Any = None, steps: int = 16, tol: Tol = None
) -> None:
    """Examples in another order have their maps in that order."""
    order = torch.arange(len(x)).roll(1).flip(0)
    batch = _run(method, model, x, target=target, baseline=baseline, steps=steps, tol=tol)
    own = {"target": _rows(target, order), "baseline": _rows(baseline, order)}
    mixed = _run(method, model, x[order], steps=steps, tol=tol, names=tuple(str(int(i)) for i in order), **own)
    for place, i in enumerate(order.tolist()):
        _same(mixed[place], batch[i], x.dtype, f"example {i} changed when it was moved to place {place} of the batch")


def chunks_do_not_matter(
    method: Method, model: Net, x: Tensor, *, target: Index = 0, baseline: Any = None, steps: int = 16, memory: int = 1
) -> None:
    """A small memory budget, in bytes (one row at a time by default), changes the batches and not the map."""
    wide = _run(method, model, x, target=target, baseline=baseline, steps=steps)
    small = _run(method, model, x, target=target, baseline=baseline, steps=steps, memory=memory)
    for i in range(len(x)):
        _same(small[i], wide[i], x.dtype, f"example {i} changed with a memory of {memory} bytes")


# ---------------------------------------------------------------------------------------------------- score, features


def features_may_be_renamed(
    method: Method, model: Net, x: Tensor, *, target: Index = 0, steps: int = 16, tol: Tol = None
) -> None:
    """Features in another order, read in that order by the model, have their values in that order."""
    there = torch.randperm(x[0].numel(), generator=torch.Generator().manual_seed(0))
    back = there.argsort()

    def renamed(points: Tensor) -> Any:
        return model(points.flatten(1)[:, back].reshape(points.shape))

    first = _run(method, model, x, target=target, steps=steps, tol=tol)
    second = _run(method, renamed, x.flatten(1)[:, there].reshape(x.shape), target=target, steps=steps, tol=tol)
    rows_agree(
        second.values.flatten(1), first.values.flatten(1)[:, there], x.dtype, "values do not follow their features"
    )


def linear_in_the_score(method: Method, one: Net, other: Net, x: Tensor, *, target: Index = 0, steps: int = 16) -> None:
    """The map of 2 F − 3 G is twice the map of F less three times the map of G, at the same nodes."""
    first, second, both = (
        _run(method, score, x, target=target, steps=steps).values
        for score in (one, other, lambda points: 2 * one(points) - 3 * other(points))
    )
    scale = (2 * first).abs() + (3 * second).abs()
    rows_agree(both, 2 * first - 3 * second, x.dtype, "the map is not linear in the score", scale)


def dummy_gets_nothing(
    method: Method, model: Net, x: Tensor, *, target: Index = 0, steps: int = 16, tol: Tol = None
) -> None:
    """A feature that the model does not read gets exactly zero."""
    dummy = (torch.arange(x[0].numel()) % 3 == 0).reshape(x.shape[1:])

    def blind(points: Tensor) -> Any:
        return model(torch.where(dummy, torch.full_like(points, 0.25), points))

    values = _run(method, blind, x, target=target, steps=steps, tol=tol).values
    require(not values[:, dummy].any(), f"features that are not read got {values[:, dummy].abs().max():.3g}")
    require(bool(values[:, ~dummy].any()), "no feature got anything: this score shows nothing")


def no_way_no_map(method: Method, model: Net, x: Tensor, *, target: Index = 0, steps: int = 16) -> None:
    """Where x is its own baseline: zero, `flat`, estimate and gap zero. Needs a method with a baseline."""
    for tol in (None, 0.05) if method.estimates else (None,):
        a = _run(method, model, x, target=target, baseline=x, steps=steps, tol=tol)
        require(not a.values.any(), f"x = x', yet values reach {a.values.abs().max():.3g}")
        require(set(a.status) == {Status.FLAT}, f"x = x', yet the status is {set(a.status)}")
        require(a.error_estimate is None or not a.error_estimate.any(), f"a zero map with error {a.error_estimate}")
        gap = torch.zeros(()) if a.completeness_gap is None else a.completeness_gap
        require(not (gap.abs() > ROUNDING[x.dtype] * a.score.abs()).any(), f"a zero map with gap {gap.tolist()}")


# -------------------------------------------------------------------------------------------------------------- the sum


def gap_is_what_it_says(
    method: Method, model: Net, x: Tensor, *, target: Index = 0, baseline: Any = None, steps: int = 16, tol: Tol = None
) -> None:
    """F(x), F(x') and the completeness gap are those computed outside; no gap where the method claims no sum."""
    a = _run(method, model, x, target=target, baseline=baseline, steps=steps, tol=tol)
    score, start = _score(model, x, target), _start_score(method.starting_at(baseline), model, x, target)
    total = a.values.double().flatten(1).sum(1)
    size = score.abs() + a.values.double().flatten(1).abs().sum(1) + (0 if start is None else start.abs())
    for what, got, due in (
        ("F(x)", a.score, score),
        ("F(x')", a.baseline_score, start),
        ("the gap", a.completeness_gap, None if start is None else _gap(method, a, total, score, start)),
    ):
        require((got is None) == (due is None), f"{what} is {due}, reported is {got}")
        if got is not None and due is not None:
            wrong = (got - due).abs() > ROUNDING[x.dtype] * size
            require(not wrong.any(), f"{what} is {due.tolist()}, reported is {got.tolist()}")


def _gap(method: Method, a: Attribution, total: Tensor, score: Tensor, start: Tensor) -> Tensor | None:
    """What the values miss of what the method's law says they add up to."""
    if method.law is SumLaw.NONE:
        return None
    if method.law is SumLaw.DIFFERENCE:
        return total - score + start
    if method.law is SumLaw.ONE_BY_ONE:
        replaced = torch.tensor(a.details["replaced_scores"], dtype=torch.float64, device="cpu")
        return total - (score[:, None] - replaced).sum(1)
    between = torch.tensor(a.details["saturation_score"], dtype=torch.float64, device="cpu")
    return total - (between - start if method.law is SumLaw.REACHED else score - between)


def values_add_up(
    method: Method, model: Net, x: Tensor, *, target: Index = 0, baseline: Any = None, steps: int = 256
) -> None:
    """With many nodes the values add up to F(x) − F(x'), to 0.1 % of Σ |A_i|. Needs a method that claims this sum."""
    a = _run(method, model, x, target=target, baseline=baseline, steps=steps)
    start = _start_score(method.starting_at(baseline), model, x, target)
    total, due = a.values.double().flatten(1).sum(1), _score(model, x, target) - (0 if start is None else start)
    wrong = (total - due).abs() > 1e-3 * a.values.double().flatten(1).abs().sum(1)
    require(not wrong.any(), f"the values add up to {total.tolist()}, due is {due.tolist()}")


# ------------------------------------------------------------------------------------------------------- what it leaves


def nothing_is_touched(
    method: Method, model: nn.Module, x: Tensor, *, target: Index = 0, baseline: Any = None, steps: int = 16
) -> None:
    """Net (also in training mode), x, baseline and random state are afterwards, bit for bit, what they were."""
    before = state_of(model, x, baseline)
    _run(method, model, x, target=target, baseline=baseline, steps=steps)
    after = state_of(model, x, baseline)
    changed = [what for what in before.keys() | after.keys() if not identical(before.get(what), after.get(what))]
    require(not changed, f"changed by the call: {', '.join(sorted(changed))}")


# ------------------------------------------------------------------------------------------------------------ precision


def values_have_working_precision(
    method: Method, model: Net, x: Tensor, *, target: Index = 0, steps: int = 16, tol: Tol = None
) -> None:
    """Values are float32, or float64 for a float64 model, on x's device, detached, of x's shape."""
    values = _run(method, model, x, target=target, steps=steps, tol=tol).values
    due = torch.float64 if x.dtype == torch.float64 else torch.float32
    require(values.dtype == due, f"values are {values.dtype}, due is {due}")
    require(values.shape == x.shape, f"values have shape {tuple(values.shape)}, x has {tuple(x.shape)}")
    require(values.device == x.device, f"values are on {values.device}, x is on {x.device}")
    require(not values.requires_grad, "values are attached to a graph")


def sums_are_wide(method: Method, model: Net, x: Tensor, *, target: int = 0, steps: int = 200) -> None:
    """Values are the float64 sum of the model's own gradients times the move, whatever the model's precision.

    For straight paths, equal weights and sums of gradients, with or without the move. The first example is explained.
    """
    grads: list[Tensor] = []

    def listening(points: Tensor) -> Any:
        if points.requires_grad:
            points.register_hook(grads.append)  # type: ignore[no-untyped-call]
        return model(points)

    x = x[:1]
    values = _run(method, listening, x, target=target, steps=steps).values
    due = torch.cat(grads).double().mean(0, keepdim=True)
    if isinstance(method.accumulator, GradientTimesMove):
        start = torch.zeros_like(x) if method.baseline is None else _starts(method, x)[:, 0]
        due = due * (x.double() - start.double())
    error = float((values.double() - due).norm() / due.norm())
    require(error <= 1e-5, f"values are off by {error:.2g} from the float64 sum of the model's gradients")


# --------------------------------------------------------------------------------------------------------------- chance


def noise_is_keyed(
    method: Method, model: Net, x: Tensor, *, target: int = 0, rule: Rule | None = None, steps: int = 16
) -> None:
    """Chance hangs on (seed, name): two equal examples differ, a name alone or in a batch does not.

    `rule`: a random one, `MonteCarlo` by default. The score must not be linear, else chance does not show.
    """
    twins = x[:1].expand(2, *x.shape[1:]).contiguous()
    chance = rule or MonteCarlo()

    def values(rows: Tensor, names: tuple[str, ...], seed: int = 0) -> Tensor:
        a = _run(method, model, rows, target=target, rule=chance, steps=steps, names=names, seed=seed)
        return torch.as_tensor(a.values)

    pair = values(twins, ("one", "other"))
    require(not torch.equal(pair[0], pair[1]), "two equal examples share their random numbers")
    require(not torch.equal(pair[:1], values(twins[:1], ("one",), 1)), "another seed gives the same random numbers")
    rows_agree(values(twins[:1], ("one",)), pair[:1], x.dtype, "the same name has other numbers alone than in a batch")
    rows_agree(values(twins, ("other", "one")), pair.flip(0), x.dtype, "the numbers hang on the place in the batch")


LAWS: tuple[Callable[[Method, Net, Tensor], None], ...] = (
    rows_are_independent,
    order_does_not_matter,
    chunks_do_not_matter,
    features_may_be_renamed,
    dummy_gets_nothing,
    gap_is_what_it_says,
    values_have_working_precision,
)


# -------------------------------------------------------------------------------------------------------------- helpers


def _run(method: Method, model: Net, x: Tensor, *, steps: int, tol: Tol = None, **more: Any) -> Attribution:
    """Explain to a tolerance if one is given and the method knows how, else in `steps`, else as the method goes."""
    tol = tol if method.estimates else None
    fixed = steps if method.path.integrates and tol is None else None
    a = explain(model, x, method=method, tol=tol, steps=fixed, **more)
    assert isinstance(a, Attribution)  # one target
    return a


def _rows(value: Any, rows: slice | Tensor) -> Any:
    """What belongs to these rows, of a value that may be one for each example."""
    return value[rows] if isinstance(value, Tensor) and len(value) > 1 else value


def _score(model: Net, x: Tensor, target: Index) -> Tensor:
    """F at every row alone, which is what it means."""
    with torch.no_grad():
        output = torch.cat([model(row) for row in torch.split(x, 1)])
    columns = torch.as_tensor(target).expand(len(x)).unsqueeze(1)
    return output.reshape(len(x), -1).gather(1, columns).squeeze(1).double()


def _start_score(method: Method, model: Net, x: Tensor, target: Index) -> Tensor | None:
    starts = [] if method.baseline is None else _starts(method, x).unbind(1)
    return torch.stack([_score(model, start, target) for start in starts]).mean(0) if starts else None


def _starts(method: Method, x: Tensor) -> Tensor:
    assert method.baseline is not None
    rows = torch.arange(len(x), device="cpu")
    return method.baseline.start(Group(x, rows, tuple(str(i) for i in range(len(x))), 0))


def _same(one: Attribution, other: Attribution, dtype: torch.dtype, message: str) -> None:
    """The numbers of one example, made in two ways."""
    rows_agree(one.values, other.values, dtype, message)
    rows_agree(one.score.unsqueeze(1), other.score.unsqueeze(1), dtype, f"{message} (its score)")
    require(one.status == other.status, f"{message}: {one.status} against {other.status}")
    spent = int(one.evaluations), int(other.evaluations)
    require(spent[0] == spent[1], f"{message}: {spent[0]} evaluations against {spent[1]}")
