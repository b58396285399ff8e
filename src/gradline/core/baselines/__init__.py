"""Where the path starts. A baseline is a part: it is asked for starts `(B, K, *F)`, K of them (draws) an example.

In model space: `Zero`, `Constant`, `Given`, `Mean`, `Blur`. In pixel space: `Black`, `White`, `PixelNoise`, which need
to know what black and white are for the model (`PixelSpace`; vision cases fill it in). Drawn: `Uniform`, `PixelNoise`,
`GaussianNoise`, `FromData`. Searched for with the model: `Boundary`, `MaximumEntropy` (`Itself`: from x on). Composed:
`Each` (several, averaged), `PerInput` (one for each input of the model), `AtSite` (given where the path is driven, not
at the model's input).
"""

from gradline.core.baselines.base import Baseline, Group
from gradline.core.baselines.combine import AtSite, Each, PerInput, as_baseline
from gradline.core.baselines.data import FromData
from gradline.core.baselines.entropy import Itself, MaximumEntropy
from gradline.core.baselines.image import Black, Blur, PixelSpace, White
from gradline.core.baselines.noise import GaussianNoise, PixelNoise, Uniform
from gradline.core.baselines.plain import Constant, Given, Mean, Zero
from gradline.core.baselines.search import Boundary, Found, Search

__all__ = [
    "AtSite",
    "Baseline",
    "Black",
    "Blur",
    "Boundary",
    "Constant",
    "Each",
    "Found",
    "FromData",
    "GaussianNoise",
    "Given",
    "Group",
    "Itself",
    "MaximumEntropy",
    "Mean",
    "PerInput",
    "PixelNoise",
    "PixelSpace",
    "Search",
    "Uniform",
    "White",
    "Zero",
    "as_baseline",
]
