"""Ways through input space. A path asks for readings and tells steps; it never sees the model."""

from gradline.core.paths.anchored import Anchored
from gradline.core.paths.at_input import AtInput
from gradline.core.paths.base import Budget, Curve, FixedBudget, OwnBudget, Path, ToleranceBudget
from gradline.core.paths.climbing import Climbing
from gradline.core.paths.discrete import Discretized, Strategy, UniformDiscretized
from gradline.core.paths.roots import GaussianRoots
from gradline.core.paths.saturation import Saturation, Threshold
from gradline.core.paths.sequential import Sequential
from gradline.core.paths.straight import Straight

__all__ = [
    "Anchored",
    "AtInput",
    "Budget",
    "Climbing",
    "Curve",
    "Discretized",
    "FixedBudget",
    "GaussianRoots",
    "OwnBudget",
    "Path",
    "Saturation",
    "Sequential",
    "Straight",
    "Strategy",
    "Threshold",
    "ToleranceBudget",
    "UniformDiscretized",
]
