"""Mosaics of labelled images, and the mass in the cells of the class."""

import math

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.evaluation.judge import evaluate
from gradline.metrics.places.mosaic import Focus, Mosaics, mosaics

LABELS = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2])
IMAGES = (torch.arange(8.0)[:, None, None, None] + 1) * torch.ones(8, 3, 4, 5)  # image i is i + 1 everywhere


def cells(made: Mosaics, k: int, side: int) -> list[int]:
    """The image behind each cell, read off the pixels."""
    return [int(c[0, 0, 0]) - 1 for row in made.x[k].split(4, 1) for c in row.split(5, 2)]  # type: ignore[no-untyped-call]


def focus(made: Mosaics, maps: Tensor) -> list[float]:
    score = gl.Score(lambda z: z.flatten(2).mean(2), made.targets)
    found: list[float] = evaluate(Focus(), score, made.x, maps, masks=made.masks, names=made.names).values.tolist()
    return found


@pytest.mark.parametrize(("side", "of_target"), [(2, 2), (2, 1), (2, 3)])
def test_what_a_mosaic_holds(side: int, of_target: int) -> None:
    """The right number of the target class, no image twice, targets in turn, masks where the target is."""
    made = mosaics(IMAGES, LABELS, 7, side=side, of_target=of_target)
    assert made.x.shape == (7, 3, 4 * side, 5 * side)
    turns = [c for c in (0, 1, 2) if int((c == LABELS).sum()) >= of_target]
    assert made.targets.tolist() == [turns[k % len(turns)] for k in range(7)]
    for k in range(7):
        shown = cells(made, k, side)
        assert shown == made.cells[k].tolist()
        assert len(set(shown)) == side * side
        is_target = [bool(LABELS[i] == made.targets[k]) for i in shown]
        assert sum(is_target) == of_target
        flags = [c.unique().tolist() for row in made.masks[k].split(4, 1) for c in row.split(5, 2)]
        assert flags == [[float(t)] for t in is_target]
    assert len(made) == 7


def test_focus_by_hand() -> None:
    """A map of 3 on the target's cells, 1 elsewhere, −9 on one pixel of each cell: 3/(3 + 1) with two cells of four;
    with one cell 3/(3 + 3)."""
    for of_target, expected in ((2, 0.75), (1, 0.5)):
        made = mosaics(IMAGES, LABELS, 3, of_target=of_target)
        maps = 1 + 2 * made.masks
        maps[:, :, ::4, ::5] = -9.0
        assert focus(made, maps) == pytest.approx([expected] * 3)


def test_chance_comes_from_the_mask() -> None:
    """A constant map is at chance: 1/2, and 1/9 for one cell of nine."""
    for labels, side, of_target, chance in ((LABELS, 2, 2, 0.5), (torch.arange(9), 3, 1, 1 / 9)):
        made = mosaics(torch.rand(len(labels), 3, 4, 5), labels, 2, side=side, of_target=of_target)
        score = gl.Score(lambda z: z.flatten(2).mean(2), 0)
        found = evaluate(Focus(), score, made.x, torch.ones_like(made.masks), masks=made.masks)
        assert found.parts["chance"].tolist() == pytest.approx([chance] * 2)
        assert found.values.tolist() == pytest.approx([chance] * 2)


def test_maps_without_an_answer() -> None:
    """No positive mass, or NaN: no value, and the neighbour is unharmed."""
    made = mosaics(IMAGES, LABELS, 3)
    maps = torch.ones(3, 1, 8, 10)
    maps[0], maps[1, 0, 0, 0] = -1, math.nan
    assert [math.isnan(v) for v in focus(made, maps)] == [True, True, False]
    with pytest.raises(gl.InputError, match="masks="):
        evaluate(Focus(), gl.Score(lambda z: z.flatten(2).mean(2), 0), made.x, maps)


def test_choice_is_keyed() -> None:
    """The same seed gives the same mosaics, however many; another seed gives others; the global state is untouched."""
    state = torch.get_rng_state()
    few, many, other = (mosaics(IMAGES, LABELS, n, seed=s) for n, s in ((3, 0), (9, 0), (9, 1)))
    assert torch.equal(few.cells, many.cells[:3])
    assert few.names == many.names[:3]
    assert not torch.equal(many.cells, other.cells)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(many.cells.unique()) == 8


def test_a_size_shrinks_image_and_mask_together() -> None:
    """From 8 x 10 to 4 x 5 rows keep apart, while the middle column is half of either side."""
    made, whole = mosaics(IMAGES, LABELS, 4, size=(4, 5)), mosaics(IMAGES, LABELS, 4)
    assert made.x.shape == (4, 3, 4, 5)
    assert torch.equal(made.cells, whole.cells)
    torch.testing.assert_close(made.masks, torch.nn.functional.avg_pool2d(whole.masks, 2))
    assert torch.equal(made.masks[0, 0, :, 2], (made.masks[0, 0, :, 1] + made.masks[0, 0, :, 3]) / 2)


def test_refusals() -> None:
    """Too few images, labels that do not fit, numbers out of range."""
    with pytest.raises(gl.InputError, match=r"a class with 4 images.*0: 3, 1: 3, 2: 2"):
        mosaics(IMAGES, LABELS, 1, side=3, of_target=4)
    with pytest.raises(gl.InputError, match="2 of other classes"):
        mosaics(IMAGES[:3], LABELS[:3], 1)
    for x, labels in ((IMAGES.int(), LABELS), (IMAGES[0], LABELS), (IMAGES, LABELS[:3]), (IMAGES, LABELS.float())):
        with pytest.raises(gl.InputError):
            mosaics(x, labels, 1)
    for wrong in ({"count": 0}, {"side": 1}, {"of_target": 0}, {"of_target": 4}):
        with pytest.raises(gl.InputError, match=next(iter(wrong))):
            mosaics(IMAGES, LABELS, **({"count": 1} | wrong))
