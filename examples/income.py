"""Which facts of a census row speak for a high income: numbers and embedded categories, from frame to frame.

    python examples/income.py

A network learns 600 rows of the Adult data set (Becker and Kohavi 1996; UCI, CC BY 4.0) and is right about six of seven
new ones. The file has 800 rows and ten columns of it. Writes income-row.html and income-all.pdf.
"""

import csv
from pathlib import Path

import torch
from torch import nn

import gradline as gl

NUMBERS = ["age", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
UNITS = {"age": "years", "hours_per_week": "h", "capital_gain": "$", "capital_loss": "$"}
torch.manual_seed(0)
with Path(__file__).with_name("adult.csv").open(encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
table = {name: [float(row[name]) if name in NUMBERS else row[name] for row in rows] for name in rows[0]}
train, new = ({name: values[part] for name, values in table.items()} for part in (slice(600), slice(600, 800)))
layers = {name: gl.Layer(f"embed.{name}") for name in table if name not in [*NUMBERS, "income"]}
columns = gl.tabular.columns_of(train, without=["income"], units=UNITS, layers=layers)
categories = [column for column in columns if column.name in layers]


class Income(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.ModuleDict({column.name: nn.Embedding(len(column.values), 3) for column in categories})
        self.head = nn.Sequential(nn.Linear(5 + 3 * len(categories), 24), nn.GELU(), nn.Linear(24, 2))

    def forward(self, numbers, codes):
        return self.head(torch.cat([numbers, *(e(codes[:, k]) for k, e in enumerate(self.embed.values()))], 1))


def encode(frame):  # as gl.explain_table does: scaled numbers, then codes
    numbers = [(torch.tensor(frame[c.name]) - c.mean) / c.scale for c in columns if c not in categories]
    codes = [torch.tensor([c.values.index(value) for value in frame[c.name]]) for c in categories]
    return torch.stack(numbers, 1), torch.stack(codes, 1)


net = Income()
labels, truth = (torch.tensor([v == ">50K" for v in frame["income"]]).long() for frame in (train, new))
optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.05)
for _ in range(50):
    optimiser.zero_grad()
    nn.functional.cross_entropy(net(*encode(train)), labels).backward()
    optimiser.step()
net.eval()
print(f"right about {(net(*encode(new)).argmax(1) == truth).float().mean():.0%} of {len(truth)} new rows\n")
model = gl.tabular.TabularModel(net, columns, labels=("<=50K", ">50K"))
a = gl.explain_table(new, model=model, target=">50K", tol=0.02)
for name, values in gl.tabular.frame(a).items():
    print(f"{name:<16} {sum(map(abs, values)) / len(values):.2f} mean |contribution|")
row = int(a.score.argmax())
a[row].save("income-row.html")
gl.plots.write_figure(gl.plots.beeswarm(a), "income-all.pdf")
