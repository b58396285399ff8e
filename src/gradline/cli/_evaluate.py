"""Methods judged by metrics over photos: read, judged a group at a time, written and printed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradline.cli import _names
from gradline.cli._compare import Row, method_of
from gradline.cli._means import Means, check_words, explained
from gradline.cli._outputs import check_apart, plan
from gradline.cli._request import Request, command_of
from gradline.cli._terminal import is_live, one_line, paint, prose, working, write
from gradline.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from gradline.adapters import ImageCase
    from gradline.evaluation.board import Leaderboard
    from gradline.metrics.base import Metric

METRICS = ("insertion-minus-deletion", "deletion", "insertion", "sparseness")
"""What methods are judged by if no metric is named."""

FILES = (".html", ".csv", ".parquet", ".json", ".md", ".png", ".svg", ".pdf")

MAPS = (".npy", ".safetensors")
"""Files that maps are read from."""


@dataclass(frozen=True)
class Wanted:
    """What is judged by what, and where it is written. `rows`: methods by name; `maps`: NAME=FILE, as given."""

    photos: tuple[str, ...]
    rows: dict[str, Row]
    metrics: tuple[str, ...]
    maps: tuple[str, ...]
    masks: str | None
    controls: bool
    files: tuple[Path, ...]


def files_of(photos: list[str], output: list[str]) -> tuple[Path, ...]:
    """The files to write: a bare suffix stands for `NAME-leaderboard`, of several photos for `leaderboard`. Raises
    `InputError`, `StorageError`, `MissingExtra`."""
    words = output or [".html"]
    if len(photos) > 1:
        bare = [Path(word) for word in words]
        words = [str(p.with_name(f"leaderboard{p.name}")) if p.name in FILES else str(p) for p in bare]
    (files,) = plan(photos[:1], words, suffixes=FILES, ending="leaderboard")
    for photo in photos:
        check_apart([photo], [files])
    return files


def carry_out(asked: Request, wanted: Wanted, words: list[str]) -> tuple[Leaderboard, dict[str, Any]]:
    """Judge and write; the leaderboard, and everything of it JSON-ready. What was done before an interruption is
    written too."""
    check_words(asked)
    metrics = _metrics(wanted)
    named = _named_maps(wanted)
    with working(f"loading {asked.model}"):
        means = Means.of(asked)
    cases = _cases(wanted.photos, means)
    board: Leaderboard | None = None
    command = command_of(asked, wanted.files, "evaluate", words)
    try:
        for grown in _boards(asked, wanted, means, cases, metrics, named):
            board = grown
    except KeyboardInterrupt:
        if board is None:
            raise
        _written(board, command, wanted.files)
        done = f"interrupted after {len(board)} of {len(cases)} photos; of these: {', '.join(map(str, wanted.files))}"
        raise KeyboardInterrupt(done) from None
    assert board is not None
    return _written(board, command, wanted.files)


def _written(board: Leaderboard, command: str, files: tuple[Path, ...]) -> tuple[Leaderboard, dict[str, Any]]:
    from gradline.evaluation.tables import content

    whole = replace(board, command=command)
    for path in files:
        with working(f"writing {path}"):
            whole.save(path)
    return whole, content(whole)


def _boards(
    asked: Request,
    wanted: Wanted,
    means: Means,
    cases: list[ImageCase],
    metrics: dict[str, Metric],
    named: dict[str, Path],
) -> Any:
    import torch

    from gradline.evaluation.contest import boards
    from gradline.evaluation.entrants import Budget
    from gradline.question import Probability, Score

    indices = torch.tensor([explained(asked, means, case)[0] for case in cases])
    target = Probability(indices) if asked.probability else indices
    made = {name: _maps(path) for name, path in named.items()}
    return boards(
        Score(means.model.model, target),
        torch.cat([case.x for case in cases]),
        {name: method_of(cases[0], *row) for name, row in wanted.rows.items()} | made,
        metrics,
        controls=None if wanted.controls else {},
        masks=None if wanted.masks is None else _masks(wanted, cases),
        pixels=means.model.pixels,
        names=_example_names(wanted.photos),
        budget=Budget(asked.tol, asked.steps, asked.max_evaluations, asked.seed, asked.memory),
        progress=is_live(sys.stderr),
    )


def _cases(photos: tuple[str, ...], means: Means) -> list[ImageCase]:
    from gradline.adapters import image_case

    cases = []
    for photo in photos:
        with working(f"reading {photo}"):
            cases.append(image_case(Path(photo), means.model))
    shapes = {tuple(case.x.shape[1:]) for case in cases}
    if len(shapes) > 1:
        raise InputError("a network that sees all photos in one size", f"{sorted(shapes)}", "judge them one by one")
    return cases


def _example_names(photos: tuple[str, ...]) -> list[str]:
    """File names, or whole paths where two are the same."""
    names = [Path(photo).name for photo in photos]
    return names if len(set(names)) == len(names) else list(photos)


def _metrics(wanted: Wanted) -> dict[str, Metric]:
    """The metrics by name. Raises `InputError`, also for one that needs masks and has none."""
    from gradline.metrics.catalogue import by_name, entries, names

    for name in wanted.metrics:
        _names.check("a metric", name, names())
        needs = next(entry.needs for entry in entries() if entry.name == name)
        if "masks" in needs and wanted.masks is None:
            raise InputError(f"--masks for {name}: a folder that says where the evidence is", "none")
    return {name: by_name(name) for name in wanted.metrics}


def _named_maps(wanted: Wanted) -> dict[str, Path]:
    """Files of maps by name. Raises `InputError`."""
    found: dict[str, Path] = {}
    for word in wanted.maps:
        name, sign, place = word.partition("=")
        path = Path(place)
        if not (sign and name and place) or path.suffix not in MAPS:
            raise InputError(f"--maps as NAME=FILE, a file that ends in {', '.join(MAPS)}", repr(word))
        if not path.is_file():
            raise InputError(f"a file for --maps {name}", f"{place!r}, which is not there")
        if name in found or name in wanted.rows:
            raise InputError("a name of its own for --maps", repr(name))
        found[name] = path
    return found


def _maps(path: Path) -> Any:
    """Maps of a file: an attribution of ours, the one tensor of another's, or an array. Raises `InputError`."""
    import numpy as np
    import torch

    if path.suffix == ".npy":
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"an array in {path}", str(error)) from error
        if array.dtype.kind not in "fiu":
            raise InputError(f"an array of real numbers in {path}", f"{array.dtype}")
        return torch.from_numpy(array.astype(np.float64))
    from safetensors import SafetensorError, safe_open

    from gradline.result import load
    from gradline.result.storage import FORMAT

    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("format") == FORMAT:
                return load(path)
            names = list(file.keys())
            if len(names) != 1:
                raise InputError(f"one tensor in {path}", f"{len(names)}: {', '.join(names[:5])}")
            return file.get_tensor(names[0])
    except SafetensorError as error:
        raise InputError(f"a .safetensors file in {path}", str(error)) from error


def _masks(wanted: Wanted, cases: list[ImageCase]) -> Tensor:
    """The masks as the model sees the photos, scaled and cut like them: `(N, H, W)` in [0, 1]. Raises `InputError`."""
    import numpy as np
    import torch

    from gradline.adapters.photo import read_photo

    assert wanted.masks is not None
    found = []
    for photo, case in zip(wanted.photos, cases, strict=True):
        path = Path(wanted.masks) / f"{Path(photo).stem}.png"
        if not path.is_file():
            raise InputError(f"a mask for {photo}", f"{str(path)!r}, which is not there")
        picture = case.model.preprocessing.picture(read_photo(path)).convert("L")
        found.append(torch.from_numpy(np.asarray(picture, dtype=np.float64) / 255))
    return torch.stack(found)


# ------------------------------------------------------------------------------------------------ on the terminal


def print_board(board: Leaderboard, files: tuple[Path, ...], seconds: float) -> None:
    from gradline.evaluation.tables import HEAD, cells, counted, settings_lines
    from gradline.evaluation.words import arrow, better, cautions, speller, unsound, verdict

    for name, metric in board.metrics.items():
        found = board.standing(name)
        spelt = speller(found)
        rows = [tuple(map(one_line, cells(placed, spelt))) for placed in found.placed]
        widths = [max(len(row[k]) for row in (HEAD, *rows)) for k in range(len(HEAD))]
        said = f"  {better(metric)}; {counted(found)}"
        write(f"{paint(f'{name} {arrow(metric)}', 'bold', sys.stdout)}{paint(said, 'dim', sys.stdout)}")
        write(paint(_line(HEAD, widths), "dim", sys.stdout))
        for placed, row in zip(found.placed, rows, strict=True):
            write(paint(_line(row, widths), "dim", sys.stdout) if placed.control else _line(row, widths))
        absent = [f"{method}: {reason}." for method, reason in found.absent.items()]
        for text in (verdict(found), *(f"{line}." for line in cautions(found)), *absent):
            write("\n".join(prose(one_line(text), 2)))
        for text in settings_lines(found):
            write("\n".join(paint(line, "dim", sys.stdout) for line in prose(one_line(text), 2)))
        write()
    for text in unsound(board.unsound, len(board)):
        write(paint("\n".join(prose(f"{one_line(text)}.")), "yellow", sys.stdout))
    for path in files:
        write(f"written {one_line(str(path))}")
    write(paint(f"in {seconds:.1f} s", "dim", sys.stdout))


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [cell.rjust(w) if k else cell.ljust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))]
    return f"  {'  '.join(cells)}".rstrip()
