"""Maps as text inside a page: quantised, deflated, base64. A small PNG carries its own numbers."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradline.plots.maps import AGAINST, FOR

LARGEST = 300
"""Side, in pixels, up to which a map is stored pixel by pixel; larger ones are summed over square blocks."""

UNKNOWN = -32768
"""Stands for a value that is not finite among 16-bit whole numbers; 255 among the bytes of a picture."""

HEAVY = 160_000
"""Bytes of one photo, at most."""

STEPS = 127
"""Steps of size on either side of zero in a byte."""


def block_shape(pixels: np.ndarray, largest: int) -> tuple[int, int]:
    """Rows and columns of square blocks that cover `(H, W)`, the smallest that leave no more than `largest` a side."""
    side = -(-max(pixels.shape) // largest)
    return -(-pixels.shape[0] // side), -(-pixels.shape[1] // side)


def block_side(blocks: tuple[int, ...], pixels: tuple[int, ...]) -> int:
    """How many pixels a side of a block has, of `blocks` that cover `pixels`."""
    return max(-(-n // m) for n, m in zip(pixels, blocks, strict=True))


def cover(blocks: tuple[int, ...], pixels: tuple[int, ...]) -> tuple[float, float]:
    """How wide and high a map of blocks is beside its photo: 1, or a little more where blocks reach over the edge."""
    side = block_side(blocks, pixels)
    return blocks[1] * side / pixels[1], blocks[0] * side / pixels[0]


def deflated(array: np.ndarray) -> str:
    """The bytes of an array, deflated, as base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode()


def whole_map(pixels: np.ndarray) -> dict[str, Any]:
    """Contributions `(H, W)` to 1/32767 of the largest: whole numbers times `step`, low bytes before high bytes."""
    finite = np.isfinite(pixels)
    step = float(np.abs(pixels[finite]).max(initial=0.0)) / 32767 or 1.0
    whole = np.where(finite, np.rint(np.where(finite, pixels, 0) / step), UNKNOWN).astype("<i2")
    planes = whole.view(np.uint8).reshape(-1, 2).T
    return {"rows": pixels.shape[0], "columns": pixels.shape[1], "step": step, "values": deflated(planes)}


def levels(maps: np.ndarray, cap: float) -> np.ndarray:
    """Contributions as bytes: 127 is zero, 0 and 254 are −cap and +cap and whatever is beyond, 255 is not finite.

    Steps are even in the square root of the size, so that small contributions keep their colour on a smaller scale.
    """
    finite = np.isfinite(maps)
    share = _share(maps, finite, cap)
    whole = np.rint(np.sign(share) * np.sqrt(np.abs(share)) * STEPS) + STEPS
    return np.where(finite, whole, 255).astype(np.uint8)


def _share(maps: np.ndarray, finite: np.ndarray, cap: float) -> np.ndarray:
    """Of the cap, in [−1, 1]; 0 where not finite."""
    return np.asarray(np.clip(np.where(finite, maps, 0).astype(np.float64), -cap, cap) / (cap or 1.0))


def values_of(found: np.ndarray, cap: float) -> np.ndarray:
    """The contributions that `levels` stand for."""
    root = (found.astype(np.float64) - STEPS) / STEPS
    return np.where(found == 255, np.nan, np.sign(root) * root**2 * cap)


def stacked(maps: np.ndarray, cap: float) -> dict[str, Any]:
    """Maps `(K, H, W)` as bytes, each but the first as its difference from the one before, modulo 256.

    Bytes as in `levels`, but in even steps of the size: stages of a path differ little from one to the next.
    """
    finite = np.isfinite(maps)
    share = _share(maps, finite, cap)
    found = np.where(finite, np.rint(share * STEPS) + STEPS, 255).astype(np.int16)
    steps = np.diff(found, axis=0, prepend=0).astype(np.uint8)
    return {"count": len(maps), "rows": maps.shape[1], "columns": maps.shape[2], "cap": cap, "values": deflated(steps)}


def level_picture(maps: np.ndarray, cap: float, scale: float) -> str:
    """Contributions `(H, W)` as an inline PNG: their `levels`, in colours as dense as the size on `scale`.

    A page without a script shows it over white; a script reads the levels and paints them anew on another scale.
    """
    size = np.minimum(np.abs(values_of(np.arange(255), cap)), scale) / (scale or 1.0)
    colours = np.where((np.arange(255) >= STEPS)[:, None], FOR, AGAINST)
    palette = np.vstack([colours, [[128, 128, 128]]]).astype(np.uint8)
    opacity = np.append(np.rint(size * 255), 255).astype(np.uint8)
    return png(levels(maps, cap), palette, opacity)


def png(indices: np.ndarray, palette: np.ndarray, opacity: np.ndarray) -> str:
    """Indices `(H, W)` into a palette `(256, 3)` with an opacity `(256,)`, all uint8, as an inline PNG, unfiltered."""
    rows, columns = indices.shape
    lines = np.zeros((rows, columns + 1), np.uint8)
    lines[:, 1:] = indices
    header = struct.pack(">2I5B", columns, rows, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"tRNS", opacity.tobytes()))
    body = (*parts, (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return data_uri(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in body), "png")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def data_uri(data: bytes, kind: str) -> str:
    """An image file as inline text."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@dataclass(frozen=True)
class Inline:
    """A picture inside a page: its data URI, how many rows and columns it has there, and how many it had before."""

    source: str
    shape: tuple[int, int]
    whole: tuple[int, int]


def photograph(image: np.ndarray, *, exact: int = 0, largest: int = 1024, quality: int = 88) -> Inline:
    """A uint8 image `(H, W, 3)` inline: as PNG up to `exact` pixels a side, else as JPEG of up to `largest` a side.

    A JPEG above `HEAVY` bytes is made smaller until it is below.
    """
    from PIL import Image

    picture, buffer = Image.fromarray(image), io.BytesIO()
    if max(image.shape[:2]) <= exact:
        picture.save(buffer, "PNG", optimize=True)
        return Inline(data_uri(buffer.getvalue(), "png"), image.shape[:2], image.shape[:2])
    picture.thumbnail((largest, largest))
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    if buffer.tell() > HEAVY:
        return photograph(image, largest=3 * max(picture.size) // 4, quality=quality)
    return Inline(data_uri(buffer.getvalue(), "jpeg"), (picture.height, picture.width), image.shape[:2])
