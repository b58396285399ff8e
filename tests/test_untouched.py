"""Nothing of the caller's is touched, whether the call goes well or not."""

import random
import threading

import numpy as np
import pytest
import torch
from torch import nn

import gradline as gl


class Net(nn.Module):
    """Everything that training changes: batch statistics, dropout, spectral norm's vector, frozen and free weights."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4)
        self.middle = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten())
        self.last = nn.utils.parametrizations.spectral_norm(nn.Linear(16, 3))
        self.calls, self.at, self.error = 0, None, None

    def forward(self, x):
        self.calls += 1
        if self.at is not None and self.calls >= self.at:
            raise self.error
        return self.last(self.middle(self.norm(self.first(x.unsqueeze(1)))))


def prepared(mode):
    """A model in use: some batches seen, gradients there, hooks set, one weight frozen."""
    model = Net().train()
    model(torch.randn(5, 6)).sum().backward()
    model.first.bias.requires_grad_(False)
    model.first.register_forward_hook(lambda module, args, output: None)
    model.norm.register_forward_pre_hook(lambda module, args: None)
    model.last.register_full_backward_hook(lambda module, before, after: None)
    match mode:
        case "eval":
            model.eval()
        case "mixed":
            model.norm.eval()
            model.middle[1].eval()
        case "inverted":
            model.eval()
            model.middle.train()
    model.calls = 0
    return model


HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")


def snapshot(model, *tensors):
    """All that could be disturbed, as numbers and bytes that compare exactly."""
    seen = {f"state {name}": value.numpy().tobytes() for name, value in model.state_dict().items()}
    for name, module in model.named_modules():
        seen[f"training {name}"] = module.training
        seen[f"hooks {name}"] = [list(getattr(module, hooks).items()) for hooks in HOOKS]
        seen[f"attributes {name}"] = sorted(vars(module))
    for name, parameter in model.named_parameters():
        seen[f"requires_grad {name}"] = parameter.requires_grad
        seen[f"grad {name}"] = None if parameter.grad is None else parameter.grad.numpy().tobytes()
        seen[f"identity {name}"] = id(parameter)
    for k, tensor in enumerate(tensors):
        seen[f"tensor {k}"] = tensor.detach().numpy().tobytes(), tensor.requires_grad, tensor.grad, tensor._version
    seen["torch random"] = torch.get_rng_state().numpy().tobytes()
    seen["numpy random"] = str(np.random.get_state())
    seen["python random"] = random.getstate()
    seen["modes"] = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    seen["defaults"] = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    return seen


def disturbed(before, after):
    return [name for name in before | after if before.get(name) != after.get(name)]


CALLS = {
    "tol": {"target": 1, "tol": 0.02},
    "steps": {"target": gl.Probability(1), "steps": 5},
    "random nodes": {"target": 1, "steps": 5, "rule": gl.rules.MonteCarlo, "seed": 3},
    "several": {"target": [None, 0, torch.tensor([0, 1, 2])], "steps": 3},
    "gradient": {"target": 1, "method": gl.methods.gradient()},
    "small memory": {"target": 1, "steps": 9, "memory": 3_000},
}


@pytest.mark.parametrize("mode", ["train", "eval", "mixed", "inverted"])
@pytest.mark.parametrize("arguments", CALLS.values(), ids=CALLS.keys())
def test_a_call_that_goes_well_leaves_no_trace(mode, arguments):
    model = prepared(mode)
    x, baseline = torch.randn(3, 6, requires_grad=True), torch.randn(1, 6, requires_grad=True)
    if "method" not in arguments:
        arguments = {**arguments, "baseline": baseline}
    before = snapshot(model, x, baseline)
    gl.explain(model, x, **arguments)
    model.calls = 0
    assert disturbed(before, snapshot(model, x, baseline)) == []


@pytest.mark.parametrize(
    "error", [RuntimeError("bang"), MemoryError(), KeyboardInterrupt(), SystemExit(), GeneratorExit()]
)
@pytest.mark.parametrize("at", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("mode", ["train", "mixed"])
def test_a_call_that_fails_leaves_no_trace(error, at, mode):
    """At the first call, at F(x'), in the middle; an interrupt comes through as itself."""
    model, x = prepared(mode), torch.randn(3, 6, requires_grad=True)
    model.at, model.error = at, error
    before = snapshot(model, x)
    with pytest.raises(gl.GradlineError if isinstance(error, Exception) else type(error)):
        gl.explain(model, x, 1, steps=300, memory=20_000)
    assert model.calls >= at
    assert disturbed(before, snapshot(model, x)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"target": 3},
        {"target": lambda output: output},
        {"target": lambda output: output.detach()[:, 0]},
        {"baseline": torch.zeros(1, 7)},
        {"context": {"mask": torch.zeros(3)}},
    ],
)
def test_a_call_that_is_refused_leaves_no_trace(arguments):
    model, x = prepared("mixed"), torch.randn(3, 6)
    before = snapshot(model, x)
    with pytest.raises(gl.GradlineError):
        gl.explain(model, x, **{"target": 1, **arguments})
    assert disturbed(before, snapshot(model, x)) == []


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_gradient_mode_of_the_caller_comes_back(mode):
    model, x = prepared("train"), torch.randn(2, 6)
    with mode():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        gl.explain(model, x, 1, steps=2)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
        model.at, model.error, model.calls = 3, RuntimeError(), 0
        with pytest.raises(gl.ModelError):
            gl.explain(model, x, 1, steps=2)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before


def test_a_model_that_draws_random_numbers_does_not_move_the_global_state():
    def model(x):
        return (x + 0.01 * torch.randn(x.shape)).sum(1) + torch.nn.functional.dropout(x, 0.1, training=True).sum(1)

    before = torch.get_rng_state()
    gl.explain(model, torch.randn(3, 6, generator=torch.Generator().manual_seed(0)), steps=4)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_that_writes_into_its_input_does_not_reach_the_callers_tensors():
    """Clamping in place, as many preprocessing wrappers do: it may cost the caller's model, never the caller's data."""

    def model(x, shift):
        with torch.no_grad():
            x.clamp_(-0.1, 0.1)
            shift.zero_()
        return (x * 3 + shift).sum(1)

    for rows in (1, 4):
        x, baseline, shift = torch.ones(rows, 6), torch.full((1, 6), 2.0), torch.ones(rows, 6)
        for arguments in ({"steps": 3}, {"tol": 0.05}, {"method": gl.methods.gradient()}):
            more = {} if "method" in arguments else {"baseline": baseline}
            gl.explain(model, x, context={"shift": shift}, **arguments, **more)
            assert torch.equal(x, torch.ones(rows, 6))
            assert torch.equal(baseline, torch.full((1, 6), 2.0))
            assert torch.equal(shift, torch.ones(rows, 6))


# ------------------------------------------------------------------------------------------------ training mode


@pytest.mark.parametrize("mode", ["train", "mixed", "inverted"])
def test_training_mode_changes_nothing_but_a_finding(mode):
    x, usual, other = torch.randn(3, 6), prepared("eval"), prepared(mode)
    a = gl.explain(usual, x, 1, tol=0.02)
    b = gl.explain(other, x, 1, tol=0.02)
    assert torch.equal(a.values, b.values)
    assert torch.equal(a.score, b.score)
    assert [f.code for f in a.findings] == []
    (noticed,) = b.findings
    assert noticed.code == "GL101"
    assert "training mode" in str(noticed)
    assert "GL101" in repr(b)


def test_a_model_that_forbids_eval_is_explained_all_the_same():
    """As exported programs do."""

    class Stubborn(Net):
        def train(self, mode=True):
            raise NotImplementedError("train() and eval() are not supported")

    model, x = Stubborn(), torch.randn(2, 6)
    model.load_state_dict(prepared("eval").state_dict())
    a = gl.explain(model, x, 1, steps=3)
    torch.testing.assert_close(a.values, gl.explain(prepared("eval"), x, 1, steps=3).values)
    assert all(module.training for module in model.modules())


# ------------------------------------------------------------------------------------------------ threads


def test_two_threads_explain_the_same_model_at_once():
    model, right = prepared("train"), prepared("eval")
    inputs = [torch.randn(2, 6) for _ in range(2)]
    expected = [gl.explain(right, x, 1, steps=4).values for x in inputs]
    before, found, together = snapshot(model), [[], []], threading.Barrier(2)

    def work(k):
        together.wait()
        for _ in range(15):
            found[k].append(gl.explain(model, inputs[k], 1, steps=4))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(2):
        assert len(found[k]) == 15
        assert all(torch.equal(a.values, expected[k]) for a in found[k])
    assert disturbed(before, snapshot(model)) == []


def meanwhile(model, x, second):
    """Explain, and after the first forward let another thread begin `second`, which then waits for the model."""
    thread = threading.Thread(target=second)

    def start(module, args, output):
        handle.remove()
        thread.start()
        thread.join(timeout=0.3)

    handle = model.register_forward_hook(start)
    gl.explain(model, x, steps=2)
    thread.join()


def test_a_thread_that_had_to_wait_still_says_that_the_model_was_training():
    model, x, found = nn.Sequential(nn.Linear(6, 1)).train(), torch.randn(2, 6), []
    meanwhile(model, x, lambda: found.append(gl.explain(model, x, steps=2)))
    assert [f.code for f in found[0].findings] == ["GL101"]


def test_a_thread_that_had_to_wait_restores_the_random_state_there_was():
    class Noisy(nn.Module):
        def forward(self, x):
            return (x + torch.randn(x.shape)).sum(1)

    model, x = Noisy(), torch.randn(2, 6)
    before = torch.get_rng_state()
    meanwhile(model, x, lambda: gl.explain(model, x, steps=2))
    assert torch.equal(torch.get_rng_state(), before)
