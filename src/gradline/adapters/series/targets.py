"""What of a model of series is explained, where its output is a forecast."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from gradline.adapters.series.model import SeriesModel
from gradline.errors import TargetError
from gradline.plots.samples import Layout
from gradline.question.targets import Element


@dataclass(frozen=True)
class Forecast:
    """One number of a forecast: a variable, some steps ahead.

    `ahead`: 1 is the first step behind the series. `variable`: its name in the model's `outputs`, or its place from 0;
    not needed for a single one. The output has the axes of the model's layout: `(N, variables, steps)` channels first,
    `(N, steps, variables)` time first, `(N, steps)` time only, or where `variable` is None. `gl.Element` explains a
    number of any other output.
    """

    ahead: int = 1
    variable: str | int | None = None

    def element(self, model: SeriesModel) -> Element:
        """The place in the output. Raises `TargetError`."""
        if isinstance(self.ahead, bool) or not isinstance(self.ahead, Integral) or self.ahead < 1:
            raise TargetError("ahead as a whole number of steps from 1", repr(self.ahead))
        step = int(self.ahead) - 1
        if self.variable is None:
            return Element(step)
        place = self._place(model)
        return Element(place, step) if model.layout is Layout.CHANNELS_FIRST else Element(step, place)

    def title(self, model: SeriesModel) -> str:
        """In words: "load, 3 steps ahead"."""
        steps = f"{self.ahead} step{'s' * (self.ahead > 1)} ahead"
        names = model.outputs or model.channels
        if self.variable is None:
            return f"forecast, {steps}"
        place = self._place(model)
        return f"{names[place] if place < len(names) else f'variable {place}'}, {steps}"

    def _place(self, model: SeriesModel) -> int:
        names = model.outputs or model.channels
        if not isinstance(self.variable, str):
            return int(self.variable or 0)
        if self.variable not in names:
            raise TargetError(f"a variable: {', '.join(names)}", repr(self.variable))
        return names.index(self.variable)
