"""Fixtures of the command line's tests: a folder with a small network and a photo in it; a pytest plugin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import gradline as gl

TINY = '''
import torch
from torch import nn

from gradline import models


def make():
    """A network of three classes for photos of 24 × 24; with few steps its maps miss part of the sum."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 7 * 7, 16), nn.ReLU()]
    with torch.no_grad():
        net = nn.Sequential(*layers, nn.Linear(16, 3)).eval()
        net[0].weight.mul_(8)
        net[0].bias.fill_(-0.4)
    plain = models.Preprocessing(resize=24, crop=24, mean=(0.0,) * 3, std=(255.0,) * 3)
    return models.ImageModel("tiny", net, plain, ("tabby cat", "lynx", "teapot, pot"))
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a small network in it, of a module of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(TINY)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sys.modules.pop("tiny", None)
    yield tmp_path
    sys.modules.pop("tiny", None)


@pytest.fixture
def photo(here: Path) -> str:
    """A photo whose name has spaces in it."""
    with Image.open(gl.demo_photo()) as image:
        image.resize((300, 200)).save(here / "cup of coffee.jpg")
    return "cup of coffee.jpg"
