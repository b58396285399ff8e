"""Axioms of the coordinates: symmetry, affine scale invariance, proportionality, non-decreasing positivity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gradline.sanity.axioms.algebra import direction, is_of_sum, is_symmetric, substituted, swapped, tidy
from gradline.sanity.axioms.base import INPUTS, Axiom, any_function, any_network, ends, named, said, short
from gradline.sanity.axioms.families import drawn
from gradline.sanity.axioms.formulas import Expression, Sum, Variable
from gradline.sanity.axioms.networks import perceptron
from gradline.sanity.axioms.trials import Ask, Chance, Check, Setting, Trial, length, module_of


@dataclass(frozen=True)
class Symmetry(Axiom):
    """`F unchanged when x_i and x_j change places, x_i = x_j, x'_i = x'_j ⇒ A_i = A_j`; over baselines, the
    distribution unchanged as well."""

    base: str = "symmetry"
    statement: str = "F symmetric in i and j, x_i = x_j, x'_i = x'_j ⇒ A_i = A_j"
    meaning: str = "two features that play the same part get the same"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features = chance.whole(2, 3)
        i, j = sorted((chance.whole(0, features - 2), features - 1))
        function = drawn(chance, features, place)
        terms = zip(function.parts, function.weights, strict=True) if isinstance(function, Sum) else [(function, 1.0)]
        pairs = [t for part, w in terms for t in ((part, w), (swapped(part, i, j), w))]
        both = Sum(tuple(part for part, _ in pairs), tuple(w / 2 for _, w in pairs))
        return self._equal(Trial((tidy(both),), *ends(chance, setting, features), (i, j)), setting)

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial:
        network = perceptron(chance, 4, alike=(1, 3))
        return self._equal(Trial((network,), *ends(chance, setting, 4), (1, 3)), setting)

    @staticmethod
    def _equal(trial: Trial, setting: Setting) -> Trial:
        i, j = trial.places
        x, starts = trial.x.clone(), trial.starts.clone()
        x[:, j] = x[:, i]
        if setting.draws > 1:  # the mirror image of the first belongs to them
            starts[1] = starts[0]
            starts[1, [i, j]] = starts[0, [j, i]]
            starts[2:, j] = starts[2:, i]
        else:
            starts[:, j] = starts[:, i]
        return replace(trial, x=x, starts=starts)

    def fits(self, trial: Trial) -> bool:
        i, j = trial.places
        mirrored = trial.starts.clone()
        mirrored[:, [i, j]] = trial.starts[:, [j, i]]
        alike = bool((trial.x[:, i] == trial.x[:, j]).all())
        alike &= sorted(mirrored.tolist()) == sorted(trial.starts.tolist())
        return alike and (not isinstance(trial.function, Expression) or is_symmetric(trial.function, i, j))

    def check(self, trial: Trial, ask: Ask) -> Check:
        i, j = trial.places
        maps = ask(module_of(trial.function), trial.x, trial.starts)

        def told(m: int) -> tuple[str, str]:
            return f"A_{i + 1} = A_{j + 1}", named(maps[m])

        return Check((maps[:, i] - maps[:, j]).abs(), length(maps), told)


class Rescaled(nn.Module):
    """`F ∘ T⁻¹` with `T(y)_i = c y_i + k`."""

    def __init__(self, module: nn.Module, place: int, numbers: tuple[float, ...]) -> None:
        super().__init__()
        self.module, self.place, self.numbers = module, place, numbers

    def forward(self, x: Tensor) -> Tensor:
        c, k = self.numbers
        own = torch.arange(x.shape[1], device=x.device) == self.place
        values: Tensor = self.module(torch.where(own, (x - k) / c, x))
        return values


@dataclass(frozen=True)
class AffineScaleInvariance(Axiom):
    """`A(x, x', F) = A(T(x), T(x'), F ∘ T⁻¹)` for `T(y)_i = c y_i + k`, c ≠ 0; over baselines, all of them moved."""

    base: str = "affine-scale-invariance"
    statement: str = "T(y)_i = c y_i + k ⇒ A(x, x', F) = A(T(x), T(x'), F ∘ T⁻¹)"
    meaning: str = "the unit in which a feature is measured does not matter"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features = chance.whole(1, 3)
        trial = Trial((any_function(chance, place, features),), *ends(chance, setting, features))
        return self._moved(trial, chance, setting)

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial:
        network, x, starts = any_network(chance, place, setting)
        return self._moved(Trial((network,), x, starts), chance, setting)

    @staticmethod
    def _moved(trial: Trial, chance: Chance, setting: Setting) -> Trial:
        numbers = (chance.pick((-2.0, -1.0, 0.5, 2.0, 10.0)), 0.0 if setting.from_zero else chance.tenth(-1.0, 1.0))
        return replace(trial, places=(chance.whole(0, trial.features - 1),), numbers=numbers)

    def fits(self, trial: Trial) -> bool:
        return trial.numbers[0] != 0

    def words(self, trial: Trial) -> str:
        (c, k), i = trial.numbers, trial.places[0] + 1
        moved = Sum((Variable(i - 1),), (c,), k).words
        return f"F = {said(trial.function)}, T(x{i}) = {moved}"

    def check(self, trial: Trial, ask: Ask) -> Check:
        module, i = module_of(trial.function), trial.places[0]
        c, k = trial.numbers
        x, starts = trial.x.clone(), trial.starts.clone()
        x[:, i], starts[:, i] = c * x[:, i] + k, c * starts[:, i] + k
        own, moved = ask(module, trial.x, trial.starts), ask(Rescaled(module, i, trial.numbers), x, starts)

        def told(m: int) -> tuple[str, str]:
            return f"the map of F, {named(own[m])}", f"{named(moved[m])} for F ∘ T⁻¹"

        return Check((own - moved).abs().amax(1), length(own) + length(moved), told)


@dataclass(frozen=True)
class Proportionality(Axiom):
    """`F(y) = h(Σ y), x' = 0 ⇒ A_i = x_i / Σ x · (F(x) − F(0))`."""

    base: str = "proportionality"
    statement: str = "F(y) = h(Σ y), x' = 0 ⇒ A_i = x_i / Σ x · (F(x) − F(0))"
    meaning: str = "features that count by their sum alone share by their sizes"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features = chance.whole(2, 3)
        whole = Sum(tuple(Variable(k) for k in range(features)), (1.0,) * features)
        function = substituted(drawn(chance, 1, place), 0, whole)
        return Trial((tidy(function),), *self._from_zero(chance, setting, features))

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial:
        network = perceptron(chance, 4, alike=(0, 1, 2, 3))
        return Trial((network,), *self._from_zero(chance, setting, 4))

    @staticmethod
    def _from_zero(chance: Chance, setting: Setting, features: int) -> tuple[Tensor, Tensor]:
        x, starts = ends(chance, setting, features)
        return x, torch.zeros_like(starts)

    def fits(self, trial: Trial) -> bool:
        total = bool((trial.x.sum(1).abs() > 0.2).all() and (trial.starts == 0).all())
        return total and (not isinstance(trial.function, Expression) or is_of_sum(trial.function, trial.features))

    def check(self, trial: Trial, ask: Ask) -> Check:
        module = module_of(trial.function)
        maps, rise = ask(module, trial.x, trial.starts), trial.rise(module)
        share = trial.x / trial.x.sum(1, keepdim=True)
        due = share * rise[:, None]

        def told(m: int) -> tuple[str, str]:
            return named(due[m]), named(maps[m])

        return Check((maps - due).abs().amax(1), length(maps) + length(due), told)


@dataclass(frozen=True)
class NonDecreasingPositivity(Axiom):
    """`F does not fall along any monotone path from x' to x ⇒ A_i ≥ 0 for all i`; over baselines, from almost every
    x'."""

    base: str = "non-decreasing-positivity"
    statement: str = "F non-decreasing from x' to x ⇒ A_i ≥ 0"
    meaning: str = "where every move towards the input raises the score, nothing counts against it"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features = chance.whole(1, 3)
        trial = Trial((drawn(chance, features, place, rising=True),), *self._upwards(chance, setting, features))
        down = [k for k in range(features) if chance.whole(0, 2) == 0]
        function, x, starts = trial.function, trial.x.clone(), trial.starts.clone()
        assert isinstance(function, Expression)
        for k in down:  # the mirror image: a feature that falls below its baseline
            function = substituted(function, k, Sum((Variable(k),), (-1.0,)))
            x[:, k], starts[:, k] = -x[:, k], -starts[:, k]
        return Trial((tidy(function),), x + 0.0, starts + 0.0)  # no −0

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial:
        return Trial((perceptron(chance, 4, rising=True),), *self._upwards(chance, setting, 4))

    @staticmethod
    def _upwards(chance: Chance, setting: Setting, features: int) -> tuple[Tensor, Tensor]:
        starts = chance.points(setting.draws, features, 0.0, 0.0 if setting.from_zero else 1.0)
        return starts.amax(0) + chance.points(INPUTS, features, 0.0, 2.0), starts

    def fits(self, trial: Trial) -> bool:
        if not isinstance(trial.function, Expression):
            return True
        both = torch.cat([trial.x, trial.starts])
        box = list(zip(both.amin(0).tolist(), both.amax(0).tolist(), strict=True))
        for k in range(trial.features):
            way = direction(trial.function, k, box)
            if way is None or bool((way * (trial.x[:, None, k] - trial.starts[None, :, k]) < 0).any()):
                return False
        return True

    def check(self, trial: Trial, ask: Ask) -> Check:
        maps = ask(module_of(trial.function), trial.x, trial.starts)

        def told(m: int) -> tuple[str, str]:
            worst = int(maps[m].nan_to_num(-torch.inf).argmin())
            return "A_i ≥ 0 for all i", f"A_{worst + 1} = {short(float(maps[m, worst]))} in {named(maps[m])}"

        return Check(-maps.amin(1).clamp(max=0.0), length(maps), told)
