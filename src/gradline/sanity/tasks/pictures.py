"""Pictures drawn from a generator: noise with coloured shapes, textures, marks, and how one is put upon another."""

from __future__ import annotations

import torch
from torch import Tensor

SIDE = 32

_LETTERS = (
    ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    ("11110", "10001", "10001", "11110", "10100", "10010", "10001"),
)


def scenes(count: int, chance: torch.Generator) -> Tensor:
    """Grey noise with four discs, squares and diamonds of any colour each: `(count, 3, 32, 32)` in [0, 1]."""
    noise = torch.randn(count, 3, SIDE, SIDE, generator=chance, dtype=torch.float32, device="cpu")
    pictures = 0.5 + 0.1 * noise
    for _ in range(4):
        centre, size = _numbers(count, 2, 0, SIDE, chance), _numbers(count, 1, 2, 6, chance)
        kind = torch.randint(3, (count, 1, 1), generator=chance)
        across, down = _offsets(centre)
        far = torch.stack([(across**2 + down**2).sqrt(), torch.maximum(across, down), across + down])
        inside = far.gather(0, kind.expand(count, SIDE, SIDE)[None])[0] <= size
        colour = _numbers(count, 3, 0.2, 0.8, chance)
        pictures = torch.where(inside[:, None], colour[..., None], pictures)
    return pictures.clamp(0, 1)


def textures(kind: Tensor, side: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Stripes across (0), down (1), checks (2), slanting stripes (3), or nothing (4), and what they cover.

    `(N, 3, side, side)`: fields two pixels wide, any tint.
    """
    count = len(kind)
    phase = torch.randint(4, (count, 2, 1, 1), generator=chance)
    steps = torch.arange(side)
    row, column = steps[None, :, None] + phase[:, 0], steps[None, None, :] + phase[:, 1]
    shape = (count, side, side)
    fields = torch.stack(
        [f.expand(shape) for f in (row // 2, column // 2, row // 2 + column // 2, (row + column) // 2, 0 * row)]
    )
    bright = fields.gather(0, kind[None, :, None, None].expand(1, *shape))[0] % 2
    tint = _numbers(count, 3, 0.25, 0.45, chance)[..., None]
    return 0.5 + (2 * bright[:, None] - 1) * tint, (kind < 4)[:, None, None, None].expand(count, 1, side, side)


def figures(kind: Tensor, colour: Tensor) -> tuple[Tensor, Tensor]:
    """Rings (0), crosses (1) or nothing (2) in `colour (N, 3)`: pictures `(N, 3, 13, 13)` and what they cover."""
    steps = torch.arange(13.0) - 6
    across, down = steps.abs()[None, :], steps.abs()[:, None]
    far = (across**2 + down**2).sqrt()
    cover = torch.stack([(far <= 6.3) & (far >= 4), torch.minimum(across, down) <= 1, far < 0])[kind][:, None]
    return colour[..., None, None].expand(len(kind), 3, 13, 13), cover


def letters(kind: Tensor) -> tuple[Tensor, Tensor]:
    """L (0), R (1), white on black as radiographers put them, or nothing (2): `(N, 3, 9, 7)` and what they cover."""
    table = torch.tensor([[[float(c) for c in row] for row in letter] for letter in _LETTERS])
    framed = torch.nn.functional.pad(table, (1, 1, 1, 1, 0, 1))[kind][:, None]
    return framed.expand(len(kind), 3, 9, 7), (kind < 2)[:, None, None, None].expand(len(kind), 1, 9, 7)


def stamped(below: Tensor, upon: Tensor, cover: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures with others put upon them, their upper left corners at `place (N, 2)`, row and column.

    `cover (N, 1, h, w)`: where they hide what is below. Returns them and the mask `(N, 1, H, W)` of what is hidden.
    """
    height, width = upon.shape[2:]
    found, mask = below.clone(), torch.zeros(len(below), 1, *below.shape[2:], dtype=torch.bool)
    rows = place[:, 0, None, None] + torch.arange(height)[None, :, None]
    columns = place[:, 1, None, None] + torch.arange(width)[None, None, :]
    own = torch.arange(len(below))[:, None, None]
    mask[own, 0, rows, columns] = cover[:, 0]
    found[own, :, rows, columns] = upon.movedim(1, -1)
    return torch.where(mask, found, below), mask


def places(count: int, least: tuple[int, int], most: tuple[int, int], chance: torch.Generator) -> Tensor:
    """Rows and columns `(count, 2)` from least to most, both included."""
    ends = zip(least, most, strict=True)
    return torch.stack([torch.randint(low, high + 1, (count,), generator=chance) for low, high in ends], 1)


def uniform(shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
    """Numbers in [0, 1): float32."""
    return torch.rand(shape, generator=chance, dtype=torch.float32, device="cpu")


def _numbers(count: int, width: int, low: float, high: float, chance: torch.Generator) -> Tensor:
    return low + (high - low) * uniform((count, width, 1), chance)


def _offsets(centre: Tensor) -> tuple[Tensor, Tensor]:
    steps = torch.arange(float(SIDE))
    return (steps[None, None, :] - centre[:, 1:2]).abs(), (steps[None, :, None] - centre[:, :1]).abs()
