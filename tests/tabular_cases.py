"""Small tables and models for tests of tables: made by hand, census incomes, breast cancers."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import gradline as gl
from gradline.adapters import tabular
from gradline.adapters.tabular.encoding import encoder

FRAME = {
    "age": [20.0, 30.0, 40.0, 55.0],
    "work": ["a", "b", "a", "c"],
    "study": ["x", "y", "y", "x"],
    "hours": [10, 20, 30, 45],
}
"""Numbers and categories."""

LAYERS = {"work": gl.Layer("embed.work"), "study": gl.Layer("embed.study")}


class Embedded(nn.Module):
    """Numbers and codes in; two embeddings inside."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.ModuleDict({"work": nn.Embedding(3, 4), "study": nn.Embedding(2, 3)})
        self.head = nn.Sequential(nn.Linear(9, 16), nn.Tanh(), nn.Linear(16, 2))

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        parts = [layer(codes[:, k]) for k, layer in enumerate(self.embed.values())]
        return self.head(torch.cat([x, *parts], 1))


def columns(embedded: bool = True) -> tuple[tabular.Column, ...]:
    layers = LAYERS if embedded else {}
    return tabular.columns_of(FRAME, layers=layers, units={"age": "years", "hours": "h"})


def embedded_model() -> tabular.TabularModel:
    torch.manual_seed(0)
    return tabular.TabularModel(Embedded().double().eval(), columns(), labels=("no", "yes"))


def one_hot_model() -> tabular.TabularModel:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(7, 16), nn.Tanh(), nn.Linear(16, 2)).double().eval()
    return tabular.TabularModel(net, columns(embedded=False), labels=("no", "yes"), name="one-hot net")


def read_csv(path: Path, numbers: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """Columns of a CSV file; `numbers`: those to read as numbers, None: all but the last."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = list(rows[0])[:-1] if numbers is None else numbers
    return {name: [float(row[name]) if name in wanted else row[name] for row in rows] for name in rows[0]}


def some(frame: dict[str, list[Any]], rows: slice) -> dict[str, list[Any]]:
    return {name: values[rows] for name, values in frame.items()}


class Income(nn.Module):
    def __init__(self, known: Sequence[tabular.Column]) -> None:
        super().__init__()
        categories = [c for c in known if isinstance(c, tabular.Category)]
        self.embed = nn.ModuleDict({c.name: nn.Embedding(len(c.values), 3) for c in categories})
        width = len(known) - len(categories) + 3 * len(categories)
        self.head = nn.Sequential(nn.Linear(width, 24), nn.GELU(), nn.Linear(24, 2))

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        return self.head(torch.cat([x, *(e(codes[:, k]) for k, e in enumerate(self.embed.values()))], 1))


def trained(model: tabular.TabularModel, frame: object, labels: Tensor, epochs: int = 100) -> tabular.TabularModel:
    known = encoder(model)
    read = known.read(frame)
    inputs = [read.moved[known.numbers]] + ([read.codes] if model.embedded else [])
    parameters = list(model.model.parameters())
    speed = [torch.zeros_like(p) for p in parameters]
    for _ in range(epochs):  # by hand: the first optimiser of a process takes seconds to load
        loss = nn.functional.cross_entropy(model.model(*inputs), labels)
        for p, v, grad in zip(parameters, speed, torch.autograd.grad(loss, parameters), strict=True):
            v.mul_(0.9).add_(grad + 0.003 * p.detach())
            p.data.sub_(0.1 * v)
    model.model.eval()
    return model


@cache
def adult() -> tuple[tabular.TabularModel, dict[str, list[Any]], dict[str, list[Any]]]:
    """A network of census incomes, the rows that it was trained on, and new ones."""
    torch.manual_seed(0)
    numbers = ["age", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
    frame = read_csv(Path(__file__).parents[1] / "examples" / "adult.csv", numbers)
    train, new = some(frame, slice(600)), some(frame, slice(600, 800))
    layers = {name: gl.Layer(f"embed.{name}") for name in frame if name not in numbers and name != "income"}
    units = {"age": "years", "hours_per_week": "h", "capital_gain": "$", "capital_loss": "$"}
    known = tabular.columns_of(train, without=["income"], units=units, layers=layers)
    model = tabular.TabularModel(Income(known), known, labels=("<=50K", ">50K"))
    labels = torch.tensor([value == ">50K" for value in train["income"]]).long()
    return trained(model, train, labels), train, new


@cache
def cancer() -> tuple[tabular.TabularModel, dict[str, list[Any]], dict[str, list[Any]]]:
    """A network of breast cancers, the rows that it was trained on, and new ones."""
    torch.manual_seed(0)
    frame = read_csv(Path(__file__).parent / "data" / "breast-cancer.csv")
    train, new = some(frame, slice(400)), some(frame, slice(400, None))
    known = tabular.columns_of(train, without=["diagnosis"])
    net = nn.Sequential(nn.Linear(10, 16), nn.GELU(), nn.Linear(16, 2))
    model = tabular.TabularModel(net, known, labels=("malignant", "benign"))
    labels = torch.tensor([value == "benign" for value in train["diagnosis"]]).long()
    return trained(model, train, labels), train, new
