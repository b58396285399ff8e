"""ROAD, and the linear system with which it fills what was removed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core import random
from gradline.evaluation.judge import evaluate
from gradline.metrics.regions import imputation
from gradline.metrics.regions.imputation import impute
from gradline.metrics.regions.road import ROAD
from gradline.metrics.regions.turns import NO_SCORE
from gradline.question.targets.scales import Scale

Array = np.ndarray[Any, Any]
NAMES = ("ant", "bee", "cat")


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 8 * 8, 3)
    return nn.Sequential(*layers).double().requires_grad_(False)


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def summed(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1, keepdim=True)


def scored(model: Callable[[Tensor], Tensor]) -> gl.Score:
    return gl.Score(model, 0)


def solved(image: Array, gone: Array) -> Array:
    """The system of section 3.7, row by row with weights that sum to one, by a sparse direct solver."""
    height, width = gone.shape
    if not gone.any():
        return image
    places = np.argwhere(gone)
    number = {(int(r), int(c)): k for k, (r, c) in enumerate(places)}
    matrix = scipy.sparse.lil_matrix((len(places), len(places)))
    right = np.zeros((len(places), len(image)))
    for (r, c), k in number.items():
        weights = {}
        for dr, dc in product((-1, 0, 1), repeat=2):
            if (dr or dc) and 0 <= r + dr < height and 0 <= c + dc < width:
                weights[r + dr, c + dc] = 1 / 12 if dr and dc else 1 / 6
        matrix[k, k] = 1.0
        for (a, b), w in weights.items():
            share = w / sum(weights.values())
            if gone[a, b]:
                matrix[k, number[a, b]] = -share
            else:
                right[k] += share * image[:, a, b]
    filled = image.copy()
    values = scipy.sparse.linalg.spsolve(matrix.tocsc(), right).reshape(len(places), len(image))
    filled[:, gone] = values.T
    return filled


def holes(height: int, width: int) -> dict[str, Array]:
    source = np.random.default_rng(3)
    rows, columns = np.mgrid[:height, :width]
    blob = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (min(height, width) / 3) ** 2
    corner = (rows < height - 2) & (columns < width - 3)
    one = np.ones((height, width), dtype=bool)
    one[height // 3, width // 2] = False
    single = np.zeros((height, width), dtype=bool)
    single[0, 0] = True
    return {
        "blob": blob,
        "all but the blob": ~blob,
        "corner": corner,
        "left edge": columns < width // 2,
        "scattered": source.random((height, width)) < 0.9,
        "all but one": one,
        "one corner": single,
        "all but two corners": ~(single | single[::-1, ::-1]),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(23, 32), (7, 5), (2, 9), (1, 6), (40, 3)])
def test_imputation_is_the_solution_of_the_system(shape: tuple[int, int], dtype: torch.dtype) -> None:
    masks = holes(*shape)
    image = 3 * drawn(len(masks), 3, *shape) + 5
    found = impute(image.to(dtype), torch.tensor(np.stack(list(masks.values())))[:, None])
    assert found.dtype == dtype
    for (name, gone), own, result in zip(masks.items(), image, found, strict=True):
        expected = own.mean((1, 2), keepdim=True).numpy() if gone.all() else solved(own.numpy(), gone)
        assert np.abs(result.double().numpy() - expected).max() < 1e-4, name


def test_a_corner_on_paper() -> None:
    """The corner of [[?, 1], [4, 9]]: (1/6 + 4/6 + 9/12) / (5/12) = 19/5. A pixel in the middle of 3 × 3: its sides by
    1/6, its corners by 1/12."""
    gone = torch.tensor([[[[True, False], [False, False]]]])
    image = torch.tensor([[[[99.0, 1.0], [4.0, 9.0]]]], dtype=torch.float64)
    assert impute(image, gone)[0, 0].tolist() == [[pytest.approx(3.8), 1], [4, 9]]
    image = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 99.0, 6.0], [7.0, 8.0, 9.5]]]], dtype=torch.float64)
    gone = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    gone[0, 0, 1, 1] = True
    assert float(impute(image, gone)[0, 0, 1, 1]) == pytest.approx(20 / 6 + 20.5 / 12)


def test_a_linear_image_is_its_own_imputation() -> None:
    """The weights are even, so a plane solves the system wherever all neighbours are in the image."""
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(31.0), indexing="ij")
    image = (2 * rows - 0.5 * columns)[None, None].double()
    gone = torch.zeros(1, 1, 20, 31, dtype=torch.bool)
    gone[..., 1:-1, 1:-1] = True
    assert impute(image, gone) == pytest.approx(image, abs=2e-3)
    assert not torch.equal(impute(image, gone), image)


def test_what_is_known_is_kept_and_what_is_not_is_never_read() -> None:
    image = drawn(2, 3, 9, 11)
    gone = drawn(2, 1, 9, 11, seed=4) > 0
    found = impute(image, gone)
    assert torch.equal(torch.where(gone, 0.0, found), torch.where(gone, 0.0, image))
    assert torch.equal(impute(torch.where(gone, torch.nan, image), gone), found)


def test_one_colour_stays_and_nothing_known_is_the_mean_colour() -> None:
    image = torch.full((1, 3, 9, 9), 0.7)
    gone = torch.ones(1, 1, 9, 9, dtype=torch.bool)
    gone[..., 2:4, 5] = False
    assert impute(image, gone) == pytest.approx(image, abs=1e-6)
    image, gone = drawn(2, 3, 6, 5), torch.ones(2, 1, 6, 5, dtype=torch.bool)
    assert impute(image, gone) == pytest.approx(image.mean((2, 3), keepdim=True).expand_as(image))


def test_imputed_rows_do_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, in a batch whose other rows take longer, or in batches of one: the same bits."""
    masks = torch.tensor(np.stack(list(holes(16, 16).values())))[:, None]
    image = drawn(len(masks), 3, 16, 16)
    found = impute(image, masks)
    for i in range(len(masks)):
        assert torch.equal(impute(image[i : i + 1], masks[i : i + 1])[0], found[i])
    monkeypatch.setattr(imputation, "_CHUNK", 1)
    assert torch.equal(impute(image, masks), found)


# ---------------------------------------------------------------------------------------------------------- ROAD


def test_road_on_paper() -> None:
    """3 × 3, f = Σ x, no noise, a third of the pixels. x is 9 at the middle and 0 elsewhere; the map is largest in the
    middle row and smallest in the last. MoRF: the middle row goes; what is known is 0, so f = 0. LeRF: the last row
    goes and is u, v, u: v = (2u/6 + 9/6) / (1/6 · 3 + 2/12), u = (v/6 + 9/12) / (2/6 + 1/12), hence v = u/2 + 9/4 and
    u = 2/5 v + 9/5: u = 27/8, v = 63/16; f = 9 + 27/4 + 63/16 = 19.6875."""
    x = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    x[..., 1, 1] = 9
    maps = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64)[None, None, :, None].expand(1, 1, 3, 3).clone()
    metric = ROAD(percentages=(33,), noise=0.0, scale=Scale.LOGIT)
    found = evaluate(metric, scored(summed), x, maps)
    assert found.parts["MoRF"].tolist() == [pytest.approx(0.0, abs=1e-4)]
    assert found.parts["LeRF"].tolist() == [pytest.approx(19.6875, abs=1e-3)]
    assert found.values.tolist() == [pytest.approx(19.6875, abs=1e-3)]
    assert found.parts["tied"].tolist() == [1.0]


@pytest.mark.parametrize("scale", [Scale.PROBABILITY, Scale.HIT])
def test_road_against_its_definition(scale: Scale) -> None:
    """Written out: pixels by signed channel sum, the first of equal ones first; the direct solver; noise on what was
    removed; the probability of the class, or whether it is the decision; LeRF less MoRF, mean over percentages."""
    model, x, maps = network(), drawn(3, 3, 8, 8), drawn(3, 3, 8, 8, seed=2).round()
    metric = ROAD(percentages=(10, 30, 50, 90), noise=0.05, scale=scale)
    found = evaluate(metric, scored(model), x, maps, names=NAMES, seed=4)
    for i, name in enumerate(NAMES):
        noise = 0.05 * torch.randn(3, 8, 8, generator=random.generator(4, name, "road")).double().numpy()
        order = np.argsort(-maps[i].sum(0).flatten().numpy(), kind="stable")
        table = []
        for q in metric.percentages:
            number = int(64 * q / 100 + 0.5)
            for first in (order[:number], order[64 - number :]):
                gone = np.zeros(64, dtype=bool)
                gone[first] = True
                gone = gone.reshape(8, 8)
                image = solved(x[i].numpy(), gone)
                image[:, gone] += noise[:, gone]
                out = model(torch.tensor(image)[None])[0]
                table.append(float(out.softmax(0)[0] if scale is Scale.PROBABILITY else out.argmax() == 0))
        most, least = np.array(table[::2]), np.array(table[1::2])
        assert found.parts["MoRF curve"][i].numpy() == pytest.approx(most, abs=1e-5)
        assert found.parts["LeRF curve"][i].numpy() == pytest.approx(least, abs=1e-5)
        assert found.curve is not None
        assert found.curve[i].numpy() == pytest.approx(least - most, abs=1e-5)
        assert float(found.values[i]) == pytest.approx(float((least - most).mean()), abs=1e-5)


def test_a_map_and_its_negative_have_opposite_values() -> None:
    """Without ties the most relevant of one are the least relevant of the other."""
    model, x, maps = network(), drawn(3, 3, 8, 8), drawn(3, 3, 8, 8, seed=2)
    values = [evaluate(ROAD(), scored(model), x, one, names=NAMES).values for one in (maps, -maps)]
    assert values[0] == pytest.approx(-values[1], abs=1e-12)
    assert float(values[0].abs().min()) > 1e-3


def test_rows_do_not_meet_and_nothing_is_touched() -> None:
    model, x, maps = network(), drawn(3, 3, 8, 8), drawn(3, 3, 8, 8, seed=2)
    before, state = (x.clone(), maps.clone()), torch.get_rng_state()
    found = evaluate(ROAD(), scored(model), x, maps, names=NAMES)
    for i in range(3):
        alone = evaluate(ROAD(), scored(model), x[i : i + 1], maps[i : i + 1], names=NAMES[i : i + 1])
        assert float(alone.values) == pytest.approx(float(found.values[i]), abs=1e-12)
    assert torch.equal(x, before[0])
    assert torch.equal(maps, before[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_everything_removed_is_the_mean_colour_in_both_orders() -> None:
    x, maps = drawn(2, 3, 8, 8), drawn(2, 3, 8, 8, seed=2)
    found = evaluate(ROAD(percentages=(100,), scale=Scale.LOGIT, noise=0.0), scored(summed), x, maps)
    assert found.parts["MoRF"] == pytest.approx(summed(x)[:, 0])
    assert found.values == pytest.approx(torch.zeros(2, dtype=torch.float64), abs=1e-9)


def test_what_cannot_be_said_is_a_note() -> None:
    x, maps = drawn(4, 3, 8, 8), drawn(4, 1, 8, 8, seed=2)
    maps[0], maps[1] = 0, 1
    maps[2, 0, 0, 0] = torch.nan
    found = evaluate(ROAD(), scored(network()), x, maps)
    assert found.values.isnan().tolist() == [True, True, True, False]
    assert "constant" in found.notes[0]
    assert "constant" in found.notes[1]
    assert "not finite" in found.notes[2]
    assert evaluate(ROAD(), scored(network()), x[:2], maps[:2]).values.isnan().all()
    broken = evaluate(ROAD(), scored(lambda x: summed(x) * torch.nan), x[3:], maps[3:])
    assert broken.values.isnan().all()
    assert broken.notes == (NO_SCORE,)


def test_wrong_calls_say_so() -> None:
    x, maps = drawn(2, 3, 8, 8), drawn(2, 3, 8, 8, seed=2)
    with pytest.raises(gl.InputError, match="images"):
        evaluate(ROAD(), scored(summed), x.flatten(1), maps.flatten(1))
    with pytest.raises(gl.TargetError, match="probability"):
        evaluate(ROAD(), gl.Score(summed, lambda out: out[:, 0]), x, maps)
    for wrong in (
        lambda: ROAD(percentages=()),
        lambda: ROAD(percentages=(0,)),
        lambda: ROAD(percentages=(101,)),
        lambda: ROAD(percentages=[10]),  # type: ignore[arg-type]
        lambda: ROAD(noise=-0.1),
        lambda: ROAD(noise=float("nan")),
        lambda: ROAD(scale="hit"),  # type: ignore[arg-type]
    ):
        with pytest.raises(gl.InputError):
            wrong()


def test_settings_say_what_decided() -> None:
    found = evaluate(ROAD(percentages=(10, 50)), scored(network()), drawn(1, 3, 8, 8), drawn(1, 3, 8, 8, seed=2))
    assert found.settings == ("noisy linear imputation (noise 0.01), signed ranking, probability, 10, 50 % of pixels")
