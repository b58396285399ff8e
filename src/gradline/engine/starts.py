"""Where the paths of a call start, in the space they are driven in: baselines in input space are pushed to the site."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gradline.core.baselines import AtSite, Baseline, Each, Group, Search
from gradline.engine.answer import Answerer
from gradline.errors import BaselineError

Searched = Callable[[Search, Tensor], Tensor]
"""Runs a search for the examples `rows (B,)`: starts `(B, K, *F)` in input space."""


class Starts:
    """The starts of a call's paths. Raises `BaselineError` at once if the baseline does not fit x."""

    def __init__(
        self,
        baseline: Baseline,
        answerer: Answerer,
        ends: Tensor,
        names: tuple[str, ...],
        seed: int,
    ) -> None:
        self.parts = baseline.parts if isinstance(baseline, Each) else (baseline,)
        self.answerer, self.ends, self.names, self.seed = answerer, ends, names, seed
        self.inputs, self.inside = answerer.score.inputs, answerer.score.drive is not None
        for part in self.parts:
            self._check(part)

    def of(self, rows: Tensor, searched: Searched) -> Tensor:
        """The starts for examples `rows (B,)`: `(B, K, *F)`."""
        starts: list[Tensor] = []
        first = 0
        for part in self.parts:
            starts.append(self._start(part, rows, first, searched))
            first += part.draws
        return torch.cat(starts, 1)

    # ------------------------------------------------------------------------------------------------ checks

    def _check(self, part: Baseline) -> None:
        if isinstance(part, AtSite):
            part.check(self.ends)
        elif isinstance(part, Search):
            if not self.inputs.attributed:
                raise BaselineError(f"a floating-point input for {type(part).__name__}", "integers alone")
        else:
            for name in self._moved(part):
                own = part.of_input(name)
                assert own is not None
                own.check(self.inputs.entries[name])

    def _moved(self, part: Baseline) -> list[str]:
        """The inputs that the baseline replaces; all others stay as they are at x."""
        inputs = self.inputs
        named = set(part.names)
        unknown = named - set(inputs.entries)
        if unknown:
            raise BaselineError(f"baselines for inputs out of {list(inputs.entries)}", f"{sorted(unknown)}")
        fixed = [name for name in sorted(named - set(inputs.attributed)) if part.of_input(name) is not None]
        if not self.inside and fixed:
            raise BaselineError(
                f"no baseline for input {fixed[0]!r}: it is not floating-point and is held at x",
                remedy="leave it out, or drive the path at a layer",
            )
        able = [*inputs.attributed]
        if self.inside:
            able += fixed
            if not able:
                able = self._only_integer()
        return [name for name in able if part.of_input(name) is not None]

    def _only_integer(self) -> list[str]:
        """The one input that a baseline without a name can mean, where all are integers."""
        names = list(self.inputs.integers)
        if len(names) == 1:
            return names
        example = f"baseline={{{names[0]!r}: …}}" if names else "gl.baselines.AtSite(0.0)"
        raise BaselineError(
            f"baseline= to say which of the inputs {names} starts elsewhere, as in {example}; the others, masks say, "
            "are held at x. Or start in the layer's own space: baseline=gl.baselines.AtSite(0.0)"
        )

    # ------------------------------------------------------------------------------------------------ starts

    def _start(self, part: Baseline, rows: Tensor, first: int, searched: Searched) -> Tensor:
        if isinstance(part, AtSite):
            return part.start(self._group(self.ends, rows, "", first))
        if isinstance(part, Search):
            found = searched(part, rows)
            return self._pushed(self.inputs.unpack(found.flatten(0, 1)), rows) if self.inside else found
        starts = {}
        for name in self._moved(part):
            own = part.of_input(name)
            assert own is not None
            starts[name] = own.start(self._group(self.inputs.entries[name], rows, self._key(name), first))
        draws = max((s.shape[1] for s in starts.values()), default=1)
        flat = {name: s.expand(-1, draws, *s.shape[2:]).flatten(0, 1) for name, s in starts.items()}
        return self._pushed(flat, rows) if self.inside else self._packed(flat, rows)

    def _key(self, name: str) -> str:
        """Enters the random numbers, so that several inputs share none."""
        return "" if self.inputs.form is Tensor else name

    def _group(self, whole: Tensor, rows: Tensor, key: str, first: int) -> Group:
        names = tuple(self.names[i] for i in rows)
        return Group(whole[rows.to(whole.device)], rows, names, self.seed, key, first)

    def _packed(self, starts: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """Starts `(B · K, …)` of some entries, the others held at x, as `(B, K, *F)`."""
        draws = len(next(iter(starts.values()))) // len(rows) if starts else 1
        held = {
            name: self.inputs.entries[name][rows.to(self.inputs.entries[name].device)].repeat_interleave(draws, 0)
            for name in self.inputs.attributed
            if name not in starts
        }
        packed = self.inputs.pack({**starts, **held})
        return packed.reshape(len(rows), draws, *packed.shape[1:])

    def _pushed(self, starts: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """What the layer shows at starts `(B · K, …)` of some entries: `(B, K, *F)`."""
        draws = len(next(iter(starts.values()))) // len(rows) if starts else 1
        lifted = self.answerer.lift(starts, rows.repeat_interleave(draws))
        return lifted.reshape(len(rows), draws, *lifted.shape[1:])
