"""Methods for words: paths that go by the vocabulary, and tokens one at a time."""

from __future__ import annotations

from numbers import Integral

from torch import Tensor

from gradline.core.accumulators import GradientTimesMove
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.core.paths import Discretized, FixedBudget, Sequential, Strategy, UniformDiscretized
from gradline.core.rules import GaussLegendre, LeftRiemann
from gradline.errors import InputError

PUBLISHED_NODES = 50
"""Nodes a token, in the code of Sequential Integrated Gradients."""


def discretized_integrated_gradients(
    vocabulary: Tensor | None = None,
    strategy: Strategy = Strategy.GREEDY,
    anchors: int = 30,
    neighbours: int = 500,
    *,
    midpoints: int = 0,
    as_published: bool = False,
) -> Method:
    """A = ∫ ∇F(γ) ⊙ dγ along a path γ on which every token passes m = `anchors` other words on its way from x' to x.

    Each word is one of the `neighbours` words nearest to the one before it, the one that has to be changed least to lie
    between here and x' (`gl.paths.Strategy.GREEDY`) or that has most features there already (`MAX_COUNT`); every
    feature then goes one way. `vocabulary`: the embedding matrix, V × D; without it that of the embedding where the
    path is driven, `site=gl.Layer(model.get_input_embeddings())`. Tokens with x' = x, such as padding, stay. With
    `steps=n`, nodes move by exact increments: n = m + 1 midpoints are one gradient in the middle of each stretch. The
    corners need k distances for each token and word, beside a product with the vocabulary. Values add up to
    F(x) − F(x').

    Sanyal and Ren (2021). `as_published`: their left rule by differences, over the corners and what halving the
    stretches f = `midpoints` times puts between them, 2^f (m + 1) gradients (with `steps`, give
    `rule=gl.rules.LeftRiemann` as well); words are compared with the last word instead of with where the path is; a
    token without a free word goes to x' at once, where here the rest of its way is straight. Their code explains one
    example at a time and ends with the L2 norm of the token sums.
    """
    path = Discretized(vocabulary, strategy, anchors, neighbours, from_words=as_published)
    return _method("discretized-integrated-gradients", path, "sanyal2021", midpoints, as_published=as_published)


def uniform_discretized_integrated_gradients(
    vocabulary: Tensor | None = None,
    strategy: Strategy = Strategy.GREEDY,
    anchors: int = 30,
    neighbours: int = 30,
    *,
    midpoints: int = 0,
    as_published: bool = False,
) -> Method:
    """A = ∫ ∇F(γ) ⊙ dγ along a path on which every token passes words near m equally spaced points of its straight way.

    Each word is one of the `neighbours` words nearest to such a point. All else as for
    `discretized_integrated_gradients`. Values add up to F(x) − F(x').

    Roy and Kundu (2024), with a mask token as baseline. `as_published`: see there. Their code fails where all words
    around a point are taken; here the point itself is passed then.
    """
    path = UniformDiscretized(vocabulary, strategy, anchors, neighbours, from_words=as_published)
    return _method("uniform-discretized-integrated-gradients", path, "roy2024", midpoints, as_published=as_published)


def sequential_integrated_gradients(*, as_published: bool = False) -> Method:
    """A_i = (x_i − x'_i) ⊙ ∫₀¹ ∂F/∂x_i(x with row i at x'_i + t (x_i − x'_i)) dt: one token at a time,
    the others being as they are in x.

    Row i of the first feature axis adds up to F(x) − F(x with row i at x'); the whole adds up to the sum of these over
    rows, which is not F(x) − F(x'), and the completeness gap is measured against it. `steps` are nodes a row: n rows
    cost n times as many gradients, and a forward each. `a.details["replaced_scores"]`: F(x with row i at x').

    Enguehard (2023). `as_published`: 50 Gauss–Legendre nodes a token. The author's code compares the sum with
    F(x) − F(x'), which it does not owe.
    """
    budget = FixedBudget(PUBLISHED_NODES, GaussLegendre()) if as_published else None
    name, cites = "sequential-integrated-gradients", ("enguehard2023",)
    return Method(name, Sequential(), GradientTimesMove(), Zero(), cites, budget=budget)


def _method(
    name: str, path: Discretized | UniformDiscretized, cites: str, midpoints: int, *, as_published: bool
) -> Method:
    if isinstance(midpoints, bool) or not isinstance(midpoints, Integral) or midpoints < 0:
        raise InputError("midpoints as a whole number of at least 0", repr(midpoints))
    if midpoints and not as_published:
        raise InputError("midpoints with as_published=True alone", f"{midpoints}", "give steps= instead")
    budget = FixedBudget(2**midpoints * (path.anchors + 1), LeftRiemann()) if as_published else None
    return Method(name, path, GradientTimesMove(), Zero(), (cites,), budget=budget)
