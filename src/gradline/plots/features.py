"""Features in the order of what they contribute: numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradline.errors import InputError
from gradline.plots.maps import example
from gradline.result import Attribution
from gradline.result.structure import named

Names = Sequence[str] | Mapping[str, Sequence[str]]
"""One name for each bar; where the model has several inputs, a mapping from input to names."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Contributions, largest |value| first.

    `names`, `values (K,)`: those shown. `shares (K,)`: of the sum of all |contributions|. `others`: how many are not
    shown; `rest`, `rest_share`: what they sum to, and their share. `total`: the sum of everything. `bad`: how many are
    not finite; they are left out of all of this.
    """

    names: tuple[str, ...]
    values: np.ndarray
    shares: np.ndarray
    others: int
    rest: float
    rest_share: float
    total: float
    bad: int


def ranking(a: Attribution, i: int = 0, *, names: Names | None = None, top: int = 15, dim: int | None = 0) -> Ranking:
    """The `top` contributions of example i.

    `dim`: the axis of an example along which bars stand, sums over the others; None: every value a bar of its own.
    Raises `InputError`.
    """
    i = example(a, i)
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InputError("top as a whole number from 1", repr(top))
    labels, parts = [], []
    for name, tensor in named(a.values).items():
        own = np.atleast_1d(tensor[i].detach().cpu().double().numpy())
        summed = own if dim is None else _along(own, dim)
        labels += _labels(name, summed.shape, _own_names(names, name))
        parts.append(summed.ravel())
    values = np.concatenate(parts)
    good = np.flatnonzero(np.isfinite(values))
    order = good[np.argsort(-np.abs(values[good]), kind="stable")]
    mass = float(np.abs(values[good]).sum()) or 1.0
    first, last = order[:top], order[top:]
    return Ranking(
        names=tuple(labels[k] for k in first),
        values=values[first],
        shares=np.abs(values[first]) / mass,
        others=len(last),
        rest=float(values[last].sum()),
        rest_share=float(np.abs(values[last]).sum()) / mass,
        total=float(values[good].sum()),
        bad=len(values) - len(good),
    )


def _along(values: np.ndarray, dim: int) -> np.ndarray:
    if isinstance(dim, bool) or not isinstance(dim, int) or not -values.ndim <= dim < values.ndim:
        raise InputError(f"dim from 0 to {values.ndim - 1}, an axis of one example", repr(dim))
    return np.asarray(values.sum(tuple(axis for axis in range(values.ndim) if axis != dim % values.ndim)))


def _own_names(names: Names | None, entry: str) -> Sequence[str] | None:
    """The names of one input."""
    if isinstance(names, Mapping):
        return names.get(entry)
    if names is not None and (isinstance(names, str) or entry):
        raise InputError("names as a mapping from input to names" if entry else "a list of names", repr(names))
    return names


def _labels(entry: str, shape: tuple[int, ...], names: Sequence[str] | None) -> list[str]:
    count = int(np.prod(shape))
    if names is not None:
        if len(names) != count:
            raise InputError(f"{count} names, one for each bar", str(len(names)), "dim= chooses the axis of the bars")
        return [f"{entry}: {name}" if entry else str(name) for name in names]
    if entry and count == 1:
        return [entry]
    places = [", ".join(map(str, place)) for place in np.ndindex(*shape)]
    return [f"{entry} {place}" if entry else f"feature {place}" for place in places]
