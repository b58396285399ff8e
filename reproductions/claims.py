"""What a paper claims, and what is found: intervals, verdicts, tables in Markdown. Import it from `common`."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradline.evaluation.statistics import fewest, interval, resampled_means

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))  # scripts are no package
wilson: Callable[[int, int], tuple[float, float]] = importlib.import_module("intervals").wilson

LEVEL = 0.05


@dataclass(frozen=True)
class Claim:
    """What a paper claims, and what is found here.

    `estimate` of `quantity` with its 95 % interval `low` … `high` over `n` examples; directed: above `null` speaks for
    the claim. `source`: where the paper says it. `needs`: with fewer examples nothing is decided.
    """

    text: str
    n: int
    estimate: float
    low: float
    high: float
    quantity: str = ""
    source: str = ""
    null: float = 0.0
    needs: int = 0

    @property
    def verdict(self) -> str:
        if self.n < self.needs or not (math.isfinite(self.low) and math.isfinite(self.high)):
            return "undecided"
        if self.low > self.null:
            return "holds"
        return "does not hold here" if self.high < self.null else "undecided"

    def plain(self) -> dict[str, Any]:
        """For JSON, which has no NaN."""
        fields = asdict(self) | {"verdict": self.verdict}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in fields.items()}


def mean_of(values: Tensor | Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The mean over examples and its 95 % bootstrap interval, NaN left out; no interval (NaN) for fewer than two."""
    table = torch.as_tensor(values, dtype=torch.float64)
    table = table[table.isfinite()]
    if len(table) < 2:
        return (float(table.mean()) if len(table) else math.nan), math.nan, math.nan
    low, high = interval(resampled_means(table[:, None], seed))
    return float(table.mean()), float(low), float(high)


def paired(
    text: str, differences: Tensor | Sequence[float], *, quantity: str = "", source: str = "", seed: int = 0
) -> Claim:
    """A claim about the mean of `differences (N,)`, one for each example, above 0 where the claim is right.

    A bootstrap over examples; nothing is decided with fewer examples than a sign test could decide, six.
    """
    table = torch.as_tensor(differences, dtype=torch.float64)
    mean, low, high = mean_of(table, seed)
    return Claim(text, int(table.isfinite().sum()), mean, low, high, quantity, source, needs=fewest(1, LEVEL))


def share(text: str, hits: int, n: int, *, over: float = 0.5, quantity: str = "", source: str = "") -> Claim:
    """A claim that a share of the examples, `hits` of `n`, is more than `over`; Wilson's interval."""
    low, high = wilson(hits, n)
    return Claim(text, n, hits / n if n else math.nan, low, high, quantity, source, over)


def spelt(mean: float, low: float = math.nan, high: float = math.nan) -> str:
    """A mean, and its interval if there is one: `21.30 (20.9 … 21.7)`; as many decimals as the interval bears."""
    if not math.isfinite(mean):
        return "–"
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return f"{mean:.3g}"
    decimals = min(6, max(0, 1 - math.floor(math.log10(high - low))))
    one, two, three = (f"{round(v, decimals) + 0.0:.{decimals}f}" for v in (mean, low, high))  # no −0
    return f"{one} ({two} … {three})"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column stands left, the others right."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def claims_table(claims: Iterable[Claim]) -> str:
    """Each claim with its verdict, estimate, interval and n."""
    head = ("claim", "source", "measured", "estimate, 95 % interval", "n", "verdict")
    rows = [(c.text, c.source, c.quantity, spelt(c.estimate, c.low, c.high), c.n, f"**{c.verdict}**") for c in claims]
    return table(head, rows).replace("| --- | ---: | ---: | ---: | ---: | ---: |", "|---|---|---|---:|---:|---|")
