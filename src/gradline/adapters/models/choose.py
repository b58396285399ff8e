"""From what is written after `--model` to a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gradline.adapters.models.built_in import built_in
from gradline.adapters.models.description import Description, known_classes, preprocessing_of
from gradline.adapters.models.exported import load_exported
from gradline.adapters.models.factory import is_place, made_by
from gradline.adapters.models.hugging_face import from_hugging_face
from gradline.adapters.models.known import BUILT_IN, KINDS, PREFIXES, names
from gradline.adapters.models.model import ImageModel, Source
from gradline.adapters.models.pickled import unpickled
from gradline.adapters.models.preprocessing import PREPROCESSINGS, Preprocessing
from gradline.adapters.models.timm import from_timm
from gradline.adapters.models.torchvision import from_torchvision
from gradline.adapters.models.weights import PICKLED, SAFE, with_weights
from gradline.errors import InputError

LIBRARIES: dict[str, Callable[[str], ImageModel]] = {"torchvision": from_torchvision, "timm": from_timm}


@dataclass(frozen=True, eq=False)
class AnyModel:
    """A model that was found by name: with `image`, if it is known how a photo becomes its input; `x`, if its factory
    gave one."""

    model: Callable[..., Any]
    x: Any = None
    image: ImageModel | None = None


def image_model(
    name: str,
    *,
    weights: str | Path | None = None,
    preprocessing: str | Path | Preprocessing | None = None,
    classes: str | Path | Sequence[str] | None = None,
) -> ImageModel:
    """An image classifier by name: one of `names()`, or written as in `KINDS`.

    `weights`: a file for the network of a factory. `preprocessing`: how a photo becomes x, where the model does not say
    or to overrule it: a name of `PREPROCESSINGS`, a `.json` file, or a `Preprocessing`. `classes`: their names in
    order, "imagenet", or a text file with one a line. A model of a library comes in evaluation mode, one of yours as
    it is.

    Raises `InputError` with the nearest names, `MissingExtra`, `ModelError`, `StorageError`.
    """
    said = None if preprocessing is None else preprocessing_of(preprocessing)
    found = any_model(name, weights=weights, preprocessing=said)
    image = found.image
    if image is None:
        if said is None:
            raise _preprocessing_missing(name)
        image = ImageModel(name, found.model, said.preprocessing, said.classes)
    elif said is not None:
        image = replace(image, preprocessing=said.preprocessing, classes=said.classes or image.classes)
    if classes is not None:
        image = replace(image, classes=known_classes(classes))
    return replace(image, source=_source(name, weights, preprocessing, classes))


def any_model(name: str, *, weights: str | Path | None = None, preprocessing: Description | None = None) -> AnyModel:
    """A model by name, for photos or not; `x` and `image` where they are known. Raises as `image_model` does."""
    kind, _, rest = name.partition(":")
    if weights is not None and not is_place(name):
        raise InputError("weights= only with package.module:factory, whose network they are for", repr(name))
    if name in BUILT_IN:
        return _of_image(built_in(name))
    if kind in LIBRARIES and rest:
        return _of_image(LIBRARIES[kind](rest))
    if kind == "hf" and rest:
        return _of_image(from_hugging_face(rest, None if preprocessing is None else preprocessing.preprocessing))
    if kind == "pickle" and rest:
        return _made(name, unpickled(Path(rest)), None)
    if name.endswith(".pt2"):
        module, description = load_exported(Path(name))
        if description is None:
            return AnyModel(module)
        return _of_image(ImageModel(name, module, description.preprocessing, description.classes))
    if is_place(name) and not kind.endswith(".py") and not (_misspelt(kind) and find_spec(kind) is None):
        made, x = made_by(name)
        return _made(name, made, x, weights)
    raise _unknown(name)


def _made(name: str, made: Any, x: Any, weights: str | Path | None = None) -> AnyModel:
    """Of a factory or a pickle, which give a model or an `ImageModel`."""
    image = made if isinstance(made, ImageModel) else None
    model = made if image is None else image.model
    if weights is not None:
        with_weights(model, weights)
    return AnyModel(model, x, None if image is None else replace(image, name=name))


def _of_image(image: ImageModel) -> AnyModel:
    return AnyModel(image.model, None, image)


def _source(name: str, weights: Any, preprocessing: Any, classes: Any) -> Source:
    return Source(
        name,
        None if weights is None else str(weights),
        preprocessing if preprocessing is None or isinstance(preprocessing, Preprocessing) else str(preprocessing),
        classes if classes is None else str(classes) if isinstance(classes, str | Path) else tuple(classes),
    )


def _preprocessing_missing(name: str) -> InputError:
    return InputError(
        f"how a photo becomes the input of {name}",
        "nothing that says so",
        f"say it: preprocessing= (--preprocess) {', '.join(PREPROCESSINGS)}, a .json file, a gl.models.Preprocessing; "
        "or let a factory return a gl.models.ImageModel",
    )


def _unknown(name: str) -> InputError:
    there = f"a model: {', '.join(names())}, {', '.join(KINDS)}"
    kind, colon, rest = name.partition(":")
    suffix = Path(name).suffix
    if suffix in (*SAFE, *PICKLED):
        remedy = f"these are weights, give their network too: --model my_net:make --weights {name}"
        return InputError(
            there, repr(name), remedy + (f"; a pickled model: pickle:{name}" if suffix in PICKLED else "")
        )
    if ".py" in name:  # a file of Python, with or without what is in it
        module = ".".join(Path(kind).with_suffix("").parts)
        return InputError(there, repr(name), f"did you mean {module}:{rest or 'make'}, a function that returns it?")
    near = [f"{form}{rest or 'NAME'}" for form in _misspelt(kind)] if colon else get_close_matches(name, names(), 3)
    if near:
        return InputError(there, repr(name), f"did you mean {' or '.join(near)}?")
    remedy = f"a network of a library takes its prefix, as in torchvision:{name}" if name.isidentifier() else ""
    return InputError(there, repr(name), remedy)


def _misspelt(kind: str) -> list[str]:
    """The prefix of a library that a text before a colon comes near to."""
    return get_close_matches(f"{kind.casefold()}:", PREFIXES, 1, 0.75)
