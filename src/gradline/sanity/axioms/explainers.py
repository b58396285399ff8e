"""What is audited: a method of gradline, or any function that makes maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradline.core.accumulators import GradientTimesMove, SumLaw
from gradline.core.baselines import FromData, Given
from gradline.core.method import Method
from gradline.core.paths import Curve, FixedBudget, Straight
from gradline.core.rules import Midpoint
from gradline.engine import attribute
from gradline.errors import InputError
from gradline.question.score import Score
from gradline.sanity.axioms.base import Axiom
from gradline.sanity.axioms.trials import Check, Setting, Trial

Explains = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""`(model, x (N, *F), baseline (N, *F)) -> maps (N, *F)`; the model returns `(N, 1)`."""

STEPS = 256
"""Nodes of the midpoint rule, for methods that have no budget of their own."""

FINER = 8
"""Times as many nodes for every level: a deviation that does not fall with them is no error of quadrature."""

SURE = 5.0
"""Standard errors that a sampled map may be off."""

DRAWS = 2
"""Baselines that the distributional axioms are asked with."""

PATH_METHODS = ("sensitivity", "dummy", "linearity", "implementation-invariance")
"""Kept by every path method, of any path that depends on its ends alone, together with completeness."""


@dataclass(frozen=True, eq=False)
class Explainer:
    """A function that makes maps, to be audited under a name.

    `one(model, x, baseline)`: maps of x `(N, *F)`, each from its own row of `baseline (N, *F)`; the model maps rows to
    `(N, 1)`. `over(model, x, baselines (K, *F))`: from K baselines that all x share; without it the mean of the maps
    from each, which is what the axioms have in mind. `finer`: `one` with more and more nodes: what
    deviates is an error of quadrature if it falls. `claims`: names of the axioms that it says it keeps.
    """

    name: str
    one: Explains
    over: Explains | None = None
    finer: tuple[Explains, ...] = ()
    claims: tuple[str, ...] = ()


class Asked(ABC):
    """Something audited, as the axioms ask it. `levels`: how often its accuracy can be raised, and once."""

    name: str
    levels: int = 1
    claims: frozenset[str] = frozenset()

    @abstractmethod
    def setting(self, *, over_baselines: bool) -> Setting | None:
        """How it can be asked; None if it cannot."""

    @abstractmethod
    def maps(self, model: nn.Module, x: Tensor, starts: Tensor, level: int) -> tuple[Tensor, Tensor | None]:
        """Maps `(M, D)` of x `(M, D)` from the mean over `starts (K, D)`; their L2 errors `(M,)`, NaN where unknown."""

    def values(self, model: nn.Module, x: Tensor, starts: Tensor, level: int = 0) -> Tensor:
        """The maps alone, checked: float64 on the CPU."""
        return self._checked(model, x, starts, level)[0]

    def check(self, axiom: Axiom, trial: Trial, level: int) -> tuple[Check, Tensor]:
        """A check at an accuracy, and its deviation `(M,)`: what goes beyond the errors that the maps declare."""
        slack = torch.zeros(len(trial.x), dtype=torch.float64)

        def ask(model: nn.Module, x: Tensor, starts: Tensor) -> Tensor:
            made, error = self._checked(model, x, starts, level)
            slack.add_(error * SURE)
            return made

        found = axiom.check(trial, ask)
        return found, found.deviation(slack)

    def _checked(self, model: nn.Module, x: Tensor, starts: Tensor, level: int) -> tuple[Tensor, Tensor]:
        made, error = self.maps(model, x.clone(), starts.clone(), level)
        if not isinstance(made, Tensor) or made.shape != x.shape:
            got = f"shape {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
            raise InputError(f"maps of shape {tuple(x.shape)} (that of x) from {self.name}", got)
        known = torch.zeros(len(x), dtype=torch.float64) if error is None else error.nan_to_num(0.0)
        return made.detach().cpu().double(), known


class AskedMethod(Asked):
    """A method, through the engine. Without a baseline it is taken to count from zero."""

    def __init__(self, method: Method, seed: int) -> None:
        if method.read is not None:
            remedy = "the axioms speak of features of the input: audit what is read there"
            raise InputError("a method that reads at the input", f"{method.name}, which reads at a layer", remedy)
        self.method, self.seed = method, seed
        self.name = method.name
        own = isinstance(method.budget, FixedBudget)
        self.budget = method.budget if isinstance(method.budget, FixedBudget) else FixedBudget(STEPS, Midpoint())
        self.levels = (2 if own else 3) if method.path.integrates else 1
        self.claims = claims_of(method)

    def setting(self, *, over_baselines: bool) -> Setting | None:
        if self.method.baseline is None:
            return None if over_baselines else Setting(from_zero=True)
        return Setting(draws=DRAWS if over_baselines else 1)

    def maps(self, model: nn.Module, x: Tensor, starts: Tensor, level: int) -> tuple[Tensor, Tensor | None]:
        fixed = self.method.path.integrates
        baseline = None
        if self.method.baseline is not None:
            baseline = Given(starts) if len(starts) == 1 else FromData(starts)
        found = attribute(
            Score(model.eval()),
            x,
            self.method,
            baseline=baseline,
            steps=self.budget.steps * FINER**level if fixed else None,
            rule=self.budget.rule if fixed else None,
            seed=self.seed,
        )
        return found.values, found.error_estimate


class AskedFunction(Asked):
    """A function that makes maps."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer, self.name = explainer, explainer.name
        self.levels = 1 + len(explainer.finer)
        self.claims = frozenset(explainer.claims)

    def setting(self, *, over_baselines: bool) -> Setting | None:
        return Setting(draws=DRAWS if over_baselines else 1)

    def maps(self, model: nn.Module, x: Tensor, starts: Tensor, level: int) -> tuple[Tensor, Tensor | None]:
        model = model.eval()
        if len(starts) > 1 and self.explainer.over is not None:
            return self.explainer.over(model, x, starts), None
        one = (self.explainer.one, *self.explainer.finer)[level]
        every = [one(model, x, start.expand_as(x).clone()) for start in starts]
        return every[0] if len(every) == 1 else torch.stack(every).mean(0), None


def asked(method: object, seed: int) -> Asked:
    """Something audited. Raises `InputError`."""
    if isinstance(method, Method):
        return AskedMethod(method, seed)
    if isinstance(method, Explainer):
        return AskedFunction(method)
    if callable(method) and not isinstance(method, type):
        if getattr(method, "__module__", "").startswith("gradline.methods"):
            raise InputError("a Method", repr(method), "call it, as in gl.methods.gradient()")
        return AskedFunction(Explainer(getattr(method, "__name__", type(method).__name__), method))
    remedy = "a method of gl.methods, or a function (model, x, baseline) -> maps"
    raise InputError("something that makes maps", type(method).__name__, remedy)


def claims_of(method: Method) -> frozenset[str]:
    """The axioms that follow from the parts of a method, over baselines too.

    Its sum law is completeness; the gradient times the move along a curve is a path method; on the straight line it is
    Integrated Gradients, which keeps all.
    """
    if method.law is not SumLaw.DIFFERENCE:
        return frozenset()
    claimed: tuple[str, ...] = ("completeness",)
    if isinstance(method.accumulator, GradientTimesMove) and isinstance(method.path, Curve):
        claimed += PATH_METHODS
        if isinstance(method.path, Straight):
            more = ("symmetry", "affine-scale-invariance", "proportionality", "non-decreasing-positivity")
            claimed += more
    return frozenset(name for base in claimed for name in (base, f"distributional-{base}"))
