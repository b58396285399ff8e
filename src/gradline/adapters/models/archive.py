"""What an exported program's file unpickles, looked at before PyTorch reads it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch

from gradline.errors import InputError, StorageError

TENSORS = ("data/weights/", "data/constants/", "data/sample_inputs/")
"""Folders of an archive whose entries may be pickles of tensors."""

CODE = ("data/aotinductor/", "data/constants/opaque_obj_", "data/constants/custom_obj_")
"""Entries that are compiled code, or objects that only unpickling brings back."""


def check_archive(path: Path) -> None:
    """Raise `InputError` if `torch.export.load` would unpickle anything but tensors, `StorageError` if it is no
    archive of an exported program.

    PyTorch reads some entries with `weights_only=False`, so that a prepared file could run code.
    """
    try:
        reader = torch._C.PyTorchFileReader(str(path))
        names = list(reader.get_all_records())
        if "archive_format" not in names or reader.get_record("archive_format") != b"pt2":
            raise StorageError(f"{path} is not an exported program: write it with torch.export.save")
        strange = [name for name in names if name.startswith(CODE)]
        pickles = [name for name in names if _is_pickle(name, reader)]
        for name in pickles:
            if not _holds_tensors(reader.get_record(name)):
                strange.append(name)
    except RuntimeError as error:
        reason = str(error).split(". ")[0].splitlines()[0]
        raise StorageError(f"{path} is damaged, or no exported program: {reason}") from error
    if strange:
        remedy = "export the network again without custom objects, or call torch.export.load yourself if you trust it"
        raise InputError(f"nothing but tensors and a graph in {path}", ", ".join(strange[:3]), remedy)


def _is_pickle(name: str, reader: Any) -> bool:
    if not name.startswith(TENSORS) or name.endswith(".json"):
        return False
    folder, _, entry = name.rpartition("/")
    if name.startswith("data/sample_inputs/") or name.endswith(".pt"):
        return True
    configs = [n for n in reader.get_all_records() if n.startswith(f"{folder}/") and n.endswith("_config.json")]
    entries = [e for n in configs for e in json.loads(reader.get_record(n))["config"].values()]
    return any(e["path_name"] == entry and e["use_pickle"] for e in entries)


def _holds_tensors(content: bytes) -> bool:
    if not content:
        return True
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:
        return False
    return True
