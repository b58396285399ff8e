"""gradline: path attributions of PyTorch models that say how accurate they are.

>>> import gradline as gl
>>> a = gl.explain(model, x, target=243)          # doctest: +SKIP
"""

from gradline import methods
from gradline.adapters import ImageCase, demo_photo, explain_image, image_case
from gradline.core import baselines, rules
from gradline.core.method import Method
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
from gradline.question import Function, Input, Logit, Predicted, Probability, Score, Site, Target, sites, targets
from gradline.result import Attribution, Curve, Finding, load
from gradline.status import Status

__all__ = [
    "Attribution",
    "BaselineError",
    "Curve",
    "Finding",
    "Function",
    "GradlineError",
    "ImageCase",
    "Input",
    "InputError",
    "Logit",
    "MemoryBudgetError",
    "Method",
    "MissingExtra",
    "ModelError",
    "Predicted",
    "Probability",
    "Score",
    "Site",
    "SiteError",
    "Status",
    "StorageError",
    "Target",
    "TargetError",
    "attribute",
    "baselines",
    "demo_photo",
    "explain",
    "explain_image",
    "image_case",
    "load",
    "methods",
    "rules",
    "sites",
    "targets",
]
