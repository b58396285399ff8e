"""What is explained: the model, the scalar of its output, the place in the network, the input."""

from gradline.question.derivatives import Derivative, FiniteDifferences, GaussianSmoothing
from gradline.question.score import Score
from gradline.question.sites import Input, Layer, Site
from gradline.question.targets import (
    Box,
    Contrast,
    Element,
    Entropy,
    Entry,
    Function,
    LabelProbability,
    Logit,
    LogProbability,
    Loss,
    Margin,
    Neuron,
    Predicted,
    Probability,
    Region,
    Target,
    TokenSpan,
)

__all__ = [
    "Box",
    "Contrast",
    "Derivative",
    "Element",
    "Entropy",
    "Entry",
    "FiniteDifferences",
    "Function",
    "GaussianSmoothing",
    "Input",
    "LabelProbability",
    "Layer",
    "LogProbability",
    "Logit",
    "Loss",
    "Margin",
    "Neuron",
    "Predicted",
    "Probability",
    "Region",
    "Score",
    "Site",
    "Target",
    "TokenSpan",
]
