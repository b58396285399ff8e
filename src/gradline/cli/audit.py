"""`gradline audit METHOD`: which axioms of attribution a method keeps."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradline.cli._app import FINDINGS, FINE, print_json
from gradline.cli._names import check, complete_method, share, whole
from gradline.cli._options import COST, HOW, AsJson, Seed
from gradline.cli._terminal import aside, paint, prose, working, write
from gradline.errors import InputError, ModelError
from gradline.methods.catalogue import CATALOGUE

if TYPE_CHECKING:
    from gradline.sanity.axioms.verdicts import Audit, Verdict

EXAMPLES = (
    ("gradline audit integrated-gradients", "All axioms, on formulas and networks; some seconds."),
    ("gradline audit gradient-x-input --axiom completeness --axiom dummy", "Two of them."),
    ("gradline audit my_methods:make --cases 27", "A method of yours: make() in my_methods.py returns it."),
)

STYLES = {"holds": "green", "violated": "yellow", "not claimed": "dim"}


def complete_axiom(incomplete: str) -> list[tuple[str, str]]:
    from gradline.sanity.axioms.auditing import AXIOMS

    return [(axiom.name, axiom.meaning) for axiom in AXIOMS if axiom.name.startswith(incomplete)]


def command(
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD",
            help="A method that needs no layer, or `package.module:factory`, which returns one, or a function "
            "`(model, x, baseline) -> maps`.",
            autocompletion=complete_method,
        ),
    ],
    axiom: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An axiom; several times for several. Without it, all.",
            autocompletion=complete_axiom,
            rich_help_panel=HOW,
        ),
    ] = None,
    cases: Annotated[
        str, typer.Option(metavar="N", help="Functions an axiom, with four inputs each.", rich_help_panel=COST)
    ] = "9",
    tol: Annotated[
        str,
        typer.Option(metavar="SHARE", help="Deviation allowed, relative to what is compared.", rich_help_panel=HOW),
    ] = "0.001",
    seed: Seed = "0",
    networks: Annotated[
        bool, typer.Option("--networks/--no-networks", help="Ask on networks with weights too.", rich_help_panel=COST)
    ] = True,
    as_json: AsJson = False,
) -> int:
    """Look for counterexamples to the axioms of attribution, and show the smallest.

    Completeness, sensitivity, dummy, linearity, implementation invariance, symmetry, affine scale invariance,
    proportionality, non-decreasing positivity, and what they say of several baselines. The exit code is 1 if an axiom
    is violated that follows from what the method claims.
    """
    began = time.perf_counter()
    count, start, allowed = whole("--cases", cases), whole("--seed", seed), share(tol)
    with aside(), working(f"auditing {method}"):
        subject = _subject(method)
        from gradline.sanity.axioms.auditing import audit

        found = audit(subject, axioms=axiom, tol=allowed, cases=count, seed=start, networks=networks)
    seconds = time.perf_counter() - began
    if as_json:
        print_json({**found.as_dict(), "seconds": round(seconds, 2)})
    else:
        _print(found, seconds)
    return FINDINGS if found.broken else FINE


def _subject(name: str) -> Any:
    """The method of that name, or what a factory returns. Raises `InputError`, `ModelError`."""
    at_layer = next((e for e in CATALOGUE if e.name == name and e.layer), None)
    if at_layer is not None:
        remedy = "the axioms speak of features of the input; 'gradline methods' lists those that need no layer"
        raise InputError(f"a method that reads at the input, which {name}, read at a layer, is not", remedy=remedy)
    if ":" in name:
        return _made(name)
    check("a method", name, [e.name for e in CATALOGUE if not e.layer])
    from gradline.methods import by_name

    return by_name(name)


def _made(place: str) -> Any:
    """What `package.module:factory` returns; modules of the current folder come first."""
    import importlib

    from gradline.adapters.models.factory import is_place, modules_here
    from gradline.errors import GradlineError

    if not is_place(place):
        raise InputError("a method as package.module:factory", repr(place))
    module, _, name = place.partition(":")
    try:
        with modules_here():
            factory: Any = importlib.import_module(module)
        for part in name.split("."):
            factory = getattr(factory, part)
        return factory()
    except GradlineError:
        raise
    except (ModuleNotFoundError, AttributeError) as error:
        raise InputError("a method as package.module:factory", f"{place!r}: {error}") from error
    except (Exception, SystemExit) as error:
        raise ModelError(f"{place} failed: {type(error).__name__}: {error}") from error


def _print(found: Audit, seconds: float) -> None:
    write(f"{paint(found.method, 'bold', sys.stdout)}: {found.summary}\n")
    for verdict in found.verdicts:
        _print_verdict(verdict)
    write()
    allowed = f"Deviations are relative to the sizes of what is compared; {found.tol:g} is allowed. {seconds:.1f} s."
    write(paint(allowed, "dim", sys.stdout))
    if found.broken:
        names = ", ".join(v.axiom for v in found.broken)
        write(paint(f"Violated, though it follows from what the method claims: {names}.", "red", sys.stdout))


def _print_verdict(verdict: Verdict) -> None:
    from gradline.sanity.axioms.verdicts import facts

    said = facts(verdict)
    style = "red" if verdict.broken else STYLES[verdict.answer]
    write(f"{verdict.axiom:<42}{paint(said, style, sys.stdout)}")
    if verdict.counterexample is not None:
        write("\n".join(prose(f"{verdict.counterexample}", 4)))
