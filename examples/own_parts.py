"""A path and a baseline of your own, checked by the laws that every part obeys: python examples/own_parts.py

Neither sees the model. With the chord in place of the tangent, maps would look right and be wrong: `conformance` finds
it. docs/writing-a-part.md has all kinds of parts. Writes own-parts.pdf.
"""

from dataclasses import dataclass

import torch

import gradline as gl
from gradline.testing import conformance


def powers(start, t):
    shape = start.shape[1:]
    power = 1 + torch.arange(shape.numel(), device=start.device).reshape(shape) % 2
    return t.to(start).reshape(*t.shape, *[1] * len(shape)), power


@dataclass(frozen=True)
class Staggered(gl.paths.Curve):
    """γ_i(t) = x'_i + t^p_i (x_i − x'_i): p is 1 for features 0, 2, 4 … and 2 for the others."""

    def point(self, start, end, t):
        t, power = powers(start, t)
        return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), t**power)

    def move(self, start, end, t):
        t, power = powers(start, t)
        return power * t ** (power - 1) * (end - start).unsqueeze(1)


@dataclass(frozen=True)
class Dimmed(gl.baselines.Baseline):
    """x / 4: what is strong stays stronger than the rest."""

    def start(self, group):
        return (group.x / 4).unsqueeze(1)


class Chord(Staggered):
    def move(self, start, end, t):
        return (end - start).unsqueeze(1).expand(-1, t.shape[1], *start.shape[1:])


conformance(Staggered())
conformance(Dimmed())
try:
    conformance(Chord())
except AssertionError as error:
    print(f"caught: {error}\n")

ig = gl.methods.integrated_gradients()
staggered = gl.Method("staggered", Staggered(), ig.accumulator, ig.baseline)
methods = {"straight": ig, "staggered": staggered, "from a dimmed x": ig.starting_at(Dimmed())}
maps = gl.compare(gl.Score(lambda x: x[:, 0] * x[:, 1] ** 2), torch.ones(1, 2), methods, tol=0.001)
for name, a in maps.attributions.items():  # on paper, the first feature: ∫ t² dt = 1/3, ∫ (t²)² dt = 1/5, (1 − ¼³) / 3
    print(f"{name:<16}", [round(v, 3) for v in a.values[0].tolist()])
gl.plots.write_figure(gl.plots.grid(maps, width=5.0), "own-parts.pdf")
