"""The neurons behind a region of a photo: from a box in the photo to the channels that carry what it contributes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import torch
from torch import Tensor

from gradline.adapters.classes import class_index
from gradline.adapters.display import shown
from gradline.adapters.layers import last_block
from gradline.adapters.models import ImageModel, Preprocessing
from gradline.adapters.photo import read_photo
from gradline.adapters.recipe import Unwritable, model_text, photo_text, written
from gradline.adapters.vision import ImageCase, image_case
from gradline.errors import InputError
from gradline.methods import integrated_gradients
from gradline.neurons import pruning
from gradline.neurons.behind import Options, as_layer, regions
from gradline.plots.channels import LayerShown, Region, channels, curves
from gradline.plots.places import Box
from gradline.question import Score
from gradline.question.guard import undisturbed
from gradline.question.sites import Layer
from gradline.question.targets import TargetLike
from gradline.question.views import View
from gradline.result import Attribution

TOP = 8
"""Channels that are listed and drawn."""


@dataclass(frozen=True)
class Frame:
    """How the pixels of a photo of `size` (width, height) become those of what a model sees, `shape` (height, width):
    a place u across the photo is u · `across` − `left` there, and likewise down."""

    size: tuple[int, int]
    shape: tuple[int, int]
    across: float
    down: float
    left: float
    top: float

    @classmethod
    def of(cls, preprocessing: Preprocessing, size: tuple[int, int], shape: tuple[int, int]) -> Frame:
        width, height = preprocessing.scaled(*size)
        cut = preprocessing.cut_of(width, height)
        return cls(size, shape, width / size[0], height / size[1], cut[0], cut[1])

    @property
    def seen(self) -> Box:
        """What of the photo the model sees, in the photo's pixels."""
        (width, height), (down, across) = self.size, self.shape
        right, bottom = (self.left + across) / self.across, (self.top + down) / self.down
        return max(self.left / self.across, 0), max(self.top / self.down, 0), min(right, width), min(bottom, height)

    def box(self, given: Sequence[float]) -> Box:
        """A box of the photo in the pixels of what the model sees.

        Raises `InputError` for one that is no box, or reaches beyond what the model sees by a pixel of the photo or
        more; the message says what is left of it.
        """
        left, top, right, bottom = _checked(given)
        seen = self.seen
        kept = max(left, seen[0]), max(top, seen[1]), min(right, seen[2]), min(bottom, seen[3])
        if kept[0] >= kept[2] or kept[1] >= kept[3]:
            raise InputError(f"a region in what the model sees of the photo, {_spelt(_within(seen))}", _spelt(given))
        if max(abs(a - b) for a, b in zip(kept, (left, top, right, bottom), strict=True)) >= 1:
            wanted = f"a region within what the model sees of the photo, {_spelt(_within(seen))}"
            raise InputError(wanted, _spelt(given), f"what is left of it is {_spelt(_within(kept))}")
        return (
            kept[0] * self.across - self.left,
            kept[1] * self.down - self.top,
            kept[2] * self.across - self.left,
            kept[3] * self.down - self.top,
        )


def box_mask(box: Box, shape: tuple[int, int]) -> Tensor:
    """How much of each of `(H, W)` pixels a box covers: fractions at its edges, so that boxes that touch add up."""
    left, top, right, bottom = box
    sides = []
    for low, high, length in ((top, bottom, shape[0]), (left, right, shape[1])):
        pixel = torch.arange(length, dtype=torch.float64, device="cpu")
        sides.append(((pixel + 1).clamp(max=high) - pixel.clamp(min=low)).clamp(0, 1))
    return sides[0][:, None] * sides[1]


def explain_region(
    photo: Any,
    region: Sequence[float],
    *,
    layers: Sequence[Layer | str] = (),
    model: str | ImageModel = "efficientnet-lite0",
    target: TargetLike | str = None,
    top: int = TOP,
    knockout: bool = False,
    **options: Unpack[Options],
) -> Region:
    """Which channels of layers carry what a region of a photo contributes to a score.

    `region`: left, top, right, bottom in pixels of the upright photo, edges from its upper left corner. `layers`: by
    name; without them the last block through which all of the score passes. `baseline`: default black. `knockout`: also
    what is left of the region and of the score when the first neurons are taken away. The rest as in
    `gl.neurons.region`. Raises `InputError`, `SiteError`.
    """
    case, size = image_case(photo, model), read_photo(photo).size
    python = recipe(photo, region, layers=layers, model=model, target=target, top=top, knockout=knockout, **options)
    wanted = class_index(case, target) if isinstance(target, str) else target
    return region_of_case(
        case, region, size, layers=layers, target=wanted, top=top, knockout=knockout, python=python, **options
    )


def region_of_case(
    case: ImageCase,
    region: Sequence[float],
    size: tuple[int, int],
    *,
    layers: Sequence[Layer | str] = (),
    target: TargetLike = None,
    top: int = TOP,
    knockout: bool = False,
    command: str = "",
    python: str = "",
    **options: Unpack[Options],
) -> Region:
    """The same for a photo of that `size` (width, height), read before. `command`, `python`: what repeats it."""
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InputError("top as a whole number from 1", repr(top))
    shape = (int(case.x.shape[-2]), int(case.x.shape[-1]))
    box = Frame.of(case.model.preprocessing, size, shape).box(region)
    mask, score = box_mask(box, shape), Score(case.model.model, target)
    chosen = [as_layer(layer) for layer in layers] or [Layer(last_block(case))]
    start = case.baseline(options.get("baseline"))
    seed = options.get("seed", 0)
    asked: Options = {**options, "baseline": start, "names": [case.name]}
    found = [one for (one,) in regions(score, case.x, chosen, [mask], **asked)]
    active = activations(score, case.x, chosen)
    rows = []
    for layer, a, heard in zip(chosen, found, active, strict=True):
        rows.append(_shown_layer(layer, a, heard, mask, top))
        if knockout:
            rows[-1] = replace(rows[-1], curves=curves(pruned(score, case.x, layer, mask, asked)))
    said = shown(
        case,
        found[0],
        title=case.title(target),
        method=integrated_gradients(),
        baseline=start,
        target=target,
        seed=seed,
        command=command,
        python=python,
    )
    given = tuple(float(edge) for edge in region)
    return Region(said.shown[0], box, given, size, tuple(rows), chosen=not layers)  # type: ignore[arg-type]


def pruned(score: Score, x: Tensor, layer: Layer, mask: Tensor, options: Options) -> pruning.Knockout:
    """What taking away the first neurons of the rankings of this region, of conductance and of chance does."""
    asked: Any = {name: options[name] for name in ("baseline", "names", "seed", "memory") if name in options}
    asked["steps"] = options.get("steps") or pruning.STEPS
    return pruning.knockout(score, x, layer, mask, **asked)


def activations(score: Score, x: Tensor, layers: Sequence[Layer]) -> list[Tensor]:
    """What layers return at x, `(1, *G)` each, on the CPU."""
    taps = [layer.find(score.model) for layer in layers]
    bound = replace(score.bind(x), read=View(tuple(taps)))
    with undisturbed(score.model, x.device):
        heard = bound.survey(torch.zeros(1, dtype=torch.int64, device="cpu"), []).heard
    return [heard[tap].detach().cpu() for tap in taps]


def recipe(
    photo: Any,
    region: Sequence[float],
    *,
    layers: Sequence[Layer | str],
    model: str | ImageModel,
    target: Any,
    top: int = TOP,
    knockout: bool = False,
    **options: Unpack[Options],
) -> str:
    """The Python that repeats it; "" where a value cannot be written."""
    try:
        given: dict[str, str | None] = {
            "layers": f"[{', '.join(repr(str(layer)) for layer in layers)}]" if layers else None,
            "model": model_text(model),
            "target": None if target is None else written(target),
            "top": None if top == TOP else written(top),
            "knockout": "True" if knockout else None,
        }
        usual = {"max_evaluations": 512, "seed": 0, "progress": options.get("progress"), "names": options.get("names")}
        for name, value in options.items():
            given[name] = None if value is None or value == usual.get(name) else written(value)
        box = f"({', '.join(f'{float(edge):g}' for edge in region)})"
        arguments = [photo_text(photo), box, *(f"{name}={text}" for name, text in given.items() if text is not None)]
    except Unwritable:
        return ""
    inside = "".join(f"    {argument},\n" for argument in arguments)
    return f"import gradline as gl\n\nfound = gl.explain_region(\n{inside})"


def _shown_layer(layer: Layer, a: Attribution, heard: Tensor, mask: Tensor, top: int) -> LayerShown:
    assert isinstance(a.values, Tensor)
    values, active = (t[0].detach().cpu().double().numpy() for t in (a.values, heard))
    found = channels(values, active, float(a.parts["share"][0, 0]), mask.numpy(), top)
    return LayerShown(str(layer), a, found)


def _checked(given: Sequence[float]) -> Box:
    expected = "a region as left, top, right, bottom, in pixels of the photo, with left < right and top < bottom"
    try:
        left, top, right, bottom = (float(edge) for edge in given)
    except (TypeError, ValueError):
        raise InputError(expected, repr(given)) from None
    if not (all(math.isfinite(edge) for edge in (left, top, right, bottom)) and left < right and top < bottom):
        raise InputError(expected, _spelt(given))
    return left, top, right, bottom


def _within(box: Box) -> tuple[int, ...]:
    """Whole pixels that a box covers at least partly."""
    left, top, right, bottom = box
    return math.floor(left + 1e-9), math.floor(top + 1e-9), math.ceil(right - 1e-9), math.ceil(bottom - 1e-9)


def _spelt(box: Sequence[float]) -> str:
    return ",".join(f"{edge:g}" for edge in box)
