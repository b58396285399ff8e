"""From a model's layout to channels first and back."""

from __future__ import annotations

from torch import Tensor

from gradline.plots.samples import Layout


def channels_first(x: Tensor, layout: Layout | None) -> Tensor:
    """A batch in a layout as `(N, C, T)`, a view."""
    if layout is Layout.TIME_FIRST:
        return x.mT
    return x.unsqueeze(1) if layout is Layout.TIME_ONLY else x


def in_axes(x: Tensor, layout: Layout | None) -> Tensor:
    """A batch `(N, C, T)` in a layout, a view."""
    if layout is Layout.TIME_FIRST:
        return x.mT
    return x[:, 0] if layout is Layout.TIME_ONLY else x
