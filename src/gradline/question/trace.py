"""Looking into one forward: where the gradient is cut, what is written in place, what is the first to be NaN."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from gradline.question.trees import floating, tensors

LEAVES_TORCH = ("item", "tolist", "numpy", "__array__", "__float__", "__int__", "__index__")
"""What takes numbers out of tensors."""

FLAT = ("round", "floor", "ceil", "trunc", "fix", "sign", "sgn", "heaviside", "floor_divide", "__floordiv__")
"""What is differentiable in name, with a derivative of zero."""

MADE_ALIKE = ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like")
"""What takes a shape from its argument, and nothing else."""

COMPARES = ("gt", "lt", "ge", "le", "eq", "ne", "isnan", "isinf", "isfinite", "isclose", "allclose", "equal")
"""What makes masks and decisions: cut in name, and rarely meant to carry a gradient."""


def find_cuts(forward: Callable[[], Any], model: object) -> list[str]:
    """Operations of a forward that gradients do not pass, in the order they run: "Tensor.long in layer 'embed'".

    `forward` runs the model on points that require a gradient. Comparisons are listed only if there is nothing else.
    """
    seen = watch(forward, model)
    return [*seen.cuts, *seen.flat] or seen.comparisons


def trusted(cuts: list[str], most: int = 3) -> str:
    """The first cuts in words."""
    return ", ".join(cuts[:most])


def watch(forward: Callable[[], Any], model: object) -> Watch:
    """What was seen of a forward on points that require a gradient; up to where it failed, if it did."""
    with suppress(Exception), torch.enable_grad(), watching(model) as seen:
        forward()
    return seen


@contextmanager
def watching(model: object) -> Iterator[Watch]:
    """Watch what is evaluated inside, which may call the model's layers."""
    seen = Watch(model)
    with _named_layers(model, seen.layers), seen:
        yield seen


class Watch(TorchFunctionMode):
    """Notes every call that takes something which hangs on the points, and what it does to that.

    `cuts`: returns something without a gradient. `flat`: has a derivative of zero. `comparisons`. `written`: in place,
    with the storage and what had made it. `made`: the place that each node of the graph comes from. `halves`: returns
    half precision.
    """

    def __init__(self, model: object = None) -> None:
        super().__init__()
        self.layers: list[str] = []
        weights = model.parameters() if isinstance(model, nn.Module) else []
        self._weights = {id(p) for p in weights}
        self._hangs: dict[Any, bool] = {}
        self._cuts: dict[str, None] = {}
        self._flat: dict[str, None] = {}
        self._comparisons: dict[str, None] = {}
        self._halves: dict[str, None] = {}
        self.written: list[tuple[int, str, str]] = []
        self.made: dict[Any, str] = {}

    @property
    def cuts(self) -> list[str]:
        return list(self._cuts)

    @property
    def flat(self) -> list[str]:
        return list(self._flat)

    @property
    def comparisons(self) -> list[str]:
        return list(self._comparisons)

    @property
    def halves(self) -> list[str]:
        return list(self._halves)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = (resolve_name(func) or getattr(func, "__name__", "")).removeprefix("torch.")
        if name.endswith("__get__") and not name.startswith("Tensor.data."):
            return func(*args, **kwargs)
        given = [t for _, t in tensors([*args, kwargs])]
        before = [(t, t._version, t.grad_fn) for t in given]
        hangs = any(self._hangs_on_points(t) for t in given)
        try:
            output = func(*args, **kwargs)
        except Exception:
            if hangs and _short(name) in LEAVES_TORCH:
                self._note(self._cuts, name)
            raise
        returned = [t for _, t in tensors(output)]
        for tensor, version, maker in before:
            if tensor._version != version and not _short(name).startswith("requires_grad"):
                self.written.append((address(tensor), placed(name, self.layers), "" if maker is None else maker.name()))
        for tensor in returned:
            if tensor.grad_fn is not None:
                self.made.setdefault(tensor.grad_fn, self._placed(name))
            if tensor.dtype in (torch.float16, torch.bfloat16):
                self._note(self._halves, name)
        if hangs:
            self._judge(name, returned)
        return output

    def _judge(self, name: str, returned: list[Tensor]) -> None:
        short = _short(name)
        if short not in COMPARES and not torch.is_grad_enabled() and _has_own_backward():
            return
        if short in FLAT:
            self._note(self._flat, name, " (its derivative is zero)")
        elif short in COMPARES:
            self._note(self._comparisons, name)
        elif short in MADE_ALIKE or short.startswith("new_"):
            return
        elif short in LEAVES_TORCH or (returned and not any(t.requires_grad for t in returned)):
            self._note(self._cuts, name.removesuffix(".__get__"))

    def _note(self, notes: dict[str, None], name: str, more: str = "") -> None:
        notes.setdefault(self._placed(f"{name}{more}"))

    def _placed(self, name: str) -> str:
        return placed(name if torch.is_grad_enabled() else f"{name} under no_grad()", self.layers)

    def _hangs_on_points(self, tensor: Tensor) -> bool:
        """A gradient flows from the tensor to the points, and not to weights alone."""
        if not tensor.requires_grad:
            return False
        if tensor.grad_fn is None:
            return id(tensor) not in self._weights
        stack = [tensor.grad_fn]
        while stack:
            node = stack[-1]
            if hasattr(node, "variable"):
                self._hangs[node] = id(node.variable) not in self._weights
            behind = [n for n, _ in node.next_functions if n is not None]
            unknown = [n for n in behind if n not in self._hangs]
            if unknown and node not in self._hangs:
                stack += unknown
            else:
                self._hangs.setdefault(node, any(self._hangs[n] for n in behind))
                stack.pop()
        return self._hangs[tensor.grad_fn]


# ------------------------------------------------------------------------------------------------ not finite


def first_nonfinite(forward: Callable[[], Any], model: object) -> str:
    """What is the first to return NaN, and infinity, in words; "" if there is neither.

    Infinity is harmless in masks (softmax of −inf is 0), NaN is not: it is named first.
    """
    seen = _Finiteness()
    with suppress(Exception), _named_layers(model, seen.layers), torch.no_grad(), seen:
        forward()
    weights = model.named_parameters() if isinstance(model, nn.Module) else []
    broken = [f"weight {name!r} is not finite" for name, p in weights if not torch.isfinite(p).all()]
    found = [f"the first to return {what} is {seen.first[what]}" for what in ("NaN", "infinity") if what in seen.first]
    return "; ".join(broken[:1] + found)


class _Finiteness(TorchFunctionMode):
    """Notes the first call that returns NaN, and the first that returns infinity."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[str] = []
        self.first: dict[str, str] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = (resolve_name(func) or getattr(func, "__name__", "")).removeprefix("torch.")
        if not name.endswith("__get__"):
            for _, tensor in floating(output):
                for what, bad in (("NaN", torch.isnan), ("infinity", torch.isinf)):
                    if what not in self.first and bad(tensor).any():
                        self.first[what] = placed(name, self.layers)
        return output


def first_bad_gradient(run: Callable[[], tuple[Tensor, Tensor]], model: object) -> str:
    """Where the backward pass turns finite gradients into NaN or infinity first; "" if it does not.

    `run` returns points that require a gradient, and the scalar they lead to.
    """
    with torch.enable_grad(), watching(model) as seen:
        leaf, scalar = run()
    found: list[str] = []

    def look(node: Any) -> Callable[..., None]:
        def hook(made: Any, came: Any) -> None:
            bad = any(g is not None and not torch.isfinite(g).all() for g in made)
            if bad and not found and all(g is None or torch.isfinite(g).all() for g in came):
                found.append(seen.made.get(node) or node.name())

        return hook

    nodes, stack = {scalar.grad_fn}, [scalar.grad_fn]
    while stack:
        behind = {n for n, _ in stack.pop().next_functions if n is not None} - nodes  # type: ignore[union-attr]
        nodes |= behind
        stack += behind
    with ExitStack() as hooks:
        for node in nodes:
            hooks.callback(node.register_hook(look(node)).remove)  # type: ignore[union-attr]
        torch.autograd.grad(scalar, leaf, allow_unused=True)
    return found[0] if found else ""


# ------------------------------------------------------------------------------------------------ names


def placed(name: str, layers: list[str]) -> str:
    """An operation with the layer that it runs in."""
    inside = next((layer for layer in reversed(layers) if layer), "")
    return f"{name} in layer {inside!r}" if inside else f"{name} in the model's forward" if layers else name


@contextmanager
def _named_layers(model: object, layers: list[str]) -> Iterator[None]:
    """Keep the names of the layers that a forward is in, outermost first."""

    def enter(name: str) -> Callable[..., None]:
        return lambda *_: layers.append(name)

    def leave(*_: Any) -> None:
        layers.pop()

    model = getattr(model, "__self__", model)
    modules = model.named_modules() if isinstance(model, nn.Module) else []
    with ExitStack() as hooks:
        for name, module in modules:
            if not isinstance(module, torch.jit.ScriptModule):
                hooks.callback(module.register_forward_pre_hook(enter(name)).remove)
                hooks.callback(module.register_forward_hook(leave, always_call=True).remove)
        yield


def _short(name: str) -> str:
    """The name of an operation alone: `gt` of `Tensor.gt` and `Tensor.__gt__`, `add` of `Tensor.add_`."""
    short = name.removesuffix(".__get__").rpartition(".")[2]
    return short if short.startswith("__") else short.removesuffix("_")


def _has_own_backward() -> bool:
    """We are inside the forward of a `torch.autograd.Function`, whose backward says what the gradient is."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.endswith("autograd/function.py") and frame.f_code.co_name == "apply":
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def address(tensor: Tensor) -> int:
    """Where a tensor's numbers are; 0 for those without a memory of their own (sparse, say)."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return 0


def cut_by(cuts: list[str]) -> str:
    """What cuts a gradient, as far as it is known."""
    if cuts:
        return f"the path is cut by {trusted(cuts)}"
    return "the path is cut by detach(), no_grad(), argmax, rounding, .long() or .item()"
