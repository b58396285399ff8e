"""The page of `maximum_entropy.py`: what the search reached, maps under fills, claims with verdicts, the figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Claim, mean_of, paired, spelt, table
from torch import Tensor

ZERO, BLACK, NEAR_X = "maximum entropy, from zero", "maximum entropy, from black", "maximum entropy, from x"
OURS, OTHERS = (ZERO, BLACK, NEAR_X), ("black", "white", "blur", "noise")
EXPLAINERS = (*OURS, *OTHERS)
"""Where paths start."""

FILLS = (ZERO, *OTHERS)
"""What stands in for what is removed."""

ENOUGH = 1e-3
"""Largest 1 − H/log C that counts as no information."""


@dataclass(frozen=True, eq=False)
class Picture:
    """`pixels (H, W, 3)` of uint8."""

    title: str
    pixels: np.ndarray


Rows = Sequence[dict[str, Any]]


def column(values: Sequence[float | None]) -> Tensor:
    """Numbers of all photos, NaN where there is none: `(N,)`."""
    return torch.tensor([math.nan if v is None else v for v in values], dtype=torch.float64)


def of_baseline(rows: Rows, name: str, what: str) -> Tensor:
    return column([row["baselines"][name][what] for row in rows])


def under(rows: Rows, fill: str, name: str) -> Tensor:
    """What the maps from one baseline score under one fill: `(N,)`."""
    return column([row["ablation"][fill][name] for row in rows])


def claim(rows: Rows, ours: str, other: str, fill: str) -> Claim:
    """That maps from a maximum-entropy baseline are better than those from another one under a fill."""
    return paired(f"{ours} is better than {other}", under(rows, fill, ours) - under(rows, fill, other), source=fill)


def claims_of(rows: Rows, ours: str) -> list[Claim]:
    return [claim(rows, ours, other, fill) for other in OTHERS for fill in FILLS]


def page(found: dict[str, Any]) -> str:
    """The whole page, from what was measured."""
    parts = [HEAD.format(**summary(found)), FIGURES]
    for name, measured in found["models"].items():
        rows = measured["rows"]
        parts += [f"## {name}", REACHED, reached(rows), noticed(measured), SCORES.format(n=len(rows)), scores(rows)]
        parts += [CLAIMS, *(verdicts(rows, ours) for ours in OURS)]
    return "\n\n".join([*parts, OTHERWISE.format(**summary(found))])


def reached(rows: Rows) -> str:
    """What each baseline is to the model."""
    head = ("baseline", "1 − H/log C, median", "at most 0.001", "p of the class", "largest p", "‖x′ − x‖/‖x‖")
    lines = []
    for name in EXPLAINERS:
        gaps = of_baseline(rows, name, "gap")
        numbers = (spelt(*mean_of(of_baseline(rows, name, what))) for what in ("p", "largest", "distance"))
        lines.append([name, f"{float(gaps.median()):.2g}", f"{met(rows, name)} of {len(rows)}", *numbers])
    return table(head, lines)


def met(rows: Rows, name: str) -> int:
    """On how many photos the baseline says nothing."""
    return int((of_baseline(rows, name, "gap") <= ENOUGH).sum())


def noticed(measured: dict[str, Any]) -> str:
    """What stands out in these numbers."""
    rows, said = measured["rows"], []
    if measured["grey"]:
        left = float(of_baseline(rows, ZERO, "gap").median())
        said.append(
            "From zero the search had nothing to do: the zero of this model's input, an even grey, is within "
            f"{left:.1g} of the largest entropy. Here the maximum-entropy baseline from zero *is* the grey image."
        )
    far, near = float(of_baseline(rows, NEAR_X, "distance").median()), met(rows, NEAR_X)
    said.append(
        f"From x the search came to within {ENOUGH:g} on {near} of {len(rows)} photos, {far:.2g} of the photo's norm "
        "away in the median: the photo with a fine pattern laid over it, an adversarial input. The map from there "
        "explains that pattern."
    )
    missed = 100 * float(torch.cat([of_baseline(rows, name, "missed") for name in EXPLAINERS]).nanmedian())
    said.append(f"The maps' sums miss {missed:.2g} % of the probability's change in the median.")
    return " ".join(said)


def verdicts(rows: Rows, ours: str) -> str:
    """The claims for one maximum-entropy baseline: other baselines down, fills across."""
    lines = []
    for other in OTHERS:
        claims = [claim(rows, ours, other, fill) for fill in FILLS]
        cells = (f"{spelt(c.estimate, c.low, c.high)} **{c.verdict}**" for c in claims)
        lines.append([f"better than {other}", *cells, min(c.n for c in claims)])
    return table((f"**{ours}**", *(f"fill: {fill}" for fill in FILLS), "n"), lines)


def scores(rows: Rows) -> str:
    """Separation of every map under every fill, the best under each in bold."""
    best = {fill: max(EXPLAINERS, key=lambda name: float(under(rows, fill, name).nanmean())) for fill in FILLS}
    lines = []
    for name in EXPLAINERS:
        cells = []
        for fill in FILLS:
            cell = spelt(*mean_of(under(rows, fill, name)))
            cells.append(f"**{cell}**" if best[fill] == name else cell)
        lines.append([name, *cells])
    return table(("maps from", *(f"fill: {fill}" for fill in FILLS)), lines)


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """What the text around the numbers needs."""
    lines = []
    for ours in OURS:
        verdicts = [c.verdict for m in found["models"].values() for c in claims_of(m["rows"], ours)]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("holds", "does not hold here", "undecided"))
        lines.append(f"- {ours}: of {len(verdicts)} claims, {counts}")
    made = f"gradline {found['made'].get('gradline', '')}, PyTorch {found['made'].get('torch', '')}"
    numbers = {k: found[k] for k in ("search", "nodes", "removals", "source", "seed", "form")}
    return numbers | {"counted": "\n".join(lines), "made": made}


HEAD = """# Maximum-entropy baseline

*Tan (2022), Maximum Entropy Baseline for Integrated Gradients.* A baseline should tell the model nothing; black may
well tell it something. The paper starts the path at an input whose output is as uninformative as possible, and removes
features into such an input to judge maps, so that information is only taken away. It reports that Integrated Gradients
from there are better, and that this ablation is the more plausible one.

Only its abstract could be read, and no code of the authors was found: **no number of the paper is known**, and search,
ablation and protocol are ours. `MaximumEntropy()` climbs to where all classes are equally likely, with {search}
gradients at most: from the zero of the model's input and from black, one baseline each for all photos, and from each
photo itself. Maps are Integrated Gradients of the predicted class's probability, {nodes} nodes on the path; the
ablation replaces pixels by those of the fill, {removals} steps in each direction. Its number, the *separation*, is the
area under p(class)/p(class at x) with the least relevant pixels first, less that with the most relevant first: higher
is better, a random order has 0. A map is favoured by a fill that is its own baseline, so every map meets every fill.
Intervals are 95 % bootstraps over photos, paired for claims.

That a map from maximum entropy is better than one from black, white, blur or noise, under every fill:

{counted}"""

REACHED = """What the baselines are to the model, means over photos where nothing else is said:"""

SCORES = """Separation, means over {n} photos with 95 % intervals; the best map under each fill in bold:"""

CLAIMS = """Differences of the separations over photos, above 0 where the claim is right:"""

FIGURES = """![A photo, where paths to it start, and what the search from the photo has added to
it](maximum-entropy-baselines.jpg)

![The ablation's curves under two fills, for maps from three baselines](maximum-entropy-curves.svg)"""

OTHERWISE = """## What is ours

- The search: Adam on the mean log-probability of all classes, first step 0.05 in the model's units, until 1 − H/log C
  is at most 0.001. Where it begins decides what it finds: there are as many inputs of maximum entropy as one likes.
- The abstract explains invariance to linear transformations by information. What the tests of the baseline show: if
  data and model are translated, the baseline from x and the map go with them, to 1e-10; black stays, and its map
  changes. Features on another scale make another search.
- A share of p(class at x) is large where that is small: photos that the network is not sure of weigh most in the means.
- Without the paper's tables it cannot be said whether it would judge by this separation, these fills, this network or
  these photos ({source}).

`reproductions/maximum_entropy.py` writes this page from `reproductions/maximum_entropy.json` ({form} form, seed {seed},
{made})."""


# -------------------------------------------------------------------------------------------------------- figures


def pictures_figure(pictures: Sequence[Picture]) -> Callable[[Path], None]:
    """The baselines themselves."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(8.4, 3.9), layout="constrained")
    for place, one in zip(np.ravel(drawn.subplots(2, (len(pictures) + 1) // 2)), pictures, strict=False):
        place.imshow(one.pixels)
        place.set_title(one.title, fontsize=6.5)
        place.set(xticks=[], yticks=[])
        place.spines[:].set(color="#c8ced6", linewidth=0.6)
    for place in drawn.axes[len(pictures) :]:
        place.set_axis_off()
    return lambda path: drawn.savefig(path, dpi=110, format="jpg", pil_kwargs={"quality": 82})


COLOURS = {ZERO: "#b4400c", "black": "#1b222c", "blur": "#3b7ea1"}
"""Of the maps that are drawn."""


def curves_figure(found: dict[str, Any]) -> Callable[[Path], None]:
    """Mean curves of the first model under the fill of maximum entropy and under black."""
    from matplotlib.figure import Figure

    curves = next(iter(found["models"].values()))["curves"]
    drawn = Figure(figsize=(8.4, 3.3), layout="constrained")
    for axes, fill in zip(drawn.subplots(1, 2, sharey=True), (ZERO, "black"), strict=True):
        for name, colour in COLOURS.items():
            least, most = curves[fill][name]
            shares = np.linspace(0, 100, len(least))
            axes.plot(shares, least, color=colour, lw=1.1, ls=(0, (4, 2)))
            axes.plot(shares, most, color=colour, lw=1.3, label=name)
        axes.set(xlim=(0, 100), xlabel="pixels filled, %")
        axes.set_title(f"fill: {fill}", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    drawn.axes[0].set_ylabel("p(class) / p(class at x)")
    drawn.axes[0].legend(frameon=False, fontsize=7.5, title="solid: most relevant first", title_fontsize=7.5)
    return lambda path: drawn.savefig(path, metadata={"Date": None})
