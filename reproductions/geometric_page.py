"""The page of reproductions/geometric.py, from its numbers alone."""

from __future__ import annotations

import math
from typing import Any

from common import LEVEL, Claim, claims_table, mean_of, spelt, table

from gradline.evaluation.statistics import fewest

SOURCE = "abstract"
PAPER = (("GGIG-IG", "GD"), ("GGIG-IG", "IG"), ("GGIG-Max", "GD"), ("GGIG-Max", "IG"))
"""What the abstract claims: the first is the better map."""
OURS = (
    ("IG-Max", "IG", "maximum in place of the mean"),
    ("GGIG-Max", "IG-Max", "ascent before the maximum"),
    ("GGIG-IG, long", "IG", "ascent ten times as far"),
    ("GGIG-Max, long", "IG-Max", "ascent ten times as far, before the maximum"),
)
"""What the parts of the method are worth: with no ascent GGIG-IG is IG, and GGIG-Max is IG-Max."""

HEAD = """# Geometrically guided Integrated Gradients

Rahman, Lewis, Plis (2022), [arXiv:2206.05903](https://arxiv.org/abs/2206.05903), climb the score by gradient ascent
from points of the straight path and keep, feature by feature, the largest gradient they meet: the mean over the points
is *GGIG-IG*, the maximum *GGIG-Max*. They claim better maps than the plain gradient's and Integrated Gradients', by
look and by measure. The paper's numbers are not known to us; what is tried here is the sign of the claim.

In gradline: `gl.methods.geometrically_guided_integrated_gradients()`, `gl.methods.geometrically_guided_maximum()`."""


def page(found: dict[str, Any]) -> str:
    """The whole page, from what was measured alone."""
    parts = [HEAD, _protocol(found)]
    for name, network in found["networks"].items():
        parts += [f"## {_title(name)}", _results(network), _verdicts(network), _ascent(network, found["size"])]
        parts += [_noise(network["noise in the weights"])]
    return "\n\n".join([*parts, FIGURE, _differences(found)])


FIGURE = """## What it looks like

![Maps of the demo photo by all methods, above; SIC and AIC curves of all photos, below](geometric-guidance.jpg)

Maps as they are judged: absolute sums over channels, without the largest 2 %. "Long" is ascent with steps ten times
as long."""


def _title(name: str) -> str:
    return name.replace("efficientnet-lite", "EfficientNet-Lite")


def _protocol(found: dict[str, Any]) -> str:
    at = found["size"]
    return f"""## Protocol

{found["photos"]} photos ({found["source"]}). The logit of the predicted class, baseline zero in the network's units,
{at["points"]} points of the path with both ends, K = {at["iterations"]} gradients on the ascent from each,
η = {at["step"]:g} ("long": {at["long"]:g}). IG is without the factor x − x', as theirs, by the same points; IG-Max is
the maximum over the points without ascent (K = 1). Maps are judged as in the first author's code: summed over channels,
absolute, divided by the value up to which 98 % of the total lies, clipped. SIC and AIC in their form
(`gradline.metrics.information.variants.GGIG`): random pixels 0.5 %, nearest-neighbour fill, {at["shares"] + 1} shares
of pixels, information by the entropy of grey levels, heights over the photo's own; the published number is the area
under the median curve (SIC), under mean information and share of decisions at each share of pixels (AIC). Intervals are
95 %, paired bootstraps over photos of that number. Seed {found["seed"]}, form `{found["form"]}`."""


def _results(network: dict[str, Any]) -> str:
    rows = []
    for name in network["rows"]["SIC"]:
        cells = [spelt(*network["pooled"][metric][name]) for metric in ("SIC", "AIC")]
        cells += [
            spelt(*mean_of([math.nan if v is None else v for v in network["rows"][metric][name]]))
            for metric in ("SIC", "AIC")
        ]
        rows.append([name, *cells])
    head = ["map", "SIC, published form", "AIC, published form", "SIC, mean of photos", "AIC, mean of photos"]
    said = f"Areas, higher is better; {network['n']} photos. The paper's own numbers: none known."
    return f"{said}\n\n{table(head, rows)}"


def _verdicts(network: dict[str, Any]) -> str:
    return f"### Claims\n\n{claims_table(claims(network))}"


def claims(network: dict[str, Any]) -> list[Claim]:
    """The paper's claims in sign, and what each part of the method adds."""
    sources = dict.fromkeys(PAPER, SOURCE)
    words = {(better, worse): said for better, worse, said in OURS}
    made = []
    for one in network["contrasts"]:
        pair = one["better"], one["worse"]
        text = f"{pair[0]} is better than {pair[1]}"
        text += f": {words[pair]}" if pair in words else ""
        estimate, low, high = one["by"]
        quantity, source = f"difference in {one['metric']}", sources.get(pair, "ours")
        made.append(Claim(text, one["n"], estimate, low, high, quantity, source, needs=fewest(1, LEVEL)))
    return made


def _ascent(network: dict[str, Any], at: dict[str, Any]) -> str:
    rows, ascents = [], at["points"] * len(network["photos"])
    for name, seen in network["moved by ascent"].items():
        counts = (f"{sum(seen[what]):g} of {ascents}" for what in ("falling", "stopped"))
        rows.append([name, spelt(*mean_of(seen["changed"])), *counts])
    return f"""### What ascent changes

Without it (K = 1) GGIG-IG is IG and GGIG-Max is IG-Max: the claims that compare these say what ascent adds. Here the L2
distance to the map without ascent, relative to that map, mean over photos. K · η, how far an ascent goes for a unit of
gradient, is {at["iterations"] * at["step"]:g}, long {at["iterations"] * at["long"]:g}; the paper's is 0.01.

{table(["map", "changed by", "ascents that lose height", "not finite"], rows)}"""


def _noise(noise: dict[str, Any]) -> str:
    names = [name for name in noise if name not in ("levels", "points", "iterations", "photos", "probability")]
    head = ["noise in the weights", *(f"{100 * level:g} %" for level in noise["levels"]), "correlation"]
    rows: list[list[str]] = [["probability of the class", *(f"{p:.3f}" for p in noise["probability"]), ""]]
    for name in names:
        known = [c for c in noise[name]["correlation"] if c is not None]
        mean = f"{sum(known) / len(known):.2f}" if known else "–"
        rows.append([f"likeness of {name}", *(f"{v:.2f}" for v in noise[name]["similarity"]), mean])
    return f"""### Noise in the weights

The paper's check: every weight gets noise of a share of its tensor's standard deviation; a faithful map goes as the
model forgets the class. Likeness is Spearman's correlation of absolute maps with the clean model's, the last column its
rank correlation with the probability over the levels (ours; the paper shows maps). {noise["points"]} points,
K = {noise["iterations"]}, n = {noise["photos"]}: too few for a verdict.

{table(head, rows)}"""


def _differences(found: dict[str, Any]) -> str:
    at, networks = found["size"], " and ".join(_title(name) for name in found["networks"])
    return f"""## Otherwise than in the paper

- {networks} in place of ResNet-101; {found["photos"]} photos in place of 200; {at["points"]} points in place of 51,
  K = {at["iterations"]} in place of 100.
- Random pixels are drawn for each photo; theirs are one mask for all. Points of equal information are joined by a rule,
  where their interpolation depends on their order.
- An ascent that is no longer finite would end; theirs goes on, with 0 for NaN.
- Claims are not adjusted for their number.

`GRADLINE_DATA=<data pack> python reproductions/geometric.py` writes this page;
`reproductions/geometric_guidance.json` has the areas of single photos."""
