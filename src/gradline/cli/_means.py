"""What the explanations of one command have in common: words of the command line become things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradline.cli import _names
from gradline.cli._request import Request
from gradline.errors import InputError

if TYPE_CHECKING:
    from gradline.adapters import ImageCase
    from gradline.adapters.models import ImageModel
    from gradline.core.baselines import Baseline
    from gradline.core.method import Method
    from gradline.question.targets import TargetLike


@dataclass(frozen=True, eq=False)
class Means:
    """What the explanations of one command have in common: the model, the method and its parts."""

    model: ImageModel
    method: Method
    baseline: Baseline | None
    target: int | None

    @classmethod
    def of(cls, request: Request) -> Means:
        """Words become things; what cannot be is refused before PyTorch is loaded."""
        check_words(request)
        from gradline import methods

        baseline = None if request.baseline is None else _names.baseline(request.baseline)
        method = methods.by_name(request.method)
        from gradline.adapters.classes import class_index
        from gradline.adapters.models import image_model

        model = image_model(
            request.model, weights=request.weights, preprocessing=request.preprocess, classes=request.classes
        )
        target = None if request.target is None else class_index(model, request.target)
        return cls(model, method, baseline, target)


def check_words(request: Request) -> None:
    """Raise `InputError` for names that do not exist and options that do not go together."""
    from gradline.methods.catalogue import find

    _names.check_methods([request.method])
    entry = find(request.method)
    assert entry is not None
    if request.rule is not None:
        _names.check("a rule", request.rule, _names.RULES)
    if request.baseline is not None:
        _names.check("a baseline", request.baseline, _names.BASELINES)
    if request.tol is not None and request.steps is not None:
        raise InputError("either --tol, an accuracy, or --steps, a cost, and not both")
    if request.rule is not None and request.steps is None:
        raise InputError("--steps together with --rule", remedy="an accuracy chooses its own nodes")
    if request.baseline is not None and not entry.baseline:
        raise InputError(f"no --baseline for {entry.name}, which has no baseline")
    if request.tol is not None and not entry.tolerance:
        raise InputError(f"no --tol for {entry.name}, whose error cannot be estimated")


def explained(request: Request, means: Means, case: ImageCase) -> tuple[int, TargetLike]:
    """The class, and the target that stands for it: None for the prediction, unless a scale was asked for."""
    from gradline.question import Probability

    index = int(case.probabilities().argmax()) if means.target is None else means.target
    return index, Probability(index) if request.probability else means.target
