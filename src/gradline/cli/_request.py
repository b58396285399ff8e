"""One explanation as it was asked for on the command line, and the command line that asks for it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

XRAY, SENTIMENT = "xray-pneumonia", "minilm-sentiment"
"""The built-in models for X-rays and for texts."""


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
        """Where the photo is. Raises `MissingExtra` for a demo's, if that is not installed."""
        if self.photo is not None:
            return Path(self.photo)
        if self.model == XRAY:
            from gradline.adapters.xray import xray_photo

            return xray_photo()
        from gradline.adapters import demo_photo

        return demo_photo()

    @property
    def plain(self) -> Request:
        """The same photo without any option; of a demo with its model and its baseline."""
        if self.photo is not None:
            return Request(self.photo)
        return Request(None, model=self.model, baseline=self.baseline)

    def words(self, command: str) -> list[str]:
        """The words in front of the options."""
        if self.photo is None:
            return ["demo", "--xray"] if self.model == XRAY else ["demo"]
        return [command, _word(self.photo)]


@dataclass(frozen=True)
class TextRequest:
    """The options of one explanation of a text, as they were given; `text` is None for the demo's."""

    text: str | None
    second: str | None = None
    answer: str | None = None
    against: str | None = None
    model: str = SENTIMENT
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

    @property
    def plain(self) -> TextRequest:
        """The same text without any option."""
        return TextRequest(self.text)

    def words(self, command: str) -> list[str]:
        """The words in front of the other options."""
        return ["demo", "--text"] if self.text is None else [command, f"--text={self.text}"]


def command_of(
    request: Request | TextRequest, outputs: tuple[Path, ...], command: str = "explain", more: Sequence[str] = ()
) -> str:
    """The command line that repeats a request; `more`: words that only this command knows."""
    words, plain = ["gradline", *request.words(command)], request.plain
    for field in fields(request)[1:]:
        value, option = getattr(request, field.name), f"--{field.name.replace('_', '-')}"
        if value == getattr(plain, field.name):
            continue
        if isinstance(value, bool):
            words.append(option if value else f"--no-{field.name}")
        elif isinstance(value, str) and value.startswith("-"):
            words.append(f"{option}={value}")
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
