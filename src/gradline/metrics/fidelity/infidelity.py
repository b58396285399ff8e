"""Infidelity: how badly a map, as a linear model of the score, predicts what perturbations do to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from gradline.core.baselines import Baseline, Zero
from gradline.errors import InputError
from gradline.metrics.asking import Ask
from gradline.metrics.base import Evaluation, Flow, Kind, Metric, check_count
from gradline.metrics.curves.sweep import check_scale, usual_fill
from gradline.metrics.fidelity.correlation import GRAIN, rounding
from gradline.metrics.fidelity.perturbations import BaselineSubset, GaussianNoise, Perturbations, Squares
from gradline.metrics.ranking import NOT_FINITE
from gradline.metrics.subject import Subject
from gradline.question.targets.scales import Scale

__all__ = ["BaselineSubset", "Form", "GaussianNoise", "Infidelity", "Perturbations", "Squares"]

VALUES_AT_ONCE = 2**22
"""Values of perturbations held at a time while maps are multiplied by them."""

NO_DROP = "no perturbation changes the score"
SAME_DROP = "all perturbations change the score alike"
NO_SCORE = "the score is not finite at x or at a perturbation"


class Form(StrEnum):
    """What is left of the drops Δ once the sums s = I·φ have explained them.

    `RAW`: E (s − Δ)², mostly the scale of the map. `SCALED`: min over β of E (β s − Δ)². `NORMALISED`: that over E Δ²,
    1 less the squared uncentred correlation. `CENTRED`: with an intercept, over the variance of Δ, 1 − r².
    """

    RAW = "raw"
    SCALED = "scale-optimal"
    NORMALISED = "normalised"
    CENTRED = "centred"


@dataclass(frozen=True)
class Infidelity(Metric):
    """E (s − Δ)² over perturbations I, Δ = f(x) − f(x − I) and s what the map predicts, or a scale-free form of it.

    s = Σ_i I_i φ_i for gradients and Σ_i I_i φ_i / (x_i − x'_i) for contributions; where x_i = x'_i the divisor is 1,
    as in Captum. A value that belongs to several features (a pixel's, for its channels) is shared equally by them.

    `perturbations`; `draws` of them an example, the same for all maps; `form` of the values; `baseline` x' of the maps
    (without it the method's own where that is known, else zero; features are put at it, or at zero);
    `fill` of squares (without one, a large blur for images, zero otherwise); `scale` of f. Parts: every form, `beta`,
    `correlation` r, the standard error of the raw form, and the chosen form on the logit and probability scales. A zero
    map, or one that predicts a single number, explains nothing: 1. β and r may be negative: a reversed map scores like
    the map.

    Yeh et al. (2019). Their code always takes the scale-optimal form; Captum takes the raw one. Without an intercept
    positive flat maps do well wherever most drops are positive: see `CENTRED`.
    """

    name = "infidelity"
    higher_is_better = False
    range = "0 to 1; raw and scale-optimal forms 0 to infinity, in squared units of the score"
    cost = "draws and 1, shared by all maps"
    cites = ("yeh2019",)
    needs = ("contributions",)

    perturbations: Perturbations = GaussianNoise()  # noqa: RUF009
    draws: int = 100
    form: Form = Form.NORMALISED
    baseline: Baseline | None = None
    fill: Baseline | None = None
    scale: Scale = Scale.EXPLAINED

    def __post_init__(self) -> None:
        check_count(self, "draws", self.draws, 2)
        check_scale(self, self.scale)
        if not isinstance(self.form, Form):
            raise InputError("form as one of gl.metrics.Form for Infidelity", repr(self.form))
        if not isinstance(self.perturbations, Perturbations):
            raise InputError(
                "perturbations such as gl.metrics.GaussianNoise() for Infidelity", repr(self.perturbations)
            )

    def flow(self, subject: Subject) -> Flow:
        subject.check_scale(self.scale)
        self.perturbations.check(subject.x)
        fill = usual_fill(self.fill, subject)
        start = subject.starts(subject.start_of_path(self.baseline)).mean(1)
        removed = self.baseline or Zero()
        drawn = _Drawn(subject, self.perturbations, self.draws, subject.fill(fill), subject.fill(removed), start)
        key = ("infidelity", self.perturbations, self.draws, fill, removed)
        told = yield Ask(key, subject.every.repeat_interleave(self.draws), drawn.points)
        full = yield from subject.at_x()
        sums, found = drawn.sums(drawn.weights()), {}
        for scale in {Scale.LOGIT, Scale.PROBABILITY, self.scale} & set(told):
            drops = full[scale][:, None] - told[scale].reshape(len(subject), -1)
            found[scale] = _forms(sums, drops, rounding(full[scale][:, None] - drops, subject.x.dtype))
        parts = {name: part for name, part in found[self.scale].items() if name not in ("size", "spread", "grain")}
        parts |= {s.value: found[s][self.form.value] for s in (Scale.LOGIT, Scale.PROBABILITY) if s in found}
        notes = self._notes(subject, found[self.scale])
        return Evaluation(self, parts[self.form.value], parts=parts, notes=notes, settings=self._said(fill, subject))

    def _notes(self, subject: Subject, found: dict[str, Tensor]) -> tuple[str, ...]:
        """Why an example has no value."""
        notes = []
        for i, missing in enumerate(found[self.form.value].isnan().tolist()):
            if not missing:
                notes.append("")
            elif not bool(subject.maps[i].isfinite().all()):
                notes.append(NOT_FINITE)
            elif not bool(found["size"][i].isfinite()):
                notes.append(NO_SCORE)
            else:
                notes.append(NO_DROP if found["size"][i] <= found["grain"][i] else SAME_DROP)
        return tuple(notes)

    def _said(self, fill: Baseline, subject: Subject) -> str:
        filled = f", fill {fill!r}" if isinstance(self.perturbations, Squares) else ""
        said = f"{self.form.value} form, {self.perturbations!r}, {self.draws} draws, {self.scale.value}"
        return f"{said}, {subject.kind} maps from {subject.start_of_path(self.baseline)!r}{filled}"


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The perturbations of the examples, made anew from their keys whenever they are wanted."""

    subject: Subject
    perturbations: Perturbations
    draws: int
    fill: Tensor
    baseline: Tensor
    start: Tensor

    def points(self, rows: Tensor) -> Tensor:
        """Perturbed examples `(r, *F)`, example by example, draw by draw."""
        return torch.stack([self._one(*divmod(row, self.draws)) for row in rows.tolist()])

    def _one(self, example: int, draw: int) -> Tensor:
        x, source = self.subject.x[example].detach(), self.subject.generator(example, "infidelity", draw)
        found = self.perturbations.perturbed(x, self.fill[example], self.baseline[example], source)
        if found.shape != x.shape or found.dtype != x.dtype:
            part = f"{type(self.perturbations).__name__}.perturbed"
            raise InputError(
                f"{tuple(x.shape)} of {x.dtype}, like x, from {part}", f"{tuple(found.shape)} of {found.dtype}"
            )
        return found

    def weights(self) -> Tensor:
        """What each unit of a perturbation does to the score by the map: float64 `(N, *F)` on the CPU."""
        subject = self.subject
        shared = subject.x[0].numel() // subject.maps[0].numel()
        maps = (subject.maps.cpu() / shared).expand(subject.x.shape)
        if subject.kind is Kind.GRADIENT:
            return maps
        chord = subject.x.detach().cpu().double() - self.start.cpu().double()
        return maps / torch.where(chord == 0, 1.0, chord)

    def sums(self, weights: Tensor) -> Tensor:
        """I · weights for every draw: float64 `(N, draws)`."""
        found = []
        for i, x in enumerate(self.subject.x.detach().cpu().double()):
            at_once = max(1, VALUES_AT_ONCE // max(1, x.numel()))
            for rows in torch.split(torch.arange(i * self.draws, (i + 1) * self.draws), at_once):
                moved = x - self.points(rows).cpu().double()
                found.append(moved.flatten(1) @ weights[i].flatten())
        return torch.cat(found).reshape(len(self.subject), self.draws)


def _forms(sums: Tensor, drops: Tensor, grain: Tensor) -> dict[str, Tensor]:
    """Every form, `(N,)`, from sums and drops `(N, n)`; drops within `grain (N,)` of each other are the same."""
    drops = torch.where(drops.isfinite(), drops, torch.nan)
    lost = (sums - drops) ** 2
    beta, scaled = _explained(sums, drops)
    around, middle = sums - sums.mean(1, keepdim=True), drops - drops.mean(1, keepdim=True)
    flat = around.abs().amax(1) <= GRAIN * sums.abs().amax(1)
    _, left = _explained(torch.where(flat[:, None], 0.0, around), middle)
    size, spread = drops.abs().amax(1), middle.abs().amax(1)
    nan = torch.full_like(size, torch.nan)
    r = (around * middle).sum(1) / (around.norm(dim=1) * middle.norm(dim=1))
    return {
        "raw": lost.mean(1),
        "scale-optimal": scaled,
        "normalised": torch.where(size > grain, scaled / (drops**2).mean(1), nan),
        "centred": torch.where(spread > grain, left / (middle**2).mean(1), nan),
        "beta": beta,
        "correlation": torch.where((spread > grain) & ~flat, r, nan),
        "raw standard error": lost.std(1) / lost.shape[1] ** 0.5,
        "size": size,
        "spread": spread,
        "grain": grain,
    }


def _explained(sums: Tensor, drops: Tensor) -> tuple[Tensor, Tensor]:
    """The best factor of the sums, 0 if they are all zero, and the mean squared drop it leaves: `(N,)` each."""
    power = (sums**2).sum(1)
    beta = torch.where(power == 0, 0.0, (sums * drops).sum(1) / torch.where(power == 0, 1.0, power))
    return beta, ((beta[:, None] * sums - drops) ** 2).mean(1)
