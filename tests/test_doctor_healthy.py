"""No false alarms: the doctor finds nothing in healthy models, and nothing of the caller's is changed by looking."""

from __future__ import annotations

import copy
import importlib.util
import random
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import gradline as gl

needs_vision = pytest.mark.skipif(
    not all(importlib.util.find_spec(m) for m in ("efficientnet_lite_pytorch", "skimage", "PIL")),
    reason="needs gradline[vision]",
)


def seeded(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Function(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args, **named):
        return self.function(*args, **named)


class Encoder(nn.Module):
    """Tokens or vectors through a transformer with a padding mask, pooled over what is not padding."""

    def __init__(self, fill: float = -torch.inf) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True)
        self.embed = nn.Embedding(20, 16)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.encoder(x if x.is_floating_point() else self.embed(x), src_key_padding_mask=~mask)
        return self.head((h * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True))


class Attention(nn.Module):
    """Attention by hand: −inf where nothing may be looked at, the maximum subtracted without its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.head = nn.Linear(8, 24), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = (q @ k.mT).masked_fill(torch.ones(x.shape[1], x.shape[1]).triu(1).bool(), -torch.inf)
        weights = (scores - scores.amax(-1, keepdim=True).detach()).exp()
        return self.head((weights / weights.sum(-1, keepdim=True) @ v).mean(1))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(5, 8, batch_first=True, bidirectional=True), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


class Logs(nn.Module):
    """Takes numbers out for a log, decides by them, uses shapes: none of it changes the score."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.seen = nn.Linear(4, 3), []

    def forward(self, x: Tensor) -> Tensor:
        if not torch.isfinite(x).all() or x.abs().max().item() > 1e6:
            raise ValueError("too large")
        self.seen.append(float(x.detach().mean()))
        h = self.linear(x) + torch.zeros_like(x[:, :3]) + x.new_ones(3)
        return h * torch.ones(int(h.shape[1])) + 0 * x.argmax(1, keepdim=True)


def convnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU6(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(8, 4),
    )


def mlp(middle: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), middle, nn.Dropout(0.2), nn.Linear(16, 3))


def checkpointed(x: Tensor) -> Tensor:
    return checkpoint(torch.tanh, 2 * x, use_reentrant=False)


MASK = torch.tensor([[True, True, True, True, False], [True, True, True, False, False], [True] * 5])
HEALTHY = {
    "linear": lambda: (nn.Linear(4, 3), seeded(3, 4), {}),
    "ReLU": lambda: (mlp(nn.ReLU()), seeded(3, 4), {}),
    "GELU": lambda: (mlp(nn.GELU()), seeded(3, 4), {}),
    "ReLU6": lambda: (mlp(nn.ReLU6()), 4 * seeded(3, 4), {}),
    "Hardswish": lambda: (mlp(nn.Hardswish()), seeded(3, 4), {}),
    "LayerNorm": lambda: (mlp(nn.LayerNorm(16)), seeded(3, 4), {}),
    "x * (x > 0)": lambda: (mlp(Function(lambda h: h * (h > 0))), seeded(3, 4), {}),
    "where": lambda: (mlp(Function(lambda h: torch.where(h > 0, h, 0.1 * h))), seeded(3, 4), {}),
    "masked write": lambda: (mlp(Function(lambda h: h.clone().masked_fill_(h < 0, 0.0))), seeded(3, 4), {}),
    "indexed write": lambda: (
        mlp(Function(lambda h: torch.zeros_like(h).index_copy(1, torch.arange(16), h))),
        seeded(3, 4),
        {},
    ),
    "sorted": lambda: (mlp(Function(lambda h: h.sort(1).values)), seeded(3, 4), {}),
    "top k": lambda: (mlp(Function(lambda h: functional.pad(h.topk(4, 1).values, (0, 12)))), seeded(3, 4), {}),
    "checkpoint": lambda: (mlp(Function(checkpointed)), seeded(3, 4), {}),
    "logs and decides": lambda: (Logs(), seeded(3, 4), {}),
    "BatchNorm": lambda: (convnet(), seeded(3, 3, 16, 16), {}),
    "LSTM": lambda: (Recurrent(), seeded(3, 7, 5), {}),
    "GRU, 64 bits": lambda: (
        nn.Sequential(nn.GRU(5, 8, batch_first=True), Function(lambda h: h[0][:, -1])).double(),
        seeded(3, 7, 5).double(),
        {},
    ),
    "transformer with a mask": lambda: (Encoder(), seeded(3, 5, 16), {"context": {"mask": MASK}}),
    "tokens with a mask": lambda: (
        Encoder(),
        {"x": torch.arange(1, 16).reshape(3, 5), "mask": MASK},
        {"site": gl.Layer("embed"), "baseline": gl.baselines.AtSite(0.0)},
    ),
    "attention by hand": lambda: (Attention(), seeded(3, 6, 8), {}),
    "two inputs": lambda: (Function(lambda a, b: a * torch.sigmoid(b)), (seeded(3, 4), seeded(3, 4, seed=1)), {}),
    "a binary column beside": lambda: (
        Function(lambda a, b: torch.tanh(a) + b),
        (seeded(3, 4), torch.tensor([[0.0], [1], [0]])),
        {},
    ),
    "a normalised input": lambda: (Function(lambda x: functional.normalize(x + 0.1, dim=1)), seeded(3, 4), {}),
    "a square root from zero": lambda: (Function(lambda x: x.abs().sqrt()), seeded(3, 4), {}),
    "a steep sigmoid": lambda: (Function(lambda x: torch.sigmoid(400 * (x - 0.513)) * (x > -9)), torch.ones(2, 1), {}),
    "a function": lambda: (lambda x: torch.sin(x), seeded(3, 4), {}),
}


def looked_at(name: str) -> tuple[nn.Module, object, dict]:
    torch.manual_seed(0)
    model, x, more = HEALTHY[name]()
    if isinstance(model, nn.Module):
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
        model.eval()
    return model, x, more


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_found_in_a_healthy_model(name):
    model, x, more = looked_at(name)
    for target in (0, gl.Probability(0)):
        if name == "a steep sigmoid" and target != 0:
            continue  # it is saturated, and said to be
        diagnosis = gl.doctor(model, x, target, **more)
        assert diagnosis.healthy, diagnosis
        assert "not checked" not in dict(diagnosis.facts)


@pytest.mark.parametrize("name", ["BatchNorm", "LSTM", "tokens with a mask", "transformer with a mask", "ReLU"])
def test_explain_says_nothing_about_a_healthy_model(name):
    model, x, more = looked_at(name)
    assert gl.explain(model, x, 0, tol=0.1, **more).findings == ()


@needs_vision
def test_nothing_is_found_in_efficientnet_on_the_demo_photo():
    case = gl.image_case(gl.demo_photo())
    diagnosis = gl.doctor(case.model.model, case.x, baseline=case.baseline())
    assert diagnosis.healthy, diagnosis
    facts = dict(diagnosis.facts)
    assert facts["explained"] == "logit of class 967"
    assert "not checked" not in facts


# ------------------------------------------------------------------------------------------------ nothing is changed


def snapshot(model: nn.Module, *tensors: Tensor) -> dict:
    hooks = [k for k in vars(nn.Module()) if k.endswith("_hooks")]
    return {
        "state": {k: v.clone() for k, v in model.state_dict().items()},
        "modes": [m.training for m in model.modules()],
        "hooks": [[list(getattr(m, h)) for h in hooks] for m in model.modules()],
        "attributes": [sorted(vars(m)) for m in model.modules()],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "requires": [p.requires_grad for p in model.parameters()],
        "tensors": [(t.detach().clone(), t.requires_grad, t._version) for t in tensors],
        "random": (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()),
        "grad mode": torch.is_grad_enabled(),
    }


def same(a, b) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return bool((a == b).all())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(p, q) for p, q in zip(a, b, strict=True))
    return bool(a == b)


@pytest.mark.parametrize("trouble", ["none", "cut", "in place", "rows", "half precision", "numpy", "fails"])
def test_looking_leaves_no_trace(trouble):
    torch.manual_seed(0)
    middle = {
        "cut": lambda h: h.detach(),
        "in place": lambda h: torch.sigmoid(h).add_(1),
        "rows": lambda h: h - h.mean(0),
        "numpy": lambda h: torch.from_numpy(h.numpy()),
        "fails": lambda h: h @ h,
    }.get(trouble, torch.tanh)
    dtype = torch.bfloat16 if trouble == "half precision" else torch.float32
    model = nn.Sequential(
        nn.ReLU(inplace=True), nn.Linear(4, 16), Function(middle), nn.BatchNorm1d(16), nn.Linear(16, 3)
    )
    model = model.to(dtype).train()
    model(seeded(5, 4).to(dtype)).sum().backward() if trouble in ("none", "half precision") else None
    model[1].bias.requires_grad_(False)
    model[1].register_forward_hook(lambda module, args, output: None)
    model[4].register_full_backward_hook(lambda module, before, after: None)
    x, mask = seeded(3, 4).to(dtype).requires_grad_(), torch.ones(1, 4)
    before = snapshot(model, x, mask)
    try:
        gl.doctor(model, x, 1, baseline=mask.to(dtype))
    except gl.ModelError:
        assert trouble == "fails"
    after = snapshot(model, x, mask)
    assert [k for k in before if not same(before[k], after[k])] == []


def test_a_model_that_cannot_be_copied_is_looked_at_all_the_same():
    class Alone(nn.Linear):
        def __deepcopy__(self, memo):
            raise RuntimeError("no copies")

    assert gl.doctor(Alone(4, 3).eval(), seeded(2, 4), 1).healthy
    found = gl.doctor(Alone(4, 3).bfloat16().eval(), seeded(2, 4).bfloat16(), 1).findings
    assert [f.code for f in found] == ["GL106"]


def test_a_scripted_model_is_looked_at():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.trace(copy.deepcopy(mlp(nn.GELU())).eval(), seeded(2, 4))
    assert gl.doctor(scripted, seeded(2, 4), 1).healthy


def test_many_examples_are_surveyed_and_few_looked_at():
    rows = []

    def model(x):
        rows.append(len(x))
        return torch.tanh(x)

    gl.doctor(model, seeded(1000, 4), 1)
    assert 1000 < sum(rows) < 1300
