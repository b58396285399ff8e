"""The page of `smooth_taylor.py`: the paper's tables beside ours, claims with verdicts, the figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from common import Claim, claims_table, mean_of, paired, spelt, table
from torch import Tensor

FIXED = 0.5
"""The σ of the paper that claims are about."""

METRICS = ("AUPC", "AUTVC")
Row = dict[str, Any]


def st(sigma: float, roots: int) -> str:
    """The name of SmoothTaylor's map."""
    return f"ST, σ = {sigma:g}, R = {roots}"


def ig_noise(count: int) -> str:
    """The name of the map that is averaged over so many baselines of noise."""
    return f"IG noise, N = {count}"


def adaptive(metric: str) -> str:
    """The name of the map of the search."""
    return f"adaptive noising by {metric}"


IG_PUBLISHED = {
    "IG zero": ((23.63, 1.52), (22.87, 1.51)),
    ig_noise(1): ((21.51, 1.62), (21.05, 1.54)),
    ig_noise(5): ((21.54, 1.52), (20.99, 1.43)),
    ig_noise(10): ((21.46, 1.45), (21.02, 1.37)),
}
"""Table I: (AUPC, AUTVC) of DenseNet-121 and of ResNet-152."""

ST_PUBLISHED = {
    0.3: (150, (21.19, 1.24), (20.79, 1.16)),
    0.5: (150, (21.20, 1.19), (20.95, 1.10)),
    0.7: (150, (21.30, 1.15), (21.32, 1.04)),
    0.1: (100, (22.03, 1.43), (21.44, 1.22)),
    2.0: (100, (23.54, 1.19), (24.48, 1.27)),
}
"""Tables I and II by σ: R, then as above."""

FEW_PUBLISHED = (10, (21.74, 1.55), (21.43, 1.43))
"""Table II: σ = 0.5 with ten roots."""

ADAPTIVE_PUBLISHED = {"AUPC": ((19.55, 1.14), (19.30, 1.05)), "AUTVC": ((22.14, 0.99), (22.52, 0.85))}
"""Table III: the map of the search by each metric, R = 150."""


def column(rows: Sequence[Row], name: str, metric: str) -> Tensor:
    """A map's values by a metric, a photo each, NaN where there is none: `(N,)`."""
    place = METRICS.index(metric)
    values = [row["maps"][name][place] for row in rows]
    return torch.tensor([math.nan if v is None else v for v in values], dtype=torch.float64)


def searched(rows: Sequence[Row], by: str, what: str) -> Tensor:
    """What became of the search by a metric on the photos where it was made: `what` is a metric, judged anew, or
    "objective", "sigma", "maps" (how many it looked at)."""
    found = []
    for one in (row["search"][by] for row in rows if "search" in row):
        value = one["judged"][METRICS.index(what)] if what in METRICS else one.get(what)
        found.append(float(len(one["trace"]) if what == "maps" else math.nan if value is None else value))
    return torch.tensor(found, dtype=torch.float64)


# -------------------------------------------------------------------------------------------------------- claims


def claims_of(rows: Sequence[Row], protocol: Row) -> list[Claim]:
    """The paper's claims, each as a difference over photos that is above 0 if it is right."""
    main, few = st(FIXED, protocol["roots"]), st(FIXED, protocol["fewer"])
    noise = ig_noise(max(protocol["noises"]))
    found = []

    def lower(text: str, metric: str, other: str, source: str) -> None:
        difference = column(rows, other, metric) - column(rows, main, metric)
        found.append(paired(text, difference, quantity=f"{metric}: {other} − {main}", source=source))

    for metric in METRICS:
        lower(f"SmoothTaylor is below IG zero on {metric}", metric, "IG zero", "Table I")
    for metric in METRICS:
        lower(f"SmoothTaylor is below IG from noise on {metric}", metric, noise, "Table I")
    for metric in METRICS:
        lower(f"more roots help on {metric}", metric, few, "Tables I, II")
    for sigma, what in ((min(protocol["sigmas"]), "small"), (max(protocol["sigmas"]), "large")):
        other = st(sigma, protocol["roots"])
        lower(f"a σ too {what} is worse: the best σ on AUPC lies inside", "AUPC", other, "Table II")
    return found + search_claims(rows, protocol)


def search_claims(rows: Sequence[Row], protocol: Row) -> list[Claim]:
    """Those about adaptive noising, on the photos where it was made."""
    some = [row for row in rows if "search" in row]
    found = []
    for metric in METRICS:
        own = searched(rows, metric, metric)
        fixed = [st(sigma, protocol["roots"]) for sigma in protocol["sigmas"]]
        best = min(fixed, key=lambda name: float(column(some, name, metric).nanmean()))
        text = f"adaptive noising is best on {metric} if that is its objective"
        difference = column(some, best, metric) - own
        quantity = f"{metric}: the best fixed σ ({best}) − {adaptive(metric)}"
        found.append(paired(text, difference, quantity=quantity, source="Table III"))
    for metric, other in (METRICS, METRICS[::-1]):
        difference = searched(rows, other, metric) - searched(rows, metric, metric)
        text = f"and worse on {metric} if {other} is its objective"
        quantity = f"{metric}: {adaptive(other)} − {adaptive(metric)}"
        found.append(paired(text, difference, quantity=quantity, source="Table III"))
    return found


# -------------------------------------------------------------------------------------------------------- page


def page(found: Row) -> str:
    """The whole page, from what was measured."""
    protocol = found["protocol"]
    parts = [HEAD.format(**summary(found)), FIGURE]
    for name, rows in found["models"].items():
        parts += [f"## {name}", f"Means over {len(rows)} photos, 95 % intervals in brackets; low is better."]
        parts += [numbers(rows, protocol), SEARCH.format(**search_summary(rows, protocol)), searches(rows, protocol)]
        parts += ["### Claims", claims_table(claims_of(rows, protocol))]
    return "\n\n".join([*parts, OTHERWISE.format(**summary(found))])


def numbers(rows: Sequence[Row], protocol: Row) -> str:
    """Tables I and II."""
    head = ("", "DenseNet-121, AUPC / AUTVC", "ResNet-152", "here, AUPC", "here, AUTVC")
    return table(head, [[label, *told, *_ours(rows, name)] for name, label, told in listed(protocol)])


def listed(protocol: Row) -> list[tuple[str, str, tuple[str, str]]]:
    """Every map that is judged on all photos: its name, what the table calls it, the paper's numbers."""
    nothing = ("–", "–")
    found = []
    for name in ("IG zero", *(ig_noise(n) for n in protocol["noises"])):
        found.append((name, name, _theirs(*IG_PUBLISHED[name]) if name in IG_PUBLISHED else nothing))
    for sigma in sorted(protocol["sigmas"]):
        name = st(sigma, protocol["roots"])
        found.append((name, *_beside(name, ST_PUBLISHED.get(sigma))))
    name = st(FIXED, protocol["fewer"])
    return [*found, (name, *_beside(name, FEW_PUBLISHED))]


def _beside(name: str, told: Any) -> tuple[str, tuple[str, str]]:
    """The table's name for a map of ours with the R of theirs, and their numbers."""
    if told is None:
        return name, ("–", "–")
    roots, *values = told
    return (name if name.endswith(f"R = {roots}") else f"{name} (theirs {roots})"), _theirs(*values)


def _theirs(dense: tuple[float, float], res: tuple[float, float]) -> tuple[str, str]:
    return f"{dense[0]:.2f} / {dense[1]:.2f}", f"{res[0]:.2f} / {res[1]:.2f}"


def _ours(rows: Sequence[Row], name: str) -> list[str]:
    return [spelt(*mean_of(column(rows, name, metric))) for metric in METRICS]


def searches(rows: Sequence[Row], protocol: Row) -> str:
    """Table III, and the fixed σ on the same photos."""
    some = [row for row in rows if "search" in row]
    head = ("", "DenseNet-121, AUPC / AUTVC", "ResNet-152", "here, AUPC", "here, AUTVC", "its objective", "σ found")
    lines = []
    for by in METRICS:
        ours = [spelt(*mean_of(searched(rows, by, metric))) for metric in METRICS]
        sigmas = searched(rows, by, "sigma")
        objective = spelt(*mean_of(searched(rows, by, "objective")))
        told = _theirs(*ADAPTIVE_PUBLISHED[by])
        lines.append([adaptive(by), *told, *ours, objective, f"{sigmas.min():.2f} … {sigmas.max():.2f}"])
    for sigma in sorted(protocol["sigmas"]):
        name = st(sigma, protocol["roots"])
        lines.append([name, *_beside(name, ST_PUBLISHED.get(sigma))[1], *_ours(some, name), "–", f"{sigma:g}"])
    return table(head, lines)


def search_summary(rows: Sequence[Row], protocol: Row) -> dict[str, Any]:
    looked = torch.cat([searched(rows, by, "maps") for by in METRICS])
    count = sum("search" in row for row in rows)
    told = {k: protocol[k] for k in ("roots", "search_fills", "fills", "rounds")}
    return told | {"count": count, "looked": f"{looked.mean():.0f}", "most": f"{looked.max():.0f}"}


def summary(found: Row) -> dict[str, Any]:
    """What the text around the numbers needs."""
    protocol = found["protocol"]
    verdicts = [c.verdict for rows in found["models"].values() for c in claims_of(rows, protocol)]
    counted = ", ".join(f"{verdicts.count(v)} {v}" for v in ("holds", "does not hold here", "undecided"))
    made = f"gradline {found['made'].get('gradline', '')}, PyTorch {found['made'].get('torch', '')}"
    photos = max(len(rows) for rows in found["models"].values())
    told = {k: found[k] for k in ("source", "seed", "form")} | {"counted": counted, "made": made, "photos": photos}
    return told | {k: protocol[k] for k in ("steps", "roots", "fills", "regions", "kernel", "rounds")}


HEAD = """# SmoothTaylor

*Goh, Lapuschkin, Weber, Samek, Binder (2020), Understanding Integrated Gradients with SmoothTaylor for Deep Neural
Network Attribution.* In place of a path the gradient is read at R roots z = x + ε around the photo, ε Gaussian of
standard deviation σ for each value, and (x − z) ∂F/∂x(z) is averaged (ST). The paper finds that such a map points at
what matters more sharply than Integrated Gradients (IG) and is less noisy, that σ has a best value which depends on the
photo, and that **adaptive noising**, a search for it, is the best of all on the metric that it minimises.

The authors' protocol: the logit of the predicted class, σ in standard deviations of ImageNet (57.6 of 255 grey
values), IG with {steps} right-hand steps from black or averaged over N images of noise, maps summed over channels with
their signs. **AUPC**: {regions} windows of {kernel} × {kernel} pixels, those of the largest mean size first, are filled
with uniform noise, {fills} times each; mean scores over that at the photo, added up by Simpson's rule. A map that finds
nothing has {regions}.
**AUTVC**: the total variation of the map over the levels of a pyramid. Low is better for both. Every map of a photo
meets the same noise. Intervals are 95 % bootstraps over photos, paired for claims.

Of the claims below: {counted}."""

FIGURE = """![AUPC and AUTVC of every map: our means with their intervals, beside the paper's](smooth-taylor.svg)

Dots with intervals: here. Squares: DenseNet-121, diamonds: ResNet-152, in the paper, which has more roots."""

SEARCH = """### Adaptive noising

On the first {count} of the photos, from σ = mean |x|: at most {rounds} times a step up or down, {roots} roots, and
{search_fills} fills for AUPC. It looked at {looked} maps on average, {most} at most. "Its objective" is the value that
the search ended with, which is biased: the least of several that depend on chance, and what the paper reports. The map
was then judged anew like all others, with {fills} fills that the search had not met."""

OTHERWISE = """## Done otherwise than in the paper

- EfficientNet-Lite networks on {photos} photos ({source}) for DenseNet-121 and ResNet-152 on the first 1000 of
  ImageNet's validation set: the levels of AUPC and AUTVC do not compare, their order does.
- {roots} roots for 150, {fills} fills for 50 (`--full` takes theirs).
- The search is this library's: all σ of a photo have the same noise, times σ, it goes on from the best σ so far, and it
  has {rounds} rounds for 20. `adaptive_noising(…, as_published=True)` draws fresh noise at every σ and goes on also
  from what is worse.
- Claims about the search are about maps judged anew, against the fixed σ with the best mean on the same photos.

`reproductions/smooth_taylor.py` writes this page from `reproductions/smooth_taylor.json` ({form} form, seed {seed},
{made})."""


# -------------------------------------------------------------------------------------------------------- figure


def figure(found: Row) -> Callable[[Path], None]:
    """What the figure's file is written by."""
    from matplotlib.figure import Figure

    protocol, rows = found["protocol"], next(iter(found["models"].values()))
    names = [name for name, _, _ in listed(protocol)]
    labels = [*names, *(adaptive(by) for by in METRICS)]
    drawn = Figure(figsize=(8.4, 0.6 + 0.26 * len(labels)), layout="constrained")
    for axes, metric in zip(drawn.subplots(1, 2, sharey=True), METRICS, strict=True):
        columns = [column(rows, name, metric) for name in names] + [searched(rows, by, metric) for by in METRICS]
        for place, values in enumerate(columns):
            mean, low, high = mean_of(values)
            axes.plot([low, high], [place, place], color="#2166ac", linewidth=1.5)
            axes.plot([mean], [place], "o", color="#2166ac", markersize=4)
        for mark, network in (("s", 0), ("D", 1)):
            axes.plot(*_marks(protocol, metric, network), mark, mfc="none", mec="#8b939e", markersize=4)
        axes.set_yticks(range(len(labels)), labels, fontsize=7)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlabel(f"{metric} (low is better)", fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)

    def write(path: Path) -> None:
        drawn.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)

    return write


def _marks(protocol: Row, metric: str, network: int) -> tuple[list[float], list[int]]:
    """The paper's numbers of one of its networks, and in which line of the figure they stand."""
    place = METRICS.index(metric)
    told: list[Any] = [IG_PUBLISHED.get(name) for name in ("IG zero", *(ig_noise(n) for n in protocol["noises"]))]
    told += [ST_PUBLISHED.get(sigma, (0, None))[1:] for sigma in sorted(protocol["sigmas"])]
    told += [FEW_PUBLISHED[1:], *(ADAPTIVE_PUBLISHED[by] for by in METRICS)]
    known = [(pair[network][place], line) for line, pair in enumerate(told) if pair and pair[0] is not None]
    return [value for value, _ in known], [line for _, line in known]
