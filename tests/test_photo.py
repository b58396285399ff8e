"""Photos as people have them, and one explained from the file to the map."""

import gc
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

import gradline as gl
from gradline.adapters.models import Preprocessing, image_model
from gradline.adapters.photo import MOST_PIXELS, read_photo

COFFEE = Path(skimage.data.__file__).parent / "coffee.png"
ESPRESSO = 967


def noise(height, width, channels=3):
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype=np.uint8)


def square(photo):
    return np.asarray(image_model("efficientnet-lite0").preprocessing.picture(read_photo(photo)))


def pixels(photo):
    image = read_photo(photo)
    assert image.mode == "RGB"
    return np.asarray(image)


# ------------------------------------------------------------------------------------------------ files that are none


def png(width, height):
    """A tiny file whose header claims a size."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def encoded(form, array=None, **options):
    file = io.BytesIO()
    Image.fromarray(noise(64, 96) if array is None else array).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "a readable photo", id="empty"),
        pytest.param(b"Dear Sir or Madam, ...", "a readable photo", id="text"),
        pytest.param(bytes(range(256)) * 40, "a readable photo", id="garbage"),
        pytest.param(encoded("JPEG")[:1500], "truncated", id="truncated-jpeg"),
        pytest.param(encoded("JPEG")[:100], "a readable photo", id="jpeg-header"),
        pytest.param(encoded("PNG")[:2000], "truncated", id="truncated-png"),
        pytest.param(encoded("GIF")[:60], "a readable photo", id="truncated-gif"),
        pytest.param(encoded("WEBP")[:200], "a readable photo", id="truncated-webp"),
        pytest.param(encoded("AVIF").replace(b"iloc", b"free"), "a readable photo", id="damaged-avif"),
        pytest.param(encoded("TIFF")[:1000], "a readable photo", id="truncated-tiff"),
        pytest.param(png(60_000, 60_000), "at most 100 megapixels", id="bomb"),
        pytest.param(png(12_000, 12_000), "at most 100 megapixels.*12000 × 12000.*scale it down", id="large"),
        pytest.param(png(0, 10), "a readable photo", id="no-width"),
    ],
)
def test_a_file_that_is_no_photo_is_refused_by_name_and_closed(tmp_path, content, words):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        with pytest.raises(gl.InputError, match=f"(?s)expected .*{words}") as caught:
            read_photo(path)
        message = str(caught.value)
        del caught
        gc.collect()
    assert "holiday.jpg" in message
    assert [str(w.message) for w in noticed if w.category is ResourceWarning] == []


def test_the_limit_is_on_what_the_header_claims_before_anything_is_decoded(tmp_path):
    assert MOST_PIXELS == 100e6
    (tmp_path / "a.png").write_bytes(png(10_000, 10_000))
    with pytest.raises(gl.InputError, match="truncated"):
        read_photo(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(png(10_000, 10_001))
    with pytest.raises(gl.InputError, match="megapixels"):
        read_photo(tmp_path / "a.png")


@pytest.mark.parametrize(
    "name", ["none.jpg", "none/none.jpg", "", "x" * 400, "https://example.org/cat.jpg", "nul\0byte"]
)
def test_a_path_to_nothing_is_refused(tmp_path, name):
    with pytest.raises(gl.InputError, match="a photo file"):
        read_photo(str(tmp_path / name) if name != "nul\0byte" else name)


@pytest.mark.parametrize("photo", [b"bytes", None, 5, ["a.jpg"], torch.zeros(3, 8, 8)], ids=lambda p: type(p).__name__)
def test_what_is_no_photo_is_refused(photo):
    with pytest.raises(gl.InputError, match="a path, a PIL image or a uint8 array"):
        read_photo(photo)


def test_an_opened_photo_that_turns_out_truncated_is_refused():
    photo = Image.open(io.BytesIO(encoded("JPEG")[:1500]))
    with pytest.raises(gl.InputError, match="readable photo"):
        read_photo(photo)


@pytest.mark.parametrize(
    "array",
    [
        noise(8, 8).astype(np.float32),
        noise(8, 8).astype(np.int64),
        noise(8, 8) > 3,
        noise(8, 8, 2),
        noise(8, 8, 1),
        noise(8, 8, 5),
        noise(3, 8, 8),
        noise(8, 8)[None],
        noise(8, 8)[0, 0],
        noise(0, 8),
        np.array(7, dtype=np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_of_another_kind_is_refused(array):
    with pytest.raises(
        gl.InputError, match=r"\(H, W\), \(H, W, 3\) or \(H, W, 4\) of uint8, got .*" + str(array.dtype)
    ):
        read_photo(array)


# ------------------------------------------------------------------------------------------------ every kind of pixel


def test_colour_stays_as_it_is_however_it_comes(tmp_path):
    array = noise(20, 30)
    Image.fromarray(array).save(tmp_path / "a.png")
    for photo in (array, Image.fromarray(array), tmp_path / "a.png", str(tmp_path / "a.png"), array[::1, ::1]):
        assert np.array_equal(pixels(photo), array)
    assert np.array_equal(pixels(array[:, ::-1]), array[:, ::-1]), "not contiguous"


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = noise(20, 30)[..., 0]
    Image.fromarray(grey).save(tmp_path / "a.png")
    for photo in (grey, tmp_path / "a.png", Image.fromarray(grey)):
        assert np.array_equal(pixels(photo), np.repeat(grey[..., None], 3, 2))


def test_sixteen_bit_grey_is_scaled_not_cut(tmp_path):
    wide = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
    Image.fromarray(wide).save(tmp_path / "a.png")
    Image.fromarray(wide).save(tmp_path / "a.tif")
    for photo in (tmp_path / "a.png", tmp_path / "a.tif"):
        for channel in np.moveaxis(pixels(photo), 2, 0):
            assert np.abs(channel - wide / 257).max() <= 0.5


def test_black_and_white_pixels(tmp_path):
    bits = noise(20, 30)[..., 0] > 100
    Image.fromarray(bits).save(tmp_path / "a.png")
    assert np.array_equal(pixels(tmp_path / "a.png")[..., 1], bits * np.uint8(255))


def test_transparency_is_laid_over_white(tmp_path):
    """A share α of the colour and 1 − α of white, whatever colour hides where nothing is seen."""
    array = noise(20, 30, 4)
    array[0, 0], array[0, 1] = (10, 20, 30, 0), (10, 20, 30, 255)
    Image.fromarray(array).save(tmp_path / "a.png")
    share = array[..., 3:] / 255
    expected = array[..., :3] * share + 255 * (1 - share)
    for photo in (array, tmp_path / "a.png"):
        assert np.abs(pixels(photo) - expected).max() <= 1
        assert pixels(photo)[0, 0].tolist() == [255, 255, 255]
        assert pixels(photo)[0, 1].tolist() == [10, 20, 30]


def test_grey_with_transparency_is_laid_over_white(tmp_path):
    Image.fromarray(np.array([[[0, 255], [0, 0], [100, 255]]], dtype=np.uint8), "LA").save(tmp_path / "a.png")
    assert pixels(tmp_path / "a.png")[0, :, 0].tolist() == [0, 255, 100]


def test_a_palette_with_a_transparent_colour(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "clear.png", transparency=1)
    image.save(tmp_path / "clear.gif", transparency=1)
    assert pixels(tmp_path / "plain.png")[0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    for name in ("clear.png", "clear.gif"):
        assert pixels(tmp_path / name)[0].tolist() == [[255, 0, 0], [255, 255, 255], [0, 0, 255]]


def test_ink_becomes_light(tmp_path):
    for ink, light in (((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 255), (0, 0, 0)), ((0, 0, 0, 0), (255, 255, 255))):
        Image.new("CMYK", (16, 16), ink).save(tmp_path / "a.jpg", quality=95)
        assert np.abs(pixels(tmp_path / "a.jpg").astype(int) - light).max() <= 3


ORIENTED = {  # which sides of the upright picture the stored row 0 and column 0 are (EXIF 2.3, tag 0x0112)
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}


@pytest.mark.parametrize("orientation", ORIENTED)
def test_a_photo_taken_sideways_is_upright(tmp_path, orientation):
    upright = noise(20, 30)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(ORIENTED[orientation](upright)))
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(pixels(tmp_path / "a.png"), upright)
    with Image.open(tmp_path / "a.png") as opened:
        assert np.array_equal(pixels(opened), upright)
        assert opened.size == stored.size, "the caller's own image is left as it was"


def test_damaged_exif_does_no_harm(tmp_path):
    """One byte wrong: a resolution that calls itself a list of further directories. The pixels are fine."""
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 300.0
    content = encoded("JPEG", noise(20, 30), exif=exif, quality=100)
    (tmp_path / "a.jpg").write_bytes(content.replace(b"\x01\x1a\x00\x05", b"\x01\x4a\x00\x05", 1))
    assert pixels(tmp_path / "a.jpg").shape == (30, 20, 3)


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    frames = [Image.new("RGB", (12, 8), colour) for colour in ("red", "blue", "lime")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50)
    assert (pixels(tmp_path / "a.gif") == (255, 0, 0)).all()
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert (pixels(tmp_path / "a.webp") == (255, 0, 0)).all()


# ------------------------------------------------------------------------------------------------ the square


@pytest.mark.parametrize("size", [(256, 256), (256, 300), (256, 301), (300, 256), (777, 256)])
def test_at_scale_one_the_square_is_copied(size):
    array = noise(*size)
    top, left = (size[0] - 224) // 2, (size[1] - 224) // 2
    assert np.array_equal(square(array), array[top : top + 224, left : left + 224])


def test_the_square_is_the_middle_of_the_photo():
    """Seen after halving: left half black, right half white, a band of grey at most two pixels wide between them."""
    array = np.zeros((512, 700, 3), dtype=np.uint8)
    array[:, 350:] = 255
    seen = square(array)
    assert (seen[:, :110] == 0).all()
    assert (seen[:, 114:] == 255).all()


@pytest.mark.parametrize("size", [(2, 6000), (6000, 2), (1, 1), (3, 5), (1, 6000), (3000, 3000)])
def test_strange_sizes_give_the_same_square(size):
    """A plain photo stays plain; only the square is resampled, or 6000 × 2 would become 768000 × 256 on the way."""
    seen = square(np.full((*size, 3), 90, dtype=np.uint8))
    assert seen.shape == (224, 224, 3)
    assert (seen == 90).all()


def test_the_square_of_a_strip_shows_its_middle():
    strip = np.zeros((2, 6000, 3), dtype=np.uint8)
    strip[:, 2990:3010] = (200, 100, 50)
    assert (square(strip) == (200, 100, 50)).all()


# ------------------------------------------------------------------------------------------------ explained


def test_a_case_is_what_the_model_sees():
    case = gl.image_case(COFFEE)
    assert case.name == "coffee.png"
    assert case.shown.shape == (224, 224, 3)
    assert case.shown.dtype == np.uint8
    assert case.x.shape == (1, 3, 224, 224)
    back = (case.x[0] * 128 + 127).permute(1, 2, 0).round().to(torch.uint8).numpy()
    assert np.array_equal(back, case.shown)
    probabilities = case.probabilities()
    assert probabilities.shape == (1000,)
    assert float(probabilities.sum()) == pytest.approx(1)
    assert case.model.classes[int(probabilities.argmax())] == "espresso"


def test_a_photo_is_explained_from_black(capfd):
    a = gl.explain_image(COFFEE, steps=4)
    assert a.values.shape == (1, 3, 224, 224)
    assert a.values.isfinite().all()
    assert a.provenance["target"] == f"logit of class {ESPRESSO}"
    assert a.names == ("coffee.png",)
    model = image_model("efficientnet-lite0").model
    with torch.no_grad():
        logits = model(gl.image_case(COFFEE).x)
        black = model(torch.full((1, 3, 224, 224), (0 - 127) / 128))
    assert float(torch.softmax(logits, 1)[0, ESPRESSO]) > 0.9
    torch.testing.assert_close(a.score, logits[:, ESPRESSO].double())
    torch.testing.assert_close(a.baseline_score, black[:, ESPRESSO].double(), rtol=1e-4, atol=1e-4)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == ""


def test_a_photo_is_explained_from_another_colour_and_another_model():
    class Colour(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    case = gl.image_case(COFFEE)
    plain = Preprocessing(40, 32, (0.0,) * 3, (255.0,) * 3)
    tiny = gl.models.ImageModel("colour", Colour().eval(), plain, ("red", "green", "blue"))
    a = gl.explain_image(COFFEE, model=tiny, target=1, baseline=gl.baselines.White(), steps=1)
    assert a.values.shape == (1, 3, 32, 32)
    torch.testing.assert_close(a.baseline_score, torch.ones(1, dtype=torch.float64))
    assert not a.values[:, [0, 2]].any()
    assert case.baseline().pixels == case.baseline(gl.baselines.White()).pixels


def test_wrong_calls_are_refused_in_words():
    small = noise(30, 30)
    with pytest.raises(gl.InputError, match=r"a model: efficientnet-lite0.*, got 'resnet'"):
        gl.explain_image(small, model="resnet")
    with pytest.raises(gl.InputError, match=r"a Method, .*call it"):
        gl.explain_image(small, method=gl.methods.gradient)
    with pytest.raises(gl.BaselineError, match=r"write Blur\(\.\.\.\)"):
        gl.explain_image(small, baseline=gl.baselines.Blur)
    with pytest.raises(gl.InputError, match="leave baseline= out"):
        gl.explain_image(small, method=gl.methods.gradient(), baseline=gl.baselines.Black())
    with pytest.raises(gl.TargetError, match="from 0 to 999, got 1000"):
        gl.explain_image(small, target=1000)
