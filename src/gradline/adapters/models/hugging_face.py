"""`hf:NAME`: image classifiers of the Hugging Face hub, or of a local folder, by transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradline.adapters.models.agreement import check_agreement
from gradline.adapters.models.library import first_line
from gradline.adapters.models.model import ImageModel
from gradline.adapters.models.preprocessing import Preprocessing
from gradline.adapters.models.processor import preprocessing_from
from gradline.errors import InputError, MissingExtra, ModelError

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
    place = _place(name)
    with _quiet(transformers):
        model = _model(transformers, place, name)
        if preprocessing is None:
            preprocessing = _preprocessing(transformers, place, name, model.config)
    return ImageModel(f"hf:{name}", model.eval(), preprocessing, _classes(model.config))


def _place(name: str) -> str:
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError("a folder written by save_pretrained", f"{name!r}, without a config.json")
        return str(path)
    if not name or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError("a repository as hf:owner/name, or a folder as hf:./folder", f"{name!r}, which is not there")
    return name


def _model(transformers: Any, place: str, name: str) -> Any:
    auto = transformers.AutoModelForImageClassification

    def load(local: bool) -> Any:
        return auto.from_pretrained(place, local_files_only=local, output_loading_info=True, dtype=torch.float32)

    model, info = _got(load, place, name)
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
        processor = _got(load, place, name)
    except (ModelError, InputError) as error:
        remedy = "say it: preprocessing=gl.models.Preprocessing(…), or --preprocess FILE.json"
        raise InputError(f"a preprocessor_config.json in hf:{name}", "none that can be read", remedy) from error
    preprocessing = preprocessing_from(processor, getattr(config, "num_channels", 3), f"hf:{name}")

    def own(picture: Any) -> Tensor:
        return torch.as_tensor(processor(picture, return_tensors="pt")["pixel_values"])

    check_agreement(preprocessing, own, f"hf:{name}")
    return preprocessing


def _got(load: Callable[[bool], Any], place: str, name: str) -> Any:
    """What `load(local)` gives: from this machine if it is all there, else from the hub."""
    local = Path(place).is_dir()
    try:
        try:
            return load(True)
        except OSError:
            if local:
                raise
            return load(False)
    except OSError as error:
        if local:
            raise InputError(f"a model in the folder {name}", first_line(error)) from error
        raise ModelError(
            f"cannot get hf:{name}: {first_line(error)} Is the name right? Without a network, download it beforehand "
            f"(hf download {name} --local-dir my-model) and give hf:./my-model"
        ) from error
    except Exception as error:
        raise InputError(f"an image classifier that transformers can load as hf:{name}", first_line(error)) from error


def _classes(config: Any) -> tuple[str, ...]:
    """The names of the labels in order; () for names that were never given (LABEL_0, LABEL_1 …)."""
    names = {int(index): str(label) for index, label in (getattr(config, "id2label", None) or {}).items()}
    given = any(label != f"LABEL_{index}" for index, label in names.items())
    return tuple(names[i] for i in range(len(names))) if given and set(names) == set(range(len(names))) else ()


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the progress bar of weights that are on this machine already."""
    logging = transformers.utils.logging
    before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            logging.enable_progress_bar()
