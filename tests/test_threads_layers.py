"""In-place operations, reused modules, recurrent nets."""

import copy

import pytest
import torch
from captum.attr import LayerIntegratedGradients
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import gradline as gl

D = torch.float64


def reference(function, x, start, nodes=300):
    """The map by a plain loop: midpoint sum of gradient ⊙ move."""
    total = torch.zeros_like(x)
    for k in range(nodes):
        point = (start + (k + 0.5) / nodes * (x - start)).detach().requires_grad_()
        total += torch.autograd.grad(function(point).sum(), point)[0] / nodes
    return (total * (x - start)).detach()


def error(values, exact):
    return float((values - exact).norm() / exact.norm())


def out_of_place(model):
    """The same model without any in-place operation."""
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return twin


# ---------------------------------------------------------------------------------------------------- in place


class Dense(nn.Module):
    """Every part reads what all parts before it returned; activations and sums overwrite what they are given."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.one, self.two = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(6, 3, 1)
        self.inplace, self.act, self.head = True, nn.ReLU(inplace=True), nn.Linear(3, 2)
        self.double()

    def forward(self, x):
        stem = self.stem(x.mul_(0.5) if self.inplace else x * 0.5)
        one = self.one(self.act(stem) if self.inplace else stem.relu())
        both = torch.cat([stem if self.inplace else stem.relu(), one], 1)
        two = self.two(both.relu_() if self.inplace else both.relu())
        if self.inplace:
            two += one
        else:
            two = two + one
        return self.head(two.sigmoid_().mean((2, 3)) if self.inplace else two.sigmoid().mean((2, 3)))


@pytest.mark.parametrize("site", [None, "stem", "one", "two", "head"])
def test_operations_in_place_change_neither_the_map_nor_the_input(site):
    """Dense connections and sums that overwrite: at the input and at every layer the map of the out-of-place twin."""
    model, x = Dense().eval(), torch.randn(2, 1, 6, 6, dtype=D)
    before, layer = x.clone(), None if site is None else gl.Layer(site)
    a, b = (gl.explain(m, x, 1, site=layer, steps=9) for m in (model, out_of_place(model)))
    torch.testing.assert_close(a.values, b.values)
    assert a.values.any()
    assert torch.equal(x, before)
    inside = gl.methods.conductance(gl.Layer("two"))
    a, b = (gl.explain(m, x, 1, method=inside, steps=9) for m in (model, out_of_place(model)))
    torch.testing.assert_close(a.values, b.values)


def test_a_layer_in_front_of_an_in_place_activation_shows_what_it_returned():
    """Other tools read the activation after it was overwritten: the layer's negative values are lost there."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 2)).double().eval()
    x, zero = torch.randn(3, 4, dtype=D), torch.zeros(1, 4, dtype=D)
    with torch.no_grad():
        end, start = model[0](x), model[0](zero)
    exact = reference(lambda h: model[2](torch.relu(h))[:, 1], end, start)
    try:
        theirs = LayerIntegratedGradients(model, model[0]).attribute(x, zero.expand(3, 4), target=1)
    except RuntimeError:
        pass  # refused: a leaf in use
    else:
        assert error(theirs, exact) > 0.05
    assert error(gl.explain(model, x, 1, site=gl.Layer("0"), tol=0.01).values, exact) <= 0.01


def test_the_doctor_names_an_input_that_is_overwritten():
    found = gl.doctor(Dense().eval(), torch.randn(2, 1, 6, 6, dtype=D), 1).findings
    assert [f.code for f in found] == ["GL105"]


# ---------------------------------------------------------------------------------------------------- reused


class Reused(nn.Module):
    """One layer, three times in a forward."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.same, self.top = nn.Linear(4, 4), nn.Linear(4, 2)
        self.double()

    def tail(self, h, times):
        for _ in range(times):
            h = self.same(torch.tanh(h))
        return self.top(torch.tanh(h))

    def forward(self, x):
        return self.tail(self.same(x), 2)


def test_a_module_that_is_used_again_is_a_site_at_every_call():
    model, x = Reused().eval(), torch.randn(3, 4, dtype=D)
    with torch.no_grad():
        shown = [[model.same(p)] for p in (x, torch.zeros(1, 4, dtype=D))]
        for ends in shown:
            ends += [model.same(torch.tanh(ends[0]))]
            ends += [model.same(torch.tanh(ends[1]))]
    for call in range(3):
        a = gl.explain(model, x, 1, site=gl.Layer("same", call=call), tol=0.01)
        exact = reference(lambda h, c=call: model.tail(h, 2 - c)[:, 1], shown[0][call], shown[1][call])
        assert error(a.values, exact) <= 0.01
    with pytest.raises(gl.SiteError, match="called several times"):
        gl.explain(model, x, 1, site=gl.Layer("same"))
    with pytest.raises(gl.SiteError, match="below 3, got call=3"):
        gl.explain(model, x, 1, site=gl.Layer("same", call=3))


# ---------------------------------------------------------------------------------------------------- recurrent


class Recurrent(nn.Module):
    """A recurrent net under dropout; the answer uses its last output, or its hidden state."""

    def __init__(self, kind, *, layers=1, hidden=False):
        super().__init__()
        torch.manual_seed(3)
        self.rnn, self.hidden = kind(3, 4, layers, batch_first=True, dropout=0.5 if layers > 1 else 0.0), hidden
        self.drop, self.top = nn.Dropout(0.5), nn.Linear(4, 2)
        self.double()

    def forward(self, x):
        outputs, state = self.rnn(x)
        state = state[0] if isinstance(state, tuple) else state
        return self.top(self.drop(torch.tanh(state[-1] if self.hidden else outputs[:, -1])))


SERIES = torch.randn(3, 5, 3, dtype=D, generator=torch.Generator().manual_seed(4))
every_kind = pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])


@every_kind
@pytest.mark.parametrize("layers", [1, 2])
def test_recurrent_nets_need_no_training_mode_and_get_no_dropout(kind, layers):
    model = Recurrent(kind, layers=layers).train()
    a = gl.explain(model, SERIES, 1, tol=0.01)
    assert [f.code for f in a.findings] == ["GL101"]
    assert model.training
    assert model.rnn.training
    model.eval()
    assert error(a.values, reference(lambda x: model(x)[:, 1], SERIES, 0 * SERIES)) <= 0.01


@every_kind
def test_cudnn_is_off_inside_recurrent_layers_and_nowhere_else(kind, monkeypatch):
    """Its recurrent layers have no gradient in evaluation mode; all other layers keep it, and so does the caller."""
    monkeypatch.setattr(torch.backends.cudnn, "enabled", True)
    model, seen = Recurrent(kind).eval(), {"rnn": [], "top": []}

    def watch(name, module):
        plain = module.forward

        def forward(*args):
            seen[name].append(torch.backends.cudnn.enabled)
            return plain(*args)

        module.forward = forward

    for name in seen:
        watch(name, getattr(model, name))
    gl.explain(model, SERIES, 1, steps=3)
    assert (set(seen["rnn"]), set(seen["top"])) == ({False}, {True})
    model.top.forward = lambda x: 1 / 0
    with pytest.raises(gl.ModelError):
        gl.explain(model, SERIES, 1, steps=3)
    assert torch.backends.cudnn.enabled


@every_kind
def test_the_outputs_of_a_recurrent_net_are_a_layer(kind):
    """Behind the last output stands top(tanh(·)): the map is there and nowhere else."""
    model = Recurrent(kind, layers=2).eval()
    a = gl.explain(model, SERIES, 1, site=gl.Layer("rnn"), tol=0.01)
    with torch.no_grad():
        end, start = model.rnn(SERIES)[0], model.rnn(0 * SERIES)[0]
    assert a.values.shape == (3, 5, 4)
    assert a.findings == ()
    assert error(a.values, reference(lambda h: model.top(torch.tanh(h[:, -1]))[:, 1], end, start)) <= 0.01


@every_kind
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_hidden_state_with_its_batch_axis_second_is_taken_row_by_row(kind, layers):
    """Two rows of a state of two layers look like two rows, three of three like three; each belongs to its example."""
    model = Recurrent(kind, layers=layers, hidden=True).eval()
    with torch.no_grad():
        ends = [model.rnn(x)[1] for x in (SERIES, 0 * SERIES)]
    end, start = (e[0][-1] if kind is nn.LSTM else e[-1] for e in ends)
    exact = reference(lambda h: model.top(torch.tanh(h))[:, 1], end, start)
    a = gl.explain(model, SERIES, 1, site=gl.Layer("rnn", output=1), tol=0.01)
    assert [f.code for f in a.findings] == ["GL103"]
    assert error(a.values.reshape(3, layers, 4)[:, -1], exact) <= 0.01
    assert not a.values.reshape(3, layers, 4)[:, :-1].any()


class Packed(nn.Module):
    """Series of several lengths, packed."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.rnn, self.top = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)
        self.double()

    def forward(self, x, lengths):
        packed, _ = self.rnn(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.top(torch.tanh(pad_packed_sequence(packed, batch_first=True)[0]).sum(1))


def test_a_packed_sequence_is_a_layer_output_like_any_other():
    model = Packed().eval()

    def explain(lengths, site):
        context = {"lengths": torch.tensor(lengths)}
        return gl.explain(model, SERIES, 1, site=site, context=context, tol=0.01)

    at_input = explain([5, 2, 4], None)
    assert at_input.findings == ()
    assert not at_input.values[1, 2:].any()
    assert not at_input.values[2, 4:].any()
    exact = reference(lambda x: model(x, torch.tensor([5, 2, 4]))[:, 1], SERIES, 0 * SERIES)
    assert error(at_input.values, exact) <= 0.01
    same = explain([4, 4, 4], gl.Layer("rnn"))
    with torch.no_grad():
        end, start = (model.rnn(x[:, :4])[0] for x in (SERIES, 0 * SERIES))
    exact = reference(lambda h: model.top(torch.tanh(h).sum(1))[:, 1], end, start)
    assert error(same.values.reshape(3, 4, 4), exact) <= 0.01
    with pytest.raises(gl.SiteError, match=r"one shape for all examples from layer 'rnn', got \(5, 4\) and \(2, 4\)"):
        explain([5, 2, 4], gl.Layer("rnn"))
