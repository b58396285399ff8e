"""`hf:`: tiny networks of several families in a folder, against the image processor of the family itself."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import gradline as gl
from gradline.adapters.models import Channels, Preprocessing, image_model
from gradline.adapters.photo import read_photo

transformers = pytest.importorskip("transformers", minversion="5")

LABELS = {"id2label": {0: "tabby, tabby cat", 1: "dog", 2: "espresso"}, "num_labels": 3}
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
VIT = ("ViT", {**SMALL, "image_size": 32, "patch_size": 8})
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
EFFICIENT = ("EfficientNet", {"width_coefficient": 0.1, "depth_coefficient": 0.1, "image_size": 32, "hidden_dim": 128})

FAMILIES = {  # the network, and its preprocessor_config.json; the first two as they lie on the hub from early days
    "vit": (*VIT, {"feature_extractor_type": "ViTFeatureExtractor", "size": 32, **HALF}),
    "resnet": (
        "ResNet",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
        {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 64, "crop_pct": 0.875, "resample": 3},
    ),
    "deit": (
        "DeiT",
        {**SMALL, "image_size": 32, "patch_size": 8},
        {"image_processor_type": "DeiTImageProcessor", "size": {"height": 36, "width": 40}, "crop_size": 32},
    ),
    "convnext": (
        "ConvNext",
        {"hidden_sizes": [4, 4, 8, 8], "depths": [1] * 4},
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
    ),
    "swin": (
        "Swin",
        {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4},
        {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "resample": 3},
    ),
    "mobilenet": (
        "MobileNetV2",
        {"depth_multiplier": 0.1},
        {"image_processor_type": "MobileNetV2ImageProcessor", "size": {"shortest_edge": 41}, "crop_size": 32},
    ),
    "mobilevit": (
        "MobileViT",
        {
            "hidden_sizes": [12, 16, 20],
            "neck_hidden_sizes": [4, 4, 8, 8, 8, 8, 16],
            "num_attention_heads": 2,
            "image_size": 32,
        },
        {"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 36}, "crop_size": 32},
    ),
    "levit": (
        "Levit",
        {
            "image_size": 64,
            "hidden_sizes": [16, 24, 32],
            "num_attention_heads": [1] * 3,
            "depths": [1] * 3,
            "key_dim": [4] * 3,
        },
        {"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 64}, "crop_size": 64},
    ),
    "poolformer": (
        "PoolFormer",
        {"hidden_sizes": [4, 4, 8, 8], "depths": [1] * 4},
        {"image_processor_type": "PoolFormerImageProcessor", "size": {"shortest_edge": 64}, "crop_size": 64},
    ),
    "efficientnet": (
        *EFFICIENT,
        {
            "image_processor_type": "EfficientNetImageProcessor",
            "size": {"height": 32, "width": 32},
            "resample": 0,
            "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.47853944, 0.4732864, 0.47434163],
        },
    ),
    "efficientnet with an offset": (
        *EFFICIENT,
        {
            "image_processor_type": "EfficientNetImageProcessor",
            "size": {"height": 32, "width": 32},
            "rescale_factor": 1 / 127.5,
            "rescale_offset": True,
            "do_normalize": False,
            "include_top": False,
        },
    ),
    "without scaling to one": (
        *VIT,
        {
            "image_processor_type": "ViTImageProcessor",
            "size": {"height": 32, "width": 32},
            "do_rescale": False,
            "image_mean": [100.0, 110.0, 120.0],
            "image_std": [50.0, 60.0, 70.0],
        },
    ),
    "grey": (
        "ViT",
        {**VIT[1], "num_channels": 1},
        {
            "image_processor_type": "ViTImageProcessor",
            "size": {"height": 32, "width": 32},
            "image_mean": [0.3],
            "image_std": [0.2],
        },
    ),
}


def save(folder, kind, settings, processor):
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**settings, **LABELS)
    getattr(transformers, f"{kind}ForImageClassification")(config).save_pretrained(folder)
    if processor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return f"hf:{folder}"


@pytest.fixture(autouse=True)
def quiet():
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


@pytest.mark.parametrize("family", FAMILIES)
def test_x_is_what_the_family_itself_makes_of_a_photo(tmp_path, family):
    name = save(tmp_path, *FAMILIES[family])
    case = gl.image_case(gl.demo_photo(), name)
    own = transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    grey = case.model.preprocessing.channels == Channels.GREY
    for photo in (read_photo(gl.demo_photo()), Image.fromarray(np.asarray(read_photo(gl.demo_photo())).swapaxes(0, 1))):
        theirs = own(photo.convert("L") if grey else photo, return_tensors="pt")["pixel_values"]
        torch.testing.assert_close(gl.image_case(photo, case.model).x, theirs, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        logits = case.model.model(case.x).logits
    torch.testing.assert_close(case.probabilities(), torch.softmax(logits[0].double(), 0))
    assert case.model.classes == ("tabby, tabby cat", "dog", "espresso")
    back = case.pixels_of(case.x).astype(int)
    assert np.abs(back - case.shown).max() <= 1


def test_a_network_of_the_hub_is_explained_at_a_layer_by_its_own_names(tmp_path):
    name = save(tmp_path, *FAMILIES["vit"])
    a = gl.explain_image(gl.demo_photo(), model=name, target="Tabby Cat", tol=0.1)
    assert a.shown[0].title == "tabby"
    assert a.shown[0].model == name
    assert a.explained == ("logit of class 0",)
    case = gl.image_case(gl.demo_photo(), name)
    layers = [n for n, _ in case.model.model.named_modules() if n.endswith("layernorm_before")]
    inside = gl.explain(case.model.model, case.x, 0, site=gl.Layer(layers[0]), steps=2)
    assert inside.values.shape == (1, 17, 16)


def test_half_precision_on_disk_is_computed_in_single(tmp_path):
    torch.manual_seed(0)
    model = transformers.ViTForImageClassification(transformers.ViTConfig(**VIT[1], **LABELS)).half()
    model.save_pretrained(tmp_path)
    found = image_model(f"hf:{tmp_path}", preprocessing=Preprocessing(32, 32, (127.5,) * 3, (127.5,) * 3))
    assert found.like.dtype == torch.float32
    assert torch.equal(found.model.classifier.weight, model.classifier.weight.float())


@pytest.mark.parametrize(
    ("processor", "words"),
    [
        ({"image_processor_type": "TextNetImageProcessor"}, r"that gradline can repeat, got its own gives \(1, 3, 640"),
        (
            {"image_processor_type": "PerceiverImageProcessor", "size": {"height": 32, "width": 32}, "crop_size": 40},
            "that gradline can repeat",
        ),
        (
            {"image_processor_type": "ViTImageProcessor", "size": {"longest_edge": 32}},
            "height and width, or the shortest edge",
        ),
        (None, "a preprocessor_config.json in hf:.*, got none that can be read; say it"),
        ({}, None),
    ],
    ids=["rounded up", "crops first", "longest edge", "none", "empty"],
)
def test_a_preprocessing_that_cannot_be_repeated_is_refused_and_can_be_said(tmp_path, processor, words):
    name = save(tmp_path, *VIT, processor)
    if words is not None:
        with pytest.raises(gl.InputError, match=words):
            image_model(name)
    said = image_model(name, preprocessing=Preprocessing(32, 32, (127.5,) * 3, (127.5,) * 3))
    assert gl.image_case(gl.demo_photo(), said).x.shape == (1, 3, 32, 32)


def test_a_checkpoint_without_a_classifier_is_refused(tmp_path):
    """Its head would be drawn at random, and explained."""
    transformers.ViTModel(transformers.ViTConfig(**VIT[1])).save_pretrained(tmp_path)
    with pytest.raises(
        gl.ModelError, match=r"not a trained image classifier: .* no weights for classifier.bias, class"
    ):
        image_model(f"hf:{tmp_path}")


def test_folders_that_hold_no_classifier(tmp_path):
    with pytest.raises(gl.InputError, match=r"without a config.json"):
        image_model(f"hf:{tmp_path}")
    with pytest.raises(gl.InputError, match=r"hf:./folder, got './none', which is not there"):
        image_model("hf:./none")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(gl.InputError, match="an image classifier that transformers can load as hf:"):
        image_model(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(gl.InputError, match="a model in the folder"):
        image_model(f"hf:{tmp_path}")


def test_names_that_nobody_gave_are_none(tmp_path):
    transformers.ViTForImageClassification(transformers.ViTConfig(**VIT[1], num_labels=3)).save_pretrained(tmp_path)
    preprocessing = Preprocessing(32, 32, (127.5,) * 3, (127.5,) * 3)
    assert image_model(f"hf:{tmp_path}", preprocessing=preprocessing).classes == ()


def test_without_a_network_it_says_how_to_download_beforehand(tmp_path):
    """Really offline, in a fresh process with an empty cache."""
    code = """
import gradline as gl
try:
    gl.explain_image(gl.demo_photo(), model="hf:nobody/nothing")
except gl.ModelError as error:
    print(error)
"""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "cannot get hf:nobody/nothing" in done.stdout
    assert "hf download nobody/nothing --local-dir my-model) and give hf:./my-model" in done.stdout
