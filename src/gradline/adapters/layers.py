"""The layers of a photo's model: what each returns, and whether all of the score passes through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from gradline.adapters.vision import ImageCase
from gradline.errors import InputError, ModelError, SiteError
from gradline.question.guard import undisturbed
from gradline.question.targets.reading import table


@dataclass(frozen=True)
class LayerSeen:
    """A layer that is called once. `shape`: of what it returns, without the batch axis. `block`: it holds others.
    `carries_all`: every way from x to the scores passes through it."""

    name: str
    shape: tuple[int, ...]
    block: bool
    carries_all: bool


@dataclass
class _Heard:
    name: str
    block: bool
    shape: tuple[int, ...] = ()
    node: Any = None
    calls: int = 0


@dataclass
class _Walk:
    """What of the graph behind the scores leads to x, and which of it every way passes."""

    leaf: Tensor
    leads: dict[Any, list[Any]] = field(default_factory=dict)

    def passed_by_all(self, end: Any) -> set[Any]:
        """Nodes are met in an order in which a node comes after all that use it. One that is met when no other is
        waiting lies on every way."""
        self._find(end)
        users = dict.fromkeys(self.leads, 0)
        for nexts in self.leads.values():
            for node in nexts:
                users[node] += 1
        waiting, ready, found = {end}, [end], set()
        while ready:
            node = ready.pop()
            if waiting == {node}:
                found.add(node)
            waiting.discard(node)
            for after in self.leads[node]:
                waiting.add(after)
                users[after] -= 1
                if not users[after]:
                    ready.append(after)
        return found

    def _find(self, end: Any) -> None:
        """Keep nodes from which x can be reached, each with those behind it, once for each use."""
        done: dict[Any, bool] = {}
        stack = [(end, False)]
        while stack:
            node, seen = stack.pop()
            behind = [n for n, _ in node.next_functions if n is not None]
            if not seen and node not in done:
                done[node] = False
                stack.append((node, True))
                stack += [(n, False) for n in behind if n not in done]
            elif seen:
                done[node] = getattr(node, "variable", None) is self.leaf or any(done[n] for n in behind)
                if done[node]:
                    self.leads[node] = [n for n in behind if done[n]]


def layers_seen(case: ImageCase) -> list[LayerSeen]:
    """The layers of a model in the order in which they return, by one forward at x; of layers that return the same
    tensor the outermost. Raises `SiteError` if the model is no module, `ModelError` if it fails."""
    model = case.model.model
    if not isinstance(model, nn.Module):
        raise SiteError("a torch.nn.Module to find layers in", type(model).__name__)
    heard = {name: _Heard(name, len(list(m.children())) > 1) for name, m in model.named_modules() if name}
    with undisturbed(model, case.x.device), _listening(model, heard):
        x = case.x.detach().clone().requires_grad_()
        try:
            scores = table(model(x.clone()), 1)
        except SiteError:
            raise
        except Exception as error:
            raise ModelError(f"{case.model.name} failed on x of shape {tuple(x.shape)}: {error}") from error
        if scores.grad_fn is None:
            raise SiteError(f"a differentiable way from x to the scores of {case.model.name}", "none")
        all_of_it = _Walk(x).passed_by_all(scores.grad_fn)
    once: dict[Any, _Heard] = {}
    for one in sorted(heard.values(), key=lambda h: h.name.count(".")):
        if one.calls == 1 and one.node is not None and one.node is not scores.grad_fn:
            once.setdefault(one.node, one)
    return [LayerSeen(h.name, h.shape, h.block, h.node in all_of_it) for h in heard.values() if once.get(h.node) is h]


@contextmanager
def _listening(model: nn.Module, heard: dict[str, _Heard]) -> Iterator[None]:
    order = dict(heard)
    heard.clear()

    def hear(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            one = heard.setdefault(name, order[name])
            one.calls += 1
            if isinstance(output, Tensor) and output.ndim > 1:
                one.shape, one.node = tuple(output.shape[1:]), output.grad_fn

        return hook

    handles = [module.register_forward_hook(hear(name)) for name, module in model.named_modules() if name in order]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def last_block(case: ImageCase) -> str:
    """The last block of layers that carries all of the score and still has places: `(C, h, w)` with more than one.

    Of models without such a block the last layer. Raises `InputError` if there is none.
    """
    whole = [seen for seen in layers_seen(case) if seen.carries_all]
    places = [s for s in whole if len(s.shape) == 3 and s.shape[1] * s.shape[2] > 1]
    tokens = [s for s in whole if len(s.shape) == 2 and s.shape[0] > 1]
    for found in ([s for s in places if s.block], places, [s for s in tokens if s.block], tokens, whole):
        if found:
            return found[-1].name
    raise InputError(f"the name of a layer of {case.model.name}", "none, and none carries all of the score")
