"""The settings of an image processor of transformers, as a `Preprocessing`."""

from __future__ import annotations

from typing import Any

from gradline.adapters.models.preprocessing import Channels, Preprocessing, Resample, Rounding, channel_units
from gradline.errors import InputError

Size = int | tuple[int, int] | None

FILTERS = (
    Resample.NEAREST,
    Resample.LANCZOS,
    Resample.BILINEAR,
    Resample.BICUBIC,
    Resample.BOX,
    Resample.HAMMING,
)
"""Filters by Pillow's numbers, as configurations give them."""

WARPED_FROM = 384
"""ConvNeXT's processor cuts out the middle below this side, and squeezes the whole photo from it on."""


def preprocessing_from(processor: Any, channels: int, name: str) -> Preprocessing:
    """What a processor does, from its settings; families that do more than they say are read as they do it.

    Raises `InputError` where a photo's sides are treated in a way that `Preprocessing` has no word for.
    """
    resize, crop = _geometry(processor, name)
    count = 1 if channels == 1 else 3
    mean, std = _units(processor, count)
    order = Channels.GREY if count == 1 else Channels.BGR if _on(processor, "do_flip_channel_order") else Channels.RGB
    number = getattr(processor, "resample", None)
    resample = FILTERS[2 if number is None else int(number)]
    return Preprocessing(resize, crop, mean, std, resample, order, Rounding.DOWN)


def _geometry(processor: Any, name: str) -> tuple[Size, Size]:
    family = type(processor).__name__
    resize = _size(getattr(processor, "size", None), name) if _on(processor, "do_resize") else None
    crop = _size(getattr(processor, "crop_size", None), name) if _on(processor, "do_center_crop") else None
    share = getattr(processor, "crop_pct", None)
    if family.startswith("ConvNext") and isinstance(resize, int):
        if resize >= WARPED_FROM:
            return (resize, resize), crop
        return int(resize / share), crop or resize  # type: ignore[operator]
    if family.startswith("Levit") and isinstance(resize, int):
        return int((256 / 224) * resize), crop
    if family.startswith("PoolFormer") and share is not None and resize is not None:
        side = resize if isinstance(resize, int) else resize[0] if resize[0] == resize[1] else None
        return (None if side is None else int(side / share)), crop
    return resize, crop


def _size(size: Any, name: str) -> Size:
    """The sides out of transformers' size, a mapping."""
    given = {key: value for key, value in dict(size or {}).items() if value is not None}
    match given:
        case {"height": height, "width": width, **more} if not more:
            return int(height), int(width)
        case {"shortest_edge": side, **more} if not more:
            return int(side)
    raise InputError(f"height and width, or the shortest edge, as the size for {name}", repr(given))


def _units(processor: Any, count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation in 0…255 of what happens to values: x = v · scale + shift, folded step by step."""
    scale, shift = [1.0] * count, [0.0] * count
    if _on(processor, "do_rescale"):
        scale = [float(processor.rescale_factor)] * count
        shift = [-1.0 if _on(processor, "rescale_offset") else 0.0] * count
    steps = []
    if _on(processor, "do_normalize"):
        steps.append((channel_units(processor.image_mean, 1, count), channel_units(processor.image_std, 1, count)))
    if type(processor).__name__.startswith("EfficientNet") and _on(processor, "include_top"):
        steps.append(((0.0,) * count, channel_units(processor.image_std, 1, count)))
    for mean, std in steps:
        shift = [(v - m) / s for v, m, s in zip(shift, mean, std, strict=True)]
        scale = [v / s for v, s in zip(scale, std, strict=True)]
    return tuple(0.0 - b / a for a, b in zip(scale, shift, strict=True)), tuple(1 / a for a in scale)


def _on(processor: Any, flag: str) -> bool:
    return bool(getattr(processor, flag, None))
