"""The networks that come with gradline."""

from __future__ import annotations

import copy

import torch
from torch import nn

import gradline as gl


def test_the_layout_of_the_weights_changes_no_map() -> None:
    """Channels last are faster on a CPU; scores and gradients are those of the layout that the package loads."""
    case = gl.image_case(gl.demo_photo(), "efficientnet-lite0")
    net = case.model.model
    assert isinstance(net, nn.Module)
    kernels = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d) and m.weight.shape[1] > 1]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    plain = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    ours, theirs = (gl.explain(model, case.x, 967, steps=2) for model in (net, plain))
    assert isinstance(ours.values, torch.Tensor)
    assert isinstance(theirs.values, torch.Tensor)
    torch.testing.assert_close(ours.score, theirs.score, rtol=1e-5, atol=0)
    assert (ours.values - theirs.values).norm() <= 1e-3 * theirs.values.norm()
    assert ours.provenance["model_digest"] == theirs.provenance["model_digest"]
