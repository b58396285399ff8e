"""Mass, rank, pointing and ROC against masks, and signs against known polarity."""

import math

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.evaluation.judge import evaluate
from gradline.metrics.base import Evaluation, Kind, Metric
from gradline.metrics.places.localisation import (
    LocalisationAUC,
    PointingGame,
    PolarityAgreement,
    RelevanceMass,
    RelevanceRank,
)
from gradline.metrics.ranking import Sign
from gradline.metrics.units import Blocks, Values

ALL: tuple[Metric, ...] = (RelevanceMass(), RelevanceRank(), PointingGame(), LocalisationAUC())
MAP = torch.tensor([[4.0, -1.0, 2.0], [2.0, 3.0, 0.0], [-2.0, 1.0, 0.0]])
MASK = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def judge(metric: Metric, maps: Tensor, masks: Tensor | None, channels: int = 1, **options: object) -> Evaluation:
    """The maps of a model of which nothing matters here."""
    x = torch.zeros(len(maps), channels, *maps.shape[-2:])
    return evaluate(metric, gl.Score(lambda z: z.flatten(1), 0), x, maps, masks=masks, **options)  # type: ignore[arg-type]


def one(metric: Metric, **options: object) -> Evaluation:
    return judge(metric, MAP[None], MASK[None], **options)  # type: ignore[arg-type]


def test_mass_by_hand() -> None:
    """Positive mass 4 + 2 + 2 + 3 + 1 = 12, inside 2 + 3 = 5 (the −1 counts nothing); chance 3/9."""
    found = one(RelevanceMass())
    assert float(found.values) == pytest.approx(5 / 12)
    assert float(found.parts["chance"]) == pytest.approx(1 / 3)
    assert float(found.parts["above chance"]) == pytest.approx(5 / 12 - 1 / 3)
    assert found.settings == "positive part of signed values"


def test_mass_of_gradients_counts_sizes() -> None:
    """|a| adds up to 15, inside 1 + 2 + 3."""
    found = one(RelevanceMass(), kind=Kind.GRADIENT)
    assert float(found.values) == pytest.approx(6 / 15)
    assert "absolute" in found.settings


def test_fractions_of_a_mask_weigh() -> None:
    """Half the mask gives half the mass, and half the chance, and is not empty."""
    found = judge(RelevanceMass(), MAP[None], 0.4 * MASK[None])
    assert float(found.values) == pytest.approx(0.4 * 5 / 12)
    assert float(found.parts["chance"]) == pytest.approx(0.4 / 3)


def test_rank_by_hand() -> None:
    """The 3 largest are 4, 3 and the first of two 2s in order of pixels, which is outside: 1/3; 3 of 9 are tied twos
    and zeros: 4/9."""
    found = one(RelevanceRank())
    assert float(found.values) == pytest.approx(1 / 3)
    assert float(found.parts["tied"]) == pytest.approx(4 / 9)


def test_pointing_by_hand() -> None:
    """The maximum is the corner, outside; a distance of 1 from (0, 1) and (1, 0). Within 1 of the mask are the five of
    the cross round (1, 1), the corner, (0, 2) and (2, 0): 8 of 9."""
    assert one(PointingGame()).values.tolist() == [0.0]
    near = one(PointingGame(tolerance=1))
    assert near.values.tolist() == [1.0]
    assert float(near.parts["chance"]) == pytest.approx(8 / 9)
    assert "tolerance 1 pixels" in near.settings
    assert judge(PointingGame(), -MAP[None], MASK[None]).values.tolist() == [0.0]


def test_tolerance_is_a_distance_and_not_a_square() -> None:
    """(2, 2) is 2√2 from (0, 0): outside 2.8, inside 2.9."""
    mask, maps = torch.zeros(1, 3, 3), torch.zeros(1, 3, 3)
    mask[0, 0, 0] = maps[0, 2, 2] = 1.0
    assert judge(PointingGame(tolerance=2.8), maps, mask).values.tolist() == [0.0]
    assert judge(PointingGame(tolerance=2.9), maps, mask).values.tolist() == [1.0]


def test_auc_by_hand() -> None:
    """Inside −1, 2, 3; outside 4, 2, 0, −2, 1, 0. −1 beats one, 2 beats four and ties one, 3 beats five: 10.5 / 18."""
    found = one(LocalisationAUC())
    assert float(found.values) == pytest.approx(10.5 / 18)
    assert found.parts["chance"].tolist() == [0.5]


def plain(values: list[float], inside: list[bool]) -> tuple[float, float, float, float]:
    """Mass, rank, pointing and AUC by their definitions, in loops; no ties."""
    n = len(values)
    mass = sum(max(v, 0) for v, s in zip(values, inside, strict=True) if s) / sum(max(v, 0) for v in values)
    order = sorted(range(n), key=lambda i: -values[i])
    k = sum(inside)
    rank = sum(inside[i] for i in order[:k]) / k
    pairs = [
        (a > b) + (a == b) / 2 for i, a in enumerate(values) if inside[i] for j, b in enumerate(values) if not inside[j]
    ]
    return mass, rank, float(inside[order[0]]), sum(pairs) / len(pairs)


def test_against_the_definitions() -> None:
    """Maps of three channels, summed; 7 x 5 pixels, masks of a third."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(5, 3, 7, 5, generator=generator, dtype=torch.float64)
    masks = (torch.rand(5, 7, 5, generator=generator) < 0.33).double()
    kept = (maps.clone(), masks.clone())
    metrics = (RelevanceMass(), RelevanceRank(), PointingGame(max_share=None), LocalisationAUC())
    found = [judge(metric, maps, masks, 3).values for metric in metrics]
    for i in range(5):
        expected = plain(maps[i].sum(0).flatten().tolist(), masks[i].bool().flatten().tolist())
        assert [float(values[i]) for values in found] == pytest.approx(expected, abs=1e-12)
    assert torch.equal(maps, kept[0])
    assert torch.equal(masks, kept[1])


@pytest.mark.parametrize("metric", [*ALL, PointingGame(tolerance=1.5)], ids=repr)
def test_rows_are_independent_and_scale_does_not_matter(metric: Metric) -> None:
    """A batch is its examples one by one; 100 a reads as a; a mask in every channel as one for all."""
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(3, 1, 6, 6, generator=generator, dtype=torch.float64)
    masks = (torch.rand(3, 6, 6, generator=generator) < 0.3).double()
    found = judge(metric, maps, masks, 3).values
    alone = [judge(metric, maps[i : i + 1], masks[i : i + 1], 3).values for i in range(3)]
    torch.testing.assert_close(torch.cat(alone), found)
    torch.testing.assert_close(judge(metric, 100 * maps, masks, 3).values, found)
    full = masks[:, None].expand(-1, 3, -1, -1)
    torch.testing.assert_close(judge(metric, maps, full, 3).values, found)


def test_a_random_map_is_at_chance() -> None:
    """Mean over 400 maps of 36 pixels, of which 9 inside: within 4 standard errors of 0."""
    maps = torch.rand(400, 6, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    masks = torch.zeros(6, 6)
    masks[:3, :3] = 1
    for metric in (*ALL, PointingGame(tolerance=1)):
        above = judge(metric, maps, masks[None]).parts["above chance"]
        assert abs(float(above.mean())) < 4 * float(above.std()) / 20


def test_masks_and_maps_without_an_answer() -> None:
    """Empty mask, full mask, zero map, NaN map: no value, a sentence why; a NaN map is no hit."""
    maps = torch.rand(5, 3, 3, generator=torch.Generator().manual_seed(3))
    masks = MASK.repeat(5, 1, 1)
    masks[0], masks[1] = 0, 1
    maps[2] = 0
    maps[3, 1, 1] = math.nan
    for metric in ALL:
        found = judge(metric, maps, masks)
        constant_counts = isinstance(metric, LocalisationAUC)
        assert found.values.isnan().tolist() == [True, True, not constant_counts, True, False]
        assert found.notes[0] == "the mask is empty"
        assert found.notes[1] == "the mask covers everything"
        assert "not finite" in found.notes[3]
        assert found.notes[4] == ""
        assert found.parts["above chance"].isnan().tolist() == found.values.isnan().tolist()
    assert judge(LocalisationAUC(), maps, masks).values[2] == 0.5
    assert "nowhere positive" in judge(RelevanceMass(), -maps.abs(), masks).notes[4]


def test_large_objects_are_dropped() -> None:
    """5 of 9 is more than a half: no value in the pointing game, a value in others unless they say so."""
    mask = torch.tensor([[1.0, 1, 1], [1, 1, 0], [0, 0, 0]])[None]
    found = judge(PointingGame(), MAP[None], mask)
    assert found.values.isnan().all()
    assert "56 %" in found.notes[0]
    assert judge(PointingGame(max_share=None), MAP[None], mask).values.tolist() == [1.0]
    assert judge(RelevanceMass(), MAP[None], mask).values.isfinite().all()
    assert judge(RelevanceMass(max_share=0.5), MAP[None], mask).values.isnan().all()
    assert float(found.parts["mask share"]) == pytest.approx(5 / 9)


def test_blocks_take_the_mean_of_the_mask() -> None:
    """Blocks of 2 in 4 x 4: means 1/2, 0, 1/4, 1; inside are the first and the last, sums 4 and 12 of 4, 8, 0, 12."""
    mask = torch.zeros(1, 4, 4)
    mask[0, 0, :2] = mask[0, 2, 0] = 1
    mask[0, 2:, 2:] = 1
    maps = torch.zeros(1, 4, 4)
    maps[0, :2, :2], maps[0, :2, 2:], maps[0, 2:, 2:] = 1, 2, 3
    assert judge(RelevanceRank(units=Blocks(2)), maps, mask).values.tolist() == [0.5]
    mass = judge(RelevanceMass(units=Blocks(2)), maps, mask)
    assert float(mass.values) == pytest.approx((0.5 * 4 + 12) / 24)
    assert float(mass.parts["chance"]) == pytest.approx(1.75 / 4)


def test_refusals() -> None:
    """No masks, masks out of range, bad fields, a tolerance between blocks."""
    for metric in ALL:
        with pytest.raises(gl.InputError, match="masks="):
            judge(metric, MAP[None], None)
    with pytest.raises(gl.InputError, match="tolerance >= 0"):
        PointingGame(tolerance=-1)
    with pytest.raises(gl.InputError, match="max_share"):
        RelevanceMass(max_share=0.0)
    with pytest.raises(gl.InputError, match="tolerance=0"):
        one(PointingGame(units=Blocks(2), tolerance=1))


# ---------------------------------------------------------------------------------------------------- polarity


def features(metric: PolarityAgreement, maps: Tensor) -> Evaluation:
    return evaluate(metric, gl.Score(lambda z: z, 0), torch.zeros_like(maps), maps)


def test_polarity_by_hand() -> None:
    """Known + − + −, values + + 0 −: right, wrong, one half, right: 2.5 / 4; the fifth is not known."""
    found = features(PolarityAgreement(torch.tensor([[1, -1, 1, -1, 0]])), torch.tensor([[2.0, 3.0, 0.0, -1.0, 9.0]]))
    assert found.values.tolist() == [0.625]
    assert found.parts["above chance"].tolist() == [0.125]
    assert found.parts["labelled"].tolist() == [4.0]


def test_polarity_of_words_is_that_of_their_sum() -> None:
    """At an embedding a word's value is the sum over the embedding; one row of polarity holds for all examples."""
    model = torch.nn.Sequential(torch.nn.Embedding(9, 2), torch.nn.Flatten(), torch.nn.Linear(6, 2))
    maps = torch.tensor([[[3.0, -1], [1, -2], [0, 5]], [[-1.0, 0], [1, 1], [-3, 1]]])
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    metric = PolarityAgreement(torch.tensor([[1, -1, 0]]))
    found = evaluate(metric, gl.Score(model, 0, site=gl.Layer("0")), ids, maps)
    assert found.values.tolist() == [1.0, 0.0]


def test_polarity_without_an_answer_and_refusals() -> None:
    """Nothing known, NaN at a known unit, or at an unknown one: no value. Wrong shapes and values are refused."""
    known = torch.tensor([[0, 0], [1, 0], [1, 0]])
    found = features(PolarityAgreement(known), torch.tensor([[1.0, 1.0], [math.nan, 1.0], [1.0, math.nan]]))
    assert found.values.isnan().tolist() == [True, True, True]
    assert "known polarity" in found.notes[0]
    assert "not finite" in found.notes[1]
    with pytest.raises(gl.InputError, match=r"polarity of shape \(1, 2\)"):
        features(PolarityAgreement(torch.ones(1, 3)), torch.ones(1, 2))
    for bad in (torch.tensor([[2]]), torch.tensor([1]), torch.tensor([[math.nan]]), [1]):
        with pytest.raises(gl.InputError, match="-1, 0 and 1"):
            PolarityAgreement(bad)  # type: ignore[arg-type]


def test_polarity_metrics_are_told_apart() -> None:
    """Two with other tensors are not equal, and can be keys."""
    one, two = PolarityAgreement(torch.ones(1, 1)), PolarityAgreement(-torch.ones(1, 1))
    assert one != two
    assert one == one
    assert len({one, two}) == 2


def test_equal_settings_are_equal() -> None:
    assert RelevanceMass(sign=Sign.SIZES, units=Values()) == RelevanceMass(sign=Sign.SIZES, units=Values())
