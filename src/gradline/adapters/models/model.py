"""An image classifier with what belongs to it: preprocessing and class names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from gradline.adapters.models.preprocessing import Preprocessing
from gradline.core.baselines import PixelSpace
from gradline.errors import InputError


@dataclass(frozen=True)
class Source:
    """The arguments that `image_model` made a model from: enough to make it again."""

    name: str
    weights: str | None = None
    preprocessing: str | Preprocessing | None = None
    classes: str | tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class ImageModel:
    """An image classifier and how a photo becomes its input.

    `model`: maps x `(N, C, H, W)` to scores `(N, classes)`, or to an output that holds them as its `logits`.
    `classes`: their names in order, synonyms separated by commas; empty if nobody knows. `source`: what `image_model`
    made it from, None if it was made by hand.
    """

    name: str
    model: Callable[..., Any]
    preprocessing: Preprocessing
    classes: tuple[str, ...] = ()
    source: Source | None = None

    def __post_init__(self) -> None:
        if not callable(self.model):
            raise InputError("a model that can be called with x (N, C, H, W)", type(self.model).__name__)
        if not isinstance(self.preprocessing, Preprocessing):
            raise InputError("a gradline Preprocessing", repr(self.preprocessing)[:80])
        if not (isinstance(self.classes, tuple) and all(isinstance(name, str) for name in self.classes)):
            raise InputError("classes as a tuple of names", repr(self.classes)[:80])

    @property
    def pixels(self) -> PixelSpace:
        """What the model is given for black and for white."""
        return self.preprocessing.pixels

    @property
    def like(self) -> Tensor:
        """An empty tensor of the dtype and on the device that the model computes in: those of its first weight."""
        if isinstance(self.model, nn.Module):
            for weights in (self.model.parameters(), self.model.buffers()):
                for weight in weights:
                    if weight.is_floating_point():
                        return torch.empty(0, dtype=weight.dtype, device=weight.device)
        return torch.empty(0, dtype=torch.float32, device="cpu")

    def class_name(self, index: int) -> str:
        """The name of a class without its synonyms, "crane (134)" where several have that name; "class 3" if nobody
        knows."""
        if not 0 <= index < len(self.classes):
            return f"class {index}"
        name = self._names[index]
        return name if self._names.count(name) == 1 else f"{name} ({index})"

    @cached_property
    def _names(self) -> list[str]:
        return [name.split(",")[0] for name in self.classes]
