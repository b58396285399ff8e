"""A photo in front of a model: what a question about it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.models import ImageModel, image_model, names
from gradline.adapters.photo import read_photo
from gradline.core.baselines import Baseline, Black, Each, Group, Search, as_baseline
from gradline.engine.inquiry import inquire
from gradline.errors import GradlineError, InputError, ModelError, TargetError
from gradline.question import Score
from gradline.question.guard import undisturbed
from gradline.question.targets import TargetLike
from gradline.question.targets.reading import table


@dataclass(frozen=True, eq=False)
class ImageCase:
    """A photo in front of a model: everything a question about it needs.

    `x (1, C, H, W)`: in the model's units, in its dtype and on its device. `shown (H, W, 3)`: uint8, what the model
    sees. `name`: of the photo.
    """

    model: ImageModel
    x: Tensor
    shown: np.ndarray
    name: str

    def baseline(self, wanted: object = None) -> Baseline:
        """A baseline that knows this model's black and white; `Black()` by default."""
        return (Black() if wanted is None else as_baseline(wanted)).within(self.model.pixels)

    def start(self, wanted: object = None, seed: int = 0, target: TargetLike = None) -> Tensor:
        """Where the path from a baseline starts, black by default: `(1, C, H, W)` in the model's units.

        `target`: what is explained, for baselines that are searched for with the model; the search is made anew.
        """
        part = self.baseline(wanted)
        if any(isinstance(p, Search) for p in (part.parts if isinstance(part, Each) else (part,))):
            with inquire(Score(self.model.model, target), self.x, names=[self.name], seed=seed) as inquiry:
                return inquiry.starts(part)[:, 0]
        rows = torch.zeros(1, dtype=torch.int64, device="cpu")
        return part.start(Group(self.x, rows, (self.name,), seed))[:, 0]

    def pixels_of(self, x: Tensor) -> np.ndarray:
        """`x (1, C, H, W)` in the model's units as a picture `(H, W, 3)` of uint8; what is beyond black or white is
        clipped."""
        return self.model.preprocessing.shown(x)

    def probabilities(self) -> Tensor:
        """Softmax probabilities of all classes `(classes,)`, on the CPU; the sigmoid of a single one; NaN where the
        model gives NaN.

        Raises `TargetError` if the model is no classifier, `InputError` if there are more or fewer names than classes,
        `ModelError` if it fails.
        """
        return self._probabilities

    @cached_property
    def _probabilities(self) -> Tensor:
        logits = self._logits()
        names = len(self.model.classes)
        if names and names != len(logits):
            remedy = "give the names in the order of the model's output, or none"
            raise InputError(f"{len(logits)} class names for {self.model.name}, one each output", str(names), remedy)
        return torch.sigmoid(logits) if len(logits) == 1 else torch.softmax(logits, 0)

    def _logits(self) -> Tensor:
        with undisturbed(self.model.model, self.x.device), torch.no_grad():
            try:
                output = self.model.model(self.x.clone())
            except GradlineError:
                raise
            except Exception as error:
                shape = tuple(self.x.shape)
                raise ModelError(f"{self.model.name} failed on x of shape {shape}: {error}") from error
        return table(output, 1)[0].double().cpu()

    def candidates(self, count: int) -> tuple[tuple[str, float], ...]:
        """The most probable classes, without their synonyms, and their probabilities; none if the model is no
        classifier, or gives NaN."""
        try:
            probabilities = self.probabilities()
        except TargetError:
            return ()
        if not probabilities.isfinite().all():
            return ()
        top = probabilities.topk(min(count, len(probabilities)))
        return tuple((self.class_name(int(k)), float(p)) for p, k in zip(*top, strict=True))

    def title(self, target: TargetLike) -> str:
        """What a target means for this photo: the name of a class, else the target in words."""
        match target:
            case None:
                best = self.candidates(1)
                return best[0][0] if best else "predicted class"
            case Integral():
                return self.class_name(int(target))
            case _ if isinstance(index := getattr(target, "index", None), int):
                return self.class_name(index)
            case _:
                return type(target).__name__.lower()

    def class_name(self, index: int) -> str:
        """The name of a class, without its synonyms; "class 3" if nobody knows."""
        return self.model.class_name(index)


def image_case(photo: Any, model: str | ImageModel = "efficientnet-lite0") -> ImageCase:
    """Read a photo (path, PIL image or uint8 array) for a model, by name as in `image_model` or made by hand.

    Raises `InputError`, `MissingExtra`, `ModelError`, `StorageError`.
    """
    if not isinstance(model, str | ImageModel):
        remedy = "say how a photo becomes x: gl.models.ImageModel(name, model, gl.models.Preprocessing(…))"
        raise InputError("a model by name, or a gl.models.ImageModel", type(model).__name__, remedy)
    chosen = model if isinstance(model, ImageModel) else _by_name(model)
    picture = chosen.preprocessing.picture(read_photo(photo))
    x = chosen.preprocessing.units(picture).to(chosen.like)
    name = Path(photo).name if isinstance(photo, str | Path) else "photo"
    return ImageCase(chosen, x, np.asarray(picture.convert("RGB")), name)


def _by_name(name: str) -> ImageModel:
    """What a user may change, a file or a factory, is read each time; a network of a library is kept."""
    kept = name in names() or name.startswith(("torchvision:", "timm:"))
    return _kept(name) if kept else image_model(name)


@lru_cache(maxsize=2)
def _kept(name: str) -> ImageModel:
    return image_model(name)
