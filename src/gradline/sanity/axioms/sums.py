"""Axioms of what a map adds up to, and of who gets nothing: completeness, sensitivity (a), dummy."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gradline.sanity.axioms.algebra import reads, renumbered
from gradline.sanity.axioms.base import Axiom, any_function, any_network, ends, named, said, short
from gradline.sanity.axioms.families import drawn
from gradline.sanity.axioms.formulas import Expression
from gradline.sanity.axioms.networks import perceptron
from gradline.sanity.axioms.trials import Ask, Chance, Check, Setting, Trial, length, module_of

NOTHING = 1e-9
"""Share of the score's change below which a value counts as zero."""


@dataclass(frozen=True)
class Completeness(Axiom):
    """`Σ_i A_i(x, x', F) = F(x) − F(x')`; over baselines `F(x) − E F(x')`."""

    base: str = "completeness"
    statement: str = "Σ A_i = F(x) − F(x')"
    meaning: str = "the values add up to what the score rose from the baseline"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features = chance.whole(1, 3)
        return Trial((any_function(chance, place, features),), *ends(chance, setting, features))

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial:
        network, x, starts = any_network(chance, place, setting)
        return Trial((network,), x, starts)

    def fits(self, trial: Trial) -> bool:
        return True

    def check(self, trial: Trial, ask: Ask) -> Check:
        module = module_of(trial.function)
        maps, rise = ask(module, trial.x, trial.starts), trial.rise(module)
        due = "F(x) − E F(x')" if self.over_baselines else "F(x) − F(x')"

        def told(m: int) -> tuple[str, str]:
            return f"Σ A_i = {due} = {short(float(rise[m]))}", f"{short(float(maps[m].sum()))} from {named(maps[m])}"

        return Check((maps.sum(1) - rise).abs(), length(maps) + trial.size(module), told)


@dataclass(frozen=True)
class Sensitivity(Axiom):
    """Sensitivity (a): `x_j = x'_j for all j ≠ i and F(x) ≠ F(x') ⇒ A_i ≠ 0`; over baselines `E F(x')`, `x'_j` almost
    surely."""

    base: str = "sensitivity"
    statement: str = "x_j = x'_j for j ≠ i, F(x) ≠ F(x') ⇒ A_i ≠ 0"
    meaning: str = "the one feature that moved gets something if the score moved"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features = chance.whole(1, 3)
        return self._moved(Trial((any_function(chance, place, features),), *ends(chance, setting, features)), chance)

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial:
        network, x, starts = any_network(chance, place, setting)
        return self._moved(Trial((network,), x, starts), chance)

    def _moved(self, trial: Trial, chance: Chance) -> Trial:
        i = chance.whole(0, trial.features - 1)
        still = torch.arange(trial.features) != i
        x, starts = trial.x.clone(), trial.starts.clone()
        x[:, still] = starts[:, still] = starts[:1, still]
        return Trial(trial.functions, x, starts, (i,))

    def fits(self, trial: Trial) -> bool:
        still = torch.arange(trial.features) != trial.places[0]
        first = trial.starts[:1, still]
        at_rest = bool((trial.x[:, still] == first).all() and (trial.starts[:, still] == first).all())
        return at_rest and bool((trial.rise(module_of(trial.function)).abs() > 1e-3).all())

    def check(self, trial: Trial, ask: Ask) -> Check:
        module, i = module_of(trial.function), trial.places[0]
        maps, rise = ask(module, trial.x, trial.starts), trial.rise(module)

        def told(m: int) -> tuple[str, str]:
            return f"A_{i + 1} ≠ 0, since the score moved by {short(float(rise[m]))}", named(maps[m])

        lost = ~(maps[:, i].abs() > NOTHING * rise.abs())
        return Check(torch.where(lost, rise.abs(), 0.0), rise.abs(), told)


@dataclass(frozen=True)
class Dummy(Axiom):
    """Sensitivity (b): `F does not depend on x_i ⇒ A_i = 0`."""

    base: str = "dummy"
    statement: str = "F does not depend on x_i ⇒ A_i = 0"
    meaning: str = "a feature that the score does not read gets nothing"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features = chance.whole(2, 3)
        i = chance.whole(0, features - 1)
        others = [k for k in range(features) if k != i]
        function = renumbered(drawn(chance, features - 1, place), others)
        return Trial((function,), *ends(chance, setting, features), (i,))

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial:
        i = chance.whole(0, 3)
        return Trial((perceptron(chance, 4, blind=(i,)),), *ends(chance, setting, 4), (i,))

    def fits(self, trial: Trial) -> bool:
        return not isinstance(trial.function, Expression) or trial.places[0] not in reads(trial.function)

    def words(self, trial: Trial) -> str:
        return f"F = {said(trial.function)}, which does not read x{trial.places[0] + 1}"

    def check(self, trial: Trial, ask: Ask) -> Check:
        module, i = module_of(trial.function), trial.places[0]
        maps = ask(module, trial.x, trial.starts)

        def told(m: int) -> tuple[str, str]:
            return f"A_{i + 1} = 0", f"{short(float(maps[m, i]))} in {named(maps[m])}"

        return Check(maps[:, i].abs(), length(maps) + trial.rise(module).abs(), told)
