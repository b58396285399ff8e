"""Names of a package that are loaded when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def names_of(homes: Mapping[str, str]) -> dict[str, str]:
    """Where each name lives, from `{"package.module": "NameOne name_two"}`."""
    return {name: home for home, names in homes.items() for name in names.split()}


def loader(package: str, where: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__`, which finds a name in the module that `where` tells, once.

    A module that ends in the name is meant itself: `{"rules": "gradline.core.rules"}`. Type checkers must not see it:
    they would take any name for granted, and read the imports under `if TYPE_CHECKING` instead.
    """

    def find(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = importlib.import_module(where[name])
        value = home if where[name].endswith(f".{name}") else getattr(home, name)
        setattr(sys.modules[package], name, value)
        return value

    return find
