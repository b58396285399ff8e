"""Edge attribution patching with Integrated Gradients, between embeddings, attention heads, MLPs and the logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gradline.core.rules import Midpoint, Rule
from gradline.errors import InputError
from gradline.neurons.circuits.circuit import Edges
from gradline.neurons.circuits.pairs import FORWARDS, Chunk, Pairs, differentiated, paired
from gradline.neurons.circuits.stream import input_gradients
from gradline.neurons.circuits.wiring import Wiring
from gradline.question.guard import undisturbed
from gradline.question.score import Score


def edges(
    score: Score,
    clean: Any,
    corrupted: Any,
    *,
    wiring: Wiring | None = None,
    rule: Rule | type[Rule] = Midpoint,
    steps: int = 5,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> Edges:
    """EAP-IG: how much every edge between the parts of a transformer raises F(clean) over F(corrupted), all at once.

        A(u→v) = (z_u − z'_u) · Σ_k w_k ∂F/∂(input of v) at embeddings e' + t_k (e − e')        summed over positions

    z_u is what u adds to the stream for the clean example, z'_u for the corrupted one; inputs of v are taken before the
    norm, each head's q, k and v by itself. `clean`, `corrupted`: N pairs as the model takes them, token by token, with
    the same mask. `wiring`: of a model that is not of GPT-2, GPT-NeoX or Llama type. `steps` gradients and three
    forwards an example; `rule`: their places t_k and weights w_k. `names`, `seed`: keys of rules with random nodes.

    The end points move by their chord and the gradient is taken on the way, so values do not add up to F(clean) −
    F(corrupted) and have no error estimate; only those of the edges from the input do, up to the rule's error, which
    is `completeness_gap`.

    Raises `InputError` and its kinds, also where the wiring's parts do not add up to the model's stream.

    Hanna, Pezzelle and Belinkov (2024), who write (z'_u − z_u) · ∂L with a loss L: the same for F = −L. Their sum is
    `rule=gl.rules.RightRiemann`, their code's `gl.rules.LeftRiemann`; ours has midpoints. One right step is edge
    attribution patching (Syed et al. 2023).
    """
    chosen = _checked(rule, steps)
    pairs = paired(score, clean, corrupted, wiring, memory=memory)
    keys = tuple(map(str, range(pairs.rows))) if names is None else tuple(names)
    if len(keys) != pairs.rows:
        raise InputError(f"{pairs.rows} names, one for each example", f"{len(keys)}")
    nodes, weights = (torch.from_numpy(column) for column in chosen.table(steps, keys, seed))
    values = torch.zeros(pairs.rows, pairs.graph.size, dtype=torch.float64, device="cpu")
    score_at, baseline_at = (torch.zeros(pairs.rows, dtype=torch.float64, device="cpu") for _ in range(2))
    with undisturbed(score.model, pairs.score.inputs.anchor.device):
        for chunk in pairs.chunks():
            score_at[chunk.owner], baseline_at[chunk.owner] = chunk.score, chunk.baseline_score
            for t, w in zip(nodes[chunk.owner].T, weights[chunk.owner].T, strict=True):
                values[chunk.owner] += w[:, None] * _at(pairs, chunk, t)
    spent = torch.full((pairs.rows,), steps)
    return Edges(pairs.graph, values, score_at, baseline_at, spent, torch.full_like(spent, FORWARDS))


def _checked(rule: object, steps: object) -> Rule:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError("steps as a whole number of at least 1", repr(steps))
    chosen = rule() if isinstance(rule, type) and issubclass(rule, Rule) else rule
    if not isinstance(chosen, Rule):
        raise InputError("rule as one of gl.rules, such as gl.rules.Midpoint", repr(rule))
    return chosen


def _at(pairs: Pairs, chunk: Chunk, t: Tensor) -> Tensor:
    """The scores `(R, E)` with gradients at one point of each example's path."""
    points = chunk.start + t.to(chunk.way.device, chunk.way.dtype)[:, None, None] * chunk.way
    trace, grads = differentiated(pairs, points, chunk.owner)
    found = []
    for reader in pairs.places:
        gradients = input_gradients(reader, trace, grads)
        into = torch.einsum("vntd,untd->nvu", gradients, chunk.moves[: reader.place.before])
        found.append(into.flatten(1).cpu().double())
    return torch.cat(found, 1)
