"""Captum 0.9.0 measures its delta against other ends than those of the path; ours has the path's own.

Values derived on paper.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import LayerIntegratedGradients
from captum_cases import distance
from torch import Tensor, nn

import gradline as gl


def wide(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


class Bypass(nn.Module):
    """F(x) = v·(W x) + u·x, with a layer `h` = W x."""

    def __init__(self) -> None:
        super().__init__()
        self.h = nn.Linear(3, 2, bias=False).double()
        self.h.weight.data = wide([0.5, -2.0, 3.0], [1.5, 0.25, -1.0])
        self.v, self.u = wide([2.0, -1.0]), wide([1.0, -3.0, 0.5])

    def forward(self, x: Tensor) -> Tensor:
        return (self.v * self.h(x)).sum(1, keepdim=True) + (self.u * x).sum(1, keepdim=True)


def test_captums_delta_counts_what_goes_past_the_layer() -> None:
    """From x' = (1, 1, 1) to x = (1, 2, −1): h from (1.5, 0.75) to (−6.5, 3), and u·(x − x') = −3 − 1 = −4.

    The map is exact, (2 · −8, −1 · 2.25), and adds up to −18.25, all that changes on the path: x goes past the layer at
    both ends. Captum's delta is −18.25 − (F(x) − F(x')) = −18.25 − (−22.25) = 4 = −u·(x − x').
    """
    model, x, start = Bypass(), wide([1.0, 2.0, -1.0]), wide([1.0, 1.0, 1.0])
    exact = wide([-16.0, -2.25])
    theirs, delta = LayerIntegratedGradients(model, model.h).attribute(
        x, start, target=0, return_convergence_delta=True
    )
    ours = gl.explain(model, x, baseline=start, site=gl.Layer("h"), tol=0.01)
    assert torch.allclose(theirs.double(), exact, rtol=1e-6)
    assert torch.allclose(ours.values, exact, rtol=1e-12)
    assert abs(float(delta) - 4.0) < 1e-5
    assert ours.completeness_gap is not None
    assert abs(float(ours.completeness_gap)) < 1e-12
    through = gl.explain(model, x, baseline=start, method=gl.methods.conductance(gl.Layer("h")), steps=4)
    assert torch.allclose(through.values, exact, rtol=1e-12)
    (said,) = [f for f in through.findings if f.code == "GL206"]
    assert "18 %" in said.detail  # 4 of 22.25


class Bag(nn.Module):
    """F(ids, keep) = Σ_k keep_k e(ids_k) with e = (0, 1, −2, 5): id 0 is padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(4, 1).double()
        self.embed.weight.data = wide([0.0, 1.0, -2.0, 5.0]).T.contiguous()

    def forward(self, ids: Tensor, keep: Tensor) -> Tensor:
        return (self.embed(ids)[:, :, 0] * keep).sum(1, keepdim=True)


SHORT, MASK = torch.tensor([[3, 2, 0, 0]]), torch.tensor([[1, 1, 0, 0]])
LONG, ALL = torch.tensor([[1, 1, 1, 1]]), torch.tensor([[1, 1, 1, 1]])


def test_captums_delta_compares_masks_that_the_path_never_leaves() -> None:
    """A padded text against a full one, each with its mask. Layer IG keeps x's mask: A = (5 − 1, −2 − 1, 0, 0), which
    adds up to 1 = F(x, m) − F(x', m) = 3 − 2. Captum's delta is 1 − (F(x, m) − F(x', m')) = 1 − (3 − 4) = 2. With the
    two swapped A = (−4, 3, 1, 1) adds up to 1 = 4 − 3, and it is zero: padding embeds to zero."""
    model = Bag()
    layer = LayerIntegratedGradients(model, model.embed)
    exact = wide([4.0, -3.0, 0.0, 0.0]).unsqueeze(2)
    theirs, delta = layer.attribute((SHORT, MASK), (LONG, ALL), target=0, return_convergence_delta=True)
    ours = gl.explain(model, (SHORT, MASK), baseline=(LONG, None), site=gl.Layer("embed"), tol=0.01)
    assert torch.allclose(theirs.double(), exact, rtol=1e-6, atol=1e-12)
    assert torch.allclose(ours.values, exact, rtol=1e-12)
    assert abs(float(delta) - 2.0) < 1e-5
    assert ours.completeness_gap is not None
    assert abs(float(ours.completeness_gap)) < 1e-12
    theirs, delta = layer.attribute((LONG, ALL), (SHORT, MASK), target=0, return_convergence_delta=True)
    assert torch.allclose(theirs.double(), wide([-4.0, 3.0, 1.0, 1.0]).unsqueeze(2), rtol=1e-6)
    assert abs(float(delta)) < 1e-5


class Pooled(nn.Module):
    """`nn.TransformerEncoder` as it comes, and the mean over all places, padded ones too."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, ids: Tensor, keep: Tensor) -> Tensor:
        y: Tensor = self.head(self.encoder(self.embed(ids), src_key_padding_mask=~keep).mean(1))
        return y


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_captum_compares_the_fast_path_of_a_transformer_with_the_slow_one() -> None:
    """PyTorch evaluates nn.TransformerEncoder another way without gradients: padded places come out as zeros. Captum
    takes F from there and gradients from the other way: its delta is off by the difference of the two, and it fails at
    layers inside. We stay on the way that has gradients."""
    torch.manual_seed(0)
    model = Pooled().eval()
    ids = torch.tensor([[7, 3, 12, 5, 9], [2, 15, 8, 0, 0]])
    keep, start = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]]).bool(), torch.ones(2, 5, dtype=torch.int64)
    theirs, delta = LayerIntegratedGradients(model, model.embed).attribute(
        ids, start, target=1, additional_forward_args=keep, n_steps=64, return_convergence_delta=True
    )
    given: dict[str, Any] = {"baseline": start, "context": {"keep": keep}, "steps": 64, "rule": gl.rules.GaussLegendre}
    ours = gl.explain(model, ids, 1, site=gl.Layer("embed"), **given)
    assert distance(ours.values, theirs) <= 1e-5

    def change() -> Tensor:
        return (model(ids, keep) - model(start, keep))[:, 1].detach()

    slow = change()
    with torch.no_grad():
        fast = change()
    assert ours.completeness_gap is not None
    assert (delta.abs() > 0.1).all()
    assert (ours.completeness_gap.abs() < 0.002).all()
    assert torch.allclose(delta.double() - ours.completeness_gap, (slow - fast).double(), atol=1e-5)
    with pytest.raises(RuntimeError, match="NestedTensorImpl"):
        LayerIntegratedGradients(model, model.encoder.layers[0]).attribute(
            ids, start, target=1, additional_forward_args=keep
        )
    inside = gl.explain(model, ids, 1, site=gl.Layer("encoder.layers.0"), **given)
    assert (inside.completeness_gap.abs() < 0.002).all()
