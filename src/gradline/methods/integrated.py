"""Integrated Gradients."""

from gradline.core.accumulators import GradientTimesMove
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.core.paths import Straight


def integrated_gradients() -> Method:
    """A_i = (x_i − x'_i) ∫₀¹ ∂F/∂x_i(x' + t (x − x')) dt. Values add up to F(x) − F(x').

    Sundararajan, Taly, Yan (2017), eq. 1. The paper sums 20 to 300 right-hand nodes; by default here the number of
    nodes follows from the accuracy asked for.
    """
    return Method("integrated-gradients", Straight(), GradientTimesMove(), Zero(), ("sundararajan2017",))
