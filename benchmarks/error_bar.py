"""Is the error bar honest on real photos? `GRADLINE_DATA=… python benchmarks/error_bar.py`.

EfficientNet-Lite0, black baseline, predicted class, logit and probability. Writes error_bar.json and .md beside
this file. The references (benchmarks/references.py) take forty minutes on one core the first time and are cached; the
rest takes about eight. Captum's map with 50 Gauss–Legendre nodes is measured on the same photos.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intervals import wilson
from photos import photos
from references import Reference, references

import gradline as gl

HERE = Path(__file__).parent


def relative(values: torch.Tensor, reference: Reference) -> float:
    truth = torch.from_numpy(reference.values).double()
    return float((values.detach().flatten().double() - truth).norm() / truth.norm())


def captum_map(case: gl.ImageCase, target: gl.Target) -> torch.Tensor:
    from captum.attr import IntegratedGradients

    def forward(x: torch.Tensor) -> torch.Tensor:
        owner = torch.zeros(len(x), dtype=torch.int64)
        return target.pick(case.model.model(x), owner)

    start = case.start()
    return IntegratedGradients(forward).attribute(case.x, start, n_steps=50, internal_batch_size=4)


def measure(path: Path, tol: float) -> list[dict[str, Any]]:
    case = gl.image_case(path)
    index, truths = references(case, path.name)
    rows = []
    for kind, truth in truths.items():
        target = gl.Logit(index) if kind == "logit" else gl.Probability(index)
        a = gl.attribute(gl.Score(case.model.model, target), case.x, baseline=case.baseline(), tol=tol)
        rows.append(
            {
                "photo": path.name,
                "target": kind,
                "status": str(a.status[0]),
                "evaluations": int(a.evaluations[0]),
                "estimate": float(a.error_estimate[0]),
                "true": relative(a.values, truth),
                "gap": abs(float(a.completeness_gap[0])) / abs(float(a.score[0] - a.baseline_score[0])),
                "captum": relative(captum_map(case, target), truth),
                "reference_nodes": truth.level,
                "reference_change": truth.change,
                "reference_converged": truth.converged,
            }
        )
        print(rows[-1], flush=True)
    return rows


def share(hits: list[bool]) -> str:
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits)}/{len(hits)} = {np.mean(hits):.1%} [{low:.1%}, {high:.1%}]"


def quantiles(values: list[float], unit: str = "") -> str:
    scale = 100 if unit else 1
    return " / ".join(f"{scale * np.quantile(values, q):.3g}{unit}" for q in (0.1, 0.5, 0.9, 1.0))


def table(rows: list[dict[str, Any]], tol: float) -> str:
    lines = [
        f"| tol {tol:.0%} | " + " | ".join(("logit", "probability", "both")) + " |",
        "|---|---|---|---|",
    ]
    groups = [[r for r in rows if r["target"] == k] for k in ("logit", "probability")]
    groups.append(rows)

    def add(label: str, cell: Any) -> None:
        lines.append(f"| {label} | " + " | ".join(str(cell(g)) for g in groups) + " |")

    def honest(g: list[dict[str, Any]], nodes: int) -> str:
        """Share within tol among maps that say `converged`, against references converged by so many nodes."""
        sure = [r for r in g if r["reference_converged"] and r["reference_nodes"] <= nodes]
        return share([r["true"] <= tol for r in sure if r["status"] == "converged"])

    add("maps", len)
    add("`converged` within 512 evaluations", lambda g: share([r["status"] == "converged" for r in g]))
    add("of these within tol, references converged by 513 nodes", lambda g: honest(g, 513))
    add("… references converged by 1025 nodes", lambda g: honest(g, 1025))
    add("… all references", lambda g: share([r["true"] <= tol for r in g if r["status"] == "converged"]))
    add("evaluations, 10/50/90/100 %", lambda g: quantiles([r["evaluations"] for r in g]))
    add("true error, 10/50/90/100 %", lambda g: quantiles([r["true"] for r in g], " %"))
    add("estimate / true, 10/50/90/100 %", lambda g: quantiles([r["estimate"] / r["true"] for r in g]))
    add("completeness gap, 10/50/90/100 %", lambda g: quantiles([r["gap"] for r in g], " %"))
    add("Captum, 50 Gauss–Legendre nodes: error", lambda g: quantiles([r["captum"] for r in g], " %"))
    add("Captum within tol", lambda g: share([r["captum"] <= tol for r in g]))
    unsure = [f"{r['photo']} {r['target']} ({r['reference_change']:.1%})" for r in rows if not r["reference_converged"]]
    lines.append(f"\nUnconverged references (change at 1025 nodes): {', '.join(unsure) or 'none'}.")
    outside = [
        f"{r['photo']} {r['target']} (true {r['true']:.1%}, estimate {r['estimate']:.1%}, "
        f"reference change {r['reference_change']:.1%})"
        for r in rows
        if r["status"] == "converged" and r["true"] > tol
    ]
    lines.append(f"\nSaid `converged`, measured outside: {', '.join(outside) or 'none'}.")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--tol", type=float, default=0.05)
    parser.add_argument("--every", type=int, default=1, help="take every so many-th of these photos only")
    parser.add_argument("--table", action="store_true", help="only write the table again, from the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    name = "error_bar" if options.tol == 0.05 else f"error_bar_{100 * options.tol:g}_percent"
    results = HERE / f"{name}.json"
    if options.table:
        rows = json.loads(results.read_text())
    else:
        rows = [row for path in photos(options.photos)[:: options.every] for row in measure(path, options.tol)]
        results.write_text(json.dumps(rows, indent=1) + "\n")
    text = table(rows, options.tol)
    (HERE / f"{name}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
