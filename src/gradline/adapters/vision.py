"""Photos: from a file to an attribution in one call."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.models import ImageModel, image_model
from gradline.adapters.photo import centre_crop, read_photo
from gradline.core.baselines import Baseline, Black, Group, as_baseline
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.question import Score
from gradline.question.targets import TargetLike
from gradline.result import Attribution


@dataclass(frozen=True, eq=False)
class ImageCase:
    """A photo in front of a model: everything a question about it needs.

    `x (1, 3, H, W)`: in the model's units. `shown (H, W, 3)`: uint8, what the model sees. `name`: of the photo.
    """

    model: ImageModel
    x: Tensor
    shown: np.ndarray
    name: str

    def baseline(self, wanted: object = None) -> Baseline:
        """A baseline that knows this model's black and white; `Black()` by default."""
        return (Black() if wanted is None else as_baseline(wanted)).within(self.model.pixels)

    def start(self, wanted: object = None) -> Tensor:
        """Where the path from a baseline starts, black by default: `(1, 3, H, W)` in the model's units."""
        rows = torch.zeros(1, dtype=torch.int64, device="cpu")
        return self.baseline(wanted).start(Group(self.x, rows, (self.name,), 0))[:, 0]

    def probabilities(self) -> Tensor:
        """Softmax probabilities of all classes `(classes,)`."""
        with torch.no_grad():
            return torch.softmax(self.model.model(self.x).double(), 1)[0]


def image_case(photo: Any, model: str | ImageModel = "efficientnet-lite0") -> ImageCase:
    """Read a photo (path, PIL image or uint8 array) for a model. Raises `InputError`, `MissingExtra`."""
    chosen = model if isinstance(model, ImageModel) else _cached(model)
    image = centre_crop(read_photo(photo), chosen.resize, chosen.crop)
    shown = np.asarray(image)
    x = (torch.from_numpy(shown.copy()).permute(2, 0, 1).float() - chosen.offset) / chosen.scale
    name = Path(photo).name if isinstance(photo, str | Path) else "photo"
    return ImageCase(chosen, x.unsqueeze(0).contiguous(), shown, name)


def explain_image(
    photo: Any,
    *,
    model: str | ImageModel = "efficientnet-lite0",
    target: TargetLike = None,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution:
    """Explain what a model saw in a photo; the map has shape `(1, 3, H, W)`.

    `photo`: a path, a PIL image or a uint8 array. `baseline`: default black. The rest as in `gradline.attribute`.
    """
    case = image_case(photo, model)
    no_path = isinstance(method, Method) and method.baseline is None and baseline is None
    return attribute(
        Score(case.model.model, target),
        case.x,
        method,
        baseline=None if no_path else case.baseline(baseline),
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        names=[case.name],
        seed=seed,
        memory=memory,
        progress=progress,
    )


@lru_cache(maxsize=2)
def _cached(name: str) -> ImageModel:
    return image_model(name)
