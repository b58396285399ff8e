"""What a tolerance controller has seen of its paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradline.core.node_algebra import Array


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of R paths after n nodes each, ascending in t. All float64.

    `t (R, n)`: nodes. `gram (R, n, n)`: inner products of node maps. `value (R, n)`: score at the nodes.
    `total (R, n)`: sum of each node map. `variation (R, n−1)`: L1 norm of the difference of neighbouring node maps.
    `ends (R, 2)`: score at the start and the end of the path. `eps`: relative rounding of a score. `noise (R, n)`,
    `doubt (R, n)`: standard errors of node maps (L2) and of scores where these are sampled, else zero. `floor`:
    relative rounding of a map that the estimate has to allow for.
    """

    t: Array
    gram: Array
    value: Array
    total: Array
    variation: Array
    ends: Array
    eps: float
    noise: Array
    doubt: Array
    floor: float = 0.0

    def changes(self) -> Array:
        """`‖δ_j‖₂`, the change of the map over each inner cell."""
        diagonal = np.einsum("rii->ri", self.gram)
        neighbour = np.einsum("rii->ri", self.gram[:, :-1, 1:])
        noise = self.noise[:, :-1] ** 2 + self.noise[:, 1:] ** 2
        return np.asarray(np.sqrt(np.maximum(diagonal[:, :-1] + diagonal[:, 1:] - 2 * neighbour - noise, 0.0)))

    def values(self) -> Array:
        """The score at the nodes and at both ends: `(R, n+2)`."""
        return np.asarray(np.column_stack([self.ends[:, 0], self.value, self.ends[:, 1]]))
