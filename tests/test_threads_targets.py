"""What is explained: regions, boxes, images, horizons of a forecast, several outputs, numbers, indices."""

import pytest
import torch
from torch import nn

import gradline as gl

D = torch.float64


def reference(function, x, nodes=400):
    """The map from zero by a plain loop: midpoint sum of gradient ⊙ move."""
    total = torch.zeros_like(x)
    for k in range(nodes):
        point = ((k + 0.5) / nodes * x).detach().requires_grad_()
        total += torch.autograd.grad(function(point).sum(), point)[0] / nodes
    return (total * x).detach()


def error(values, exact):
    return float((values - exact).norm() / exact.norm())


def counted(model):
    """How many rows go through the model."""
    rows = []
    model.register_forward_hook(lambda m, args, out: rows.append(len(args[0])))
    return rows


# ---------------------------------------------------------------------------------------------------- images out


class Segmenter(nn.Module):
    """An image in, three classes a pixel out, and an auxiliary head beside it: the form of torchvision's models."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head, self.side = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 3, 1), nn.Conv2d(6, 3, 1)
        self.double()

    def forward(self, x):
        inner = torch.tanh(self.first(x))
        return {"out": self.head(inner), "aux": self.side(inner)}


IMAGES = torch.randn(2, 1, 6, 6, dtype=D, generator=torch.Generator().manual_seed(1))


def test_a_class_over_a_region_is_a_target_of_a_segmentation():
    model = Segmenter().eval()
    lesion = torch.zeros(6, 6, dtype=torch.bool)
    lesion[2:4, 1:5] = True
    a = gl.explain(model, IMAGES, gl.Entry("out", gl.Region(2, lesion)), tol=0.01)
    exact = reference(lambda x: model(x)["out"][:, 2, 2:4, 1:5].mean((1, 2)), IMAGES)
    assert error(a.values, exact) <= 0.01
    seen = nn.functional.max_pool2d(lesion[None].float(), 3, stride=1, padding=1)[0] > 0
    assert not a.values[:, :, ~seen].any()  # a 3 × 3 filter sees one pixel beyond the region
    assert a.explained[0].startswith("mean of class 2 over the given region (8 pixels)")


def test_without_a_mask_it_is_the_region_predicted_at_x_frozen_there():
    model = Segmenter().eval()
    with torch.no_grad():
        region = (model(IMAGES)["out"].argmax(1) == 1).double()
    a = gl.explain(model, IMAGES, gl.Entry("out", gl.Region(1)), tol=0.01)
    mean = reference(lambda x: (model(x)["out"][:, 1] * region).sum((1, 2)) / region.sum((1, 2)), IMAGES)
    assert error(a.values, mean) <= 0.01


def test_a_segmentation_with_an_integer_target_is_told_what_to_write():
    with pytest.raises(gl.TargetError, match=r"Element\(0, 0, 0\).*Region\(0\)"):
        gl.explain(lambda x: x.expand(-1, 3, -1, -1), IMAGES, 2)
    with pytest.raises(gl.TargetError, match=r"gl.targets.Entry\('out'"):
        gl.explain(Segmenter().eval(), IMAGES, 2)


def test_a_loss_or_a_patch_is_a_target_of_a_denoiser():
    """Image in, image out: what the error against the clean image owes to each pixel."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1)).double().eval()
    clean = torch.randn(2, 1, 6, 6, dtype=D)

    def loss(output, reference):
        return (output - reference).square().flatten(1).mean(1)

    a = gl.explain(model, IMAGES, gl.Loss(loss, clean), tol=0.01)
    assert error(a.values, reference(lambda x: loss(model(x), clean), IMAGES)) <= 0.01
    patch = torch.zeros(1, 6, 6)
    patch[:, 1:3, 1:3] = 1
    a = gl.explain(model, IMAGES, gl.Region(mask=patch), tol=0.01)
    assert error(a.values, reference(lambda x: model(x)[:, 0, 1:3, 1:3].mean((1, 2)), IMAGES)) <= 0.01


# ---------------------------------------------------------------------------------------------------- detectors

CORNERS = torch.tensor(
    [[0.0, 0.0, 2.0, 2.0], [3.0, 0.0, 5.0, 2.0], [0.0, 3.0, 2.0, 5.0], [3.0, 3.0, 5.0, 5.0]]
).double()


class Detector(nn.Module):
    """Four anchors on a 6 × 6 image, which see no pixel in common; corners shift a little, two labels each.

    `dense`: boxes and scores of all anchors; else a list of dicts, those above a threshold, as torchvision returns.
    """

    def __init__(self, *, dense):
        super().__init__()
        torch.manual_seed(3)
        self.shift, self.score, self.dense = nn.Conv2d(1, 4, 3, stride=3), nn.Conv2d(1, 2, 3, stride=3), dense
        self.double()

    def forward(self, images):
        boxes = CORNERS.double() + 0.2 * torch.tanh(self.shift(images)).flatten(2).transpose(1, 2)
        scores = torch.sigmoid(2 * self.score(images).flatten(2).transpose(1, 2))
        if self.dense:
            return {"boxes": boxes, "scores": scores}
        found = []
        for box, score in zip(boxes, scores, strict=True):
            best, label = score.max(1)
            keep = best > 0.01
            found.append({"boxes": box[keep], "scores": best[keep], "labels": label[keep]})
        return found


def quadrants(values):
    """The mass of a map in the four parts of the image that the anchors see."""
    return values.abs().reshape(-1, 2, 3, 2, 3).sum((2, 4)).reshape(-1, 4)


def test_one_box_of_a_detector_is_a_target_without_a_wrapper():
    """What the box asked for depends on is in the map, and nothing of the other objects."""
    model = Detector(dense=True).eval()
    target = gl.Box((3, 0, 5, 2), 1)
    a = gl.explain(model, IMAGES, target, tol=0.01)
    assert a.status == (gl.Status.CONVERGED,) * 2
    frozen = target.freeze(model(IMAGES), 2)
    assert error(a.values, reference(lambda x: frozen.pick(model(x), torch.arange(2)), IMAGES)) <= 0.01
    mass = quadrants(a.values)
    assert (mass[:, 1] > 0).all()
    assert not mass[:, [0, 2, 3]].any()


def test_detections_in_lists_of_dicts_are_matched_by_label_and_overlap():
    """For the first image the third anchor is asked for, for the second one the second, with the label each has."""
    dense, listed = Detector(dense=True).eval(), Detector(dense=False).eval()
    with torch.no_grad():
        labels = dense(IMAGES)["scores"].argmax(2)
    target = gl.Box(CORNERS[[2, 1]], torch.stack([labels[0, 2], labels[1, 1]]))
    a = gl.explain(listed, IMAGES, target, steps=40)
    with torch.no_grad():
        found = dense(IMAGES)["scores"].amax(2)
    assert (a.score > 0.3 * torch.stack([found[0, 2], found[1, 1]])).all()  # it overlaps well with what is there
    mass = quadrants(a.values)
    assert (mass > 0).tolist() == [[False, False, True, False], [False, True, False, False]]
    with pytest.raises(gl.TargetError, match=r"gl.targets.Box"):
        gl.explain(dense, IMAGES, 1)


def test_one_object_is_told_from_another_by_a_contrast():
    """Two boxes of one label: the difference has the one object's pixels up and the other's down, and nothing else."""
    model = Detector(dense=True).eval()
    one, other = gl.Box((3, 0, 5, 2), 1), gl.Box((0, 3, 2, 5), 1)
    contrast, first, second = gl.explain(model, IMAGES, [gl.Contrast(one, other), one, other], steps=20)
    torch.testing.assert_close(contrast.values, first.values - second.values)
    mass = quadrants(contrast.values)
    assert (mass[:, [1, 2]] > 0).all()
    assert not mass[:, [0, 3]].any()


# ---------------------------------------------------------------------------------------------------- many numbers


class Forecaster(nn.Module):
    """A week of three variables in, two days of them out."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.inner, self.out = nn.Linear(21, 8), nn.Linear(8, 6)
        self.double()

    def forward(self, past):
        return self.out(torch.tanh(self.inner(past.flatten(1)))).reshape(-1, 2, 3)


def test_horizons_and_variables_are_explained_in_one_call_that_shares_forwards():
    model, past = Forecaster().eval(), torch.randn(4, 7, 3, dtype=D)
    rows = counted(model)
    targets = [gl.Element(day, variable) for day in range(2) for variable in range(3)]
    found = gl.explain(model, past, targets, steps=10)
    shared = sum(rows)
    rows.clear()
    alone = gl.explain(model, past, targets[4], steps=10)
    assert shared == sum(rows) == 4 * 10 + 4 + 4 + 2  # nodes, both ends, the look at two rows together
    torch.testing.assert_close(found[4].values, alone.values)
    assert [a.explained[0] for a in found[:2]] == ["element (0, 0) of the output", "element (0, 1) of the output"]
    for a, target in zip(found, targets, strict=True):
        day, variable = target.index
        assert error(a.values, reference(lambda x, d=day, v=variable: model(x)[:, d, v], past)) <= 0.01


def test_each_example_may_have_a_horizon_of_its_own():
    model, past = Forecaster().eval(), torch.randn(3, 7, 3, dtype=D)
    own = gl.explain(model, past, gl.Element(torch.tensor([0, 1, 1]), 2), steps=6).values
    for row, day in enumerate((0, 1, 1)):
        one = gl.explain(model, past[row : row + 1], gl.Element(day, 2), steps=6).values
        torch.testing.assert_close(own[row : row + 1], one)


def test_several_regressed_numbers_cost_the_forwards_of_one():
    """To a tolerance every output has nodes of its own: forwards are shared as far as these agree."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 4)).double().eval()
    x, rows = torch.randn(5, 6, dtype=D), counted(model)
    together = gl.explain(model, x, [0, 1, 2, 3], tol=0.02)
    shared = sum(rows)
    rows.clear()
    apart = [gl.explain(model, x, k, tol=0.02) for k in range(4)]
    assert shared < 0.6 * sum(rows)
    for k, (a, b) in enumerate(zip(together, apart, strict=True)):
        torch.testing.assert_close(a.values, b.values)
        assert error(a.values, reference(lambda p, k=k: model(p)[:, k], x)) <= 0.02


@pytest.mark.parametrize("column", [True, False])
def test_regression_needs_no_target_and_says_what_was_explained(column):
    torch.manual_seed(6)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double().eval()
    x = torch.randn(3, 4, dtype=D)
    a = gl.explain(net if column else lambda p: net(p).squeeze(1), x, tol=0.01)
    assert error(a.values, reference(lambda p: net(p)[:, 0], x)) <= 0.01
    assert len(set(a.explained)) == 1
    assert a.explained[0] in repr(a)


# ---------------------------------------------------------------------------------------------------- indices out


class Caption(nn.Module):
    """Returns the words it chose, and their scores if asked."""

    def __init__(self, *, scores=False):
        super().__init__()
        torch.manual_seed(7)
        self.top, self.scores = nn.Linear(4, 5), scores

    def forward(self, x):
        logits = self.top(x)
        return {"ids": logits.argmax(1, keepdim=True), "logits": logits} if self.scores else logits.argmax(1)


def test_indices_without_a_gradient_are_explained_and_the_score_is_offered():
    x = torch.randn(2, 4)
    with pytest.raises(gl.ModelError, match=r"cut by Tensor.argmax.*output in front of the cut") as cut:
        gl.explain(Caption().eval(), x)
    assert "gl.Neuron" in str(cut.value)
    (found,) = gl.doctor(Caption().eval(), x).findings
    assert found.code == "GL104"
    assert "argmax" in found.detail
    assert gl.explain(Caption(scores=True).eval(), x, 3).values.any()
    at_layer = gl.explain(Caption().eval(), x, gl.Neuron("top", 3), steps=1)
    torch.testing.assert_close(at_layer.values, gl.explain(Caption(scores=True).eval(), x, 3, steps=1).values)
