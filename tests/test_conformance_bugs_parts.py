"""Conformance can fail: baselines, targets, derivatives, values with one bug each, and the law that must notice it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.core.baselines import Baseline, Found, Group, Search
from gradline.core.flow import Of, Probe
from gradline.core.random import generator
from gradline.question.targets import Target
from gradline.testing import conformance

# ------------------------------------------------------------------------------------------------------------ baselines


@dataclass(frozen=True)
class Means(Baseline):
    """Two starts an example, its mean and half of it: right."""

    draws = 2

    def means(self, x: Tensor) -> Tensor:
        return x.flatten(1).mean(1).reshape(-1, *[1] * (x.ndim - 1)).expand_as(x)

    def start(self, group: Group) -> Tensor:
        return torch.stack([self.means(group.x), self.means(group.x) / 2], 1)


class Tiled(Means):
    """Starts of examples 0, 1, 2, 0, 1, 2 where 0, 0, 1, 1, 2, 2 are due."""

    def start(self, group: Group) -> Tensor:
        means = self.means(group.x)
        return torch.cat([means, means / 2]).reshape(len(means), 2, *means.shape[1:])


class BatchMean(Means):
    def means(self, x: Tensor) -> Tensor:
        return x.mean(0, keepdim=True).expand_as(x)


class InPlace(Means):
    def start(self, group: Group) -> Tensor:
        return super().start(replace(group, x=group.x.sub_(group.x.mean())))


class Wide(Means):
    def start(self, group: Group) -> Tensor:
        return super().start(group).float()


class OneDraw(Means):
    def start(self, group: Group) -> Tensor:
        return super().start(group)[:, :1]


@dataclass(frozen=True)
class Noise(Baseline):
    """Keyed normal noise: right."""

    random = True

    def source(self, group: Group, example: int) -> torch.Generator | None:
        return group.generator(example, "Noise", 0)

    def start(self, group: Group) -> Tensor:
        shape = group.x.shape[1:]
        rows = [torch.randn(shape, generator=self.source(group, i)) for i in range(len(group.names))]
        return torch.stack(rows).to(group.x).unsqueeze(1)


class SharedNoise(Noise):
    """One draw for all rows."""

    def source(self, group: Group, example: int) -> torch.Generator | None:
        return group.generator(0, "Noise", 0)


class GlobalNoise(Noise):
    def source(self, group: Group, example: int) -> torch.Generator | None:
        return None


class InputBlindNoise(Noise):
    """Two inputs of a model share their noise."""

    def source(self, group: Group, example: int) -> torch.Generator | None:
        return generator(group.seed, group.names[example], "Noise", group.first)


class UnnamedNoise(Noise):
    random = False


@dataclass(frozen=True)
class Downhill(Search):
    """A step against the gradient of the margin: right."""

    def search(self, frame: Any) -> Any:
        reading = yield Probe(frame.end, torch.arange(frame.examples), of=Of.MARGIN)
        return Found((frame.end - reading.grad.to(frame.end)).unsqueeze(1))


class Huddled(Downhill):
    def search(self, frame: Any) -> Any:
        found = yield from super().search(frame)
        return Found(found.starts.mean(0, keepdim=True).expand_as(found.starts))


# -------------------------------------------------------------------------------------------------------------- targets


@dataclass(frozen=True)
class Share(Target):
    """The share of column 0 in the positive part of a row: right."""

    bounded = True

    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        return torch.softmax(output, 1)[:, 0]

    def describe(self, example: int) -> str:
        return "share of column 0"


class Mixing(Share):
    """Softmax over the batch."""

    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        return torch.softmax(output[:, 0], 0)


@dataclass(frozen=True)
class Wanders(Target):
    """What it says of a row hangs on how often it was asked."""

    asked: list[int] = field(default_factory=list, compare=False)

    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        self.asked.append(1)
        return output[:, 0] * len(self.asked)

    def describe(self, example: int) -> str:
        return "column 0"


class Unbounded(Share):
    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        return output[:, 0]


class Detached(Share):
    """Half of the gradient is lost."""

    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        return torch.sigmoid(output[:, 0] + output[:, 1].detach())


class Overwrites(Share):
    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        with torch.no_grad():
            output[:, 1].fill_(0)
        return torch.sigmoid(output[:, 0])


@dataclass(frozen=True, eq=False)
class Aliased(Target):
    """What is settled at x is a view of the output there."""

    there: Tensor | None = None

    def freeze(self, output: Any, rows: int) -> Target:
        return Aliased(output[:, 0].detach())

    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        assert self.there is not None
        return output[:, 0] * self.there[owner]

    def describe(self, example: int) -> str:
        return "column 0, times what it was at x"


class Rounded(Share):
    def pick(self, output: Tensor, owner: Tensor) -> Tensor:
        return torch.sigmoid(output[:, 0].bfloat16()).to(output)


# ---------------------------------------------------------------------------------------------------------- derivatives


class Doubled(gl.derivatives.FiniteDifferences):
    """Divided by the step, not by the way between the two points."""

    def estimate(self, values: Any, points: Tensor, owner: Tensor, keys: list[str], width: int) -> Any:
        return [replace(e, grad=2 * e.grad) for e in super().estimate(values, points, owner, keys, width)]


class Cheap(gl.derivatives.FiniteDifferences):
    def forwards(self, features: int) -> int:
        return features


class OneKey(gl.derivatives.GaussianSmoothing):
    """Noise by the place in the batch."""

    def estimate(self, values: Any, points: Tensor, owner: Tensor, keys: list[str], width: int) -> Any:
        return super().estimate(values, points, owner, [str(i) for i in range(len(keys))], width)


# --------------------------------------------------------------------------------------------------------------- values


@dataclass
class Loose(Baseline):
    """Not frozen."""

    value: float = 0.0

    def start(self, group: Group) -> Tensor:
        return torch.full_like(group.x, self.value).unsqueeze(1)


@dataclass(frozen=True)
class Converts(Baseline):
    """Stores something else than it was given."""

    values: Any = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", list(self.values))

    def start(self, group: Group) -> Tensor:
        return torch.zeros_like(group.x).unsqueeze(1)


@dataclass(frozen=True)
class Compares(Baseline):
    """Holds a tensor, and is compared by value."""

    values: Tensor

    def start(self, group: Group) -> Tensor:
        return torch.zeros_like(group.x).unsqueeze(1)


@dataclass(frozen=True, repr=False)
class Speechless(Baseline):
    def start(self, group: Group) -> Tensor:
        return torch.zeros_like(group.x).unsqueeze(1)


PLANTED: dict[str, tuple[Any, str, Mapping[str, Any]]] = {
    "start tiled where it should be repeated": (Tiled(), "examples_start_alone-float64-flat", {}),
    "the mean of the batch": (BatchMean(), "examples_start_alone", {}),
    "x written over": (InPlace(), "nothing_is_changed", {}),
    "another precision": (Wide(), "starts_are_like_x-float64", {}),
    "fewer draws than said": (OneDraw(), "starts_are_like_x", {}),
    "noise shared by two rows": (SharedNoise(), "examples_start_alone|chance_is_keyed", {}),
    "noise from the global state": (GlobalNoise(), "nothing_is_changed", {}),
    "noise shared by two inputs": (InputBlindNoise(), "chance_is_keyed", {}),
    "noise that is not told": (UnnamedNoise(), "chance_is_keyed", {}),
    "a search that mixes examples": (Huddled(), "maps_are_an_examples_own|searches_stand_alone", {}),
    "a target that mixes rows": (Mixing(), "rows_stand_alone-table", {}),
    "a target with a memory": (Wanders(), "rows_stand_alone|what_is_settled_stays", {}),
    "a bound that is not one": (Unbounded(), "bounds_are_kept", {}),
    "a gradient half lost": (Detached(), "gradients_are_right", {}),
    "an output written over": (Overwrites(), "output_is_left_alone", {}),
    "a view of what was at x": (Aliased(), "what_is_settled_stays", {}),
    "a scalar rounded": (Rounded(), "precisions_agree|gradients_are_right", {}),
    "a step counted twice": (Doubled(), "linear_scores_come_out", {}),
    "a cost not told": (Cheap(), "costs_are_as_said", {}),
    "noise by the place in the batch": (OneKey(0.3), "rows_stand_alone", {}),
    "a part that can be changed": (Loose(), "stands_for_itself", {}),
    "a part that stores something else": (Converts((1, 2)), "stands_for_itself", {}),
    "a part that cannot be compared": (Compares(torch.ones(2)), "stands_for_itself", {}),
    "a part without words": (Speechless(), "stands_for_itself", {}),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_dies_by_name(bug: str) -> None:
    part, law, options = PLANTED[bug]
    with pytest.raises(AssertionError, match=rf"{type(part).__name__}\S* .*breaks ({law})"):
        conformance(part, **options)


@pytest.mark.parametrize("part", [Means(), Noise(), Downhill(), Share()], ids=lambda part: type(part).__name__)
def test_without_the_bug_it_conforms(part: Any) -> None:
    conformance(part)
