"""gradline: path attributions of PyTorch models that say how accurate they are.

>>> import gradline as gl
>>> a = gl.explain(model, x, target=243)          # doctest: +SKIP

Every name is loaded when it is first used, so that the command line answers before PyTorch is there.
"""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline import methods as methods
    from gradline import metrics as metrics
    from gradline import neurons as neurons
    from gradline import plots as plots
    from gradline import post as post
    from gradline import report as report
    from gradline import sanity as sanity
    from gradline import search as search
    from gradline.adapters import ImageCase as ImageCase
    from gradline.adapters import demo_photo as demo_photo
    from gradline.adapters import explain_image as explain_image
    from gradline.adapters import explain_region as explain_region
    from gradline.adapters import image_case as image_case
    from gradline.adapters import models as models
    from gradline.adapters import series as series
    from gradline.adapters import tabular as tabular
    from gradline.adapters import text as text
    from gradline.adapters.series import explain_series as explain_series
    from gradline.adapters.tabular import explain_table as explain_table
    from gradline.adapters.text import explain_text as explain_text
    from gradline.adapters.xray import xray_photo as xray_photo
    from gradline.comparison import Comparison as Comparison
    from gradline.comparison import compare as compare
    from gradline.core import accumulators as accumulators
    from gradline.core import baselines as baselines
    from gradline.core import paths as paths
    from gradline.core import rules as rules
    from gradline.core.method import Method as Method
    from gradline.diagnosis import Diagnosis as Diagnosis
    from gradline.diagnosis import doctor as doctor
    from gradline.engine import attribute as attribute
    from gradline.engine import explain as explain
    from gradline.errors import BaselineError as BaselineError
    from gradline.errors import GradlineError as GradlineError
    from gradline.errors import InputError as InputError
    from gradline.errors import MemoryBudgetError as MemoryBudgetError
    from gradline.errors import MissingExtra as MissingExtra
    from gradline.errors import ModelError as ModelError
    from gradline.errors import SiteError as SiteError
    from gradline.errors import StorageError as StorageError
    from gradline.errors import TargetError as TargetError
    from gradline.evaluation import Leaderboard as Leaderboard
    from gradline.evaluation import evaluate as evaluate
    from gradline.evaluation import leaderboard as leaderboard
    from gradline.metrics import Evaluation as Evaluation
    from gradline.metrics import Metric as Metric
    from gradline.question import Box as Box
    from gradline.question import Contrast as Contrast
    from gradline.question import Element as Element
    from gradline.question import Entropy as Entropy
    from gradline.question import Entry as Entry
    from gradline.question import Function as Function
    from gradline.question import Input as Input
    from gradline.question import LabelProbability as LabelProbability
    from gradline.question import Layer as Layer
    from gradline.question import Logit as Logit
    from gradline.question import LogProbability as LogProbability
    from gradline.question import Loss as Loss
    from gradline.question import Margin as Margin
    from gradline.question import Neuron as Neuron
    from gradline.question import Predicted as Predicted
    from gradline.question import Probability as Probability
    from gradline.question import Region as Region
    from gradline.question import Score as Score
    from gradline.question import Site as Site
    from gradline.question import Target as Target
    from gradline.question import TokenSpan as TokenSpan
    from gradline.question import derivatives as derivatives
    from gradline.question import sites as sites
    from gradline.question import targets as targets
    from gradline.result import Attribution as Attribution
    from gradline.result import Curve as Curve
    from gradline.result import Finding as Finding
    from gradline.result import load as load
    from gradline.status import Status as Status

_HOME = names_of(
    {
        "gradline.adapters": "ImageCase demo_photo explain_image explain_region image_case",
        "gradline.adapters.models": "models",
        "gradline.adapters.series": "explain_series series",
        "gradline.adapters.tabular": "explain_table tabular",
        "gradline.adapters.text": "explain_text text",
        "gradline.adapters.xray": "xray_photo",
        "gradline.comparison": "Comparison compare",
        "gradline.core.accumulators": "accumulators",
        "gradline.core.baselines": "baselines",
        "gradline.core.method": "Method",
        "gradline.core.paths": "paths",
        "gradline.core.rules": "rules",
        "gradline.diagnosis": "Diagnosis doctor",
        "gradline.engine": "attribute explain",
        "gradline.errors": "BaselineError GradlineError InputError MemoryBudgetError MissingExtra ModelError SiteError "
        "StorageError TargetError",
        "gradline.evaluation": "Leaderboard evaluate leaderboard",
        "gradline.methods": "methods",
        "gradline.metrics": "metrics",
        "gradline.metrics.base": "Evaluation Metric",
        "gradline.neurons": "neurons",
        "gradline.plots": "plots",
        "gradline.post": "post",
        "gradline.question": "Box Contrast Element Entropy Entry Function Input LabelProbability Layer LogProbability "
        "Logit Loss Margin Neuron Predicted Probability Region Score Site Target "
        "TokenSpan",
        "gradline.question.derivatives": "derivatives",
        "gradline.question.sites": "sites",
        "gradline.question.targets": "targets",
        "gradline.report": "report",
        "gradline.sanity": "sanity",
        "gradline.search": "search",
        "gradline.result": "Attribution Curve Finding load",
        "gradline.status": "Status",
    }
)
"""What is public, and the module it lives in."""

__all__ = sorted(_HOME)

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
