"""Which part of a heartbeat a network looks at, on beats whose difference is known.

    python examples/series.py

Synthetic beats: each wave of an electrocardiogram is a Gaussian bump, 100 samples a second. In sick beats the segment
between the large peak and the last wave (0.43 to 0.53 s) is lifted by 0.35 mV; nothing else differs. A network of two
convolutions learns it in seconds. Writes series.pdf, spectrum.pdf, series.html.
"""

import torch
from torch import nn

import gradline as gl

WAVES = ((0.18, 0.15, 0.025), (0.34, -0.15, 0.010), (0.36, 1.2, 0.012), (0.385, -0.25, 0.012), (0.62, 0.3, 0.045))
T = torch.arange(96) / 100


def beats(count):
    """Beats `(N, 1, 96)` in mV, 1 for the sick ones; waves jitter in time and height, the ground wanders."""
    sick = torch.arange(count) % 2
    x = 0.03 * torch.randn(count, 96) + 0.1 * torch.randn(count, 1) * torch.sin(2 * torch.pi * T)
    for place, height, width in WAVES:
        at = place + 0.006 * torch.randn(count, 1)
        x += height * (1 + 0.15 * torch.randn(count, 1)) * torch.exp(-(((T - at) / width) ** 2) / 2)
    x += 0.35 * sick[:, None] * torch.sigmoid((T - 0.43) / 0.008) * torch.sigmoid((0.53 - T) / 0.008)
    return x[:, None], sick


torch.manual_seed(0)
x, sick = beats(400)
net = nn.Sequential(
    nn.Conv1d(1, 12, 9, padding=4), nn.GELU(), nn.AvgPool1d(4),
    nn.Conv1d(12, 16, 5, padding=2), nn.GELU(), nn.Flatten(), nn.Linear(16 * 24, 2),
)  # fmt: skip
optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
for _ in range(60):
    optimiser.zero_grad()
    nn.functional.cross_entropy(net(x), sick).backward()
    optimiser.step()
new, truth = beats(200)
right = net.eval()(new).argmax(1) == truth
print(f"right about {right.float().mean():.0%} of {len(new)} new beats\n")

model = gl.series.SeriesModel(
    net, channels=("lead II",), units=("mV",), rate=100, labels=("well", "sick"), name="beats"
)
some = new[truth == 1][:20]
a = gl.explain_series(some, model=model, target="sick", baseline=new[truth == 0].mean(0), tol=0.02)
print(a[0], "\n")
lifted = (T >= 0.42) & (T <= 0.54)  # what differs, on paper
share = a.values.abs()[..., lifted].sum((1, 2)) / a.values.abs().sum((1, 2))
print(f"share of the map between 0.42 and 0.54 s: {share.mean():.0%}, of the samples {lifted.float().mean():.0%}")

f = gl.series.frequencies(some, model=model, target="sick", baseline=new[truth == 0].mean(0), tol=0.02)
slow = gl.plots.spectrum_panel(f).frequencies < 6  # what is lifted is slow
print(f"below 6 Hz: {f.sum(3)[:, 0, slow].sum() / f.values.sum():.0%} of F(x) − F(x')")
gl.plots.write_figure(gl.plots.series(a), "series.pdf")
gl.plots.write_figure(gl.plots.spectrum(f), "spectrum.pdf")
a[0].save("series.html")
