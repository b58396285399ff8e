"""A target of detectors: how well what is detected fits a box and a label."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gradline.errors import TargetError
from gradline.question.targets.base import Target
from gradline.question.targets.functions import call
from gradline.question.targets.reading import Index, at, check_index, column, rows_of, wide
from gradline.question.trees import shape_of

DECODE = "pass decode=, a function (output) -> (boxes, scores)"


@dataclass(frozen=True, eq=False)
class Box(Target):
    """How well the detections fit a box: the largest m_j = IoU(corners, box_j) · score_j(label), smoothly; in [0, 1].

    F = Σ_j w_j m_j / Σ_j w_j with w_j = exp(m_j / temperature) - 1, which tends to the largest m_j with the temperature
    to 0; boxes that lie elsewhere weigh nothing, and F is 0 where nothing fits. Coordinates and scores have gradients.
    D-RISE (Petsiuk et al. 2021) takes the maximum itself, with a similarity over all classes.

    `corners`: (x1, y1, x2, y2) in the output's units, or a tensor `(N, 4)`, one each. `label`: its class; a tensor of N
    means one each. `decode`: a function from the output to `boxes (R, M, 4)` and `scores (R, M, K)` in [0, 1]. Without
    it the output is a list of R dicts with `boxes (M, 4)`, `scores (M,)` and `labels (M,)`, as torchvision's are, or
    holds dense `boxes` and `scores` by name or as a pair. Raises `TargetError` if the output is none of these.
    """

    corners: Sequence[float] | Tensor
    label: Index
    temperature: float = field(default=0.05, kw_only=True)
    decode: Callable[[Any], tuple[Tensor, Tensor]] | None = field(default=None, kw_only=True)

    bounded = True

    def freeze(self, output: Any, rows: int) -> Target:
        corners = _check_corners(self.corners, rows)
        heat: object = self.temperature
        if isinstance(heat, bool) or not isinstance(heat, int | float) or not 0 < heat < math.inf:
            raise TargetError("a temperature above 0", repr(heat))
        if self.decode is not None and not callable(self.decode):
            raise TargetError("decode as a function from the output to boxes and scores", repr(self.decode))
        classes = None
        if self._listed(output):
            for found in _each(output, rows):
                _check_scores(found["scores"])
        else:
            _, scores = self._dense(output, rows)
            _check_scores(scores)
            classes = scores.shape[2]
        return replace(self, corners=corners, label=check_index(self.label, classes, rows, "label"))

    def pick(self, output: Any, owner: Tensor) -> Tensor:
        corners = torch.as_tensor(self.corners)
        if self._listed(output):
            fits = []
            for found, example in zip(_each(output, len(owner)), owner.tolist(), strict=True):
                own = corners[example] if corners.ndim == 2 else corners
                meant = found["labels"] == at(self.label, example)
                fits.append(_fit(own, found["boxes"][meant], found["scores"][meant], self.temperature))
            return torch.stack(fits)
        boxes, scores = self._dense(output, len(owner))
        corners = corners.to(wide(boxes))
        own = rows_of(corners, owner, boxes) if corners.ndim == 2 else corners
        return _fit(own, boxes, column(scores.movedim(2, 1), self.label, owner), self.temperature)

    def describe(self, example: int) -> str:
        corners = torch.as_tensor(self.corners)
        own = corners[example] if corners.ndim == 2 else corners
        return f"label {at(self.label, example)} in the box ({', '.join(f'{c:g}' for c in own.tolist())})"

    def _listed(self, output: Any) -> bool:
        """The output has a dict for each row."""
        rows = output if self.decode is None and isinstance(output, list | tuple) else ()
        return bool(rows) and all(isinstance(row, Mapping) for row in rows)

    def _dense(self, output: Any, rows: int) -> tuple[Tensor, Tensor]:
        """Boxes `(R, M, 4)` and scores `(R, M, K)`."""
        pair = _pair(output) if self.decode is None else call(self.decode, "decode function", output)
        if isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(t, Tensor) for t in pair):
            boxes, scores = pair
            if boxes.ndim == scores.ndim == 3 and boxes.shape == (rows, scores.shape[1], 4) and len(scores) == rows:
                return boxes, scores
        shapes = f"boxes ({rows}, M, 4) and scores ({rows}, M, classes)"
        if self.decode is not None:
            raise TargetError(f"{shapes} from the decode function", shape_of(pair))
        raise TargetError(f"{shapes}, or a dict of boxes, scores and labels for each row", shape_of(output), DECODE)


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes `(..., 4)` given by corners, of which `one` are not empty: in [0, 1]."""
    overlap = torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])
    both = overlap.clamp(min=0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1) for box in (one, other)]
    return both / (areas[0] + areas[1] - both)


def smooth_maximum(values: Tensor, temperature: float) -> Tensor:
    """Σ w v / Σ w over the last axis with w = exp(v / temperature) - 1 of the positive values; 0 if there are none."""
    values = torch.cat([values, torch.zeros_like(values[..., :1].sum(-1, keepdim=True))], -1)
    counts = values > 0
    heat = torch.where(counts, values, temperature) / temperature
    weight = torch.where(counts, -torch.expm1(-heat) * torch.exp(heat - heat.detach().amax(-1, keepdim=True)), 0)
    total = weight.sum(-1)
    return (weight * values).sum(-1) / torch.where(total == 0, 1, total)


def _fit(corners: Tensor, boxes: Tensor, scores: Tensor, temperature: float) -> Tensor:
    dtype = torch.promote_types(wide(boxes), wide(scores))
    corners = corners.to(dtype).to(boxes.device).unsqueeze(-2)
    return smooth_maximum(iou(corners, boxes.to(dtype)) * scores.to(dtype), temperature)


def _pair(output: Any) -> Any:
    """What the output holds as boxes and scores: by name, or as a pair."""
    if isinstance(output, Mapping):
        return output.get("boxes"), output.get("scores")
    named = getattr(output, "boxes", None), getattr(output, "scores", None)
    return output if any(part is None for part in named) else named


def _each(output: Any, rows: int) -> Sequence[Mapping[str, Tensor]]:
    """A dict of boxes, scores and labels for each row."""
    if len(output) != rows:
        raise TargetError(f"{rows} dicts of detections, one for each row", f"{len(output)}", DECODE)
    for found in output:
        parts = [found.get(name) for name in ("boxes", "scores", "labels")]
        shapes = [tuple(part.shape) for part in parts if isinstance(part, Tensor)]
        count = shapes[-1][:1] if shapes else ()
        if shapes != [(*count, 4), count, count]:
            expected = "a dict with boxes (M, 4), scores (M,) and labels (M,) for each row"
            raise TargetError(expected, shape_of(found), DECODE)
    each: Sequence[Mapping[str, Tensor]] = output
    return each


def _check_scores(scores: Tensor) -> None:
    wrong = scores[(scores < 0) | (scores > 1)]
    if len(wrong):
        remedy = "turn them into probabilities, as in decode=lambda y: (y.boxes, y.logits.sigmoid())"
        raise TargetError("scores of detections in [0, 1]", f"{float(wrong[0]):g}", remedy)


def _check_corners(corners: object, rows: int) -> Tensor:
    expected = f"the corners (x1, y1, x2, y2) of a box, or a tensor of shape ({rows}, 4), one each"
    try:
        checked = torch.as_tensor(corners, dtype=torch.float64, device="cpu").detach().clone()
    except (TypeError, ValueError, RuntimeError):
        raise TargetError(expected, repr(corners)) from None
    if checked.shape not in ((4,), (rows, 4)):
        raise TargetError(expected, f"shape {tuple(checked.shape)}")
    for box in checked.reshape(-1, 4).tolist():
        if not (all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]):
            raise TargetError("corners (x1, y1, x2, y2) with x1 < x2 and y1 < y2", f"{tuple(box)}")
    return checked
