"""Square windows of an image that do not overlap, the ones a map finds most important first."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gradline.errors import InputError
from gradline.metrics.ranking import CONSTANT, NOT_FINITE


def place_windows(maps: Tensor, side: int, count: int, last: bool) -> tuple[Tensor, tuple[str, ...]]:
    """The upper left corners `(N, count, 2)`, int64, of windows in maps `(N, C, H, W)`, and why an example has none.

    A window's score is the mean of |Σ_c map| in it. The best one goes first, then always the best that overlaps none
    of those before; equal scores from the top down, and from left to right. `last`: windows at the last row and column
    too. Raises `InputError` if so many cannot lie side by side.
    """
    _check_room(maps.shape[2], maps.shape[3], side, count, last)
    collapsed = maps.sum(1, keepdim=True).abs().double().cpu()
    scores = avg_pool2d(collapsed.nan_to_num(0.0, 0.0, 0.0), side, 1)[:, 0]
    scores = scores if last else scores[:, :-1, :-1]
    corners, found = _greedy(scores, side, count)
    finite, flat = collapsed.isfinite().flatten(1).all(1), scores.flatten(1)
    reasons = zip(finite.tolist(), (flat.amax(1) == flat.amin(1)).tolist(), found.tolist(), strict=True)
    notes = [
        NOT_FINITE if not f else CONSTANT if c else f"only {n} windows fit in the order of the map" if n < count else ""
        for f, c, n in reasons
    ]
    return corners, tuple(notes)


def turns(corners: Tensor, side: int, height: int, width: int) -> Tensor:
    """The place in the order, from 1 on, of the window that each pixel lies in: int64 `(N, 1, H, W)`; one more than
    there are windows for pixels in none."""
    count = corners.shape[1]
    found = torch.full((len(corners), 1, height, width), count + 1)
    for k in range(count):
        place = torch.full((len(corners), 1, side, side), k + 1)
        found = patched(found, place, corners[:, k])
    return found


def patched(images: Tensor, patches: Tensor, corners: Tensor) -> Tensor:
    """Images `(R, C, H, W)` with `patches (R, C, side, side)` laid over them at `corners (R, 2)`."""
    side = torch.arange(patches.shape[-1], device=images.device)
    row, column = (corners.to(images.device)[:, axis, None] + side for axis in (0, 1))
    own = torch.arange(len(images), device=images.device)
    found = images.clone()
    found[own[:, None, None], :, row[:, :, None], column[:, None, :]] = patches.permute(0, 2, 3, 1)
    return found


def _greedy(scores: Tensor, side: int, count: int) -> tuple[Tensor, Tensor]:
    free = torch.ones_like(scores, dtype=torch.bool)
    rows, columns = torch.arange(scores.shape[1]), torch.arange(scores.shape[2])
    found, corners = torch.zeros(len(scores), dtype=torch.int64), []
    for _ in range(count):
        found += free.flatten(1).any(1)
        best = torch.where(free, scores, -torch.inf).flatten(1).argmax(1)
        top, left = best // scores.shape[2], best % scores.shape[2]
        above = (rows - top[:, None]).abs() < side
        beside = (columns - left[:, None]).abs() < side
        free &= ~(above[:, :, None] & beside[:, None, :])
        corners.append(torch.stack([top, left], 1))
    return torch.stack(corners, 1), found


def _check_room(height: int, width: int, side: int, count: int, last: bool) -> None:
    room = (height - (not last)) // side * ((width - (not last)) // side)
    if room < count:
        wanted = f"room for {count} windows of {side} × {side} pixels side by side"
        raise InputError(wanted, f"images of {height} × {width}, room for {room}", "fewer regions, or a smaller side")
