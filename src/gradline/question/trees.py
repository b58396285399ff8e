"""Whatever models return: tensors inside tuples, lists, mappings and objects, found, replaced and joined."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Path = tuple[Any, ...]
"""The keys that lead from the root of a tree to a leaf; empty at the root."""


def tensors(tree: Any) -> list[tuple[Path, Tensor]]:
    """Every tensor of the tree with its path, in the tree's own order."""
    if isinstance(tree, Tensor):
        return [((), tree)]
    return [((key, *path), leaf) for key, child in _children(tree) for path, leaf in tensors(child)]


def floating(tree: Any) -> list[tuple[Path, Tensor]]:
    """The floating-point tensors of the tree."""
    return [(path, leaf) for path, leaf in tensors(tree) if leaf.is_floating_point()]


def replaced(tree: Any, path: Path, leaf: Tensor) -> Any:
    """The same tree with another tensor at `path`; the tree given is left alone."""
    if not path:
        return leaf
    key, *rest = path
    child = dict(_children(tree))[key]
    return _with(tree, key, replaced(child, tuple(rest), leaf))


def detached(tree: Any) -> Any:
    """The same tree with tensors that hold no graph."""
    for path, leaf in tensors(tree):
        tree = replaced(tree, path, leaf.detach()) if leaf.requires_grad else tree
    return tree


def joined(trees: Sequence[Any], sizes: Sequence[int]) -> Any:
    """The outputs of several batches, of `sizes` rows each, as that of one; None if they cannot be joined.

    Tensors are joined along their first axis, lists with an element for each row end to end. Of whatever else a tree
    holds (caches, flags, tensors without a batch axis) the first is kept.
    """
    first = trees[0]
    if isinstance(first, Tensor):
        fits = all(isinstance(t, Tensor) and t.ndim > 0 and len(t) == n for t, n in zip(trees, sizes, strict=True))
        return torch.cat(list(trees)) if fits and len({t.shape[1:] for t in trees}) == 1 else None
    if len(trees) == 1:
        return first
    listed = all(isinstance(t, list) and len(t) == n for t, n in zip(trees, sizes, strict=True))
    if listed and any(isinstance(row, Mapping) for t in trees for row in t):
        return [row for t in trees for row in t]
    whole = first
    for key, child in _children(first):
        parts = [dict(_children(t)).get(key) for t in trees]
        together = joined(parts, sizes) if child is not None and all(type(p) is type(child) for p in parts) else None
        if together is not None and together is not child:
            whole = _with(whole, key, together)
    return whole


def shape_of(tree: Any) -> str:
    """The tree in a few words, for messages: `(tensor (2, 3), tensor (2, 8))`."""
    if isinstance(tree, Tensor):
        return f"tensor {tuple(tree.shape)}"
    inside = ", ".join(f"{key}: {shape_of(child)}" for key, child in _children(tree) if _holds_tensor(child))
    return f"{type(tree).__name__}({inside})" if inside else type(tree).__name__


def _holds_tensor(tree: Any) -> bool:
    return bool(tensors(tree))


def _children(tree: Any) -> list[tuple[Any, Any]]:
    """Key and value of what a container holds; nothing for anything that is not one."""
    match tree:
        case Mapping():
            return list(tree.items())
        case list() | tuple():
            return list(enumerate(tree))
        case Tensor() | nn.Module() | type() | str() | bytes():
            return []
        case _ if hasattr(tree, "__dict__") and not callable(tree):
            return list(vars(tree).items())
        case _:
            return []


def _with(tree: Any, key: Any, value: Any) -> Any:
    match tree:
        case tuple():
            items = [value if k == key else child for k, child in enumerate(tree)]
            return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
        case list() | Mapping():
            changed: Any = copy.copy(tree)
            changed[key] = value
            return changed
        case _:
            changed = copy.copy(tree)
            object.__setattr__(changed, key, value)
            return changed
