"""What goes into a model: checked once, packed into one tensor for the paths, unpacked for the model and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.question.trees import tensors

Structured = Tensor | tuple[Any, ...] | dict[str, Any]
"""A tensor, or what a model takes several of: by position or by name."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """The N examples of a call, as the model takes them.

    `entries`: every argument by name ("0", "1", … by position); tensors are detached and have N rows, other values are
    passed as they are. `form`: `Tensor`, `tuple` or `dict`, how they were handed in. `attributed`: the names of the
    floating-point entries. `context`: further named arguments, held fixed.
    """

    form: type
    entries: dict[str, Any]
    attributed: tuple[str, ...]
    context: dict[str, Any]
    rows: int

    @property
    def integers(self) -> tuple[str, ...]:
        """The names of the integer entries, boolean ones aside."""
        return tuple(k for k, v in self.entries.items() if is_integer(v))

    @property
    def anchor(self) -> Tensor:
        """A tensor that says on which device the call runs."""
        names = self.attributed or tuple(k for k, v in self.entries.items() if isinstance(v, Tensor))
        tensor: Tensor = self.entries[names[0]]
        return tensor

    # ------------------------------------------------------------------------------------------------ one tensor inside

    def pack(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The attributed entries, `(R, *F_i)` each, as one `(R, *F)`: one as it is, several flat and joined."""
        found = [parts[name] for name in self.attributed]
        if len(found) == 1:
            return found[0] if found[0].ndim > 1 else found[0].unsqueeze(1)
        dtype, device = self.dtype, self.anchor.device
        return torch.cat([part.reshape(len(part), -1).to(device, dtype) for part in found], 1)

    @property
    def dtype(self) -> torch.dtype:
        """The widest floating-point type of the attributed entries."""
        dtype: torch.dtype = self.entries[self.attributed[0]].dtype
        for name in self.attributed[1:]:
            dtype = torch.promote_types(dtype, self.entries[name].dtype)
        return dtype

    @property
    def packed(self) -> Tensor:
        """The attributed part of all examples: `(N, *F)`."""
        return self.pack(self.entries)

    def unpack(self, points: Tensor) -> dict[str, Tensor]:
        """The attributed entries at packed points `(R, *F)`."""
        if len(self.attributed) == 1:
            (name,) = self.attributed
            return {name: points.reshape(len(points), *self.entries[name].shape[1:])}
        entries = [self.entries[name] for name in self.attributed]
        sizes = [entry[0].numel() for entry in entries]
        parts = {}
        for name, entry, flat in zip(self.attributed, entries, torch.split(points, sizes, 1), strict=True):
            part = flat.reshape(len(points), *entry.shape[1:]).to(entry.device, entry.dtype)
            parts[name] = part.clone()  # a view of a split must not be written into, and a model may do that
        return parts

    def structured(self, values: Tensor) -> Structured:
        """Packed values `(N, *F)` in x's structure; None for entries that are held."""
        if self.form is Tensor:
            return values
        entries = [self.entries[name] for name in self.attributed]
        sizes = [entry[0].numel() for entry in entries]
        flat = torch.split(values.reshape(len(values), -1), sizes, 1)
        parts = {name: f.reshape(e.shape) for name, e, f in zip(self.attributed, entries, flat, strict=True)}
        whole = {name: parts.get(name) for name in self.entries}
        return whole if self.form is dict else tuple(whole.values())

    # ------------------------------------------------------------------------------------------------ for the model

    def arguments(self, parts: Mapping[str, Tensor], owner: Tensor) -> tuple[list[Any], dict[str, Any]]:
        """Positional and named arguments for rows of the examples `owner (R,)`; `parts` stand in for entries of x."""
        entries = {name: parts[name] if name in parts else _rows(value, owner) for name, value in self.entries.items()}
        context = {name: _rows(value, owner) for name, value in self.context.items()}
        if self.form is dict:
            return [], entries | context
        return list(entries.values()), context


def _rows(value: Any, owner: Tensor) -> Any:
    """The rows of a tensor, a copy; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    if value.ndim == 0:
        return value.clone()
    if len(value) == 1:
        return value.expand(len(owner), *value.shape[1:]).clone()
    return value[owner.to(value.device)]


def is_integer(value: object) -> bool:
    """A tensor of whole numbers, such as token ids; not a boolean one."""
    return isinstance(value, Tensor) and not (
        value.is_floating_point() or value.is_complex() or value.dtype == torch.bool
    )


def check_inputs(x: object, context: object = None) -> Inputs:
    """x as the model takes it: a tensor `(N, *F)`, or a tuple or a mapping of tensors with N rows each.

    Raises `InputError`.
    """
    form: type
    match x:
        case Tensor():
            form, entries = Tensor, {"0": x}
        case Mapping():
            form, entries = dict, {str(name): value for name, value in x.items()}
        case tuple() | list():
            form, entries = tuple, {str(place): value for place, value in enumerate(x)}
        case _:
            remedy = "use torch.as_tensor(x)" if hasattr(x, "__array__") else "pass one tensor, batch axis first"
            expected = "x as a torch.Tensor with the batch axis first, or a tuple or dict of such"
            raise InputError(expected, type(x).__name__, remedy)
    given = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    if not given:
        kinds = ", ".join(dict.fromkeys(type(v).__name__ for v in entries.values()))
        raise InputError("at least one torch.Tensor in x", f"a {form.__name__} of {kinds}" if kinds else "nothing")
    whole = form is Tensor
    for name, value in entries.items():
        _check_plain(value, _label(form, name), "a tensor with the batch axis first")
    checked = {name: _check_tensor(value, "x" if whole else _label(form, name)) for name, value in given.items()}
    rows = {name: len(value) for name, value in checked.items()}
    if len(set(rows.values())) > 1:
        raise InputError("the same number of rows in every tensor of x", f"{rows}", "the batch axis comes first")
    attributed = tuple(name for name, value in checked.items() if value.is_floating_point())
    for name in attributed:
        if whole and checked[name].ndim < 2:
            shape = tuple(checked[name].shape)
            raise InputError("x of shape (N, …), batch axis first", f"shape {shape}", "use x.unsqueeze(0)")
        _check_finite(checked[name], "x" if whole else _label(form, name))
    count = next(iter(rows.values()))
    held = check_context(context, count)
    if form is dict and (both := sorted(set(held) & set(entries))):
        raise InputError("names in context= that x does not have", f"{both}")
    return Inputs(form, entries | checked, attributed, held, count)


def _label(form: type, name: str) -> str:
    return f"x[{name!r}]" if form is dict else f"x[{name}]"


def _check_plain(value: object, label: str, expected: str) -> None:
    """Flags and numbers may go to a model as they are; what holds rows must be a tensor, to be indexed by row."""
    holds = isinstance(value, list | tuple | Mapping) and bool(tensors(value))
    if holds or isinstance(value, list) or (hasattr(value, "__array__") and not isinstance(value, Tensor)):
        raise InputError(f"{label} as {expected}", type(value).__name__)


def _check_dense(x: Tensor, label: str) -> None:
    if x.layout is not torch.strided:
        raise InputError(f"a dense {label}", f"layout {x.layout}", "use x.to_dense()")


def _check_tensor(x: Tensor, label: str) -> Tensor:
    _check_dense(x, label)
    if x.ndim < 1:
        raise InputError(f"{label} of shape (N, …), batch axis first", "shape ()", "use x.reshape(1, 1)")
    if x.numel() == 0:
        raise InputError(f"at least one example with at least one feature in {label}", f"shape {tuple(x.shape)}")
    if x.is_complex():
        raise InputError(f"a floating-point {label}", f"{x.dtype}", "use torch.view_as_real(x)")
    x = x.clone() if x.is_inference() else x
    return x.detach()


def _check_finite(x: Tensor, label: str) -> None:
    bad = ~torch.isfinite(x)
    if bad.any():
        where = tuple(int(i) for i in bad.nonzero()[0])
        raise InputError(f"a finite {label}", f"{int(bad.sum())} NaN or infinite values, the first at {where}")


def check_context(context: object, rows: int) -> dict[str, Any]:
    """Named arguments that go to the model beside x and are held fixed: tensors with N rows (or one for all), flags.

    Raises `InputError`.
    """
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        raise InputError("context as a dict of name: tensor", type(context).__name__)
    for name, value in context.items():
        label = f"context[{name!r}]"
        expected = f"a tensor with {rows} rows, one for each example"
        _check_plain(value, label, expected)
        if isinstance(value, Tensor) and value.ndim > 0 and len(value) not in (1, rows):
            raise InputError(f"{label} as {expected}", f"shape {tuple(value.shape)}")
        if isinstance(value, Tensor):
            _check_dense(value, label)
    return {str(k): v.detach() if isinstance(v, Tensor) else v for k, v in context.items()}


def check_names(names: Sequence[str] | None, rows: int) -> tuple[str, ...]:
    """One name for each example; by default its index. Raises `InputError`."""
    if names is None:
        return tuple(str(i) for i in range(rows))
    if not isinstance(names, Sequence):
        raise InputError(f"{rows} different names, one for each example", repr(names))
    chosen = (names,) if isinstance(names, str) else tuple(str(n) for n in names)
    if len(chosen) != rows or len(set(chosen)) != rows:
        raise InputError(f"{rows} different names, one for each example", f"{len(chosen)}: {list(chosen)[:5]}")
    return chosen
