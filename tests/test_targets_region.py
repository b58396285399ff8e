"""A channel over a region: means by hand, masks of every form, regions predicted at x."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gradline as gl
from gradline.question.targets import Region

MAPS = torch.tensor(
    [
        [[[1.0, 2.0], [3.0, 4.0]], [[0.0, 5.0], [1.0, 9.0]]],
        [[[-1.0, 0.0], [2.0, 6.0]], [[0.0, -3.0], [4.0, 5.0]]],
    ]
)  # (2 rows, 2 channels, 2, 2)
EVERY = torch.arange(2)


def picked(target, output=MAPS):
    return target.freeze(output, 2).pick(output, EVERY)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (torch.ones(2, 2), [2.5, 1.75]),
        (torch.ones(2, 2, dtype=torch.bool), [2.5, 1.75]),
        (torch.ones(2, 2, dtype=torch.uint8), [2.5, 1.75]),
        (torch.tensor([1.0, 0.0]), [2.0, 0.5]),
        (torch.tensor([[1.0], [0.0]]), [1.5, -0.5]),
        (torch.tensor(1.0), [2.5, 1.75]),
        (torch.tensor([[1.0, 0.0], [0.0, 0.5]]), [2.0, 4 / 3]),
        (torch.eye(2).expand(1, 2, 2), [2.5, 2.5]),
        (torch.tensor([[[True, False], [False, False]], [[False, False], [True, True]]]), [1.0, 4.0]),
    ],
    ids=["full", "bool", "uint8", "column", "row", "number", "soft", "batch of one", "one each"],
)
def test_the_mean_of_a_channel_over_a_mask(mask, expected):
    assert picked(Region(0, mask)).tolist() == pytest.approx(expected)


def test_a_channel_each():
    assert picked(Region(torch.tensor([1, 0]), torch.ones(2, 2))).tolist() == [3.75, 1.75]


def test_without_a_mask_it_is_where_the_channel_leads_at_x():
    region = Region(0).freeze(MAPS, 2)
    assert region.pick(MAPS, EVERY).tolist() == [2.0, 3.0]  # of 1, 3 and of 0, 6
    assert region.pick(-MAPS, EVERY).tolist() == [-2.0, -3.0]
    each = Region(torch.tensor([1, 0])).freeze(MAPS, 2)
    assert each.pick(MAPS, EVERY).tolist() == [7.0, 3.0]
    assert [each.describe(i) for i in range(2)] == [
        "mean of class 1 over the predicted region (2 pixels)",
        "mean of class 0 over the predicted region (2 pixels)",
    ]


@pytest.mark.parametrize(("index", "output"), [(0, MAPS[:, :1]), (None, MAPS[:, 0]), (None, MAPS[:, :1])])
def test_one_channel_leads_where_it_is_positive(index, output):
    region = Region(index).freeze(output, 2)
    assert region.pick(output, EVERY).tolist() == [2.5, 4.0]
    assert region.pick(-output, EVERY).tolist() == [-2.5, -4.0]


def test_the_mean_is_as_exact_as_the_output():
    third = torch.tensor([[[0.3, 0.5], [0.7, -1.0]]], dtype=torch.float64)
    assert Region().freeze(third, 1).pick(third, EVERY[:1]).item() == pytest.approx(0.5, rel=1e-15)


def test_any_number_of_axes():
    volume = torch.arange(2.0 * 3 * 2 * 2 * 2).reshape(2, 3, 2, 2, 2)
    torch.testing.assert_close(picked(Region(1, torch.ones(2)), volume), volume[:, 1].flatten(1).mean(1))
    tokens = torch.tensor([[[1.0, -1.0, 2.0], [0.0, 3.0, 0.0]], [[5.0, 5.0, 5.0], [6.0, 4.0, 6.0]]])
    assert picked(Region(0), tokens).tolist() == [1.5, 5.0]
    assert Region(0).freeze(tokens, 2).describe(0) == "mean of class 0 over the predicted region (2 positions)"


def test_logits_of_a_mapping():
    assert torch.equal(picked(Region(0), {"logits": MAPS}), picked(Region(0)))


def test_infinite_values_outside_the_region_do_not_matter():
    far = MAPS.clone()
    far[:, 0, 0] = -torch.inf
    far.requires_grad_()
    scalars = Region(0, torch.tensor([[0.0], [1.0]])).freeze(far, 2).pick(far, EVERY)
    assert scalars.tolist() == [3.5, 4.0]
    scalars.sum().backward()
    assert far.grad[:, 0].tolist() == [[[0.0, 0.0], [0.5, 0.5]]] * 2


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Region(2, torch.ones(2, 2)), "mean of class 2 over the given region"),
        (Region(2), "mean of class 2 over the predicted region"),
        (Region(), "mean of the output over the predicted region"),
        (Region(0, torch.eye(2)).freeze(MAPS, 2), "mean of class 0 over the given region (2 pixels)"),
        (Region(0, torch.eye(2) * 0.3).freeze(MAPS, 2), "mean of class 0 over the given region (0.6 pixels)"),
        (Region(mask=torch.tensor(True)).freeze(MAPS[:, 0], 2), "mean of the output over the given region (4 pixels)"),
    ],
)
def test_in_words(target, words):
    assert target.describe(1) == words


NAN = torch.tensor([[float("nan"), 1.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Region(0, torch.zeros(2, 2)), ["a mask that covers something", "only zeros"]),
        (Region(0, torch.stack([torch.ones(2, 2), torch.zeros(2, 2)])), ["something in example 1", "only zeros"]),
        (Region(0, NAN), ["[0, 1]", "got nan"]),
        (Region(0, torch.full((2, 2), 2)), ["[0, 1]", "got 2"]),
        (Region(0, -torch.ones(2, 2)), ["[0, 1]", "got -1"]),
        (Region(0, torch.ones(2, 2).cfloat()), ["[0, 1]", "complex"]),
        (Region(0, torch.ones(3)), ["broadcasts to (2, 2)", "(2, 2, 2)", "shape (3,)"]),
        (Region(0, torch.ones(3, 2, 2)), ["one for each example", "shape (3, 2, 2)"]),
        (Region(0, torch.ones(2, 1, 2, 2)), ["one for each example", "shape (2, 1, 2, 2)"]),
        (Region(0, [[1, 0], [0, 1]]), ["broadcasts to (2, 2)", "list"]),
        (Region(2), ["a channel index from 0 to 1", "got 2"]),
        (Region(-1), ["a channel index from 0 to 1", "got -1"]),
        (Region(torch.tensor([0, 1, 0])), ["2 targets, one for each example", "shape (3,)"]),
    ],
    ids=range(13),
)
def test_what_does_not_fit_is_refused(target, words):
    with pytest.raises(gl.TargetError) as caught:
        target.freeze(MAPS, 2)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_empty_predicted_region_names_the_example():
    low = MAPS.clone()
    low[1, 0] -= 100
    with pytest.raises(gl.TargetError, match=r"channel 0 is predicted in example 1, got none; .*Region\(3, mask\)"):
        Region(0).freeze(low, 2)
    with pytest.raises(gl.TargetError, match="output is positive in example 1"):
        Region().freeze(low[:, 0], 2)


@pytest.mark.parametrize(("target", "output"), [(Region(0), MAPS[:, :, 0, 0]), (Region(), MAPS[:, 0, 0, 0])])
def test_an_output_without_space_is_refused(target, output):
    with pytest.raises(gl.TargetError, match=r"for a region, got shape \(2.*gl\.Logit"):
        target.freeze(output, 2)


def test_an_output_of_another_size_is_refused():
    region = Region(0, torch.ones(2, 2)).freeze(MAPS, 2)
    with pytest.raises(gl.TargetError, match=r"\(2, 2\) a channel, got \(2, 1\)"):
        region.pick(MAPS[..., :1], EVERY)


@given(st.integers(1, 3), st.integers(1, 4), st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_a_full_mask_is_the_mean_and_a_pixel_is_itself(rows, channels, space, seed):
    maps = torch.randn(rows, channels, *space, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    k, every = seed % channels, torch.arange(rows)
    mean = Region(k, torch.ones(1)).freeze(maps, rows).pick(maps, every)
    torch.testing.assert_close(mean, maps[:, k].flatten(1).mean(1), rtol=1e-12, atol=1e-15)
    one = torch.zeros(space).flatten()
    one[seed % len(one)] = 0.25
    pixel = Region(k, one.reshape(space)).freeze(maps, rows).pick(maps, every)
    torch.testing.assert_close(pixel, maps[:, k].flatten(1)[:, seed % len(one)])


def test_explained_segmentation():
    """Each pixel's logit is w_k x_p, so A_p = w_k m_p x_p / Σ m."""
    x = torch.tensor([[[[1.0, -2.0], [3.0, 0.5]]], [[[2.0, 1.0], [-1.0, 4.0]]]], dtype=torch.float64)
    weight = torch.tensor([2.0, -1.0], dtype=torch.float64).reshape(2, 1, 1)
    mask = torch.tensor([[1.0, 0.5], [0.0, 0.5]])
    a = gl.explain(lambda x: x * weight, x, Region(1, mask), steps=2)
    torch.testing.assert_close(a.values, -x * mask / 2)
    assert set(a.explained) == {"mean of class 1 over the given region (2 pixels)"}
