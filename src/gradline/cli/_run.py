"""Explanations carried out: one model for all photos, a photo at a time, files written as soon as they can be."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradline.cli import _names, _show
from gradline.cli._app import FAILURE, FINDINGS, FINE, complain, failure, print_json
from gradline.cli._means import Means, explained
from gradline.cli._request import Request, command_of
from gradline.cli._terminal import aside, is_live, working
from gradline.errors import GradlineError, InputError, MissingExtra

if TYPE_CHECKING:
    from gradline.adapters import ImageCase
    from gradline.question.targets import TargetLike
    from gradline.result import Attribution

PANEL = ("black", "white", "blur", "noise")
"""Baselines whose maps are set beside the one asked for."""


@dataclass(frozen=True)
class Job:
    """An explanation to make, and the files to write it to."""

    request: Request
    files: tuple[Path, ...]


@dataclass
class Log:
    """What has been done so far."""

    began: float = field(default_factory=time.perf_counter)
    results: list[_show.Result] = field(default_factory=list)
    failed: list[tuple[str, GradlineError]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def carry_out(jobs: list[Job], *, as_json: bool) -> int:
    """Explain, show, write; the exit code. A photo among others that fails does not keep them from being done."""
    log = Log()
    try:
        with aside(), working(f"loading {jobs[0].request.model}"):
            means = Means.of(jobs[0].request)
        for job in jobs:
            _attempt(job, means, log, several=len(jobs) > 1, as_json=as_json)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_interrupted(log, len(jobs))) from None
    seconds = time.perf_counter() - log.began
    if as_json:
        print_json(
            {
                "photos": [_show.summary(result) for result in log.results],
                "failed": [{"photo": name, "error": failure(type(e).__name__, str(e))} for name, e in log.failed],
                "seconds": round(seconds, 2),
            }
        )
    elif len(jobs) > 1:
        _show.print_end(log.results, [name for name, _ in log.failed], seconds)
    if log.failed:
        return FAILURE
    return FINDINGS if any(result.attribution.findings for result in log.results) else FINE


def _attempt(job: Job, means: Means, log: Log, *, several: bool, as_json: bool) -> None:
    """One of the photos; what concerns it alone is noted if there are others, what concerns them all is raised."""
    from gradline.adapters import image_case

    name = job.request.photo or "the demo photo"

    def note(error: GradlineError) -> None:
        if not several:
            raise error
        log.failed.append((name, error))
        if not as_json:
            complain(str(error) if Path(name).name in str(error) else f"{name}: {error}")

    try:
        with aside(), working(f"reading {name}"):
            case = image_case(job.request.path, means.model)
    except InputError as error:
        return note(error)
    try:
        stages = _explained(job, means, case, log, began=time.perf_counter() if several else log.began)
        while stage := _next(stages):
            result = stage
            if not as_json:
                _show.print_stage(result, several=several)
        log.results.append(result)
    except (InputError, MissingExtra):
        raise
    except GradlineError as error:
        note(error)


def _next(stages: Iterator[_show.Result]) -> _show.Result | None:
    with aside():
        return next(stages, None)


def _explained(job: Job, means: Means, case: ImageCase, log: Log, began: float) -> Iterator[_show.Result]:
    """The result as it grows: with the map, with the maps from other baselines, with its files."""
    request = job.request
    index, target = explained(request, means, case)
    a = _attribution(request, means, case, target, command_of(request, job.files))
    result = _show.Result(request.photo or case.name, index, a)
    yield result
    html = any(path.suffix == ".html" for path in job.files)
    if means.method.baseline is not None and (html if request.baselines is None else request.baselines):
        result = replace(result, attribution=_with_others(request, means, case, target, a))
        yield result
    made = result
    for path in job.files:
        with working(f"writing {path}"):
            _show.write(made.attribution, path, lambda: _show.summary(made))
        log.files.append(path)
    yield replace(result, files=job.files, seconds=time.perf_counter() - began)


def _attribution(request: Request, means: Means, case: ImageCase, target: TargetLike, command: str) -> Attribution:
    from gradline.adapters.image import explain_case
    from gradline.adapters.recipe import python_call

    rule = None if request.rule is None else _names.rule(request.rule)
    return explain_case(
        case,
        target=target,
        method=means.method,
        baseline=means.baseline,
        tol=request.tol,
        steps=request.steps,
        rule=rule,
        max_evaluations=request.max_evaluations,
        seed=request.seed,
        memory=request.memory,
        progress=is_live(sys.stderr),
        command=command,
        python=python_call(
            request.path,
            model=means.model,
            target=target,
            method=means.method,
            baseline=means.baseline,
            tol=request.tol,
            steps=request.steps,
            rule=rule,
            max_evaluations=request.max_evaluations,
            memory=request.memory,
            seed=request.seed,
        ),
    )


def _with_others(request: Request, means: Means, case: ImageCase, target: TargetLike, a: Attribution) -> Attribution:
    """The attribution, its photo with maps from other baselines beside it."""
    from gradline.adapters.display import other_baselines

    others = {name: _names.baseline(name) for name in PANEL if name != (request.baseline or "black")}
    with working(f"maps from other baselines: {', '.join(others)}"):
        found = other_baselines(
            case,
            a,
            target,
            means.method,
            {name: case.baseline(part) for name, part in others.items()},
            seed=request.seed,
            memory=request.memory,
            progress=is_live(sys.stderr),
        )
    (photo,) = a.shown
    return replace(a, shown=(replace(photo, baselines=found),))  # type: ignore[type-var]


def _interrupted(log: Log, photos: int) -> str:
    done = f"interrupted after {len(log.results)} of {photos} photos" if photos > 1 else "interrupted"
    if not log.files:
        return f"{done}; nothing was written"
    return f"{done}; complete: {', '.join(map(str, log.files))}"
