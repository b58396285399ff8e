"""How the attribution of one example ended, in words."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """How the attribution of one example ended."""

    CONVERGED = "converged"
    BUDGET_EXHAUSTED = "budget_exhausted"
    FIXED = "fixed"
    NONFINITE = "nonfinite"
    FLAT = "flat"
    NO_CLAIM = "no_claim"

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return _MEANING[self]

    @property
    def is_sound(self) -> bool:
        """Nothing stands against using the map as it is."""
        return self not in (Status.BUDGET_EXHAUSTED, Status.NONFINITE)


_MEANING = {
    Status.CONVERGED: "the estimated error is within the tolerance, safety factor included",
    Status.BUDGET_EXHAUSTED: "the tolerance was not met: too few evaluations or draws, too little memory or precision",
    Status.FIXED: "a fixed number of steps was asked for; the error was not controlled",
    Status.NONFINITE: "a score or a gradient on the path is NaN or infinite",
    Status.FLAT: "the map is zero: the score does not change along the path",
    Status.NO_CLAIM: "this method has no error estimate",
}
