"""The words that options take, known without PyTorch, and completed by the shell."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from gradline.errors import InputError

if TYPE_CHECKING:
    from gradline.core.baselines import Baseline
    from gradline.core.rules import Rule

BASELINES = {
    "black": "Black",
    "white": "White",
    "mean": "Mean",
    "blur": "Blur",
    "noise": "PixelNoise",
    "zero": "Zero",
}
"""Starts of the path on the command line, and their names in `gl.baselines`."""

RULES = {
    "midpoint": "Midpoint",
    "gauss-legendre": "GaussLegendre",
    "left-riemann": "LeftRiemann",
    "right-riemann": "RightRiemann",
    "trapezoid": "Trapezoid",
    "simpson": "Simpson",
    "stratified": "Stratified",
    "monte-carlo": "MonteCarlo",
    "by-output-change": "ByOutputChange",
}
"""Quadrature rules on the command line, and their names in `gl.rules`."""

NETWORK = (
    "The network: a built-in name, `torchvision:NAME`, `timm:NAME`, `hf:NAME`, `package.module:factory`, or a file "
    "(`net.pt2`; `pickle:net.pt` runs the code inside, so only if you trust it)."
)
"""What `--model` takes, for help."""


def check(what: str, name: str, known: list[str] | dict[str, str]) -> None:
    """Raise `InputError` with the nearest name and all others unless `name` is among the known ones."""
    if name not in known:
        near = get_close_matches(name, known, 1, 0.5)
        raise InputError(f"{what} out of {', '.join(known)}", repr(name), f"did you mean {near[0]}?" if near else "")


def check_methods(names: list[str], *, of_texts: bool = False) -> None:
    """Raise `InputError` for a method that does not exist, is only for Python, or only for texts."""
    from gradline.methods.catalogue import CATALOGUE, find

    for name in names:
        entry = find(name)
        if entry is None:
            check("a method", name, [e.name for e in CATALOGUE if not (e.layer or (e.vocabulary and not of_texts))])
        elif entry.vocabulary and not of_texts:
            raise InputError(f"a method for photos, which {name} is not", remedy="it goes by words: use it with --text")
        elif entry.layer:
            remedy = f"use it in Python: {entry.python}"
            raise InputError(f"a method for photos, which {name}, read at a layer, is not", remedy=remedy)


def baseline(name: str) -> Baseline:
    """The baseline of that name. Raises `InputError`."""
    check("a baseline", name, BASELINES)
    from gradline.core import baselines

    made: Baseline = getattr(baselines, BASELINES[name])()
    return made


def rule(name: str) -> Rule:
    """The rule of that name. Raises `InputError`."""
    check("a rule", name, RULES)
    from gradline.core import rules

    made: Rule = getattr(rules, RULES[name])()
    return made


def share(text: str) -> float:
    """A tolerance as `0.05` or `5%`. Raises `InputError` unless it lies between 0 and 1."""
    number, sign, rest = text.replace(" ", "").partition("%")
    remedy = "5 % is written 0.05 or 5%"
    try:
        value = float(number) / (100 if sign else 1)
    except ValueError:
        value = float("nan")
    if rest or not 0 < value < 1:
        raise InputError("--tol between 0 and 1, or a percentage between 0% and 100%", repr(text), remedy)
    return value


def whole(option: str, text: str) -> int:
    """A whole number. Raises `InputError`."""
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{option} as a whole number", repr(text)) from None


def complete_method(incomplete: str) -> list[tuple[str, str]]:
    from gradline.methods.catalogue import CATALOGUE

    return [(e.name, e.summary) for e in CATALOGUE if e.name.startswith(incomplete) and not e.layer]


def complete_any_method(incomplete: str) -> list[tuple[str, str]]:
    from gradline.methods.catalogue import CATALOGUE

    return [(e.name, e.summary) for e in CATALOGUE if e.name.startswith(incomplete)]


def complete_baseline(incomplete: str) -> list[str]:
    return [name for name in BASELINES if name.startswith(incomplete)]


def complete_rule(incomplete: str) -> list[str]:
    return [name for name in RULES if name.startswith(incomplete)]


def complete_model(incomplete: str) -> list[str]:
    from gradline.adapters.models import completions

    return completions(incomplete)


def complete_finding(incomplete: str) -> list[tuple[str, str]]:
    from gradline.result.finding import KINDS

    return [(k.code, k.title) for k in KINDS.values() if k.code.startswith(incomplete.upper())]


def complete_measure(incomplete: str) -> list[tuple[str, str]]:
    from gradline.metrics.catalogue import entries
    from gradline.result.measures import MEASURES

    known = [*((m.name, m.range) for m in MEASURES), *((e.name, e.range) for e in entries())]
    return [(name, values) for name, values in known if name.startswith(incomplete)]


def complete_metric(incomplete: str) -> list[tuple[str, str]]:
    from gradline.metrics.catalogue import entries

    return [(e.name, e.range) for e in entries() if e.ready and e.name.startswith(incomplete)]
