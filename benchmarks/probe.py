"""Should a forward-only probe place the controller's first nodes? `GRADLINE_DATA=… python benchmarks/probe.py`.

Probability of the predicted class, EfficientNet-Lite0, black baseline. The score at the edges of equal cells, which
takes no gradient, gives the first nodes the density of `rules.ByOutputChange`; from there on the controller goes as it
does. A forward row is charged at 0.4 of a gradient row. True errors are against the cached references of
references.py. Beside it, the same rule at fixed budgets, where nothing is split. Writes probe.md; 45 minutes on one
core, kept in .cache/probe.json for `--table`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from error_bar import quantiles, relative, share
from photos import photos
from references import references

import gradline as gl
from gradline.core.fixed import scores
from gradline.core.flow import Flow, Frame
from gradline.core.rules import ByOutputChange, Midpoint
from gradline.core.seen import Seen

ADAPTIVE, BASE, BAR = (sys.modules[f"gradline.core.{name}"] for name in ("adaptive", "paths.base", "error_bar"))
HERE = Path(__file__).parent
RESULTS = HERE / ".cache" / "probe.json"
FORWARD = 0.4
"""Cost of a forward row in gradient rows (measured on a CPU: 0.38 to 0.45)."""

TOLERANCES = {0.05: 1, 0.1: 1, 0.02: 3}
"""How much of the 40 photos each tolerance gets: every so many-th."""

RULES, STEPS = (gl.rules.Midpoint, gl.rules.GaussLegendre, gl.rules.ByOutputChange), (16, 32, 64)


@dataclass(frozen=True)
class Variant:
    """`first` nodes by a probe of so many `cells` (0: midpoints, no probe); `guard`: the jump guard sees it as well."""

    first: int = 8
    cells: int = 0
    guard: bool = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        with patch.object(BASE, "adaptive", self.flow):
            yield

    def flow(self, frame: Frame, curve: Any, tol: float, most: int) -> Flow:
        assert frame.examples == frame.draws == 1
        values = (yield from scores(frame, curve, 0, self.cells)) if self.cells else None
        rule = ByOutputChange(self.cells) if self.cells else Midpoint()
        nodes = rule.table(self.first, frame.names, frame.seed, values=values)[0][0]
        jumps = guard(values[0]) if self.guard and values is not None else BAR._jumps
        with patch.object(ADAPTIVE, "first_nodes", lambda: nodes), patch.object(BAR, "_jumps", jumps):
            return (yield from ADAPTIVE.adaptive(frame, curve, tol, most))

    def rounds(self, evaluations: int) -> int:
        """Batches that had to wait for one another, the probe included."""
        nodes, count = self.first, 1 + (self.cells > 0)
        while nodes < evaluations:
            nodes += ADAPTIVE.SPLITS * max(1, nodes // 32)
            count += 1
        return count


VARIANTS: dict[str, Variant] = {
    "as it is: 8 midpoints": Variant(),
    "12 midpoints": Variant(12),
    "24 midpoints": Variant(24),
    "probe of 16 cells, 8 nodes": Variant(8, 16),
    "probe of 16 cells, 12 nodes": Variant(12, 16),
    "probe of 16 cells, 12 nodes, guard too": Variant(12, 16, guard=True),
    "probe of 16 cells, 24 nodes": Variant(24, 16),
    "probe of 8 cells, 8 nodes": Variant(8, 8),
}


def guard(probed: np.ndarray) -> Callable[[Seen, np.ndarray, float], np.ndarray]:
    """The jump guard with the scores of the probe: a cell is doubted for any stretch between two known scores."""
    usual, grid = BAR._jumps, np.linspace(0, 1, len(probed))

    def jumps(seen: Seen, gap: np.ndarray, tol: float) -> np.ndarray:
        found = usual(seen, gap, tol)
        (nodes,), (value,), (total,) = seen.t, seen.value, seen.total
        t = np.concatenate([grid, nodes])
        order = np.argsort(t, kind="stable")
        t, score = t[order], np.concatenate([probed, value])[order]
        slope = np.interp(t, nodes, total)
        off = np.abs(np.diff(score) - np.diff(t) * (slope[1:] + slope[:-1]) / 2)
        scale = max(abs(probed[-1] - probed[0]), 0.1 * np.ptp(score))
        cells = np.searchsorted(nodes, (t[1:] + t[:-1]) / 2)
        found[0, cells[off > tol * scale]] = True
        return np.asarray(found)

    return jumps


def measure(path: Path, tol: float) -> list[dict[str, Any]]:
    case = gl.image_case(path)
    index, truths = references(case, path.name)
    truth, rows = truths["probability"], []
    for name, variant in VARIANTS.items():
        with variant.installed():
            a = gl.attribute(
                gl.Score(case.model.model, gl.Probability(index)), case.x, baseline=case.baseline(), tol=tol
            )
        assert a.error_estimate is not None
        rows.append(
            {
                "photo": path.name,
                "tol": tol,
                "variant": name,
                "status": str(a.status[0]),
                "evaluations": int(a.evaluations[0]),
                "forwards": int(a.forward_evaluations[0]),
                "rounds": variant.rounds(int(a.evaluations[0])),
                "estimate": float(a.error_estimate[0]),
                "true": relative(a.values, truth),
                "reference_converged": truth.converged,
            }
        )
    print(path.name, tol, [r["evaluations"] for r in rows], [f"{r['true']:.3f}" for r in rows], flush=True)
    return rows


def measure_fixed(path: Path) -> list[dict[str, Any]]:
    case = gl.image_case(path)
    index, truths = references(case, path.name)
    score, rows = gl.Score(case.model.model, gl.Probability(index)), []
    for rule in RULES:
        for steps in STEPS:
            a = gl.attribute(score, case.x, baseline=case.baseline(), steps=steps, rule=rule)
            error, forwards = relative(a.values, truths["probability"]), int(a.forward_evaluations[0])
            found = {"rule": rule.__name__, "steps": steps, "evaluations": steps, "forwards": forwards, "true": error}
            rows.append({"photo": path.name, "tol": None, "variant": None, **found})
    print(path.name, [f"{r['rule'][0]}{r['steps']} {r['true']:.3f}" for r in rows], flush=True)
    return rows


def cost(rows: list[dict[str, Any]]) -> np.ndarray:
    return np.array([r["evaluations"] + FORWARD * r["forwards"] for r in rows])


def against(ours: np.ndarray, usual: np.ndarray) -> str:
    """Change of the mean cost, with the bootstrap's 95 % interval over photos."""
    rng = np.random.default_rng(0)
    pick = rng.integers(len(ours), size=(10_000, len(ours)))
    low, high = np.quantile(ours[pick].mean(1) / usual[pick].mean(1), (0.025, 0.975))
    return f"{ours.mean() / usual.mean() - 1:+.1%} [{low - 1:+.1%}, {high - 1:+.1%}]"


def table(rows: list[dict[str, Any]], tol: float) -> str:
    """One line a variant: what it costs, and whether it is honest."""
    groups = {name: [r for r in rows if r["variant"] == name and r["tol"] == tol] for name in VARIANTS}
    usual = cost(groups["as it is: 8 midpoints"])
    sure = sum(r["reference_converged"] for r in groups["as it is: 8 midpoints"])
    lines = [
        f"Tolerance {tol:.0%}, {len(usual)} photos, {sure} of them with a converged reference:\n",
        "| first nodes | evaluations, median / mean | cost, mean | against as it is | rounds, mean | `converged` "
        "| of these within tol | … with a converged reference | true error, 10/50/90/100 % "
        "| estimate / true, 10/50/90/100 % |",
        "|---" * 10 + "|",
    ]
    for name, group in groups.items():
        done = [r for r in group if r["status"] == "converged"]
        spent = [r["evaluations"] for r in group]
        cells = [
            name,
            f"{np.median(spent):.0f} / {np.mean(spent):.1f}",
            f"{cost(group).mean():.1f}",
            "" if name.startswith("as it is") else against(cost(group), usual),
            f"{np.mean([r['rounds'] for r in group]):.1f}",
            f"{len(done)}/{len(group)}",
            share([r["true"] <= tol for r in done]),
            share([r["true"] <= tol for r in done if r["reference_converged"]]),
            quantiles([r["true"] for r in group], " %"),
            quantiles([r["estimate"] / r["true"] for r in group]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def fixed_table(rows: list[dict[str, Any]]) -> str:
    """True errors of fixed budgets, and how often the probing rule is the better one at equal steps."""
    lines = [
        f"Fixed budgets, {len({r['photo'] for r in rows if r['tol'] is None})} photos, all references, true error:\n",
        "| rule | steps | cost | 10/50/90/100 % | larger than ByOutputChange's |",
        "|---|---|---|---|---|",
    ]
    for steps in STEPS:
        groups = [[r for r in rows if r.get("rule") == rule.__name__ and r["steps"] == steps] for rule in RULES]
        errors = [np.array([r["true"] for r in group]) for group in groups]
        for group, error in zip(groups, errors, strict=True):
            worse = "" if error is errors[-1] else share(list(error > errors[-1]))
            name, spread = group[0]["rule"], quantiles(list(error), " %")
            lines.append(f"| {name} | {steps} | {cost(group).mean():g} | {spread} | {worse} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="only write the tables again, from the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    known = {(r["photo"], r["tol"]) for r in rows}
    plan: dict[float | None, int] = {} if options.table else {**TOLERANCES, None: 1}
    for tol, every in plan.items():
        for path in photos(40)[::every]:
            if (path.name, tol) not in known:
                rows += measure_fixed(path) if tol is None else measure(path, tol)
                RESULTS.write_text(json.dumps(rows))
    text = "\n".join([*(table(rows, tol) for tol in TOLERANCES), fixed_table(rows)])
    (HERE / "probe.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
