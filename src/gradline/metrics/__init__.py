"""Numbers that tell good maps from bad. A metric is a frozen dataclass; `gl.evaluate(metric, score, x, map)` runs it.

Metrics are loaded when they are first used; `gradline.metrics.catalogue` says what there is without PyTorch.
`presets`: every setting as in one paper or library. `variants`: those of the information curves.
"""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.metrics import presets as presets
    from gradline.metrics.asking import Ask as Ask
    from gradline.metrics.asking import AskOf as AskOf
    from gradline.metrics.base import Evaluation as Evaluation
    from gradline.metrics.base import Kind as Kind
    from gradline.metrics.base import Metric as Metric
    from gradline.metrics.base import Need as Need
    from gradline.metrics.curves.ablation import InformationConservingAblation as InformationConservingAblation
    from gradline.metrics.curves.area import Area as Area
    from gradline.metrics.curves.area import Ends as Ends
    from gradline.metrics.curves.area import Relative as Relative
    from gradline.metrics.curves.area import Rule as Rule
    from gradline.metrics.curves.between import AreaBetweenCurves as AreaBetweenCurves
    from gradline.metrics.curves.between import ClippedAreaBetweenCurves as ClippedAreaBetweenCurves
    from gradline.metrics.curves.between import DiffID as DiffID
    from gradline.metrics.curves.between import DiffIDOfRest as DiffIDOfRest
    from gradline.metrics.curves.deletion import Deletion as Deletion
    from gradline.metrics.curves.deletion import Insertion as Insertion
    from gradline.metrics.curves.deletion import InsertionMinusDeletion as InsertionMinusDeletion
    from gradline.metrics.curves.deletion import TwoFillDifference as TwoFillDifference
    from gradline.metrics.curves.fills import Grey as Grey
    from gradline.metrics.curves.fills import Minimum as Minimum
    from gradline.metrics.curves.fills import ReflectedBlur as ReflectedBlur
    from gradline.metrics.curves.fills import ZeroPaddedBlur as ZeroPaddedBlur
    from gradline.metrics.curves.magnitude import MagnitudeAligned as MagnitudeAligned
    from gradline.metrics.curves.sweep import First as First
    from gradline.metrics.curves.sweep import Percentiles as Percentiles
    from gradline.metrics.curves.sweep import Steps as Steps
    from gradline.metrics.fidelity.correlating import FidelityCorrelation as FidelityCorrelation
    from gradline.metrics.fidelity.correlation import Correlation as Correlation
    from gradline.metrics.fidelity.infidelity import Form as Form
    from gradline.metrics.fidelity.infidelity import Infidelity as Infidelity
    from gradline.metrics.fidelity.masks import Cells as Cells
    from gradline.metrics.fidelity.masks import FixedCells as FixedCells
    from gradline.metrics.fidelity.masks import FixedUnits as FixedUnits
    from gradline.metrics.fidelity.masks import Masks as Masks
    from gradline.metrics.fidelity.masks import RandomCells as RandomCells
    from gradline.metrics.fidelity.masks import RandomUnits as RandomUnits
    from gradline.metrics.fidelity.masks import RankedGroups as RankedGroups
    from gradline.metrics.fidelity.perturbations import BaselineSubset as BaselineSubset
    from gradline.metrics.fidelity.perturbations import GaussianNoise as GaussianNoise
    from gradline.metrics.fidelity.perturbations import Perturbations as Perturbations
    from gradline.metrics.fidelity.perturbations import Squares as Squares
    from gradline.metrics.information import variants as variants
    from gradline.metrics.information.curve import AIC as AIC
    from gradline.metrics.information.curve import SIC as SIC
    from gradline.metrics.information.curve import Pooled as Pooled
    from gradline.metrics.information.curve import pooled as pooled
    from gradline.metrics.information.variants import InformationVariant as InformationVariant
    from gradline.metrics.information.variants import Pooling as Pooling
    from gradline.metrics.places.localisation import LocalisationAUC as LocalisationAUC
    from gradline.metrics.places.localisation import PointingGame as PointingGame
    from gradline.metrics.places.localisation import PolarityAgreement as PolarityAgreement
    from gradline.metrics.places.localisation import RelevanceMass as RelevanceMass
    from gradline.metrics.places.localisation import RelevanceRank as RelevanceRank
    from gradline.metrics.places.mosaic import Focus as Focus
    from gradline.metrics.places.mosaic import Mosaics as Mosaics
    from gradline.metrics.places.mosaic import mosaics as mosaics
    from gradline.metrics.ranking import Sign as Sign
    from gradline.metrics.regions.irof import IROF as IROF
    from gradline.metrics.regions.perturbation import PerturbationScore as PerturbationScore
    from gradline.metrics.regions.perturbation import RegionPerturbation as RegionPerturbation
    from gradline.metrics.regions.road import ROAD as ROAD
    from gradline.metrics.robustness.noise import InputNoise as InputNoise
    from gradline.metrics.robustness.noise import NormalNoise as NormalNoise
    from gradline.metrics.robustness.noise import UniformNoise as UniformNoise
    from gradline.metrics.robustness.noise import UniformShare as UniformShare
    from gradline.metrics.robustness.stability import Against as Against
    from gradline.metrics.robustness.stability import AverageSensitivity as AverageSensitivity
    from gradline.metrics.robustness.stability import Change as Change
    from gradline.metrics.robustness.stability import LocalLipschitz as LocalLipschitz
    from gradline.metrics.robustness.stability import MaxSensitivity as MaxSensitivity
    from gradline.metrics.robustness.stability import RelativeStability as RelativeStability
    from gradline.metrics.shape.completeness import Completeness as Completeness
    from gradline.metrics.shape.complexity import Complexity as Complexity
    from gradline.metrics.shape.complexity import EffectiveFeatures as EffectiveFeatures
    from gradline.metrics.shape.complexity import Sparseness as Sparseness
    from gradline.metrics.shape.smoothness import Normalised as Normalised
    from gradline.metrics.shape.smoothness import TotalVariation as TotalVariation
    from gradline.metrics.subject import Subject as Subject
    from gradline.metrics.units import Blocks as Blocks
    from gradline.metrics.units import Partition as Partition
    from gradline.metrics.units import Pixels as Pixels
    from gradline.metrics.units import Positions as Positions
    from gradline.metrics.units import Superpixels as Superpixels
    from gradline.metrics.units import Units as Units
    from gradline.metrics.units import Values as Values
    from gradline.metrics.words.removal import Drop as Drop
    from gradline.metrics.words.removal import Fill as Fill
    from gradline.metrics.words.removal import Marked as Marked
    from gradline.metrics.words.removal import Removal as Removal
    from gradline.metrics.words.removal import Special as Special
    from gradline.metrics.words.text import Comprehensiveness as Comprehensiveness
    from gradline.metrics.words.text import LogOdds as LogOdds
    from gradline.metrics.words.text import Rounding as Rounding
    from gradline.metrics.words.text import Sufficiency as Sufficiency
    from gradline.question.targets.scales import Scale as Scale

_HOME = names_of(
    {
        "gradline.metrics.asking": "Ask AskOf",
        "gradline.metrics.base": "Evaluation Kind Metric Need",
        "gradline.metrics.curves.ablation": "InformationConservingAblation",
        "gradline.metrics.curves.area": "Area Ends Relative Rule",
        "gradline.metrics.curves.between": "AreaBetweenCurves ClippedAreaBetweenCurves DiffID DiffIDOfRest",
        "gradline.metrics.curves.deletion": "Deletion Insertion InsertionMinusDeletion TwoFillDifference",
        "gradline.metrics.curves.fills": "Grey Minimum ReflectedBlur ZeroPaddedBlur",
        "gradline.metrics.curves.magnitude": "MagnitudeAligned",
        "gradline.metrics.curves.sweep": "First Percentiles Steps",
        "gradline.metrics.fidelity.correlating": "FidelityCorrelation",
        "gradline.metrics.fidelity.correlation": "Correlation",
        "gradline.metrics.fidelity.infidelity": "Form Infidelity",
        "gradline.metrics.fidelity.masks": "Cells FixedCells FixedUnits Masks RandomCells RandomUnits RankedGroups",
        "gradline.metrics.fidelity.perturbations": "BaselineSubset GaussianNoise Perturbations Squares",
        "gradline.metrics.information.curve": "AIC SIC Pooled pooled",
        "gradline.metrics.information.variants": "InformationVariant Pooling variants",
        "gradline.metrics.places.localisation": "LocalisationAUC PointingGame PolarityAgreement RelevanceMass "
        "RelevanceRank",
        "gradline.metrics.places.mosaic": "Focus Mosaics mosaics",
        "gradline.metrics.presets": "presets",
        "gradline.metrics.ranking": "Sign",
        "gradline.metrics.regions.irof": "IROF",
        "gradline.metrics.regions.perturbation": "PerturbationScore RegionPerturbation",
        "gradline.metrics.regions.road": "ROAD",
        "gradline.metrics.robustness.noise": "InputNoise NormalNoise UniformNoise UniformShare",
        "gradline.metrics.robustness.stability": "Against AverageSensitivity Change LocalLipschitz MaxSensitivity "
        "RelativeStability",
        "gradline.metrics.shape.completeness": "Completeness",
        "gradline.metrics.shape.complexity": "Complexity EffectiveFeatures Sparseness",
        "gradline.metrics.shape.smoothness": "Normalised TotalVariation",
        "gradline.metrics.subject": "Subject",
        "gradline.metrics.units": "Blocks Partition Pixels Positions Superpixels Units Values",
        "gradline.metrics.words.removal": "Drop Fill Marked Removal Special",
        "gradline.metrics.words.text": "Comprehensiveness LogOdds Rounding Sufficiency",
        "gradline.question.targets.scales": "Scale",
    }
)

__all__ = sorted(_HOME)

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
