"""How an example looks: what an adapter knows of x beyond its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gradline.result.attribution import Attribution


class Shown(Protocol):
    """A photo, a sentence, a row of a table: shows the attribution of one example on it."""

    def html(self, a: Attribution) -> str:
        """A fragment for notebooks and pages: no network, nothing beside it."""

    def write(self, a: Attribution, path: Path) -> Path:
        """Write a picture or a page by the suffix of `path`. Raises `StorageError`, `MissingExtra`."""
