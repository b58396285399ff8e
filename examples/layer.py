"""Which channels inside a network carry a class: conductance at a layer, and what happens without those channels.

    python examples/layer.py

Walks from black to the photo, reads at the end of a stage of EfficientNet-Lite0, and adds up what flows through each of
its channels. Then the test that counts: the strongest channels are set to zero, and as many drawn by chance.
Writes layer.pdf.
"""

import torch

import gradline as gl

LAYER, TOP = "_blocks.10", 8
case = gl.image_case(gl.demo_photo())
network, x = case.model.model, case.x
method = gl.methods.conductance(gl.Layer(LAYER))
a = gl.explain(network, x, method=method, baseline=case.baseline(), tol=0.2)
print(a)

channels = a.sum((2, 3))[0]  # (112,): the conductance of each channel, summed over space
order = channels.argsort(descending=True)


def score_without(channels):
    """The logit when these channels are zero."""

    def silence(module, inputs, output):
        return output.index_fill(1, channels, 0)

    handle = dict(network.named_modules())[LAYER].register_forward_hook(silence)
    with torch.no_grad():
        score = float(network(x)[0, 967])
    handle.remove()
    return score


torch.manual_seed(0)
by_chance = [score_without(torch.randperm(len(channels))[:TOP]) for _ in range(10)]
print(f"\nlogit of “espresso”: {float(a.score[0]):.2f}")
print(f"without the {TOP} strongest of {len(channels)} channels: {score_without(order[:TOP]):.2f}")
print(f"without {TOP} by chance: {min(by_chance):.2f} to {max(by_chance):.2f}")
print(f"without the {TOP} that lower it most: {score_without(order[-TOP:]):.2f}")

names = [f"channel {k}" for k in range(len(channels))]
gl.plots.write_figure(gl.plots.bars(a, names=names, top=12), "layer.pdf")
