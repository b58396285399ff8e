"""The page of `saturation.py`: the paper's numbers beside ours, claims with verdicts, the figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from common import Claim, claims_table, mean_of, paired, spelt, table
from torch import Tensor

PHIS = (0.95, 0.9)
"""Shares of the change of the score: that of the stored cells of the authors' notebook, and the library's default."""

FAR = 3.0
"""By what factor a share of the norm has to exceed the share of the sum for the claim that it does so by far."""

MAPS = ("left", "whole", "right")

PUBLISHED = {
    "norm_ratio": 0.9666, "l1_ratio": 0.9115, "sum_ratio": 0.0519, "cosine_left_right": 0.5214,
    "cosine_left_whole": 0.8662, "cosine_right_whole": 0.7745, "t": (29 + 175 + 182 + 161) / 800,
    "abpc left": 0.1425, "abpc whole": 0.1344, "abpc right": 0.0907,
    "sensitivity left": 0.6517, "sensitivity whole": 0.7815, "sensitivity right": 1.2420,
}  # fmt: skip
"""Stored cells of the authors' notebook: Inception v3, φ = 0.95, four images."""

EARLIER = {"t": 0.6258, "norm_ratio": 0.8007, "abpc left": 0.2951, "abpc whole": 0.2365, "abpc right": 0.0769}
"""Cells of an earlier run of theirs: 18 images, φ not known."""

WORDS = {
    "t": "saturation point t*, share of the path",
    "norm_share": "‖right‖₂ / (‖left‖₂ + ‖right‖₂)",
    "sum_share": "Σ right / Σ whole",
    "norm_ratio": "‖right‖₂ / ‖left‖₂",
    "l1_ratio": "‖right‖₁ / ‖left‖₁",
    "sum_ratio": "Σ right / Σ left",
    "cosine_left_right": "cosine of left and right",
    "cosine_left_whole": "cosine of left and whole",
    "cosine_right_whole": "cosine of right and whole",
    **{f"abpc {m}": f"ABPC, {m} (higher is better)" for m in MAPS},
    **{f"sensitivity {m}": f"sensitivity, {m} (lower is better)" for m in MAPS},
}


def column(rows: Sequence[dict[str, Any]], phi: float, name: str) -> Tensor:
    """One number of every photo, NaN where there is none: `(N,)`."""
    values = [row[f"{phi:g}"].get(name) for row in rows]
    return torch.tensor([math.nan if v is None else v for v in values], dtype=torch.float64)


def claims_of(rows: Sequence[dict[str, Any]], phi: float) -> list[Claim]:
    """The paper's claims, each as a difference over photos."""
    at = f"φ = {phi:g}"

    def of(name: str) -> Tensor:
        return column(rows, phi, name)

    ahead = of("norm_share") - FAR * of("sum_share")
    found = [
        paired(
            "left separates better than the whole", of("abpc left") - of("abpc whole"), quantity="ABPC left − whole"
        ),
        paired(
            "the whole separates better than right", of("abpc whole") - of("abpc right"), quantity="ABPC whole − right"
        ),
        paired(
            f"the right side's share of the norm is more than {FAR:g} times its share of the sum",
            ahead,
            quantity=f"{WORDS['norm_share']} − {FAR:g} {WORDS['sum_share']}",
        ),
    ]
    if of("sensitivity left").isfinite().any():
        steadier = of("sensitivity whole") - of("sensitivity left")
        less = of("sensitivity right") - of("sensitivity whole")
        found.insert(
            2, paired("left is steadier under noise than the whole", steadier, quantity="sensitivity whole − left")
        )
        found.insert(3, paired("the whole is steadier than right", less, quantity="sensitivity right − whole"))
    return [Claim(**{**vars(c), "source": at}) for c in found]


def page(found: dict[str, Any]) -> str:
    """The whole page, from what was measured."""
    parts = [HEAD.format(**summary(found)), FIGURE]
    for name, measured in found["models"].items():
        rows = measured["rows"]
        parts += [f"## {name}", NUMBERS.format(kept=len(rows), looked=measured["looked at"]), numbers(rows)]
        parts.append(claims_table([c for phi in PHIS for c in claims_of(rows, phi)]))
    return "\n\n".join([*parts, OTHERWISE.format(**summary(found))])


def numbers(rows: Sequence[dict[str, Any]]) -> str:
    """The paper's numbers beside ours: means over photos with their intervals."""
    head = ("", "their notebook, φ = 0.95, n = 4", "an earlier run, n = 18", *(f"here, φ = {phi:g}" for phi in PHIS))
    lines = []
    for name, words in WORDS.items():
        theirs = (f"{t[name]:.4g}" if name in t else "–" for t in (PUBLISHED, EARLIER))
        lines.append([words, *theirs, *(spelt(*mean_of(column(rows, phi, name))) for phi in PHIS)])
    return table(head, lines)


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """What the text around the numbers needs."""
    rows = [row for measured in found["models"].values() for row in measured["rows"]]
    gaps = torch.tensor([abs(row["gap"]) for row in rows], dtype=torch.float64)
    noisy = sum(any(k.startswith("sens") for k in row[f"{PHIS[0]:g}"]) for row in rows)
    verdicts = [c.verdict for m in found["models"].values() for phi in PHIS for c in claims_of(m["rows"], phi)]
    counted = ", ".join(f"{verdicts.count(v)} {v}" for v in ("holds", "does not hold here", "undecided"))
    made = f"gradline {found['made'].get('gradline', '')}, PyTorch {found['made'].get('torch', '')}"
    numbers = {k: found[k] for k in ("steps", "copies", "source", "seed", "form")}
    return numbers | {"gap": spelt(*mean_of(100 * gaps)), "noisy": noisy, "counted": counted, "made": made}


HEAD = """# Saturation

*Miglani, Kokhlikyan, Alsallakh, Martin, Reblitz-Richardson (2020), Investigating Saturation Effects in Integrated
Gradients.* On the way from the baseline to a photo the score rises early and then hardly changes, while gradients go on
being added to the map. With φ the share of the change after which the score counts as saturated, the path is split at
t\\*, the smallest t with F(x′ + t (x − x′)) > F(x′) + φ (F(x) − F(x′)): *left* is the map up to there, *right* the
rest, and left + right is Integrated Gradients. By definition right holds about 1 − φ of the sum; the paper finds it
about as large in norm as left, and finds left alone the better map.

The authors' protocol: the logit of the true class, zeros of the model's input as the baseline, right-hand steps (here
{steps}), the step that crosses to the right; photos whose logit rises by more than 5. **ABPC**: nine tenths of the
pixels set to zero, the lowest values first and the highest first, the area between the two normalised logits.
**Sensitivity**: the largest relative change of the map over {copies} noisy copies (uniform, radius 0.05), the same for
all three maps, t\\* found anew on each; {noisy} photos. Intervals are 95 % bootstraps over photos, paired for claims.

Of the claims below: {counted}. The paper's own tables were not at hand; beside ours stand
the stored cells of the authors' notebook (Inception v3). On one image of theirs at φ = 0.9, with t\\* = 0.30, Σ right /
Σ left is 0.115 and ‖right‖₂ / ‖left‖₂ is 2.10."""

FIGURE = """![Left: the score along the path of every photo, with the points where 95 % of its change is made. Right:
how much of the path and of the map's norm lies beyond that point, beside its share of the sum](saturation.svg)"""

NUMBERS = """{kept} photos kept of {looked} looked at: the logit of their true class rises by more than 5. Means over
photos, 95 % intervals in brackets; ratios have long tails, shares have none."""

OTHERWISE = """## Done otherwise than in the paper

- EfficientNet-Lite networks on {source} for Inception v3 on ImageNet's validation set in random order.
- {steps} steps for 200, {copies} noisy copies for 10 (`--full` takes theirs). The sum of a map misses the change of the
  score by {gap} % on average, which is the error of right-hand steps.
- The zero of the model's input is grey 127 here, theirs is the mean colour of ImageNet.
- Where no step exceeds the threshold all of the map is left; their code makes both sides the whole.
- This is `split_integrated_gradients(phi, as_published=True)`. Its default finds t\\* by bisection and shares out the
  step in which it lies.

`reproductions/saturation.py` writes this page from `reproductions/saturation.json` ({form} form, seed {seed},
{made})."""


# -------------------------------------------------------------------------------------------------------- figure


def figure(found: dict[str, Any]) -> Callable[[Path], None]:
    """What the figure's file is written by."""
    from matplotlib.figure import Figure

    rows = next(iter(found["models"].values()))["rows"]
    phi, drawn = PHIS[0], Figure(figsize=(8.4, 3.3), layout="constrained")
    paths, beyond = drawn.subplots(1, 2)
    steps = found["steps"]
    at = [0.0, *((k + 1) / steps for k in range(steps))]
    t = column(rows, phi, "t").tolist()
    for row, point in zip(rows, t, strict=True):
        curve = [0.0, *row["curve"]]
        paths.plot(at, curve, color="#5b6675", lw=0.6, alpha=0.45)
        paths.plot([point], [curve[round(point * steps)]], ".", color="#b4400c", ms=5)
    paths.axhline(phi, color="#1b222c", lw=0.7, ls=(0, (1, 1.6)))
    paths.set(xlim=(0, 1), ylim=(-0.3, 1.4), xlabel="t", ylabel="share of the change of the logit")
    paths.set_title(f"t* of {len(rows)} photos, φ = {phi:g}", fontsize=9)
    beyond.plot([1 - point for point in t], column(rows, phi, "norm_share").tolist(), ".", color="#b4400c", ms=5)
    beyond.axhline(1 - phi, color="#1b222c", lw=0.7, ls=(0, (1, 1.6)))
    beyond.text(0.99, 1 - phi + 0.015, "share of the sum", ha="right", fontsize=7.5)
    beyond.set(xlim=(0, 1), ylim=(0, 1), xlabel="share of the path beyond t*", ylabel="‖right‖ / (‖left‖ + ‖right‖)")
    beyond.set_title("what lies beyond t*", fontsize=9)
    for axes in (paths, beyond):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return lambda path: drawn.savefig(path, metadata={"Date": None})
