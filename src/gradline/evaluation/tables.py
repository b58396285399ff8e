"""A leaderboard as text, and as files for other programs: CSV, Parquet, JSON, Markdown."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradline.errors import MissingExtra
from gradline.evaluation.standing import Placed, Standing
from gradline.evaluation.words import arrow, better, cautions, rank_range, settings_of, speller, unsound, verdict
from gradline.result.storage import write_atomically

if TYPE_CHECKING:
    from gradline.evaluation.board import Leaderboard

COLUMNS = ("method", "metric", "example", "value", "note", "control")
"""Of a row for each method, metric and example."""


def write(board: Leaderboard, path: Path) -> Path:
    """Write .csv, .parquet, .json or .md. Raises `StorageError`, `MissingExtra`."""
    match path.suffix:
        case ".csv":
            return write_atomically(path, lambda p: _write_csv(board, p))
        case ".parquet":
            return _write_parquet(board, path)
        case ".json":
            written = json.dumps(content(board), indent=2, allow_nan=False) + "\n"
        case _:
            written = markdown(board)
    return write_atomically(path, lambda p: p.write_text(written, "utf-8"))


def _write_csv(board: Leaderboard, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(board.table)


def _write_parquet(board: Leaderboard, path: Path) -> Path:
    """The rows; what the JSON has beside them is in the metadata, under the key `gradline`."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("writing Parquet", "parquet") from error
    kinds = {"value": pa.float64(), "control": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    more = {name: value for name, value in content(board).items() if name != "table"}
    schema = schema.with_metadata({"gradline": json.dumps(more, allow_nan=False)})
    rows = pa.Table.from_pylist(list(board.table), schema=schema)
    return write_atomically(path, lambda p: parquet.write_table(rows, p))


def content(board: Leaderboard) -> dict[str, Any]:
    """Everything, JSON-ready; None where there is no number."""
    agreed = board.agreement()
    return {
        "examples": list(board.names),
        "explained": list(board.explained),
        "metrics": {name: _metric(board, name) for name in board.metrics},
        "agreement": {
            "metrics": list(agreed.metrics),
            "of_means": [[_plain(v) for v in row] for row in agreed.means.tolist()],
            "over_examples": [[_plain(v) for v in row] for row in agreed.images.tolist()],
        },
        "table": list(board.table),
        "unsound": dict(board.unsound),
        "provenance": dict(board.provenance),
        "command": board.command,
        "python": board.python,
    }


def _metric(board: Leaderboard, name: str) -> dict[str, Any]:
    found, metric = board.standing(name), board.metrics[name]
    return {
        "higher_is_better": metric.higher_is_better,
        "range": metric.range,
        "settings": {said: list(methods) for said, methods in settings_of(found).items()},
        "examples": found.examples,
        "left_out": found.left_out,
        "absent": dict(found.absent),
        "ranking": [_row(placed) for placed in found.placed],
        "differences": [_clean(asdict(one)) | {"real": one.real} for one in found.differences],
        "verdict": verdict(found),
        "at_home": list(found.at_home),
        "alpha": _plain(found.alpha),
        "alpha_without_controls": _plain(found.alpha_without_controls),
    }


def _row(placed: Placed) -> dict[str, Any]:
    ranks = {name: getattr(placed, name) or None for name in ("rank", "rank_low", "rank_high")}
    return {name: value for name, value in _clean(asdict(placed)).items() if name != "settings"} | ranks


def _clean(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) if isinstance(value, float) else value for name, value in values.items()}


def _plain(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return value if math.isfinite(value) else None


# ------------------------------------------------------------------------------------------------ as text


def text(board: Leaderboard) -> str:
    """The rankings for a terminal."""
    return "\n\n".join("\n".join(_block(board, name)) for name in board.metrics)


def _block(board: Leaderboard, name: str) -> Iterator[str]:
    found, metric = board.standing(name), board.metrics[name]
    yield f"{name} {arrow(metric)}  {better(metric)}; {counted(found)}"
    yield from (f"  {line}" for line in settings_lines(found))
    spelt = speller(found)
    rows = [cells(placed, spelt) for placed in found.placed]
    widths = [max(len(row[k]) for row in (HEAD, *rows)) for k in range(len(HEAD))]
    for row in (HEAD, *rows):
        told = [cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))]
        yield f"    {'  '.join(told)}".rstrip()
    yield from (f"  {method}: {reason}" for method, reason in found.absent.items())
    yield from (f"  {line}" for line in cautions(found))
    yield f"  {verdict(found)}"


HEAD = ("method", "mean", "95 % interval", "rank", "ranks", "position")
"""Columns of a ranking."""


def cells(placed: Placed, spelt: Callable[[float], str]) -> tuple[str, ...]:
    """A row of a ranking in words; `spelt`: its numbers."""
    name = f"{placed.method} (control)" if placed.control else placed.method
    if math.isnan(placed.mean):
        return name, "–", "–", "–", "–", "–"
    ends = "–" if math.isnan(placed.low) else f"{spelt(placed.low)} … {spelt(placed.high)}"
    position = "–" if math.isnan(placed.position) else f"{placed.position:.2f}"
    return name, spelt(placed.mean), ends, str(placed.rank or "–"), rank_range(placed), position


def counted(found: Standing) -> str:
    """How many examples counted."""
    left = f", {found.left_out} left out where a method has no value" if found.left_out else ""
    return f"{found.examples} example{'s' * (found.examples != 1)}{left}"


def settings_lines(found: Standing) -> list[str]:
    """What decided the numbers; for whom, where it is not the same for all."""
    said = settings_of(found)
    if len(said) <= 1:
        return [line for line in said if line]
    most = max(said, key=lambda line: len(said[line]))
    lines = [f"{', '.join(methods)}: {line}" for line, methods in said.items() if line != most]
    return [*lines, f"{'all others' if len(said[most]) > 1 else said[most][0]}: {most}"]


def markdown(board: Leaderboard) -> str:
    """The rankings as a page."""
    lines = ["# Leaderboard", "", f"{len(board)} examples, {len(board.methods)} methods and controls."]
    lines += [f"{_escaped(line)}." for line in unsound(board.unsound, len(board))]
    for name, metric in board.metrics.items():
        found = board.standing(name)
        lines += ["", f"## {_escaped(name)} {arrow(metric)}", "", f"{better(metric).capitalize()}; {counted(found)}."]
        lines += [f"{_escaped(line)}." for line in settings_lines(found)]
        lines += ["", f"| {' | '.join(HEAD)} |", f"|---|{'---:|' * (len(HEAD) - 1)}"]
        spelt = speller(found)
        lines += [f"| {' | '.join(_escaped(cell) for cell in cells(placed, spelt))} |" for placed in found.placed]
        lines += ["", _escaped(verdict(found))]
        lines += [f"{_escaped(line)}." for line in cautions(found)]
        lines += [f"{_escaped(method)}: {_escaped(reason)}." for method, reason in found.absent.items()]
    lines += ["", "## Provenance", ""]
    facts = {**board.provenance, **({"command": board.command} if board.command else {})}
    lines += [f"- {_escaped(key.replace('_', ' '))}: {_escaped(str(value))}" for key, value in facts.items()]
    return "\n".join(lines) + "\n"


def _escaped(said: str) -> str:
    """Text that Markdown leaves as it is."""
    for sign in "\\`*_[]<>|":
        said = said.replace(sign, f"\\{sign}")
    return said.replace("\n", " ")
