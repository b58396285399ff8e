"""Axioms: `python reproductions/axioms.py` (about 8 minutes on one core; no photos).

Lundstrom, Huang, Razaviyayn (2022), A Rigorous Study of Integrated Gradients Method and Extensions to Internal Neuron
Attributions: which axioms single Integrated Gradients out, and that earlier proofs need more than they say. Every
method of the catalogue is audited on generated functions and networks, with few steps of ascent; and what the paper
proves is shown on formulas: what is no mean of paths (positivity), a staircase (symmetry), the jump of max(x1, x2), the
Lipschitz bound on smooth networks.

`--small`, for tests: two methods, four axioms. Writes axioms.json and docs/reproductions/axioms.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from claims import table
from common import Asked, Form, counted, publish
from torch import Tensor, nn

import gradline as gl
from gradline.sanity import Answer, Audit, Explainer
from gradline.sanity.axioms.explainers import Explains

NODES = 16


def methods() -> dict[str, gl.Method | Explainer]:
    """What is audited, by its name on the page."""
    m = gl.methods
    return {
        "Integrated Gradients": m.integrated_gradients(),
        "Split IG, φ = 0.9": m.split_integrated_gradients(),
        "Left IG, φ = 0.9": m.left_integrated_gradients(),
        "SmoothTaylor, 50 roots": m.smooth_taylor(0.5, 50),
        "maximum over scaled inputs": m.geometrically_guided_maximum(1),
        "GGIG-Max, 3 steps": m.geometrically_guided_maximum(3, 1e-2),
        "GGIG-IG, 3 steps": m.geometrically_guided_integrated_gradients(3, 1e-2),
        "gradient": m.gradient(),
        "gradient × input": m.gradient_x_input(),
        "one staircase path": Explainer("staircase", staircase, finer=(finely(staircase),)),
        "2 A(γ₁) − A(γ₂)": Explainer("beyond paths", beyond_paths, finer=(finely(beyond_paths),)),
    }


# ------------------------------------------------------------------------------------------------- planted methods


def finely(explains: Any) -> Explains:
    """The same with eight times the nodes on every piece."""
    return lambda model, x, start: explains(model, x, start, 8 * NODES)


def along(model: nn.Module, x: Tensor, start: Tensor, order: list[int], nodes: int = NODES) -> Tensor:
    """The path method that moves one feature after the other, in this order: exact up to quadrature on each piece."""
    values = torch.zeros_like(x)
    at = start.expand_as(x).clone()
    node, weight = gl.rules.GaussLegendre().table(nodes, ("0",), 0, 0, 1)
    for i in order:
        way = x[:, i] - at[:, i]
        for t, w in zip(node[0].tolist(), weight[0].tolist(), strict=True):
            point = at.clone()
            point[:, i] += t * way
            point.requires_grad_()
            (grad,) = torch.autograd.grad(model(point).sum(), point)
            values[:, i] += w * way * grad[:, i]
        at[:, i] = x[:, i]
    return values


def staircase(model: nn.Module, x: Tensor, baseline: Tensor, nodes: int = NODES) -> Tensor:
    return along(model, x, baseline, list(range(x.shape[1])), nodes)


def beyond_paths(model: nn.Module, x: Tensor, baseline: Tensor, nodes: int = NODES) -> Tensor:
    """Linear, complete and blind to dummies, but no mean of paths: 2 A(γ₁) − A(γ₂) of two staircases."""
    forth = list(range(x.shape[1]))
    return 2 * along(model, x, baseline, forth, nodes) - along(model, x, baseline, forth[::-1], nodes)


# ------------------------------------------------------------------------------------------------------- measure


def measure(*, small: bool, seed: int) -> dict[str, Any]:
    """Every verdict, the jumps and the bound."""
    every, axioms = list(methods().items()), None
    if small:
        every = [every[0], every[-3]]
        axioms = ["completeness", "dummy", "symmetry", "non-decreasing-positivity"]
    found: dict[str, Any] = {"seed": seed, "torch": str(torch.__version__), "methods": {}}
    for _, (name, method) in counted(every, "methods"):
        made: Audit = gl.sanity.audit(method, axioms=axioms, networks=not small, cases=9, seed=seed)
        found["methods"][name] = made.as_dict()
    return found | {"jumps": jumps(), "bound": bound(20 if small else 200, seed)}


def jumps() -> list[list[float]]:
    """How far the map of max(x1, x2) jumps between (1 + ε, 1) and (1, 1 + ε), for ε: `[ε, ‖Δx‖, ‖ΔIG‖]`."""
    rows = []
    for eps in (1e-1, 1e-2, 1e-3, 1e-4):
        x = torch.tensor([[1 + eps, 1.0], [1.0, 1 + eps]], dtype=torch.float64)
        a = gl.explain(lambda z: z.amax(1, keepdim=True), x, steps=16).values
        rows.append([eps, float((x[0] - x[1]).norm()), float((a[0] - a[1]).norm())])
    return rows


def bound(pairs: int, seed: int) -> dict[str, Any]:
    """|IG_i(x) − IG_i(y)| as a share of what the bound allows, on pairs of inputs of a tanh network."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1)).double().eval()
    x, y = torch.randn(2, pairs, 6, dtype=torch.float64)
    allowed = gl.sanity.ig_lipschitz_bound(net, y)
    a, b = (gl.explain(net, z, tol=1e-4).values for z in (x, y))
    share = (a - b).abs() / (allowed.constant * (x - y).norm(dim=1, keepdim=True))
    return {"pairs": pairs, "largest": float(share.max()), "median": float(share.median())}


# ------------------------------------------------------------------------------------------------------- the page

INTRODUCTION = (
    "*Lundstrom, Huang, Razaviyayn (2022), A Rigorous Study of Integrated Gradients Method and Extensions to Internal",
    "Neuron Attributions.* Which axioms single Integrated Gradients out among all methods? Here every method is",
    "[audited](../how-to/audit.md) on generated functions and networks: *holds* means that no counterexample was found",
    "in the cases looked at, **no** that one was found and stayed when the accuracy was raised. The paper's own text",
    "was not at hand; the axioms of positivity, scale invariance and proportionality are reconstructed.",
)

NOTES = (
    "The distributional analogues, over two baselines, have the same answers but where a * stands; – : the axiom",
    "cannot be asked. SmoothTaylor is audited within five standard errors of its draws. Ascents have 3 steps of 0.01.",
)

MARKS = {Answer.HOLDS: "holds", Answer.VIOLATED: "**no**", Answer.NOT_CLAIMED: "–"}

JUMPS = ["ε", "distance of the inputs", "distance of the maps"]

CLAIMS = (
    ("Integrated Gradients keeps every axiom", "Integrated Gradients", None, Answer.HOLDS),
    ("gradient × input is not complete", "gradient × input", "completeness", Answer.VIOLATED),
    ("Left IG alone is not complete", "Left IG, φ = 0.9", "completeness", Answer.VIOLATED),
    ("a maximum over scaled inputs is not complete", "maximum over scaled inputs", "completeness", Answer.VIOLATED),
    ("a single staircase path is complete", "one staircase path", "completeness", Answer.HOLDS),
    ("… but not symmetric", "one staircase path", "symmetry", Answer.VIOLATED),
    ("2 A(γ₁) − A(γ₂) is complete", "2 A(γ₁) − A(γ₂)", "completeness", Answer.HOLDS),
    ("… and linear", "2 A(γ₁) − A(γ₂)", "linearity", Answer.HOLDS),
    ("… and blind to dummies", "2 A(γ₁) − A(γ₂)", "dummy", Answer.HOLDS),
    (
        "… but not a mean of paths: positivity rejects it",
        "2 A(γ₁) − A(γ₂)",
        "non-decreasing-positivity",
        Answer.VIOLATED,
    ),
)
"""What theory says; None: of all axioms."""


def page(found: dict[str, Any]) -> str:
    """The page from the numbers alone."""
    audits = {name: {v["axiom"]: v for v in made["verdicts"]} for name, made in found["methods"].items()}
    axioms = list(next(iter(audits.values())))
    plain = [a for a in axioms if not a.startswith("distributional-")]
    rows = [[name, *(_mark(verdicts, axiom, axioms) for axiom in plain)] for name, verdicts in audits.items()]
    lines = [
        "# Axioms",
        "",
        *INTRODUCTION,
        "",
        table(["method", *plain], rows),
        "",
        *NOTES,
        "",
        "## Claims",
        "",
        table(["claim", "found", "verdict"], [_claim(audits, *claim) for claim in CLAIMS if claim[1] in audits]),
        "",
        "## The smallest counterexamples",
        "",
        *(f"- {name}, {v['axiom']}: {_example(v)}" for name, one in audits.items() for v in _first(one)),
        "",
        "## No Lipschitz constant for max-type networks, one for smooth ones",
        "",
        "The map of F = max(x1, x2) jumps by about √2 between (1 + ε, 1) and (1, 1 + ε), however small ε is:",
        "",
        table(
            ["ε", "distance of the inputs", "distance of the maps"],
            [[f"{v:.3g}" for v in row] for row in found["jumps"]],
        ),
        "",
        f"On a tanh network |IG_i(x) − IG_i(y)| ≤ (G_i + L_i |y_i − x'_i| / 2) ‖x − y‖ held for all features of "
        f"{found['bound']['pairs']} random pairs; the largest difference is {found['bound']['largest']:.0%} of what is "
        f"allowed, the median {found['bound']['median']:.1%}.",
        "",
        "Made by `python reproductions/axioms.py`.",
    ]
    return "\n".join(lines)


def _mark(verdicts: dict[str, Any], axiom: str, axioms: list[str]) -> str:
    over = verdicts.get(f"distributional-{axiom}")
    here = Answer(verdicts[axiom]["answer"])
    differs = over is not None and Answer(over["answer"]) not in (here, Answer.NOT_CLAIMED)
    return MARKS[here] + ("\\*" if differs else "")


def _claim(audits: dict[str, Any], words: str, method: str, axiom: str | None, due: Answer) -> list[str]:
    verdicts = [v for v in audits[method].values() if axiom in (None, v["axiom"])]
    if not verdicts:
        return [words, "not asked", "undecided"]
    right = all(v["answer"] == due for v in verdicts)
    cases = sum(v["cases"] for v in verdicts)
    seen = f"a counterexample after {cases} cases" if due is Answer.VIOLATED else f"none in {cases} cases"
    return [words, seen if right else "the contrary", "holds" if right else "does not hold here"]


def _first(verdicts: dict[str, Any]) -> list[dict[str, Any]]:
    return [v for v in verdicts.values() if v["counterexample"] and not v["axiom"].startswith("distributional-")]


def _example(verdict: dict[str, Any]) -> str:
    e = verdict["counterexample"]
    x, start = (", ".join(f"{v:.4g}" for v in row) for row in (e["x"], e["baselines"][0]))
    return f"{e['function']} at ({x}) from ({start}): expected {e['expected']}, got {e['got']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="what the tests run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a folder for the files, instead of the repository's")
    given = parser.parse_args()
    asked = Asked(Form.SMALL if given.small else Form.USUAL, 1, given.seed, out=given.out)
    found = measure(small=asked.small, seed=asked.seed)
    publish(asked, "axioms", found, page(found))


if __name__ == "__main__":
    main()
