"""Maps that know nothing: what they look like, and of what they do not depend."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.errors import InputError
from gradline.evaluation.judge import evaluate
from gradline.metrics import Deletion
from gradline.sanity import (
    CONTROLS,
    Centre,
    ConstantMap,
    Edges,
    Inverted,
    RandomMap,
    centre,
    edges,
    inverted,
    random_map,
)

MODEL = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 6 * 7, 4)).double()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_edges_by_hand() -> None:
    """A step from 0 to 8 between the second and third of four columns, two channels of which one is 0: grey rises by 4.
    Sobel across, (1, 2, 1) down, over 8: (1 + 2 + 1) · 4 / 8 = 2 in the two columns beside the step, 0 at the ends."""
    x = torch.zeros(1, 2, 3, 4)
    x[:, 0, :, 2:] = 8
    expected = torch.tensor([0.0, 2, 2, 0]).expand(1, 1, 3, 4)
    torch.testing.assert_close(edges(gl.Score(MODEL), x), expected)
    torch.testing.assert_close(edges(gl.Score(MODEL), x.mT), expected.mT)


def test_centre_by_hand() -> None:
    """5 × 7: the standard deviation is half of 5, so that two pixels from the middle exp(−4 / (2 · 6.25)) is left."""
    found = Centre(0.5)(gl.Score(MODEL), noise(2, 3, 5, 7))
    assert found.shape == (2, 1, 5, 7)
    assert float(found[0, 0, 2, 3]) == 1
    assert float(found[1, 0, 4, 3]) == float(found[1, 0, 2, 5]) == pytest.approx(math.exp(-0.32))


def test_inverted_by_hand() -> None:
    """max + min − value of (−1, 0, 3): (3, 2, −1); each example by its own extremes."""
    maps = torch.tensor([[-1.0, 0, 3], [2, 2, 4]])
    assert inverted(maps).tolist() == [[3, 2, -1], [4, 4, 2]]
    upside = Inverted(lambda score, x: x, absolute=True)
    assert upside(gl.Score(MODEL), maps).tolist() == [[2, 3, 0], [4, 4, 2]]


def test_random_maps_are_new_for_every_question_and_the_same_for_the_same() -> None:
    x = noise(3, 3, 8, 9)
    first = random_map(gl.Score(MODEL, 1), x)
    assert first.shape == (3, 1, 8, 9)
    assert first.dtype == x.dtype
    assert 0 <= float(first.min()) < 0.1
    assert 0.9 < float(first.max()) < 1
    assert torch.equal(random_map(gl.Score(MODEL, 1), x.flip(0)), first.flip(0))  # whatever the batch
    assert torch.equal(random_map(gl.Score(MODEL.forward, 1), x[1:2]), first[1:2])
    other = nn.Sequential(nn.Flatten(), nn.Linear(216, 4)).double()
    for score, points, seed in ((gl.Score(MODEL, 2), x, 0), (gl.Score(other, 1), x, 0), (gl.Score(MODEL, 1), x + 1, 0)):
        assert not torch.equal(RandomMap(seed)(score, points), first)
    assert not torch.equal(RandomMap(1)(gl.Score(MODEL, 1), x), first)
    assert not torch.equal(first[0], first[1])


def test_inputs_that_are_no_images() -> None:
    rows, score = noise(4, 5), gl.Score(nn.Linear(5, 2).double())
    assert random_map(score, rows).shape == (4, 5)
    assert torch.equal(ConstantMap()(score, rows), torch.ones(4, 5).double())
    pair = gl.Score(lambda a, b: a.sum(1) + b.flatten(1).sum(1))
    assert random_map(pair, (rows, noise(4, 2, 2))).shape == (4, 9)
    for control in (edges, centre):
        with pytest.raises(InputError, match=r"images \(N, C, H, W\)"):
            control(score, rows)


def test_at_a_layer_they_have_its_shape() -> None:
    x = noise(2, 3, 8, 9)
    score = gl.Score(MODEL, 1, site=gl.Layer("0"))
    assert random_map(score, x).shape == ConstantMap()(score, x).shape == (2, 2, 6, 7)
    tokens = gl.Score(nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2)), 0, site=gl.Layer("0"))
    ids = torch.tensor([[1, 2, 3], [1, 2, 4]])
    found = random_map(tokens, ids)
    assert found.shape == (2, 3, 4)
    assert not torch.equal(found[0], found[1])
    with pytest.raises(InputError, match="explained at the input"):
        edges(score, x)


@pytest.mark.parametrize("name", CONTROLS)
def test_each_goes_to_a_metric(name: str) -> None:
    x, control = noise(2, 3, 8, 9), CONTROLS[name]
    score = gl.Score(MODEL)
    before = x.clone()
    chance = torch.random.get_rng_state()
    maps: Any = control(score, x)
    found = evaluate(Deletion(), score, x, maps)
    assert found.values.isfinite().all() == (name != "constant")
    assert torch.equal(before, x)
    assert torch.equal(chance, torch.random.get_rng_state())
    assert not any(m._forward_hooks for m in MODEL.modules())
    torch.testing.assert_close(torch.cat([control(score, row[None]) for row in x]), maps)


def test_they_are_values_with_a_repr() -> None:
    assert RandomMap(3) == RandomMap(3) != RandomMap(4)
    assert repr(Edges()) == "Edges()"
    with pytest.raises(InputError, match="width > 0"):
        Centre(0)
