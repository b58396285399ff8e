"""Photos as people have them: a file, a PIL image or an array becomes upright RGB pixels."""

from __future__ import annotations

import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradline.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 100_000_000
"""Photos with more pixels are refused before they are decoded."""


def read_photo(photo: Any) -> Image:
    """An upright RGB image from a path, a `PIL.Image`, or an array `(H, W)`, `(H, W, 3)`, `(H, W, 4)` of uint8.

    The camera's EXIF rotation is applied, transparency is laid over white, grey becomes three equal channels, and of
    an animation the first frame is taken. Raises `InputError`.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("reading photos", "vision") from error
    match photo:
        case str() | Path():
            return _from_file(Path(photo))
        case Image.Image():
            return _decoded(photo, "the image")
        case np.ndarray():
            return _upright(_from_array(photo))
    raise InputError("a photo as a path, a PIL image or a uint8 array", type(photo).__name__)


def demo_photo() -> Path:
    """scikit-image's `coffee.png` (photo by Rachel Michetti, CC0), out of its installed wheel."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise MissingExtra("the demo photo", "vision")
    return Path(spec.origin).parent / "data" / "coffee.png"


def centre_crop(image: Image, resize: int, crop: int) -> Image:
    """Scale the shorter side to `resize` and cut the central `crop` square, in one bicubic step.

    Only the square is resampled, so a strange aspect ratio costs nothing; at scale 1 pixels are copied unchanged.
    """
    from PIL import Image

    scale = resize / min(image.size)
    left, top = (((length * scale - crop) // 2) / scale for length in image.size)
    side = crop / scale
    box = (left, top, min(left + side, image.width), min(top + side, image.height))
    return image.resize((crop, crop), Image.Resampling.BICUBIC, box=box)


def _from_file(path: Path) -> Image:
    from PIL import Image

    try:
        known = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        known = False
    if not known:
        raise InputError("a photo file", f"{str(path)[:200]!r}, which is not there")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is stricter in words
        try:
            image = Image.open(path)
        except Exception as error:
            raise _unreadable(path.name, error) from error
        with image:
            return _decoded(image, path.name)


def _decoded(image: Image, name: str) -> Image:
    if image.width * image.height > MOST_PIXELS:
        raise InputError(
            f"a photo of at most {MOST_PIXELS / 1e6:.0f} megapixels",
            f"{name} with {image.width} × {image.height}",
            "scale it down first",
        )
    try:
        image.load()
        return _upright(image)
    except Exception as error:  # decoders raise whatever they like
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> InputError:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, Image.DecompressionBombError):
        most = f"a photo of at most {MOST_PIXELS / 1e6:.0f} megapixels"
        return InputError(most, f"{name}, which has more than twice as many", "scale it down first")
    unknown = isinstance(error, UnidentifiedImageError)
    said = ", which is empty, damaged, or something else" if unknown else f": {error}"
    return InputError("a readable photo (JPEG, PNG, WebP, …)", f"{name}{said}")


def _from_array(array: np.ndarray) -> Image:
    from PIL import Image

    fits = (
        array.dtype == np.uint8 and array.size and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
    )
    if not fits:
        raise InputError("an array (H, W), (H, W, 3) or (H, W, 4) of uint8", f"{array.shape} of {array.dtype}")
    return Image.fromarray(array)


_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What undoes each EXIF orientation. Not Pillow's own transposition, which fails on EXIF data with other damage."""


def _orientation(image: Image) -> int:
    with suppress(Exception):
        return int(image.getexif().get(0x0112, 1))
    return 1


def _upright(image: Image) -> Image:
    from PIL import Image

    turn = _TURNS.get(_orientation(image))
    if turn is not None:
        image = image.transpose(Image.Transpose[turn])
    if image.mode.startswith(("I", "F")):  # 16 and 32 bit grey
        grey = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(grey.max()), 1e-12)
        image = Image.fromarray(np.clip(grey / top * 255, 0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
