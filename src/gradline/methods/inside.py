"""Methods that walk at the input and read at a layer inside."""

from gradline.core.accumulators import Gradient, GradientTimesMove
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.core.paths import Straight


def conductance(layer: object) -> Method:
    """A_j = ∫₀¹ ∂F/∂h_j · dh_j/dt dt for the outputs h of a layer, a `gl.Layer`, along the straight path at the input.

    Values add up to F(x) − F(x') where all of the score passes through the layer; a finding says how much goes past it.
    Total conductance of Dhamdhere, Sundararajan, Yan (2019), in the form of Shrikumar, Su, Kundaje (2018,
    arXiv:1807.09946). dh/dt is exact, by forward mode; published code takes differences of h between
    nodes, and with open rules loses both ends of the path.
    """
    return Method("conductance", Straight(), GradientTimesMove(), Zero(), ("dhamdhere2018", "shrikumar2018"), layer)


def internal_influence(layer: object) -> Method:
    """A_j = ∫₀¹ ∂F/∂h_j dt for the outputs h of a layer, a `gl.Layer`, along the straight path at the input.

    Leino, Sen, Datta, Fredrikson, Li (2018), definition 1 with the uniform distribution on the path. Claims no sum.
    """
    return Method("internal-influence", Straight(), Gradient(), Zero(), ("leino2018",), layer)
