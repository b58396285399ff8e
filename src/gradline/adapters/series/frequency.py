"""What frequencies contribute: the path is the same, its values are those of Fourier coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gradline.adapters.series.axes import channels_first, in_axes
from gradline.adapters.series.case import SeriesCase, series_case
from gradline.adapters.series.explain import shown, start_of
from gradline.adapters.series.fourier import Fourier
from gradline.adapters.series.model import SeriesModel
from gradline.adapters.series.recipe import python_call
from gradline.adapters.series.targets import Forecast
from gradline.core.baselines import Baseline, Each, Group, Search
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.errors import BaselineError, InputError
from gradline.methods import integrated_gradients
from gradline.question import Score
from gradline.question.targets import TargetLike
from gradline.report.series import Series, Spectrum
from gradline.result import Attribution
from gradline.result.provenance import model_digest, model_name

LENGTHS = "gradline_lengths"
"""The argument by which the wrapped model hears how long each series is."""


def frequencies(
    series: Any,
    *,
    model: SeriesModel,
    target: TargetLike | str | Forecast = None,
    method: Method | None = None,
    baseline: object = None,
    window: int | None = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution:
    """Explain what the frequencies of series contribute: values `(N, C, K, 2)`, of the real and the imaginary part of
    each coefficient k = 0 … ⌊T/2⌋ of each channel.

    The inverse transform is linear, so the straight path of the samples is the straight path of the coefficients. With
    G the gradient's mean on it and Δ = x − x', coefficient k contributes

        A_k = (c_k / T) Re(conj(Ĝ_k) Δ̂_k),    Σ_k A_k = ⟨G, Δ⟩ = F(x) − F(x'),

    ^ the Fourier transform; c_k = 2, as k stands for its conjugate too, but 1 for the mean (k = 0) and, with T even,
    k = T/2 (Parseval). `a.sum(3)` is A_k. How it is split between both parts hangs on where time begins, A_k does not.
    `window`: an even number of samples; then short-time coefficients `(N, C, W, K, 2)`, see `Fourier`. What is beyond a
    shorter series' own coefficients is 0. The rest as in `explain_series`; `baseline`: of samples, as there.

    Raises `InputError` and its kinds, also for samples at uneven times; `ModelError`, `MemoryBudgetError`.
    """
    case = series_case(series, model, names)
    if model.times is not None:
        raise InputError("samples at even times for frequencies", "times=", "resample, and give rate= instead")
    transform = Fourier(window)
    wanted = case.target(target)
    chosen = integrated_gradients() if method is None else method
    start = start_of(case, chosen, baseline)
    a = attribute(
        Score(InTime(case, transform), wanted, context=case.context | {LENGTHS: torch.tensor(case.lengths)}),
        coefficients(case, case.x, transform),
        chosen,
        baseline=None if start is None else InFrequencies(start, case, transform),
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        names=case.names,
        seed=seed,
        memory=memory,
        progress=progress,
    )
    about = {"site": "Fourier coefficients of the input", "model": model_name(model.model)}
    a = replace(a, provenance={**a.provenance, **about, "model_digest": model_digest(model.model)})
    python = python_call(
        "gl.series.frequencies",
        target=target,
        method=method,
        baseline=baseline,
        window=window,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        memory=memory,
        seed=seed,
    )
    return _with_spectra(shown(case, a, target=target, start=start, seed=seed, python=python), case, transform)


class InTime(nn.Module):
    """The user's model behind the inverse transform: maps coefficients `(R, C, …, 2)` to the model's output."""

    def __init__(self, case: SeriesCase, transform: Fourier) -> None:
        super().__init__()
        self.training = False
        self.inner, self.transform = case.model.model, transform
        self.layout, self.longest, self.dtype = case.model.layout, max(case.lengths), case.x.dtype

    def forward(self, z: Tensor, **context: Tensor) -> Any:
        lengths = context.pop(LENGTHS)
        x = z.new_zeros((len(z), z.shape[1], self.longest))
        for length in sorted(set(lengths.tolist())):
            rows = (lengths == length).nonzero()[:, 0].to(z.device)
            own = self.transform.series(z[rows], length)
            x = x.index_put((rows,), torch.nn.functional.pad(own, (0, self.longest - length)))
        return self.inner(in_axes(x, self.layout).to(self.dtype), **context)


@dataclass(frozen=True, eq=False, repr=False)
class InFrequencies(Baseline):
    """The coefficients of starts in time."""

    part: Baseline
    case: SeriesCase
    transform: Fourier

    def __repr__(self) -> str:
        return repr(self.part)

    def __post_init__(self) -> None:
        for one in self.part.parts if isinstance(self.part, Each) else (self.part,):
            if isinstance(one, Search) or one.at_site or one.names:
                raise BaselineError("a start in time for frequencies", repr(one)[:80], "use another baseline")

    @property
    def draws(self) -> int:
        return self.part.draws

    @property
    def random(self) -> bool:
        return self.part.random

    def check(self, x: Tensor) -> None:
        self.part.check(self.case.x)

    def start(self, group: Group) -> Tensor:
        own = self.case.x[group.rows.to(self.case.x.device)]
        starts = self.part.start(replace(group, x=own))
        rows = group.rows.tolist()
        found = [coefficients(self.case, starts[:, k], self.transform, rows) for k in range(starts.shape[1])]
        return torch.stack(found, 1).to(group.x)


def coefficients(case: SeriesCase, x: Tensor, transform: Fourier, rows: Sequence[int] | None = None) -> Tensor:
    """Of a batch x in the model's layout, each series without its padding: `(N, C, …, 2)`, zeros beyond the shorter.

    `rows`: which of the case's series these are; all of them.
    """
    wide = channels_first(x, case.model.layout)
    wide = wide.to(torch.promote_types(x.dtype, torch.float32))
    shape = transform.coefficients(wide[:1, :, : max(case.lengths)]).shape[1:]
    found = wide.new_zeros((len(x), *shape))
    for k, row in enumerate(range(len(x)) if rows is None else rows):
        own = transform.coefficients(wide[k, :, : case.lengths[row]])
        found[k][tuple(slice(size) for size in own.shape)] = own
    return found


def _with_spectra(a: Attribution, case: SeriesCase, transform: Fourier) -> Attribution:
    rate, found = case.model.rate, []
    for one in a.shown:
        assert isinstance(one, Series)
        length = len(one.times)
        places, unit = transform.frequencies(length, rate)
        centres = None
        if transform.window is not None:
            centres = np_centres(transform.windows(length), transform.window // 2, rate)
        amplitude = transform.amplitude(torch.from_numpy(one.values))
        found.append(replace(one, spectrum=Spectrum(places, unit, amplitude, centres)))
    return replace(a, shown=tuple(found))


def np_centres(count: int, hop: int, rate: float | None) -> Any:
    """Times of the middles of windows, from the first sample on."""
    return torch.arange(count, dtype=torch.float64, device="cpu").mul(hop).div(rate or 1.0).numpy()
