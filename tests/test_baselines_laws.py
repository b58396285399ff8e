"""Laws of all baselines: shape, precision, device; the same start alone, in a batch and in any order; x untouched."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.core import baselines
from gradline.core.baselines import (
    AtSite,
    Baseline,
    Black,
    Blur,
    Boundary,
    Constant,
    Each,
    FromData,
    GaussianNoise,
    Given,
    Group,
    Itself,
    MaximumEntropy,
    Mean,
    PerInput,
    PixelNoise,
    PixelSpace,
    Search,
    Uniform,
    White,
    Zero,
)

PIXELS = PixelSpace((-1.0, -2.0, -3.0), (1.0, 2.0, 4.0))
NAMES = ("ann", "bob", "cid", "dan")
ORDER = torch.tensor([2, 0, 3, 1])
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def table(n: int) -> Tensor:
    """Data whose rows are told apart, of a part of its own: it wants a gradient."""
    return rand(n, 3, 5, 6, seed=n).requires_grad_()


ANY = [Zero(), Constant(2), Given(table(4)), Given(table(1)), FromData(table(7)), FromData(table(7), draws=3)]
FLOATING = [
    *ANY,
    Black(PIXELS),
    White(PIXELS),
    PixelNoise(PIXELS, draws=2),
    Mean(),
    Itself(),
    Blur(1.5),
    Uniform(-1, 2, draws=2),
    GaussianNoise(0.3, draws=2),
    AtSite(GaussianNoise(1.0)),
    Each(0, Uniform(draws=2), FromData(table(5), 2), Uniform(), Mean()),
    PerInput({"a": Each(1, 2, 3), "b": Mean()}).of_input("b"),
    Each({"a": Each(1, 2)}, Mean(), Uniform()).of_input("b"),
]
X = rand(4, 3, 5, 6, seed=9)


def whole(x: Tensor, names: tuple[str, ...] = NAMES) -> Group:
    return Group(x, torch.arange(len(x)), names, seed=3, input="b", first=2)


def some(x: Tensor, rows: Tensor) -> Group:
    return Group(x[rows.to(x.device)], rows, tuple(NAMES[int(i)] for i in rows), seed=3, input="b", first=2)


def name(part: Any) -> str:
    return type(part).__name__


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("part", FLOATING, ids=name)
def test_starts_have_the_shape_precision_and_device_of_x(part: Baseline, dtype: torch.dtype, device: str) -> None:
    x = X.to(device, dtype)
    before = x.clone()
    part.check(x)
    got = part.start(whole(x))
    assert got.shape == (4, part.draws, 3, 5, 6)
    assert (got.dtype, got.device) == (x.dtype, x.device)
    assert not got.requires_grad
    assert torch.isfinite(got).all()
    assert torch.equal(x, before)
    assert torch.allclose(got.cpu().double(), part.start(whole(X)).double(), atol=0.05), "the same in any precision"


@pytest.mark.parametrize("part", FLOATING, ids=name)
def test_an_example_starts_alone_where_it_starts_in_a_batch(part: Baseline) -> None:
    batch = part.start(whole(X))
    for i in range(4):
        alone = part.start(some(X, torch.tensor([i])))
        assert torch.allclose(alone, batch[i : i + 1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("part", FLOATING, ids=name)
def test_the_order_of_the_examples_does_not_matter(part: Baseline) -> None:
    assert torch.allclose(part.start(some(X, ORDER)), part.start(whole(X))[ORDER], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("part", FLOATING, ids=name)
def test_random_is_what_depends_on_names_and_seed(part: Baseline) -> None:
    one = part.start(whole(X))
    other = part.start(Group(X, torch.arange(4), ("w", "x", "y", "z"), seed=3, input="b", first=2))
    seeded = part.start(Group(X, torch.arange(4), NAMES, seed=4, input="b", first=2))
    assert torch.equal(one, other) == torch.equal(one, seeded) == (not part.random)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8], ids=str)
@pytest.mark.parametrize("part", ANY, ids=name)
def test_integers_start_at_integers(part: Baseline, dtype: torch.dtype) -> None:
    for field in fields(part):  # the same parts, of integers
        value = getattr(part, field.name)
        if isinstance(value, Tensor):
            rest = {"draws": part.sample} if isinstance(part, FromData) else {}
            part = type(part)((10 * value).abs().to(torch.int64), **rest)
    x = torch.arange(4 * 90).remainder(200).reshape(4, 3, 5, 6).to(dtype)
    part.check(x)
    got = part.start(whole(x))
    assert got.shape == (4, part.draws, 3, 5, 6)
    assert got.dtype == dtype
    assert torch.equal(part.start(some(x, ORDER)), got[ORDER])


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 7), (4, 2, 3), (4, 2, 3, 2, 2)], ids=str)
def test_any_shape_will_do(shape: tuple[int, ...]) -> None:
    """Where a colour or a blur is not asked for."""
    x, data = rand(*shape), rand(6, *shape[1:], seed=1)
    for part in (Zero(), Constant(1.5), Given(data[:4]), Given(data[:1]), Mean(), Uniform(), GaussianNoise(1.0)):
        part.check(x)
        assert part.start(whole(x)).shape == (4, 1, *shape[1:])
    for sampled in (FromData(data), FromData(data, 2), PerInput({"a": Each(1, 2), "b": 0}).of_input("b")):
        assert sampled is not None
        sampled.check(x)
        assert sampled.start(whole(x)).shape == (4, sampled.draws, *shape[1:])


@pytest.mark.parametrize("part", [*FLOATING, Boundary(), MaximumEntropy(), PerInput((0,))], ids=name)
def test_parts_are_frozen_and_speak_for_themselves(part: Baseline) -> None:
    assert repr(part).startswith(f"{type(part).__name__}(")
    assert hash(part) == hash(part)
    assert part == part
    with pytest.raises(FrozenInstanceError):
        part.anything = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", FLOATING, ids=name)
def test_what_holds_for_one_input_has_as_many_draws(part: Baseline) -> None:
    own = part.of_input("b")
    assert own is not None
    assert own.draws == part.draws
    assert own.random == part.random
    assert torch.equal(own.start(whole(X)), part.start(whole(X)))


def test_classes_are_abstract_or_final() -> None:
    public = {key: value for key, value in vars(baselines).items() if key in baselines.__all__}
    assert list(baselines.__all__) == sorted(public)
    parts = {value for value in public.values() if isinstance(value, type) and issubclass(value, Baseline)}
    for part in parts - {Baseline, Search}:
        assert not part.__subclasses__()
        assert part.__doc__
    assert gl.baselines is baselines
