"""Perturbation curves with every setting as in one paper or library: `gl.metrics.presets.rise_insertion()`.

What a preset cannot fix is the caller's: the images, and the class, which is the score's target (predicted in RISE and
MAS, the label in Split IG and Quantus). Values are an image's own, not of a mean curve. Equal scores are ordered by
ascending number of the unit, where published code leaves that to its sorting routine; thresholds take them together.
"""

from __future__ import annotations

from gradline.core.baselines import Black, Zero
from gradline.metrics.curves.area import Area, Ends, Relative, Rule
from gradline.metrics.curves.between import ClippedAreaBetweenCurves, DiffIDOfRest
from gradline.metrics.curves.deletion import Deletion, Insertion, TwoFillDifference
from gradline.metrics.curves.fills import Grey, Minimum, ReflectedBlur, ZeroPaddedBlur
from gradline.metrics.curves.magnitude import MagnitudeAligned
from gradline.metrics.curves.sweep import Percentiles, Steps
from gradline.metrics.fidelity.presets import faithfulness_correlation as faithfulness_correlation
from gradline.metrics.fidelity.presets import faithfulness_estimate as faithfulness_estimate
from gradline.metrics.fidelity.presets import mu_fidelity as mu_fidelity
from gradline.metrics.fidelity.presets import sensitivity_n as sensitivity_n
from gradline.metrics.ranking import Sign
from gradline.metrics.robustness.stability import split_ig_sensitivity as split_ig_sensitivity
from gradline.metrics.units import Pixels, Values
from gradline.question.targets.scales import Scale


def rise_deletion(step: int = 224) -> Deletion:
    """Petsiuk, Das, Saenko (2018): zeros in model space, signed sum over channels, probability, trapezoid.

    `step`: pixels at a time; their run over many images takes 224 · 8.
    """
    return Deletion(Zero(), Steps(None, step), Pixels(), Sign.SIGNED, Scale.PROBABILITY)


def rise_insertion(step: int = 224) -> Insertion:
    """Petsiuk, Das, Saenko (2018): into the blurred image, kernel 11, sigma 5, zeros around it. `step` in pixels."""
    return Insertion(ZeroPaddedBlur(11, 5.0), Steps(None, step), Pixels(), Sign.SIGNED, Scale.PROBABILITY)


def rise_difference(step: int = 224) -> TwoFillDifference:
    """Insertion less deletion of RISE. With its two fills a random map does not score zero. `step` in pixels."""
    return _two_fills(step, Sign.SIGNED)


def mas(step: int = 224) -> MagnitudeAligned:
    """Walker, Simon, Chen, Ewetz (2024): deletion into zeros, insertion into a blur of kernel 11, sigma 11.

    The value is the difference; `parts` have "insertion" and "deletion". `step` in pixels. Theirs divides by y_x −
    y_fill also where that is not positive.
    """
    steps, blur = Steps(None, step), ZeroPaddedBlur(11, 11.0)
    return MagnitudeAligned(Zero(), steps, Pixels(), Sign.ABSOLUTE, Scale.PROBABILITY, insertion_fill=blur)


def idg_deletion(step: int = 224) -> Deletion:
    """The deletion of the IDG evaluation: RISE's with the size of the sum over channels. `step` in pixels.

    Theirs is run on images resized to 224 × 224 without a crop, five a class, classified correctly.
    """
    return Deletion(Zero(), Steps(None, step), Pixels(), Sign.ABSOLUTE, Scale.PROBABILITY)


def idg_insertion(step: int = 224) -> Insertion:
    """The insertion of the IDG evaluation: RISE's with the size of the sum over channels. `step` in pixels."""
    return Insertion(ZeroPaddedBlur(11, 5.0), Steps(None, step), Pixels(), Sign.ABSOLUTE, Scale.PROBABILITY)


def idg_difference(step: int = 224) -> TwoFillDifference:
    """Insertion less deletion of the IDG evaluation; a random map does not score zero. `step` in pixels."""
    return _two_fills(step, Sign.ABSOLUTE)


def tmlr_idgi() -> Insertion:
    """The insertion of the reproduction of IDGI in TMLR: into black, 5 % of the pixels at a time. Needs `pixels`.

    Theirs takes maps without channels, on images with a probability of at least 0.8, and cuts pixel counts off, which
    are rounded here: at most one pixel.
    """
    return Insertion(Black(), Steps(20), Pixels(), Sign.SIGNED, Scale.PROBABILITY)


def tmlr_idgi_relative() -> Insertion:
    """`tmlr_idgi` with the curve divided by the probability at x."""
    return Insertion(Black(), Steps(20), Pixels(), Sign.SIGNED, Scale.PROBABILITY, relative=Relative.INPUT)


def xplique_deletion(scale: Scale = Scale.LOGIT) -> Deletion:
    """Xplique: 10 steps, zeros, the mean over channels. `scale`: logits, unless an activation is passed there.

    Theirs is the area of the mean curve over images, which is the mean of the areas, and cuts pixel counts off.
    """
    return Deletion(Zero(), Steps(10), Pixels(), Sign.SIGNED, scale)


def xplique_insertion(scale: Scale = Scale.LOGIT) -> Insertion:
    """Xplique: 10 steps, into zeros, the mean over channels. `scale` as in `xplique_deletion`."""
    return Insertion(Zero(), Steps(10), Pixels(), Sign.SIGNED, scale)


def interpretdl_deletion(sign: Sign = Sign.SIZES) -> Deletion:
    """InterpretDL: grey 127, 20 percentiles compared strictly, mean of 21 probabilities from x on. Needs `pixels`.

    `sign`: maps with channels become Σ|a| there; a map without is taken as it is, `Sign.SIGNED`. What has the smallest
    score is never filled. Theirs fills before normalisation and resizes maps by interpolation.
    """
    area = Area(Rule.MEAN, Ends.FIRST)
    return Deletion(Grey(127), Percentiles(20), Pixels(), sign, Scale.PROBABILITY, area)


def interpretdl_insertion(sign: Sign = Sign.SIZES) -> Insertion:
    """InterpretDL: into grey 127, as `interpretdl_deletion`; the mean leaves the empty image out. Needs `pixels`."""
    area = Area(Rule.MEAN, Ends.LAST)
    return Insertion(Grey(127), Percentiles(20), Pixels(), sign, Scale.PROBABILITY, area)


def latec_deletion() -> Deletion:
    """LATEC: zeros, 50 pixels a step, neither end scored, the trapezoid's steps as long as 1 / number of points.

    For images and maps of one value a pixel.
    """
    area = Area(Rule.POINTS, Ends.NEITHER)
    return Deletion(Zero(), Steps(None, 50), Pixels(), Sign.SIGNED, Scale.PROBABILITY, area)


def latec_insertion() -> Insertion:
    """LATEC: into the blurred image, kernel 15, sigma 5, reflected at its borders, as `latec_deletion`."""
    area = Area(Rule.POINTS, Ends.NEITHER)
    return Insertion(ReflectedBlur(15, 5.0), Steps(None, 50), Pixels(), Sign.SIGNED, Scale.PROBABILITY, area)


def splitig_abpc() -> ClippedAreaBetweenCurves:
    """Miglani et al. (2020): logits, zeros in model space, signed ranking, strict comparison at nine tenths."""
    return ClippedAreaBetweenCurves(Zero(), Pixels(), Sign.SIGNED, Scale.LOGIT)


def diffid() -> DiffIDOfRest:
    """DiffID in the public code of MA-GIG: single values by size, filled with the mean of the rest, hits."""
    return DiffIDOfRest(Values(), Sign.ABSOLUTE, Scale.HIT)


def diffid_soft() -> DiffIDOfRest:
    """`diffid` of probabilities, divided by that at x and cut to [0, 1]."""
    return DiffIDOfRest(Values(), Sign.ABSOLUTE, Scale.PROBABILITY)


def quantus_pixel_flipping(step: int = 1) -> Deletion:
    """Quantus PixelFlipping with `return_auc_per_sample`: single values, each example's minimum as fill.

    The curve without x, an unnormalised trapezoid with steps of 1: it grows with the number of steps. `step`: values at
    a time, `features_in_step`. A map without channels counts for each channel; equal values are then filled in the
    order of the channels, there in any order.
    """
    area = Area(Rule.UNIT, Ends.LAST)
    return Deletion(Minimum(), Steps(None, step), Values(), Sign.SIGNED, Scale.PROBABILITY, area)


def _two_fills(step: int, sign: Sign) -> TwoFillDifference:
    steps, blur = Steps(None, step), ZeroPaddedBlur(11, 5.0)
    return TwoFillDifference(Zero(), steps, Pixels(), sign, Scale.PROBABILITY, insertion_fill=blur)
