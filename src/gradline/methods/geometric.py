"""Gradients met while climbing the score from points of the straight path."""

from gradline.core.accumulators import Accumulator, Gradient, GradientTimesMove, Maximum
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.core.paths import Climbing, FixedBudget
from gradline.core.rules import Trapezoid

POINTS = FixedBudget(51, Trapezoid())
"""Both ends of the path and 49 points between them, as in the authors' code."""


def geometrically_guided_maximum(
    iterations: int = 100, step: float = 1e-4, *, absolute: bool = False, as_published: bool = False
) -> Method:
    """A_i = max_k max_j g_kj,i: the largest gradient met on ascents from 51 points of the straight path ("GGIG-Max").

    z_k0 = x' + t_k (x − x'), z_k,j+1 = z_kj + η g_kj, g_kj = ∇F(z_kj), j = 0 … K − 1 with K = `iterations`, η = `step`;
    the maximum is signed, or of |g| if `absolute`. K = 1 is the maximum over scaled inputs. Costs 51 K gradients.
    `steps=` changes the number of points; with `rule=gl.rules.Trapezoid` they include both ends, else they are
    midpoints. Not multiplied by x − x'. Claims no sum. A signed maximum of n gradients with noise of standard deviation
    σ is too high by about σ √(2 ln n), everywhere; what counts against the class is hidden.

    Rahman, Lewis, Plis (2022), after the first author's code: 51 points with both ends, K = 100 for ImageNet, 200 for
    small images, η = 1e-4. Here an ascent that is no longer finite stops, and is reported; theirs goes on, and NaN
    becomes 0 (infinity the largest number) in the maximum of its point: `as_published`. Nothing else differs.
    """
    path = Climbing(iterations, step, absolute, stops=not as_published)
    return _method("geometrically-guided-maximum", path, Maximum(absolute))


def geometrically_guided_integrated_gradients(
    iterations: int = 100,
    step: float = 1e-4,
    *,
    absolute: bool = False,
    multiply: bool = False,
    as_published: bool = False,
) -> Method:
    """A_i = ∫₀¹ max_j g_j,i(t) dt: the mean over the straight path of the largest gradient met on an ascent from each
    of 51 points ("GGIG-IG").

    Parameters and source as for `geometrically_guided_maximum`. `multiply`: times x_i − x'_i, which the authors leave
    out for images; with K = 1 that is Integrated Gradients. Claims no sum.
    """
    path = Climbing(iterations, step, absolute, stops=not as_published)
    accumulator = GradientTimesMove() if multiply else Gradient()
    return _method("geometrically-guided-integrated-gradients", path, accumulator)


def _method(name: str, path: Climbing, accumulator: Accumulator) -> Method:
    return Method(name, path, accumulator, Zero(), ("rahman2022",), budget=POINTS)
