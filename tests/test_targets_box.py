"""Detections against a box: overlaps by hand, a smooth maximum and its limits, every form of output."""

from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gradline as gl
from gradline.question.targets import Box
from gradline.question.targets.box import iou, smooth_maximum

CORNERS = (0.0, 0.0, 4.0, 2.0)
BOXES = torch.tensor(
    [
        [[0.0, 0.0, 4.0, 2.0], [2.0, 0.0, 6.0, 2.0], [8.0, 8.0, 9.0, 9.0]],  # IoU 1, 1/3, 0
        [[0.0, 1.0, 4.0, 3.0], [0.0, 0.0, 2.0, 2.0], [4.0, 0.0, 8.0, 2.0]],  # IoU 1/3, 1/2, 0
    ],
    dtype=torch.float64,
)
SCORES = torch.tensor([[[0.1, 0.9], [0.6, 0.3], [0.2, 0.8]], [[0.9, 0.6], [0.5, 0.5], [0.0, 1.0]]], dtype=torch.float64)
MATCHES = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.25, 0.0]], dtype=torch.float64)  # of label 1
EVERY = torch.arange(2)

Dense = namedtuple("Dense", "scores boxes")

FORMS = {
    "mapping": {"boxes": BOXES, "scores": SCORES, "more": None},
    "object": SimpleNamespace(boxes=BOXES, scores=SCORES),
    "pair": (BOXES, SCORES),
    "named tuple": Dense(SCORES, BOXES),
}


def picked(target, output, rows=2):
    return target.freeze(output, rows).pick(output, torch.arange(rows))


def expected(temperature):
    weight = torch.exp(MATCHES / temperature) - 1
    return (weight * MATCHES).sum(1) / weight.sum(1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("temperature", [0.01, 0.05, 1.0])
def test_dense_detections(form, temperature):
    torch.testing.assert_close(picked(Box(CORNERS, 1, temperature=temperature), FORMS[form]), expected(temperature))


def test_detections_in_a_form_of_ones_own():
    def decode(output):
        return output["cxcywh"][..., :2].repeat(1, 1, 2) + output["cxcywh"][..., 2:].repeat(1, 1, 2) * HALF, output["p"]

    centred = torch.cat([(BOXES[..., :2] + BOXES[..., 2:]) / 2, BOXES[..., 2:] - BOXES[..., :2]], 2)
    got = picked(Box(CORNERS, 1, decode=decode), {"cxcywh": centred, "p": SCORES})
    torch.testing.assert_close(got, expected(0.05))


HALF = torch.tensor([-0.5, -0.5, 0.5, 0.5], dtype=torch.float64)


def listed(*rows):
    """torchvision's form: each row's own number of boxes, each with one label."""
    parts = [[torch.tensor(part, dtype=torch.float64) for part in row[:2]] for row in rows]
    labels = [torch.tensor(row[2], dtype=torch.int64) for row in rows]
    return [{"boxes": b.reshape(-1, 4), "scores": s, "labels": k} for (b, s), k in zip(parts, labels, strict=True)]


def test_detections_listed_row_by_row():
    output = listed(
        (BOXES[0].tolist(), [0.9, 0.3, 0.8], [1, 1, 1]),
        (BOXES[1, :2].tolist(), [0.6, 1.0], [1, 3]),
        ([], [], []),
        (BOXES[0, :1].tolist(), [1.0], [3]),
    )
    got = picked(Box(CORNERS, 1), output, 4)
    torch.testing.assert_close(got, torch.tensor([expected(0.05)[0], 0.2, 0, 0], dtype=torch.float64))
    got = picked(Box(CORNERS, torch.tensor([1, 3, 1, 3])), output, 4)
    torch.testing.assert_close(got[1:], torch.tensor([0.5, 0, 1], dtype=torch.float64))
    corners = torch.tensor([CORNERS, CORNERS, CORNERS, (0.0, 0.0, 2.0, 2.0)])
    assert picked(Box(corners, 3), output, 4)[3].item() == pytest.approx(0.5)


def test_a_box_and_a_label_each():
    corners = torch.tensor([[2.0, 0.0, 6.0, 2.0], [4.0, 0.0, 8.0, 2.0]])
    cold = picked(Box(corners, torch.tensor([0, 1]), temperature=0.001), FORMS["pair"])
    torch.testing.assert_close(cold, torch.tensor([0.6, 1.0], dtype=torch.float64))


def test_where_nothing_is_detected_the_score_is_zero_and_on_the_graph():
    boxes = BOXES.clone().requires_grad_()
    none = [{"boxes": boxes[0, :0], "scores": SCORES[0, :0, 0], "labels": torch.zeros(0).long()}]
    scalar = picked(Box(CORNERS, 1), none, 1)
    assert scalar.tolist() == [0.0]
    assert torch.autograd.grad(scalar.sum(), boxes)[0].abs().sum() == 0
    far = picked(Box((20, 20, 21, 21), 1), (boxes, SCORES))
    assert far.tolist() == [0.0, 0.0]
    assert torch.autograd.grad(far.sum(), boxes)[0].abs().sum() == 0
    assert picked(Box(CORNERS, 1), (boxes[:, :0], SCORES[:, :0])).tolist() == [0.0, 0.0]


def test_boxes_elsewhere_weigh_nothing():
    """A dense detector has thousands of them."""
    many = torch.cat([BOXES, torch.tensor([50.0, 50.0, 51.0, 51.0]).expand(2, 5000, 4)], 1)
    scores = torch.cat([SCORES, torch.ones(2, 5000, 2)], 1)
    torch.testing.assert_close(picked(Box(CORNERS, 1), (many, scores)), expected(0.05))


def test_in_words():
    assert Box((1, 2, 3.5, 4), 7).describe(0) == "label 7 in the box (1, 2, 3.5, 4)"
    each = Box(torch.tensor([[0.0, 0, 1, 1], [1, 2, 3, 4]]), torch.tensor([7, 8]))
    assert each.describe(1) == "label 8 in the box (1, 2, 3, 4)"
    assert each.bounded


@pytest.mark.parametrize(
    ("target", "output", "words"),
    [
        (Box((0, 0, 1), 1), "pair", ["(x1, y1, x2, y2)", "shape (3,)"]),
        (Box(torch.ones(3, 4), 1), "pair", ["(2, 4)", "shape (3, 4)"]),
        (Box((0, 0, 0, 1), 1), "pair", ["x1 < x2", "(0.0, 0.0, 0.0, 1.0)"]),
        (Box((0, 2, 1, 1), 1), "pair", ["y1 < y2"]),
        (Box((0, float("nan"), 1, 1), 1), "pair", ["y1 < y2", "nan"]),
        (Box("box", 1), "pair", ["corners", "'box'"]),
        (Box(None, 1), "pair", ["corners", "None"]),
        (Box(CORNERS, 2), "pair", ["a label index from 0 to 1", "got 2"]),
        (Box(CORNERS, -1), "pair", ["a label index", "got -1"]),
        (Box(CORNERS, 1, temperature=0), "pair", ["a temperature above 0", "got 0"]),
        (Box(CORNERS, 1, temperature=float("nan")), "pair", ["a temperature above 0", "nan"]),
        (Box(CORNERS, 1, temperature="hot"), "pair", ["a temperature above 0", "hot"]),
        (Box(CORNERS, 1, decode=3), "pair", ["decode as a function", "got 3"]),
        (Box(CORNERS, 1, decode=lambda o: o[0]), "pair", ["from the decode function", "(2, 3, 4)"]),
        (Box(CORNERS, 1, decode=lambda o: o["boxes"]), "pair", ["the decode function failed", "TypeError"]),
    ],
    ids=range(15),
)
def test_what_does_not_fit_is_refused(target, output, words):
    with pytest.raises(gl.TargetError) as caught:
        target.freeze(FORMS[output], 2)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (BOXES, ["boxes (2, M, 4)", "a dict of boxes", "tensor (2, 3, 4)", "decode="]),
        ({"boxes": BOXES}, ["boxes (2, M, 4)", "decode="]),
        ((BOXES, SCORES[..., 0]), ["scores (2, M, classes)", "(2, 3)"]),
        ((BOXES, SCORES[:, :2]), ["scores (2, M, classes)", "(2, 2, 2)"]),
        ((BOXES, SCORES * 10), ["in [0, 1]", "got 9", "decode="]),
        (listed(([CORNERS], [1.5], [1]), ([], [], [])), ["in [0, 1]", "got 1.5"]),
        (listed(([CORNERS], [0.5], [1])), ["2 dicts of detections", "got 1"]),
        (listed(([CORNERS], [0.5], [1]), ([CORNERS], [0.5, 0.5], [1])), ["boxes (M, 4)", "for each row"]),
        ([{"boxes": BOXES[0]}, {"boxes": BOXES[0]}], ["boxes (M, 4), scores (M,) and labels (M,)"]),
    ],
    ids=range(9),
)
def test_an_output_without_detections_is_refused(output, words):
    with pytest.raises(gl.TargetError) as caught:
        Box(CORNERS, 1).freeze(output, 2)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_label_that_is_not_a_class_of_a_list_may_be_any():
    assert picked(Box(CORNERS, 90), listed(([CORNERS], [0.5], [90])), 1).tolist() == [0.5]
    with pytest.raises(gl.TargetError, match="a label index from 0, got -1"):
        Box(CORNERS, -1).freeze(listed(([CORNERS], [0.5], [90])), 1)


SIDE = st.integers(-9, 9)
CORNER = st.tuples(SIDE, SIDE, st.integers(1, 9), st.integers(1, 9)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(CORNER, CORNER)
@settings(max_examples=100, deadline=None)
def test_iou_is_symmetric_between_zero_and_one_and_one_for_equal_boxes_alone(one, other):
    a, b = (torch.tensor(box, dtype=torch.float64) for box in (one, other))
    value = iou(a, b).item()
    assert value == iou(b, a).item()
    assert 0 <= value <= 1
    assert (value == 1) == (one == other)
    cells = [{(x, y) for x in range(c[0], c[2]) for y in range(c[1], c[3])} for c in (one, other)]
    assert value == pytest.approx(len(cells[0] & cells[1]) / len(cells[0] | cells[1]))


def test_a_box_turned_inside_out_overlaps_nothing():
    assert iou(torch.tensor(CORNERS), torch.tensor([3.0, 1.0, 1.0, 0.0])).item() == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.sampled_from([1e-4, 0.05, 1.0]))
@settings(max_examples=100, deadline=None)
def test_the_smooth_maximum_is_at_most_the_maximum_and_tends_to_it(values, temperature):
    tensor = torch.tensor(values, dtype=torch.float64)
    got = smooth_maximum(tensor, temperature).item()
    assert -1e-12 <= got <= max(values) + 1e-12
    assert got >= max(values) - temperature * len(values)
    assert smooth_maximum(torch.cat([tensor, tensor.new_zeros(9)]), temperature).item() == pytest.approx(got, abs=1e-12)
    assert smooth_maximum(tensor[:1], temperature).item() == pytest.approx(values[0], abs=1e-12)


def test_what_is_not_a_number_is_not_hidden():
    assert smooth_maximum(torch.tensor([0.5, float("nan")]), 0.05).isnan()


def test_explained_detection():
    """One box that is the one asked for, with the score σ(w·x): A_i = w_i x_i (σ(w·x) − ½) / (w·x)."""
    weight = torch.tensor([1.0, -2.0], dtype=torch.float64)
    x = torch.tensor([[1.0, 2.0], [3.0, 0.5]], dtype=torch.float64)

    def detector(x):
        score = torch.sigmoid(x @ weight)
        box = torch.tensor([CORNERS], dtype=x.dtype)
        return [{"boxes": box, "scores": s[None], "labels": torch.tensor([3])} for s in score]

    a = gl.explain(detector, x, Box(CORNERS, 3), steps=12, rule=gl.rules.GaussLegendre)
    along = (x @ weight)[:, None]
    torch.testing.assert_close(a.values, weight * x * (torch.sigmoid(along) - 0.5) / along, rtol=1e-6, atol=1e-9)
    assert a.explained == ("label 3 in the box (0, 0, 4, 2)",) * 2
