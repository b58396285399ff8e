"""Which metrics tell the right map from chance? `python benchmarks/brackets.py` (three minutes on one core).

Every metric of the catalogue that judges a map, over every task whose right map is known (`gradline.sanity.tasks`). A
random map has the values of the right one in other places. The number is the share of random maps that the right one
beats, ties counting half, with Wilson's 95 % interval over examples; a metric separates where that lies above ½.
Writes brackets.json and docs/reference/brackets.md.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

import gradline as gl
from gradline.evaluation.brackets import bracket
from gradline.evaluation.fitting import fitting
from gradline.metrics.base import Metric
from gradline.sanity import tasks

DRAWS = 4
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "brackets.md"

HEAD = """# Which metrics tell right from chance

Before a metric may rank maps, it has to tell the right one from a wrong one where the right one is known: by a formula,
or because a network was trained so that only one part of a picture says the class (`gl.sanity.tasks`). The right map
against random ones, which have its values in other places, so that neither scale nor sparsity decides. The number is
the share of random maps that the right map beats, ties counting half; **bold** where its 95 % interval (Wilson, over
examples) reaches one half: there the metric does not separate. – : does not fit the task. · : ranks nothing. Metrics
that explain again (`max-sensitivity`, `parameter-randomisation` …) judge methods, not maps, and are not here.

`python benchmarks/brackets.py` writes this page.
"""


def judged(metric: Metric, task: tasks.Task) -> dict[str, Any]:
    row: dict[str, Any] = {"metric": metric.name, "task": task.name}
    try:
        found = bracket(metric, task, draws=DRAWS)
    except gl.GradlineError as error:
        return row | {"verdict": "does not fit", "said": str(error)}
    if metric.higher_is_better is None:
        return row | {"verdict": "ranks nothing", "right": mean(found.oracle), "random": mean(found.random)}
    low, high = found.interval
    return row | {
        "verdict": "separates" if found.separates else "backwards" if high < 0.5 else "chance",
        "separation": found.separation,
        "low": low,
        "high": high,
        "right": mean(found.oracle),
        "random": mean(found.random),
        "examples": found.examples,
        "said": "; ".join(sorted({note for note in found.notes if note})),
    }


def mean(values: torch.Tensor) -> float | None:
    found = float(values.nanmean())
    return None if math.isnan(found) else found


def cell(row: dict[str, Any]) -> str:
    if "separation" not in row:
        return {"does not fit": "–", "ranks nothing": "·"}[row["verdict"]]
    if row["examples"] == 0:
        return "no value"
    said = f"{row['separation']:.2f}"
    return said if row["verdict"] == "separates" else f"**{said}**"


def page(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(row["metric"] for row in rows))
    columns = list(dict.fromkeys(row["task"] for row in rows))
    at = {(row["metric"], row["task"]): row for row in rows}
    lines = [
        HEAD,
        "| metric | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    lines += [f"| {name} | " + " | ".join(cell(at[name, column]) for column in columns) + " |" for name in names]
    lines += ["", "## Where a metric does not tell them apart", ""]
    for row in rows:
        if row["verdict"] in ("chance", "backwards"):
            interval = f"{row['separation']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            means = "" if row["right"] is None else f"; right {row['right']:.4g}, random {row['random']:.4g}"
            said = f"; {row['said'].split('; ')[0]}" if row["said"] else ""
            lines.append(f"- {row['metric']} on {row['task']}: {interval}{means}, {row['examples']} examples{said}")
    return "\n".join(lines) + "\n"


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for make in tasks.EVERY.values():
        task = make()
        rows += [judged(metric, task) for metric in fitting(task).values()]
        separating = sum(row["verdict"] == "separates" for row in rows if row["task"] == task.name)
        facts = ", ".join(f"{name} {share:.1%}" for name, share in task.facts.items())
        print(f"{task.name}: {separating} metrics separate{'; ' if facts else ''}{facts}", flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(rows), "utf-8")
    print(page(rows))


if __name__ == "__main__":
    main()
