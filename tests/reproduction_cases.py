"""Scripts of reproductions as modules, for their tests."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent / "reproductions"


@contextmanager
def reproduction(name: str) -> Iterator[ModuleType]:
    """A script, which finds what stands beside it, without the data pack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GRADLINE_DATA", raising=False)
        patch.syspath_prepend(ROOT)
        yield importlib.import_module(name)
