"""What a model still does with the edges of a circuit alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gradline.errors import InputError
from gradline.neurons.circuits.circuit import Circuit
from gradline.neurons.circuits.pairs import FORWARDS, Chunk, Pairs, paired
from gradline.neurons.circuits.stream import Change, Hooks, Reader, movement, project
from gradline.question.guard import undisturbed
from gradline.question.score import Score


@dataclass(frozen=True, eq=False)
class Kept:
    """What a circuit keeps of the score. `values (N,)`: F with all edges outside the circuit corrupted; `score`,
    `baseline_score (N,)`: F(clean), F(corrupted); `forward_evaluations (N,)`. float64, on the CPU."""

    values: Tensor
    score: Tensor
    baseline_score: Tensor
    forward_evaluations: Tensor

    @property
    def faithfulness(self) -> float:
        """The share of the mean change that the circuit keeps: 1 all, 0 nothing; beyond where others counteract."""
        whole = (self.score - self.baseline_score).mean()
        return float((self.values - self.baseline_score).mean() / whole)

    @property
    def each(self) -> Tensor:
        """The same share for each example, `(N,)`."""
        return (self.values - self.baseline_score) / (self.score - self.baseline_score)


def circuit_score(
    score: Score, circuit: Circuit, clean: Any, corrupted: Any, *, memory: int | str | None = None
) -> Kept:
    """Run the circuit: each part reads what its edges in the circuit carry now, and what all others carried corrupted.

    The input of v is r'_v + Σ (z_u − z'_u) over the edges u→v of the circuit, r'_v the stream of the corrupted forward
    there. All edges give the clean forward, none the corrupted one. Four forwards an example. Raises `InputError`.

    Faithfulness is that of Hanna et al. (2024), (F(circuit) − F(corrupted)) / (F(clean) − F(corrupted)).
    """
    if not isinstance(circuit, Circuit):
        raise InputError("a circuit, as of edges(…).greedy(20)", type(circuit).__name__)
    pairs = paired(score, clean, corrupted, circuit.graph.wiring, memory=memory)
    values, whole, start = (torch.zeros(pairs.rows, dtype=torch.float64, device="cpu") for _ in range(3))
    with undisturbed(score.model, pairs.score.inputs.anchor.device), torch.no_grad():
        for chunk in pairs.chunks():
            values[chunk.owner] = _run(pairs, circuit, chunk)
            whole[chunk.owner], start[chunk.owner] = chunk.score, chunk.baseline_score
    return Kept(values, whole, start, torch.full((pairs.rows,), FORWARDS + 1))


def _run(pairs: Pairs, circuit: Circuit, chunk: Chunk) -> Tensor:
    moves = torch.zeros_like(chunk.moves)
    moves[0] = chunk.moves[0]
    with Hooks() as hooks:
        for reader in pairs.places:
            place = reader.place
            mask = circuit.kept[pairs.graph.into(place)].reshape(place.count, place.before)
            _rewire(hooks, _Rewired(reader, mask.to(moves.device, moves.dtype), chunk, moves))
        return pairs.value(chunk.start + chunk.way, chunk.owner).cpu().double()


@dataclass(eq=False)
class _Rewired:
    """A place that reads by a `mask (targets, sources)`. `moves (U, R, T, D)`: of what was written so far."""

    reader: Reader
    mask: Tensor
    chunk: Chunk
    moves: Tensor
    numbers: dict[nn.Module, tuple[Tensor, Tensor]] | None = None

    def streams(self) -> Tensor:
        """The stream as each target reads it, `(targets, R, T, D)`."""
        base = self.chunk.corrupted.stream[self.reader.gate]
        change = torch.einsum("vu,untd->vntd", self.mask, self.moves[: self.reader.place.before])
        return base + change.to(base.dtype)

    def read(self, _: Tensor) -> Tensor:
        """What an MLP or the end takes."""
        return self.reader.normed(self.streams())[0]

    def projected(self, module: nn.Module) -> Change:
        """What a projection returns."""

        def change(returned: Tensor) -> Tensor:
            if self.numbers is None:
                self.numbers = project(self.reader, self.streams())
            where, numbers = self.numbers[module]
            replaced = returned.clone()
            replaced[..., where] = numbers.to(returned.dtype)
            return replaced

        return change

    def written(self, value: Tensor) -> None:
        output, first = self.reader.output, self.reader.place.sources
        assert output is not None
        change = movement(self.reader, value, self.chunk.corrupted.output[output])
        self.moves[first : first + len(change)] = change


def _rewire(hooks: Hooks, place: _Rewired) -> None:
    reader = place.reader
    if not reader.slices:
        hooks.entering(reader.inner[0], place.read)
    for module in reader.inner if reader.slices else ():
        hooks.leaving(module, place.projected(module))
    if reader.output is not None:
        (hooks.entering if reader.slices else hooks.leaving)(reader.output, place.written)
