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
        asked = {"steps": steps, "rule": rule} | ({} if method.estimates else {"tol": tol})
        given = [f"{k}=" for k, v in asked.items() if v is not None]
        if given:
            raise InputError(f"{method.name} follows no path and integrates nothing: leave {', '.join(given)} out")
        return OwnBudget() if tol is None else _tolerance(method, tol, max_evaluations)
    if steps is not None:
        return FixedBudget(_check_count("steps", steps, 1), _check_rule(rule, steps))
    if rule is not None:
        raise InputError("steps= together with rule=", "rule= alone", "a tolerance chooses its own nodes")
    if not method.estimates and (tol is not None or method.budget is None):
        got = "no steps" if tol is None else f"tol={tol}"
        raise InputError(f"steps= for {method.name}, which has no error estimate", got)
    if tol is None and method.budget is not None:
        return method.budget
    return _tolerance(method, DEFAULT_TOL if tol is None else tol, max_evaluations)


def _tolerance(method: Method, tol: float, max_evaluations: int) -> ToleranceBudget:
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
