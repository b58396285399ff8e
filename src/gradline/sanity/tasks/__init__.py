"""Examples whose right map is known: what a metric has to tell from chance before it may rank anything.

By a formula (`linear`, `gates`, `pertinent_negatives`, `shattered`, `saturated`, `interaction`, `quadratic`,
`uncertainty`, `words`), or by a small network that was trained here so that only one part of a picture says the class,
which is checked by exchanging that part (`planted_patch`, `decoy`, `without_decoy`). Made once, when first called.
"""

from collections.abc import Callable

from gradline.sanity.tasks.base import Task
from gradline.sanity.tasks.decoys import decoy, without_decoy
from gradline.sanity.tasks.formulas import (
    gates,
    interaction,
    linear,
    pertinent_negatives,
    quadratic,
    saturated,
    shattered,
    uncertainty,
)
from gradline.sanity.tasks.patches import planted_patch
from gradline.sanity.tasks.words import words

EVERY: dict[str, Callable[[], Task]] = {
    "linear": linear,
    "gates": gates,
    "pertinent negatives": pertinent_negatives,
    "shattered": shattered,
    "saturated": saturated,
    "interaction": interaction,
    "quadratic": quadratic,
    "uncertainty": uncertainty,
    "words": words,
    "planted patch": planted_patch,
    "decoy": decoy,
    "without decoy": without_decoy,
}
"""All tasks by name."""

__all__ = [
    "EVERY",
    "Task",
    "decoy",
    "gates",
    "interaction",
    "linear",
    "pertinent_negatives",
    "planted_patch",
    "quadratic",
    "saturated",
    "shattered",
    "uncertainty",
    "without_decoy",
    "words",
]
