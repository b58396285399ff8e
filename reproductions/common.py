"""What reproductions share: photos, arguments, claims with their intervals, pages that are rewritten whole.

A reproduction is one script, `reproductions/NAME.py`. It repeats a paper's protocol on what is at hand, puts the
paper's numbers beside its own and says of every claim whether it holds here. Its docstring tells which paper, what is
done otherwise and how long each form takes. Its `main` is

    asked = arguments(__doc__, small=2, usual=30, full=300)      # --small, --full, --photos, --seed, --device, --out
    found = measure(asked)                                       # a dict that JSON can hold: settings and every value
    publish(asked, "name-of-page", found, page(found))           # reproductions/NAME.json, docs/reproductions/NAME.md

- `measure` takes its photos from `examples(asked)`, one at a time (`for i, one in counted(examples(asked))`), seeds
  everything with `asked.seed`, and keeps the values of single photos: `found = settings(asked) | {"rows": …}`.
- `page` makes the whole page from that dict alone, so that it can be rendered again without measuring: `title` and the
  protocol; `table(head, rows)` with the paper's numbers beside ours, `spelt(*mean_of(values))` in a cell; then
  `claims_table(claims)`, and under it what was done otherwise than in the paper.
- A `Claim` is directed: above `null` speaks for it. `paired(text, differences)` for a difference over photos,
  `share(text, hits, n)` for a proportion. Its verdict follows from its interval and is never written by hand.
- `--small` is what the tests run: everything once, on two free photos, in less than a minute. It leaves the
  repository's numbers and pages alone and writes beneath reproductions/.cache/.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import torch
from claims import LEVEL as LEVEL
from claims import Claim as Claim
from claims import claims_table as claims_table
from claims import mean_of as mean_of
from claims import paired as paired
from claims import share as share
from claims import spelt as spelt
from claims import table as table
from claims import wilson as wilson
from torch import Tensor

import gradline as gl
from gradline.engine.prepared import prepared
from gradline.result.provenance import environment
from gradline.result.storage import write_atomically

HERE = Path(__file__).parent
PAGES = HERE.parent / "docs" / "reproductions"

_photos: Any = importlib.import_module("photos")  # of benchmarks/, which `claims` has put on the path

T = TypeVar("T")


class Form(StrEnum):
    """How much is measured."""

    SMALL = "small"
    USUAL = "usual"
    FULL = "full"


@dataclass(frozen=True)
class Asked:
    """The arguments of a reproduction.

    `out`: the folder of its files, None for those of the repository. `render`: measure nothing, read `kept` instead.
    """

    form: Form
    photos: int
    seed: int = 0
    device: str = "cpu"
    out: Path | None = None
    render: bool = False

    @property
    def small(self) -> bool:
        return self.form is Form.SMALL

    @property
    def full(self) -> bool:
        return self.form is Form.FULL


def arguments(
    doc: str | None, *, small: int, usual: int, full: int, argv: Sequence[str] | None = None, render: bool = False
) -> Asked:
    """Read the command line; the three numbers are the photos of each form. `render`: the script knows `--render`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--small", action="store_const", const=Form.SMALL, dest="form", help="what the tests run")
    form.add_argument("--full", action="store_const", const=Form.FULL, dest="form", help="the paper's size, on a GPU")
    parser.add_argument("--photos", type=int, help=f"default {small}, {usual} or {full}, by form")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="default cpu; cuda for --full, where there is one")
    parser.add_argument("--out", type=Path, help="a folder for the files, instead of the repository's")
    if render:
        parser.add_argument("--render", action="store_true", help="only make the page, from what was measured before")
    given = parser.parse_args(argv)
    chosen = Form(given.form or Form.USUAL)
    usually = {Form.SMALL: small, Form.USUAL: usual, Form.FULL: full}[chosen]
    device = "cuda" if chosen is Form.FULL and torch.cuda.is_available() else "cpu"
    count = usually if given.photos is None else given.photos
    if count < 1:
        parser.error("--photos must be at least 1")
    return Asked(chosen, count, given.seed, given.device or device, given.out, render and given.render)


# -------------------------------------------------------------------------------------------------------- photos


@dataclass(frozen=True, eq=False)
class Example:
    """A photo in front of a network: `x (1, 3, H, W)` in its units, on the device; `label`: its true class, or None.

    `score`: the logit of the predicted class, which is `predicted`; other targets: `gl.Score(one.model.model, …)`.
    `case`: the photo itself, for pictures and baselines (`case.baseline(gl.baselines.Blur(10.0))`).
    """

    case: gl.ImageCase
    x: Tensor
    score: gl.Score
    predicted: int
    label: int | None

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def model(self) -> Any:
        """The `gl.models.ImageModel`; its `pixels` say what black and white are."""
        return self.case.model


def photos(count: int) -> list[Path]:
    """`count` photos, evenly spaced through the data pack's ImageNet validation photos; at most four free ones without
    `GRADLINE_DATA`."""
    if "GRADLINE_DATA" in os.environ:
        count = min(count, len(labels()))
    found: list[Path] = _photos.photos(count)[:count]
    return found


def labels() -> dict[str, int]:
    """The true classes of the pack's photos by file name; nothing without the pack."""
    found: dict[str, int] = _photos.labels() if "GRADLINE_DATA" in os.environ else {}
    return found


def examples(
    asked: Asked, model: str | gl.models.ImageModel = "efficientnet-lite0", *, as_trained: bool = False
) -> list[Example]:
    """The photos asked for, as a network meets them: by its name, or made by hand. `as_trained`: for what is done to
    the weights themselves, which are not folded then."""
    true = labels()
    if isinstance(model, str):
        model = gl.models.image_model(model)
    if isinstance(model.model, torch.nn.Module):
        model.model.to(asked.device)
        model = model if as_trained else folded(model)
    return [example(path, model, true.get(path.name)) for path in photos(asked.photos)]


def folded(model: gl.models.ImageModel) -> gl.models.ImageModel:
    """The same function with its batch norms folded into the convolutions: half the price of a gradient on a CPU."""
    faster = prepared(model.model, example(photos(1)[0], model).x, differentiable=True)
    return model if faster is None else replace(model, model=faster)


def example(path: Path, model: str | gl.models.ImageModel, label: int | None = None) -> Example:
    """One photo."""
    case = gl.image_case(path, model)
    predicted = int(case.probabilities().argmax())
    return Example(case, case.x, gl.Score(case.model.model, predicted), predicted, label)


# -------------------------------------------------------------------------------------------------------- files


def settings(asked: Asked) -> dict[str, Any]:
    """How it was measured: versions, device, seed, form, which photos."""
    made = environment(torch.device(asked.device), torch.float32)
    made = {k: v for k, v in made.items() if k not in ("platform", "created")}
    source = "ImageNet validation photos of the data pack" if "GRADLINE_DATA" in os.environ else "scikit-image's photos"
    return {"form": str(asked.form), "photos": asked.photos, "seed": asked.seed, "source": source, "made": made}


def kept(asked: Asked, stem: str) -> dict[str, Any]:
    """What the same form measured before."""
    found: dict[str, Any] = json.loads((_folders(asked)[0] / _json(stem)).read_text("utf-8"))
    return found


def _folders(asked: Asked) -> tuple[Path, Path]:
    """Where numbers and where pages go."""
    folder = HERE / ".cache" if asked.small else None
    return asked.out or folder or HERE, asked.out or folder or PAGES


def _json(stem: str) -> str:
    return f"{stem.replace('-', '_')}.json"


def publish(
    asked: Asked,
    stem: str,
    found: Mapping[str, Any],
    page: str,
    figures: Mapping[str, Callable[[Path], object]] | None = None,
) -> list[Path]:
    """Write `found` as JSON, the page and its figures (`{"name.svg": figure.savefig}`), each whole or not at all.

    `stem` "smooth-taylor" makes reproductions/smooth_taylor.json and docs/reproductions/smooth-taylor.md, figures
    beside the page. The small form writes reproductions/.cache/ instead; `asked.out` is for all.
    """
    data, pages = _folders(asked)
    for place in (data, pages):
        place.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, allow_nan=False) + "\n"
    written = [write_atomically(data / _json(stem), lambda p: p.write_text(text, "utf-8"))]
    for name, draw in (figures or {}).items():
        written.append(write_atomically(pages / name, draw))
    body = page.rstrip() + "\n"
    written.append(write_atomically(pages / f"{stem}.md", lambda p: p.write_text(body, "utf-8")))
    sys.stdout.writelines(f"{path}\n" for path in written)
    return written


# -------------------------------------------------------------------------------------------------------- progress

_BEGAN = time.perf_counter()


def say(text: str) -> None:
    """A line on standard error, with the minutes since the script began."""
    sys.stderr.write(f"{(time.perf_counter() - _BEGAN) / 60:6.1f} min  {text}\n")
    sys.stderr.flush()


def counted(items: Sequence[T], what: str = "photos") -> Iterator[tuple[int, T]]:
    """The items with their places; after each one a line that says how many there are and how long it will take."""
    began = time.perf_counter()
    for k, item in enumerate(items):
        yield k, item
        left = (time.perf_counter() - began) / (k + 1) * (len(items) - k - 1) / 60
        say(f"{k + 1} of {len(items)} {what}" + (f", about {left:.1f} min left" if left else ""))
