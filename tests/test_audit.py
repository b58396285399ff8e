"""The audit of real methods: which axioms hold, and the smallest counterexamples to those that do not."""

from __future__ import annotations

import json
import math

import pytest
import torch
from audit_cases import MEAN, gradients, integrated, maximum, shapley, staircase_method
from torch import Tensor, nn

import gradline as gl
from gradline.errors import InputError
from gradline.sanity.axioms.auditing import AXIOMS, audit
from gradline.sanity.axioms.explainers import Explainer, Explains
from gradline.sanity.axioms.verdicts import Answer

NAMES = [axiom.name for axiom in AXIOMS]
ALONE = [name for name in NAMES if not name.startswith("distributional")]


def test_integrated_gradients_keep_every_axiom_and_say_so() -> None:
    found = audit(gl.methods.integrated_gradients())
    assert [v.axiom for v in found.verdicts] == NAMES
    assert len(NAMES) == 17
    assert all(found.holds(name) for name in NAMES), repr(found)
    assert all(v.claimed and v.cases == 44 and v.worst <= found.tol for v in found.verdicts)
    assert not found.violated
    assert not found.broken
    assert found.summary == "17 hold"


def test_integrated_gradients_as_a_plain_function_keep_them_with_another_seed() -> None:
    found = audit(integrated, seed=1, tol=1e-2, networks=False)
    assert all(found.holds(name) for name in NAMES), repr(found)
    assert found.method == "integrated"


def test_gradient_times_input_is_not_complete_and_the_smallest_case_is_a_square() -> None:
    """x ∂F/∂x of x² at 1 is 2, and F(1) − F(0) = 1. It claims no sum, so nothing that it claims is broken."""
    found = audit(gl.methods.gradient_x_input(), axioms=["completeness", "dummy", "distributional-dummy"])
    verdict = found["completeness"]
    assert verdict.answer is Answer.VIOLATED
    assert not verdict.claimed
    assert not found.broken
    example = verdict.counterexample
    assert example is not None
    assert str(example) == "F = x1²; x = (1), x' = (0): expected Σ A_i = F(x) − F(x') = 1, got 2 from A = (2)"
    assert example.deviation == pytest.approx(1 / 3)  # |2 − 1| over |A| + |F(x)| + |F(x')|
    values = gl.attribute(gl.Score(example.models[0]), example.x, gl.methods.gradient_x_input()).values
    assert float(values.sum()) == 2
    assert found.holds("dummy")
    assert found["distributional-dummy"].answer is Answer.NOT_CLAIMED
    assert "no baseline" in found["distributional-dummy"].note


@pytest.mark.parametrize(
    ("method", "violated"),
    [
        (gl.methods.gradient_x_input(), {"completeness", "sensitivity", "proportionality"}),
        (gl.methods.gradient(), {"completeness", "sensitivity", *ALONE[-3:]}),
    ],
    ids=lambda value: value.name if isinstance(value, gl.Method) else "",
)
def test_the_table_of_the_documentation(method: gl.Method, violated: set[str]) -> None:
    found = audit(method, axioms=ALONE, networks=False)
    assert {v.axiom for v in found.violated} == violated
    assert not found.broken


def test_left_integrated_gradients_are_not_complete() -> None:
    """Of a linear score they give the share φ = 0.9."""
    found = audit(gl.methods.left_integrated_gradients(), axioms=["completeness", "dummy"], networks=False)
    example = found["completeness"].counterexample
    assert example is not None
    assert float(example.x) == 1
    assert "= 1, got 0.9" in str(example)
    assert found.holds("dummy")
    assert not found.broken


@pytest.mark.parametrize(
    "method", [gl.methods.geometrically_guided_maximum(2), gl.methods.geometrically_guided_integrated_gradients(2)]
)
def test_methods_of_the_maximum_are_not_complete(method: gl.Method) -> None:
    found = audit(method, axioms=["completeness", "dummy"], cases=3, networks=False)
    assert found["completeness"].answer is Answer.VIOLATED
    assert found["completeness"].counterexample is not None
    assert not found["completeness"].claimed
    assert found.holds("dummy")


def test_the_maximum_over_scaled_inputs_is_neither_complete_nor_linear() -> None:
    found = audit(maximum, axioms=["completeness", "linearity"], networks=False)
    assert [v.answer for v in found.verdicts] == [Answer.VIOLATED, Answer.VIOLATED]
    assert found["completeness"].counterexample is not None
    assert found["completeness"].counterexample.words == "F = x1²"


def test_a_staircase_keeps_all_axioms_of_path_methods_but_not_symmetry() -> None:
    """From (0, 0) to (1, 1) the product x1 x2 rises while the second feature moves: A = (0, 1)."""
    found = audit(staircase_method(), axioms=ALONE, cases=3, networks=False)
    broken = {"symmetry", "proportionality"}
    assert {v.axiom for v in found.violated} == broken, repr(found)
    example = found["symmetry"].counterexample
    assert example is not None
    assert example.words == "F = x1·x2"
    assert example.x.tolist() == [[1, 1]]
    assert example.baselines.tolist() == [[0, 0]]
    assert example.got == "A = (0, 1)"
    claimed = {v.axiom for v in found.verdicts if v.claimed}
    assert claimed == {"completeness", "sensitivity", "dummy", "linearity", "implementation-invariance"}
    assert not found.broken


def test_shapley_values_differ_from_integrated_gradients_in_proportionality_alone() -> None:
    """The average over all axis orders satisfies completeness, linearity, dummy, NDP, ASI and symmetry; of two features
    that count by their sum it shares by halves of what each adds first and last."""
    found = audit(shapley, axioms=ALONE, networks=False)
    assert [v.axiom for v in found.violated] == ["proportionality"], repr(found)


def test_the_mean_of_baselines_is_not_the_mean_of_maps() -> None:
    """Of x² from −1 and 1 to 0: F(x) − E F(x') = −1, and from the mean, 0, nothing moves."""
    found = audit(MEAN, axioms=["completeness", "distributional-completeness"], tol=1e-2, networks=False)
    assert found.holds("completeness")
    example = found["distributional-completeness"].counterexample
    assert example is not None
    model, starts = example.models[0], example.baselines
    due = float((model(example.x) - model(starts).mean()).detach())
    got = float(integrated(model, example.x, starts.mean(0, keepdim=True)).sum())
    assert abs(due - got) > 0.1
    assert len(starts) == 2


def test_errors_of_quadrature_are_no_violations() -> None:
    """The right-hand rule of 20 nodes misses by percents, and by less the more there are."""

    def right(nodes: int) -> Explains:
        def maps(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
            t = torch.arange(1, nodes + 1, dtype=torch.float64)[:, None, None] / nodes
            return (x - baseline) * gradients(model, baseline + t * (x - baseline)).mean(0)

        return maps

    names = ["completeness", "proportionality"]
    coarse = Explainer("right", right(20))
    assert len(audit(coarse, axioms=names, cases=5, networks=False).violated) == 2
    found = audit(Explainer("right", right(20), finer=(right(200),)), axioms=names, cases=5, networks=False)
    assert not found.violated
    assert all(found.tol < v.worst < 0.05 and "falls" in v.note for v in found.verdicts)


def test_a_sampled_method_is_given_the_error_that_it_declares() -> None:
    """SmoothTaylor is symmetric on average; its maps of 150 roots are not, within their standard error."""
    found = audit(gl.methods.smooth_taylor(), axioms=["symmetry"], cases=4, networks=False)
    assert found.holds("symmetry")
    assert "declares" in found["symmetry"].note


def test_maps_that_are_not_finite_break_what_they_are_asked() -> None:
    def lost(model: nn.Module, x: Tensor, baseline: Tensor) -> Tensor:
        return x * math.nan

    found = audit(lost, axioms=ALONE, cases=1, networks=False)
    assert len(found.violated) == 9
    assert found["completeness"].as_dict()["worst"] is None


def test_what_is_said_and_what_is_written_down() -> None:
    found = audit(gl.methods.gradient(), axioms=["completeness", "symmetry", "distributional-symmetry"], cases=2)
    text = repr(found)
    assert text.splitlines()[0] == "gradient: 1 hold, 1 violated, 1 not claimed; 0.001 allowed"
    assert "F = x1; x = (−1), x' = (0)" in text
    content = json.loads(json.dumps(found.as_dict()))
    assert content["method"] == "gradient"
    assert content["broken"] == []
    assert [v["answer"] for v in content["verdicts"]] == ["violated", "holds", "not claimed"]
    assert content["verdicts"][0]["counterexample"]["x"] == [-1.0]
    assert content["verdicts"][1]["statement"].startswith("F symmetric")
    with pytest.raises(InputError, match="an axiom out of"):
        found.holds("dummy")


def test_the_same_seed_asks_the_same() -> None:
    one, other = (audit(maximum, axioms=["linearity"], seed=4).as_dict() for _ in range(2))
    assert one == other


def test_claims_of_a_function_are_its_own() -> None:
    explainer = Explainer("maximum", maximum, claims=("completeness",))
    found = audit(explainer, axioms=["completeness"], cases=2, networks=False)
    assert [v.axiom for v in found.broken] == ["completeness"]
    assert "violated, and claimed" in repr(found)


def test_refusals() -> None:
    with pytest.raises(InputError, match="reads at the input"):
        audit(gl.methods.conductance(gl.Layer("0")))
    with pytest.raises(InputError, match=r"call it, as in gl\.methods\.gradient\(\)"):
        audit(gl.methods.gradient)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="something that makes maps"):
        audit("gradient")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="did you mean completeness"):
        audit(integrated, axioms=["completness"])
    with pytest.raises(InputError, match="axioms out of"):
        audit(integrated, axioms=[])
    for wrong in ({"tol": 0}, {"tol": 1.5}, {"tol": True}, {"cases": 0}, {"cases": 1.5}, {"seed": "a"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            audit(integrated, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="maps of shape"):
        audit(lambda model, x, baseline: x.sum(1), axioms=["dummy"])
    with pytest.raises(InputError, match="maps of shape"):
        audit(lambda model, x, baseline: None, axioms=["dummy"])  # type: ignore[arg-type,return-value]
