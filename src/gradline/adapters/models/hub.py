"""What is asked of the Hugging Face hub, for photos and for texts: places, and files that are here already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gradline.adapters.models.library import first_line
from gradline.errors import InputError, ModelError


def place_of(name: str) -> str:
    """A folder that `save_pretrained` wrote, or the name of a repository. Raises `InputError`."""
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError("a folder written by save_pretrained", f"{name!r}, without a config.json")
        return str(path)
    if not name.strip() or name.startswith((".", "/", "~")) or name.count("/") > 1 or ":" in name:
        expected = "a repository as hf:owner/name, or a folder as hf:./folder"
        raise InputError(expected, f"{name!r}, which is not there")
    return name


def got(load: Callable[[bool], Any], place: str, name: str, what: str) -> Any:
    """What `load(local)` gives: from this machine if it is all there, else from the hub.

    `what`: in words. Raises `InputError`, `ModelError`.
    """
    local = Path(place).is_dir()
    try:
        try:
            return load(True)
        except OSError:
            if local:
                raise
            return load(False)
    except OSError as error:
        if local:
            raise InputError(f"a model in the folder {name}: {what}", first_line(error)) from error
        raise ModelError(
            f"cannot get hf:{name}: {first_line(error)} Is the name right? Without a network, download it beforehand "
            f"(hf download {name} --local-dir my-model) and give hf:./my-model"
        ) from error
    except Exception as error:
        raise InputError(f"{what} as hf:{name}", first_line(error)) from error


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Without the progress bar of weights that are here already, and without reports on those that are not needed."""
    logging = transformers.utils.logging
    bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
