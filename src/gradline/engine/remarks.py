"""What is noticed about a question before a path is walked: cheap, on every call."""

from __future__ import annotations

import torch
from torch import Tensor

from gradline.core.baselines import Zero
from gradline.engine.starts import Starts
from gradline.question.bound import BoundScore
from gradline.question.inputs import Inputs
from gradline.question.targets import Target
from gradline.result import finding
from gradline.result.finding import Finding

SATURATED = 1e-4
"""A probability so near 0 or 1 hardly changes around x."""


def about_question(score: BoundScore, starts: Starts | None) -> list[Finding]:
    """Masks among what is attributed, a baseline of token 0."""
    found = [finding.mask_input(label) for label in _masks(score.inputs)] if score.drive is None else []
    if starts is not None and not score.inputs.attributed and any(isinstance(part, Zero) for part in starts.parts):
        padding = getattr(score.drive.module, "padding_idx", None) if score.drive is not None else None
        found += [finding.token_zero()] * (padding != 0)
    return found


def _masks(inputs: Inputs) -> list[str]:
    """Attributed entries that look like masks: of zeros and ones, named so or shaped like a part of another entry."""
    masks = []
    for name in inputs.attributed:
        entry, others = (
            inputs.entries[name],
            [v for k, v in inputs.entries.items() if k != name and isinstance(v, Tensor)],
        )
        fits = any(_covers(entry.shape, other.shape) for other in others)
        mixed = bool((entry == 0).any() and (entry == 1).any())
        if ((entry == 0) | (entry == 1)).all() and others and ("mask" in name.lower() or (mixed and fits)):
            masks.append(f"x[{name!r}]" if inputs.form is dict else f"x[{name}]")
    return masks


def _covers(mask: torch.Size, other: torch.Size) -> bool:
    """A mask of this shape can be laid over the other: axis by axis from the first, or from the last, equal or 1."""
    if len(mask) < 2 or mask[1:].numel() == 1:
        return False
    front = len(mask) <= len(other) and all(m in (1, n) for m, n in zip(mask[1:], other[1:], strict=False))
    back = len(mask) <= len(other) and all(m in (1, n) for m, n in zip(mask[:0:-1], other[:0:-1], strict=False))
    return front or back


def about_target(target: Target, at_x: Tensor) -> list[Finding]:
    """Probabilities that are saturated at x; `at_x (N,)` is F(x)."""
    if not target.bounded:
        return []
    examples = tuple(((at_x < SATURATED) | (at_x > 1 - SATURATED)).nonzero()[:, 0].tolist())
    return [finding.saturated(examples)] if examples else []
