"""From an attribution to pictures: arrays only, one colour scale for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gradline.core.baselines import Blur, Group
from gradline.errors import InputError
from gradline.result import Attribution
from gradline.result.structure import named, shape_of

QUANTILE = 0.99
"""Share of pixels that lie within the colour scale; the rest is drawn in the full colour, and the legend says so."""

FOR, AGAINST = np.array([178, 24, 43]), np.array([33, 102, 172])
"""Red raises the score, blue lowers it: the ends of a diverging scale that colour-blind people can tell apart."""

SPOT = 6.0
"""Standard deviation, in pixels, of the blur behind the spotlight."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What is drawn of one example; all pictures are uint8 `(H, W, 3)`.

    `pixels (H, W)`: contributions summed over channels, in units of the score. `scale`: the contribution drawn in full
    colour, the same for `map` and `overlay`. `clipped`: share of pixels beyond it. `spotlight`: the photo, lit where
    the mass |contribution| of the map lies.
    """

    pixels: np.ndarray
    scale: float
    clipped: float
    photo: np.ndarray
    map: np.ndarray
    overlay: np.ndarray
    spotlight: np.ndarray


def picture(a: Attribution, photo: np.ndarray, i: int = 0) -> Picture:
    """Pictures of example i of an attribution `(N, C, H, W)` with its photo, uint8 `(H, W, 3)`.

    Raises `InputError` if the shapes do not belong together.
    """
    i = example(a, i)
    values = only_tensor(a)
    check_photo(photo)
    if values.ndim != 4 or photo.shape != (*values.shape[2:], 3):
        raise InputError(
            "an attribution (N, C, H, W) and its photo (H, W, 3)", f"{tuple(values.shape)} and {photo.shape}"
        )
    pixels = summed(a, i)
    scale = colour_scale(pixels)
    return Picture(
        pixels=pixels,
        scale=scale,
        clipped=clipped(pixels, scale),
        photo=photo,
        map=colours(pixels, scale),
        overlay=overlay(pixels, scale, photo),
        spotlight=spotlight(pixels, photo),
    )


def check_photo(photo: object) -> None:
    """Raises `InputError` if it is not a uint8 array `(H, W, 3)`."""
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        got = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise InputError("a photo as a uint8 array (H, W, 3)", got)


def example(a: Attribution, i: int) -> int:
    """i as an index from the front; `InputError` if there is no such example."""
    if isinstance(i, bool) or not isinstance(i, int) or not -len(a) <= i < len(a):
        raise InputError(f"an example from 0 to {len(a) - 1}" if len(a) else "an attribution with examples", repr(i))
    return i % len(a)


def only_tensor(a: Attribution) -> torch.Tensor:
    """The values as one tensor `(N, *F)`; `InputError` where the model has several inputs."""
    entries = named(a.values)
    if len(entries) != 1:
        raise InputError("an attribution of one tensor", shape_of(a.values), "gl.plots.bars shows several inputs")
    return next(iter(entries.values()))


def summed(a: Attribution, i: int = 0) -> np.ndarray:
    """What a map shows of example i: `(C, H, W)` summed over channels, `(H, W)` and `(D,)` as they are; float64.

    Raises `InputError` for several inputs and for more than three axes.
    """
    values = only_tensor(a)[example(a, i)].detach().cpu().double().numpy()
    if values.ndim > 3:
        remedy = "gl.plots.bars sums over axes"
        raise InputError("a map with up to three axes: (D,), (H, W) or (C, H, W)", shape_of(a.values), remedy)
    return np.asarray(values.sum(0) if values.ndim == 3 else np.atleast_1d(values))


def colour_scale(pixels: np.ndarray) -> float:
    """The contribution drawn in full colour: the `QUANTILE` of absolute values, their maximum if that is zero."""
    size = np.abs(pixels[np.isfinite(pixels)])
    if not size.size:
        return 0.0
    return float(np.quantile(size, QUANTILE)) or float(size.max())


def pooled(maps: Sequence[np.ndarray], families: Sequence[object]) -> list[np.ndarray]:
    """For each map, all values of its family: of the maps whose values can be compared with its own."""

    def rows(kind: object) -> list[np.ndarray]:
        return [m.ravel() for m, other in zip(maps, families, strict=True) if other == kind]

    return [np.concatenate(rows(kind)) for kind in families]


def clipped(pixels: np.ndarray, scale: float) -> float:
    """Share of the contributions that lie beyond the scale; those that are not finite do not count."""
    return float((np.abs(pixels[np.isfinite(pixels)]) > scale).sum() / pixels.size) if pixels.size else 0.0


def colours(pixels: np.ndarray, scale: float) -> np.ndarray:
    """White at zero, linear to `FOR` and `AGAINST` at ± scale; grey where not finite."""
    rgb = _tint(pixels, scale, np.full((*pixels.shape, 3), 255.0))
    return np.where(np.isfinite(pixels)[..., None], rgb, 128).astype(np.uint8)


def overlay(pixels: np.ndarray, scale: float, photo: np.ndarray) -> np.ndarray:
    """The photo in pale grey, covered in colour as far as each contribution goes."""
    grey = photo.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return _tint(pixels, scale, (0.55 * grey + 0.45 * 255)[..., None])


def spotlight(pixels: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """The photo, dimmed where little of the map's mass lies: full light at the 98th percentile of local mass."""
    mass = torch.from_numpy(np.abs(np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)))
    one = Group(mass[None, None], torch.zeros(1, dtype=torch.int64, device="cpu"), ("0",), 0)
    local = Blur(SPOT).start(one)[0, 0, 0].numpy()
    top = np.quantile(local, 0.98)
    light = np.clip(local / top, 0, 1) if top > 0 else np.zeros_like(local)
    return (photo * (0.12 + 0.88 * light[..., None])).round().astype(np.uint8)


def blocks(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A map `(H, W)` summed over square blocks, so that `shape` of them cover it, the last ones less than full."""
    height, width = pixels.shape
    side = max(-(-height // shape[0]), -(-width // shape[1]))
    padded = np.pad(pixels, ((0, shape[0] * side - height), (0, shape[1] * side - width)))
    return np.asarray(padded.reshape(shape[0], side, shape[1], side).sum((1, 3)))


def _tint(pixels: np.ndarray, scale: float, base: np.ndarray) -> np.ndarray:
    finite = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
    share = (np.clip(finite, -scale, scale) / (scale or 1.0))[..., None]
    rgb = base + np.abs(share) * (np.where(share >= 0, FOR, AGAINST) - base)
    return np.asarray(rgb.round().astype(np.uint8))
