"""What a large model was asked in a call and what it said: the call again, without the model.

A transcript holds the ends of the paths, and the score and the gradient at every point that was read, in full
precision. `replay` runs the present code on it: the same answer as long as it asks the same questions, `NewQuestion`
where it asks another. So a change of the tolerance controller is seen on real networks that need not be there.

>>> transcript = record(gl.Score(model, 5), x, tol=0.1)          # doctest: +SKIP
>>> transcript.save("espresso.safetensors")                      # doctest: +SKIP
>>> Transcript.load("espresso.safetensors").replay()             # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any

import torch
from torch import Tensor

from gradline.core.accumulators import SumLaw
from gradline.core.flow import Flow, Frame, Need, Probe, Reading
from gradline.core.method import Method
from gradline.core.paths import Budget, Path
from gradline.core.rules import RULES, Rule
from gradline.engine import attribute
from gradline.errors import InputError, MissingExtra, ModelError, StorageError
from gradline.methods import by_name, integrated_gradients
from gradline.question.score import Score
from gradline.result import Attribution
from gradline.result.storage import write_atomically
from gradline.testing.recall import Known, NewQuestion, Remembered, Started, marks

FORMAT = "gradline-transcript-1"


@dataclass(frozen=True, eq=False)
class Transcript:
    """A call of `attribute` on N examples, in the space where its paths were driven.

    `ends (N, *F)`, `end_score (N,)`; `starts (N, K, *F)` and `start_score (N, K)`, None without a baseline. `owner`,
    `mark`, `value (Q,)`: whose each of Q questions was, where it was, the score there; `grad (G, *F)`: the gradients at
    the first G of them, the others asked for the score alone. `values`, `status`, `evaluations`: the answer. `call`:
    what else was said in the call.
    """

    ends: Tensor
    end_score: Tensor
    starts: Tensor | None
    start_score: Tensor | None
    owner: Tensor
    mark: Tensor
    value: Tensor
    grad: Tensor
    values: Tensor
    evaluations: Tensor
    status: tuple[str, ...]
    call: Mapping[str, Any]

    def replay(
        self,
        method: Method | None = None,
        *,
        tol: float | None = None,
        steps: int | None = None,
        rule: Rule | type[Rule] | None = None,
        max_evaluations: int | None = None,
    ) -> Attribution:
        """The call again, with the present code and without the model; what is not said is as it was.

        Findings about the model itself are not made again, and memory is not short again. Raises `NewQuestion`, naming
        the first one that was not asked before.
        """
        said: dict[str, Any] = {"tol": tol, "steps": steps, "rule": rule}
        if tol is None and steps is None:
            said |= {"tol": self.call["tol"], "steps": self.call["steps"]}
            said["rule"] = _rule(self.call["rule"]) if rule is None and said["steps"] is not None else rule
        said |= {name: self.call[name] for name in ("names", "seed", "memory", "max_evaluations")}
        said |= {} if max_evaluations is None else {"max_evaluations": max_evaluations}
        known = [self.known(example) for example in range(len(self.ends))]
        target = Remembered(known, self.grad, self.call["explained"], self.call["bounded"])
        baseline = None if self.starts is None else Started(self.starts, self.call["drawn"])
        chosen = by_name(self.call["method"]) if method is None else method
        try:
            return attribute(Score(_absent, target), self.ends, chosen, baseline=baseline, **said)
        except ModelError as error:
            if isinstance(error.__cause__, NewQuestion):
                raise error.__cause__ from None
            raise

    def known(self, example: int = 0) -> Known:
        """What is known of one example."""
        own = (self.owner == example).nonzero()[:, 0]
        points, scores = self.ends[example : example + 1], self.end_score[example : example + 1]
        if self.starts is not None and self.start_score is not None:
            points = torch.cat([points, self.starts[example]])
            scores = torch.cat([scores, self.start_score[example]])
        return Known(
            name=self.call["names"][example],
            mark=torch.cat([marks(points), self.mark[own]]),
            value=torch.cat([scores, self.value[own]]),
            at=[*[-1] * len(points), *(k if k < len(self.grad) else -1 for k in own.tolist())],
            starts=len(points) - 1,
        )

    def save(self, path: str | File) -> File:
        """Write a `.safetensors` file. Raises `StorageError`, `MissingExtra`."""
        save_file = _safetensors("save_file")
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        header = json.dumps({"status": self.status, "call": self.call})
        ready = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
        return write_atomically(
            File(path), lambda p: save_file(ready, p, metadata={"format": FORMAT, "header": header})
        )

    @classmethod
    def load(cls, path: str | File) -> Transcript:
        """Read a file written by `save`. Raises `StorageError`, `MissingExtra`."""
        open_file = _safetensors("safe_open")
        try:
            with open_file(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except Exception as error:
            raise StorageError(f"cannot read {path}: {error}") from error
        if metadata.get("format") != FORMAT:
            raise StorageError(f"{path} is not a transcript (format {metadata.get('format')!r})")
        header = json.loads(metadata["header"])
        optional = {name: tensors.pop(name, None) for name in ("starts", "start_score")}
        return cls(**tensors, **optional, status=tuple(header["status"]), call=header["call"])


def record(
    score: Score,
    x: Tensor,
    method: Method | None = None,
    *,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Rule | type[Rule] | None = None,
    max_evaluations: int = 512,
    names: Sequence[str] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
) -> Transcript:
    """Attribute as `gl.attribute` does, and write down what the model is asked and what it says.

    For one target, of a model in float32 or float64 that is differentiated where its paths are driven; `memory` should
    do for all gradients in full precision. Raises `InputError` otherwise, and what `gl.attribute` raises.
    """
    if score.asks_several or score.derivative is not None:
        raise InputError("a Score with one target and automatic differentiation, for a transcript")
    chosen = (integrated_gradients() if method is None else method).starting_at(baseline)
    if chosen.read is not None:
        raise InputError("gradients read where the path is driven, for a transcript", f"read={chosen.read}")
    heard: list[_Heard] = []
    said: dict[str, Any] = {"tol": tol, "steps": steps, "max_evaluations": max_evaluations, "seed": seed}
    listening = replace(chosen, path=_Listening(chosen.path, heard))
    a = attribute(score, x, listening, rule=rule, names=names, memory=memory, **said)
    precision, bounded = heard[0].frame.precision, heard[0].frame.bounded
    if precision not in (torch.float32, torch.float64) or not isinstance(a.values, Tensor):
        got = f"{precision} and {type(a.values).__name__}"
        raise InputError("a model in float32 or float64 and one tensor x, for a transcript", got)
    said |= {"method": chosen.name, "rule": a.provenance.get("rule"), "memory": a.provenance["memory"]}
    said |= {"drawn": chosen.baseline is not None and chosen.baseline.random}
    said |= {"names": list(a.names), "explained": list(a.explained), "bounded": bounded}
    said |= {key: a.provenance[key] for key in ("model", "model_digest", "input_digest", "site", "gradline", "torch")}
    written = _written(heard, a, said, has_starts=chosen.baseline is not None)
    counted = torch.bincount(written.owner[: len(written.grad)], minlength=len(a))
    if not torch.equal(counted, a.evaluations):
        raise InputError("a baseline that is not searched for with the model, for a transcript")
    return written


# --------------------------------------------------------------------------------------------------------------- listen


@dataclass(frozen=True, eq=False)
class _Heard:
    """A flow's frame, and what it asked and was told."""

    frame: Frame
    said: list[tuple[Probe, Reading]]


@dataclass(frozen=True)
class _Listening(Path):
    """A path that notes what passes between it and the engine."""

    path: Path
    heard: list[_Heard]

    @property
    def integrates(self) -> bool:  # type: ignore[override]
        return self.path.integrates

    @property
    def estimates(self) -> bool:
        return self.path.estimates

    @property
    def complete(self) -> bool:  # type: ignore[override]
        return self.path.complete

    @property
    def law(self) -> SumLaw:
        return self.path.law

    def flow(self, frame: Frame, budget: Budget) -> Flow:
        heard = _Heard(frame, [])
        self.heard.append(heard)
        flow = self.path.flow(frame, budget)
        answer: Reading | None = None
        try:
            while True:
                said = flow.send(answer)
                answer = yield said
                if isinstance(said, Probe) and answer is not None:
                    heard.said.append((said, answer))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _written(heard: list[_Heard], a: Attribution, call: dict[str, Any], *, has_starts: bool) -> Transcript:
    """Flows come in any order: rows are put in that of the examples, questions for gradients first."""
    place = {name: i for i, name in enumerate(a.names)}
    rows = [torch.tensor([place[name] for name in h.frame.names], dtype=torch.int64) for h in heard]
    order = torch.cat(rows).argsort()
    asked = [(own, h.frame.precision, *said) for own, h in zip(rows, heard, strict=True) for said in h.said]
    asked.sort(key=lambda entry: entry[2].need is Need.VALUE)
    grads = [reading.grad.cpu() for *_, reading in asked if reading.grad is not None]

    def ends(name: str) -> Tensor:
        return torch.cat([torch.as_tensor(getattr(h.frame, name)).cpu() for h in heard])[order]

    return Transcript(
        ends=ends("end"),
        end_score=ends("end_score"),
        starts=ends("start") if has_starts else None,
        start_score=ends("start_score") if has_starts else None,
        owner=torch.cat([own[probe.owner] for own, _, probe, _ in asked]),
        mark=torch.cat([marks(probe.points.to(precision)) for _, precision, probe, _ in asked]),
        value=torch.cat([reading.value for *_, reading in asked]),
        grad=torch.cat(grads),
        values=a.values.cpu(),
        evaluations=a.evaluations,
        status=tuple(str(s) for s in a.status),
        call=call,
    )


# -------------------------------------------------------------------------------------------------------------- helpers


def _absent(points: Tensor) -> Tensor:
    """In place of the model: points go through to `Remembered`."""
    return points


def _rule(words: str | None) -> Rule:
    for kind in RULES:
        if repr(kind()) == words:
            return kind()
    raise InputError(f"rule= for a replay, since {words} has arguments or is not one of gl.rules")


def _safetensors(name: str) -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingExtra("a transcript in a file", "storage") from error
    return getattr(safetensors.torch, name, None) or getattr(safetensors, name)
