"""A numbered remark about a result: what was noticed, what follows, what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`code`: stable number such as GL101. `examples`: indices it concerns, empty for all."""

    code: str
    title: str
    detail: str
    remedy: str
    examples: tuple[int, ...] = ()

    def __str__(self) -> str:
        listed = f"{', '.join(map(str, self.examples[:8]))}{' …' * (len(self.examples) > 8)}"
        where = f" (example{'s' * (len(self.examples) > 1)} {listed})" if self.examples else ""
        return f"{self.code} {self.title}{where}: {self.detail}. {self.remedy}."


def training_mode() -> Finding:
    return Finding(
        "GL101",
        "model in training mode",
        "it was evaluated in evaluation mode and put back; its statistics are untouched",
        "Call model.eval() if that is how it is used",
    )


def budget_exhausted(examples: tuple[int, ...], max_evaluations: int) -> Finding:
    return Finding(
        "GL201",
        "tolerance not met",
        f"the estimate, with its safety factor, was above tol when the budget of {max_evaluations} evaluations ended",
        "Raise max_evaluations, loosen tol, or explain the logit instead of a saturated probability",
        examples,
    )


def nonfinite(examples: tuple[int, ...], detail: str) -> Finding:
    return Finding(
        "GL202",
        "non-finite reading",
        detail,
        "Move the baseline away from the singular point, or look for log(0), 0/0 and overflow in the model",
        examples,
    )


def flat(examples: tuple[int, ...]) -> Finding:
    return Finding(
        "GL203",
        "flat path",
        "the score has zero gradient everywhere on the path, so the map is zero",
        "Check the target, that x differs from the baseline, and that the score is not saturated",
        examples,
    )


def stopped(examples: tuple[int, ...], detail: str) -> Finding:
    return Finding("GL204", "stopped early", detail, "The map is what was known at that point", examples)


def wide_gap(examples: tuple[int, ...], share: float) -> Finding:
    return Finding(
        "GL205",
        "completeness gap",
        f"the values miss {f'up to {share:.0%}' if share < 100 else 'many times'} what they should add up to: too few "
        "steps for this path",
        "Use tol= instead of steps=, or more steps",
        examples,
    )
