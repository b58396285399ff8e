"""Nothing of the caller's is touched where hooks are set: layers driven and read, targets inside, models that fail."""

import threading
from contextlib import suppress

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.testing.state import identical, state_of


class Counting(nn.Module):
    """Raises `error` at its `at`-th forward."""

    def __init__(self):
        super().__init__()
        self.calls, self.at, self.error = 0, None, None

    def forward(self, x):
        self.calls += 1
        if self.at is not None and self.calls >= self.at:
            raise self.error
        return x


class Net(nn.Module):
    """What guards and hooks look at: attention with a fast path, a recurrence, batch statistics, dropout, layers that
    return tuples, that are called twice, that are written into afterwards."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.drop = nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5)
        self.attention = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True)
        self.recurrence, self.twice, self.counting = nn.GRU(6, 6, batch_first=True), nn.Linear(6, 6), Counting()
        self.last = nn.Linear(6, 3)
        nn.init.normal_(self.last.weight, std=3)

    def forward(self, x, scale=1.0):
        h = self.drop(self.norm(self.first(x))).unsqueeze(1).repeat(1, 3, 1)
        h, state = self.recurrence(self.attention(h))
        h = self.counting(self.twice(torch.tanh(self.twice(h.mean(1) + state[0]))))
        h.mul_(scale).relu_()
        return self.last(h) + x[:, :3].sin()


def prepared(training=True):
    """A model in use: some batches seen, gradients there, hooks of the caller's own, one weight frozen."""
    model = Net().train()
    model(torch.randn(5, 4)).sum().backward()
    model.first.bias.requires_grad_(False)
    model.first.register_forward_hook(lambda module, args, output: None)
    model.twice.register_forward_pre_hook(lambda module, args: None)
    model.last.register_full_backward_hook(lambda module, before, after: None)
    model.train(training)
    model.counting.calls = 0
    return model


def disturbed(before, after):
    return [name for name in before | after if not identical(before.get(name), after.get(name))]


FIRST, TWICE = gl.Layer("first"), gl.Layer("twice", call=1)
CALLS = {
    "driven": {"site": FIRST, "steps": 3},
    "driven to a tolerance": {"site": FIRST, "tol": 0.1},
    "driven at the second call": {"site": TWICE, "steps": 3},
    "driven at a part of a tuple": {"site": gl.Layer("recurrence", output=1), "steps": 3},
    "driven at attention": {"site": gl.Layer("attention"), "steps": 3},
    "from a start at the site": {"site": FIRST, "steps": 3, "baseline": gl.baselines.AtSite(0.5)},
    "one gradient": {"site": FIRST, "method": gl.methods.gradient()},
    "conductance": {"method": gl.methods.conductance(gl.Layer("norm")), "steps": 3},
    "influence": {"method": gl.methods.internal_influence(TWICE), "steps": 3},
    "target inside": {"target": gl.Neuron("norm", 2), "steps": 3},
    "targets here and there": {"target": [0, gl.Neuron(TWICE, 1), None], "site": gl.Layer("attention"), "steps": 3},
    "drawn": {"steps": 3, "baseline": gl.baselines.GaussianNoise(0.1, draws=2), "site": FIRST},
    "searched": {"steps": 3, "baseline": gl.baselines.Boundary(), "site": FIRST},
    "by output change": {"steps": 3, "rule": gl.rules.ByOutputChange(), "site": FIRST},
}
calls = pytest.mark.parametrize("arguments", CALLS.values(), ids=CALLS.keys())


@calls
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_a_call_that_goes_well_leaves_no_trace(arguments, training):
    model, x, scale = prepared(training), torch.randn(3, 4, requires_grad=True), torch.full((3, 1), 0.5)
    before = state_of(model, x, None, scale)
    gl.explain(model, x, **{"target": 1, "context": {"scale": scale}, **arguments})
    assert disturbed(before, state_of(model, x, None, scale)) == []


@pytest.mark.parametrize("error", [RuntimeError("bang"), MemoryError(), KeyboardInterrupt(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("name", ["driven", "conductance", "target inside", "searched"])
def test_a_model_that_fails_midway_leaves_no_trace(error, at, name):
    """At any forward, behind some hooks and before others; an interrupt comes through as itself."""
    model, x = prepared(), torch.randn(3, 4)
    model.counting.at, model.counting.error = at, error
    before = state_of(model, x, None)
    with pytest.raises(gl.GradlineError if isinstance(error, Exception) else type(error)):
        gl.explain(model, x, **{"target": 1, **CALLS[name], "steps": 300, "memory": 20_000})
    assert disturbed(before, state_of(model, x, None)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"site": gl.Layer("frist")},
        {"site": gl.Layer("twice")},
        {"site": gl.Layer("twice", call=2)},
        {"site": gl.Layer("recurrence", output=2)},
        {"site": gl.Layer("last"), "target": gl.Neuron("first", 0)},
        {"site": FIRST, "baseline": gl.baselines.AtSite(torch.zeros(1, 9))},
        {"site": FIRST, "target": 9},
        {"site": FIRST, "target": lambda output: output.detach()[:, 0]},
        {"method": gl.methods.conductance(gl.Layer("twice"))},
        {"method": gl.methods.conductance(FIRST), "target": lambda output: output["no such thing"]},
        {"target": gl.Neuron("norm", 9)},
        {"target": lambda output: output.round().detach()[:, 0]},
    ],
    ids=lambda arguments: str({k: v for k, v in arguments.items() if k in ("site", "method")})[:60],
)
def test_a_call_that_is_refused_leaves_no_trace(arguments):
    model, x = prepared(), torch.randn(3, 4)
    before = state_of(model, x, None)
    with pytest.raises(gl.GradlineError):
        gl.explain(model, x, **{"target": 1, "steps": 3, **arguments})
    assert disturbed(before, state_of(model, x, None)) == []


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_the_doctor_leaves_no_trace(training):
    model, x = prepared(training), torch.randn(3, 4)
    before = state_of(model, x, None)
    assert gl.doctor(model, x, 1).healthy is not training
    gl.doctor(model, x, lambda output: output.detach()[:, 0])
    assert disturbed(before, state_of(model, x, None)) == []


# ------------------------------------------------------------------------------------------------ switches of torch's


class Looking(nn.GRU):
    """Notes how torch is switched while it runs."""

    seen: list

    def forward(self, *args):
        self.seen.append((torch.backends.cudnn.enabled, torch.backends.mha.get_fastpath_enabled()))
        if self.fails:
            raise RuntimeError("bang")
        return super().forward(*args)


@pytest.mark.parametrize("cudnn", [True, False])
@pytest.mark.parametrize("fastpath", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_switches_of_torch_are_off_inside_and_back_afterwards(cudnn, fastpath, fails):
    """cuDNN off within recurrent layers alone, the fast path of attention off within the call."""
    model, outside = nn.Sequential(nn.Linear(4, 4), Looking(4, 4)).eval(), []
    model[1].seen, model[1].fails = [], fails
    model[0].register_forward_hook(lambda *_: outside.append(torch.backends.cudnn.enabled))
    torch.backends.cudnn.enabled = cudnn
    torch.backends.mha.set_fastpath_enabled(fastpath)
    try:
        with suppress(gl.ModelError):
            gl.explain(model, torch.randn(2, 4), lambda output: output[0][:, 0], steps=2)
        assert torch.backends.cudnn.enabled is cudnn
        assert torch.backends.mha.get_fastpath_enabled() is fastpath
    finally:
        torch.backends.cudnn.enabled = True
        torch.backends.mha.set_fastpath_enabled(True)
    assert set(model[1].seen) == {(False, False)}
    assert set(outside) == {cudnn}


# ------------------------------------------------------------------------------------------------ writing in place


class Writing(nn.Module):
    """Writes into everything it gets and everything its layers return."""

    def __init__(self, writes=True):
        super().__init__()
        torch.manual_seed(0)
        self.writes, self.embed, self.first, self.last = writes, nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x, ids, mask, scale, shift):
        if self.writes:
            seen = self.embed(ids.add_(1)).mul_(mask.logical_not_().unsqueeze(2)).sum(1)
            h = self.first(x.mul_(2)).add_(seen)
            return self.last(h.mul_(scale.add_(1)).add_(shift.mul_(3)).tanh())
        seen = (self.embed(ids + 1) * mask.logical_not().unsqueeze(2)).sum(1)
        return self.last(((self.first(x * 2) + seen) * (scale + 1) + shift * 3).tanh())


def arguments_of(rows=3):
    random = torch.Generator().manual_seed(rows)
    x = {
        "x": torch.randn(rows, 4, generator=random),
        "ids": torch.randint(0, 7, (rows, 5), generator=random),
        "mask": torch.rand(rows, 5, generator=random) > 0.5,
    }
    return x, {"scale": torch.tensor(2.0), "shift": torch.randn(1, 4, generator=random)}


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("form", ["dict", "tuple"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"site": gl.Layer("first")},
        {"site": gl.Layer("embed"), "baseline": gl.baselines.AtSite(0.0)},
        {"method": gl.methods.conductance(gl.Layer("first"))},
        {"target": gl.Neuron("first", 0)},
    ],
    ids=["input", "driven", "embedding", "conductance", "target inside"],
)
def test_what_a_model_writes_into_is_never_the_callers(rows, form, arguments):
    """Inputs of every kind, context of every shape, outputs of layers: all as before, and the map is that of a model
    that does not write."""
    x, context = arguments_of(rows)
    if form == "tuple":
        x, context = tuple(x.values()), dict(context)
    model, polite = Writing().eval(), Writing(writes=False).eval()
    before = state_of(model, x, None, context)
    a = gl.explain(model, x, **{"target": 1, "context": context, "steps": 4, **arguments})
    assert disturbed(before, state_of(model, x, None, context)) == []
    b = gl.explain(polite, x, **{"target": 1, "context": context, "steps": 4, **arguments})
    one, other = (
        v if isinstance(v, torch.Tensor) else next(iter(v.values() if form == "dict" else v))
        for v in (a.values, b.values)
    )
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(a.score, b.score)
    torch.testing.assert_close(a.baseline_score, b.baseline_score)


# ------------------------------------------------------------------------------------------------ threads


@pytest.mark.parametrize("name", ["driven", "driven at attention", "conductance", "target inside"])
def test_another_threads_forward_is_not_disturbed(name):
    """A server goes on answering while an explanation runs: hooks are for the explanation's own forwards."""
    model, x = prepared(training=False), torch.randn(3, 4)
    due, answers = model(x).detach(), []

    def answer():
        try:
            answers.append(torch.equal(model(x).detach(), due))
        except Exception as error:  # the hook's own refusals
            answers.append(error)

    def meanwhile(module, args, output):
        if threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=answer)
            thread.start()
            thread.join()

    handle = model.attention.register_forward_pre_hook(lambda module, args: meanwhile(module, args, None))
    a = gl.explain(model, x, **{"target": 1, **CALLS[name]})
    handle.remove()
    assert answers
    assert set(answers) == {True}
    torch.testing.assert_close(a.values, gl.explain(model, x, **{"target": 1, **CALLS[name]}).values)
