"""The photos that benchmarks run on: the data pack's if `GRADLINE_DATA` says where it is, else scikit-image's own."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import gradline as gl

FREE = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
"""CC0 and public-domain photos inside scikit-image's wheel."""


def photos(count: int) -> list[Path]:
    """`count` photos, evenly spaced through the pack's 300 ImageNet validation photos; or the free ones."""
    pack = os.environ.get("GRADLINE_DATA")
    if pack is None:
        return [gl.demo_photo().parent / name for name in FREE]
    with (Path(pack) / "imagenet_val.csv").open() as file:
        rows = list(csv.DictReader(file))
    step = len(rows) // count
    return [Path(pack) / "imagenet_val" / rows[i * step]["file"] for i in range(count)]


def labels() -> dict[str, int]:
    """The true class of each of the pack's photos, by file name."""
    with (Path(os.environ["GRADLINE_DATA"]) / "imagenet_val.csv").open() as file:
        return {row["file"]: int(row["class_index"]) for row in csv.DictReader(file)}
