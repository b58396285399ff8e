"""The Python that repeats an explanation, from the values it was made with."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from enum import Enum
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from gradline import methods
from gradline.adapters.models import ImageModel, Source
from gradline.adapters.photo import demo_photo
from gradline.adapters.xray.pictures import FILES, xray_photo
from gradline.core.method import Method
from gradline.errors import GradlineError

WIDTH = 100
"""Longer lines get one argument a line."""

PLACES = {
    "gradline.core.baselines": "gl.baselines",
    "gradline.core.paths": "gl.paths",
    "gradline.core.rules": "gl.rules",
    "gradline.question": "gl",
    "gradline.question.targets": "gl.targets",
    "gradline.question.sites": "gl.sites",
    "gradline.adapters.models": "gl.models",
    "gradline.adapters.text": "gl.text",
    "gradline.adapters.series": "gl.series",
    "gradline.adapters.tabular": "gl.tabular",
}
"""Modules, and what they are called in a recipe."""


class Unwritable(Exception):
    """A value that no short expression makes."""


def python_call(
    photo: Any,
    *,
    model: str | ImageModel = "efficientnet-lite0",
    target: Any = None,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    memory: int | str | None = None,
    seed: int = 0,
) -> str:
    """The call of `explain_image` with these arguments, defaults left out.

    "" where a value cannot be written: a photo or a baseline that is an array, a target that is a function, a model
    that was made by hand.
    """
    try:
        given = {
            "model": model_text(model),
            "target": None if target is None else written(target),
            "method": method_text(method),
            "baseline": None if baseline is None else written(baseline),
            "tol": None if tol is None else written(tol),
            "steps": None if steps is None else written(steps),
            "rule": None if rule is None else written(rule),
            "max_evaluations": None if max_evaluations == 512 else written(max_evaluations),
            "memory": None if memory is None else written(memory),
            "seed": None if seed == 0 else written(seed),
        }
        arguments = [photo_text(photo), *(f"{name}={text}" for name, text in given.items() if text is not None)]
    except Unwritable:
        return ""
    line = f"a = gl.explain_image({', '.join(arguments)})"
    if len(line) > WIDTH:
        line = "a = gl.explain_image(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
    return f"import gradline as gl\n\n{line}"


def written(value: Any) -> str:
    """An expression for a number, a text, a tuple or list of them, or a part of gradline's. Raises `Unwritable`."""
    match value:
        case None | bool() | str():
            return repr(value)
        case Path():
            return repr(str(value))
        case type():
            return _public(value)
        case Enum():
            return f"{_public(type(value))}.{value.name}"
        case Integral():
            return repr(int(value))
        case Real() if abs(float(value)) < float("inf"):
            return repr(float(value))
        case tuple() | list():
            texts = ", ".join(written(entry) for entry in value)
            return f"[{texts}]" if isinstance(value, list) else f"({texts}{',' * (len(value) == 1)})"
        case _ if dataclasses.is_dataclass(value):
            return _part(value)
    raise Unwritable(type(value).__name__)


def _part(part: Any) -> str:
    """A dataclass as the call that makes it; what has its default is left out."""
    name, arguments = _public(type(part)), []
    for number, parameter in enumerate(inspect.signature(type(part)).parameters.values()):
        value = getattr(part, parameter.name)
        default = parameter.default
        if parameter.kind is parameter.VAR_POSITIONAL:
            arguments += [written(entry) for entry in value]
        elif number == 0 and default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY:
            arguments.append(written(value))
        elif type(value) is not type(default) or value != default:
            arguments.append(f"{parameter.name}={written(value)}")
    return f"{name}({', '.join(arguments)})"


def _public(kind: type) -> str:
    """What a class is called from outside. Raises `Unwritable` for one that is not gradline's."""
    for module, place in PLACES.items():
        if getattr(importlib.import_module(module), kind.__name__, None) is kind:
            return f"{place}.{kind.__name__}"
    raise Unwritable(kind.__name__)


def photo_text(photo: Any) -> str:
    """A photo's file as Python. Raises `Unwritable` for an array."""
    if not isinstance(photo, str | Path):
        raise Unwritable("a photo that is no file")
    for finding in FILES:
        if Path(photo) == xray_photo(finding):
            return f"gl.xray_photo({finding!r})"
    try:
        is_demo = Path(photo) == demo_photo()
    except GradlineError:
        is_demo = False
    return "gl.demo_photo()" if is_demo else written(str(photo))


def model_text(model: str | ImageModel) -> str | None:
    """The `model=` of a call, None for the usual one. Raises `Unwritable` for a model that was made by hand."""
    source = Source(model) if isinstance(model, str) else model.source
    if source is None:
        raise Unwritable("a model that was made by hand")
    if source == Source(source.name):
        return None if source.name == "efficientnet-lite0" else written(source.name)
    more: Mapping[str, Any] = {f.name: getattr(source, f.name) for f in dataclasses.fields(source)[1:]}
    said = "".join(f", {name}={written(value)}" for name, value in more.items() if value is not None)
    return f"gl.models.image_model({written(source.name)}{said})"


def method_text(method: Method | None) -> str | None:
    """A method of the catalogue with its defaults; how many stages are kept does not matter."""
    if method is None:
        return None
    if not isinstance(method, Method):
        raise Unwritable(type(method).__name__)
    plain = method.in_stages(0)
    if plain == methods.integrated_gradients():
        return None
    made = getattr(methods, method.name.replace("-", "_"), None)
    try:
        if method.read is None and plain == methods.by_name(method.name):
            return f"gl.methods.{made.__name__}()"  # type: ignore[union-attr]
        if made is not None and plain == made(method.read):
            return f"gl.methods.{made.__name__}({written(method.read)})"
    except (GradlineError, TypeError) as error:
        raise Unwritable(method.name) from error
    raise Unwritable(method.name)
