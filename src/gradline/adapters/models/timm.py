"""`timm:NAME`: its configuration says how a photo is prepared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gradline.adapters.models.agreement import check_agreement
from gradline.adapters.models.built_in import imagenet_classes
from gradline.adapters.models.library import fetched, library, unknown
from gradline.adapters.models.model import ImageModel
from gradline.adapters.models.preprocessing import Preprocessing, Resample, channel_units
from gradline.errors import InputError


def from_timm(name: str) -> ImageModel:
    """A classifier of timm with its pretrained weights, which are downloaded once.

    Raises `InputError`, `MissingExtra`, `ModelError`.
    """
    timm = library("timm")
    if ":" not in name:  # else on a hub, or in a folder: timm's own prefixes
        if not timm.is_model(name):
            raise unknown("timm", name, timm.list_models())
        if not timm.is_model_pretrained(name):
            raise InputError(f"a model of timm with pretrained weights (timm.list_pretrained({name!r}))", repr(name))
    remedy = "without a network, download it beforehand, and give timm:local-dir:FOLDER"
    model = fetched(f"the weights of timm:{name}", remedy, lambda: timm.create_model(name, pretrained=True)).eval()
    if not getattr(model, "num_classes", 1):
        raise InputError("a classifier of timm", f"{name!r}, which gives features", "choose one that was fine-tuned")
    config = timm.data.resolve_model_data_config(model)
    preprocessing = _preprocessing(config, f"timm:{name}")
    own = timm.data.create_transform(**config, is_training=False)
    check_agreement(preprocessing, lambda picture: own(picture).unsqueeze(0), f"timm:{name}")
    return ImageModel(f"timm:{name}", model, preprocessing, _classes(getattr(model, "pretrained_cfg", None) or {}))


def _preprocessing(config: Mapping[str, Any], name: str) -> Preprocessing:
    channels, *size = config["input_size"]
    if channels != 3:
        raise InputError(f"a model of three channels for {name}", f"{channels}")
    scaled = tuple(math.floor(side / config["crop_pct"]) for side in size)
    mode = config.get("crop_mode") or "center"
    if mode not in ("center", "squash") or (mode == "center" and scaled[0] != scaled[1]):
        raise InputError(f"a crop mode of {name} that gradline knows", f"{mode!r} of {size}")
    resize = scaled if mode == "squash" else scaled[0]
    mean, std = (channel_units(config[key], 255, 3) for key in ("mean", "std"))
    return Preprocessing(resize, (size[0], size[1]), mean, std, Resample(config["interpolation"]))


def _classes(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The class names where the configuration has them, or says by its tag that they are ImageNet's."""
    if config.get("label_names"):
        return tuple(config["label_names"])
    on_imagenet = str(config.get("tag") or "").endswith("in1k") and config.get("num_classes") == 1000
    return imagenet_classes() if on_imagenet else ()
