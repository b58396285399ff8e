"""What is explained: the model, the scalar of its output, the place in the network, the input."""

from gradline.question.score import Score
from gradline.question.sites import Input, Site
from gradline.question.targets import Function, Logit, Predicted, Probability, Target

__all__ = ["Function", "Input", "Logit", "Predicted", "Probability", "Score", "Site", "Target"]
