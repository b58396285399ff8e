"""Photos: from a file to an attribution in one call."""

from __future__ import annotations

from typing import Any

from gradline.adapters.classes import class_index
from gradline.adapters.display import STAGES, shown
from gradline.adapters.models import ImageModel
from gradline.adapters.recipe import python_call
from gradline.adapters.vision import ImageCase, image_case
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.errors import TargetError
from gradline.methods import integrated_gradients
from gradline.question import Score
from gradline.question.targets import TargetLike
from gradline.result import Attribution


def explain_image(
    photo: Any,
    *,
    model: str | ImageModel = "efficientnet-lite0",
    target: TargetLike | str = None,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution:
    """Explain what a model saw in a photo; the map has shape `(1, C, H, W)`.

    `photo`: a path, a PIL image or a uint8 array. `model`: a name, as in `gradline explain --model`, or an
    `ImageModel`. `target`: also the name of a class, "tabby cat", for its logit. `baseline`: default black, or that of
    a method that was moved to another one. The rest as in `gradline.attribute`. The result knows the photo: it shows
    itself in a notebook, and `a.save("map.html")` writes the report.
    """
    return explain_case(
        image_case(photo, model),
        target=target,
        method=method,
        baseline=baseline,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        seed=seed,
        memory=memory,
        progress=progress,
        python=python_call(
            photo,
            model=model,
            target=target,
            method=method,
            baseline=baseline,
            tol=tol,
            steps=steps,
            rule=rule,
            max_evaluations=max_evaluations,
            memory=memory,
            seed=seed,
        ),
    )


def explain_case(
    case: ImageCase,
    *,
    target: TargetLike | str = None,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
    command: str = "",
    python: str = "",
) -> Attribution:
    """The same for a photo that was read before. `command`, `python`: what the report says would repeat it."""
    if isinstance(target, list | tuple):
        raise TargetError("one target for a photo", f"{len(target)} of them", "explain it once for each")
    wanted = class_index(case, target) if isinstance(target, str) else target
    case.candidates(1)  # a wrong number of names is found before the work is done
    chosen = integrated_gradients() if method is None else method
    has_path = isinstance(chosen, Method) and chosen.baseline is not None
    own = chosen.baseline if has_path and chosen.baseline != Zero() else None  # zero is every method's, black a photo's
    start = case.baseline(own if baseline is None else baseline) if has_path or baseline is not None else None
    a = attribute(
        Score(case.model.model, wanted),
        case.x,
        chosen.in_stages(STAGES) if has_path and chosen.path.staged and not chosen.stages else chosen,
        baseline=start,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        names=[case.name],
        seed=seed,
        memory=memory,
        progress=progress,
    )
    return shown(
        case,
        a,
        title=case.title(wanted),
        method=chosen,
        baseline=start,
        target=wanted,
        seed=seed,
        command=command,
        python=python,
    )
