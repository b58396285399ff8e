"""What belongs to a model, written down: preprocessing and class names in a small JSON text."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradline.adapters.models.built_in import imagenet_classes
from gradline.adapters.models.preprocessing import PREPROCESSINGS, Channels, Preprocessing, Resample, Rounding
from gradline.errors import InputError, StorageError

FORMAT = "gradline-image-model-1"


@dataclasses.dataclass(frozen=True)
class Description:
    """`preprocessing`, and the names of the classes; () if nobody knows."""

    preprocessing: Preprocessing
    classes: tuple[str, ...] = ()

    def text(self) -> str:
        """As JSON, for `described`."""
        whole = {"format": FORMAT, "preprocessing": dataclasses.asdict(self.preprocessing)}
        return json.dumps(whole | ({"classes": self.classes} if self.classes else {}), indent=2) + "\n"


def described(text: str, where: str) -> Description:
    """Read what `Description.text` wrote. Raises `InputError` that names `where`."""
    try:
        whole = json.loads(text)
        if not isinstance(whole, dict) or whole.get("format") != FORMAT:
            raise ValueError(f'no entry "format": "{FORMAT}"')
        given = whole["preprocessing"]
        preprocessing = named_preprocessing(given) if isinstance(given, str) else _preprocessing(given)
        return Description(preprocessing, known_classes(whole.get("classes", ())))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except KeyError as error:
        raise InputError(f"a description of a model in {where}", f"one without {error}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"a description of a model in {where}", str(error)) from error


def preprocessing_of(given: str | Path | Preprocessing) -> Description:
    """What a caller says of preprocessing: a `Preprocessing`, a name of `PREPROCESSINGS`, or a `.json` file that
    describes the model. Raises `InputError`."""
    if isinstance(given, Preprocessing):
        return Description(given)
    if str(given).endswith(".json"):
        return described(_read(Path(given), "a description of a model"), str(given))
    return Description(named_preprocessing(str(given)))


def named_preprocessing(name: str) -> Preprocessing:
    """One of `PREPROCESSINGS`. Raises `InputError`."""
    if name not in PREPROCESSINGS:
        raise InputError(f"a preprocessing: {', '.join(PREPROCESSINGS)}, or a file that ends in .json", repr(name))
    return PREPROCESSINGS[name]


def known_classes(given: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Class names in order: themselves, "imagenet", or a text file with one a line. Raises `InputError`."""
    if given == "imagenet":
        return imagenet_classes()
    if isinstance(given, str | Path):
        lines = _read(Path(given), 'class names: "imagenet", or a text file with one a line').splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    if not all(isinstance(name, str) for name in given):
        raise InputError("class names as texts", repr(given)[:80])
    return tuple(given)


def _preprocessing(given: dict[str, Any]) -> Preprocessing:
    known = {field.name for field in dataclasses.fields(Preprocessing)}
    if strange := sorted(set(given) - known):
        raise ValueError(f"{', '.join(strange)} in preprocessing, which has {', '.join(sorted(known))}")
    entries: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    kinds = {"resample": Resample, "channels": Channels, "rounding": Rounding}
    entries |= {name: kind(entries[name]) for name, kind in kinds.items() if name in entries}
    return Preprocessing(**entries)


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(what, f"{str(path)!r}, which is no text: {error}") from error
    except FileNotFoundError:
        raise InputError(what, f"{str(path)!r}, which is not there") from None
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}") from error
