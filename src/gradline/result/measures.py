"""What is measured of a map: every number that a result or a comparison carries, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A number about a map. `where`: how Python spells it. `range`: of its values, with the unit. `better`: which way.

    `cost`: what it takes beyond making the map. `source`: where it is defined.
    """

    name: str
    where: str
    meaning: str
    range: str
    better: str
    cost: str
    source: str


MEASURES: tuple[Measure, ...] = (
    Measure(
        "estimated-map-error",
        "a.error_estimate",
        "the L2 distance of the map from the exact one of the same question, relative to the map: what tol= is about. "
        "It is estimated from the gradients on the path, with what rounding and drawn baselines add; it bounds no "
        "single value, and no sum over a region",
        "0 to ∞; 0.05 is 5 %; NaN where nothing is known",
        "lower",
        "nothing",
        "the page on the error bar in gradline's documentation",
    ),
    Measure(
        "status",
        "a.status",
        "how the map ended: converged, budget_exhausted, fixed, flat, nonfinite or no_claim",
        "six words",
        "converged",
        "nothing",
        "gl.Status",
    ),
    Measure(
        "completeness-gap",
        "a.completeness_gap",
        "the sum of the values less what they should add up to, F(x) − F(x') for Integrated Gradients. No error bar: "
        "errors of both signs cancel in the sum, and a map that is wrong all over can have none",
        "−∞ to ∞, in units of the score",
        "nearer to 0",
        "one forward, for F(x')",
        "Sundararajan, Taly, Yan (2017), axiom of completeness",
    ),
    Measure(
        "rounding-error",
        'a.details["rounding_error"]',
        "what half precision does to the map: its gradients against those of a float32 copy of the model. It is part "
        "of the estimated map error",
        "0 to ∞, relative to the map; absent in float32 and float64",
        "lower",
        "a few gradients of the copy",
        "the page on the error bar in gradline's documentation",
    ),
    Measure(
        "standard-error",
        'a.details["standard_error"]',
        "how far the mean map would move with other draws of a random baseline: their scatter over the square root of "
        "their number. It is part of the estimated map error",
        "0 to ∞, relative to the map; absent without drawn baselines",
        "lower",
        "nothing",
        "the page on the error bar in gradline's documentation",
    ),
    Measure(
        "evaluations",
        "a.evaluations",
        "gradients of the score taken for the map",
        "whole number",
        "lower, at the same error",
        "it is the cost",
        "gl.Attribution",
    ),
    Measure(
        "forward-evaluations",
        "a.forward_evaluations",
        "forward passes taken for the map without a gradient; F(x), F(x') and checks of the model are not counted",
        "whole number",
        "lower, at the same error",
        "it is the cost",
        "gl.Attribution",
    ),
    Measure(
        "rank-agreement",
        "gl.compare(…).agreement(i)",
        "Spearman's rank correlation of two maps of one example, of signed contributions or of their sizes. High "
        "agreement does not make a map right; low agreement says that the choice of method or baseline matters",
        "−1 to 1; NaN for a constant map",
        "neither; 1 is the same order",
        "the other map",
        "Spearman (1904)",
    ),
)
"""In the order of importance."""
