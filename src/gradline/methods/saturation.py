"""Integrated Gradients, split where the score saturates."""

from gradline.core.accumulators import GradientTimesMove
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.core.paths import Budget, FixedBudget, Saturation, Threshold
from gradline.core.rules import RightRiemann

PUBLISHED_STEPS = 200


def split_integrated_gradients(
    phi: float = 0.9, *, threshold: Threshold = Threshold.ENDS, as_published: bool = False
) -> Method:
    """A = left + right = (x − x') ⊙ (∫₀^t* + ∫_t*^1) ∇F(x' + t (x − x')) dt, with t* where the score saturates.

    t* is the smallest t at which F exceeds `threshold` for the share `phi` in (0, 1], by default
    F(x') + φ (F(x) − F(x')). `a.parts["left"]`, `a.parts["right"]`: the sides, which add up to about φ and 1 − φ of the
    change of the score, whatever their sizes (`gl.post.composition`). `a.details`: `saturation_point`, t*, 0 where F
    is beyond the threshold from x' on, 1 where it never is, for several baselines the mean; `saturation_score`, F
    there; `path_scores`, F at equal distances on the way, of the first baseline. Values are those of Integrated
    Gradients and add up to F(x) − F(x').

    Miglani, Kokhlikyan, Alsallakh, Martin, Reblitz-Richardson (2020). Their code takes 200 right-hand steps and gives
    the one that crosses to the right, so that t* is a step early: `as_published` (with `steps`, give
    `rule=gl.rules.RightRiemann` as well). Here t* is found by bisection and its cell is shared out; each side takes an
    accuracy. Where the threshold is never exceeded all of it is left, where their code calls both sides the whole.
    """
    return _method("split-integrated-gradients", phi, threshold, as_published=as_published)


def left_integrated_gradients(
    phi: float = 0.9, *, threshold: Threshold = Threshold.ENDS, as_published: bool = False
) -> Method:
    """A = (x − x') ⊙ ∫₀^t* ∇F(x' + t (x − x')) dt: Integrated Gradients up to the saturation point t* alone.

    Values add up to F(x' + t* (x − x')) − F(x'), a share φ of the change of the score where it rises to the threshold;
    they are not scaled up to the whole. For the rest see `split_integrated_gradients`. Miglani et al. (2020).
    """
    return _method("left-integrated-gradients", phi, threshold, right=False, as_published=as_published)


def _method(name: str, phi: float, threshold: Threshold, *, right: bool = True, as_published: bool = False) -> Method:
    budget: Budget | None = None
    path = Saturation(phi, threshold, right=right)
    if as_published:
        path = Saturation(phi, threshold, right=right, cells=None, bisections=0)
        budget = FixedBudget(PUBLISHED_STEPS, RightRiemann())
    return Method(name, path, GradientTimesMove(), Zero(), ("miglani2020",), budget=budget)
