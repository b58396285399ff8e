"""What is printed and written of a result: the card, a line among others, numbers for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradline.cli._terminal import one_line, paint, prose, show
from gradline.cli._terminal import write as write_line

if TYPE_CHECKING:
    from gradline.report import OtherBaseline, Photo
    from gradline.report.text import Text as ShownText
    from gradline.result import Attribution, Finding

    Seen = Photo | ShownText


@dataclass(frozen=True, eq=False)
class Result:
    """An explanation of one photo. `index`: of the class explained. `files`: None until they are written."""

    name: str
    index: int
    attribution: Attribution
    files: tuple[Path, ...] | None = None
    seconds: float = 0.0

    @property
    def photo(self) -> Photo:
        """What is known of the photo."""
        (photo,) = self.attribution.shown
        return photo  # type: ignore[return-value]


def write(a: Attribution, path: Path, summary: Callable[[], dict[str, Any]]) -> None:
    """Write one output by its suffix. Raises `StorageError`, `MissingExtra`."""
    from gradline.result.storage import write_atomically

    if path.suffix == ".json":
        text = json.dumps(summary(), indent=2) + "\n"
        write_atomically(path, lambda p: p.write_text(text, "utf-8"))
    else:
        a.save(path)


def summary(result: Result) -> dict[str, Any]:
    """The result in numbers, JSON-ready; the map itself is in the .safetensors output."""
    photo = result.photo
    files = {} if result.files is None else {"files": [str(p) for p in result.files]}
    said = numbers(result.attribution, photo)
    others = [
        {"name": o.name, "rank_agreement": finite(o.agreement), "error_estimate": finite(o.error_estimate)}
        for o in photo.baselines
    ]
    return {
        "photo": result.name,
        "class": {"index": result.index, "name": photo.title},
        **said,
        "baselines": others,
        **files,
    }


def numbers(a: Attribution, shown: Seen) -> dict[str, Any]:
    """What is known of one attribution, JSON-ready."""
    return {
        "candidates": [{"name": name, "probability": p} for name, p in shown.candidates],
        "explained": a.explained[0],
        "status": a.status[0].value,
        "score": plain(a.score),
        "baseline_score": plain(a.baseline_score),
        "completeness_gap": plain(a.completeness_gap),
        "error_estimate": plain(a.error_estimate),
        "evaluations": int(a.evaluations[0]),
        "findings": [str(f) for f in findings(a)],
        "provenance": dict(a.provenance),
        "command": shown.command,
        "python": shown.python,
    }


def findings(a: Attribution) -> list[Finding]:
    """What was noticed of the one example there is, which need not be named."""
    return [replace(finding, examples=()) for finding in a.findings]


def plain(values: Any) -> float | None:
    """The first of them, or None, for JSON, which has no NaN and no infinity."""
    return None if values is None else finite(float(values[0]))


def finite(value: float) -> float | None:
    """The number that JSON has for it, or None."""
    return value if math.isfinite(value) else None


# ------------------------------------------------------------------------------------------------ on the terminal


def print_stage(result: Result, *, several: bool) -> None:
    """What has become known: of one photo all of it, of several a line each when it is done."""
    if several:
        if result.files is not None:
            _print_line(result)
    elif result.files is not None:
        print_files(result.files, result.seconds)
    elif result.photo.baselines:
        _print_agreement(result.photo.baselines)
    else:
        print_card(result.attribution, result.photo)


def print_end(results: list[Result], failed: list[str], seconds: float) -> None:
    """How it went with several photos."""
    from gradline.status import Status

    ends = [Status(r.attribution.status[0]) for r in results]
    counts = [f"{ends.count(s)} {s.value.replace('_', ' ')}" for s in dict.fromkeys(ends)]
    counts += [f"{len(failed)} failed: {', '.join(map(one_line, failed))}"] if failed else []
    write_line(f"{len(results) + len(failed)} photos in {seconds:.1f} s: {', '.join(counts)}")


def print_card(a: Attribution, shown: Seen) -> None:
    """How it ended, what the model says, what was noticed."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    from gradline.result.card import rows
    from gradline.result.spelling import percent

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, text in rows(a, 0):
        table.add_row(label, Text(text, style=_colour(a) if label == "verdict" else ""))
    said = ", ".join(f"{name} {percent(p)}" for name, p in shown.candidates[:3])
    if said:
        table.add_row(f"{shown.model} says", Text(said))
    for finding in findings(a):
        table.add_row(finding.code, Text(finding.text, style="yellow"))
    title = Text.assemble((shown.title, "bold"), f" in {one_line(shown.name)}")
    show(Panel(table, title=title, title_align="left"))


def _print_agreement(others: tuple[OtherBaseline, ...]) -> None:
    from gradline.report.agreement import AGREE, DIFFER

    said = ", ".join(f"{o.name} {o.agreement:.2f}" for o in others)
    least = min((o.agreement for o in others if math.isfinite(o.agreement)), default=math.nan)
    matters = "hardly matters" if least >= AGREE else "matters for details" if least >= DIFFER else "matters"
    then = "" if math.isnan(least) else f". The choice of baseline {matters} here."
    for line in prose(f"Rank agreement with maps from other baselines: {said}{then}", 2):
        write_line(line)


def print_files(files: Sequence[Path], seconds: float) -> None:
    """What was written, and how long all of it took."""
    for path in files:
        write_line(f"  written {one_line(str(path))}")
    write_line(paint(f"  in {seconds:.1f} s", "dim", sys.stdout))


def _print_line(result: Result) -> None:
    from rich.text import Text

    from gradline.result.card import verdict

    assert result.files is not None
    a = result.attribution
    line = Text.assemble((one_line(result.name), "bold"), f"  {result.photo.title}  ", (verdict(a, 0), _colour(a)))
    line.append("".join(f" {f.code}" for f in a.findings), "yellow")
    line.append(f"  → {', '.join(one_line(str(path)) for path in result.files)}", "dim")
    show(line, soft_wrap=True)


def _colour(a: Attribution) -> str:
    return "bold green" if a.status[0].is_sound else "bold yellow"
