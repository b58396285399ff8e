"""Robustness: how much a map changes when its example hardly does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from gradline.errors import InputError
from gradline.metrics.asking import Ask
from gradline.metrics.base import Evaluation, Flow, Metric, check_count, check_positive
from gradline.metrics.robustness.copies import Copies, flat
from gradline.metrics.robustness.noise import InputNoise, NormalNoise, UniformNoise, UniformShare
from gradline.metrics.subject import Subject
from gradline.question.targets.scales import Scale

__all__ = [
    "Against",
    "AverageSensitivity",
    "Change",
    "InputNoise",
    "LocalLipschitz",
    "MaxSensitivity",
    "NormalNoise",
    "RelativeStability",
    "UniformNoise",
    "UniformShare",
]

NO_SCORE = "the score is not finite at x or at a noisy copy"
ZERO_INPUT = "the example is zero: there is no change relative to it"


@dataclass(frozen=True)
class Robustness(Metric):
    """What all of these decide: `noise` in units of what the model is given, and `draws` of it an example. The target
    stays that of x. Equal noise shares the maps of the noisy copies, and is the same for all methods. A map that does
    not depend on the example does best: read them beside a fidelity.
    """

    range = "0 to infinity"
    cost = "draws explanations, shared by metrics of the same noise"
    needs = ("explainer",)

    noise: InputNoise = UniformNoise()  # noqa: RUF009
    draws: int = 10

    def __post_init__(self) -> None:
        check_count(self, "draws", self.draws)
        if not isinstance(self.noise, InputNoise):
            said = f"noise such as gl.metrics.UniformNoise(0.02) for {type(self).__name__}"
            raise InputError(said, repr(self.noise))

    def judged(self, notes: tuple[str, ...], values: Tensor, **parts: Tensor) -> Evaluation:
        """An evaluation, without values where a note says why."""
        there = torch.tensor([not note for note in notes])
        return Evaluation(self, torch.where(there, values, torch.nan), parts=parts, notes=notes)

    def sensitivity(self, subject: Subject) -> tuple[tuple[str, ...], Tensor, dict[str, Tensor]]:
        """Notes, the relative changes `(N, draws)`, and parts: the absolute ones, in the map's unit."""
        copies = Copies(subject, self.noise, self.draws)
        changes = copies.changes()
        relative = changes / flat(subject.maps).norm(dim=1, keepdim=True)
        notes = copies.notes(copies.moves(), relative=True)
        return notes, relative, {"changes": relative, "absolute": changes}


@dataclass(frozen=True)
class MaxSensitivity(Robustness):
    """max_j ‖a(x + e_j) − a(x)‖ / ‖a(x)‖, norms of the whole map. Yeh et al. (2019); defaults of Captum.

    Parts: `changes (N, draws)`, what the maximum is of; `absolute`, the same in the unit of the map. A zero map has no
    value; Captum divides by 1 then.
    """

    name = "max-sensitivity"
    higher_is_better = False
    cites = ("yeh2019",)

    def flow(self, subject: Subject) -> Flow:
        notes, changes, parts = self.sensitivity(subject)
        yield from ()
        return self.judged(notes, changes.amax(1), **parts)


@dataclass(frozen=True)
class AverageSensitivity(Robustness):
    """mean_j ‖a(x + e_j) − a(x)‖ / ‖a(x)‖: the mean in place of the maximum of `MaxSensitivity`, and the same parts."""

    name = "average-sensitivity"
    higher_is_better = False
    cites = ("yeh2019",)

    def flow(self, subject: Subject) -> Flow:
        notes, changes, parts = self.sensitivity(subject)
        yield from ()
        return self.judged(notes, changes.mean(1), **parts)


@dataclass(frozen=True)
class LocalLipschitz(Robustness):
    """max_j ‖a(x + e_j) − a(x)‖ / ‖e_j‖, in units of the map for one of the input: not for maps of different scale.

    Alvarez-Melis and Jaakkola (2018), who search the ball for the maximum; here it is of the draws. Quantus divides all
    maps by the maximum of the batch first, so that an example's number depends on the others. Part: `relative`, of the
    map divided by its own norm.
    """

    name = "local-lipschitz"
    higher_is_better = False
    cites = ("alvarezmelis2018b",)

    def flow(self, subject: Subject) -> Flow:
        copies = Copies(subject, self.noise, self.draws)
        moves = copies.moves()
        values = (copies.changes() / moves).amax(1)
        yield from ()
        relative = values / flat(subject.maps).norm(dim=1)
        return self.judged(copies.notes(moves, relative=False), values, relative=relative)


class Against(StrEnum):
    """What the change of a map is compared with: that of the `INPUT` (RIS), or of the `OUTPUT` (ROS)."""

    INPUT = "input"
    OUTPUT = "output"


class Change(StrEnum):
    """How a vector changes relative to itself: `WHOLE`, ‖u_j − u‖ / ‖u‖; `ELEMENTWISE`, ‖(u_j − u) / u‖, where one
    value near zero decides, and zeros count as the floor. Quantus takes the second."""

    WHOLE = "whole vectors"
    ELEMENTWISE = "element-wise"


@dataclass(frozen=True)
class RelativeStability(Robustness):
    """max_j of the map's relative change over max(change of the input or the output, floor).

    `against` the input: its relative change, by the same rule (`change`) as the map's; against the output:
    |f(x_j) − f(x)| of the explained score on `scale`, not relative. `floor > 0`. Agarwal et al. (2022), whose output is
    the vector of all logits; only copies that keep the predicted class count for them, here all, the target being that
    of x. Parts: `ratios (N, draws)`; `floored`, the share of them where the
    floor decides.
    """

    name = "relative-stability"
    higher_is_better = False
    cost = "draws explanations, shared by metrics of the same noise; against the output draws and 1 more"
    cites = ("agarwal2022",)

    against: Against = Against.INPUT
    change: Change = Change.WHOLE
    floor: float = 1e-6
    scale: Scale = Scale.EXPLAINED

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "floor", self.floor)
        for field, kind in (("against", Against), ("change", Change), ("scale", Scale)):
            if not isinstance(getattr(self, field), kind):
                got = f"{field}={getattr(self, field)!r}"
                raise InputError(f"{field} as a member of {kind.__name__} for RelativeStability", got)

    def flow(self, subject: Subject) -> Flow:
        copies = Copies(subject, self.noise, self.draws)
        if self.against is Against.OUTPUT:
            _check_output(subject, self.scale)
            owner = subject.every.repeat_interleave(self.draws)
            told = yield Ask(("noisy copies", self.noise, self.draws), owner, copies.points)
            full = yield from subject.at_x()
            below = (told[self.scale].reshape(len(subject), -1) - full[self.scale][:, None]).abs()
            lost, reason = ~below.isfinite().all(1), NO_SCORE
        else:
            x = flat(copies.x)
            below = torch.stack([self._relative(flat(copies.of(j)), x) for j in range(self.draws)], 1)
            lost, reason = (x == 0).all(1), ZERO_INPUT
        own = flat(subject.maps)
        above = torch.stack([self._relative(copies.maps(j), own) for j in range(self.draws)], 1)
        ratios, floored = above / below.clamp(min=self.floor), (below < self.floor).double().mean(1)
        notes = zip(copies.notes(copies.moves(), relative=True), lost.tolist(), strict=True)
        said = tuple(note or (reason if gone else "") for note, gone in notes)
        return self.judged(said, ratios.amax(1), ratios=ratios, floored=floored)

    def _relative(self, moved: Tensor, own: Tensor) -> Tensor:
        """The relative change of vectors `(N, V)`: `(N,)`."""
        whole = self.change is Change.WHOLE
        over = own.norm(dim=1, keepdim=True) if whole else torch.where(own == 0, self.floor, own)
        found: Tensor = ((moved - own) / over).norm(dim=1)
        return found


def split_ig_sensitivity() -> MaxSensitivity:
    """The sensitivity of Miglani et al. (2020): 10 draws of uniform noise of radius 0.05 on the normalised image."""
    return MaxSensitivity(UniformNoise(0.05), 10)


def _check_output(subject: Subject, scale: Scale) -> None:
    subject.check_scale(scale)
    if subject.at_site:
        remedy = "use against=Against.INPUT"
        raise InputError("a score without a site, for scores of noisy inputs", "one at a layer", remedy)
