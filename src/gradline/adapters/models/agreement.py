"""Is it the same? Our preprocessing against the model's own, on generated pictures, before anything is explained."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gradline.adapters.models.preprocessing import Channels, Preprocessing
from gradline.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

LEVELS = 2.0
"""Most that a value may differ, in levels of 0…255: libraries round, wrong filters and shifts differ by dozens."""


def check_agreement(preprocessing: Preprocessing, own: Callable[[Image], Tensor], name: str) -> None:
    """Raise `InputError` unless x of a wide and of a tall picture is what the model's `own` pipeline makes of them.

    `own`: from a picture, RGB or grey as the model wants it, to x `(1, C, H, W)`.
    """
    for picture in _pictures(grey=preprocessing.channels == Channels.GREY):
        try:
            theirs = own(picture)
        except Exception as error:
            raise _differs(name, f"its own fails: {type(error).__name__}: {error}") from error
        ours = preprocessing.units(preprocessing.picture(picture))
        if theirs.shape != ours.shape:
            raise _differs(name, f"its own gives {tuple(theirs.shape)}, ours {tuple(ours.shape)}")
        levels = (theirs.double() - ours).abs() * torch.tensor(preprocessing.std).abs().reshape(-1, 1, 1)
        if not float(levels.max()) <= LEVELS:
            raise _differs(name, f"values differ by up to {float(levels.max()):.1f} of 255")


def _pictures(*, grey: bool) -> list[Image]:
    """Noise with a gradient, wide and tall, of odd sides: shifts, filters and sizes all show."""
    from PIL import Image

    numbers = np.random.default_rng(0)
    pictures = []
    for height, width in ((301, 452), (533, 318)):
        slope = np.linspace(0, 128, width)[None, :, None]
        noise = numbers.integers(0, 128, (height, width, 3))
        picture = Image.fromarray((slope + noise).astype(np.uint8))
        pictures.append(picture.convert("L") if grey else picture)
    return pictures


def _differs(name: str, how: str) -> InputError:
    remedy = "say it yourself: preprocessing=gl.models.Preprocessing(…), or --preprocess FILE.json"
    return InputError(f"a preprocessing of {name} that gradline can repeat", how, remedy)
