"""Which photos, and which file for each: settled and checked before anything is computed."""

from __future__ import annotations

import glob
import tempfile
from importlib.util import find_spec
from pathlib import Path

from gradline.errors import InputError, MissingExtra, StorageError

SUFFIXES = (".html", ".png", ".svg", ".pdf", ".safetensors", ".json")
"""Files that an explanation can be written to."""

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Files of a folder that are taken for photos."""

OURS = "-gradline.png"
"""How pictures end that are written without `-o`: no photos, where a folder or a pattern is given."""

NAME = "{name}"
"""Stands for the photo's name without its suffix, in the name of an output."""

_NEEDS = {
    ".html": ("jinja2", "writing a report", "report"),
    ".png": ("matplotlib", "drawing a figure", "report"),
    ".svg": ("matplotlib", "drawing a figure", "report"),
    ".pdf": ("matplotlib", "drawing a figure", "report"),
    ".safetensors": ("safetensors", "saving an attribution", "storage"),
    ".parquet": ("pyarrow", "writing Parquet", "parquet"),
}


def find_photos(words: list[str]) -> list[str]:
    """The photos that are meant: files, the files of a pattern such as `*.jpg`, the photos of a folder; each once.

    Raises `InputError` for what is not there, or holds no photo.
    """
    found: dict[Path, str] = {}
    for word in words:
        for photo in _expanded(word):
            found.setdefault(Path(photo).resolve(), photo)
    return list(found.values())


def plan(
    photos: list[str],
    wanted: list[str],
    defaults: tuple[str, ...] = (".html", ".png"),
    *,
    suffixes: tuple[str, ...] = SUFFIXES,
    ending: str = "gradline",
) -> list[tuple[Path, ...]]:
    """The files to write for each photo: `wanted` names or, without any, the `defaults`.

    A bare suffix, also after a folder (`maps/.html`), stands for `{name}-ENDING.html`. Raises `InputError` for names
    that do not tell the photos apart, `StorageError` for places that cannot be written, `MissingExtra`.
    """
    names = [_full(word, suffixes, ending) for word in wanted or defaults]
    files = [tuple(dict.fromkeys(Path(name.replace(NAME, Path(p).stem)) for name in names)) for p in photos]
    check_apart(photos, files)
    for path in dict.fromkeys(path for row in files for path in row):
        check_output(path, suffixes)
    return files


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a place that cannot be written. Raises `InputError`, `StorageError`, `MissingExtra`."""
    try:
        folder = path.is_dir()
        with tempfile.TemporaryFile(dir=path if folder else path.parent):
            pass
    except (FileNotFoundError, NotADirectoryError):
        raise StorageError(f"cannot write {path}: the folder {path.parent} does not exist; create it first") from None
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    if folder:
        raise StorageError(f"cannot write {path}: it is a folder; give a file name, such as {path / '.html'}")
    if path.suffix not in suffixes:
        raise InputError(f"an output file that ends in {', '.join(suffixes)}", repr(str(path)))
    library, feature, extra = _NEEDS.get(path.suffix, ("json", "", ""))
    if find_spec(library) is None:
        raise MissingExtra(feature, extra)


def check_apart(photos: list[str], files: list[tuple[Path, ...]]) -> None:
    """Refuse outputs that two photos would write, or that would overwrite a photo. Raises `InputError`."""
    inputs = {Path(photo).resolve(): photo for photo in photos}
    writer: dict[Path, str] = {}
    for photo, row in zip(photos, files, strict=True):
        for path in row:
            place = path.resolve()
            if place in inputs:
                raise InputError("an output that is not one of the photos", repr(str(path)), "choose another name")
            other = writer.setdefault(place, photo)
            if other == photo:
                continue
            if Path(other).stem == Path(photo).stem:
                remedy = "explain them one after the other, each with an -o of its own"
                raise InputError("photos with different names", f"{other} and {photo}, which both write {path}", remedy)
            suffix = path.suffix
            remedy = f"write -o {suffix}, or {NAME} in the name, as in -o '{path.stem}-{NAME}{suffix}'"
            raise InputError("an output for each photo", f"{path} for {len(photos)} photos", remedy)


def _full(word: str, suffixes: tuple[str, ...], ending: str) -> str:
    """The name that a bare suffix stands for; other words as they are."""
    path = Path(word)
    return str(path.with_name(f"{NAME}-{ending}{path.name}")) if path.name in suffixes else word


def _expanded(word: str) -> list[str]:
    if not word:
        raise InputError("a photo", "an empty name")
    path = Path(word)
    try:
        if path.is_file():
            return [word]
        folder = path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        raise InputError("a photo", f"{word[:200]!r}, which is not there") from None
    if folder:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTOS and _is_taken(p))
        if not inside:
            raise InputError(f"a photo, or a folder with photos ({', '.join(PHOTOS)})", f"{word!r}, which has none")
        return [str(p) for p in inside]
    if glob.has_magic(word):
        matching = sorted(p for p in glob.glob(word, recursive=True) if _is_taken(Path(p)))  # noqa: PTH207
        if not matching:
            raise InputError("photos", f"{word!r}, which matches no file")
        return matching
    remedy = (
        "options go in front of --; a photo with a dash in front is written ./-NAME" if word.startswith("-") else ""
    )
    raise InputError("a photo", f"{word!r}, which is not there", remedy)


def _is_taken(path: Path) -> bool:
    """Of a folder or a pattern: files, but no pictures that were written here before."""
    return path.is_file() and not path.name.endswith(OURS) and path.name != "gradline-demo.png"
