"""The leaderboard of the documentation in small: the committed script, on two free photos and the real network."""

from __future__ import annotations

import csv
import importlib.util
import math
import sys
from pathlib import Path

import pytest

import gradline as gl

ROOT = Path(__file__).parent.parent


def test_the_small_form_of_the_committed_leaderboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADLINE_DATA", raising=False)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("leaderboard_script", ROOT / "benchmarks" / "leaderboard.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "leaderboard_script", script)
    spec.loader.exec_module(script)
    board: gl.Leaderboard = script.board(2, small=True)
    assert board.methods == ("IG from black", "gradient × input", "gradient", "random map", "edge detector")
    assert board.names == ("astronaut.png", "chelsea.png")
    written = board.save(tmp_path / "board.csv")
    with written.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 3 * 2
    assert all(math.isfinite(float(row["value"])) for row in rows)
    assert not any(pair.real for pair in board.differences("MAS")), "two photos make nothing real"
    page = board.save(tmp_path / "board.md").read_text("utf-8")
    assert all(name in page for name in (*board.methods, "Blur(sigma=15.0)", "probability", "signed ranking"))


def test_the_committed_leaderboard_is_that_of_its_values() -> None:
    """Means on the page are those of the table beside the script, and 40 photos, 7 methods and 9 metrics are there."""
    with (ROOT / "benchmarks" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    methods = {row["method"] for row in rows if row["control"] == "False"}
    assert (len(methods), len({row["metric"] for row in rows}), len({row["example"] for row in rows})) == (7, 9, 40)
    page = (ROOT / "docs" / "leaderboard.md").read_text("utf-8")
    values = [float(r["value"]) for r in rows if (r["method"], r["metric"]) == ("IG from blur", "ins − del, blocks")]
    section = page[page.index("## ins − del, blocks") :]
    (line,) = [row for row in section.split("##")[1].splitlines() if row.startswith("| IG from blur")]
    assert float(line.split("|")[2].replace("−", "-")) == pytest.approx(sum(values) / len(values), abs=6e-4)
