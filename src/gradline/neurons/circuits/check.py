"""Whether a wiring describes a model: told from one clean and one corrupted forward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gradline.errors import SiteError
from gradline.neurons.circuits.stream import Reader, Trace, project, wide


def verify(places: Sequence[Reader], clean: Trace, corrupted: Trace, moves: Tensor) -> None:
    """That the wiring describes the model: the stream is the sum of what is written, and parts read its norm.

    Raises `SiteError`.
    """
    for reader in places:
        place, stream = reader.place, clean.stream[reader.gate]
        change = wide(stream) - wide(corrupted.stream[reader.gate])
        if change.shape != moves.shape[1:] or not _near(
            moves[: place.before].sum(0), change, wide(stream), stream.dtype
        ):
            raise SiteError(
                f"a wiring whose parts add up to the stream that {place.label} reads",
                "others (norms behind the parts, scaled branches, cross-attention, or parts that it does not name)",
            )
        if not all(_near(ours, theirs, theirs, stream.dtype) for ours, theirs in _read(reader, clean)):
            got = "something else (another norm, or heads that lie elsewhere)"
            raise SiteError(f"a wiring whose norm and projections give what {place.label} gets", got)


def _read(reader: Reader, trace: Trace) -> Iterator[tuple[Tensor, Tensor]]:
    """What the parts of a place get by the wiring, and what they got."""
    stream = trace.stream[reader.gate]
    if reader.slices:
        for module, (where, numbers) in project(reader, stream[None]).items():
            yield numbers, wide(trace.inner[module])[..., where]
    elif reader.place.part is not None:
        yield wide(reader.normed(stream)), wide(trace.inner[reader.inner[0]])


def _near(one: Tensor, other: Tensor, scale: Tensor, dtype: torch.dtype) -> bool:
    bound = torch.finfo(dtype).eps ** 0.5 * (other.norm() + 1e-2 * scale.norm())
    return bool((one - other).norm() <= bound)
