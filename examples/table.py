"""Which columns of a table a network used, on a problem whose answer is known.

    python examples/table.py

Friedman's problem (1991): y = 10 sin(π a b) + 20 (c − ½)² + 10 d + 5 e; five more columns do nothing. The network
learns it from 2000 noisy rows; the same question, put to the formula, is the truth. The error bar is about the map of
the network. What the network has not learned comes on top, and is printed beside it. Writes table.pdf.
"""

import math

import torch
from torch import nn

import gradline as gl

NAMES = ["a", "b", "c", "d", "e", *(f"unused {k}" for k in range(1, 6))]
torch.manual_seed(0)


def friedman(x):
    a, b, c, d, e = x[:, :5].T
    return 10 * torch.sin(math.pi * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e


x, new = torch.rand(2000, 10), torch.rand(200, 10)
y = friedman(x) + torch.randn(2000)
model = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1), nn.Flatten(0))
optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(150):
    for rows in torch.randperm(len(x)).split(250):
        optimiser.zero_grad()
        nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
        optimiser.step()
model.eval()

learned = gl.explain(model, new, baseline=0.5, tol=0.01)  # every path starts in the middle of the table
truth = gl.explain(friedman, new.double(), baseline=0.5, tol=0.01)
print(learned, "\n")

print("mean |contribution|   network   truth")
for name, ours, true in zip(NAMES, learned.values.abs().mean(0), truth.values.abs().mean(0), strict=True):
    print(f"{name:<20} {ours:8.2f} {true:7.2f}")
wrong = (learned.values - truth.values).norm(dim=1) / truth.values.norm(dim=1)
print(f"\nestimated error of the maps {learned.error_estimate.max():.2%} at most: the network is explained as it is,")
print(f"and the network is {wrong.median():.0%} away from the truth (median of {len(new)} rows)")

linear = 10 * (new[:, 3].double() - 0.5)  # on paper: d enters linearly, so it contributes 10 (d − ½)
print(f"largest error of d in the map of the formula: {(truth.values[:, 3] - linear).abs().max():.1e}")

row = int(truth.values.norm(dim=1).argmax())
gl.plots.write_figure(gl.plots.bars(learned, row, names=NAMES), "table.pdf")
