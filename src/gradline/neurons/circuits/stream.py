"""A transformer's residual stream as one forward shows it: what its parts read and write, gradients at their inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from gradline.errors import SiteError
from gradline.neurons.circuits.graph import Graph, Place
from gradline.neurons.circuits.wiring import Attention, Heads, Mlp
from gradline.question.sites import Layer

Change = Callable[[Tensor], Tensor | None]
"""What is done with a tensor on its way into or out of a module: looked at, or replaced."""


@dataclass(frozen=True, eq=False)
class Slices:
    """Where heads lie in what a projection returns: `where (heads, size)`."""

    module: nn.Module
    where: Tensor

    @property
    def weight(self) -> Tensor:
        """`(heads, size, D)`, in at least float32."""
        return wide(weight_of(self.module, "")[self.where])

    @property
    def bias(self) -> Tensor | None:
        """`(heads, size)`."""
        bias = getattr(self.module, "bias", None)
        return None if bias is None else wide(bias.detach()[self.where])


@dataclass(frozen=True, eq=False)
class Reader:
    """A place found in the model. `gate`: the module that takes the stream. `inner`: those that take the normalised
    stream, q, k and v of heads as `slices`; `output`: what writes."""

    place: Place
    gate: nn.Module
    norm: nn.Module | None
    inner: tuple[nn.Module, ...]
    slices: tuple[Slices, ...] = ()
    output: nn.Module | None = None

    @property
    def back(self) -> Tensor:
        """The weight of the heads' output projection, `(heads, size, D)`."""
        assert isinstance(self.place.part, Attention)
        assert self.output is not None
        weight = wide(weight_of(self.output, "")).T
        return weight.reshape(self.place.part.heads, self.place.part.size, -1)

    def normed(self, stream: Tensor) -> Tensor:
        """What the parts get where they read `stream (…, D)`."""
        return stream if self.norm is None else self.norm(stream)


@dataclass(eq=False)
class Trace:
    """What one forward showed. `stream`: at gates `(N, T, D)`; `inner`: what q, k, v projections return, what MLPs
    take; `output`: what output projections take (heads side by side), what MLPs return."""

    stream: dict[nn.Module, Tensor] = field(default_factory=dict)
    inner: dict[nn.Module, Tensor] = field(default_factory=dict)
    output: dict[nn.Module, Tensor] = field(default_factory=dict)


def wide(tensor: Tensor) -> Tensor:
    """In at least float32."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def readers(graph: Graph, model: Any) -> tuple[Reader, ...]:
    """The places of a graph in a model. Raises `SiteError`."""
    return tuple(_reader(place, graph, model) for place in graph.places)


def _reader(place: Place, graph: Graph, model: Any) -> Reader:
    def find(name: str) -> nn.Module:
        return Layer(name).find(model).module

    part = place.part
    if part is None:
        end = find(graph.wiring.end)
        return Reader(place, end, None, (end,))
    norm = None if part.norm is None else find(part.norm)
    if isinstance(part, Mlp):
        reads = find(part.reads)
        writes = reads if part.writes is None else find(part.writes)
        return Reader(place, norm or reads, norm, (reads,), output=writes)
    key_heads = part.key_heads or part.heads
    laid = ((part.query, part.heads), (part.key, key_heads), (part.value, key_heads))
    slices = tuple(_slices(heads, find(heads.module), n, part.size) for heads, n in laid)
    inner = tuple(dict.fromkeys(s.module for s in slices))
    output = find(part.output)
    taken = weight_of(output, part.output).shape[1]
    if taken != part.heads * part.size:
        expected = f"an output projection {part.output!r} that takes {part.heads} × {part.size} numbers"
        raise SiteError(expected, f"{taken}")
    return Reader(place, norm or inner[0], norm, inner, slices, output)


def _slices(heads: Heads, module: nn.Module, n: int, size: int) -> Slices:
    weight = weight_of(module, heads.module)
    firsts = heads.start + torch.arange(n, device=weight.device) * (heads.stride or size)
    where = firsts[:, None] + torch.arange(size, device=weight.device)
    if int(where.max()) >= len(weight) or heads.start < 0:
        needed = f"a projection {heads.module!r} of at least {int(where.max()) + 1} numbers"
        raise SiteError(needed, f"{len(weight)}", "see heads, size, start and stride of the wiring")
    return Slices(module, where)


def weight_of(module: nn.Module, name: str) -> Tensor:
    """The weight `(out, in)` of a projection. Raises `SiteError`."""
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor) and weight.ndim == 2 and weight.is_floating_point():
        if isinstance(module, nn.Linear):
            return weight.detach()
        if type(module).__name__ == "Conv1D":
            return weight.detach().T
    raise SiteError(f"a torch.nn.Linear at {name!r}", type(module).__name__, "merge or unquantise what wraps it")


# ---------------------------------------------------------------------------------------------------- hooks


class Hooks:
    """Hooks of one forward, removed at the end of the `with`; another thread's forward goes past them."""

    def __init__(self) -> None:
        self._handles = ExitStack()
        self._thread = get_ident()

    def __enter__(self) -> Hooks:
        return self

    def __exit__(self, *_: object) -> None:
        self._handles.close()

    def entering(self, module: nn.Module, change: Change) -> None:
        """`change` gets the first tensor that the module is called with."""

        def hook(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
            if get_ident() != self._thread:
                return None
            for i, value in enumerate(args):
                if isinstance(value, Tensor):
                    new = change(value)
                    return None if new is None else ((*args[:i], new, *args[i + 1 :]), named)
            for name, value in named.items():
                if isinstance(value, Tensor):
                    new = change(value)
                    return None if new is None else (args, {**named, name: new})
            return None

        self._handles.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)

    def leaving(self, module: nn.Module, change: Change) -> None:
        """`change` gets the tensor that the module returns, or the first of its tuple."""

        def hook(_: nn.Module, __: Any, output: Any) -> Any:
            if get_ident() != self._thread:
                return None
            if isinstance(output, tuple):
                new = change(output[0])
                return None if new is None else (new, *output[1:])
            return change(output)

        self._handles.callback(module.register_forward_hook(hook).remove)


@contextmanager
def tracing(places: Sequence[Reader]) -> Iterator[Trace]:
    """Record a forward. What MLPs and the end take is passed on as a tensor of its own, to be differentiated by."""
    trace = Trace()

    def keep(kind: dict[nn.Module, Tensor], module: nn.Module, *, own: bool = False) -> Change:
        def change(value: Tensor) -> Tensor | None:
            if module in kind:
                raise SiteError(
                    f"a {type(module).__name__} of the wiring that is called once a forward", "a second call"
                )
            kind[module] = value.view_as(value) if own else value
            return kind[module] if own else None

        return change

    with Hooks() as hooks:
        for gate in dict.fromkeys(reader.gate for reader in places):
            hooks.entering(gate, keep(trace.stream, gate))
        for reader in places:
            for module in reader.inner:
                attends = bool(reader.slices)
                (hooks.leaving if attends else hooks.entering)(module, keep(trace.inner, module, own=not attends))
            if reader.output is not None:
                (hooks.entering if reader.slices else hooks.leaving)(reader.output, keep(trace.output, reader.output))
        yield trace
    _complete(places, trace)


def _complete(places: Sequence[Reader], trace: Trace) -> None:
    for reader in places:
        wanted = [(reader.gate, trace.stream), *((module, trace.inner) for module in reader.inner)]
        wanted += [] if reader.output is None else [(reader.output, trace.output)]
        for module, kind in wanted:
            if module not in kind:
                kind_of = type(module).__name__
                raise SiteError(
                    f"a forward that calls every part of the wiring; {reader.place.label}'s {kind_of} is not"
                )


# ---------------------------------------------------------------------------------------------------- ends of edges


def movement(reader: Reader, one: Tensor, other: Tensor) -> Tensor:
    """By how much what a part writes differs between what was kept of two forwards: `(sources, N, T, D)`."""
    change = wide(one.detach()) - wide(other.detach())
    if not reader.slices:
        return change[None]
    back = reader.back
    return torch.einsum("nthd,hdc->hntc", change.reshape(*change.shape[:-1], *back.shape[:2]), back)


def movements(places: Sequence[Reader], clean: Trace, corrupted: Trace, embedded: Tensor) -> Tensor:
    """The same of all sources `(U, N, T, D)`, the embeddings' movement first."""
    parts = [wide(embedded)[None]]
    parts += [movement(r, clean.output[r.output], corrupted.output[r.output]) for r in places if r.output is not None]
    return torch.cat(parts)


def input_gradients(reader: Reader, trace: Trace, grads: dict[nn.Module, Tensor]) -> Tensor:
    """∂F/∂(the stream as each target of a place gets its own copy of it): `(targets, N, T, D)`.

    `grads`: by what the trace keeps as `inner`. Of q, k and v it is pulled back through their weights, then all through
    the norm, of which each target's copy has its own derivative at the same stream.
    """
    if not reader.slices:
        found = wide(grads[reader.inner[0]])[None]
    else:
        parts = [torch.einsum("nthd,hdc->hntc", wide(grads[s.module])[..., s.where], s.weight) for s in reader.slices]
        found = torch.cat(parts)
    if reader.norm is None:
        return found
    stream = trace.stream[reader.gate].detach()
    copies = stream.expand(len(found), *stream.shape).clone().requires_grad_()
    normed = reader.norm(copies)
    (pulled,) = torch.autograd.grad(normed, copies, found.to(normed.dtype))
    return wide(pulled)


def project(reader: Reader, streams: Tensor) -> dict[nn.Module, tuple[Tensor, Tensor]]:
    """What q, k and v projections return where each target reads a stream of its own, `(targets, N, T, D)`.

    For each projection where in what it returns `(K,)`, and the numbers there `(N, T, K)`.
    """
    normed = wide(reader.normed(streams))
    found: dict[nn.Module, tuple[list[Tensor], list[Tensor]]] = {}
    first = 0
    for s in reader.slices:
        mine = normed[first : first + len(s.where)] if len(normed) > 1 else normed.expand(len(s.where), -1, -1, -1)
        first += len(s.where)
        values, bias = torch.einsum("hntc,hdc->nthd", mine, s.weight), s.bias
        places, numbers = found.setdefault(s.module, ([], []))
        places.append(s.where.flatten())
        numbers.append((values if bias is None else values + bias).flatten(2))
    return {module: (torch.cat(places), torch.cat(numbers, -1)) for module, (places, numbers) in found.items()}
