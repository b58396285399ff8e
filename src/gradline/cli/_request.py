"""One explanation as it was asked for on the command line, and the command line that asks for it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """The options of one explanation, as they were given; `photo` is None for the demo's."""

    photo: str | None
    model: str = "efficientnet-lite0"
    weights: str | None = None
    preprocess: str | None = None
    classes: str | None = None
    target: str | None = None
    probability: bool = False
    method: str = "integrated-gradients"
    baseline: str | None = None
    tol: float | None = None
    steps: int | None = None
    rule: str | None = None
    max_evaluations: int = 512
    memory: str | None = None
    seed: int = 0
    baselines: bool | None = None

    @property
    def path(self) -> Path:
        """Where the photo is. Raises `MissingExtra` for the demo's, if that is not installed."""
        if self.photo is not None:
            return Path(self.photo)
        from gradline.adapters import demo_photo

        return demo_photo()


def command_of(request: Request, outputs: tuple[Path, ...], command: str = "explain", more: Sequence[str] = ()) -> str:
    """The command line that repeats a request; `more`: words that only this command knows."""
    words = ["gradline", "demo"] if request.photo is None else ["gradline", command, _word(request.photo)]
    defaults = Request(request.photo)
    for field in fields(Request)[1:]:
        value, option = getattr(request, field.name), f"--{field.name.replace('_', '-')}"
        if value == getattr(defaults, field.name):
            continue
        if isinstance(value, bool):
            words.append(option if value else f"--no-{field.name}")
        else:
            words += [option, str(value)]
    words += more
    for path in outputs:
        words += ["-o", _word(str(path))]
    return shlex.join(words)


def repeated(option: str, values: Sequence[str] | None) -> list[str]:
    """An option that is given once for each of its values."""
    return [word for value in values or () for word in (option, value)]


def _word(name: str) -> str:
    """A name that is not taken for an option."""
    return f"./{name}" if name.startswith("-") else name
