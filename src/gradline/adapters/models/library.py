"""Libraries of networks: imported late, and their failures turned into words."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

import torch

from gradline.errors import GradlineError, InputError, MissingExtra, ModelError

T = TypeVar("T")


def library(name: str) -> Any:
    """An optional library. Raises `MissingExtra` if it is not installed, `ModelError` if it does not import."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # a torchvision that was built for another torch fails in many ways
        top = name.partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and error.name == top:
            raise MissingExtra(f"a model of {top}", top) from error
        raise ModelError(
            f"{top} is installed, but does not import beside torch {torch.__version__}: "
            f"{type(error).__name__}: {first_line(error)}; install builds of torch and torchvision that belong together"
        ) from error


def unknown(kind: str, name: str, there: Iterable[str]) -> InputError:
    """The refusal of a name that the library does not have."""
    known = list(there)
    near = get_close_matches(name, known, 5, 0.4)
    return InputError(f"a classifier of {kind}, such as {', '.join(near or known[:5])}", repr(name))


def fetched(what: str, remedy: str, get: Callable[[], T]) -> T:
    """What `get` gives, which may have to download. Raises `ModelError` with the remedy."""
    try:
        return get()
    except GradlineError:
        raise
    except Exception as error:
        raise ModelError(f"cannot get {what}: {type(error).__name__}: {first_line(error)}; {remedy}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 200 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
