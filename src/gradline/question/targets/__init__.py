"""The scalar that is explained: one number for each row of the model's output."""

from gradline.question.targets.base import Target
from gradline.question.targets.box import Box
from gradline.question.targets.classes import (
    ClassTarget,
    LabelProbability,
    Logit,
    LogProbability,
    Margin,
    Predicted,
    Probability,
)
from gradline.question.targets.combined import Contrast, Entry
from gradline.question.targets.convert import TargetLike, as_target
from gradline.question.targets.elements import Element, Neuron
from gradline.question.targets.entropy import Entropy
from gradline.question.targets.functions import Function, Loss
from gradline.question.targets.region import Region
from gradline.question.targets.spans import TokenSpan

__all__ = [
    "Box",
    "ClassTarget",
    "Contrast",
    "Element",
    "Entropy",
    "Entry",
    "Function",
    "LabelProbability",
    "LogProbability",
    "Logit",
    "Loss",
    "Margin",
    "Neuron",
    "Predicted",
    "Probability",
    "Region",
    "Target",
    "TargetLike",
    "TokenSpan",
    "as_target",
]
