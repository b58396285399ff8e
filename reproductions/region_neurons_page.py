"""The page of `region_neurons.py`: the paper's numbers beside ours, claims with verdicts, the figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from common import Claim, claims_table, mean_of, paired, share, spelt, table
from torch import Tensor

from gradline.evaluation.statistics import interval, resampled_means

SHARES = (0.0, 0.01, 0.03, 0.1, 0.3)
"""Of the neurons that are knocked out."""

FILLS = {"zero": "zero, as in the paper", "baseline": "their activation at the black baseline"}
"""What neurons are set to."""

RANKINGS = {"region": "the region's neurons", "conductance": "conductance", "random": "chance"}
"""In the order of the authors' figure, and chance."""

PUBLISHED = {
    "region": (
        (0.781, 0.200, 0.981), (-1.162, 2.158, 0.996), (-1.308, 2.299, 0.991), (-0.935, 1.934, 0.999),
        (-2.014, 3.009, 0.995),
    ),
    "conductance": (
        (0.781, 0.200, 0.981), (-0.163, 1.103, 0.939), (1.207, -0.599, 0.608), (0.063, -0.031, 0.032),
        (0.000, 0.001, 0.001),
    ),
}  # fmt: skip
"""Sums inside the box, outside and of all at `SHARES`, read from the authors' figure (to 0.001): one photo of a traffic
light, ResNet-152 cut at 512 × 28 × 28, 256 right-hand steps."""

KEPT = 0.9
"""What share of its probability a prediction may fall to and still be called kept."""

LEAST = 0.01
"""Sums inside below this are left out of the question whether they change their sign."""


def column(rows: Sequence[dict[str, Any]], fill: str, ranking: str, what: str) -> Tensor:
    """One sum of every example at every share: `(N, K)`. `what`: inside, outside, score, or all."""
    if what == "all":
        return column(rows, fill, ranking, "inside") + column(rows, fill, ranking, "outside")
    return torch.tensor([row[fill][ranking][what] for row in rows if fill in row], dtype=torch.float64)


def means(rows: Sequence[dict[str, Any]], fill: str, ranking: str, what: str) -> list[tuple[float, float, float]]:
    """Means over examples with their intervals, for each share."""
    values = column(rows, fill, ranking, what)
    if len(values) < 2:
        return [(float(mean), math.nan, math.nan) for mean in values.mean(0)]
    low, high = interval(resampled_means(values))
    return list(zip(values.mean(0).tolist(), low.tolist(), high.tolist(), strict=True))


def claims_of(rows: Sequence[dict[str, Any]], fill: str) -> list[Claim]:
    """What the paper claims of its photo, over all examples; and what our rankings add."""

    def of(ranking: str, what: str, place: int) -> Tensor:
        return column(rows, fill, ranking, what)[:, place]

    def loss(ranking: str, what: str, place: int) -> Tensor:
        return of(ranking, what, 0) - of(ranking, what, place)

    theirs = "figure" if fill == "zero" else "ours"
    found = []
    for place in (1, 2, 3):
        falls = loss("region", "inside", place) - loss("region", "outside", place)
        text = f"{percent(place)} by region lower the sum inside more than outside"
        found.append(paired(text, falls, quantity="loss inside − loss outside", source=theirs))
    before, after = of("region", "inside", 0), of("region", "inside", 1)
    counts = before > LEAST
    text = f"{percent(1)} by region turn a positive sum inside negative"
    turned = int(((after < 0) & counts).sum())
    found.append(share(text, turned, int(counts.sum()), quantity="share of examples", source=theirs))
    keeps = int((of("region", "score", 1) >= KEPT * of("region", "score", 0)).sum())
    text = f"{percent(1)} by region leave at least {KEPT:g} of the probability"
    found.append(share(text, keeps, len(before), quantity="share of examples", source=theirs))
    for place in (2, 3):
        ahead = of("region", "score", place) - of("conductance", "score", place)
        text = f"at {percent(place)} the region's ranking keeps the prediction longer than conductance"
        found.append(paired(text, ahead, quantity="difference in probability", source=theirs))
    for other in ("conductance", "random"):
        more = loss("region", "inside", 1) - loss(other, "inside", 1)
        text = f"{percent(1)} by region lower the sum inside more than by {RANKINGS[other]}"
        found.append(paired(text, more, quantity="difference in loss inside", source="ours"))
    return found


def percent(place: int) -> str:
    return f"{100 * SHARES[place]:g} %"


# -------------------------------------------------------------------------------------------------------- page


def page(found: dict[str, Any]) -> str:
    """The whole page, from what was measured."""
    sets = {"photo": found["rows"]} | ({"digit": found["digits"]["rows"]} if "digits" in found else {})
    claims = {kind: {fill: claims_of(rows, fill) for fill in FILLS} for kind, rows in sets.items()}
    said = summary(found, [c for of_kind in claims.values() for made in of_kind.values() for c in made])
    parts = [HEAD.format(**said)]
    for kind, rows in sets.items():
        digits = {"count": len(rows), **found["digits"]} if kind == "digit" else {}
        parts += ["## MNIST", DIGITS.format(**digits)] if digits else ["## EfficientNet-Lite0", PHOTOS.format(**said)]
        parts += sections(rows, kind, claims[kind])
    return "\n\n".join([*parts, OTHERWISE.format(**said)])


def sections(rows: Sequence[dict[str, Any]], kind: str, claims: dict[str, list[Claim]]) -> list[str]:
    """Tables and claims for each thing that neurons are set to."""
    parts = []
    for fill, words in FILLS.items():
        parts.append(f"### {sum(fill in row for row in rows)} {kind}s, neurons set to {words}")
        for ranking, said in RANKINGS.items():
            beside = PUBLISHED.get(ranking) if kind == "photo" and fill == "zero" else None
            parts += [f"By {said}; means over {kind}s, 95 % intervals in brackets.", sums(rows, fill, ranking, beside)]
        parts.append(claims_table(claims[fill]))
    return parts


def sums(rows: Sequence[dict[str, Any]], fill: str, ranking: str, paper: Sequence[Sequence[float]] | None) -> str:
    """The authors' table: what is left at each share, theirs beside ours."""
    theirs = [f"paper: {what}" for what in ("inside", "outside", "all")] if paper else []
    lines = []
    found = [means(rows, fill, ranking, what) for what in ("inside", "outside", "all", "score")]
    for place in range(len(SHARES)):
        line = [percent(place)]
        if paper:
            line += [f"{v:.3f}" for v in paper[place]]
        lines.append([*line, *(spelt(*one[place]) for one in found)])
    return table(["knocked out", *theirs, "inside", "outside", "all", "probability"], lines)


def summary(found: dict[str, Any], claims: Sequence[Claim]) -> dict[str, Any]:
    """What the text around the numbers needs."""
    verdicts = [c.verdict for c in claims]
    counted = ", ".join(f"{verdicts.count(v)} {v}" for v in ("holds", "does not hold here", "undecided"))
    made = f"gradline {found['made'].get('gradline', '')}, PyTorch {found['made'].get('torch', '')}"
    numbers = {k: found[k] for k in ("steps", "layer", "neurons", "source", "seed", "form")}
    box = spelt(*mean_of([100 * row["box"] for row in found["rows"]]))
    return numbers | {"n": len(found["rows"]), "counted": counted, "made": made, "box": box}


HEAD = """# The neurons behind a region

*Lundstrom, Huang, Razaviyayn (2022), A Rigorous Study of Integrated Gradients Method and Extensions to Internal Neuron
Attributions* ([arXiv:2202.11912](https://arxiv.org/abs/2202.11912)). What each neuron of a layer carries of the
attribution of a *region* of the image costs no more than a map (`gl.neurons.region`). The authors set the neurons that
carry most of it to zero, for a box around an object, and attribute anew: Integrated Gradients leave the box, and the
prediction is kept. Without the neurons of largest conductance, which is the same for the whole image as the region, the
prediction is lost. In gradline: `gl.neurons.knockout`.

Of the claims below: {counted}.
The authors show one photo; "figure" in the tables of claims is what theirs says, tried here over examples. Intervals
are 95 % bootstraps over examples, paired for claims; Wilson's for shares.

![Sums of Integrated Gradients inside and outside the region, and the probability of the class, with the first neurons
of three rankings knocked out; bands are 95 % intervals](region-neurons.svg)"""

PHOTOS = """{n} photos ({source}); with the data pack such as the network names rightly and whose boxes cover less than
half of the photo (here {box} % of the crop). The probability of the predicted class, black baseline, {steps} nodes of
the midpoint rule, the output of `{layer}`: {neurons} neurons, through which all of the score passes. Random rankings
are drawn for each photo. Of every third photo neurons are also set to what they are at the baseline."""

DIGITS = """The pack's network of two convolutions, cut at the second one's output: {neurons} neurons. The region is a
fixed window of 10 × 10 pixels on the upper half of the digit {digit}. Rankings by region and by conductance are means
over {known} digits of the training set; neurons are knocked out on {count} digits of the test set. All are classified
rightly; black baseline."""

OTHERWISE = """## Done otherwise than in the paper

- EfficientNet-Lite0 on {source} for ResNet-152 on one photo.
- {steps} midpoint nodes for 256 right-hand steps, for maps and rankings alike. Rankings take the exact derivative of
  the layer where theirs take differences (`gl.neurons.region_as_published`).
- Zero is no activation of theirs or ours that stands for "absent": it can lie far from what the next layer knows. The
  activation at the baseline beside it leaves F(x′) as it is.
- Their second experiment is on Fashion-MNIST; network, window and classes are not known to us.
- The numbers of the paper are read from the authors' figure.

`reproductions/region_neurons.py` writes this page from `reproductions/region_neurons.json` ({form} form, seed {seed},
{made})."""


# -------------------------------------------------------------------------------------------------------- figure

COLOURS = {"region": "#b4400c", "conductance": "#1f5fa8", "random": "#7a8494"}

PANELS = {"inside": "sum inside", "outside": "sum outside", "score": "probability"}


def figure(found: dict[str, Any]) -> Callable[[Path], None]:
    """What the figure's file is written by."""
    from matplotlib.figure import Figure

    lines = [(f"photos, set to {fill}", found["rows"], fill) for fill in FILLS]
    if "digits" in found:
        lines += [(f"digits, set to {fill}", found["digits"]["rows"], fill) for fill in FILLS]
    drawn = Figure(figsize=(8.8, 2.3 * len(lines) + 0.3), layout="constrained")
    panels: Any = drawn.subplots(len(lines), len(PANELS), squeeze=False)
    for (title, rows, fill), across in zip(lines, panels, strict=True):
        for (what, said), axes in zip(PANELS.items(), across, strict=True):
            _curves(axes, rows, fill, what)
            axes.set_title(f"{said}: {title}", fontsize=8)
    panels[0][0].legend(fontsize=7, frameon=False)
    for axes in panels[-1]:
        axes.set_xlabel("share of the neurons knocked out", fontsize=8)
    return lambda path: drawn.savefig(path, metadata={"Date": None})


def _curves(axes: Any, rows: Sequence[dict[str, Any]], fill: str, what: str) -> None:
    """Means over examples with their intervals, for each ranking; shares are drawn evenly spaced."""
    at = list(range(len(SHARES)))
    axes.axhline(0, color="#1b222c", lw=0.6, ls=(0, (1, 1.6)))
    for ranking, colour in COLOURS.items():
        middle, low, high = zip(*means(rows, fill, ranking, what), strict=True)
        axes.plot(at, middle, "o-", color=colour, lw=1.2, ms=3, label=RANKINGS[ranking])
        axes.fill_between(at, low, high, color=colour, alpha=0.18)
    axes.set_xticks(at, [percent(place) for place in at])
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
