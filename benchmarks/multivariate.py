"""Real series of several channels and of different lengths (under a minute on one core).

    AEON_DATA=<aeon/datasets/data of an unpacked wheel of aeon> python benchmarks/multivariate.py

BasicMotions: six channels of a smart watch, 100 samples, four activities (40 to learn from, 40 new). JapaneseVowels:
twelve channels, 7 to 29 samples, nine speakers (270 and 370); a recurrent network that is told the lengths. The wheel
of aeon carries both (UEA archive; not shipped here). Maps of the predicted classes: how many converge, how many of
those lie within the tolerance of 128 nodes of Gauss and Legendre, and what padding changes. Writes multivariate.json
beside it.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch
from intervals import wilson
from torch import Tensor, nn

import gradline as gl

OUT = Path(__file__).with_suffix(".json")
TOL = 0.05
Sample = tuple[Tensor, str]


def read(name: str, part: str) -> list[Sample]:
    """Series `(C, T)` and their labels from a file in the format of aeon and sktime."""
    text = (Path(os.environ["AEON_DATA"]) / name / f"{name}_{part}.ts").read_text("utf-8")
    found = []
    for line in text.partition("@data")[2].split():
        *channels, label = line.split(":")
        found.append((torch.tensor([[float(v) for v in c.split(",")] for c in channels]), label))
    return found


class Speaker(nn.Module):
    """What it has heard by the end of each series, whatever follows."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(channels, 48, batch_first=True), nn.Linear(48, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        h, _ = self.rnn(x)
        y: Tensor = self.head(h[torch.arange(len(x)), lengths - 1])
        return y


class Motion(nn.Sequential):
    def __init__(self, channels: int, classes: int) -> None:
        first, second = nn.Conv1d(channels, 24, 9, padding=4), nn.Conv1d(24, 24, 7, padding=3)
        super().__init__(
            first, nn.GELU(), nn.MaxPool1d(2), second, nn.GELU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
            nn.Linear(24, classes),
        )  # fmt: skip


def padded(rows: list[Sample], mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """`(N, T, C)` with zeros behind the ends, and the lengths."""
    series = [((x - mean) / scale).T for x, _ in rows]
    return nn.utils.rnn.pad_sequence(series, batch_first=True), torch.tensor([len(s) for s in series])


def measured(name: str, model: Any, epochs: int, *, lengths: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    seen, new = read(name, "TRAIN"), read(name, "TEST")
    labels = sorted({label for _, label in seen})
    every = torch.cat([x for x, _ in seen], 1)
    mean, scale = every.mean(1, keepdim=True), every.std(1, keepdim=True)
    net = model(len(every), len(labels))
    (x, n), (held, m) = padded(seen, mean, scale), padded(new, mean, scale)
    truth, due = (torch.tensor([labels.index(label) for _, label in rows]) for rows in (seen, new))
    ask = net if lengths else lambda x, _: net(x.mT)
    optimiser = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.02)
    for _ in range(epochs):
        optimiser.zero_grad()
        nn.functional.cross_entropy(ask(x, n), truth).backward()
        optimiser.step()
    net.eval()
    right = int((ask(held, m).argmax(1) == due).sum())
    layout = gl.series.Layout.TIME_FIRST if lengths else gl.series.Layout.CHANNELS_FIRST
    told = gl.series.SeriesModel(
        net,
        channels=tuple(f"channel {k + 1}" for k in range(len(every))),
        labels=tuple(labels),
        layout=layout,
        lengths="lengths" if lengths else None,
    )
    some = [s[:k] if lengths else s.mT for s, k in zip(held[:40], m[:40].tolist(), strict=True)]
    a = gl.explain_series(some, model=told, tol=TOL)
    exact = gl.explain_series(some, model=told, steps=128, rule=gl.rules.GaussLegendre)
    error = (a.values - exact.values).flatten(1).norm(dim=1) / exact.values.flatten(1).norm(dim=1)
    sure = torch.tensor([status is gl.Status.CONVERGED for status in a.status])
    alone = [gl.explain_series([one], model=told, steps=16) for one in some[:8]]
    together = gl.explain_series(some[:8], model=told, steps=16)
    apart = [
        float((together.values[k : k + 1][:, : one.values.shape[1]] - one.values).norm() / one.values.norm())
        for k, one in enumerate(alone)
    ]
    gap = (a.completeness_gap / (a.score - a.baseline_score)).abs()  # type: ignore[operator]
    return {
        "channels": len(every),
        "lengths": [int(m.min()), int(m.max())],
        "held-out accuracy": share(right, len(new)),
        "maps": len(some),
        "converged to 5 %": share(int(sure.sum()), len(some)),
        "of those within 5 %": share(int((error[sure] <= TOL).sum()), int(sure.sum())),
        "gradients a series, median": float(a.evaluations.double().median()),
        "median |gap| / |F(x) - F(x')|": float(gap.median()),
        "largest change by the batch, relative": max(apart),
    }


def share(hits: int, n: int) -> dict[str, float]:
    low, high = wilson(hits, n)
    return {"share": hits / n, "low": low, "high": high, "n": n}


def main() -> None:
    began = time.process_time()
    torch.set_num_threads(1)
    found: dict[str, Any] = {
        "BasicMotions": measured("BasicMotions", Motion, 80, lengths=False),
        "JapaneseVowels": measured("JapaneseVowels", Speaker, 80, lengths=True),
    }
    seconds = round(time.process_time() - began, 1)
    found["made with"] = {"torch": torch.__version__, "machine": platform.machine(), "seconds of one core": seconds}
    OUT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
