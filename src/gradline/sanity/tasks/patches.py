"""Pictures in which a small textured patch alone says the class."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from gradline.core import random
from gradline.core.baselines import Constant, PixelSpace
from gradline.question.score import Score
from gradline.question.targets import Logit
from gradline.sanity.tasks import pictures
from gradline.sanity.tasks.base import Task, decided
from gradline.sanity.tasks.training import convolutions, fit

GREY, PATCH, EXAMPLES = 0.5, 8, 16
SLANTING, KINDS = 3, torch.tensor([0, 1, 2, 4])
"""The texture that says nothing, and those of the classes."""

PIXELS = PixelSpace(black=(0.0,) * 3, white=(1.0,) * 3)


@cache
def planted_patch() -> Task:
    """Noise with coloured shapes, 3 × 32 × 32, upon it a patch of 8 × 8 with stripes across, stripes down, or checks.

    Every picture has a second patch with slanting stripes, so that contrast alone does not find the evidence. Shapes,
    colours and places are the same for all classes, so that the one patch alone carries the class; a network of two
    convolutions learns it here in about two seconds. A fourth class is pictures without a patch, so that none of the
    three is what is left when nothing is there. `swapped`: the patch of another class at the same place. `facts`,
    over 512 pictures not trained on: "accuracy"; "flips", the share that follows a swapped patch; "stays", the share
    that keeps its class when all but the patch is from another picture.

    The oracle spreads what the patch contributes evenly over it, and is 0 elsewhere: its Shapley value as one of two
    players, patch and rest, what is absent being grey.
    """
    chance = random.generator(0, "planted patch", "pictures")
    model = convolutions((12, 24), (2, 1), 4, chance)
    y = torch.randint(4, (1536,), generator=chance)
    fit(model, _drawn(KINDS[y], KINDS[y], chance)[0], y, chance, epochs=4)
    y = torch.randint(3, (512,), generator=chance)
    other = (y + 1) % 3
    x, mask, swapped = _drawn(y, other, chance)
    elsewhere = torch.where(mask, x, _idle(len(x), chance))
    facts = {
        "accuracy": _share(decided(model, x) == y),
        "flips": _share(decided(model, swapped) == other),
        "stays": _share(decided(model, elsewhere) == y),
    }
    few = slice(0, EXAMPLES)
    seen = {"mask": mask[few], "swapped": swapped[few], "other": other[few]}
    return trained("planted patch", model, x[few], y[few], **seen, facts=facts)


def trained(
    name: str,
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    mask: Tensor,
    swapped: Tensor,
    other: Tensor,
    facts: dict[str, float],
) -> Task:
    """A task of pictures whose evidence is known from counterfactuals; the oracle is even over it."""
    size = mask.flatten(1).sum(1) * x.shape[1]
    even = contributed(model, x, y, mask) / size
    oracle = (even[:, None, None, None] * mask).expand_as(x).contiguous()
    score = Score(model, Logit(y))
    return Task(
        name,
        score,
        x,
        oracle,
        mask.double(),
        False,
        Constant(GREY),
        swapped=swapped,
        other=other,
        facts=facts,
        pixels=PIXELS,
    )


def contributed(model: nn.Module, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """The Shapley value `(N,)` of what is inside the mask for the class y, the rest being the other player."""
    grey = torch.full_like(x, GREY)
    inside, outside = torch.where(mask, x, grey), torch.where(mask, grey, x)
    with torch.no_grad():
        logits: Tensor = model(torch.cat([x, inside, outside, grey]))
    full, evidence, rest, none = logits.gather(1, y.repeat(4)[:, None])[:, 0].chunk(4)
    return (full - rest + evidence - none) / 2


def _drawn(y: Tensor, other: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures with textures y, masks of these, and the pictures with other textures in their place."""
    count, most = len(y), pictures.SIDE - PATCH
    below, place = _idle(count, chance), pictures.places(count, (0, 0), (most, most), chance)
    x, mask = pictures.stamped(below, *pictures.textures(y, PATCH, chance), place)
    return x, mask, pictures.stamped(below, *pictures.textures(other, PATCH, chance), place)[0]


def _idle(count: int, chance: torch.Generator) -> Tensor:
    """Pictures of no class: scenes with a patch of slanting stripes."""
    slanting, most = torch.full((count,), SLANTING), pictures.SIDE - PATCH
    place = pictures.places(count, (0, 0), (most, most), chance)
    return pictures.stamped(pictures.scenes(count, chance), *pictures.textures(slanting, PATCH, chance), place)[0]


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())
