"""One result, one `.safetensors` file: tensors, and a JSON header; nothing in it can run code."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.errors import MissingExtra, StorageError
from gradline.result.attribution import Attribution, Curve
from gradline.result.finding import Finding
from gradline.result.structure import Structured, named
from gradline.status import Status

FORMAT = "gradline-attribution-1"
_OPTIONAL = ("baseline_score", "completeness_gap", "error_estimate")
_TENSORS = ("score", "evaluations", "forward_evaluations", *_OPTIONAL)


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it; nothing half written is ever left.

    Raises `StorageError` if the folder is missing or cannot be written.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    os.close(handle)
    try:
        write(Path(temporary))
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def save(a: Attribution, path: str | Path) -> Path:
    """Write an attribution. Raises `StorageError`, `MissingExtra`."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_file
    except ImportError as error:
        raise MissingExtra("saving an attribution", "storage") from error
    path = Path(path)
    if path.suffix != ".safetensors":
        raise StorageError(f"expected a file name that ends in .safetensors, got {path.name!r}")
    tensors = {k: getattr(a, k) for k in _TENSORS if getattr(a, k) is not None}
    tensors |= {f"values/{k}" if k else "values": v for k, v in named(a.values).items()}
    tensors |= {f"parts/{k}": v for k, v in a.parts.items()}
    for i, curve in enumerate(a.curve):
        tensors |= {f"curve/{i}/{k}": torch.from_numpy(np.ascontiguousarray(v)) for k, v in vars(curve).items()}
    header = {
        "structure": _structure(a.values),
        "status": a.status,
        "names": a.names,
        "explained": a.explained,
        "findings": [vars(f) for f in a.findings],
        "details": a.details,
        "provenance": a.provenance,
    }
    try:
        text = json.dumps(header)
    except TypeError as error:
        raise StorageError(f"details or provenance cannot be written as JSON: {error}") from error
    ready = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    try:
        return write_atomically(path, lambda p: save_file(ready, p, metadata={"format": FORMAT, "header": text}))
    except SafetensorError as error:
        raise StorageError(f"cannot write {path}: {error}") from error


def load(path: str | Path) -> Attribution:
    """Read an attribution written by `save`. Raises `StorageError`, `MissingExtra`."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtra("loading an attribution", "storage") from error
    path = Path(path)
    try:
        if not path.is_file():
            raise StorageError(f"no such file: {path}")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise StorageError(f"{path} is not a gradline attribution (format {metadata.get('format')!r})")
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        return _build(tensors, json.loads(metadata["header"]))
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {error}") from error


def _build(tensors: dict[str, Tensor], header: dict[str, Any]) -> Attribution:
    names = ("t", "weight", "score", "gradient_norm")
    count = len(header["status"])
    return Attribution(
        values=_values(tensors, header.get("structure")),
        score=tensors["score"],
        baseline_score=tensors.get("baseline_score"),
        completeness_gap=tensors.get("completeness_gap"),
        error_estimate=tensors.get("error_estimate"),
        evaluations=tensors["evaluations"],
        forward_evaluations=tensors["forward_evaluations"],
        status=tuple(Status(s) for s in header["status"]),
        names=tuple(header["names"]),
        explained=tuple(header["explained"]),
        curve=tuple(Curve(**{k: tensors[f"curve/{i}/{k}"].numpy() for k in names}) for i in range(count)),
        findings=tuple(Finding(**{**f, "examples": tuple(f["examples"])}) for f in header["findings"]),
        parts={k.removeprefix("parts/"): v for k, v in tensors.items() if k.startswith("parts/")},
        details=header["details"],
        provenance=header["provenance"],
    )


def _structure(values: Structured) -> dict[str, Any] | None:
    """How several tensors of values belong together; None for a single one."""
    if isinstance(values, Tensor):
        return None
    keys = list(values) if isinstance(values, dict) else [str(place) for place in range(len(values))]
    return {"kind": "dict" if isinstance(values, dict) else "tuple", "keys": keys}


def _values(tensors: dict[str, Tensor], structure: dict[str, Any] | None) -> Structured:
    if structure is None:
        return tensors["values"]
    if structure["kind"] not in ("dict", "tuple"):
        raise ValueError(f"values in a {structure['kind']!r}")
    whole = {key: tensors.get(f"values/{key}") for key in structure["keys"]}
    return whole if structure["kind"] == "dict" else tuple(whole.values())
