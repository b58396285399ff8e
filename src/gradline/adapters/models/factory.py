"""Models of the user's own: `package.module:factory`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch

from gradline.adapters.models.model import ImageModel
from gradline.errors import GradlineError, InputError, ModelError


def is_place(text: str) -> bool:
    """Whether a text reads as `package.module:factory`."""
    module, colon, name = text.partition(":")
    return bool(colon and name) and all(part.isidentifier() for part in [*module.split("."), *name.split(".")])


def from_factory(place: str) -> tuple[Callable[..., Any], Any]:
    """The model, and x or None, that `package.module:factory` gives; modules of the current folder come first.

    The factory is called without arguments and returns a model, `(model, x)`, or an `ImageModel`, of which this is the
    network; a `torch.nn.Module` or an `ImageModel` may stand in its place. Raises `InputError` if there is no such
    thing, `ModelError` if it fails.
    """
    made, x = made_by(place)
    return (made.model if isinstance(made, ImageModel) else made), x


def made_by(place: str) -> tuple[Callable[..., Any] | ImageModel, Any]:
    """The same with an `ImageModel` left whole."""
    made = product(place, ImageModel)
    model, x = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not (callable(model) or isinstance(model, ImageModel)):
        raise InputError(f"a model, (model, x) or a gl.models.ImageModel from {place}", type(model).__name__)
    return model, x


def product(place: str, kind: type) -> Any:
    """What a factory returns; what stands in its place, if that is a module or of that `kind`. Raises as above."""
    if not is_place(place):
        raise InputError("a model as package.module:factory", repr(place))
    found = _found(place)
    if not (callable(found) or isinstance(found, kind)):
        raise InputError(f"{place} as a factory, a function that returns a model", type(found).__name__)
    return found if isinstance(found, torch.nn.Module | kind) else _called(place, found)


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    found: Any = _imported(module)
    for part in name.split("."):
        if not hasattr(found, part):
            public = [n for n in vars(found) if not n.startswith("_") and callable(getattr(found, n))]
            near = get_close_matches(part, public, 3) or public[:8]
            raise InputError(f"a factory in {module}: {', '.join(near) or 'there is none'}", repr(name))
        found = getattr(found, part)
    return found


@contextmanager
def modules_here() -> Iterator[None]:
    """Modules of the current folder are found, and come first."""
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        sys.path[:] = before


def _imported(name: str) -> Any:
    try:
        with modules_here():
            return importlib.import_module(name)
    except GradlineError:
        raise
    except SystemExit as end:
        remedy = "put what is a script under `if __name__ == '__main__':`"
        raise ModelError(f"importing {name} ended the program, with exit code {end.code}; {remedy}") from end
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name is not None
        if missing and (name == error.name or name.startswith(f"{error.name}.")):  # type: ignore[attr-defined]
            remedy = "give it as seen from the current folder, dots for slashes, without .py"
            raise InputError("a Python module", f"{name!r}, which is not there", remedy) from None
        raise ModelError(f"importing {name} failed: {type(error).__name__}: {error}") from error


def _called(place: str, factory: Callable[[], Any]) -> Any:
    try:
        return factory()
    except GradlineError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"the factory {place} failed: {type(error).__name__}: {error}") from error
