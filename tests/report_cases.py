"""Attributions of photos from plain arrays, for tests of what shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

import gradline as gl
from gradline.report import OtherBaseline, Photo

METHOD = "Method(name='integrated-gradients', path=Straight(), baseline=Black())"


def attribution(pixels: np.ndarray, **changed: Any) -> gl.Attribution:
    """One example with contributions `(H, W)`, all of them in the first channel, and a path of four nodes."""
    values = torch.zeros(1, 3, *pixels.shape, dtype=torch.float64)
    values[0, 0] = torch.from_numpy(np.asarray(pixels, dtype=np.float64))
    t = np.array([0.125, 0.375, 0.625, 0.875])
    one = torch.ones(1, dtype=torch.float64)
    a = gl.Attribution(
        values=values,
        score=8 * one,
        baseline_score=0 * one,
        completeness_gap=0.1 * one,
        error_estimate=0.037 * one,
        evaluations=torch.tensor([4]),
        forward_evaluations=torch.tensor([0]),
        status=(gl.Status.CONVERGED,),
        names=("cup.png",),
        explained=("logit of class 967",),
        curve=(gl.Curve(t, np.full(4, 0.25), 8 * t**2, 10 - 4 * t),),
        provenance={
            "method_name": "integrated-gradients",
            "method": METHOD,
            "unit": "score",
            "tol": 0.05,
            "seconds": 1.5,
            "site": "input",
        },
    )
    return replace(a, **changed)


def photo(height: int = 24, width: int = 24, **changed: Any) -> Photo:
    """A photo with a smooth gradient of colour."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], 2).round().astype(np.uint8)
    made = Photo(
        name="cup.png",
        model="efficientnet-lite0",
        title="espresso",
        pixels=pixels,
        start=np.zeros_like(pixels),
        baseline="black",
        candidates=(("espresso", 0.95), ("cup", 0.02)),
        command="gradline explain cup.png --target espresso",
        python='import gradline as gl\n\na = gl.explain_image("cup.png", target=967)',
    )
    return replace(made, **changed)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A map with heavy tails, as those of real networks."""
    return np.random.default_rng(seed).laplace(size=(height, width)) ** 3


def stages(pixels: np.ndarray, count: int = 16) -> np.ndarray:
    """Partial maps `(K, H, W)` that grow evenly: A(t) = t A."""
    return (np.arange(1, count + 1) / count)[:, None, None].astype(np.float32) * pixels.astype(np.float32)


def other(name: str, pixels: np.ndarray, shape: tuple[int, int], **changed: Any) -> OtherBaseline:
    """A map from another baseline."""
    start = np.full((*shape, 3), 200, np.uint8)
    return replace(OtherBaseline(name, start, pixels.astype(np.float32), 0.07, 0.4, 0.6), **changed)


def full(height: int = 24, width: int = 24, **changed: Any) -> tuple[gl.Attribution, Photo]:
    """A map, with stages and two other baselines in blocks of two pixels."""
    pixels = noise(height, width)
    coarse = pixels.reshape(height // 2, 2, width // 2, 2).sum((1, 3))
    others = (other("white", -coarse, (height, width)), other("blur", coarse * 0.1, (height, width), agreement=0.9))
    return attribution(pixels, **changed), photo(height, width, stages=stages(coarse), baselines=others)
