"""The leaderboard: what metrics say of methods over the same examples, and what of it can be relied on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from gradline.errors import InputError, MissingExtra, StorageError
from gradline.evaluation.standing import Agreement, Difference, Placed, Standing, agreement, standing
from gradline.metrics.base import Evaluation, Metric

FILES = (".html", ".md", ".csv", ".parquet", ".json", ".png", ".svg", ".pdf")
"""Suffixes of files that a leaderboard can be written to."""


@dataclass(frozen=True, eq=False)
class MeanCurve:
    """The curve behind a metric, averaged over examples: `values (K,)` over `axis (K,)`."""

    axis: Tensor
    values: Tensor


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Methods × metrics × examples.

    `names`: of the examples. `metrics`: by name. `evaluations[method][metric]`: what a metric says of a method's maps,
    one value an example, NaN with a note where there is none. `controls`: the methods that are none, the first of them
    chance. `explained`: the target of each example in words. `provenance`: how it was made. `seed`: of the bootstrap
    too. `unsound`: how many maps of a method did not become what was asked for, those that have such. `at_home`: by
    metric the methods whose path starts where it fills. `command`, `python`: what repeats it. The maps themselves are
    not kept.
    """

    names: tuple[str, ...]
    metrics: Mapping[str, Metric]
    evaluations: Mapping[str, Mapping[str, Evaluation]]
    controls: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    unsound: Mapping[str, int] = field(default_factory=dict)
    at_home: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    command: str = ""
    python: str = ""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def methods(self) -> tuple[str, ...]:
        """Who was judged, the controls last."""
        return tuple(self.evaluations)

    @cached_property
    def table(self) -> tuple[dict[str, Any], ...]:
        """One row a method, metric and example, JSON-ready: `method`, `metric`, `example`, `value` (None where there is
        none), `note`, `control`."""
        return tuple(
            {
                "method": method,
                "metric": metric,
                "example": self.names[i],
                "value": value if math.isfinite(value) else None,
                "note": found.notes[i] if found.notes else "",
                "control": method in self.controls,
            }
            for method, row in self.evaluations.items()
            for metric, found in row.items()
            for i, value in enumerate(found.values.tolist())
        )

    # ------------------------------------------------------------------------------------------------ what follows

    def standing(self, metric: str) -> Standing:
        """Everything that follows for one metric. Raises `InputError` if it is not on the board."""
        if metric not in self.metrics:
            raise InputError(f"a metric out of {', '.join(self.metrics)}", repr(metric))
        return self._standings[metric]

    def ranking(self, metric: str) -> tuple[Placed, ...]:
        """The methods with mean, interval and rank, the best first."""
        return self.standing(metric).placed

    def differences(self, metric: str) -> tuple[Difference, ...]:
        """Every pair of methods: how far apart they are, and whether that is real."""
        return self.standing(metric).differences

    def agreement(self, *, controls: bool = True) -> Agreement:
        """How far the metrics order the methods alike; `controls`: they count among the methods."""
        values = {
            metric: {m: row[metric].values for m, row in self.evaluations.items() if controls or m not in self.controls}
            for metric in self.metrics
        }
        return agreement(values, {name: metric.higher_is_better for name, metric in self.metrics.items()})

    def curves(self, metric: str) -> dict[str, MeanCurve]:
        """The mean curve of each method that has one, over the examples where it has a value."""
        found = {}
        for method, row in self.evaluations.items():
            evaluation = row[metric]
            if evaluation.curve is None or evaluation.axis is None:
                continue
            known = evaluation.curve[evaluation.values.isfinite()]
            if len(known):
                found[method] = MeanCurve(evaluation.axis.double(), known.double().nanmean(0))
        return found

    @cached_property
    def _standings(self) -> dict[str, Standing]:
        return {metric: self._standing(metric) for metric in self.metrics}

    def _standing(self, metric: str) -> Standing:
        found = {method: row[metric] for method, row in self.evaluations.items()}
        return standing(
            metric,
            {method: one.values for method, one in found.items()},
            higher_is_better=self.metrics[metric].higher_is_better,
            controls=self.controls,
            reasons={method: next((note for note in one.notes if note), "") for method, one in found.items()},
            settings={method: one.settings or one.metric.settings for method, one in found.items()},
            at_home=self.at_home.get(metric, ()),
            seed=self.seed,
        )

    # ------------------------------------------------------------------------------------------------ shown and kept

    def save(self, path: str | Path) -> Path:
        """Write a file by its suffix: `.html`, a page; `.md`, the rankings; `.csv` and `.parquet`, a row a method,
        metric and example; `.json`, everything; `.png`, `.svg`, `.pdf`, a figure.

        Nothing half written is left. Raises `StorageError`, `MissingExtra`.
        """
        from gradline.evaluation import tables

        path = Path(path)
        match path.suffix:
            case ".html":
                from gradline.report.standing import write_leaderboard

                return write_leaderboard(self, path)
            case ".png" | ".svg" | ".pdf":
                from gradline import plots

                return plots.write_figure(plots.leaderboard(self), path)
            case ".md" | ".csv" | ".parquet" | ".json":
                return tables.write(self, path)
        raise StorageError(f"expected a file name that ends in {', '.join(FILES)}; got {path.name!r}")

    def __repr__(self) -> str:
        from gradline.evaluation.tables import text

        return text(self)

    def _repr_html_(self) -> str:
        from html import escape

        try:
            from gradline.report.standing import fragment

            return fragment(self)
        except MissingExtra:
            return f"<pre>{escape(repr(self))}</pre>"
