"""Small networks with weights, float64: what formulas leave out are layers, depth and convolutions."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from gradline.sanity.axioms.trials import Chance, Network

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
}
"""The modules of `formulas.BENDS`."""

WIDTH = 8
SIDE = 3
"""Of the images that convolutions look at."""


def perceptron(
    chance: Chance,
    features: int,
    *,
    rising: bool = False,
    alike: tuple[int, ...] = (),
    blind: tuple[int, ...] = (),
) -> Network:
    """Two hidden layers of 8 units. `rising`: no weight is negative; `alike`: features with the weights of the first of
    them; `blind`: features without weight."""
    kind = chance.pick(list(ACTIVATIONS))
    sizes = (features, WIDTH, WIDTH, 1)
    layers: list[nn.Module] = []
    for low, high in pairwise(sizes):
        weight = normal(chance, high, low) * (2 / low) ** 0.5
        layers += [dense(weight.abs() if rising else weight, normal(chance, high) / 2), ACTIVATIONS[kind]()]
    opening = layers[0]
    assert isinstance(opening, nn.Linear)
    first = opening.weight.data
    if alike:
        first[:, list(alike)] = first[:, alike[:1]]
    first[:, list(blind)] = 0.0
    return Network(nn.Sequential(*layers[:-1]), f"a network {features}–{WIDTH}–{WIDTH}–1 of {kind} units")


def convolutional(chance: Chance, *, normalised: bool = False) -> Network:
    """A convolution over 3 × 3 pixels, batch normalisation if wanted, a bend, a linear layer."""
    kind = chance.pick(list(ACTIVATIONS))
    with torch.random.fork_rng([]):  # layers draw weights when they are made
        convolution = nn.Conv2d(1, 4, 2).double()
        normalisation = nn.BatchNorm2d(4).double().eval()
    _fill(convolution, chance)
    _fill(normalisation, chance)
    normalisation.running_mean = normal(chance, 4)
    normalisation.running_var = normal(chance, 4).square() + 0.5
    head = dense(normal(chance, 1, 16), normal(chance, 1))
    middle = [normalisation] if normalised else []
    image = nn.Unflatten(1, (1, SIDE, SIDE))
    layers = [image, convolution, *middle, ACTIVATIONS[kind](), nn.Flatten(), head]
    return Network(nn.Sequential(*layers), f"a convolutional network of 3 × 3 pixels and {kind} units")


def folded(network: Network) -> nn.Sequential:
    """A normalised convolutional network with its normalisation folded into the convolution."""
    layers = list(network.module.children())
    before, statistics = layers[1], layers[2]
    assert isinstance(before, nn.Conv2d)
    assert isinstance(statistics, nn.BatchNorm2d)
    mean, variance = statistics.running_mean, statistics.running_var
    assert mean is not None
    assert variance is not None
    assert before.bias is not None
    scale = statistics.weight.detach() / (variance + statistics.eps).sqrt()
    with torch.random.fork_rng([]):
        after = nn.Conv2d(1, 4, 2).double()
    after.weight.data = before.weight.detach() * scale[:, None, None, None]
    after.bias.data = (before.bias.detach() - mean) * scale + statistics.bias.detach()  # type: ignore[union-attr]
    return nn.Sequential(layers[0], after, *layers[3:])


def dense(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer of these weights."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64, device="meta")
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer


def normal(chance: Chance, *shape: int) -> Tensor:
    """Standard normal numbers, float64."""
    return torch.randn(*shape, generator=chance.source, dtype=torch.float64, device="cpu")


def _fill(layer: nn.Module, chance: Chance) -> None:
    for parameter in layer.parameters():
        parameter.data = normal(chance, *parameter.shape)
