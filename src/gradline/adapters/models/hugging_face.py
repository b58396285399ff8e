"""`hf:NAME`: image classifiers of the Hugging Face hub, or of a local folder, by transformers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradline.adapters.models.agreement import check_agreement
from gradline.adapters.models.hub import got, place_of, quiet
from gradline.adapters.models.model import ImageModel
from gradline.adapters.models.preprocessing import Preprocessing
from gradline.adapters.models.processor import preprocessing_from
from gradline.errors import InputError, MissingExtra, ModelError

KIND = "an image classifier that transformers can load"

FEW = 3
"""Names of weights listed in an error."""


def from_hugging_face(name: str, preprocessing: Preprocessing | None = None) -> ImageModel:
    """An image classifier with the preprocessing of its own `preprocessor_config.json`, unless it is given.

    `name`: of a repository, or a folder (`./my-model`). What is in the local cache is taken from there; no code of a
    repository is run. Raises `InputError`, `MissingExtra`, `ModelError`.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("an image classifier of the Hugging Face hub", "hf") from error
    place = place_of(name)
    with quiet(transformers):
        model = _model(transformers, place, name)
        if preprocessing is None:
            preprocessing = _preprocessing(transformers, place, name, model.config)
    return ImageModel(f"hf:{name}", model.eval(), preprocessing, _classes(model.config))


def _model(transformers: Any, place: str, name: str) -> Any:
    auto = transformers.AutoModelForImageClassification

    def load(local: bool) -> Any:
        return auto.from_pretrained(place, local_files_only=local, output_loading_info=True, dtype=torch.float32)

    model, info = got(load, place, name, KIND)
    lacking = sorted(info["missing_keys"])
    if lacking:
        raise ModelError(
            f"hf:{name} is not a trained image classifier: its file has no weights for {', '.join(lacking[:FEW])}; "
            "choose a checkpoint that was trained to classify images"
        )
    return model


def _preprocessing(transformers: Any, place: str, name: str, config: Any) -> Preprocessing:
    def load(local: bool) -> Any:
        return transformers.AutoImageProcessor.from_pretrained(place, backend="pil", local_files_only=local)

    try:
        processor = got(load, place, name, KIND)
    except (ModelError, InputError) as error:
        remedy = "say it: preprocessing=gl.models.Preprocessing(…), or --preprocess FILE.json"
        raise InputError(f"a preprocessor_config.json in hf:{name}", "none that can be read", remedy) from error
    preprocessing = preprocessing_from(processor, getattr(config, "num_channels", 3), f"hf:{name}")

    def own(picture: Any) -> Tensor:
        return torch.as_tensor(processor(picture, return_tensors="pt")["pixel_values"])

    check_agreement(preprocessing, own, f"hf:{name}")
    return preprocessing


def _classes(config: Any) -> tuple[str, ...]:
    """The names of the labels in order; () for names that were never given (LABEL_0, LABEL_1 …)."""
    names = {int(index): str(label) for index, label in (getattr(config, "id2label", None) or {}).items()}
    given = any(label != f"LABEL_{index}" for index, label in names.items())
    return tuple(names[i] for i in range(len(names))) if given and set(names) == set(range(len(names))) else ()
