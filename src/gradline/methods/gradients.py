"""Comparators without a path: one gradient, at the input."""

from gradline.core.accumulators import Gradient, GradientTimesMove
from gradline.core.method import Method
from gradline.core.paths import AtInput


def gradient() -> Method:
    """A_i = ∂F/∂x_i(x), signed. Simonyan, Vedaldi, Zisserman (2014), section 3, who show its absolute maximum
    over the channels. Claims no sum."""
    return Method("gradient", AtInput(), Gradient(), None, ("simonyan2014",))


def gradient_x_input() -> Method:
    """A_i = x_i ∂F/∂x_i(x). Shrikumar et al. (2016). Adds up to F(x) only where F is homogeneous of degree one, so it
    claims no sum."""
    return Method("gradient-x-input", AtInput(), GradientTimesMove(), None, ("shrikumar2016",))
