"""Ranks of the values of maps, and how far two orders agree."""

from __future__ import annotations

import torch
from torch import Tensor


def midranks(values: Tensor) -> Tensor:
    """The rank of every value among those of its row, from 1, equal ones sharing their mean rank: `(…, D)` float64.

    Rows with a value that is not finite have no ranks: NaN.
    """
    finite = values.isfinite().all(-1, keepdim=True)
    values = torch.where(finite, values, 0).contiguous()
    ordered = values.sort(-1).values
    below = torch.searchsorted(ordered, values)
    upto = torch.searchsorted(ordered, values, right=True)
    return torch.where(finite, (below + upto + 1).double() / 2, torch.nan)


def rank_correlation(maps: Tensor) -> Tensor:
    """Spearman's rank correlation of the rows of `maps (M, D)`: `(M, M)`; NaN for constant ones and non-finite ones."""
    ranks = midranks(maps.detach().cpu())
    centred = ranks - ranks.mean(1, keepdim=True)
    norm = centred.norm(dim=1)
    correlation: Tensor = centred @ centred.T / (norm[:, None] * norm)
    return correlation.clamp(-1, 1)
