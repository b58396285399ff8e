"""A few examples of a call looked at closely, before any path is walked: what the doctor does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gradline.engine.call import Call
from gradline.engine.honesty import OnePath, jump, missed, wrong_slope
from gradline.engine.precision import HALF, is_half, measure_noise
from gradline.engine.remarks import about_target
from gradline.errors import GradlineError
from gradline.question.trace import Watch, address, first_bad_gradient, first_nonfinite, trusted, watch, watching
from gradline.question.trees import tensors
from gradline.result.finding import KINDS, Finding, low_precision
from gradline.result.spelling import percent

PLACES = {"x": 1.0, "halfway": 0.5, "the baseline": 0.0}

BETWEEN = tuple((k + 0.5) / 8 for k in range(8))
"""Where else a gradient is looked for that is zero at all places."""


class Checkup:
    """What can be said of `call` from the examples `rows (B,)`.

    `scores`, `grads`: F `(T, B)` and its gradients, for each target `(B, *G)`, at each place; no gradients where there
    are none. `failed`: checks that could not be made, with the reason.
    """

    def __init__(self, call: Call, rows: Tensor, *, differentiable: bool = True) -> None:
        self.call, self.rows, self.answerer, self.bound = call, rows, call.answerer, call.score
        self.differentiable = differentiable
        self.start, self.end = self._ends(rows)
        self.points = {name: self._at(t) for name, t in PLACES.items()}
        self.scores = {n: torch.stack(self.answerer.values(p, rows, call.targets)) for n, p in self.points.items()}
        self.grads: dict[str, list[Tensor]] = {}
        self.failed: list[tuple[str, str]] = []
        self.seen = Watch()
        self.dead = False

    def findings(self) -> list[Finding]:
        """Everything that was found. A check that fails is noted, and the others are made all the same."""
        found: list[Finding] = []
        checks: dict[str, Callable[[], list[Finding]]] = {
            "finite": self._nonfinite,
            "gradients": self._gradients,
            "derivative": self._honest,
            "in place": self._in_place,
            "rows": self._rows,
            "chance": self._chance,
            "precision": self._precision,
            "targets": self._targets,
        }
        for name, check in checks.items():
            try:
                found += check()
            except Exception as error:
                self.failed.append((name, f"{type(error).__name__}: {error}"))
        return found

    # ------------------------------------------------------------------------------------------------ numbers

    def _nonfinite(self) -> list[Finding]:
        bad = {name: ~torch.isfinite(score) for name, score in self.scores.items()}
        bad["x"] = ~torch.isfinite(self.call.aims.score)
        for name, where in bad.items():
            if where.any():
                examples = tuple(where.any(0).nonzero()[:, 0].tolist())
                row = torch.tensor(examples[:1], device="cpu")
                reason = first_nonfinite(partial(self._scalars, self._at(PLACES[name], row), row), self.bound.model)
                value = (self.call.aims.score if name == "x" else self.scores[name])[where][0]
                said = f"the score at {name} is {value:.3g}" + (f"; {reason}" if reason else "")
                return [KINDS["GL109"].found(said, examples if len(examples) < bad["x"].shape[1] else ())]
        return []

    def _scalars(self, points: Tensor, owner: Tensor) -> list[Tensor]:
        forward = self.bound.forward(points.clone(), owner, self.call.targets)
        return [self.bound.picked(t, forward, owner) for t in self.call.targets]

    def _at(self, t: float, rows: Tensor | None = None) -> Tensor:
        """Points of the paths at t, those of the examples looked at or of `rows (b,)`."""
        start, end = (self.start, self.end) if rows is None else self._ends(rows)
        return torch.lerp(start.to(self.answerer.working), end.to(self.answerer.working), t).to(self.answerer.dtype)

    def _ends(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Where the (first) paths of the examples `rows (b,)` start and end: `(b, *F)` each."""
        starts, _ = self.call.ground(rows)
        return starts[:, 0], self.call.ends[rows.to(self.call.ends.device)]

    # ------------------------------------------------------------------------------------------------ gradients

    def _gradients(self) -> list[Finding]:
        leaf = self.points["halfway"][:1].detach().clone().requires_grad_()
        self.seen = watch(lambda: self._scalars(leaf, self.rows[:1]), self.bound.model)
        if not self.differentiable:
            return []
        try:
            read = {n: self.answerer.gradients(p, self.rows, self.call.targets).grad for n, p in self.points.items()}
        except GradlineError as error:
            return [self.without_gradient(error)]
        self.grads = {name: grad for name, grad in read.items() if torch.isfinite(self.scores[name]).all()}
        if any(not torch.isfinite(g).all() for n in ("x", "halfway") for g in self.grads.get(n, [])):
            return [self._bad_gradient()] if len(self.grads) == len(read) else []
        return [f for place in range(len(self.call.targets)) for f in self._zero(place)] if self.grads else []

    def without_gradient(self, error: GradlineError) -> Finding:
        """The gradient could not be had: because of what?"""
        text = str(error.__cause__ or error).split("Hint:")[0].strip()
        if "in-place" in text or "inplace" in text:
            needed = re.search(r"output \d+ of (\w+)", text)
            ours = [place for _, place, maker in self.seen.written if needed is None or maker == needed[1]]
            said = trusted(list(dict.fromkeys(ours or [place for _, place, _ in self.seen.written])))
            return KINDS["GL105"].found(f"the backward pass fails: {text}" + (f"; written by {said}" if said else ""))
        cuts = [*self.seen.cuts, *self.seen.flat] or self.seen.comparisons
        if error.__cause__ is not None:
            return KINDS["GL104"].found(f"the gradient fails: {text}" + (f"; on the way: {trusted(cuts)}" * bool(cuts)))
        if cuts:
            return KINDS["GL104"].found(f"no gradient reaches x: the path is cut by {trusted(cuts)}")
        return KINDS["GL104"].found("no gradient reaches x, and no cut was seen: the score may not use x at all")

    def _bad_gradient(self) -> Finding:
        name = next(n for n in ("x", "halfway") if any(not torch.isfinite(g).all() for g in self.grads.get(n, [])))
        place = next(k for k, g in enumerate(self.grads[name]) if not torch.isfinite(g).all())
        bad = (~torch.isfinite(self.grads[name][place])).flatten(1).any(1).nonzero()[:1, 0].cpu()

        def run() -> tuple[Tensor, Tensor]:
            leaf = self.points[name][bad.to(self.end.device)].detach().clone().requires_grad_()
            return leaf, self._scalars(leaf, self.rows[bad])[place].sum()

        made = first_bad_gradient(run, self.bound.model)
        said = f"the score at {name} is finite, and its gradient is not" + (
            f": that of {made} is the first" * bool(made)
        )
        return KINDS["GL109"].found(said, (int(self.rows[bad]),))

    def _zero(self, place: int) -> list[Finding]:
        """Examples whose gradient is zero wherever it was read."""
        zero = ~torch.stack([g[place].flatten(1).any(1) for g in self.grads.values()]).any(0).cpu()
        scores = torch.stack([self.scores[name][place] for name in self.grads])
        same = (scores == scores[:1]).all(0)
        if not zero.all():
            still = tuple(self.rows[zero & same].tolist())
            return [KINDS["GL108"].found("gradient and change of the score are zero at all places", still)] * bool(
                still
            )
        path, t = self._path(place), torch.tensor(BETWEEN, dtype=torch.float64, device="cpu")
        if path.slopes(t).any():
            return []
        self.dead = True
        moves = not same.all() or bool(path.values(t).diff().any())
        cuts = [*self.seen.cuts, *self.seen.flat] or self.seen.comparisons * moves
        if not (cuts or moves):
            return [KINDS["GL108"].found()]
        change = "though the score changes" if moves else "and the score stays the same"
        behind = f"; on the way stand {trusted(cuts)}" if cuts else ", by what could not be seen"
        return [KINDS["GL104"].found(f"the gradient is zero wherever it was read, {change}{behind}")]

    def _honest(self) -> list[Finding]:
        """A gradient that is there, and not the score's."""
        if not self.grads or self.dead:
            return []
        path, cuts = self._path(0), [*self.seen.cuts, *self.seen.flat]
        behind = f"; on the way stand {trusted(cuts or self.seen.comparisons)}" if cuts or self.seen.comparisons else ""
        if said := wrong_slope(path):
            return [KINDS["GL113"].found(said + behind)]
        if self.answerer.dtype in HALF or not behind:
            return []
        said = jump(path.values, torch.finfo(self.answerer.dtype).eps) or (missed(path) if cuts else "")
        return [KINDS["GL104"].found(said + behind)] if said else []

    def _path(self, place: int) -> OnePath:
        """The path of the first example, for a target."""
        return OnePath(self.answerer, self.call.targets[place], self.start[:1], self.end[:1], self.rows[:1])

    # ------------------------------------------------------------------------------------------------ the model

    def _in_place(self) -> list[Finding]:
        """The model writes into what it is given."""
        written: list[str] = []
        model = self.bound.model

        def spy(*args: Any, **named: Any) -> Any:
            given = [(path, t, t.clone(), t._version) for path, t in tensors([list(args), named])]
            with watching(model) as seen:
                output = model(*args, **named)
            for path, tensor, before, version in given:
                if tensor._version != version or not torch.equal(tensor, before):
                    by = [place for where, place, _ in seen.written if where == address(tensor)]
                    written.append(f"argument {path[1]!r}" + (f" ({by[0]})" if by else ""))
            return output

        score = replace(self.bound, model=spy)
        with torch.no_grad():
            score.forward(self.points["x"][:1].clone(), self.rows[:1], self.call.targets)
        return [KINDS["GL105"].found(f"the model writes into {', '.join(written)}")] if written else []

    def _rows(self) -> list[Finding]:
        """The gradient of one row's score by another row's input is zero to the last bit where rows are independent."""
        known = any(f.code in ("GL102", "GL103", "GL112") for f in self.call.findings)
        if known or not self.grads:
            return []
        owner = self.rows[:1].repeat(2)
        leaf = torch.cat([self.points["halfway"][:1], self.points["x"][:1]]).detach().clone().requires_grad_()
        (grad,) = torch.autograd.grad(self._scalars(leaf, owner)[0][0], leaf, allow_unused=True)
        if grad is None or not torch.isfinite(grad).all() or not grad[1].any():
            return []
        share = percent(float(grad[1].double().norm() / grad.double().norm()))
        return [KINDS["GL102"].found(f"a row's score has a gradient by another row's input, {share} of its own")]

    def _chance(self) -> list[Finding]:
        """The same row twice."""
        if any(f.code == "GL112" for f in self.call.findings):
            return []
        one, two = (torch.stack(self._alone()) for _ in range(2))
        change, size = float((one - two).abs().max()), float(one.abs().max())
        if not change > 64 * torch.finfo(self.answerer.dtype).eps * size:
            return []
        return [
            KINDS["GL112"].found(
                f"the score changed by {change / size:.2g} of its size from one evaluation to the next"
            )
        ]

    def _alone(self) -> list[Tensor]:
        return self.answerer.values(self.points["x"][:1], self.rows[:1], self.call.targets)

    def _precision(self) -> list[Finding]:
        if self.answerer.dtype not in HALF and not is_half(self.bound.model):
            if not self.seen.halves:
                return []
            return [
                low_precision(
                    (), f"x is {_plain(self.answerer.dtype)}, and {self.seen.halves[0]} returns half precision"
                )
            ]
        if not self.differentiable:
            return [low_precision((), "what it does to the map was not measured, since there is no gradient")]
        ends = self.start, self.end
        noise = measure_noise(self.answerer, self.call.targets, self.call.method.accumulator, ends, self.rows)
        said = "what it does to the map could not be measured: no float32 copy of the model runs"
        return [low_precision((), said if noise is None else noise.in_words())]

    def _targets(self) -> list[Finding]:
        pairs = zip(self.call.targets, self.call.aims.score, strict=True)
        return [f for target, score in pairs for f in about_target(target, score)]


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
