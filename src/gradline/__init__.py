"""gradline: path attributions of PyTorch models that say how accurate they are.

>>> import gradline as gl
>>> a = gl.explain(model, x, target=243)          # doctest: +SKIP
"""

from gradline import methods
from gradline.adapters import ImageCase, demo_photo, explain_image, image_case
from gradline.core import accumulators, baselines, paths, rules
from gradline.core.method import Method
from gradline.diagnosis import Diagnosis, doctor
from gradline.engine import attribute, explain
from gradline.errors import (
    BaselineError,
    GradlineError,
    InputError,
    MemoryBudgetError,
    MissingExtra,
    ModelError,
    SiteError,
    StorageError,
    TargetError,
)
from gradline.question import (
    Box,
    Contrast,
    Element,
    Entry,
    Function,
    Input,
    LabelProbability,
    Layer,
    Logit,
    LogProbability,
    Loss,
    Margin,
    Neuron,
    Predicted,
    Probability,
    Region,
    Score,
    Site,
    Target,
    derivatives,
    sites,
    targets,
)
from gradline.result import Attribution, Curve, Finding, load
from gradline.status import Status

__all__ = [
    "Attribution",
    "BaselineError",
    "Box",
    "Contrast",
    "Curve",
    "Diagnosis",
    "Element",
    "Entry",
    "Finding",
    "Function",
    "GradlineError",
    "ImageCase",
    "Input",
    "InputError",
    "LabelProbability",
    "Layer",
    "LogProbability",
    "Logit",
    "Loss",
    "Margin",
    "MemoryBudgetError",
    "Method",
    "MissingExtra",
    "ModelError",
    "Neuron",
    "Predicted",
    "Probability",
    "Region",
    "Score",
    "Site",
    "SiteError",
    "Status",
    "StorageError",
    "Target",
    "TargetError",
    "accumulators",
    "attribute",
    "baselines",
    "demo_photo",
    "derivatives",
    "doctor",
    "explain",
    "explain_image",
    "image_case",
    "load",
    "methods",
    "paths",
    "rules",
    "sites",
    "targets",
]
