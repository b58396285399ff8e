"""Photos as people have them: a file, a PIL image or an array becomes upright RGB pixels."""

from __future__ import annotations

import warnings
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
            return _upright(_decode(Path(photo)))
        case Image.Image():
            return _upright(photo)
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


def _decode(path: Path) -> Image:
    from PIL import Image

    if not path.is_file():
        raise InputError("a photo file", f"{path}, which does not exist" if not path.exists() else f"{path}, no file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
            if image.width * image.height > MOST_PIXELS:
                raise InputError(
                    f"a photo of at most {MOST_PIXELS / 1e6:.0f} megapixels",
                    f"{path.name} with {image.width} × {image.height}",
                    "scale it down first",
                )
            image.load()
            return image
    except Image.DecompressionBombError as error:
        raise InputError(f"a photo of at most {MOST_PIXELS / 1e6:.0f} megapixels", f"{path.name}: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("a readable photo (JPEG, PNG, WebP, …)", f"{path.name}: {error}") from error


def _from_array(array: np.ndarray) -> Image:
    from PIL import Image

    fits = (
        array.dtype == np.uint8 and array.size and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
    )
    if not fits:
        raise InputError("an array (H, W), (H, W, 3) or (H, W, 4) of uint8", f"{array.shape} of {array.dtype}")
    return Image.fromarray(array)


def _upright(image: Image) -> Image:
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):  # 16 and 32 bit grey
        grey = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(grey.max()), 1e-12)
        image = Image.fromarray(np.clip(grey / top * 255, 0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
