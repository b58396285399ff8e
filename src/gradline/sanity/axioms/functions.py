"""Axioms that compare functions: linearity, implementation invariance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradline.sanity.axioms.base import Axiom, any_function, any_network, ends, named, said
from gradline.sanity.axioms.families import SMOOTH, drawn, network
from gradline.sanity.axioms.formulas import Expression, number, spelled
from gradline.sanity.axioms.networks import SIDE, convolutional, folded, perceptron
from gradline.sanity.axioms.rewriting import AS_LAYERS, FORMULAS, LAYERS, WAYS, pair, rewritten
from gradline.sanity.axioms.trials import Ask, Chance, Check, Network, Setting, Trial, length, module_of


class Combined(nn.Module):
    """`a F + b G`."""

    def __init__(self, modules: tuple[nn.Module, nn.Module], factors: tuple[float, float]) -> None:
        super().__init__()
        self.summands, self.factors = nn.ModuleList(modules), factors

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = sum(factor * summand(x) for factor, summand in zip(self.factors, self.summands, strict=True))
        return total


@dataclass(frozen=True)
class Linearity(Axiom):
    """`A(x, x', aF + bG) = a A(x, x', F) + b A(x, x', G)`."""

    base: str = "linearity"
    statement: str = "A(aF + bG) = a A(F) + b A(G)"
    meaning: str = "the map of a sum of scores is the sum of their maps"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features = chance.whole(1, 3)
        functions = tuple(any_function(chance, p, features) for p in (place, place + chance.whole(0, 8)))
        return Trial(functions, *ends(chance, setting, features), (), self._factors(chance))

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial:
        one, x, starts = any_network(chance, place, setting)
        other, *_ = any_network(chance, place + 2, setting)
        return Trial((one, other), x, starts, (), self._factors(chance))

    @staticmethod
    def _factors(chance: Chance) -> tuple[float, float]:
        return chance.tenth(-2.0, 2.0), chance.tenth(-2.0, 2.0)

    def fits(self, trial: Trial) -> bool:
        return True

    def words(self, trial: Trial) -> str:
        told = self._summands(trial)
        functions = ", ".join(f"{letter} = {words}" for letter, words, _, _ in told)
        return functions + "".join(f", {factor} = {spelled(value)}" for _, _, factor, value in told)

    @staticmethod
    def _summands(trial: Trial) -> list[tuple[str, str, str, float]]:
        """Letter and words of a function, letter and value of its factor; without what is 0."""
        every = zip("FG", trial.functions, "ab", trial.numbers, strict=True)
        told = [(letter, said(f), factor, v) for letter, f, factor, v in every if v and f != number(0.0)]
        return told or [("F", "0", "a", 1.0)]

    def check(self, trial: Trial, ask: Ask) -> Check:
        a, b = trial.numbers
        one, other = map(module_of, trial.functions)
        own, more, both = (ask(f, trial.x, trial.starts) for f in (one, other, Combined((one, other), (a, b))))
        due = a * own + b * more
        told = self._summands(trial)
        left = f"A({' + '.join(f'{factor}{letter}' for letter, _, factor, _ in told)})"
        right = " + ".join(f"{factor} A({letter})" for letter, _, factor, _ in told)

        def words(m: int) -> tuple[str, str]:
            return f"{left} = {named(due[m], right)}", named(both[m], left)

        scale = abs(a) * length(own) + abs(b) * length(more) + length(both)
        return Check((both - due).abs().amax(1), scale, words)


@dataclass(frozen=True)
class ImplementationInvariance(Axiom):
    """`F = G at every point ⇒ A(x, x', F) = A(x, x', G)`, however they are written."""

    base: str = "implementation-invariance"
    statement: str = "F(y) = G(y) for all y ⇒ A(F) = A(G)"
    meaning: str = "two networks that are equal as functions have equal maps"

    def draw(self, chance: Chance, place: int, setting: Setting) -> Trial:
        features, way = chance.whole(1, 3), WAYS[place % len(WAYS)]
        if way == AS_LAYERS or way in LAYERS:
            smooth = way != AS_LAYERS and chance.whole(0, 2) == 0
            kind = chance.pick(SMOOTH) if smooth else "relu"
            function: Expression = network(chance, features, False, kind, chance.whole(1, 4))
        else:
            function = drawn(chance, features, chance.pick((3, 4, 6)))  # with a cap, of relu units, an extreme
        return Trial((function,), *ends(chance, setting, features), way=way)

    def draw_network(self, chance: Chance, place: int, setting: Setting) -> Trial | None:
        if place % 2 == 0:
            one = convolutional(chance, normalised=True)
            other, words, features = folded(one), "with its batch normalisation folded", SIDE**2
        else:
            words, features = chance.pick(list(LAYERS)), 4
            one = perceptron(chance, features)
            assert isinstance(one.module, nn.Sequential)
            found = rewritten(one.module, words)
            if found is None:
                return None
            other = found
        return Trial((one, Network(other, words)), *ends(chance, setting, features))

    def fits(self, trial: Trial) -> bool:
        found = self._pair(trial)
        if found is None:
            return False
        points = torch.cat([trial.x, trial.starts, (trial.x[:1] + trial.starts) / 2])
        with torch.no_grad():
            return torch.allclose(found[0](points), found[1](points), rtol=1e-9, atol=1e-9)

    @staticmethod
    def _pair(trial: Trial) -> tuple[nn.Module, nn.Module] | None:
        function = trial.function
        if isinstance(function, Network):
            return function.module, module_of(trial.functions[1])
        return pair(function, trial.features, trial.way)

    def words(self, trial: Trial) -> str:
        function = trial.function
        if isinstance(function, Network):
            return f"F is {function.words}, G the same {trial.functions[1].words}"
        form = "a formula" if trial.way in (*FORMULAS, AS_LAYERS) else "layers"
        return f"F = {said(function)} as {form}, G the same {trial.way}"

    def check(self, trial: Trial, ask: Ask) -> Check:
        found = self._pair(trial)
        assert found is not None
        one, other = (ask(module, trial.x, trial.starts) for module in found)

        def told(m: int) -> tuple[str, str]:
            return f"A(G) = {named(one[m], 'A(F)')}", named(other[m], "A(G)")

        return Check((one - other).abs().amax(1), length(one) + length(other), told)
