"""Questions about values: what the prepared copy says, what is counted, and which scales a target has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.engine.inquiry import inquire
from gradline.engine.prepared import Blocked, ChannelsLast, prepared
from gradline.metrics import Scale


class Residual(nn.Module):
    """Convolutions with batch norms whose statistics are nobody's default, a skip, a branch registered out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)
        with torch.no_grad():
            self.norm.running_mean.normal_(generator=torch.Generator().manual_seed(3))
            self.norm.running_var.uniform_(0.5, 2, generator=torch.Generator().manual_seed(4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.first(x)).relu()
        return self.head((h + self.second(h)).mean((2, 3)))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Residual().eval()


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 9, 9, generator=torch.Generator().manual_seed(1))


def test_the_copy_is_folded_and_says_the_same(model: nn.Module) -> None:
    before = {k: v.clone() for k, v in model.state_dict().items()}
    copy = prepared(model, images())
    assert isinstance(copy, ChannelsLast), "means are not taken over blocks"
    assert isinstance(copy.model.norm, nn.Identity)
    torch.testing.assert_close(copy(images()), model(images()), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())
    assert all(p.requires_grad for p in model.parameters())


def test_small_networks_of_plain_layers_compute_in_blocks() -> None:
    """Without batch norms too; the parts of the caller's are as before, and gradients flow through them."""
    layers = [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 2), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 2)).eval()
    x = torch.randn(3, 3, 12, 12)
    copy = prepared(model, x)
    assert copy is not None
    assert isinstance(copy[0], Blocked)
    torch.testing.assert_close(copy(x.clone()), model(x).detach(), rtol=1e-5, atol=1e-6)
    assert type(model[0]) is nn.Conv2d
    assert not any(getattr(layer, "inplace", False) for layer in layers)
    model(x).sum().backward()


class Shared(nn.Module):
    """The convolution in front of the batch norm, by registration, is also used without it: folding would be wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.norm.running_var.fill_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return (self.norm(self.conv(x)) + self.conv(x)).flatten(1)


def test_a_copy_that_says_something_else_is_not_used() -> None:
    assert prepared(Shared().eval(), images()) is None


class ReadTwice(nn.Module):
    """What an activation is given is read again behind it: it must not be written over."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.conv, self.activation = nn.Conv2d(3, 3, 1), activation

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv(x).square()
        return (self.activation(h) + h).flatten(1)


@pytest.mark.parametrize("activation", [nn.ReLU6(), nn.SiLU(), nn.ELU()], ids=repr)
def test_inputs_that_are_read_again_are_not_written_over(activation: nn.Module) -> None:
    """Squares are not negative: ELU says the same in place, ReLU6 says it for x and another thing for larger points."""
    model = ReadTwice(activation).eval()
    with torch.no_grad():
        model.conv.weight.fill_(0.2)
        model.conv.bias.fill_(0.1)
    copy = prepared(model, images())
    assert (copy is None) != isinstance(activation, nn.ELU)
    if copy is not None:
        torch.testing.assert_close(copy(9 * images()), model(9 * images()), rtol=1e-5, atol=1e-5)


def test_models_that_somebody_looks_into_are_not_copied(model: nn.Module) -> None:
    with_hook = model.register_forward_hook(lambda *_: None)
    assert prepared(model, images()) is None
    with_hook.remove()
    assert prepared(model, images()) is not None
    assert prepared(lambda x: x, images()) is None
    assert prepared(nn.Sequential(nn.Flatten(), nn.Linear(243, 2)).eval(), images()) is None, "without convolutions"
    assert prepared(nn.Sequential(nn.Linear(4, 2)), torch.randn(2, 4)) is None
    assert prepared(model.double(), images().double()) is None
    assert prepared(Residual(), images()) is None, "in training mode"


@pytest.mark.parametrize("rows", [4, 99])
def test_values_are_those_of_the_model_on_every_scale(
    model: nn.Module, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = images()
    with inquire(gl.Score(model), x) as inquiry:
        owner = torch.tensor([0, 2, 2, 1])
        points = 0.5 * x[owner]
        monkeypatch.setattr(inquiry, "rows", lambda: rows)
        inquiry.values(points, owner)
        told = inquiry.values(points, owner)
        assert inquiry.forwards.tolist() == [2, 2, 4]
        assert ("_faster" in vars(inquiry)) == (rows == 4), "a copy is made when a batch is full"
    output = model(points).double().detach()
    k = model(x).argmax(1)[owner]
    rows = torch.arange(4)
    torch.testing.assert_close(told[Scale.LOGIT], output[rows, k], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(told[Scale.PROBABILITY], output.softmax(1)[rows, k], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(told[Scale.LOG_PROBABILITY], output.log_softmax(1)[rows, k], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(told[Scale.EXPLAINED], told[Scale.LOGIT])
    assert told[Scale.HIT].tolist() == (output.argmax(1) == k).double().tolist()


def test_scales_of_one_column_of_labels_and_of_no_class() -> None:
    """One column: sigmoid, and a hit above zero. Labels: each its own sigmoid. A function: the score as it is."""
    x = torch.tensor([[-2.0, 1.0], [3.0, 0.5]], dtype=torch.float64)

    def scales(target: Any, model: Any) -> dict[Scale, Tensor]:
        with inquire(gl.Score(model, target), x) as inquiry:
            return inquiry.values(x, torch.arange(2))

    one = scales(0, lambda x: x[:, :1])
    torch.testing.assert_close(one[Scale.PROBABILITY], x[:, 0].sigmoid())
    assert one[Scale.HIT].tolist() == [0, 1]
    label = scales(gl.LabelProbability(1), lambda x: x)
    torch.testing.assert_close(label[Scale.PROBABILITY], x[:, 1].sigmoid())
    torch.testing.assert_close(label[Scale.LOG_PROBABILITY], x[:, 1].sigmoid().log())
    assert label[Scale.HIT].tolist() == [1, 1]
    assert list(scales(lambda y: y.sum(1), lambda x: x)) == [Scale.EXPLAINED]


def test_a_metric_on_a_scale_that_a_target_does_not_have_says_what_to_do() -> None:
    x = torch.randn(2, 4).double()
    score = gl.Score(lambda x: x, lambda y: y.sum(1))
    with pytest.raises(gl.TargetError, match=r"Scale\.EXPLAINED"):
        gl.evaluate(gl.metrics.Deletion(), score, x, x)
    found = gl.evaluate(gl.metrics.Deletion(scale=Scale.EXPLAINED), score, x, x)
    assert found.values.isfinite().all()


def test_fills_are_pushed_to_the_layer_that_is_driven() -> None:
    """Ids through an embedding: the fill 0 is the vector of word 0, and removing all words gives its score."""
    torch.manual_seed(0)
    table = nn.Embedding(7, 3).double()
    model = nn.Sequential(table, nn.Flatten(), nn.Linear(12, 2).double()).eval()
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 1, 2]])
    score = gl.Score(model, 1, site=gl.Layer("0"))
    a = gl.attribute(score, ids, steps=4)
    found = gl.evaluate(gl.metrics.Deletion(fill=gl.baselines.Zero(), steps=gl.metrics.Steps(4)), score, ids, a)
    empty = model(torch.zeros_like(ids)).softmax(1)[:, 1]
    assert found.curve is not None
    torch.testing.assert_close(found.curve[:, -1], empty.detach())
    assert found.curve.shape == (2, 5)


def test_several_inputs_are_judged_as_one_row_of_features() -> None:
    x = {"a": torch.randn(3, 2).double(), "b": torch.randn(3, 4).double()}

    def model(a: Tensor, b: Tensor) -> Tensor:
        return torch.stack([a.sum(1) + b.sum(1), -b[:, 0]], 1)

    score = gl.Score(model, 0)
    a = gl.attribute(score, x)
    found = gl.evaluate(gl.metrics.InsertionMinusDeletion(steps=gl.metrics.Steps(6)), score, x, a)
    flat = torch.cat([x["a"], x["b"]], 1)
    score = gl.Score(lambda x: model(x[:, :2], x[:, 2:]), 0)
    alone = gl.evaluate(found.metric, score, flat, torch.cat([a.values["a"], a.values["b"]], 1))
    torch.testing.assert_close(found.values, alone.values)


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (torch.zeros(2, 5), "like x"),
        (torch.zeros(3, 4), "2 maps"),
        (torch.zeros(2, 4, dtype=torch.bool), "real numbers"),
        ("a map", "maps as a tensor"),
    ],
)
def test_maps_that_do_not_fit_are_refused(maps: Any, said: str) -> None:
    with pytest.raises(gl.InputError, match=said):
        gl.evaluate(gl.metrics.Deletion(), gl.Score(lambda x: x), torch.randn(2, 4), maps)


def test_wrong_calls_say_what_was_expected() -> None:
    x = torch.randn(2, 4)
    with pytest.raises(gl.InputError, match="call it"):
        gl.evaluate(gl.metrics.Deletion, gl.Score(lambda x: x), x, x)  # type: ignore[arg-type]
    with pytest.raises(gl.InputError, match="a Score"):
        gl.evaluate(gl.metrics.Deletion(), lambda x: x, x, x)  # type: ignore[arg-type]
    with pytest.raises(gl.InputError, match="one target"):
        gl.evaluate(gl.metrics.Deletion(), gl.Score(lambda x: x, [0, 1]), x, x)
    fill = gl.baselines.GaussianNoise(0.1, draws=3)
    with pytest.raises(gl.InputError, match="one start"):
        gl.evaluate(gl.metrics.Deletion(fill=fill), gl.Score(lambda x: x), x, x)


def test_maps_without_an_order_have_no_value_and_say_why() -> None:
    x = torch.randn(3, 4)
    maps = torch.stack([torch.zeros(4), torch.tensor([1, float("nan"), 2, 3]), torch.tensor([4.0, 3, 2, 1])])
    found = gl.evaluate(gl.metrics.InsertionMinusDeletion(), gl.Score(lambda x: x), x, maps)
    assert found.values.isnan().tolist() == [True, True, False]
    assert "constant" in found.notes[0]
    assert "not finite" in found.notes[1]
    assert found.notes[2] == ""
