"""Small models of time series, and series of different lengths, for tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gradline.adapters import series

CHANNELS = ("x", "y", "z")
UNITS = ("m/s²", "m/s²", "m/s²")
LABELS = ("walks", "runs")


class Recurrent(nn.Module):
    """An LSTM or GRU over `(N, T, C)`, its states' mean where the mask `(N, T)` is True."""

    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM) -> None:
        super().__init__()
        self.states, self.head = kind(3, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        found, _ = self.states(x)
        weight = mask.to(found.dtype).unsqueeze(2)
        return self.head((found * weight).sum(1) / weight.sum(1))


class Packed(nn.Module):
    """A bidirectional GRU over packed series `(N, T, C)`: its last states."""

    def __init__(self) -> None:
        super().__init__()
        self.states, self.head = nn.GRU(3, 6, batch_first=True, bidirectional=True), nn.Linear(12, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.states(packed)[1].transpose(0, 1).flatten(1))


class Attentive(nn.Module):
    """A transformer over `(N, T, C)` that is told what is padding, as PyTorch's layers are."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.into, self.head = nn.Linear(3, 8), nn.Linear(8, 2)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        place = torch.linspace(0, 1, 64, dtype=x.dtype)[: x.shape[1], None]
        found = self.body(self.into(x) + place, src_key_padding_mask=padding)
        there = (~padding).to(x.dtype).unsqueeze(2)
        return self.head((found * there).sum(1) / there.sum(1))


class Convolutional(nn.Module):
    """A network of one convolution over `(N, C, T)`, whose padding is masked."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Conv1d(3, 8, 5, padding=2), nn.Linear(8, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        there = mask.to(x.dtype).unsqueeze(1)
        found = nn.functional.gelu(self.layer(x)) * there
        return self.head(found.sum(2) / there.sum(2))


def models() -> dict[str, series.SeriesModel]:
    """A model of every kind, in float64."""
    torch.manual_seed(0)
    late = {"channels": CHANNELS, "units": UNITS, "labels": LABELS, "rate": 50.0, "layout": series.Layout.TIME_FIRST}
    early = late | {"layout": series.Layout.CHANNELS_FIRST}
    padding = {"mask": "padding", "marks": series.Marks.PADDING}
    return {
        "lstm": series.SeriesModel(Recurrent(nn.LSTM).double().eval(), mask="mask", **late),
        "gru": series.SeriesModel(Recurrent(nn.GRU).double().eval(), mask="mask", **late),
        "packed": series.SeriesModel(Packed().double().eval(), lengths="lengths", **late),
        "transformer": series.SeriesModel(Attentive().double().eval(), **padding, **late),
        "cnn": series.SeriesModel(Convolutional().double().eval(), mask="mask", **early),
    }


def some(model: series.SeriesModel, *lengths: int) -> list[Tensor]:
    """Series of these lengths in the model's layout."""
    torch.manual_seed(1)
    found = [torch.randn(3, length, dtype=torch.float64) for length in lengths]
    return [one.mT for one in found] if model.layout is series.Layout.TIME_FIRST else found


def linear(weight: Tensor, **changed: object) -> series.SeriesModel:
    """Of the score ⟨w, x⟩, whose map is w · (x − x') whatever the path: `weight (C, T)`."""
    names = tuple(f"c{k}" for k in range(len(weight)))
    return series.SeriesModel(lambda x: (x * weight.to(x.dtype)).sum((1, 2)), channels=names, **changed)
