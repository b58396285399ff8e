"""A recorded call replays without its model: the same answer to the last bit, or the first question that is new.

`python tests/test_transcript.py` records `tests/data/espresso-32.safetensors` again.
"""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import gradline as gl
from gradline.core import adaptive
from gradline.testing import NewQuestion, Transcript, record
from gradline.testing.nets import SHAPES, batch, shared

ESPRESSO = Path(__file__).parent / "data" / "espresso-32.safetensors"


class Grey(nn.Module):
    """A network for colours, shown one channel three times."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.expand(-1, 3, -1, -1))


def espresso() -> tuple[nn.Module, Tensor, float]:
    """EfficientNet-Lite0, the demo photo in 32 × 32 shades of grey, and what is black."""
    case = gl.image_case(gl.demo_photo())
    grey = functional.interpolate(case.x.mean(1, keepdim=True), (32, 32), mode="area")
    return Grey(case.model.model).eval(), grey, case.model.pixels.black[0]


def record_espresso() -> Transcript:
    model, x, black = espresso()
    return record(gl.Score(model), x, baseline=black, tol=0.05, names=["coffee.png"])


def example(shape: str = "flat", dtype: torch.dtype = torch.float32, rows: int = 3) -> tuple[nn.Module, Tensor]:
    return shared(SHAPES[shape], dtype, bypass=True), batch(SHAPES[shape], rows, dtype=dtype)


def assert_same(one: gl.Attribution, other: gl.Attribution) -> None:
    """To the last bit, but for what is said of the model."""
    for name in ("values", "score", "baseline_score", "completeness_gap", "error_estimate"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None), name
        assert first is None or torch.equal(first.nan_to_num(-1.0), second.nan_to_num(-1.0)), name
    assert one.evaluations.tolist() == other.evaluations.tolist()
    assert one.forward_evaluations.tolist() == other.forward_evaluations.tolist()
    for name in ("status", "names", "explained", "details"):
        assert getattr(one, name) == getattr(other, name), name
    assert [f.code for f in one.findings] == [f.code for f in other.findings]
    for first, second in zip(one.curve, other.curve, strict=True):
        assert all((vars(first)[key] == vars(second)[key]).all() for key in vars(first))


# ------------------------------------------------------------------------------------------------------------- the same

CALLS: dict[str, dict[str, Any]] = {
    "to a tolerance": {"tol": 0.01},
    "of a probability": {"tol": 0.1, "target": gl.Probability(torch.tensor([2, 0, 1]))},
    "of a margin": {"tol": 0.05, "target": gl.Margin(1)},
    "until the budget ends": {"tol": 1e-4, "max_evaluations": 8},
    "in steps": {"steps": 7},
    "with a rule": {"steps": 5, "rule": gl.rules.GaussLegendre},
    "from the start": {"steps": 4, "rule": gl.rules.LeftRiemann},
    "to the end": {"steps": 4, "rule": gl.rules.RightRiemann},
    "both ends": {"steps": 5, "rule": gl.rules.Trapezoid, "baseline": gl.baselines.Each(0, 0.3)},
    "by the score": {"steps": 6, "rule": gl.rules.ByOutputChange()},
    "by chance": {"steps": 5, "rule": gl.rules.Stratified, "seed": 7, "names": ["ann", "bob", "cid"]},
    "from noise": {"tol": 0.05, "baseline": gl.baselines.Uniform(draws=3)},
    "from several": {"steps": 4, "baseline": gl.baselines.Each(0, 0.3, gl.baselines.Mean())},
    "without a path": {"method": gl.methods.gradient()},
    "at a layer": {"tol": 0.05, "site": gl.Layer("stem")},
    "with little memory": {"steps": 6, "memory": 2000},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("call", CALLS)
def test_a_replay_is_the_same_to_the_last_bit(call: str, dtype: torch.dtype, shape: str) -> None:
    options = dict(CALLS[call])
    model, x = example(shape, dtype)
    score = gl.Score(model, options.pop("target", None), site=options.pop("site", None))
    due = gl.attribute(score, x, **options)
    transcript = record(score, x, **options)
    assert torch.equal(transcript.values, due.values)
    assert_same(transcript.replay(), due)


@pytest.mark.parametrize("tol", [0.2, 0.05])
def test_fewer_questions_of_the_same_are_answered(tol: float) -> None:
    model, x = example("image")
    transcript = record(gl.Score(model, 1), x, tol=0.01)
    assert_same(transcript.replay(tol=tol), gl.explain(model, x, 1, tol=tol))


def test_another_method_over_the_same_questions() -> None:
    """The gradient's mean is had from the points that Integrated Gradients reads."""
    model, x = example()
    transcript = record(gl.Score(model, 1), x, steps=9)
    mean = replace(gl.methods.integrated_gradients(), accumulator=gl.accumulators.Gradient())
    assert_same(transcript.replay(mean), gl.explain(model, x, 1, steps=9, method=mean))


# ------------------------------------------------------------------------------------------------------------------ new


def test_a_new_question_is_named() -> None:
    model, x = example()
    transcript = record(gl.Score(model, 1), x, steps=8, names=["ann", "bob", "cid"])
    words = (
        r"the gradient of example 'ann' at 0\.1 of its way \(the nearest gradient known is at 0\.0625\) "
        "is not in the transcript, which knows 8 gradients of it"
    )
    with pytest.raises(NewQuestion, match=words):
        transcript.replay(steps=5)


def test_a_score_without_a_gradient_is_not_one_with() -> None:
    """F(x) is known; the gradient there was never asked for."""
    model, x = example()
    transcript = record(gl.Score(model, 1), x, steps=4, rule=gl.rules.LeftRiemann)
    with pytest.raises(NewQuestion, match=r"the gradient of example '0' at 1 of its way"):
        transcript.replay(steps=2, rule=gl.rules.Trapezoid)
    with pytest.raises(NewQuestion, match=r"the score of example '0' at 0\.0625 of its way"):
        transcript.replay(steps=4, rule=gl.rules.ByOutputChange())
    lone = record(gl.Score(model, 1), x, gl.methods.gradient())
    with pytest.raises(NewQuestion, match=r"the gradient of example '0' at 0\.125|has no baseline"):
        transcript.replay(steps=4)
    assert lone.known(0).places() == []


@pytest.mark.parametrize(("name", "value"), [("SPLITS", 2), ("first_nodes", lambda: (torch.arange(8) / 9).numpy())])
def test_what_a_changed_controller_would_ask_is_seen_without_the_network(
    name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcript = Transcript.load(ESPRESSO)
    monkeypatch.setattr(adaptive, name, value)
    try:
        asked = transcript.replay().evaluations
    except NewQuestion as new:
        assert "'coffee.png'" in str(new)  # noqa: PT017
    else:
        assert asked != transcript.evaluations


def test_a_machine_that_rounds_points_otherwise_asks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcript.load(ESPRESSO)
    due = transcript.replay()

    def point(self: gl.paths.Straight, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        share = t.to(start).reshape(*t.shape, *[1] * (start.ndim - 1))
        return (1 - share) * start.unsqueeze(1) + share * end.unsqueeze(1)

    monkeypatch.setattr(gl.paths.Straight, "point", point)
    assert_same(transcript.replay(), due)


def test_points_that_lie_close_together_are_told_apart() -> None:
    """Nodes 1e-4 of the path apart, in float32: each is answered with its own reading, another one is new."""
    model, x = example("image")

    @dataclass(frozen=True)
    class Crowd(gl.rules.Rule):
        shift: float = 0.0

        def nodes(self, n: int, source: torch.Generator) -> Any:
            return 0.5 + self.shift + 1e-4 * np.arange(n), np.full(n, 1 / n)

    transcript = record(gl.Score(model, 1), x, steps=5, rule=Crowd())
    assert_same(transcript.replay(rule=Crowd(), steps=5), gl.explain(model, x, 1, steps=5, rule=Crowd()))
    with pytest.raises(NewQuestion, match=r"at 0\.50005 of its way"):
        transcript.replay(rule=Crowd(5e-5), steps=4)
    with pytest.raises(gl.InputError, match="rule= for a replay"):
        transcript.replay()


def test_places_are_those_of_the_path() -> None:
    model, x = example(rows=2)
    transcript = record(gl.Score(model, 1), x, steps=4, baseline=0.5)
    for i in range(2):
        assert transcript.known(i).places() == pytest.approx([1 / 8, 3 / 8, 5 / 8, 7 / 8], abs=1e-5)


# -------------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": [0, 1]}, "one target"),
        ({"derivative": gl.derivatives.FiniteDifferences()}, "automatic differentiation"),
        ({"method": gl.methods.conductance(gl.Layer("stem"))}, "read where the path is driven"),
        ({"baseline": gl.baselines.Boundary()}, "not searched for"),
        ({"dtype": torch.bfloat16}, "float32 or float64"),
        ({"pair": True}, "one tensor x"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_transcript_cannot_hold_is_refused(change: dict[str, Any], words: str) -> None:
    model: Any = shared(SHAPES["flat"], change.get("dtype", torch.float32), contested=True)
    x: Any = batch(SHAPES["flat"], dtype=change.get("dtype", torch.float32))
    if "pair" in change:
        model, x = (lambda one, other, net=model: net(one + other)), (x, 2 * x)
    score = gl.Score(model, change.get("target", 0), derivative=change.get("derivative"))
    with pytest.raises(gl.InputError, match=words):
        record(score, x, change.get("method"), baseline=change.get("baseline"), steps=2)


# ---------------------------------------------------------------------------------------------------------------- files


def test_a_file_holds_all_of_it(tmp_path: Path) -> None:
    model, x = example("image")
    transcript = record(gl.Score(model, 1), x, tol=0.05, baseline=gl.baselines.GaussianNoise(0.3, draws=2))
    loaded = Transcript.load(transcript.save(tmp_path / "call.safetensors"))
    for name, value in vars(transcript).items():
        other = getattr(loaded, name)
        assert torch.equal(value, other) if isinstance(value, Tensor) else value == other, name
    assert_same(loaded.replay(), transcript.replay())


def test_a_call_without_a_baseline_is_stored_too(tmp_path: Path) -> None:
    model, x = example()
    transcript = record(gl.Score(model, 1), x, gl.methods.gradient_x_input())
    loaded = Transcript.load(transcript.save(tmp_path / "call.safetensors"))
    assert loaded.starts is None
    assert_same(loaded.replay(), transcript.replay())


def test_other_files_are_refused(tmp_path: Path) -> None:
    model, x = example()
    (tmp_path / "text.safetensors").write_text("no")
    gl.explain(model, x, 1, steps=2).save(tmp_path / "map.safetensors")
    for name, words in (("text", "cannot read"), ("map", "is not a transcript"), ("none", "cannot read")):
        with pytest.raises(gl.StorageError, match=words):
            Transcript.load(tmp_path / f"{name}.safetensors")
    with pytest.raises(gl.StorageError, match="cannot write"):
        record(gl.Score(model, 1), x, steps=2).save(tmp_path / "missing" / "call.safetensors")


def test_without_safetensors_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(gl.MissingExtra, match=r"gradline\[storage\]"):
        Transcript.load(ESPRESSO)


# ------------------------------------------------------------------------------------------------------- a real network


def test_the_present_controller_asks_espresso_the_same() -> None:
    assert ESPRESSO.stat().st_size <= 300_000
    transcript = Transcript.load(ESPRESSO)
    a = transcript.replay()
    assert a.status == transcript.status == ("converged",)
    assert a.evaluations.tolist() == transcript.evaluations.tolist()
    assert len(transcript.grad) == int(transcript.evaluations) > 24, "more than two rounds"
    torch.testing.assert_close(a.values, transcript.values, rtol=1e-5, atol=1e-6 * float(a.values.abs().max()))
    assert a.explained[0].startswith("logit of class")
    assert transcript.grad.dtype == torch.float32
    assert json.dumps(dict(transcript.call))


def test_espresso_is_what_the_network_says() -> None:
    transcript, (model, x, _) = Transcript.load(ESPRESSO), espresso()
    torch.testing.assert_close(transcript.ends, x, rtol=0, atol=1e-5)
    target = int(transcript.call["explained"][0].split()[-1])
    with torch.no_grad():
        assert float(model(x)[0, target]) == pytest.approx(float(transcript.end_score), rel=1e-3)
    places = transcript.known().places()
    t = places[len(places) // 2]
    leaf = (transcript.starts[0] + t * (x - transcript.starts[0])).requires_grad_()
    (grad,) = torch.autograd.grad(model(leaf)[0, target], leaf)
    assert float((transcript.grad - grad).flatten(1).norm(dim=1).min()) <= 1e-2 * float(grad.norm())


if __name__ == "__main__":
    ESPRESSO.parent.mkdir(exist_ok=True)
    print(record_espresso().save(ESPRESSO), ESPRESSO.stat().st_size, "bytes")  # noqa: T201
