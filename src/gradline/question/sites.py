"""The place in the network where the path is driven and the gradient is read."""

from __future__ import annotations

from dataclasses import dataclass


class Site:
    """A place in the network."""


@dataclass(frozen=True)
class Input(Site):
    """The model's input: the attribution has x's shape."""
