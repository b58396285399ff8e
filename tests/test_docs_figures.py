"""Measured numbers on the pages are those that the committed benchmarks wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent


def measured(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "benchmarks" / f"{name}.json").read_text("utf-8"))
    return found


def text(name: str) -> str:
    """A page with its lines joined."""
    return " ".join((ROOT / "docs" / name).read_text("utf-8").split())


def test_peaks_of_memory() -> None:
    peaks = [round(case["peak_mib"]) for case in measured("memory")]
    page = text("concepts/memory.md")
    assert [int(n) for n in re.findall(r"\| (\d+) MiB \|", page)] == peaks


def test_gradients_that_photos_took() -> None:
    maps = measured("error_bar")
    spent = [case["evaluations"] for case in maps]
    assert f"the maps of one network took {min(spent)} to {max(spent)} gradients" in text("concepts/quadrature.md")
    medians = [
        median(c["evaluations"] for c in measured(f"error_bar{end}")) for end in ("_10_percent", "", "_2_percent")
    ]
    ten, five, two = (f"{n:g}" for n in medians)
    assert f"took {ten} gradients at 10 %, {five} at 5 % and {two} at 2 % (medians)" in text("how-to/tolerance.md")


def test_errors_and_gaps_of_photos() -> None:
    maps = measured("error_bar")
    within = sum(case["true"] <= 0.05 for case in maps)
    assert f"{within} of {len(maps)} photo maps were within 5 %" in text("index.md")
    assert f"their gaps reach {max(case['gap'] for case in maps):.0%}".replace("%", " %") in text(
        "concepts/quadrature.md"
    )
    ratio = sorted(case["estimate"] / case["true"] for case in maps)
    low, high = ratio[len(ratio) // 10] - 1, ratio[-len(ratio) // 10] - 1
    said = re.search(
        r"lies within −(\d+) % and \+(\d+) % of the truth for the middle 80 %", text("how-to/tolerance.md")
    )
    assert said is not None
    assert abs(-100 * low - int(said[1])) < 1
    assert abs(100 * high - int(said[2])) < 1


def test_what_an_error_of_a_map_means_for_its_values_and_their_sums() -> None:
    found = json.loads((ROOT / "benchmarks" / "values.json").read_text("utf-8"))
    strongest = found["strongest_percent"]
    said = text("how-to/tolerance.md")
    assert f"off by {100 * strongest['median']:.1f} % in the median, and the worst of them by" in said
    assert f"the worst of them by {100 * strongest['worst']:.0f} %" in said
    said = text("how-to/read-a-map.md")
    assert f"this map is off by {100 * found['map']:.1f} %" in said
    assert f"pixels by {100 * found['blocks_of_56']:.1f} %" in said
