"""Attributions whose maps are known, for tests of figures; a pytest plugin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from plot_cases import WEIGHT, linear

import gradline as gl
from gradline.report import OtherBaseline, Photo


@pytest.fixture(scope="module")
def image() -> gl.Attribution:
    return linear(WEIGHT, torch.ones(2, 3, 8, 10))


@pytest.fixture(scope="module")
def row() -> gl.Attribution:
    """Contributions −4, 3, 2, −1, 0.5."""
    return linear(torch.tensor([-4.0, 3.0, 2.0, -1.0, 0.5]).double(), torch.ones(1, 5))


@pytest.fixture(scope="module")
def photographed(image: gl.Attribution) -> gl.Attribution:
    """The same with a photo that knows its stages and another baseline."""
    whole = WEIGHT.sum(0).numpy()
    stages = np.stack([whole * t for t in (0.25, 0.5, 0.75, 1.0)])
    other = OtherBaseline("white", np.full((8, 10, 3), 255, np.uint8), whole[::-1], 0.07, -0.41, 0.02)
    pixels = np.arange(240, dtype=np.uint8).reshape(8, 10, 3)
    photo = Photo("cup.jpg", "small-net", "espresso", pixels, pixels * 0, (("espresso", 0.95),), stages, (other,))
    return replace(image[0], shown=(photo,))
