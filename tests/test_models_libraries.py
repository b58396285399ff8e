"""`torchvision:` and `timm:`, against stand-ins with the interface that the libraries document, and the real ones where
they import (a torchvision built for another torch does not)."""

import importlib
import math
import sys
from enum import Enum
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import gradline as gl
from gradline.adapters.models import image_model
from gradline.adapters.models.built_in import imagenet_classes

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PHOTO = np.random.default_rng(0).integers(0, 256, (70, 91, 3), dtype=np.uint8)


class InterpolationMode(Enum):
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


class ImageClassification:
    """torchvision's preset: resize, centre crop, to [0, 1], normalise."""

    def __init__(self, crop, resize, interpolation=InterpolationMode.BILINEAR, off=0):
        self.crop_size, self.resize_size, self.interpolation, self.off = [crop], [resize], interpolation, off
        self.mean, self.std = list(MEAN), list(STD)

    def __call__(self, picture):
        side, crop = self.resize_size[0], self.crop_size[0]
        longer = int(side * max(picture.size) / min(picture.size))
        size = (longer, side) if picture.width > picture.height else (side, longer)
        picture = picture.resize(size, Image.Resampling[self.interpolation.name])
        left, top = (int(round((length - crop) / 2.0)) + self.off for length in picture.size)  # noqa: RUF046
        picture = picture.crop((left, top, left + crop, top + crop))
        x = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
        return (x - torch.tensor(MEAN).reshape(3, 1, 1)) / torch.tensor(STD).reshape(3, 1, 1)


def net(side):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Flatten(), torch.nn.Linear(3 * side * side, 3))


@pytest.fixture
def torchvision(monkeypatch):
    """A stand-in for torchvision.models, with one network whose transforms the test may replace."""
    weights = SimpleNamespace(
        transforms=lambda: models.own,
        meta={"categories": ["tabby", "dog", "espresso"]},
        url="https://example.org/a.pth",
    )
    models = ModuleType("torchvision.models")
    models.own = ImageClassification(32, 37)
    models.list_models = lambda module=None: ["resnet18", "resnet50", "vit_b_16"] if module is models else ["fcn"]
    models.get_model_weights = lambda name: SimpleNamespace(DEFAULT=weights)
    models.get_model = lambda name, weights: net(32)
    package = ModuleType("torchvision")
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    return models


def test_torchvision_by_its_own_transforms(torchvision):
    case = gl.image_case(PHOTO, image_model("torchvision:resnet18"))
    torch.testing.assert_close(case.x[0], torchvision.own(Image.fromarray(PHOTO)), atol=1e-6, rtol=1e-5)
    assert case.model.classes == ("tabby", "dog", "espresso")
    assert not case.model.model.training
    a = gl.explain_image(gl.demo_photo(), model="torchvision:resnet18", target="dog", steps=1)
    assert a.shown[0].python.endswith("model='torchvision:resnet18', target='dog', steps=1)")


def test_torchvision_with_another_filter(torchvision):
    torchvision.own = ImageClassification(32, 32, InterpolationMode.BICUBIC)
    case = gl.image_case(PHOTO, image_model("torchvision:resnet50"))
    torch.testing.assert_close(case.x[0], torchvision.own(Image.fromarray(PHOTO)), atol=1e-6, rtol=1e-5)


def test_torchvision_names_come_with_the_nearest(torchvision):
    with pytest.raises(gl.InputError, match="a classifier of torchvision, such as resnet50, resnet18, got 'resnet5O'"):
        image_model("torchvision:resnet5O")


def test_transforms_that_do_something_else_are_refused(torchvision):
    torchvision.own = ImageClassification(32, 37, off=1)
    with pytest.raises(gl.InputError, match=r"a preprocessing of torchvision:resnet18 .*values differ by up to"):
        image_model("torchvision:resnet18")
    torchvision.own = lambda picture: picture
    with pytest.raises(gl.InputError, match="ImageClassification as the transforms of torchvision:resnet18, got func"):
        image_model("torchvision:resnet18")


def test_without_a_network_it_says_what_to_copy(torchvision):
    def fail(name, weights):
        raise OSError("<urlopen error [Errno -2] Name or service not known>")

    torchvision.get_model = fail
    with pytest.raises(gl.ModelError, match=r"cannot get the weights of torchvision:resnet18: .*example.org/a.pth"):
        image_model("torchvision:resnet18")


@pytest.fixture
def timm(monkeypatch):
    """A stand-in for timm, with one network whose configuration the test may change."""
    module = ModuleType("timm")
    module.config = {
        "input_size": (3, 32, 32),
        "interpolation": "bicubic",
        "mean": MEAN,
        "std": STD,
        "crop_pct": 0.875,
        "crop_mode": "center",
    }
    module.cfg = {"tag": "a1_in1k", "num_classes": 1000}
    module.num_classes = 3

    def create_model(name, pretrained):
        assert pretrained
        made = net(32)
        made.pretrained_cfg, made.num_classes = module.cfg, module.num_classes
        return made

    def create_transform(input_size, interpolation, mean, std, crop_pct, crop_mode, is_training):
        assert not is_training
        side = math.floor(input_size[1] / crop_pct)
        return ImageClassification(input_size[1], side, InterpolationMode(interpolation))

    module.create_model = create_model
    module.is_model = lambda name: name in ("resnet18", "resnet50", "bare")
    module.is_model_pretrained = lambda name: name != "bare"
    module.list_models = lambda: ["resnet18", "resnet50", "bare"]
    module.data = SimpleNamespace(
        resolve_model_data_config=lambda model: dict(module.config), create_transform=create_transform
    )
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


def test_timm_by_its_own_configuration(timm):
    found = image_model("timm:resnet18")
    assert found.preprocessing.resize == 36, "32 / 0.875 = 36.57, rounded down"
    own = timm.data.create_transform(**timm.config, is_training=False)
    torch.testing.assert_close(gl.image_case(PHOTO, found).x[0], own(Image.fromarray(PHOTO)), atol=1e-6, rtol=1e-5)
    assert found.classes == imagenet_classes()
    timm.cfg = {"label_names": ["a", "b", "c"]}
    assert image_model("timm:resnet18").classes == ("a", "b", "c")
    timm.cfg = {"tag": "in22k", "num_classes": 21841}
    assert image_model("timm:local-dir:somewhere").classes == ()


def test_timm_refusals(timm):
    with pytest.raises(gl.InputError, match="a classifier of timm, such as resnet50, resnet18, got 'resnet5O'"):
        image_model("timm:resnet5O")
    with pytest.raises(gl.InputError, match="a model of timm with pretrained weights"):
        image_model("timm:bare")
    timm.num_classes = 0
    with pytest.raises(gl.InputError, match="a classifier of timm, got 'resnet18', which gives features"):
        image_model("timm:resnet18")
    timm.num_classes, timm.config["crop_mode"] = 3, "border"
    with pytest.raises(gl.InputError, match="a crop mode of timm:resnet18 that gradline knows, got 'border'"):
        image_model("timm:resnet18")
    timm.config["crop_mode"], timm.config["input_size"] = "center", (1, 32, 32)
    with pytest.raises(gl.InputError, match="three channels"):
        image_model("timm:resnet18")


@pytest.mark.parametrize("kind", ["torchvision", "timm"])
def test_a_library_that_is_missing_or_broken_says_what_to_do(kind, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, kind, raising=False)
    monkeypatch.delitem(sys.modules, f"{kind}.models", raising=False)
    if importlib.util.find_spec(kind) is None:
        with pytest.raises(gl.MissingExtra, match=rf"a model of {kind} needs .* pip install 'gradline\[{kind}\]'"):
            image_model(f"{kind}:resnet18")
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(gl.ModelError, match=rf"{kind} is installed, but does not import beside torch .*nms does not"):
        image_model(f"{kind}:resnet18")


def real(name):
    """The real library, or the reason why not."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        pytest.skip(f"{name} does not import here: {type(error).__name__}: {str(error)[:60]}")


def test_every_classifier_of_the_real_torchvision_is_prepared_as_it_says():
    models = real("torchvision.models")
    from gradline.adapters.models.agreement import check_agreement
    from gradline.adapters.models.torchvision import _preprocessing

    for name in models.list_models(module=models):
        own = models.get_model_weights(name).DEFAULT.transforms()
        check_agreement(_preprocessing(own, name), lambda picture, own=own: own(picture).unsqueeze(0), name)


def test_the_real_timm_is_prepared_as_it_says():
    timm = real("timm")
    from gradline.adapters.models.agreement import check_agreement
    from gradline.adapters.models.timm import _preprocessing

    for name in ("resnet50.a1_in1k", "vit_base_patch16_224.augreg_in1k", "convnext_tiny.fb_in1k"):
        config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
        own = timm.data.create_transform(**config, is_training=False)
        check_agreement(_preprocessing(config, name), lambda picture, own=own: own(picture).unsqueeze(0), name)
