"""Every public part keeps every law that applies to it, over precisions, shapes, places; no part is left out."""

import inspect
from functools import cache
from typing import Any, get_type_hints

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.accumulators import Accumulator, Gradient, GradientTimesMove, GradientTimesShare, Maximum
from gradline.core.baselines import Baseline, PixelSpace
from gradline.core.paths import (
    AtInput,
    Climbing,
    Discretized,
    GaussianRoots,
    Path,
    Saturation,
    Sequential,
    Straight,
    UniformDiscretized,
)
from gradline.core.paths.anchored import Anchored
from gradline.core.rules import Rule
from gradline.question.derivatives import Derivative
from gradline.question.targets import Target
from gradline.testing import cases, conformance
from gradline.testing.nets import SHAPES, Net, batch

b, m, r, t = gl.baselines, gl.methods, gl.rules, gl.targets
PIXELS = PixelSpace((-1.0, -1.5, -2.0), (1.0, 2.0, 3.0))
EACH = torch.tensor([2, 0, 1])
FLAT, IMAGE = batch(SHAPES["flat"], seed=4), batch(SHAPES["image"], seed=4)
DATA = batch(SHAPES["flat"], 7, seed=21)
BOX = torch.tensor([[0.0, 0.0, 4.0, 3.0], [1.0, 0.0, 4.0, 2.0], [0.0, 1.0, 3.0, 3.0]])
MASK = batch((2, 2), seed=5).sigmoid()
STEM = gl.Layer("stem")
WORDS = batch((3,), 24, seed=8)
FEW = {"anchors": 3, "neighbours": 8}


def squared(output: Tensor) -> Tensor:
    return output.flatten(1)[:, :4].square().sum(1)


def distance(output: Tensor, reference: Tensor) -> Tensor:
    return (output - reference).square().flatten(1).mean(1)


METHODS = [
    m.integrated_gradients(),
    m.gradient(),
    m.gradient_x_input(),
    m.split_integrated_gradients(0.7),
    m.left_integrated_gradients(0.7),
    m.smooth_taylor(0.3, 12),
    m.geometrically_guided_maximum(3, 1e-2),
    m.geometrically_guided_integrated_gradients(3, 1e-2),
    m.sequential_integrated_gradients(),
    m.discretized_integrated_gradients(WORDS, **FEW),
    m.uniform_discretized_integrated_gradients(WORDS, **FEW),
    m.conductance(STEM),
    m.internal_influence(STEM),
]
PATHS = [
    Straight(),
    AtInput(),
    Saturation(0.7),
    Climbing(3, 1e-2),
    GaussianRoots(0.3, 12),
    Sequential(),
    Discretized(WORDS, **FEW),
    UniformDiscretized(WORDS, gl.paths.Strategy.MAX_COUNT, anchors=3, neighbours=5),
]
ACCUMULATORS = [Gradient(), GradientTimesMove(), GradientTimesShare(), Maximum()]
BASELINES = [
    b.Zero(),
    b.Constant(0.5),
    b.Given(FLAT),
    b.Given(IMAGE[:1]),
    b.Black(PIXELS),
    b.White(PIXELS),
    b.PixelNoise(PIXELS, draws=2),
    b.Mean(),
    b.Blur(1.5),
    b.Uniform(-1, 2, draws=2),
    b.GaussianNoise(0.3, draws=2),
    b.FromData(DATA),
    b.FromData(DATA, draws=2),
    b.Each(0, b.Uniform(draws=2), b.Mean()),
    b.AtSite(b.GaussianNoise(0.2)),
    b.PerInput({"a": b.Each(1, 2), "b": b.Mean()}),
    b.PerInput((0, None)),
    b.PerInput({"a": b.Uniform(draws=2), "b": b.Uniform(draws=2), "c": None}),
    b.Boundary(),
    b.Itself(),
    b.MaximumEntropy(steps=8),
    b.MaximumEntropy(b.GaussianNoise(0.3, draws=2), steps=4, momenta=None, labels=True),
]
NOISES = [part for part in BASELINES if isinstance(part, b.Uniform | b.GaussianNoise)]
DEGREES = {
    r.GaussLegendre: lambda n: 2 * n - 1,
    r.Midpoint: lambda n: 1,
    r.LeftRiemann: lambda n: 0,
    r.RightRiemann: lambda n: 0,
    r.Trapezoid: lambda n: 1,
    r.Simpson: lambda n: 3,
    r.MonteCarlo: None,
    r.Stratified: None,
    r.ByOutputChange: lambda n: 1,
}
TARGETS = [
    t.Logit(1),
    t.Logit(EACH),
    t.Probability(0),
    t.Probability(EACH),
    t.LogProbability(0),
    t.LabelProbability(EACH),
    t.Entropy(),
    t.Entropy(labels=True),
    t.Margin(EACH),
    t.Margin(0, EACH + 1),
    t.Predicted(),
    t.Predicted(t.Probability),
    t.Function(squared),
    t.Loss(distance, batch((4,), seed=9)),
    t.Element(1, 0, 1),
    t.Element(EACH, EACH % 2, EACH // 2),
    t.Neuron("pair.one", EACH),
    t.Neuron(STEM, lambda h: h.flatten(1).square().sum(1)),
    t.Neuron(gl.Layer("pair", output=1), 2),
    t.Region(1),
    t.Region(EACH, MASK),
    t.Region(),
    t.Box(BOX, 1),
    t.Box((0, 0, 4, 3), EACH % 2, temperature=0.1),
    t.Contrast(t.Probability(1), EACH),
    t.Contrast(t.Probability(1), t.Probability(EACH)),
    t.Entry("scores", t.Margin(EACH)),
    t.Entry("maps", t.Region(1)),
    t.TokenSpan(torch.tensor([1, 0]), torch.tensor([0, 1])),
]
DERIVATIVES = [gl.derivatives.FiniteDifferences(), gl.derivatives.GaussianSmoothing(0.3, samples=32)]
SITES = [gl.Input(), gl.Layer("same"), STEM, gl.Layer("pair", output=1), gl.Layer("twice", call=1)]

PARTS = [*METHODS, *PATHS, *ACCUMULATORS, *BASELINES, *(kind() for kind in DEGREES), *TARGETS, *DERIVATIVES, *SITES]


def named(part: Any) -> str:
    return part.name if isinstance(part, gl.Method) else type(part).__name__


ONE_SHAPE = {
    "split-integrated-gradients": "image",
    "left-integrated-gradients": "sequence",
    "geometrically-guided-maximum": "flat",
    "geometrically-guided-integrated-gradients": "sequence",
    "sequential-integrated-gradients": "sequence",
    "gradient": "image",
    "gradient-x-input": "sequence",
    "conductance": "image",
    "internal-influence": "flat",
    "smooth-taylor": "image",
    "Saturation": "image",
    "Climbing": "sequence",
    "GaussianRoots": "flat",
    "Sequential": "sequence",
    "Discretized": "sequence",
    "UniformDiscretized": "image",
    "Gradient": "flat",
    "GradientTimesMove": "image",
    "GradientTimesShare": "sequence",
    "Maximum": "image",
}
"""What is tried on one shape, in float64: it reads many times, or is a part of what is tried everywhere."""


@pytest.mark.parametrize("part", PARTS, ids=named)
def test_every_part_conforms(part: Any) -> None:
    shape = ONE_SHAPE.get(named(part))
    x = None if shape is None else batch(SHAPES[shape], dtype=torch.float64)
    conformance(part, x=x, degree=DEGREES.get(type(part)))


def concrete(module: Any, kind: type) -> set[type]:
    public = [value for name, value in vars(module).items() if not name.startswith("_")]
    return {v for v in public if isinstance(v, type) and issubclass(v, kind) and not inspect.isabstract(v)}


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (gl.baselines, Baseline),
        (gl.rules, Rule),
        (gl.targets, Target),
        (gl.sites, gl.Site),
        (gl.derivatives, Derivative),
        (gl.paths, Path),
        (gl.accumulators, Accumulator),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_public_part_is_in_the_table(module: Any, kind: type) -> None:
    public = concrete(module, kind) - {gl.Site}
    assert public
    missing = public - {type(part) for part in PARTS}
    assert not missing, f"add to PARTS: {', '.join(sorted(c.__name__ for c in missing))}"


def test_every_public_method_is_in_the_table() -> None:
    functions = {n: f for n, f in vars(m).items() if n in m.__all__ and inspect.isfunction(f) and n != "by_name"}
    aliases = {alias for entry in m.CATALOGUE for alias in entry.aliases}
    public = {n.replace("_", "-") for n, f in functions.items() if get_type_hints(f).get("return") is gl.Method}
    assert public - aliases == {method.name for method in METHODS} >= set(m.names())


# ------------------------------------------------------------------------------------------------------------- coverage


@cache
def names_of(place: int) -> list[str]:
    return [name for name, _ in cases(PARTS[place])]


def names(part: Any) -> list[str]:
    return names_of(next(place for place, other in enumerate(PARTS) if other is part))


@pytest.mark.parametrize("part", [*METHODS[:3], *BASELINES[:2], *NOISES], ids=named)
def test_points_reach_models_of_every_shape_in_every_precision(part: Any) -> None:
    for shape in SHAPES:
        for dtype in ("float64", "float32", "bfloat16"):
            assert any(f"{dtype}-{shape}" in name for name in names(part))


EVERYWHERE = [path for path in PATHS if not isinstance(path, Anchored)]  # those go by words, the last axis


@pytest.mark.parametrize("part", [METHODS[0], *EVERYWHERE, *ACCUMULATORS], ids=named)
def test_methods_are_tried_at_the_input_at_a_layer_round_it_and_read_elsewhere(part: Any) -> None:
    inside = getattr(part, "integrates", True) and not isinstance(part, Climbing)
    places = ("input", "layer", "bypassed", *(("layer-read", "bypassed-read") if inside else ()))
    for shape in SHAPES:
        for place in places:
            assert any(name.endswith(f"{shape}-{place}") for name in names(part)), f"{shape} {place}"


@pytest.mark.parametrize("part", TARGETS, ids=named)
def test_targets_are_tried_on_outputs_and_on_models(part: Any) -> None:
    found = names(part)
    assert any(name.startswith("gradients_are_right") for name in found)
    assert any(name.startswith("is_explained_as_by_hand") for name in found)


@pytest.mark.parametrize("part", PARTS, ids=named)
def test_names_of_cases_tell_them_apart(part: Any) -> None:
    found = names(part)
    assert len(set(found)) == len(found)
    assert found[0] == "stands_for_itself"


# ---------------------------------------------------------------------------------------------------- one's own model


class Own(nn.Module):
    """Not one of the library's nets: a dictionary inside, two inputs to the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.split, self.last = nn.Linear(7, 5), Split(), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.split(torch.relu(self.first(x) + 2))
        return self.last(torch.cat([parts["rest"].relu_(), parts["one"] ** 2, x], 1))


class Split(nn.Module):
    def forward(self, h: Tensor) -> dict[str, Any]:
        return {"count": 3, "one": torch.tanh(h[:, :1]), "rest": 2 * torch.sigmoid(h[:, 1:]) - 1}


@pytest.fixture
def own() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return Own().double().eval(), batch((7,), 4)


@pytest.mark.parametrize("where", ["first", "split", nn.Module])
@pytest.mark.parametrize("output", [0, 1])
def test_sites_of_ones_own_model(own: tuple[nn.Module, Tensor], where: Any, output: int) -> None:
    model, x = own
    if where == "first" and output:
        with pytest.raises(AssertionError):
            conformance(gl.Layer(where, output), model=model, x=x)
        return
    conformance(gl.Layer(model.split if where is nn.Module else where, output), model=model, x=x)


def test_methods_baselines_and_targets_on_ones_own_model(own: tuple[nn.Module, Tensor]) -> None:
    model, x = own
    conformance(m.integrated_gradients(), model=model, x=x)
    conformance(m.conductance(gl.Layer("first")), model=model, x=x)
    conformance(b.Given(x / 2), model=model, x=x)
    conformance(t.Margin(torch.tensor([2, 0, 1, 1])), model=model, x=x, output=lambda z: None)


def test_a_target_of_ones_own_output() -> None:
    with pytest.raises(gl.InputError, match="output="):
        conformance(t.Entry("answer"))
    conformance(t.Entry("answer"), output=lambda z: {"answer": z[:, :5].tanh()})


@pytest.mark.parametrize("shape", [(1,), (2, 3, 4, 2)], ids=str)
def test_shapes_of_ones_own(shape: tuple[int, ...]) -> None:
    conformance(b.FromData(batch(shape, 6, seed=3), 2), x=batch(shape))
    conformance(b.Given(torch.arange(24).reshape(4, 6)), x=torch.arange(24).reshape(4, 6).flip(0))


@pytest.mark.parametrize("what", [b.Zero, "zero", None, nn.Linear(2, 2)], ids=lambda what: type(what).__name__)
def test_what_is_no_part_is_refused_in_words(what: Any) -> None:
    with pytest.raises(
        gl.InputError, match="expected a method, path, baseline, rule, accumulator, target, site or derivative"
    ):
        conformance(what)
    with pytest.raises(gl.InputError, match=r"make one: Zero\(\.\.\.\)"):
        conformance(b.Zero)


def test_what_fits_nothing_is_not_taken_to_conform() -> None:
    with pytest.raises(gl.InputError, match="examples x= that the baseline fits"):
        conformance(b.Given(torch.zeros(1, 5)))
    with pytest.raises(gl.InputError, match="examples x= for the model"):
        conformance(b.Zero(), model=Net((3,)))
