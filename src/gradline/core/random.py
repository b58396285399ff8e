"""Random numbers keyed by (seed, example name, part, draw): no global state, no draw shared by two rows."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, name: str, part: str, draw: int = 0) -> torch.Generator:
    """A CPU generator of its own for one example, one part of the method and one draw.

    The same key gives the same numbers whatever the batch, its order or the device.
    """
    key = f"{seed}\x1f{name}\x1f{part}\x1f{draw}".encode()
    return torch.Generator("cpu").manual_seed(int.from_bytes(hashlib.sha256(key).digest()[:8], "big") >> 1)
