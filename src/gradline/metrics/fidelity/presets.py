"""Published fidelity correlations as settings of `FidelityCorrelation`.

Each takes the sum of signed values, zero as the fill and the logit of the class, as most published code does; all of it
can be said otherwise.
"""

from __future__ import annotations

from gradline.core.baselines import Baseline, Zero
from gradline.metrics.fidelity.correlating import FidelityCorrelation
from gradline.metrics.fidelity.correlation import Correlation
from gradline.metrics.fidelity.masks import FixedUnits, RandomCells, RandomUnits, RankedGroups
from gradline.metrics.ranking import Sign
from gradline.metrics.units import Units
from gradline.question.targets.scales import Scale

ZERO = Zero()


def sensitivity_n(
    n: int, draws: int = 100, *, units: Units | None = None, fill: Baseline = ZERO, scale: Scale = Scale.LOGIT
) -> FidelityCorrelation:
    """Sensitivity-n: Pearson, over `draws` random subsets of exactly n units. Its curve is this for several n.

    Ancona et al. (2018). Quantus takes groups by rank instead and correlates across the images of a batch.
    """
    return FidelityCorrelation(FixedUnits(n, units), draws, fill, Correlation.PEARSON, Sign.SIGNED, scale)


def faithfulness_correlation(
    share: float = 0.1,
    draws: int = 100,
    *,
    units: Units | None = None,
    fill: Baseline = ZERO,
    scale: Scale = Scale.LOGIT,
) -> FidelityCorrelation:
    """Faithfulness correlation: Pearson, over random subsets of one size, a `share` of the units.

    Bhatt, Weller, Moura (2020). Quantus takes 224 values whatever the input, 0.15 % of a photo of 224² pixels, which is
    next to no signal, and the smallest value of the example as the fill.
    """
    return FidelityCorrelation(RandomUnits(share, units), draws, fill, Correlation.PEARSON, Sign.SIGNED, scale)


def mu_fidelity(
    grid: int = 9, share: float = 0.2, draws: int = 200, *, fill: Baseline = ZERO, scale: Scale = Scale.LOGIT
) -> FidelityCorrelation:
    """MuFidelity: Spearman, over grids whose cells are removed with probability `share` each; images.

    As in Xplique, after Bhatt, Weller, Moura (2020). The size of the masks varies and favours positive maps: see the
    part `area partialled`. Xplique shares the masks among the images and counts no correlation as 0.
    """
    return FidelityCorrelation(RandomCells(grid, share), draws, fill, Correlation.SPEARMAN, Sign.SIGNED, scale)


def faithfulness_estimate(
    groups: int = 100, *, units: Units | None = None, fill: Baseline = ZERO, scale: Scale = Scale.LOGIT
) -> FidelityCorrelation:
    """The faithfulness estimate: Pearson, over groups of units in the order of the map, each removed alone.

    Alvarez-Melis and Jaakkola (2018), who remove single features.
    """
    return FidelityCorrelation(
        RankedGroups(groups, units), fill=fill, correlation=Correlation.PEARSON, sign=Sign.SIGNED, scale=scale
    )
