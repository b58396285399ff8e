"""Driving a path at a layer: a model that is cut in two by hand says what is right."""

from __future__ import annotations

from collections import OrderedDict, namedtuple

import pytest
import torch
from torch import Tensor, nn

import gradline as gl

torch.manual_seed(0)
X = torch.randn(3, 6, dtype=torch.float64)
ZERO = torch.zeros_like(X)
Pair = namedtuple("Pair", "first second")


class Skip(nn.Module):
    """F(x) = head(body(stem(x)) + stem(x)): the connection goes round `body`."""

    def __init__(self, wrap=lambda h: h, unwrap=lambda h: h):
        super().__init__()
        self.stem, self.body, self.head = nn.Linear(6, 5), nn.Sequential(nn.Linear(5, 5), nn.Tanh()), nn.Linear(5, 3)
        self.last = nn.Identity()
        self.wrap, self.unwrap = wrap, unwrap

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        return self.head(torch.nn.functional.gelu(self.body(h) + h))


NET = Skip().double().eval()


def by_hand(tail, end: Tensor, start: Tensor, steps: int = 400) -> Tensor:
    """Integrated Gradients of `tail` from `start` to `end`, midpoints, one row at a time."""
    maps = []
    for row in range(len(end)):
        total = torch.zeros_like(end[:1])
        for k in range(steps):
            point = (start[row] + (k + 0.5) / steps * (end[row] - start[row]))[None].requires_grad_()
            total += torch.autograd.grad(tail(point, row).sum(), point)[0]
        maps.append(total / steps * (end[row] - start[row]))
    return torch.cat(maps)


def test_what_bypasses_the_layer_sees_x() -> None:
    with torch.no_grad():
        stem = NET.stem(X)
        end, start = NET.body(stem), NET.body(NET.stem(ZERO))

    def tail(b: Tensor, row: int) -> Tensor:
        return NET.head(torch.nn.functional.gelu(b + stem[row : row + 1]))[:, 1]

    a = gl.explain(NET, X, 1, site=gl.Layer("body"), steps=400)
    torch.testing.assert_close(a.values, by_hand(tail, end, start), rtol=0, atol=1e-12)
    replaced = torch.cat([tail(start[i : i + 1], i) for i in range(3)])
    torch.testing.assert_close(a.baseline_score, replaced.detach(), rtol=0, atol=1e-14)
    torch.testing.assert_close(a.score, NET(X)[:, 1].detach(), rtol=0, atol=1e-14)
    assert (a.completeness_gap.abs() < 1e-6).all()


@pytest.mark.parametrize("where", ["body", NET.body, "body.1", NET.body[1]], ids=str)
def test_a_layer_by_name_is_the_layer_itself(where) -> None:
    one, other = (gl.explain(NET, X, 1, site=gl.Layer(w), steps=9).values for w in ("body", where))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_layer_that_passes_its_input_on_has_the_map_of_the_input() -> None:
    net = nn.Sequential(nn.Identity(), NET)
    one, other = gl.explain(net, X, 1, site=gl.Layer("0")), gl.explain(net, X, 1)
    torch.testing.assert_close(one.values, other.values, rtol=0, atol=1e-14)
    assert one.status == other.status
    torch.testing.assert_close(one.evaluations, other.evaluations)


def test_to_a_tolerance_the_error_is_within_it() -> None:
    for layer in ("stem", "body"):
        truth = gl.explain(NET, X, 1, site=gl.Layer(layer), steps=3000).values
        for tol in (0.05, 1e-3):
            a = gl.explain(NET, X, 1, site=gl.Layer(layer), tol=tol)
            assert set(a.status) == {gl.Status.CONVERGED}
            assert (((a.values - truth).norm(dim=1) / truth.norm(dim=1)) <= tol).all()


class Several(nn.Module):
    """Returns what it is told to, around two tensors."""

    def __init__(self, made) -> None:
        super().__init__()
        self.made, self.a, self.b = made, nn.Linear(6, 4), nn.Linear(6, 2)

    def forward(self, x: Tensor):
        return self.made(self.a(x), self.b(x))


class Carrier:
    def __init__(self, one, two):
        self.note, self.one, self.two = "kept", one, two


SHAPES = {
    "tuple": (lambda a, b: (a, 7, b), lambda o: (o[0], o[2])),
    "list": (lambda a, b: [a, [None, b]], lambda o: (o[0], o[1][1])),
    "named tuple": (Pair, lambda o: (o.first, o.second)),
    "dict": (lambda a, b: {"ids": torch.arange(3), "a": a, "b": b}, lambda o: (o["a"], o["b"])),
    "ordered dict": (lambda a, b: OrderedDict(a=a, b=b), lambda o: (o["a"], o["b"])),
    "object": (Carrier, lambda o: (o.one, o.two)),
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("output", [0, 1])
def test_layers_return_tuples_and_objects(kind: str, output: int) -> None:
    made, taken = SHAPES[kind]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.several, self.head = Several(made), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.tanh(torch.cat(taken(self.several(x)), 1)))

    net = Net().double().eval()
    several = net.several

    def tail(h: Tensor, row: int) -> Tensor:
        parts = [several.a(X[row : row + 1]), several.b(X[row : row + 1])]
        parts[output] = h
        return net.head(torch.tanh(torch.cat(parts, 1)))[:, 0]

    own = (several.a, several.b)[output]
    a = gl.explain(net, X, 0, site=gl.Layer("several", output=output), steps=20)
    due = by_hand(tail, own(X).detach(), own(ZERO).detach(), steps=20)
    torch.testing.assert_close(a.values, due, rtol=0, atol=1e-12)


class Twice(nn.Module):
    """One module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.head = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.shared(torch.tanh(self.shared(x)))))


def test_a_shared_module_is_explained_call_by_call_and_never_silently_all_at_once() -> None:
    net = Twice().double().eval()
    with pytest.raises(gl.SiteError, match=r"'shared' is called several times .* call=0"):
        gl.explain(net, X, 0, site=gl.Layer("shared"))
    for call in (0, 1):
        inner = (lambda v: v) if call == 0 else (lambda v: torch.tanh(net.shared(v)))
        outer = (
            (lambda h: net.head(torch.tanh(net.shared(torch.tanh(h)))))
            if call == 0
            else (lambda h: net.head(torch.tanh(h)))
        )
        end, start = (net.shared(inner(v)).detach() for v in (X, ZERO))
        a = gl.explain(net, X, 0, site=gl.Layer("shared", call=call), steps=20)
        due = by_hand(lambda h, row, outer=outer: outer(h)[:, 0], end, start, steps=20)
        torch.testing.assert_close(a.values, due, rtol=0, atol=1e-12)
    with pytest.raises(gl.SiteError, match="calls it 2 times"):
        gl.explain(net, X, 0, site=gl.Layer("shared", call=2))


def test_what_follows_may_write_into_what_the_layer_returned() -> None:
    tidy = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)).double().eval()
    rash = nn.Sequential(tidy[0], nn.ReLU(inplace=True), tidy[2])
    for site in (gl.Layer("0"), None):
        one, other = (gl.explain(n, X, 1, site=site, steps=20) for n in (tidy, rash))
        torch.testing.assert_close(one.values, other.values, rtol=0, atol=0)
    neuron = [gl.explain(n, X, gl.Neuron("0", 2), steps=20).values for n in (tidy, rash)]
    torch.testing.assert_close(*neuron, rtol=0, atol=0)


class Recurrent(nn.Module):
    def __init__(self, use: str) -> None:
        super().__init__()
        self.rnn, self.head, self.use = nn.LSTM(3, 4, 2, batch_first=True), nn.Linear(4, 2), use

    def forward(self, x: Tensor) -> Tensor:
        out, (h, _) = self.rnn(x)
        return self.head(out[:, -1] if self.use == "output" else h[-1])


def test_a_state_without_the_batch_in_front_is_explained_a_row_at_a_time() -> None:
    torch.manual_seed(0)
    net, x = Recurrent("state").double().eval(), torch.randn(2, 5, 3, dtype=torch.float64)
    a = gl.explain(net, x, 0, site=gl.Layer("rnn", output=1), steps=10)
    assert a.values.shape == (2, 2, 1, 4)  # layers, one row, units
    assert [f.code for f in a.findings] == ["GL103"]
    with torch.no_grad():
        end, start = net.rnn(x)[1][0][-1], net.rnn(torch.zeros_like(x))[1][0][-1]
    due = (end - start) * net.head.weight[0]  # the head is linear, and reads the last layer alone
    torch.testing.assert_close(a.values[:, 1, 0], due.detach(), rtol=0, atol=1e-12)
    assert not a.values[:, 0].any()
    plain = gl.explain(Recurrent("output").double().eval(), x, 0, site=gl.Layer("rnn"))
    assert plain.values.shape == (2, 5, 4)


def test_a_start_may_be_given_in_the_layers_own_space() -> None:
    start = torch.full((1, 5), 0.3, dtype=torch.float64)
    for value in (start, 0.3, gl.baselines.Constant(0.3)):
        a = gl.explain(NET, X, 1, site=gl.Layer("stem"), baseline=gl.baselines.AtSite(value), steps=300)

        def tail(h: Tensor, row: int) -> Tensor:
            return NET.head(torch.nn.functional.gelu(NET.body(h) + h))[:, 1]

        due = by_hand(tail, NET.stem(X).detach(), start.expand(3, -1), 300)
        torch.testing.assert_close(a.values, due, rtol=0, atol=1e-12)
    both = gl.explain(
        NET, X, 1, site=gl.Layer("stem"), baseline=gl.baselines.Each(gl.baselines.AtSite(0.3), 0.0), steps=300
    )
    pushed = gl.explain(NET, X, 1, site=gl.Layer("stem"), steps=300)
    torch.testing.assert_close(both.values, (due + pushed.values) / 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("site", "words"),
    [
        (gl.Layer("bodi"), "did you mean 'body'"),
        (gl.Layer(nn.Linear(2, 2)), "not part of it"),
        (gl.Layer("last"), "'last' is never called"),
        (gl.Layer(3), "the name of a layer"),
        (gl.Layer("body", output=1), "choose output= below 1"),
        (gl.Layer("body", output=-1), "from 0"),
        (gl.Layer("body", call=True), "whole number"),
        ("body", "gl.Layer"),
    ],
    ids=str,
)
def test_a_place_that_cannot_be_is_refused_in_words(site, words: str) -> None:
    with pytest.raises(gl.SiteError, match=words):
        gl.explain(NET, X, 1, site=site)


def test_a_layer_that_the_target_does_not_use_is_no_zero_map() -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.other = nn.Linear(6, 2), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": self.used(x), "aux": self.other(x)}

    net = Branch().double().eval()
    with pytest.raises(gl.SiteError, match="no differentiable way from output 0 of layer 'other'"):
        gl.explain(net, X, 0, site=gl.Layer("other"))
    assert gl.explain(net, X, gl.Entry("aux", 0), site=gl.Layer("other")).values.any()


def test_a_function_takes_a_layer_as_an_object() -> None:
    a = gl.explain(lambda x: NET(x).square(), X, 1, site=gl.Layer(NET.body), steps=9)
    assert a.values.shape == (3, 5)
    with pytest.raises(gl.SiteError, match="pass the module"):
        gl.explain(lambda x: NET(x), X, 1, site=gl.Layer("body"))


def test_a_compiled_module_is_explained_through_its_original() -> None:
    compiled = torch.compile(NET, backend="eager")
    one, other = (gl.explain(m, X, 1, site=gl.Layer("body"), steps=5).values for m in (NET, compiled._orig_mod))
    torch.testing.assert_close(one, other, rtol=0, atol=0)
