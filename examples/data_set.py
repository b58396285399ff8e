"""A data set in batches: explained, saved, found again after an interruption, and judged as a whole.

    python examples/data_set.py        # run it twice: the second time everything is there

Every batch is one file in data-set/, with every number of its attribution. A file is written whole or not at all, so
whatever exists is done. Row names are the keys of all random numbers: a row gets the same map in any batch.
"""

from collections import Counter
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import gradline as gl

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)).eval()
rows = TensorDataset(torch.arange(1000), torch.randn(1000, 12))

folder = Path("data-set")
folder.mkdir(exist_ok=True)
for batch, (numbers, x) in enumerate(DataLoader(rows, batch_size=250)):
    file = folder / f"{batch:04d}.safetensors"
    if file.exists():
        print(f"{file} is there")
        continue
    a = gl.explain(model, x, names=[f"row {int(k)}" for k in numbers], tol=0.05)
    print(f"{a.save(file)}: {Counter(s.value for s in a.status)}, {int(a.evaluations.sum())} gradients")

parts = [gl.load(file) for file in sorted(folder.glob("*.safetensors"))]
values = torch.cat([a.values for a in parts])
error = torch.cat([a.error_estimate for a in parts])
names = [name for a in parts for name in a.names]
status = Counter(s.value for a in parts for s in a.status)

print(f"\n{len(values)} rows: {', '.join(f'{n} {s}' for s, n in status.items())}")
print(f"estimated map error: median {error.median():.2%}, largest {error.max():.2%} ({names[int(error.argmax())]})")
print("mean |contribution| of each column:", [round(float(v), 3) for v in values.abs().mean(0)])
for a in parts:
    for k in range(len(a)):
        if not a.status[k].is_sound:
            print(f"look at {a.names[k]}: {a.status[k].meaning}")
