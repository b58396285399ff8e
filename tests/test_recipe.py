"""The Python that repeats an explanation, run as it is written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gradline as gl
from gradline.adapters.recipe import python_call

PLAIN = gl.models.Preprocessing(8, 8, (0.0,) * 3, (255.0,) * 3)


def test_defaults_are_left_out():
    assert python_call("cat.jpg") == "import gradline as gl\n\na = gl.explain_image('cat.jpg')"
    assert python_call(gl.demo_photo()).endswith("gl.explain_image(gl.demo_photo())")


def test_long_calls_get_a_line_an_argument():
    text = python_call(
        Path("cat.jpg"),
        model="efficientnet-lite1",
        target=gl.Probability(281),
        method=gl.methods.gradient(),
        baseline=gl.baselines.Blur(sigma=3),
        steps=7,
        rule=gl.rules.GaussLegendre,
        max_evaluations=64,
        memory="1GiB",
        seed=3,
    )
    assert text.splitlines()[2:] == [
        "a = gl.explain_image(",
        "    'cat.jpg',",
        "    model='efficientnet-lite1',",
        "    target=gl.Probability(281),",
        "    method=gl.methods.gradient(),",
        "    baseline=gl.baselines.Blur(sigma=3),",
        "    steps=7,",
        "    rule=gl.rules.GaussLegendre,",
        "    max_evaluations=64,",
        "    memory='1GiB',",
        "    seed=3,",
        ")",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (np.int64(5), "5"),
        ("tabby cat", "'tabby cat'"),
        (gl.Margin(1, 2), "gl.Margin(1, other=2)"),
        (gl.Predicted(gl.Probability), "gl.Predicted(kind=gl.Probability)"),
        (gl.Neuron(gl.Layer("features.3"), 4), "gl.Neuron(gl.Layer('features.3'), index=4)"),
        (gl.Element(0, 2, 3), "gl.Element(0, 2, 3)"),
    ],
    ids=str,
)
def test_targets(monkeypatch, value, text):
    line = python_call("a.jpg", target=value)
    assert line.endswith(f"target={text})")
    got = called(monkeypatch, line)["target"]
    assert got == value or repr(got) == repr(value)


def called(monkeypatch, line):
    """The arguments by name that `explain_image` gets from a recipe."""
    with monkeypatch.context() as patch:
        patch.setattr(gl, "explain_image", lambda photo, **given: given)
        made = {}
        exec(line, made)
    return made["a"]


@pytest.mark.parametrize(
    "part",
    [
        gl.baselines.Black(),
        gl.baselines.Blur(sigma=2.5),
        gl.baselines.Constant(0.5),
        gl.baselines.Each(gl.baselines.Black(), gl.baselines.White()),
        gl.baselines.PixelNoise(draws=3),
        gl.baselines.Black(gl.baselines.PixelSpace((0.0,), (1.0,))),
        gl.rules.Trapezoid(),
    ],
    ids=repr,
)
def test_parts_come_back_equal(monkeypatch, part):
    assert called(monkeypatch, python_call("a.jpg", baseline=part))["baseline"] == part


@pytest.mark.parametrize(
    "values",
    [
        {"photo": np.zeros((8, 8, 3), np.uint8)},
        {"photo": Image.new("RGB", (8, 8))},
        {"baseline": gl.baselines.Given(torch.zeros(1, 3, 8, 8))},
        {"baseline": torch.zeros(1, 3, 8, 8)},
        {"baseline": gl.baselines.FromData(torch.zeros(4, 3, 8, 8), draws=2)},
        {"target": lambda output: output[:, 0]},
        {"target": torch.tensor([3])},
        {"target": gl.Neuron(gl.Layer(torch.nn.ReLU()), 0)},
        {"method": gl.methods.integrated_gradients().starting_at(gl.baselines.White())},
        {"model": gl.models.ImageModel("mine", lambda x: x, PLAIN)},
        {"tol": float("nan")},
    ],
    ids=lambda values: next(iter(values)),
)
def test_what_cannot_be_written_is_not(values):
    assert python_call(**{"photo": "a.jpg", **values}) == ""


def test_methods_at_a_layer():
    text = python_call("a.jpg", method=gl.methods.conductance(gl.Layer("_blocks.4")).in_stages(4))
    assert text.endswith("method=gl.methods.conductance(gl.Layer('_blocks.4')))")


def test_the_text_repeats_the_attribution(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe_net.py").write_text(
        "import torch\n"
        "def make():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.GELU(), torch.nn.Flatten(), "
        "torch.nn.Linear(144, 3))\n"
    )
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 9, 3), dtype=np.uint8)).save("it's a photo.png")
    model = gl.models.image_model("recipe_net:make", preprocessing=PLAIN, classes=["red", "green", "blue"])
    a = gl.explain_image(
        "it's a photo.png",
        model=model,
        target=gl.Probability(2),
        baseline=gl.baselines.Each(gl.baselines.Blur(sigma=1), gl.baselines.PixelNoise(draws=2)),
        steps=3,
        rule=gl.rules.Stratified,
        seed=4,
    )
    made = {}
    exec(a.shown[0].python, made)
    assert (
        "gl.models.image_model('recipe_net:make', preprocessing=gl.models.Preprocessing(8, crop=8" in a.shown[0].python
    )
    assert torch.equal(made["a"].values, a.values)
    assert made["a"].shown[0].title == a.shown[0].title == "blue"


def test_the_demo_repeats_itself():
    a = gl.explain_image(gl.demo_photo(), target="espresso", steps=2)
    made = {}
    exec(a.shown[0].python, made)
    assert torch.equal(made["a"].values, a.values)
