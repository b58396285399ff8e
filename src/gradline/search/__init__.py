"""What needs a metric, or many models, inside a method. An objective is a function of an attribution, to be made small.

They are loaded when they are first used.
"""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.search.geometric_draws import Combined as Combined
    from gradline.search.geometric_draws import geometric_ensemble as geometric_ensemble
    from gradline.search.noising import Objective as Objective
    from gradline.search.noising import adaptive_noising as adaptive_noising
    from gradline.search.objectives import ByMetric as ByMetric
    from gradline.search.objectives import by_metric as by_metric

_HOME = names_of(
    {
        "gradline.search.geometric_draws": "Combined geometric_ensemble",
        "gradline.search.noising": "Objective adaptive_noising",
        "gradline.search.objectives": "ByMetric by_metric",
    }
)

__all__ = sorted(_HOME)

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
