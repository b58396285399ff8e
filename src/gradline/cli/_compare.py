"""Several maps of one photo made, measured against each other, written and printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradline.cli import _names
from gradline.cli._means import Means, explained
from gradline.cli._request import Request, command_of
from gradline.cli._show import findings, finite
from gradline.cli._terminal import is_live, one_line, paint, prose, working, write
from gradline.errors import InputError

if TYPE_CHECKING:
    from gradline.adapters import ImageCase
    from gradline.comparison import Comparison
    from gradline.core.method import Method
    from gradline.report import Photo

Row = tuple[str, str | None]
"""Method and baseline, by their names."""

METHODS = ("integrated-gradients", "gradient-x-input", "gradient")
"""What is compared if neither methods nor baselines are named."""


def carry_out(
    asked: Request, chosen: dict[str, Row], files: tuple[Path, ...], words: list[str]
) -> tuple[dict[str, Any], bool]:
    """Compare and write; the numbers, and whether there are findings."""
    with working(f"loading {asked.model}"):
        means = Means.of(asked)
        from gradline.adapters import image_case

        case = image_case(asked.path, means.model)
    index, comparison = _compared(asked, means, case, chosen)
    photo = _photo(case, comparison, index, command_of(asked, files, "compare", words))
    numbers = _numbers(str(asked.photo), photo, index, comparison)
    for path in files:
        with working(f"writing {path}"):
            _write(path, comparison, photo, numbers)
    return numbers, any(a.findings for a in comparison.attributions.values())


def single(photos: list[str]) -> list[str]:
    if len(photos) != 1:
        raise InputError("one photo to compare methods on", f"{len(photos)}")
    return photos


def choose(methods: list[str], baselines: list[str], least: int = 2) -> dict[str, Row]:
    """What is compared: method and baseline by a name that tells them apart; at least so many. Raises `InputError`."""
    from gradline.methods.catalogue import CATALOGUE

    _names.check_methods(methods)
    for name in baselines:
        _names.check("a baseline", name, _names.BASELINES)
    starts = {name: entry.baseline for entry in CATALOGUE for name in (entry.name, *entry.aliases)}
    methods = methods or list(METHODS[:1] if baselines else METHODS)
    rows: list[Row] = []
    for method in dict.fromkeys(methods):
        if baselines and not starts[method] and len(methods) == 1:
            raise InputError(f"no --baseline for {method}, which has none")
        rows += [(method, b) for b in dict.fromkeys(baselines)] if baselines and starts[method] else [(method, None)]
    if len(rows) < least:
        one = " from ".join(word for word in rows[0] if word)
        raise InputError("at least two methods or baselines to compare", f"{one} alone")
    one_method, one_start = len({m for m, _ in rows}) == 1, len(set(baselines)) < 2

    def told(method: str, start: str | None) -> str:
        if start is None or one_start:
            return method
        return start if one_method else f"{method} from {start}"

    return {told(*row): row for row in rows}


def _compared(asked: Request, means: Means, case: ImageCase, chosen: dict[str, Row]) -> tuple[int, Comparison]:
    from gradline.comparison import compare
    from gradline.question import Score

    index, target = explained(asked, means, case)
    comparison = compare(
        Score(case.model.model, target),
        case.x,
        {name: method_of(case, *row) for name, row in chosen.items()},
        tol=asked.tol,
        steps=asked.steps,
        max_evaluations=asked.max_evaluations,
        names=[case.name],
        seed=asked.seed,
        memory=asked.memory,
        progress=is_live(sys.stderr),
    )
    return index, comparison


def method_of(case: ImageCase, name: str, start: str | None) -> Method:
    from gradline.methods import by_name

    method = by_name(name)
    if method.baseline is None:
        return method
    return method.starting_at(case.baseline(None if start is None else _names.baseline(start)))


def _photo(case: ImageCase, comparison: Comparison, index: int, command: str) -> Photo:
    from gradline.adapters.display import shown

    first = next(iter(comparison.attributions.values()))
    (photo,) = shown(case, first, title=case.class_name(index), command=command).shown
    return photo  # type: ignore[return-value]


def _numbers(name: str, photo: Photo, index: int, comparison: Comparison) -> dict[str, Any]:
    """The comparison, JSON-ready."""
    agreement = comparison.agreement(dim=1)[0]
    rows = [
        {**row, "rank_agreement": finite(float(r)), "findings": [str(f) for f in findings(a)]}
        for row, r, a in zip(comparison.table, agreement, comparison.attributions.values(), strict=True)
    ]
    return {
        "photo": name,
        "model": photo.model,
        "class": {"index": index, "name": photo.title},
        "maps": rows,
        "command": photo.command,
    }


def _write(path: Path, comparison: Comparison, photo: Photo, numbers: dict[str, Any]) -> None:
    from gradline.result.storage import write_atomically

    if path.suffix == ".json":
        text = json.dumps(numbers, indent=2) + "\n"
        write_atomically(path, lambda p: p.write_text(text, "utf-8"))
    elif path.suffix == ".html":
        from gradline.report import write_comparison

        write_comparison(comparison, photo, path)
    else:
        from gradline import plots

        plots.write_figure(plots.grid(comparison, photo.pixels), path)


def print_table(numbers: dict[str, Any], files: tuple[Path, ...], seconds: float) -> None:
    from gradline.result.spelling import percent

    left = max(len(row["method"]) for row in numbers["maps"]) + 2
    widths = (left, 18, 17, 11, 0)

    def line(*cells: str) -> str:
        return "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    write(f"{paint(numbers['class']['name'], 'bold', sys.stdout)} in {one_line(Path(numbers['photo']).name)}\n")
    write(paint(line("map", "status", "estimated error", "gradients", "rank agreement"), "dim", sys.stdout))
    for row in numbers["maps"]:
        error = "no claim" if row["error_estimate"] is None else percent(row["error_estimate"])
        agreement = "none" if row["rank_agreement"] is None else f"{row['rank_agreement']:.2f}"
        write(line(row["method"], row["status"].replace("_", " "), error, str(row["evaluations"]), agreement))
    for row in numbers["maps"]:
        for text in row["findings"]:
            for said in prose(f"{row['method']}: {text}"):
                write(paint(said, "yellow", sys.stdout))
    write()
    for path in files:
        write(f"written {one_line(str(path))}")
    write(paint(f"in {seconds:.1f} s", "dim", sys.stdout))
