"""Every law that applies to a part, over precisions, shapes of features and places in a network, in one call.

>>> from gradline.testing import conformance
>>> conformance(gl.methods.integrated_gradients())          # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from gradline.core.accumulators import Accumulator
from gradline.core.baselines import Baseline
from gradline.core.method import Method
from gradline.core.paths import Curve, Path
from gradline.core.rules import Rule
from gradline.errors import InputError
from gradline.question.derivatives import Derivative
from gradline.question.sites import Site
from gradline.question.targets import Target
from gradline.testing import casebook, part_laws
from gradline.testing.grounds import Case, called, grounds
from gradline.testing.quadrature_laws import Degree
from gradline.testing.target_laws import OUTPUTS, Output

Part = Method | Path | Baseline | Rule | Accumulator | Target | Site | Derivative


def conformance(
    part: Part,
    *,
    model: nn.Module | None = None,
    x: Tensor | None = None,
    output: Output | None = None,
    degree: Degree | None = None,
) -> None:
    """Check a part against every law that applies to it. Raises `AssertionError` naming the first that is broken.

    A law is tried in float64, float32 and (where points reach a model) bfloat16, on flat, sequence and image inputs, at
    the input, at a layer, at one that is bypassed, and read elsewhere than driven.

    `model`, `x (N, *F)`, N >= 3: try it on these, in x's precision, in place of the small nets of `nets`; x alone where
    the part takes inputs of one shape only. `output`: for a target, from numbers `(R, 12)` to what a model returns, in
    place of `target_laws.OUTPUTS`. `degree`: for a rule, from n to the highest degree that n nodes integrate exactly.

    Raises `InputError` if it is no part, or if none of the examples, models or outputs fits it.
    """
    for name, law in cases(part, model=model, x=x, output=output, degree=degree):
        try:
            law()
        except Exception as error:
            said = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            raise AssertionError(f"{called(part)} breaks {name}: {said}") from error


def cases(
    part: Part,
    *,
    model: nn.Module | None = None,
    x: Tensor | None = None,
    output: Output | None = None,
    degree: Degree | None = None,
) -> list[Case]:
    """The checks of `conformance`, each with its name, for `pytest.mark.parametrize`. Raises `InputError`."""
    among = grounds(model, x)
    match part:
        case Method():
            found = casebook.of_method(part, among)
        case Curve():
            found = casebook.of_curve(part)
        case Path():
            found = casebook.of_path(part)
        case Accumulator():
            found = casebook.of_accumulator(part)
        case Baseline():
            found = casebook.of_baseline(part, among)
        case Rule():
            found = casebook.of_rule(part, degree)
        case Target():
            found = casebook.of_target(part, {"given": output} if output else OUTPUTS, among)
        case Derivative():
            found = casebook.of_derivative(part)
        case Site():
            found = casebook.of_site(part, among)
        case _:
            remedy = f"make one: {part.__name__}(...)" if isinstance(part, type) else ""
            raise InputError(
                "a method, path, baseline, rule, accumulator, target, site or derivative", repr(part), remedy
            )
    return [("stands_for_itself", partial(part_laws.stands_for_itself, part)), *found]
