"""Heartbeats: does a network of seconds read them, and do its maps find what it reads (under a minute on one core).

    GRADLINE_DATA=<data pack> python benchmarks/ecg200.py

ECG200 (Olszewski 2001; research use, never shipped): 100 single beats of 96 samples, normal or infarction. Each half is
read by a small network of convolutions that was trained on the other half, so that every beat is held out once. Maps of
the class it predicts are judged by insertion minus deletion of samples, paired by beat. Without the pack: synthetic
beats. Then three channels of synthetic acceleration, of which one holds what differs, for a short time: known truth.
aeon's multivariate sets are not used. Writes ecg200.json beside it.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intervals import wilson
from torch import Tensor, nn

import gradline as gl
from gradline.adapters import series
from gradline.core.random import generator

sys.path.append(str(Path(__file__).parent.parent / "reproductions"))  # scripts are no package
mean_of = importlib.import_module("claims").mean_of

OUT = Path(__file__).with_suffix(".json")
FIRST = series.Layout.CHANNELS_FIRST
TOL = 0.05
WAVES = ((0.18, 0.15, 0.025), (0.34, -0.15, 0.010), (0.36, 1.2, 0.012), (0.385, -0.25, 0.012), (0.62, 0.3, 0.045))


def beats() -> tuple[Tensor, Tensor, str]:
    """Beats `(N, 1, 96)`, 1 for normal ones, and where they are from."""
    pack = os.environ.get("GRADLINE_DATA")
    if pack is not None:
        file = np.load(Path(pack) / "ecg200_train.npz")
        return torch.from_numpy(file["series"])[:, None], torch.from_numpy(file["labels"]).long(), "ECG200"
    draw, t = generator(0, "beats", "ecg200"), torch.arange(96) / 100
    labels = torch.arange(100) % 2
    x = 0.05 * torch.randn(100, 96, generator=draw)
    for place, height, width in WAVES:
        at = place + 0.006 * torch.randn(100, 1, generator=draw)
        x += height * (1 + 0.15 * torch.randn(100, 1, generator=draw)) * torch.exp(-(((t - at) / width) ** 2) / 2)
    x += 0.3 * (1 - labels)[:, None] * ((t > 0.43) & (t < 0.53))
    return ((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True))[:, None], labels, "synthetic beats"


def acceleration() -> tuple[Tensor, Tensor, Tensor]:
    """Walks `(N, 3, 120)`, 1 for those with a tremor of 9 Hz in the second channel, and where that is `(N, 120)`."""
    draw, t = generator(0, "walks", "ecg200"), torch.arange(120) / 50
    labels = torch.arange(240) % 2
    pace = 1.8 + 0.2 * torch.randn(240, 1, 1, generator=draw)
    phase = 6.3 * torch.rand(240, 3, 1, generator=draw)
    x = torch.sin(2 * torch.pi * pace * t + phase) + 0.3 * torch.randn(240, 3, 120, generator=draw)
    begin = 0.2 + 1.4 * torch.rand(240, 1, generator=draw)
    place = (t >= begin) & (t < begin + 0.6)
    shake = torch.sin(2 * torch.pi * 9 * t + 6.3 * torch.rand(240, 1, generator=draw))
    x[:, 1] += labels[:, None] * place * shake
    return x, labels, place


def trained(x: Tensor, labels: Tensor, *, steps: int = 120) -> nn.Module:
    """A network of two convolutions, the same whenever it is trained on the same."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(x.shape[1], 16, 9, padding=4), nn.GELU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 24, 7, padding=3), nn.GELU(), nn.AdaptiveAvgPool1d(8), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(24 * 8, 2),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x + 0.1 * torch.randn_like(x)), labels).backward()
        optimiser.step()
    return net.eval()


def maps(model: series.SeriesModel, x: Tensor) -> dict[str, gl.Attribution]:
    """Of the predicted classes."""
    starts = {"zero": 0.0, "line between the ends": series.EndsLine(), "moving average": series.MovingAverage(25)}
    found = {
        f"integrated gradients, {name}": series.explain_series(x, model=model, baseline=start, tol=TOL)
        for name, start in starts.items()
    }
    return found | {
        "gradient x input": series.explain_series(x, model=model, method=gl.methods.gradient_x_input()),
        "gradient": series.explain_series(x, model=model, method=gl.methods.gradient()),
    }


def judged(model: series.SeriesModel, x: Tensor, found: dict[str, gl.Attribution]) -> dict[str, Tensor]:
    """Insertion minus deletion of each beat, the mean over three fills, none of them a favour to one start."""
    fills = (gl.baselines.Zero(), series.EndsLine(layout=FIRST), series.MovingAverage(25, layout=FIRST))
    metrics = [gl.metrics.InsertionMinusDeletion(fill=fill, steps=gl.metrics.Steps(24)) for fill in fills]
    score = gl.Score(model.model, model.model(x).argmax(1))
    return {
        name: torch.stack([gl.evaluate(metric, score, x, a).values for metric in metrics]).mean(0)
        for name, a in found.items()
    }


def within(a: gl.Attribution, model: series.SeriesModel, x: Tensor) -> int:
    """How many of the maps lie within the tolerance of 256 nodes of Gauss and Legendre."""
    due = series.explain_series(x, model=model, steps=256, rule=gl.rules.GaussLegendre)
    error = (a.values - due.values).flatten(1).norm(dim=1) / due.values.flatten(1).norm(dim=1)
    return int((error <= TOL).sum())


def on_beats() -> dict[str, Any]:
    x, labels, source = beats()
    order = torch.randperm(len(x), generator=generator(0, "halves", "ecg200"))
    right = converged = near = 0
    scores: dict[str, list[Tensor]] = {}
    evaluations, gaps = [], []
    for held, seen in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        net = trained(x[seen], labels[seen])
        model = series.SeriesModel(net, channels=("ECG",), labels=("infarction", "normal"))
        right += int((net(x[held]).argmax(1) == labels[held]).sum())
        found = maps(model, x[held])
        for name, values in judged(model, x[held], found).items():
            scores.setdefault(name, []).append(values)
        ours = found["integrated gradients, zero"]
        converged += ours.status.count(gl.Status.CONVERGED)
        near += within(ours, model, x[held])
        evaluations.append(ours.evaluations.double())
        gaps.append((ours.completeness_gap / (ours.score - ours.baseline_score)).abs())  # type: ignore[operator]
    every = {name: torch.cat(values) for name, values in scores.items()}
    return {
        "data": source,
        "held-out beats": len(x),
        "held-out accuracy": _share(right, len(x)),
        "maps converged to 5 %": _share(converged, len(x)),
        "of all within 5 % of 256 nodes": _share(near, len(x)),
        "gradients a beat": float(torch.cat(evaluations).mean()),
        "median |gap| / |F(x) - F(x')|": float(torch.cat(gaps).median()),
        "insertion minus deletion": {name: float(values.mean()) for name, values in every.items()},
        "more than gradient x input, paired by beat": {
            name: _mean(values - every["gradient x input"])
            for name, values in every.items()
            if name != "gradient x input"
        },
    }


def on_acceleration() -> dict[str, Any]:
    x, labels, place = acceleration()
    net = trained(x[:160], labels[:160])
    new, truth, where = x[160:], labels[160:], place[160:]
    model = series.SeriesModel(net, channels=("x", "y", "z"), rate=50.0, labels=("calm", "tremor"))
    shaken = truth == 1
    a = series.explain_series(new[shaken], model=model, target="tremor", tol=TOL)
    f = series.frequencies(new[shaken], model=model, target="tremor", tol=TOL)
    sizes = a.values.abs()
    inside = (sizes[:, 1] * where[shaken]).sum(1) / sizes.sum((1, 2))
    bands = gl.plots.spectrum_panel(f).frequencies
    near = (bands > 7) & (bands < 11)
    band = f.sum(3)[:, 1, near].sum(1) / f.values.sum((1, 2, 3))  # type: ignore[union-attr, index]
    return {
        "held-out accuracy": _share(int((net(new).argmax(1) == truth).sum()), len(new)),
        "share of the map where the tremor is": _mean(inside),
        "of the samples": float(where[shaken].double().mean() / 3),
        "share of F(x) - F(x') in 7 to 11 Hz of its channel": _mean(band),
        "of the coefficients": float(near.sum() / len(bands) / 3),
    }


def _share(hits: int, n: int) -> dict[str, float]:
    low, high = wilson(hits, n)
    return {"share": hits / n, "low": low, "high": high, "n": n}


def _mean(values: Tensor) -> dict[str, float]:
    mean, low, high = mean_of(values)
    return {"mean": mean, "low": low, "high": high, "n": len(values)}


def main() -> None:
    began = time.process_time()
    torch.set_num_threads(1)
    found = {"beats": on_beats(), "acceleration, synthetic": on_acceleration()}
    about = {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "seconds of one core": round(time.process_time() - began, 1),
    }
    OUT.write_text(json.dumps({**found, "made with": about}, indent=1) + "\n", "utf-8")
    print(json.dumps(found | {"made with": about}, indent=1))


if __name__ == "__main__":
    main()
