"""The attribution: values, and the proof that goes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradline.errors import StorageError
from gradline.result.finding import Finding
from gradline.result.shown import Shown
from gradline.result.structure import Structured, mapped
from gradline.status import Status

PICTURES = (".html", ".png", ".svg", ".pdf")
"""Suffixes of files that show an attribution."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What was seen along the path of one example: float64 arrays `(n,)`, ascending in t.

    `t`: position, 0 at the baseline and 1 at the input. `weight`: share of the path, sums to one. `score`: F there.
    `gradient_norm`: L2 norm of the gradient of F with respect to the input.
    """

    t: np.ndarray
    weight: np.ndarray
    score: np.ndarray
    gradient_norm: np.ndarray


@dataclass(frozen=True, eq=False)
class Attribution:
    """Contributions of the input's features to a score, with what is known of their accuracy.

    `values (N, *F)`: on x's device, float32 (float64 for a float64 model), detached; at a layer, in its shape; a tuple
    or dict of tensors where x is one, with None for entries that are held. Float64 `(N,)`: `score` F(x);
    `baseline_score` F(x'), the mean over several baselines, None without one; `completeness_gap` the sum of the values
    minus what they should add up to, None where the method makes no claim (it is *not* an error bar);
    `error_estimate` estimated relative L2 error of the map, NaN for rows without one, None if the method has none.
    `evaluations`, `forward_evaluations` int64 `(N,)`: gradient rows and forward-only rows (pushes too) spent on each
    example; F(x), F(x') and what checks the model are in neither. For each example: `status`; `names`; `explained`, the
    target in words.
    `curve[i]`: what was seen along the path of example i (its first, if several baselines are averaged).
    `parts`, `details`: what particular methods add, tensors `(N, …)` and lists with an entry for each example.
    `findings`: numbered remarks. `provenance`: how it was made.
    `shown`: what each example looks like, from an adapter that knows (a photo, a text, a row); empty from bare tensors.
    It makes the report, and is not saved.
    """

    values: Structured
    score: Tensor
    baseline_score: Tensor | None
    completeness_gap: Tensor | None
    error_estimate: Tensor | None
    evaluations: Tensor
    forward_evaluations: Tensor
    status: tuple[Status, ...]
    names: tuple[str, ...]
    explained: tuple[str, ...]
    curve: tuple[Curve, ...]
    findings: tuple[Finding, ...] = ()
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    shown: tuple[Shown, ...] = ()

    def __len__(self) -> int:
        return len(self.status)

    def __getitem__(self, index: int | slice) -> Attribution:
        """Some of the examples; the batch axis stays."""
        chosen = list(range(len(self))[index]) if isinstance(index, slice) else [range(len(self))[index]]

        def rows(t: Tensor) -> Tensor:
            return t[torch.tensor(chosen, dtype=torch.int64, device=t.device)]

        def maybe(t: Tensor | None) -> Tensor | None:
            return None if t is None else rows(t)

        findings = []
        for f in self.findings:
            concerned = tuple(chosen.index(e) for e in f.examples if e in chosen)
            if concerned or not f.examples:
                findings.append(replace(f, examples=concerned))
        return replace(
            self,
            values=mapped(rows, self.values),
            score=rows(self.score),
            baseline_score=maybe(self.baseline_score),
            completeness_gap=maybe(self.completeness_gap),
            error_estimate=maybe(self.error_estimate),
            evaluations=rows(self.evaluations),
            forward_evaluations=rows(self.forward_evaluations),
            status=tuple(self.status[i] for i in chosen),
            names=tuple(self.names[i] for i in chosen),
            explained=tuple(self.explained[i] for i in chosen),
            curve=tuple(self.curve[i] for i in chosen),
            findings=tuple(findings),
            parts={k: rows(v) for k, v in self.parts.items()},
            details={k: [v[i] for i in chosen] for k, v in self.details.items()},
            shown=tuple(self.shown[i] for i in chosen) if self.shown else (),
        )

    def sum(self, dim: int | tuple[int, ...]) -> Structured:
        """The values summed over axes, such as `sum(1)` over the channels of images; each entry, if x has several."""
        return mapped(lambda v: v.sum(dim), self.values)

    def to(self, device: torch.device | str) -> Attribution:
        """The same with values and parts on another device."""
        parts = {k: v.to(device) for k, v in self.parts.items()}
        return replace(self, values=mapped(lambda v: v.to(device), self.values), parts=parts)

    def save(self, path: str | Path) -> Path:
        """Write a file by its suffix: `.safetensors` holds everything and is read back by `gl.load`; of one example
        that was made from a photo, a text, a row or a series also `.html`, the report, and `.png`, `.svg`, `.pdf`, a
        figure.

        Nothing half written is left: a temporary name, then a rename. Raises `StorageError`, `MissingExtra`.
        """
        from gradline.result.storage import save

        path = Path(path)
        if path.suffix == ".safetensors":
            return save(self, path)
        if path.suffix not in PICTURES:
            known = ", ".join((".safetensors", *PICTURES))
            raise StorageError(f"expected a file name that ends in {known}; got {path.name!r}")
        if len(self.shown) != 1:
            has = f"{len(self)} examples: save a[0], a[1], …" if self.shown else "made from tensors: see gl.plots"
            what = "one photo, text, row or series (gl.explain_image, …)"
            raise StorageError(f"{path.suffix} shows {what}; this is {has}")
        return self.shown[0].write(self, path)

    def __repr__(self) -> str:
        from gradline.result.card import text_card

        return text_card(self)

    def _repr_html_(self) -> str:
        from gradline.result.card import html_card

        return self.shown[0].html(self) if len(self.shown) == 1 else html_card(self)
