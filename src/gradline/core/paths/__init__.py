"""Ways through input space. A path asks for readings and tells steps; it never sees the model."""

from gradline.core.paths.at_input import AtInput
from gradline.core.paths.base import Budget, Curve, FixedBudget, OwnBudget, Path, ToleranceBudget
from gradline.core.paths.straight import Straight

__all__ = ["AtInput", "Budget", "Curve", "FixedBudget", "OwnBudget", "Path", "Straight", "ToleranceBudget"]
