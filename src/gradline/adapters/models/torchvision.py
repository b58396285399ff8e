"""`torchvision:NAME`: its weights say how a photo is prepared, and what the classes are called."""

from __future__ import annotations

from typing import Any

from gradline.adapters.models.agreement import check_agreement
from gradline.adapters.models.library import fetched, library, unknown
from gradline.adapters.models.model import ImageModel
from gradline.adapters.models.preprocessing import Preprocessing, Resample, channel_units
from gradline.errors import InputError


def from_torchvision(name: str) -> ImageModel:
    """A classifier of torchvision with its `DEFAULT` weights, which are downloaded once.

    Raises `InputError`, `MissingExtra`, `ModelError`.
    """
    models = library("torchvision.models")
    there = models.list_models(module=models)
    if name not in there:
        raise unknown("torchvision", name, there)
    weights = models.get_model_weights(name).DEFAULT
    remedy = (
        "without a network, call the same on a machine that has one and copy the file from torch.hub.get_dir() + "
        f"'/checkpoints': {getattr(weights, 'url', '')}"
    )
    model = fetched(f"the weights of torchvision:{name}", remedy, lambda: models.get_model(name, weights=weights))
    own = weights.transforms()
    preprocessing = _preprocessing(own, f"torchvision:{name}")
    check_agreement(preprocessing, lambda picture: own(picture).unsqueeze(0), f"torchvision:{name}")
    classes = tuple(weights.meta.get("categories", ()))
    return ImageModel(f"torchvision:{name}", model.eval(), preprocessing, classes)


def _preprocessing(own: Any, name: str) -> Preprocessing:
    try:
        resize, crop = (tuple(size) if len(size) == 2 else size[0] for size in (own.resize_size, own.crop_size))
        mean, std = (channel_units(values, 255, 3) for values in (own.mean, own.std))
        return Preprocessing(resize, crop, mean, std, Resample(own.interpolation.value))
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"torchvision's ImageClassification as the transforms of {name}", type(own).__name__
        ) from error
