"""Averages of first-order Taylor expansions."""

from gradline.core.accumulators import GradientTimesMove
from gradline.core.method import Method
from gradline.core.paths import GaussianRoots


def smooth_taylor(sigma: float = 0.5, roots: int = 150, *, relative: bool = False) -> Method:
    """A_i = 1/R Σ_r (x_i − z_ir) ∂F/∂x_i(z_r) over roots z_r = x + ε_r, ε_r ~ N(0, σ²) for each feature.

    `sigma`, above 0, in units of the model's input or, if `relative`, of max x − min x. R = `roots`, or as many as an
    accuracy asks for (`tol=`, the relative standard error of the map). In expectation −σ² E ∂²F/∂x_i²(x + ε): nothing
    for a linear F, whose map is noise. For a quadratic the sum is 2 (F(x) − E F(x + ε)); it claims none. Raises
    `InputError`.

    Goh, Lapuschkin, Weber, Samek, Binder (2020), eq. 8 to 10; "Smooth Integrated Gradients" in the first version. The
    theorem has the opposite sign of eq. 9 and of their code; this is that of eq. 9. Their draws are unseeded.
    `gl.search.adaptive_noising` looks for the best σ.
    """
    return Method("smooth-taylor", GaussianRoots(sigma, roots, relative), GradientTimesMove(), None, ("goh2020",))


smooth_integrated_gradients = smooth_taylor
"""The name of `smooth_taylor` in the first version of the paper."""
