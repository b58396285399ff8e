"""Conformance can fail: what a site must not do, each done by a patch, and the law that must notice it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.question import bound, sites, views
from gradline.testing import conformance, nets


def forgetful(ear: sites.Ear, module: Any, arguments: Any, output: Any) -> Any:
    """What was put in is handed on itself, for the model to write into."""
    if original(ear, module, arguments, output) is output or ear.heard is None:
        return output
    path, _ = ear._place(output)
    return sites.replaced(output, path, ear.heard)


def deaf(ear: sites.Ear, module: Any, arguments: Any, output: Any) -> Any:
    """Nothing is put in."""
    original(ear, module, arguments, output)
    return output


def first_of_all(ear: sites.Ear, module: Any, arguments: Any, output: Any) -> Any:
    """Every call, every tensor is taken for the first."""
    ear.tap = replace(ear.tap, output=0)
    return original(ear, module, arguments, output)


@pytest.fixture
def fresh() -> Iterator[None]:
    """Hooks that stay are on nets that others get too."""
    yield
    nets.shared.cache_clear()


original = sites.Ear.__call__
STEM, PAIR = gl.Layer("stem"), gl.Layer("pair", output=1)
FLAT = nets.batch(nets.SHAPES["flat"], dtype=torch.float64)


@pytest.mark.parametrize(
    ("hook", "site"), [(forgetful, STEM), (deaf, STEM), (first_of_all, PAIR)], ids=lambda v: getattr(v, "__name__", "")
)
def test_a_site_that_hands_on_the_wrong_thing_dies(
    hook: Callable[..., Any], site: gl.Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites.Ear, "__call__", hook)
    with pytest.raises(AssertionError, match="breaks maps_are_those_by_hand-float64"):
        conformance(site)


def test_a_hook_that_stays_dies(monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    class Kept(bound.ExitStack):  # type: ignore[name-defined, misc]
        def callback(self, callback: Any, /, *args: Any, **kwargs: Any) -> Any:
            return callback

    monkeypatch.setattr(bound, "ExitStack", Kept)
    with pytest.raises(AssertionError, match="breaks"):
        conformance(gl.Layer("same"))


def test_what_bypasses_the_layer_must_see_x(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is handed x' at nodes of the path that is driven at the layer."""
    arguments = bound.Inputs.arguments  # type: ignore[attr-defined]
    monkeypatch.setattr(
        bound.Inputs,  # type: ignore[attr-defined]
        "arguments",
        lambda self, parts, owner: arguments(self, parts or {"0": 0.5 * self.entries["0"][owner]}, owner),
    )
    with pytest.raises(AssertionError, match="breaks maps_are_those_by_hand"):
        conformance(STEM)


def test_a_move_that_is_not_pushed_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conductance with the chord between the ends of the layer's output for its derivative along the path."""

    def chord(lift: Callable[[Tensor], Tensor], points: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            ahead, behind = ((points + side * tangent / 2).to(points.dtype) for side in (1, -1))
            return lift(points), lift(ahead) - lift(behind)

    monkeypatch.setattr(views, "push", chord)
    with pytest.raises(AssertionError, match="breaks values_add_up"):
        conformance(gl.methods.conductance(STEM), x=FLAT)
    with pytest.raises(AssertionError, match="breaks readings_add_up"):
        conformance(gl.methods.integrated_gradients(), x=FLAT)
