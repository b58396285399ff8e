"""Fills removed pixels from the pixels around them: the linear system of ROAD, solved for a batch at once."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

TOLERANCE = 1e-5
"""Where the solver stops: root of the energy of what is left to correct, over the spread of the known pixels."""
_CHUNK = 2**21  # values solved for at once
_LIMIT = 2000


def impute(image: Tensor, removed: Tensor) -> Tensor:
    """Images `(R, C, H, W)` with the pixels of `removed (R, 1, H, W)`, bool, filled: in the dtype of the images.

    For every removed pixel u_i = Σ_j w_ij u_j / Σ_j w_ij over its neighbours j in the image, w = 1/6 beside it and 1/12
    across a corner; u = x at all others. Rong et al. (2022). Where nothing is known: the mean colour of the image.

    The system times the row sums Σ_j w_ij is symmetric and positive definite. It is solved by conjugate gradients, each
    row and channel on its own, preconditioned by corrections on ever coarser grids (Bramble, Pasciak, Xu 1990).
    """
    size = max(1, _CHUNK // max(1, image[:1].numel()))
    parts = zip(torch.split(image, size), torch.split(removed, size), strict=True)
    return torch.cat([_imputed(one, gone) for one, gone in parts])


def _imputed(image: Tensor, removed: Tensor) -> Tensor:
    working = image.to(torch.promote_types(image.dtype, torch.float32))
    gone = removed.to(working.dtype)
    count = (~removed).sum((2, 3), keepdim=True)
    known = torch.where(removed, 0.0, working)
    mean = torch.where(count > 0, known.sum((2, 3), keepdim=True) / count.clamp(min=1), working.mean((2, 3), True))
    found = _solved(torch.where(removed, 0.0, working - mean), gone) + mean
    return torch.where(removed, found, working).to(image.dtype)


def _solved(known: Tensor, gone: Tensor) -> Tensor:
    """The values where `gone (R, 1, H, W)` is 1, given `known (R, C, H, W)` elsewhere, which is 0 where it is 1."""
    weight = _neighbours(torch.ones_like(gone[:1]))
    costs = _costs(gone, weight)
    u = torch.zeros_like(known)
    r = gone * _neighbours(known)
    p = z = _corrected(r, gone, costs)
    energy = _dot(r, z)
    enough = (TOLERANCE * known.abs().amax((2, 3), keepdim=True)) ** 2
    for _ in range(_LIMIT):
        active = energy > enough
        if not bool(active.any()):
            break
        applied = gone * (weight * p - _neighbours(p))
        step = torch.where(active, energy, 0.0) / torch.where(active, _dot(p, applied), 1.0)
        u, r = u + step * p, r - step * applied
        z = _corrected(r, gone, costs)
        before, energy = energy, torch.where(active, _dot(r, z), energy)
        p = z + energy / torch.where(active, before, 1.0) * p
    return u


def _costs(gone: Tensor, weight: Tensor) -> list[Tensor]:
    """About the energy of a bump of height 1 at each point of the image's grid, and of the grids of half the side:
    its slope where pixels are gone, and its edge towards those that are not; infinite where none is gone."""
    found = [torch.where(gone > 0, weight, torch.inf)]
    covered, edge = gone, gone * _neighbours(1 - gone)
    while min(covered.shape[2:]) > 2:
        covered, edge = _halved(covered), _halved(edge)
        found.append(torch.where(covered > 0, covered / 4 ** len(found) + edge, torch.inf))
    return found


def _corrected(r: Tensor, gone: Tensor, costs: list[Tensor]) -> Tensor:
    """The residual over the cost of a bump, on every grid; what the coarse ones say, interpolated and summed up."""
    coarse = [r]
    for _ in costs[1:]:
        coarse.append(_halved(coarse[-1]))
    z = coarse[-1] / costs[-1]
    for fine, cost in zip(coarse[-2::-1], costs[-2::-1], strict=True):
        z = fine / cost + _doubled(z, fine)
    return z * gone


def _neighbours(v: Tensor) -> Tensor:
    """Σ_j w_ij v_j over the eight neighbours in the image: (1 2 1) along both axes over 12, less its centre."""
    return _along(_along(v, 2), 3) / 12 - v / 3


def _along(v: Tensor, axis: int) -> Tensor:
    last = v.shape[axis] - 1
    found = 2 * v
    found.narrow(axis, 1, last).add_(v.narrow(axis, 0, last))
    found.narrow(axis, 0, last).add_(v.narrow(axis, 1, last))
    return found


def _halved(v: Tensor) -> Tensor:
    """Sums onto the grid of half the side by the weights 1/4, 3/4, 3/4, 1/4: the transpose of `_doubled`."""
    for axis in (2, 3):
        if v.shape[axis] % 2:
            v = pad(v, (0, 1) if axis == 3 else (0, 0, 0, 1))
        half = v.shape[axis] // 2
        even, odd = v.reshape(*v.shape[:axis], half, 2, *v.shape[axis + 1 :]).unbind(axis + 1)
        last = half - 1
        v = 0.75 * (even + odd)
        v.narrow(axis, 1, last).add_(odd.narrow(axis, 0, last), alpha=0.25)
        v.narrow(axis, 0, last).add_(even.narrow(axis, 1, last), alpha=0.25)
    return v


def _doubled(v: Tensor, like: Tensor) -> Tensor:
    """Linear interpolation onto the grid of `like`, twice as fine; beyond the edge the values are 0."""
    for axis in (2, 3):
        last = v.shape[axis] - 1
        even, odd = 0.75 * v, 0.75 * v
        even.narrow(axis, 1, last).add_(v.narrow(axis, 0, last), alpha=0.25)
        odd.narrow(axis, 0, last).add_(v.narrow(axis, 1, last), alpha=0.25)
        v = torch.stack([even, odd], axis + 1).flatten(axis, axis + 1).narrow(axis, 0, like.shape[axis])
    return v


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((2, 3), keepdim=True)
