"""How much an attribution may cost: exactly one of a tolerance, a number of steps, or the method's own budget."""

from __future__ import annotations

import math
from inspect import isabstract
from numbers import Integral, Real

from gradline.core.adaptive import FIRST
from gradline.core.method import Method
from gradline.core.paths import Budget, FixedBudget, OwnBudget, ToleranceBudget
from gradline.core.rules import Midpoint, Rule
from gradline.errors import InputError

DEFAULT_TOL = 0.05


def choose_budget(
    method: Method, tol: float | None, steps: int | None, rule: Rule | type[Rule] | None, max_evaluations: int
) -> Budget:
    """The budget that the arguments of a call stand for. Raises `InputError`."""
    if tol is not None and steps is not None:
        raise InputError("either tol= (an accuracy) or steps= (a cost), not both", f"tol={tol}, steps={steps}")
    if method.read is not None and not method.path.integrates:
        raise InputError(f"no read= for {method.name}, which has no path; explain at the layer with site=gl.Layer(…)")
    if isinstance(method.stages, bool) or not isinstance(method.stages, Integral) or method.stages < 0:
        raise InputError("stages of a method as a whole number of at least 0", repr(method.stages))
    if not method.path.integrates:
        if method.stages:
            raise InputError(f"no stages for {method.name}, which has no path")
        given = [f"{k}=" for k, v in {"tol": tol, "steps": steps, "rule": rule}.items() if v is not None]
        if given:
            raise InputError(f"{method.name} reads one gradient and integrates nothing: leave {', '.join(given)} out")
        return OwnBudget()
    if steps is not None:
        return FixedBudget(_check_count("steps", steps, 1), _check_rule(rule, steps))
    if rule is not None:
        raise InputError("steps= together with rule=", "rule= alone", "a tolerance chooses its own nodes")
    if not method.estimates:
        raise InputError(f"steps= for {method.name}, which has no error estimate", "no steps")
    tol = DEFAULT_TOL if tol is None else tol
    if isinstance(tol, bool) or not isinstance(tol, Real) or not (0 < tol < 1) or math.isnan(tol):
        raise InputError("tol between 0 and 1, a relative error of the map", f"tol={tol!r}", "5 % is tol=0.05")
    most = _check_count("max_evaluations", max_evaluations, FIRST * method.draws)
    return ToleranceBudget(float(tol), most)


def _check_count(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name} as a whole number of at least {least}", f"{value!r}")
    return int(value)


def _check_rule(rule: Rule | type[Rule] | None, steps: int) -> Rule:
    chosen = Midpoint() if rule is None else rule
    if isinstance(chosen, type) and issubclass(chosen, Rule) and not isabstract(chosen):
        chosen = chosen()
    if not isinstance(chosen, Rule):
        raise InputError("rule as one of gl.rules, such as gl.rules.GaussLegendre", repr(rule))
    chosen.check(steps)
    return chosen
