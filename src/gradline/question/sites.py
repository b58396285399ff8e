"""Places in the network: where the path is driven, and where gradients are read."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from gradline.errors import SiteError
from gradline.question.trees import Path, floating, replaced, shape_of


class Site:
    """A place in the network."""


@dataclass(frozen=True)
class Input(Site):
    """The model's input: the attribution has x's shape."""


@dataclass(frozen=True)
class Layer(Site):
    """The output of a layer: the attribution has its shape; what bypasses the layer sees x.

    `where`: a dotted name of `model.named_modules()`, or the module itself. `output`: which floating-point tensor, if
    the module returns several (in the order of its tuple, mapping or object). `call`: which call, from 0, if one
    forward calls the module several times; it must be said then.
    """

    where: str | nn.Module
    output: int = 0
    call: int | None = None

    def find(self, model: Any) -> Tap:
        """The place in this model. Raises `SiteError`."""
        for name, value in (("output", self.output), ("call", self.call)):
            if (value is not None or name == "output") and (isinstance(value, bool) or not isinstance(value, int)):
                raise SiteError(f"{name} of a Layer as a whole number", repr(value))
            if value is not None and value < 0:
                raise SiteError(f"{name} of a Layer from 0", repr(value))
        module, label = _module(self.where, model)
        if isinstance(module, torch.jit.ScriptModule):
            remedy = "use the module it was scripted from"
            raise SiteError(f"a layer that takes hooks, and {label} is a TorchScript module; {remedy}")
        return Tap(module, self.output, self.call, label)

    def __str__(self) -> str:
        return self.where if isinstance(self.where, str) else type(self.where).__name__


def _module(where: object, model: Any) -> tuple[nn.Module, str]:
    model = getattr(model, "__self__", model)
    if isinstance(where, nn.Module):
        if isinstance(model, nn.Module):
            for name, module in model.named_modules():
                if module is where:
                    return where, repr(name)
            raise SiteError("a layer of the model", f"a {type(where).__name__} that is not part of it")
        return where, type(where).__name__
    if not isinstance(where, str):
        raise SiteError("the name of a layer, or the module itself", type(where).__name__)
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise SiteError(f"a torch.nn.Module to find layer {where!r} in", kind, "pass the module: gl.Layer(net.conv1)")
    modules = _modules(model)
    if where in modules:
        return modules[where], repr(where)
    near = difflib.get_close_matches(where, modules, 4, 0.4) or [n for n in modules if where in n][:4]
    listed = near or [name for name in modules if name][:6]
    raise SiteError(
        "the name of a layer in model.named_modules()",
        repr(where),
        f"did you mean {', '.join(map(repr, listed))}?" if near else f"there are {', '.join(map(repr, listed))}, …",
    )


def _modules(model: nn.Module) -> dict[str, nn.Module]:
    """The layers by name; of compiled and parallel modules also by the names that their originals have."""
    named = dict(model.named_modules())
    inner = {name.replace("_orig_mod.", "").removesuffix("._orig_mod"): module for name, module in named.items()}
    if isinstance(model, nn.DataParallel):
        inner |= {name.removeprefix("module."): module for name, module in inner.items() if name != "module"}
    return inner | named


def first_embedding(model: Any) -> str:
    """The quoted name of the layer where a model embeds its first integers, "…" if it has none."""
    model = getattr(model, "__self__", model)
    names = [n for n, m in model.named_modules() if isinstance(m, nn.Embedding)] if isinstance(model, nn.Module) else []
    return repr(names[0]) if names else "…"


@dataclass(frozen=True, eq=False)
class Tap:
    """A layer found in a model: hear what it returns, or put something else in its place."""

    module: nn.Module
    output: int
    call: int | None
    label: str


class Reached(BaseException):
    """Thrown through a model to end a forward at a layer; no `except Exception` of the model's stops it."""


@dataclass(eq=False)
class Ear:
    """A forward hook at a tap, for one forward of `rows` rows.

    `heard`: what the layer returns there, first axis R. `put (R, *G)`: returned in its place. `awaited`: the
    layers to be heard before the forward ends, where that is all that is wanted. `wake`: gradients, off until here, are
    on from here. A layer whose tensor has another first axis is `odd`: it can be used one row at a time, and is then
    heard with a batch axis of one in front.
    """

    tap: Tap
    rows: int
    put: Tensor | None = None
    awaited: set[Tap] = field(default_factory=set)
    wake: bool = False
    heard: Tensor | None = None
    odd: bool = False
    calls: int = field(default=0, init=False)
    thread: int = field(default_factory=get_ident, init=False)

    def __call__(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        if get_ident() != self.thread:  # somebody else's forward of the same module
            return output
        self.calls += 1
        if self.tap.call is not None and self.calls != self.tap.call + 1:
            return output
        if self.heard is not None:
            raise SiteError(
                f"layer {self.tap.label} is called several times in one forward: say which call is meant, from 0, "
                "as in gl.Layer(…, call=0)"
            )
        path, tensor = self._place(output)
        if self.wake:
            torch.set_grad_enabled(True)
        self.odd = tensor.ndim == 0 or len(tensor) != self.rows
        if self.rows > 1 and (self.odd or (self.put is not None and self.put.shape != tensor.shape)):
            raise OddAxis
        self.heard = tensor.unsqueeze(0) if self.odd else tensor
        if self.put is not None:
            self.heard = self.put.to(tensor.device, tensor.dtype)
        if self.tap in self.awaited:
            self.awaited.discard(self.tap)
            if not self.awaited:
                raise Reached
        passed = self.heard.clone()  # the model may write into what a layer returned (an in-place ReLU)
        return replaced(output, path, passed[0] if self.odd else passed)

    def _place(self, output: Any) -> tuple[Path, Tensor]:
        found = floating(output)
        if self.tap.output < len(found):
            return found[self.tap.output]
        remedy = "" if not found else f"choose output= below {len(found)}"
        asked = f"floating-point tensor {self.tap.output} in what layer {self.tap.label} returns"
        raise SiteError(asked, shape_of(output), remedy)

    def result(self) -> Tensor:
        """What was heard. Raises `SiteError` if the layer was not called."""
        if self.heard is None:
            if self.calls:
                times = f"{self.calls} times" if self.calls > 1 else "once"
                raise SiteError(
                    f"a call of layer {self.tap.label} below {self.calls}",
                    f"call={self.tap.call}",
                    f"one forward calls it {times}",
                )
            raise SiteError(
                f"layer {self.tap.label} is never called in a forward of this model; it may be unused, used through "
                "its weights alone, or compiled away"
            )
        return self.heard


class OddAxis(Exception):
    """A layer returns a tensor without the batch in front; one row at a time it can be used."""
