"""Linear scores for tests of figures, and what is drawn and written on one."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

import gradline as gl

WEIGHT = torch.linspace(-1, 0.9, 3 * 8 * 10, dtype=torch.float64).reshape(3, 8, 10)


def linear(weight: torch.Tensor, x: torch.Tensor, **options: object) -> gl.Attribution:
    """Of a linear score, whose map is weight · x whatever the path."""
    score = gl.Score(lambda x: (x * weight).flatten(1).sum(1))
    return gl.attribute(score, x.double(), **options)


def texts(figure: Figure) -> str:
    """Everything that is written on a figure, in reading order of making."""
    every = [t.get_text() for t in figure.texts]
    for axes in figure.axes:
        every += [axes.get_ylabel(), *(t.get_text() for t in axes.texts)]
    return "\n".join(every)


def drawn(figure: Figure, place: int = 0) -> np.ndarray:
    """The picture in one of the axes."""
    return np.asarray(figure.axes[place].images[0].get_array())
