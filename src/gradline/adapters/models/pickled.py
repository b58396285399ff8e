"""A whole model out of a pickle, only if asked for by name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from gradline.adapters.models.factory import modules_here
from gradline.errors import InputError, ModelError


def unpickled(path: Path) -> Any:
    """The object that `torch.save(model, path)` wrote. Unpickling runs code of the file: a warning says so.

    Raises `InputError`, `ModelError`.
    """
    if not path.is_file():
        raise InputError("a pickled model", f"{str(path)!r}, which is not there")
    warnings.warn(
        f"unpickling {path} runs code that the file brings along: only do it with files you trust", UserWarning, 3
    )
    try:
        with modules_here():
            made = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise ModelError(f"unpickling {path} failed: {type(error).__name__}: {error}") from error
    if not callable(made):
        remedy = f"weights go with their network: --model my_net:make --weights {path}"
        raise InputError(f"a model in {path}", type(made).__name__, remedy)
    return made
