"""The pictures behind performance information curves: bases that all maps share, and what a map reveals in them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradline.core.baselines import PixelSpace
from gradline.metrics.information.bokeh import Known, check_pixels, from_pictures, put, to_pictures
from gradline.metrics.information.coding import Picture
from gradline.metrics.information.variants import InformationVariant, Reveal
from gradline.metrics.ranking import Ranking
from gradline.metrics.subject import Subject

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Bases:
    """The examples as pictures `(N, H, W)` or `(N, H, W, 3)`, their random pixels `(N, H, W)`, B_0 in `filled`, and the
    information `(N,)` of x and of B_0. Nothing here depends on a map."""

    variant: InformationVariant
    pixels: PixelSpace
    pictures: NDArray[np.uint8]
    random: NDArray[np.bool_]
    filled: NDArray[np.uint8]
    of_x: Tensor
    of_base: Tensor

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What the bases depend on."""
        return ("bokeh", self.variant.fill, self.variant.random, self.pixels)

    def points(self, rows: Tensor, like: Tensor) -> Tensor:
        """B_0 of some examples in model space."""
        return from_pictures(self.filled[rows.numpy()], self.pixels, like)

    def shown(self, example: int, known: Known) -> tuple[Picture, float]:
        """The picture of an example with these and its random pixels known, and its information."""
        picture, known = self.pictures[example], known | self.random[example]
        shown = self.variant.fill.shown(picture, known, self.filled[example])
        return shown, information(self.variant, picture, known, shown)


def bases(subject: Subject, variant: InformationVariant, pixels: PixelSpace) -> Bases:
    """The bases of a subject's examples, made once for all maps. Raises `InputError` for what are no pictures."""
    key = ("bokeh", variant, pixels)
    if key not in subject.memo:
        check_pixels(subject.x, pixels)
        subject.memo[key] = _bases(subject, variant, pixels)
    found: Bases = subject.memo[key]
    return found


def _bases(subject: Subject, variant: InformationVariant, pixels: PixelSpace) -> Bases:
    pictures = to_pictures(subject.x, pixels)
    size = pictures.shape[1:3]
    random = np.zeros((len(subject), size[0] * size[1]), bool)
    for i, own in enumerate(random):
        order = torch.randperm(own.size, generator=subject.generator(i, "random pixels"))
        own[order[: int(variant.random * own.size)].numpy()] = True
    random = random.reshape(-1, *size)
    filled = np.stack(threaded(lambda i: variant.fill.base(pictures[i], random[i]), range(len(subject))))

    def sizes(i: int) -> tuple[float, float]:
        full = variant.code.information(pictures[i])
        return full, information(variant, pictures[i], random[i], filled[i])

    of = torch.tensor(threaded(sizes, range(len(subject))), dtype=torch.float64)
    return Bases(variant, pixels, pictures, random, filled, of[:, 0], of[:, 1])


def information(variant: InformationVariant, picture: Picture, known: Known, shown: Picture) -> float:
    """Of a picture that shows these pixels of another: as it is filled, or with black in place of the fill."""
    return variant.code.information(put(picture, known, np.zeros_like(picture)) if variant.black else shown)


def revealed(variant: InformationVariant, ranking: Ranking) -> Tensor:
    """How many pixels of the highest rank each threshold reveals: int64 `(N, T)`.

    Equal values of a quantile enter together, so that a number says which pixels they are.
    """
    scores = torch.where(torch.tensor([not note for note in ranking.notes])[:, None], ranking.scores, 0.0).numpy()
    if variant.reveal is Reveal.COUNT:
        counts = [int(share * scores.shape[1]) for share in variant.thresholds]
        return torch.tensor(counts).expand(len(scores), -1)
    least = np.quantile(scores, 1 - np.array(variant.thresholds), axis=1)
    return torch.from_numpy((scores[None] >= least[:, :, None]).sum(2).T.astype(np.int64))


@dataclass(frozen=True, eq=False)
class Reveals:
    """Rows of pictures, one for each number of pixels that a map reveals in an example: `owner (R,)`, `count (R,)`.

    `sizes`: the information of each row, `(R,)`, filled in while the pictures are made for the model, in batches; the
    pictures themselves are not kept.
    """

    bases: Bases
    rank: Tensor
    owner: Tensor
    count: Tensor
    sizes: Tensor

    def points(self, rows: Tensor, like: Tensor) -> Tensor:
        """Some of the pictures in model space."""
        made = self.made(rows)
        return from_pictures(np.stack([picture for picture, _ in made]), self.bases.pixels, like)

    def made(self, rows: Tensor) -> list[tuple[Picture, float]]:
        """Some of the pictures, and their information, which is remembered."""

        def one(row: int) -> tuple[Picture, float]:
            own = int(self.owner[row])
            known = (self.rank[own] < self.count[row]).numpy().reshape(self.bases.random.shape[1:])
            return self.bases.shown(own, known)

        made = threaded(one, rows.tolist())
        self.sizes[rows] = torch.tensor([size for _, size in made], dtype=torch.float64)
        return made


def threaded(work: Callable[[int], Found], over: Sequence[int]) -> list[Found]:
    """Work on each, in as many threads as PyTorch may use: encoders release the interpreter's lock."""
    workers = min(len(over), torch.get_num_threads())
    if workers < 2:
        return [work(one) for one in over]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, over))
