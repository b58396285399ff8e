"""Sanity checks: does a map depend on the model, the class and the baseline, and do metrics notice maps that do not?

Checks that judge maps are metrics: `gl.evaluate(gl.sanity.ParameterRandomisation(), score, x, map, explainer=method)`.
They are loaded when they are first used.
"""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.sanity import tasks as tasks
    from gradline.sanity.across_baselines import BaselineSensitivity as BaselineSensitivity
    from gradline.sanity.across_baselines import baseline_sensitivity as baseline_sensitivity
    from gradline.sanity.axioms.auditing import AXIOMS as AXIOMS
    from gradline.sanity.axioms.auditing import audit as audit
    from gradline.sanity.axioms.base import Axiom as Axiom
    from gradline.sanity.axioms.explainers import Explainer as Explainer
    from gradline.sanity.axioms.lipschitz import Jump as Jump
    from gradline.sanity.axioms.lipschitz import LipschitzBound as LipschitzBound
    from gradline.sanity.axioms.lipschitz import ig_lipschitz_bound as ig_lipschitz_bound
    from gradline.sanity.axioms.lipschitz import max_jump as max_jump
    from gradline.sanity.axioms.verdicts import Answer as Answer
    from gradline.sanity.axioms.verdicts import Audit as Audit
    from gradline.sanity.axioms.verdicts import Counterexample as Counterexample
    from gradline.sanity.axioms.verdicts import Verdict as Verdict
    from gradline.sanity.controls import CONTROLS as CONTROLS
    from gradline.sanity.controls import Centre as Centre
    from gradline.sanity.controls import ConstantMap as ConstantMap
    from gradline.sanity.controls import Control as Control
    from gradline.sanity.controls import Edges as Edges
    from gradline.sanity.controls import Inverted as Inverted
    from gradline.sanity.controls import RandomMap as RandomMap
    from gradline.sanity.controls import centre as centre
    from gradline.sanity.controls import constant as constant
    from gradline.sanity.controls import edges as edges
    from gradline.sanity.controls import inverted as inverted
    from gradline.sanity.controls import random_map as random_map
    from gradline.sanity.layers import layer_order as layer_order
    from gradline.sanity.model_perturbation import ModelPerturbation as ModelPerturbation
    from gradline.sanity.random_logit import RandomLogit as RandomLogit
    from gradline.sanity.random_logit import Rival as Rival
    from gradline.sanity.randomisation import EntropyChange as EntropyChange
    from gradline.sanity.randomisation import Order as Order
    from gradline.sanity.randomisation import ParameterRandomisation as ParameterRandomisation
    from gradline.sanity.refilling import Refill as Refill
    from gradline.sanity.similarities import HOG as HOG
    from gradline.sanity.similarities import SSIM as SSIM
    from gradline.sanity.similarities import USUAL as USUAL
    from gradline.sanity.similarities import Cosine as Cosine
    from gradline.sanity.similarities import Pearson as Pearson
    from gradline.sanity.similarities import Similarity as Similarity
    from gradline.sanity.similarities import Spearman as Spearman
    from gradline.sanity.similarities import TopK as TopK
    from gradline.sanity.similarities import similarity as similarity

_HOME = names_of(
    {
        "gradline.sanity.across_baselines": "BaselineSensitivity baseline_sensitivity",
        "gradline.sanity.axioms.auditing": "AXIOMS audit",
        "gradline.sanity.axioms.base": "Axiom",
        "gradline.sanity.axioms.explainers": "Explainer",
        "gradline.sanity.axioms.lipschitz": "Jump LipschitzBound ig_lipschitz_bound max_jump",
        "gradline.sanity.axioms.verdicts": "Answer Audit Counterexample Verdict",
        "gradline.sanity.controls": "CONTROLS Centre ConstantMap Control Edges Inverted RandomMap centre "
        "constant edges inverted random_map",
        "gradline.sanity.layers": "layer_order",
        "gradline.sanity.model_perturbation": "ModelPerturbation",
        "gradline.sanity.random_logit": "RandomLogit Rival",
        "gradline.sanity.randomisation": "EntropyChange Order ParameterRandomisation",
        "gradline.sanity.refilling": "Refill",
        "gradline.sanity.similarities": "Cosine HOG Pearson SSIM Similarity Spearman TopK USUAL similarity",
        "gradline.sanity.tasks": "tasks",
    }
)

__all__ = sorted(_HOME)

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
