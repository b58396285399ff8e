"""The answers of an audit, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from torch import Tensor, nn

from gradline.errors import InputError
from gradline.result.spelling import short


class Answer(StrEnum):
    """What an audit found of an axiom. `NOT_CLAIMED`: it cannot be asked of the method."""

    HOLDS = "holds"
    VIOLATED = "violated"
    NOT_CLAIMED = "not claimed"


@dataclass(frozen=True, eq=False)
class Counterexample:
    """Where an axiom breaks, the smallest that was found.

    `words`: the function, and what else the axiom speaks of; `x (1, D)`, `baselines (K, D)` float64; `expected`, `got`
    in words; `deviation`: relative to the numbers compared; `models`: the functions `(R, D) -> (R, 1)`, to be asked
    again.
    """

    words: str
    x: Tensor
    baselines: Tensor
    expected: str
    got: str
    deviation: float
    models: tuple[nn.Module, ...]

    def __str__(self) -> str:
        starts = " or ".join(_point(row) for row in self.baselines.tolist())
        where = f"x = {_point(self.x[0].tolist())}, x' = {starts}"
        return f"{self.words}; {where}: expected {self.expected}, got {self.got}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "function": self.words,
            "x": self.x[0].tolist(),
            "baselines": self.baselines.tolist(),
            "expected": self.expected,
            "got": self.got,
            "deviation": _finite(self.deviation),
        }


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was found of one axiom.

    `axiom`: its name; `statement`: as a formula; `claimed`: the method says that it keeps it, by its parts or by its
    author; `cases`: inputs looked at; `worst`: the largest deviation that was found to stay, relative to the numbers
    compared; `note`: what needs saying.
    """

    axiom: str
    statement: str
    answer: Answer
    claimed: bool
    cases: int
    worst: float
    counterexample: Counterexample | None = None
    note: str = ""

    @property
    def broken(self) -> bool:
        """A claim that does not hold."""
        return self.claimed and self.answer is Answer.VIOLATED

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "axiom": self.axiom,
            "statement": self.statement,
            "answer": self.answer.value,
            "claimed": self.claimed,
            "cases": self.cases,
            "worst": _finite(self.worst),
            "counterexample": None if self.counterexample is None else self.counterexample.as_dict(),
            "note": self.note,
        }


@dataclass(frozen=True, eq=False)
class Audit:
    """The verdicts on a method, in the order of the axioms; `tol`: the relative deviation allowed."""

    method: str
    verdicts: tuple[Verdict, ...]
    tol: float
    seed: int

    def __getitem__(self, axiom: str) -> Verdict:
        """The verdict on an axiom by its name. Raises `InputError`."""
        found = next((v for v in self.verdicts if v.axiom == axiom), None)
        if found is None:
            raise InputError(f"an axiom out of {', '.join(v.axiom for v in self.verdicts)}", repr(axiom))
        return found

    def holds(self, axiom: str) -> bool:
        """No counterexample was found. Raises `InputError` for an axiom that was not asked about."""
        return self[axiom].answer is Answer.HOLDS

    @property
    def violated(self) -> tuple[Verdict, ...]:
        """Those with a counterexample."""
        return tuple(v for v in self.verdicts if v.answer is Answer.VIOLATED)

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """Those of them that the method claims to keep."""
        return tuple(v for v in self.verdicts if v.broken)

    @property
    def summary(self) -> str:
        """`12 hold, 3 violated, 1 not claimed`."""
        count = Counter(v.answer for v in self.verdicts)
        words = {Answer.HOLDS: "hold", Answer.VIOLATED: "violated", Answer.NOT_CLAIMED: "not claimed"}
        return ", ".join(f"{count[a]} {word}" for a, word in words.items() if count[a])

    def __repr__(self) -> str:
        wide = max(len(v.axiom) for v in self.verdicts) + 2
        lines = [f"{self.method}: {self.summary}; {self.tol:g} allowed"]
        for v in self.verdicts:
            lines.append(f"  {v.axiom:<{wide}}{facts(v)}")
            if v.counterexample is not None:
                lines.append(f"    {v.counterexample}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "method": self.method,
            "tol": self.tol,
            "seed": self.seed,
            "broken": [v.axiom for v in self.broken],
            "verdicts": [v.as_dict() for v in self.verdicts],
        }


def facts(verdict: Verdict) -> str:
    """An answer in a line: `holds in 44 cases, off by 1e-06 at most`."""
    note = f"; {verdict.note}" if verdict.note else ""
    if verdict.answer is Answer.HOLDS:
        off = f", off by {short(verdict.worst)} at most" if verdict.worst else ""
        return f"holds in {verdict.cases} cases{off}{note}"
    if verdict.answer is Answer.VIOLATED:
        return f"violated{', and claimed' if verdict.claimed else ''}{note}"
    return f"not claimed{note}"


def _point(values: list[float]) -> str:
    return f"({', '.join(f'{v:.6g}'.replace('-', '−') for v in values)})"


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
