"""What a model sees of a photo: sizes, filters, channels, units, and back."""

import numpy as np
import pytest
import torch
from PIL import Image

import gradline as gl
from gradline.adapters.models import Channels, Preprocessing, Resample, Rounding

ZERO, ONE = (0.0,) * 3, (1.0,) * 3


def noise(height, width):
    return Image.fromarray(np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8))


def two_steps(photo, resize, crop, resample):
    """The usual pipeline in plain Pillow: the whole photo scaled, then cut."""
    width, height = photo.size
    if isinstance(resize, int):
        longer = int(resize * max(photo.size) / min(photo.size))
        width, height = (longer, resize) if width > height else (resize, longer)
    elif resize is not None:
        height, width = resize
    scaled = photo.resize((width, height), resample)
    if crop is None:
        return scaled
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    return scaled.crop((left, top, left + crop, top + crop))


@pytest.mark.parametrize("resample", Resample)
@pytest.mark.parametrize("resize", [40, 73, (51, 60), None])
@pytest.mark.parametrize("crop", [32, None])
@pytest.mark.parametrize("size", [(91, 120), (120, 91), (77, 77)])
def test_pictures_are_those_of_the_two_usual_steps(resample, resize, crop, size):
    photo = noise(*size)
    seen = Preprocessing(resize, crop, ZERO, ONE, resample).picture(photo)
    expected = two_steps(photo, resize, crop, Image.Resampling[resample.name])
    assert np.array_equal(np.asarray(seen), np.asarray(expected))


def test_half_a_pixel_at_the_crop():
    """Ten columns around seven leave three: half of it is 1.5, which goes to 2 or is rounded down to 1; five leave
    half of it 2.5, which goes to 2 both times."""
    array = np.zeros((10, 10, 3), np.uint8)
    array[..., 0] = np.arange(10)[None]
    for side, rounding, first in ((7, Rounding.EVEN, 2), (7, Rounding.DOWN, 1), (5, Rounding.EVEN, 2)):
        picture = Preprocessing(None, side, ZERO, ONE, rounding=rounding).picture(Image.fromarray(array))
        assert np.asarray(picture)[0, :, 0].tolist() == list(range(first, first + side)), (side, rounding)


@pytest.mark.parametrize(("rounding", "first"), [(Rounding.EVEN, 2), (Rounding.DOWN, 3)])
def test_a_photo_smaller_than_the_crop_is_framed_in_black(rounding, first):
    """Five columns too few: two and three on either side, the greater half first where both are rounded down."""
    white = Image.new("RGB", (3, 12), "white")
    seen = np.asarray(Preprocessing(None, 8, ZERO, ONE, rounding=rounding).picture(white))
    assert seen.shape == (8, 8, 3)
    assert (seen[:, first : first + 3] == 255).all()
    assert seen.sum() == 8 * 3 * 3 * 255


def test_a_strip_costs_nothing_and_shows_its_middle():
    strip = np.zeros((2, 6000, 3), np.uint8)
    strip[:, 2990:3010] = (200, 100, 50)
    for rounding in Rounding:
        seen = Preprocessing(256, 224, ZERO, ONE, rounding=rounding).picture(Image.fromarray(strip))
        assert (np.asarray(seen) == (200, 100, 50)).all()
    with pytest.raises(gl.InputError, match=r"at most 100 megapixels, got 768000 × 256"):
        Preprocessing(256, None, ZERO, ONE).picture(Image.fromarray(strip))


def test_a_strip_that_is_framed_too():
    strip = Image.new("RGB", (6000, 2), "white")
    seen = np.asarray(Preprocessing(200, 224, ZERO, ONE).picture(strip))
    assert (seen[12:212] == 255).all()
    assert seen.sum() == 200 * 224 * 3 * 255


def test_units_are_those_of_mean_and_std():
    """(v − mean) / std: black, white and a colour, by hand."""
    p = Preprocessing(None, None, (10.0, 20.0, 30.0), (2.0, 4.0, 5.0))
    x = p.units(Image.new("RGB", (1, 1), (12, 40, 255)))
    assert x.flatten().tolist() == [1.0, 5.0, 45.0]
    assert x.shape == (1, 3, 1, 1)
    assert p.pixels == gl.baselines.PixelSpace((-5.0, -5.0, -6.0), (122.5, 58.75, 45.0))


@pytest.mark.parametrize("channels", Channels)
def test_what_the_model_sees_can_be_shown(channels):
    count = 1 if channels == Channels.GREY else 3
    p = Preprocessing(None, None, (123.5, 99.5, 7.5)[:count], (58.0, 3.0, 255.0)[:count], channels=channels)
    photo = noise(6, 5)
    picture = p.picture(photo)
    x = p.units(picture)
    assert x.shape == (1, count, 6, 5)
    assert np.array_equal(p.shown(x), np.asarray(picture.convert("RGB")))
    assert np.array_equal(p.shown(x.half()), np.asarray(picture.convert("RGB")))
    assert (p.shown(x * 1e6) % 255 == 0).all(), "beyond black and white is clipped"


def test_blue_comes_first_if_the_model_wants_it():
    red = Image.new("RGB", (1, 1), (200, 0, 50))
    p = Preprocessing(None, None, (1.0, 2.0, 3.0), ONE, channels=Channels.BGR)
    assert p.units(red).flatten().tolist() == [49.0, -2.0, 197.0]


def test_grey_is_luma():
    p = Preprocessing(None, None, (0.0,), (1.0,), channels=Channels.GREY)
    x = p.units(p.picture(Image.new("RGB", (1, 1), (100, 200, 50))))
    assert x.item() == pytest.approx(29.9 + 117.4 + 5.7, abs=0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 224, ZERO, ONE), "resize as pixels"),
        ((256.0, 224, ZERO, ONE), "resize as pixels"),
        ((True, 224, ZERO, ONE), "resize as pixels"),
        ((256, (1, 2, 3), ZERO, ONE), "crop as pixels"),
        ((256, 224, (0.0,), ONE), "mean as 3 finite numbers"),
        ((256, 224, ZERO, (1.0, float("nan"), 1.0)), "std as 3 finite numbers"),
        ((256, 224, ZERO, (1.0, 0.0, 1.0)), "std other than 0"),
        ((256, 224, [0.0] * 3, ONE), "mean as 3 finite numbers"),
        ((256, 224, ZERO, ONE, "sharp"), "Resample"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(gl.InputError, match=words):
        Preprocessing(*arguments)


def test_x_follows_the_model():
    net = torch.nn.Conv2d(3, 2, 8).double()
    model = gl.models.ImageModel("double", net, Preprocessing(8, 8, ZERO, ONE))
    assert gl.image_case(np.zeros((9, 9, 3), np.uint8), model).x.dtype == torch.float64
    assert model.like.device.type == "cpu"
    bare = gl.models.ImageModel("bare", lambda x: x, Preprocessing(8, 8, ZERO, ONE))
    assert bare.like.dtype == torch.float32
