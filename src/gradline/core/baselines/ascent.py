"""The ascent of a value, all rows of a group side by side: Adam, or plain steps along the gradient."""

from __future__ import annotations

import math
from enum import StrEnum

import torch
from torch import Tensor

from gradline.core.flow import Reading

FAINT = 1e-4
"""Adam's epsilon, as a share of a row's gradient (root mean square): features far below it, which may be of rounding
alone, do not move as fast as the others."""

Box = tuple[Tensor, Tensor]


class Ended(StrEnum):
    """Why a row goes no further."""

    MET = "met"
    SPENT = "steps spent"
    STILL = "no way up"
    NONFINITE = "not finite"


class Ascent:
    """R rows that climb from `start (R, *F)`, at least float32, in `steps` at most.

    `rate`: length of the first step, in units of the points; those after it shorten with half a cosine, to nothing.
    `momenta`: decay of Adam's running means of the gradient and of its square (Kingma and Ba, ICLR 2015); None: steps
    of rate · gradient. `box`: least and largest value of every feature, broadcastable. `precision`: dtype in which
    points reach the model.

    `live`: the rows still climbing, int64 on the CPU. `best (R, *F)`: the points of the largest values seen, `top (R,)`
    these, −∞ where none was finite. `ended`: why each row stopped.
    """

    def __init__(
        self,
        start: Tensor,
        steps: int,
        *,
        rate: float,
        momenta: tuple[float, float] | None,
        box: Box | None,
        precision: torch.dtype,
    ) -> None:
        self.steps, self.rate, self.momenta = steps, rate, momenta
        self.box, self.precision = box, precision
        self.at = self._inside(start.clone())
        self.best = self._rounded(self.at).clone()
        self.top = torch.full((len(start),), -torch.inf, dtype=torch.float64, device="cpu")
        self.live = torch.arange(len(start), device="cpu")
        self.ended = [Ended.SPENT] * len(start)
        self.taken = 0
        if momenta is not None:
            self.mean, self.square = torch.zeros_like(self.at), torch.zeros_like(self.at)

    def points(self) -> Tensor:
        """Where the live rows are, as the model is given them."""
        return self._rounded(self.at[self.live.to(self.at.device)])

    def stop(self, which: Tensor, why: Ended) -> None:
        """Stop live rows, `which (L,)` of them."""
        for row in self.live[which].tolist():
            self.ended[row] = why
        self.live = self.live[~which]

    def learn(self, reading: Reading, met: Tensor) -> None:
        """Take values and gradients at the points of the live rows: keep the best, and move them. Those that have `met`
        what is sought are at their best, and stop; so do those that would go nowhere, or to what is not finite."""
        assert reading.grad is not None
        rows, value = self.live, reading.value
        lost = ~torch.isfinite(value)
        better = met | ~lost & (value > self.top[rows])
        self.top[rows] = torch.where(better, value, self.top[rows])
        at, on = rows.to(self.at.device), rows[better].to(self.at.device)
        self.best[on] = self._rounded(self.at[on])
        moved = self._inside(self.at[at] + self._step(at, reading.grad.to(self.at)))
        still = (moved == self.at[at]).flatten(1).all(1).cpu()
        lost |= ~torch.isfinite(moved).flatten(1).all(1).cpu()
        self.at[at] = moved
        self.stop(met, Ended.MET)
        self.stop(lost[~met], Ended.NONFINITE)
        self.stop(still[~met & ~lost], Ended.STILL)

    def _step(self, rows: Tensor, grad: Tensor) -> Tensor:
        rate = self.rate * 0.5 * (1 + math.cos(math.pi * self.taken / self.steps))
        self.taken += 1
        if self.momenta is None:
            return rate * grad
        slow, slower = self.momenta
        self.mean[rows] = mean = slow * self.mean[rows] + (1 - slow) * grad
        self.square[rows] = square = slower * self.square[rows] + (1 - slower) * grad**2
        size = (square / (1 - slower**self.taken)).sqrt()
        size = size + FAINT * size.flatten(1).square().mean(1).sqrt().reshape(-1, *[1] * (size.ndim - 1))
        return rate / (1 - slow**self.taken) * mean / torch.where(size == 0, 1.0, size)

    def _inside(self, points: Tensor) -> Tensor:
        return points if self.box is None else points.clamp(*self.box)

    def _rounded(self, points: Tensor) -> Tensor:
        return points.to(self.precision).to(points.dtype)
