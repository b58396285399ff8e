"""What an axiom is: a hypothesis that trials are drawn to fulfil, and a conclusion that is checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from gradline.core import random
from gradline.sanity.axioms.families import drawn
from gradline.sanity.axioms.formulas import Expression, kinks, spelled
from gradline.sanity.axioms.networks import SIDE, convolutional, perceptron
from gradline.sanity.axioms.trials import Ask, Chance, Check, Function, Network, Setting, Trial

INPUTS = 4
"""Inputs a trial."""

TRIES = 200
"""Draws after which a trial is given up, because too few fulfil the hypothesis."""


@dataclass(frozen=True)
class Axiom(ABC):
    """A law that a method may keep.

    `over_baselines`: its analogue for the mean of the maps from several baselines, `A(x, D, F) = E_{x'~D} A(x, x', F)`.
    """

    over_baselines: bool = False

    base: str = ""
    statement: str = ""
    """As a formula."""

    meaning: str = ""
    """In words."""

    @property
    def name(self) -> str:
        """Kebab-case, as on the command line."""
        return f"distributional-{self.base}" if self.over_baselines else self.base

    @abstractmethod
    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial | None:
        """A trial on formulas, of the family at this place of the round; None if this one came to nothing."""

    @abstractmethod
    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial | None:
        """The same on a network with weights; None if there is none."""

    @abstractmethod
    def fits(self, trial: Trial) -> bool:
        """The trial fulfils the hypothesis of the axiom."""

    @abstractmethod
    def check(self, trial: Trial, ask: Ask) -> Check:
        """How far the method is from the conclusion."""

    def words(self, trial: Trial) -> str:
        """The functions of a trial, and what else belongs to it."""
        return f"F = {said(trial.function)}"

    def trial(self, place: int, setting: Setting, seed: int, *, network: bool = False) -> Trial | None:
        """The trial at a place of the round: the same for all methods of one setting."""
        kind = "network" if network else "formula"
        chance = Chance(random.generator(seed, self.name, f"axiom {kind}", place))
        draw = self.draw_network if network else self.draw
        for _ in range(TRIES):
            trial = draw(chance, place, setting)
            if trial is not None and self.is_posed(trial):
                return trial
        return None

    def is_posed(self, trial: Trial) -> bool:
        """The hypothesis holds; no input is a baseline, and no baseline is there twice; no end of a path lies on a
        kink, where the gradient would be a convention.

        A line that stays in a kink, as that of max(x1, x2) from (0, 0) to (1, 1) does, has no Integrated Gradients.
        """
        moves = (trial.x[:, None] - trial.starts).abs().amax(2)
        if bool((moves == 0).any()) or len(set(map(tuple, trial.starts.tolist()))) < len(trial.starts):
            return False
        ends = torch.cat([trial.x, trial.starts])
        written = [f for f in trial.functions if isinstance(f, Expression)]
        sharp = any(bool((k.values(ends).abs() < 1e-9).any()) for f in written for k in kinks(f))
        return not sharp and self.fits(trial)


def ends(chance: Chance, setting: Setting, features: int) -> tuple[Tensor, Tensor]:
    """Inputs and baselines: `(M, D)`, `(K, D)`."""
    x = chance.points(INPUTS, features)
    starts = chance.points(setting.draws, features)
    return x, torch.zeros_like(starts) if setting.from_zero else starts


def any_function(chance: Chance, place: int, features: int) -> Function:
    """A formula of any family."""
    return drawn(chance, features, place)


def any_network(chance: Chance, place: int, setting: Setting) -> tuple[Network, Tensor, Tensor]:
    """A perceptron or, every other time, a convolutional network, with inputs and baselines."""
    image = place % 2 == 1
    features = SIDE**2 if image else 4
    network = convolutional(chance) if image else perceptron(chance, features)
    return (network, *ends(chance, setting, features))


def said(function: Function) -> str:
    """A function in words."""
    return function.words


def named(values: Tensor, letter: str = "A") -> str:
    """The values of a map: `A = (1, −2)`."""
    return f"{letter} = ({', '.join(short(v) for v in values.tolist())})"


def short(value: float) -> str:
    """Four significant digits."""
    return spelled(float(f"{value:.4g}") + 0.0)
