"""What is said of a call: findings of each kind, with what was met in their detail."""

from __future__ import annotations

from gradline.errors import InputError
from gradline.result.kinds import KINDS, Finding, Kind
from gradline.result.spelling import percent

__all__ = ["KINDS", "Finding", "Kind", "kind"]


def kind(code: str) -> Kind:
    """What a number means. Raises `InputError` for one that does not exist."""
    chosen = KINDS.get(code.strip().upper())
    if chosen is None:
        raise InputError(f"one of {', '.join(KINDS)}", repr(code))
    return chosen


def training_mode() -> Finding:
    return KINDS["GL101"].found()


def rows_influence(detail: str) -> Finding:
    return KINDS["GL102"].found(
        f"{detail} when another row stood beside it; every row was evaluated alone, which is slow"
    )


def single_rows(detail: str) -> Finding:
    return KINDS["GL103"].found(f"two rows at once fail ({detail[:200]}); every row was evaluated alone, which is slow")


def random_model(detail: str) -> Finding:
    return KINDS["GL112"].found(f"{detail} from one evaluation of an input to the next")


def saturated(examples: tuple[int, ...]) -> Finding:
    return KINDS["GL107"].found("", examples)


def mask_input(label: str) -> Finding:
    return KINDS["GL110"].found(f"{label} holds nothing but zeros and ones, and the path fades it in")


def low_precision(examples: tuple[int, ...], detail: str) -> Finding:
    return KINDS["GL106"].found(detail, examples)


def token_zero() -> Finding:
    return KINDS["GL111"].found("the path starts at the embedding of number 0 at every place")


def zero_before_norm(examples: tuple[int, ...], layer: str, share: float) -> Finding:
    detail = (
        f"layer {layer} divides the embeddings by their size, and the path starts at zero: {percent(share)} of the way "
        "its output has 71 % of the size that it has at the end"
    )
    return KINDS["GL114"].found(detail, examples)


def budget_exhausted(examples: tuple[int, ...], max_evaluations: int) -> Finding:
    detail = (
        f"the estimate, with its safety factor, was above tol when the budget of {max_evaluations} evaluations ended"
    )
    return KINDS["GL201"].found(detail, examples)


def nonfinite(examples: tuple[int, ...], detail: str) -> Finding:
    return KINDS["GL202"].found(detail, examples)


def flat(examples: tuple[int, ...]) -> Finding:
    return KINDS["GL203"].found("", examples)


def stopped(examples: tuple[int, ...], detail: str) -> Finding:
    return KINDS["GL204"].found(detail, examples)


def limited(examples: tuple[int, ...], detail: str) -> Finding:
    return KINDS["GL208"].found(detail, examples)


def wide_gap(examples: tuple[int, ...], share: float) -> Finding:
    missed = f"up to {percent(share)} of it" if share < 100 else "many times of it"
    detail = f"the values should add up to F(x) − F(x') and miss {missed}: too few steps for this path"
    return KINDS["GL205"].found(detail, examples)


def few_draws(examples: tuple[int, ...], share: float, draws: int) -> Finding:
    detail = f"the mean over {draws} draws has a standard error of up to {percent(share)} of the map"
    return KINDS["GL207"].found(detail, examples)


def bypass(examples: tuple[int, ...], share: float) -> Finding:
    detail = f"up to {percent(share)} of the change of the score does not pass through it, and is missing from the sum"
    return KINDS["GL206"].found(detail, examples)
