"""A photo in front of models of all sorts: outputs, class names, numbers that are none."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import gradline as gl
from gradline.adapters.models import Channels, ImageModel, Preprocessing

PHOTO = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
PLAIN = Preprocessing(8, 8, (0.0,) * 3, (255.0,) * 3)


def model(forward, classes=(), preprocessing=PLAIN):
    return ImageModel("net", forward, preprocessing, classes)


def means(x):
    return x.mean((2, 3))


@pytest.mark.parametrize(
    "forward",
    [means, lambda x: SimpleNamespace(logits=means(x)), lambda x: {"logits": means(x)}, lambda x: (means(x), "more")],
    ids=["tensor", "attribute", "mapping", "tuple"],
)
def test_logits_wherever_they_are(forward):
    case = gl.image_case(PHOTO, model(forward, ("red", "green, lime", "blue")))
    expected = torch.softmax(case.x.mean((2, 3))[0].double(), 0)
    torch.testing.assert_close(case.probabilities(), expected)
    best = case.candidates(5)
    assert len(best) == 3
    assert best[0] == (case.title(None), float(expected.max()))
    a = gl.explain_image(PHOTO, model=model(forward, ("red", "green, lime", "blue")), target="lime", steps=1)
    torch.testing.assert_close(a.values.sum((1, 2, 3)).double(), case.x[:, 1].mean((1, 2)).double())
    assert a.shown[0].title == "green"


def test_one_column_is_a_sigmoid():
    case = gl.image_case(PHOTO, model(lambda x: means(x)[:, :1]))
    torch.testing.assert_close(case.probabilities(), torch.sigmoid(case.x[:, 0].mean().double())[None])
    assert case.candidates(5)[0][0] == "class 0"


def test_without_names_classes_are_numbers():
    case = gl.image_case(PHOTO, model(means))
    assert case.class_name(2) == "class 2"
    assert case.title(gl.Probability(1)) == "class 1"
    a = gl.explain_image(PHOTO, model=model(means), target="1", steps=1)
    assert a.explained == ("logit of class 1",)


def test_a_wrong_number_of_names_is_found_before_the_work():
    calls = []

    def forward(x):
        calls.append(len(x))
        return means(x)

    with pytest.raises(gl.InputError, match="expected 3 class names for net, one each output, got 2"):
        gl.explain_image(PHOTO, model=model(forward, ("red", "green")))
    assert calls == [1]


def test_nan_is_data_and_no_class():
    case = gl.image_case(PHOTO, model(lambda x: means(x) * float("nan")))
    assert case.probabilities().isnan().all()
    assert case.candidates(3) == ()
    assert case.title(None) == "predicted class"
    a = gl.explain_image(PHOTO, model=model(lambda x: means(x) * float("nan")), target=1, steps=2)
    assert a.status == (gl.Status.NONFINITE,)
    assert a.shown[0].candidates == ()


def test_what_is_no_classifier_says_so():
    segmentation = model(lambda x: x * 1)
    with pytest.raises(gl.TargetError, match=r"model output of shape \(1, classes\), got shape \(1, 3, 8, 8\)"):
        gl.explain_image(PHOTO, model=segmentation)
    assert gl.image_case(PHOTO, segmentation).candidates(3) == ()
    a = gl.explain_image(PHOTO, model=segmentation, target=gl.Element(0, 2, 3), steps=1)
    assert int((a.values != 0).sum()) == 1, "one pixel of it can be explained all the same"


def test_a_model_that_fails_is_named():
    with pytest.raises(gl.ModelError, match=r"net failed on x of shape \(1, 3, 8, 8\)"):
        gl.image_case(PHOTO, model(torch.nn.Linear(5, 2))).probabilities()


def test_a_model_in_training_mode_is_looked_at_in_evaluation_mode():
    net = torch.nn.Sequential(
        torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.5), torch.nn.Flatten(), torch.nn.Linear(192, 2)
    )
    before = {name: value.clone() for name, value in net.state_dict().items()}
    case = gl.image_case(PHOTO, model(net))
    with torch.no_grad():
        expected = torch.softmax(net.eval()(case.x).double(), 1)[0]
    torch.testing.assert_close(gl.image_case(PHOTO, model(net.train())).probabilities(), expected)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_a_grey_model():
    grey = Preprocessing(8, 8, (127.5,), (127.5,), channels=Channels.GREY)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    a = gl.explain_image(PHOTO, model=model(net, preprocessing=grey), target=0, baseline=gl.baselines.White(), steps=1)
    assert a.values.shape == (1, 1, 8, 8)
    assert a.shown[0].pixels.shape == (8, 8, 3)
    assert (a.shown[0].start == 255).all()
    assert a.shown[0].stages.shape == (16, 8, 8)


def test_a_model_without_preprocessing_is_refused_in_words():
    with pytest.raises(gl.InputError, match=r"a model by name, or a gl.models.ImageModel, got Linear"):
        gl.explain_image(PHOTO, model=torch.nn.Linear(3, 2))
    with pytest.raises(gl.InputError, match="classes as a tuple of names"):
        model(means, "red")
    with pytest.raises(gl.InputError, match="a gradline Preprocessing"):
        model(means, preprocessing=256)
    with pytest.raises(gl.TargetError, match="one target for a photo, got 2"):
        gl.explain_image(PHOTO, model=model(means), target=[0, 1])
