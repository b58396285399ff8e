"""Laws of places in a network: what is driven and read there, what bypasses it, what is left behind.

Each raises `AssertionError` with what is wrong. The laws that need to know what is right take the model in two pieces
(`nets.Split`): by hand for a `nets.Net`, by `pieces` for any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gradline.core.accumulators import SumLaw
from gradline.core.method import Method
from gradline.engine import explain
from gradline.question.sites import Input, Layer, Site
from gradline.result import Attribution
from gradline.testing.nets import Net, Split, batch
from gradline.testing.requiring import ROUNDING, require
from gradline.testing.state import identical, state_of

Pick = Callable[[Any], Tensor]


def pieces(model: nn.Module, site: Site) -> Split:
    """A model in two pieces at a site, by hooks that have nothing to do with the library's."""
    if isinstance(site, Input):
        return torch.clone, lambda h, x: model(h)
    assert isinstance(site, Layer)
    module = model.get_submodule(site.where) if isinstance(site.where, str) else site.where

    def run(x: Tensor, put: Tensor | None) -> tuple[Tensor, Any]:
        heard: list[Tensor] = []
        calls = 0

        def hook(module: nn.Module, arguments: Any, output: Any) -> Any:
            nonlocal calls
            calls += 1
            if site.call is not None and calls != site.call + 1:
                return output
            if isinstance(output, Tensor):
                heard.append(output.clone())
                return output if put is None else put.clone()
            named = dict(output) if isinstance(output, Mapping) else dict(enumerate(output))
            key = [k for k, v in named.items() if isinstance(v, Tensor) and v.is_floating_point()][site.output]
            heard.append(named[key].clone())
            if put is None:
                return output
            named[key] = put.clone()
            kind: Any = type(output)
            return kind(named if isinstance(output, Mapping) else named.values())

        handle = module.register_forward_hook(hook)
        try:
            output = model(x)
        finally:
            handle.remove()
        return heard[0], output

    return lambda x: run(x, None)[0], lambda h, x: run(x, h)[1]


def by_hand(split: Split, x: Tensor, start: Tensor, pick: Pick, nodes: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Integrated Gradients by a plain loop over midpoints: the map, F(x) and F(x with h(x'))."""
    head, tail = split
    with torch.no_grad():
        end, begin = head(x), head(start)
        scores = [pick(tail(h, x)).double() for h in (end, begin)]
    total = torch.zeros_like(end)
    for k in range(nodes):
        point = (begin + (k + 0.5) / nodes * (end - begin)).requires_grad_()
        (grad,) = torch.autograd.grad(pick(tail(point, x)).sum(), point)
        total += grad * (end - begin) / nodes
    return total, scores[0], scores[1]


# ---------------------------------------------------------------------------------------------------------------- sites


def maps_are_those_by_hand(site: Site, model: nn.Module, x: Tensor, split: Split) -> None:
    """Values, F(x) and F(x with h(x')) are those of a plain loop over the model in two pieces: x reaches what bypasses
    the site, and h(x') alone replaces what it shows."""
    start = _start(x)
    a = _explained(model, x, site=site, steps=4, baseline=start)
    values, score, baseline_score = by_hand(split, x, start, lambda output: output[:, 0])
    _close(a.score, score, x.dtype, "F(x) is another one")
    assert a.baseline_score is not None
    _close(a.baseline_score, baseline_score, x.dtype, "F(x with h(x')) is another one: what bypasses the site sees x")
    require(a.values.shape == values.shape, f"values have shape {tuple(a.values.shape)}, due is {tuple(values.shape)}")
    _close(a.values, values, x.dtype, "the map is not that of the model in two pieces")


def values_add_up_there(site: Site, model: nn.Module, x: Tensor) -> None:
    """With many nodes the values add up to F(x) − F(x with h(x')), and to a tolerance they converge to the same map."""
    a = _explained(model, x, site=site, steps=128, baseline=_start(x))
    assert a.completeness_gap is not None
    assert a.baseline_score is not None
    size = a.values.double().flatten(1).abs().sum(1)
    off = (a.values.double().flatten(1).sum(1) - (a.score - a.baseline_score)).abs()
    require(bool((off <= 2e-3 * size).all()), f"values miss F(x) − F(x with h(x')) by {off.tolist()}")
    close = bool(((a.completeness_gap.abs() - off).abs() <= 1e-4 * size).all())
    require(close, f"a gap of {a.completeness_gap.tolist()} is reported, it is {off.tolist()}")


def nothing_stays_behind(site: Site, model: nn.Module, x: Tensor) -> None:
    """No hook, no gradient, no change of mode or statistics: also from a model in training mode, or one that fails."""
    model.train()
    try:
        before = state_of(model, x, None)
        _explained(model, x, site=site, steps=2)
        changed = [what for what, value in state_of(model, x, None).items() if not identical(before.get(what), value)]
        require(not changed, f"changed by the call: {', '.join(sorted(changed))}")
    finally:
        model.eval()
    hooks = _hooks(model)
    try:
        _explained(model, x, site=site, steps=2, target=lambda output: output.no_such_thing)
    except Exception:
        require(_hooks(model) == hooks, "a call that failed has left hooks behind")
        return
    raise AssertionError("a target that fails does not stop the call")


def input_is_the_default(site: Site, model: nn.Module, x: Tensor) -> None:
    """`gl.Input()` says what is meant without a site, to the last bit."""
    if isinstance(site, Input):
        one, other = _explained(model, x, site=site, steps=4), _explained(model, x, steps=4)
        require(torch.equal(one.values, other.values), "the map at gl.Input() is another one than without a site")


# ----------------------------------------------------------------------------------------------------- methods at sites


def examples_stand_alone_at(method: Method, site: Site | None, model: nn.Module, x: Tensor) -> None:
    """At a site as at the input: alone, in another order, one row at a time in memory: the same maps."""
    start = None if method.baseline is None else _start(x)
    whole = _explained(model, x, method, site=site, baseline=start, steps=2)
    narrow = _explained(model, x, method, site=site, baseline=start, steps=2, memory=1)
    _close(narrow.values, whole.values, x.dtype, "one row at a time gives another map")
    backwards = torch.arange(len(x), device=x.device).flip(0)
    for rows in (backwards[1:2], backwards):
        own, names = None if start is None else start[rows], [str(i) for i in rows.tolist()]
        some = _explained(model, x[rows], method, site=site, baseline=own, names=names, steps=2)
        said = f"example {names[0]} alone has another map" if len(rows) == 1 else "examples have other maps backwards"
        _close(some.values, whole.values[rows], x.dtype, said)


def identity_is_the_input(method: Method, net: Net, x: Tensor) -> None:
    """At a layer that changes nothing, in front of everything, the map is that of the input."""
    here, there = _explained(net, x, method), _explained(net, x, method, site=Layer("same"))
    _close(there.values, here.values, x.dtype, "the map at an identity is not that of the input")


def maps_are_those_of_the_pieces(method: Method, place: str, net: Net, x: Tensor) -> None:
    """The map at a layer is the map of what follows it, as a model of its own that is handed x beside."""
    head, tail = net.split(place)
    with torch.no_grad():
        start = None if method.baseline is None else _start(x)
        h, h0 = head(x), None if start is None else head(start)
    due = _explained(lambda h, x: tail(h, x), h, method, baseline=h0, context={"x": x})
    a = _explained(net, x, method, baseline=start, site=LAYERS[place])
    _close(a.values, due.values, x.dtype, f"the map at {place!r} is not that of what follows it")
    require(a.status == due.status, f"the status is {a.status}, that of what follows it {due.status}")


def reading_at_the_identity_changes_nothing(method: Method, net: Net, x: Tensor) -> None:
    """Read where everything passes unchanged, a map is what it is without."""
    here, there = _explained(net, x, method), _explained(net, x, replace(method, read=Layer("same")))
    _close(there.values, here.values, x.dtype, "the map read at an identity is another one")


def readings_add_up(method: Method, net: Net, x: Tensor) -> None:
    """Read at the stem, values add up to the change of what passes through it; what bypasses it is not in them."""
    start = _start(x)
    a = _explained(net, x, replace(method, read=Layer("stem")), steps=96, baseline=start)
    with torch.no_grad():
        through = [net.after_stem(net.stem(p), torch.zeros_like(x))[:, 0].double() for p in (x, start)]
    size = a.values.double().flatten(1).abs().sum(1)
    off = (a.values.double().flatten(1).sum(1) - (through[0] - through[1])).abs()
    require(bool((off <= 2e-3 * size).all()), f"values miss the change of what passes through by {off.tolist()}")
    noticed = any(finding.code == "GL206" for finding in a.findings)
    require(noticed == (net.side is not None), "a finding must say whether part of the score goes past the layer")


LAYERS: dict[str, Layer] = {
    "same": Layer("same"),
    "stem": Layer("stem"),
    "pair": Layer("pair", output=1),
    "twice": Layer("twice", call=1),
}
"""The places at which a `Net` can be taken apart."""


# -------------------------------------------------------------------------------------------------------------- helpers


def _start(x: Tensor) -> Tensor:
    return batch(x.shape[1:], len(x), 9, x.dtype)


def _hooks(model: nn.Module) -> list[int]:
    return [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]


def _explained(
    model: Any, x: Tensor, method: Method | None = None, *, steps: int = 6, target: Any = 0, **more: Any
) -> Attribution:
    a = explain(
        model, x, target, method=method, steps=steps if method is None or method.path.integrates else None, **more
    )
    assert isinstance(a, Attribution)
    return a


def _close(got: Tensor, due: Tensor, dtype: torch.dtype, message: str) -> None:
    require(got.shape == due.shape, f"{message}: shapes {tuple(got.shape)} and {tuple(due.shape)}")
    error = (got.double() - due.double()).reshape(len(due), -1).norm(dim=1)
    size = due.double().reshape(len(due), -1).norm(dim=1)
    worst = float((error / size.clamp_min(1e-300)).max())
    require(bool((error <= 4 * ROUNDING[dtype] * size + 1e-30).all()), f"{message}: by {worst:.2g} of its norm")


def claims_a_sum(method: Method) -> bool:
    """The values are claimed to add up to F(x) − F(x')."""
    return method.law is SumLaw.DIFFERENCE and method.baseline is not None
