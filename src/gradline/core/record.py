"""What was read on a group of paths, and what the error bar needs to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gradline.core.chance import confidence
from gradline.core.flow import Frame, Need, Probe, Reading, Step, Trace
from gradline.core.node_algebra import Array
from gradline.core.seen import Seen
from gradline.core.store import AT_ONCE, HALF_ROUNDING, SLAB, GradientStore
from gradline.errors import MemoryBudgetError

if TYPE_CHECKING:
    from gradline.core.paths.base import Curve


class Record:
    """The R = examples × draws paths still going, all with equally many nodes, and what was read on them."""

    def __init__(self, frame: Frame, curve: Curve) -> None:
        self.curve, self.room, self.frame = curve, frame.room, frame
        self.start = frame.start.flatten(0, 1)
        self.end = frame.end.repeat_interleave(frame.draws, 0)
        self.example = np.repeat(np.arange(frame.examples), frame.draws)
        self.draws = frame.draws
        self.ends = np.column_stack([frame.start_score.reshape(-1), np.repeat(frame.end_score, frame.draws)])
        self.store = GradientStore(frame.room, paired=frame.need is Need.PUSH)
        rows = len(self.example)
        self.t = self.value = self.total = self.norm = self.variation = self.noise = self.doubt = np.empty((rows, 0))
        self.gram = np.empty((rows, 0, 0))
        self.shares: Array | None = None  # of the slope, where regions of x are asked for: (R, n, M)
        self.workspace = 0
        self.dtype = str(frame.precision).removeprefix("torch.")
        self.eps = float(torch.finfo(frame.precision).eps)

    @property
    def rows(self) -> int:
        return len(self.example)

    @property
    def nodes(self) -> int:
        return self.t.shape[1]

    @property
    def alive(self) -> list[int]:
        return [int(e) for e in dict.fromkeys(self.example)]

    def rows_of(self, example: int) -> np.ndarray:
        return np.flatnonzero(self.example == example)

    # ------------------------------------------------------------------------------------------------ ask and learn

    def probe(self, t: Array) -> Probe:
        at = torch.from_numpy(t)
        points = self.curve.point(self.start, self.end, at)
        move = self.curve.move(self.start, self.end, at).expand(points.shape)
        owner = torch.from_numpy(np.repeat(self.example, t.shape[1]))
        return self.frame.probe(points.flatten(0, 1), owner, move.flatten(0, 1))

    def learn(self, t: Array, reading: Reading) -> bool:
        """Take a round's readings in; False if there was no memory to keep them (the older ones stay)."""
        assert reading.grad is not None
        rows, k = t.shape
        grads = reading.grad.reshape(rows, k, *reading.grad.shape[1:])
        if reading.pushed is not None:  # kept side by side: the gradient, and how the path moves where it was read
            grads = torch.stack([grads, reading.pushed.reshape(grads.shape)], 2)
        if not (self._reserve(grads) and self.store.append(grads)):
            if self.nodes == 0:
                size = grads.element_size() * grads.numel()
                raise MemoryBudgetError(
                    f"the first {k} gradients of a path need {size / 2**20:.0f} MiB beside the model's own memory; "
                    "raise memory=, or use steps=, which keeps no gradients"
                )
            return False
        self._extend_gram(t, grads, reading)
        self.t = np.hstack([self.t, t])
        self.value = np.hstack([self.value, reading.value.reshape(rows, k).numpy()])
        size = reading.grad.flatten(1).norm(dim=1).reshape(rows, k)
        self.norm = np.hstack([self.norm, size.cpu().double().numpy()])
        self.noise = np.hstack([self.noise, self._noise(t, reading)])
        doubt = np.zeros_like(t) if reading.noise is None else reading.noise[:, 1].reshape(t.shape).numpy()
        self.doubt = np.hstack([self.doubt, doubt])
        if reading.shares is not None:
            shares = reading.shares.reshape(rows, k, -1).numpy()
            self.shares = shares if self.shares is None else np.hstack([self.shares, shares])
        self._measure_neighbours(k)
        return True

    def _reserve(self, grads: Tensor) -> bool:
        """Book the float64 copies that inner products are taken of, once: two slabs of them."""
        if self.nodes or self.workspace:
            return True
        self.workspace = 2 * SLAB * 8 * grads[:, 0].numel()
        return self.room.keep(self.workspace)

    def _noise(self, t: Array, reading: Reading) -> Array:
        """Standard error of node maps whose gradients are sampled, L2: `(R, m)`."""
        if reading.noise is None:
            return np.zeros_like(t)
        move = self.curve.move(self.start, self.end, torch.from_numpy(t)).expand(-1, t.shape[1], *self.start.shape[1:])
        unit = torch.ones_like(move)
        size = self.frame.node_map(unit, move).flatten(2).norm(dim=2).cpu().double().numpy()
        return np.asarray(reading.noise[:, 0].reshape(t.shape).numpy() * size)

    def _node_maps(self, kept: Tensor, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        """What nodes at `t (R, m)` contribute, from what is kept of them `(R, m, …)`: `(R, m, *G)`."""
        grads, move = self._parted(kept, start, end, t)
        return self.frame.node_map(grads, move).expand(grads.shape)

    def _parted(self, kept: Tensor, start: Tensor, end: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients, and how the path moves where they were read."""
        if self.frame.need is Need.PUSH:
            return kept[:, :, 0], kept[:, :, 1]
        return kept, self.curve.move(start, end, t).to(kept)

    def _maps(self, grads: Tensor, t: Array) -> Tensor:
        """Node maps, flat, in float64 where the device has it: `(R, m, D)`."""
        wide = torch.float32 if grads.device.type == "mps" else torch.float64
        return self._node_maps(grads.to(wide), self.start, self.end, torch.from_numpy(t)).flatten(2)

    def _slopes(self, grads: Tensor, t: Array, reading: Reading, maps: Tensor) -> Array:
        """dF/dt at the nodes: the sum of g ⊙ γ'(t)."""
        if reading.slope is not None:
            return np.asarray(reading.slope.reshape(t.shape).numpy())
        if self.frame.node_map is not torch.mul:
            grad, move = self._parted(grads.to(maps), self.start, self.end, torch.from_numpy(t))
            maps = (grad * move).flatten(2)
        return np.asarray(maps.sum(2).cpu().double().numpy())

    def _extend_gram(self, t: Array, grads: Tensor, reading: Reading) -> None:
        n, k = self.nodes, t.shape[1]
        new = self._maps(grads, t)
        wider = np.empty((self.rows, n + k, n + k))
        wider[:, :n, :n] = self.gram
        wider[:, n:, n:] = (new @ new.mT).cpu().double().numpy()
        for first in range(0, n, SLAB):
            last = min(n, first + SLAB)
            kept = self.store.slab(first // SLAB)[:, : last - first]
            old = self._maps(kept, self.t[:, first:last])
            wider[:, n:, first:last] = (new @ old.mT).cpu().double().numpy()
        wider[:, :n, n:] = wider[:, n:, :n].swapaxes(1, 2)
        self.gram = wider
        self.total = np.hstack([self.total, self._slopes(grads, t, reading, new)])

    def _measure_neighbours(self, k: int) -> None:
        """L1 norm of the difference between every node's map and its right neighbour's, by order of arrival."""
        order = np.argsort(self.t, axis=1)
        place = np.argsort(order, axis=1)[:, -k:]
        self.variation = np.hstack([self.variation, np.zeros((self.rows, k))])
        pairs = np.zeros((self.rows, self.nodes + 1), dtype=bool)  # a new node and the one before, the one behind it
        np.put_along_axis(pairs, place, True, 1)
        np.put_along_axis(pairs, place + 1, True, 1)
        rows, at = np.nonzero(pairs[:, 1:-1])
        left, right = order[rows, at], order[rows, at + 1]
        size = max(self.rows, AT_ONCE // max(1, self.start[0].numel()))
        for first in range(0, len(rows), size):
            part = slice(first, first + size)
            self.variation[rows[part], left[part]] = self._difference(rows[part], left[part], right[part])

    def _difference(self, rows: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        change = self._map_at(rows, right) - self._map_at(rows, left)
        return np.asarray(change.flatten(1).abs().sum(1).cpu().double().numpy())

    def _map_at(self, rows: np.ndarray, node: np.ndarray) -> Tensor:
        """The map of one node of each of these rows: `(r, *G)`."""
        start, end = self._at(self.start, rows), self._at(self.end, rows)
        t = torch.from_numpy(self.t[rows, node][:, None])
        return self._node_maps(self.store.get(rows, node).unsqueeze(1), start, end, t)[:, 0]

    # ------------------------------------------------------------------------------------------------ judge

    def edges(self) -> Array:
        one = np.ones((self.rows, 1))
        return np.hstack([0 * one, np.sort(self.t, axis=1), one])

    def narrow(self) -> npt.NDArray[np.bool_]:
        """Cells whose ends are one point or neighbours in this precision: `(R, n+1)`."""
        edges = self.edges()
        width = np.diff(edges)
        if self.eps < 1e-5:
            return np.asarray(width < 4 * self.eps)
        start = self.start.flatten(1).double().cpu().numpy()
        move = self.end.flatten(1).double().cpu().numpy() - start
        middle = (edges[:, 1:] + edges[:, :-1]) / 2
        a, b, c = ((p * q).sum(1)[:, None] for p, q in ((start, start), (start, move), (move, move)))
        size = np.sqrt(np.maximum(a + 2 * b * middle + c * middle**2, 0.0))
        return np.asarray(width * np.sqrt(c) < self.eps * size)

    def seen(self) -> Seen:
        """What is known, ascending in t. A path with a reading that is not finite is shown as flat."""
        order = np.argsort(self.t, axis=1)
        gram = np.take_along_axis(np.take_along_axis(self.gram, order[:, :, None], 1), order[:, None, :], 2)
        variation = np.take_along_axis(self.variation, order, 1)[:, :-1]
        arrays = [gram, self._sorted(self.value), self._sorted(self.total), variation]
        sound = np.all([np.isfinite(a.reshape(self.rows, -1)).all(1) for a in [*arrays, self.ends]], axis=0)
        gram, value, total, variation = (np.where(sound.reshape(-1, *[1] * (a.ndim - 1)), a, 0.0) for a in arrays)
        ends = np.where(sound[:, None], self.ends, 0.0)
        chance = self._sorted(self.noise), self._sorted(self.doubt)
        floor = self.eps if self.frame.rounded else 0.0
        return Seen(self._sorted(self.t), gram, value, total, variation, ends, self.eps, *chance, floor)

    def chance(self, weight: Array) -> Array:
        """Variance that chance in each node's gradient makes in the map, L2: `(R, n)`."""
        return np.asarray(weight**2 * self._sorted(self.noise) ** 2)

    def confidence(self) -> Array:
        """By what factor chance in the maps is below its 99th percentile: `(R,)`."""
        if not self.noise.any():
            return np.ones(self.rows)
        move = self.frame.node_map(torch.ones_like(self.start), self.end - self.start)
        return confidence(move.flatten(1).cpu().double().numpy())

    def rounding(self, weight: Array) -> Array:
        """What half-precision storage may have changed in the map: `(R,)`."""
        if not self.store.is_half:
            return np.zeros(self.rows)
        size = np.sqrt(np.einsum("rii->ri", self.gram)) * (2 if self.frame.need is Need.PUSH else 1)
        return np.asarray(HALF_ROUNDING * (np.abs(weight) * self._sorted(size)).sum(1))

    def is_finite(self, rows: np.ndarray) -> bool:
        """No score and no gradient on these paths is NaN or infinite."""
        return all(bool(np.isfinite(a[rows]).all()) for a in (self.value, self.norm, self.ends))

    def is_flat(self, row: int) -> bool:
        """Every node map on this path is zero, and the path leads nowhere or the score is the same everywhere."""
        values = np.concatenate([self.value[row], self.ends[row]])
        still = np.ptp(values) <= 64 * self.eps * np.abs(values).max() or torch.equal(self.start[row], self.end[row])
        return not self.gram[row].any() and bool(still)

    def mean_norm(self, rows: np.ndarray, weight: Array) -> float:
        """L2 norm of the mean of the maps of these rows."""
        order = np.argsort(self.t[rows], axis=1)
        mean = torch.zeros((), dtype=self.start.dtype, device=self.start.device)
        for place in range(self.nodes):
            share = torch.from_numpy(weight[rows, place] / len(rows)).to(mean)
            mean = mean + torch.einsum("r,r...->...", share, self._map_at(rows, order[:, place]))
        return float(mean.norm())

    def trace(self, example: int, weight: Array) -> list[Trace]:
        """What was seen on the paths of an example, ascending in t, with the rule's `weight (R, n)`."""
        traces = []
        for r in self.rows_of(example):
            order = np.argsort(self.t[r])
            traces.append(Trace(self.t[r, order], weight[r], self.value[r, order], self.norm[r, order]))
        return traces

    # ------------------------------------------------------------------------------------------------ tell and leave

    def tell(self, examples: set[int], weight: Array) -> Iterator[Step]:
        """The steps of the examples that end, ascending in t, with final weights."""
        rows = np.flatnonzero(np.isin(self.example, list(examples)))
        order = np.argsort(self.t, axis=1)
        pairs = [(r, place) for r in rows for place in range(self.nodes)]
        size = self.room.rows()
        for first in range(0, len(pairs), size):
            r, place = np.array(pairs[first : first + size]).T
            node = order[r, place]
            t = torch.from_numpy(self.t[r, node][:, None])
            kept = self.store.get(r, node).unsqueeze(1)
            grad, move = self._parted(kept, self._at(self.start, r), self._at(self.end, r), t)
            value = torch.from_numpy(self.value[r, node])
            slope = torch.from_numpy(self.total[r, node])
            shares = None if self.shares is None else torch.from_numpy(self.shares[r, node])
            reading = Reading(torch.from_numpy(self.example[r]), value, grad[:, 0], slope, shares=shares)
            share = torch.from_numpy(weight[r, place] / self.draws)
            yield Step(reading, move[:, 0], share, t[:, 0], torch.from_numpy(r % self.draws))

    def drop(self, examples: set[int]) -> np.ndarray:
        """Forget these examples; the rows that stay, as indices into the rows before."""
        keep = np.flatnonzero(~np.isin(self.example, list(examples)))
        if len(keep) == self.rows:
            return keep
        self.example, self.ends, self.gram = self.example[keep], self.ends[keep], self.gram[keep]
        self.t, self.value, self.total = self.t[keep], self.value[keep], self.total[keep]
        self.norm, self.variation, self.noise = self.norm[keep], self.variation[keep], self.noise[keep]
        self.doubt = self.doubt[keep]
        self.shares = None if self.shares is None else self.shares[keep]
        self.start, self.end = self._at(self.start, keep), self._at(self.end, keep)
        if len(keep):
            self.store.select(keep)
        else:
            self.store.release()
            self.room.keep(-self.workspace)
        return keep

    def _sorted(self, array: Array) -> Array:
        return np.take_along_axis(array, np.argsort(self.t, axis=1), 1)

    @staticmethod
    def _at(tensor: Tensor, rows: np.ndarray) -> Tensor:
        return tensor[torch.from_numpy(rows).to(tensor.device)]
