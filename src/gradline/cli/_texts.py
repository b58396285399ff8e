"""A text explained: words of the command line become things, the map is shown and written."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradline.cli import _names, _show
from gradline.cli._app import FINDINGS, FINE, print_json
from gradline.cli._outputs import SUFFIXES, check_output
from gradline.cli._request import TextRequest, command_of
from gradline.cli._terminal import aside, is_live, working
from gradline.errors import InputError

if TYPE_CHECKING:
    from gradline.adapters.text import TextModel
    from gradline.report.text import Text
    from gradline.result import Attribution

STARTS = ("mask", "pad", "mean", "zero")
"""Names of baselines of texts; any other word of `--baseline` is a text."""

NAMED = 5
"""Words of a text that name its files."""


@dataclass(frozen=True, eq=False)
class Explained:
    """An explanation of one text, and the files that show it."""

    attribution: Attribution
    files: tuple[Path, ...]

    @property
    def text(self) -> Text:
        (text,) = self.attribution.shown
        return text  # type: ignore[return-value]


def plan_text(text: str, wanted: list[str]) -> tuple[Path, ...]:
    """The files to write: `wanted`, a bare suffix standing for `FIRST-WORDS-gradline.html`, or a page and a picture.

    Raises `InputError`, `StorageError`, `MissingExtra`.
    """
    stem = "-".join(re.findall(r"\w+", text.lower())[:NAMED])[:60] or "text"
    paths = [Path(word) for word in wanted or (".html", ".png")]
    named = [path.with_name(f"{stem}-gradline{path.name}") if path.name in SUFFIXES else path for path in paths]
    files = tuple(dict.fromkeys(named))
    for path in files:
        check_output(path, SUFFIXES)
    return files


def carry_out_text(request: TextRequest, files: tuple[Path, ...], *, as_json: bool) -> int:
    """Explain, show, write; the exit code."""
    began = time.perf_counter()
    _check(request)
    with aside(), working(f"loading {request.model}"):
        from gradline.adapters.text import text_model

        model = text_model(request.model)
    with aside():
        a = _attribution(request, model)
    (text,) = a.shown
    done = Explained(replace(a, shown=(replace(text, command=command_of(request, files)),)), files)  # type: ignore[type-var]
    if not as_json:
        _print(done)
    for path in files:
        with working(f"writing {path}"):
            _show.write(done.attribution, path, lambda: summary(done))
    seconds = time.perf_counter() - began
    if as_json:
        print_json({"texts": [summary(done)], "seconds": round(seconds, 2)})
    else:
        _show.print_files(files, seconds)
    return FINDINGS if done.attribution.findings else FINE


def summary(done: Explained) -> dict[str, Any]:
    """The result in numbers, JSON-ready: words with their contributions."""
    from gradline.plots.tokens import words

    found, text = words(done.attribution), done.text
    rows = zip(found.texts, found.values.tolist(), found.special.tolist(), strict=True)
    said = [{"text": word, "value": _show.finite(value), "special": special} for word, value, special in rows]
    return {
        "text": text.name,
        "title": text.title,
        **_show.numbers(done.attribution, text),
        "words": said,
        "files": [str(path) for path in done.files],
    }


def _attribution(request: TextRequest, model: TextModel) -> Attribution:
    from gradline import methods
    from gradline.adapters.text import explain_text

    return explain_text(
        _input(request, model),
        model=model,
        target=_target(request, model),
        method=methods.by_name(request.method),
        baseline=_baseline(request),
        tol=request.tol,
        steps=request.steps,
        rule=None if request.rule is None else _names.rule(request.rule),
        max_evaluations=request.max_evaluations,
        seed=request.seed,
        memory=request.memory,
        progress=is_live(sys.stderr),
    )


def _input(request: TextRequest, model: TextModel) -> Any:
    from gradline.adapters.text import Task
    from gradline.adapters.text.sentiment import demo_text

    text = demo_text() if request.text is None else request.text
    return text if request.second is None or model.task is Task.SIMILARITY else (text, request.second)


def _target(request: TextRequest, model: TextModel) -> Any:
    from gradline.adapters.text import Answer, Label, Similarity, Task
    from gradline.question import Logit, Probability

    generates = model.task in (Task.CAUSAL, Task.SEQ2SEQ)
    if (request.answer is not None or request.against is not None) and not generates:
        raise InputError(f"--answer and --against with a language model, which {request.model} is not")
    if (request.target is not None or request.probability) and (generates or model.task is Task.SIMILARITY):
        raise InputError(f"no --target and no --probability for {request.model}, which has no labels")
    if generates:
        return Answer(request.answer, against=request.against)
    if model.task is Task.SIMILARITY:
        if request.second is None:
            raise InputError(f"--second TEXT to compare with, for {request.model}, which has no labels")
        return Similarity(request.second)
    scale = Probability if request.probability else Logit
    wanted = request.target
    if wanted is None and not request.probability:
        return None
    return Label(int(wanted) if wanted is not None and wanted.isdigit() else wanted, scale=scale)


def _baseline(request: TextRequest) -> Any:
    from gradline.adapters.text import MaskToken, MeanEmbedding, PadToken
    from gradline.core.baselines import AtSite, Zero

    made = {"mask": MaskToken(), "pad": PadToken(), "mean": MeanEmbedding(), "zero": AtSite(Zero())}
    return made.get(request.baseline or "", request.baseline)


def _check(request: TextRequest) -> None:
    """Refuse options that do not go together before PyTorch is loaded. Raises `InputError`."""
    _names.check_methods([request.method], of_texts=True)
    if request.rule is not None:
        _names.check("a rule", request.rule, _names.RULES)
    if request.tol is not None and request.steps is not None:
        raise InputError("either --tol, an accuracy, or --steps, a cost, and not both")
    if request.rule is not None and request.steps is None:
        raise InputError("--steps together with --rule", remedy="an accuracy chooses its own nodes")


def _print(done: Explained) -> None:
    from gradline.cli._tokens import print_text

    _show.print_card(done.attribution, done.text)
    print_text(done.attribution, done.text)
