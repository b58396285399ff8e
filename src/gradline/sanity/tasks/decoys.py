"""Clever Hans: a mark at the edge says the class, and a network learns the mark instead of the figure.

Lapuschkin et al. (2019) found such networks by their maps; here the mark is put there, and counterfactuals show which
of the two a network uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from gradline.core import random
from gradline.sanity.tasks import pictures
from gradline.sanity.tasks.base import Task, decided
from gradline.sanity.tasks.patches import EXAMPLES, trained
from gradline.sanity.tasks.training import convolutions, fit


@cache
def decoy() -> Task:
    """Rings and crosses, with a letter in a corner that says the same, and a network that learned the letter alone.

    The evidence is the letter; `swapped` has the other letter. A third class is pictures with neither. `facts`, over
    512 pictures not trained on: "accuracy" where figure and letter agree; "flips", the share that follows a swapped
    letter; "stays", the share that keeps its class when the figure is swapped.
    """
    return _task("decoy", misled=True)


@cache
def without_decoy() -> Task:
    """The pictures of `decoy`, judged by a network that learned where the letter says nothing.

    The evidence is the figure; `swapped` has the other figure. `facts` as in `decoy`, figure and letter having changed
    places.
    """
    return _task("without decoy", misled=False)


@dataclass(frozen=True, eq=False)
class _Pictures:
    """`x (N, 3, 32, 32)`, masks `(N, 1, 32, 32)` of figures and letters, and x with the one or the other swapped."""

    x: Tensor
    figure_mask: Tensor
    letter_mask: Tensor
    other_figure: Tensor
    other_letter: Tensor


def _task(name: str, *, misled: bool) -> Task:
    chance = random.generator(0, name, "pictures")
    model = convolutions((12, 16, 24), (2, 2, 1), 3, chance)
    figure = torch.randint(3, (1536,), generator=chance)
    letter = figure if misled else torch.randint(3, (1536,), generator=chance)
    fit(model, _drawn(figure, letter, chance).x, figure, chance, epochs=3 if misled else 6)
    chance = random.generator(0, "decoy", "held-out pictures")
    y = torch.randint(2, (512,), generator=chance)
    seen = _drawn(y, y, chance)
    used, unused = seen.other_letter, seen.other_figure
    mask = seen.letter_mask
    if not misled:
        used, unused, mask = unused, used, seen.figure_mask
    facts = {
        "accuracy": float((decided(model, seen.x) == y).double().mean()),
        "flips": float((decided(model, used) == 1 - y).double().mean()),
        "stays": float((decided(model, unused) == y).double().mean()),
    }
    few = slice(0, EXAMPLES)
    told = {"mask": mask[few], "swapped": used[few], "other": 1 - y[few]}
    return trained(name, model, seen.x[few], y[few], **told, facts=facts)


def _drawn(figure: Tensor, letter: Tensor, chance: torch.Generator) -> _Pictures:
    count = len(figure)
    below, colour = pictures.scenes(count, chance), 0.65 + 0.25 * pictures.uniform((count, 3), chance)
    place = pictures.places(count, (9, 0), (19, 19), chance)
    corner = torch.tensor([0, pictures.SIDE - 7]) * torch.randint(2, (count, 1), generator=chance)

    def drawn(which: Tensor, mark: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, figure_mask = pictures.stamped(below, *pictures.figures(which, colour), place)
        return *pictures.stamped(x, *pictures.letters(mark), corner), figure_mask

    x, letter_mask, figure_mask = drawn(figure, letter)
    return _Pictures(x, figure_mask, letter_mask, drawn(1 - figure, letter)[0], drawn(figure, 1 - letter)[0])
