"""The tolerance controller: what it spends, when it stops, what it says, and what it does when things go wrong."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.core import error_bar
from gradline.core.accumulators import GradientTimesMove
from gradline.core.adaptive import adaptive
from gradline.core.flow import Need
from gradline.core.paths import Curve, Straight
from gradline.testing import FIELDS, Field, Told, drive, frame
from gradline.testing.drive import OpenRoom

ALL = {field.name: field for field in FIELDS}
JUMP, SINGULAR, LINEAR = ALL["narrow jump"], ALL["singular start"], ALL["linear"]


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def off(values: Tensor, exact: Tensor) -> float:
    return float((values.double() - exact).norm() / exact.norm())


# -------------------------------------------------------------------------------------------------- what may be spent


@pytest.mark.parametrize("most", [8, 9, 11, 12, 13, 37, 64, 101])
def test_max_evaluations_is_spent_exactly_and_never_passed(most: int) -> None:
    """A tolerance that cannot be met: the budget is used to the last row, and the status says so."""
    a = gl.explain(ALL["antisymmetric"].function, row(1.0, 1.0), 0, tol=1e-9, max_evaluations=most)
    assert int(a.evaluations) == most == len(a.curve[0].t)
    assert a.status == ("budget_exhausted",)
    assert a.error_estimate is not None
    assert float(a.error_estimate) > 1e-9 / 1.25
    assert [(finding.code, finding.examples) for finding in a.findings] == [("GL201", (0,))]
    assert f"budget of {most} evaluations" in str(a.findings[0])


@pytest.mark.parametrize(("most", "spent"), [(16, 16), (17, 16), (33, 32)])
def test_max_evaluations_is_shared_by_the_baselines(most: int, spent: int) -> None:
    each = gl.baselines.Each(0.0, 0.1)
    a = gl.explain(JUMP.function, JUMP.x, 0, tol=1e-9, baseline=each, max_evaluations=most)
    assert int(a.evaluations) == spent
    assert a.status == ("budget_exhausted",)


def test_fewer_than_a_first_round_is_refused() -> None:
    with pytest.raises(gl.InputError, match="max_evaluations as a whole number of at least 8"):
        gl.explain(LINEAR.function, LINEAR.x, 0, max_evaluations=7)
    with pytest.raises(gl.InputError, match="at least 16"):
        gl.explain(LINEAR.function, LINEAR.x, 0, baseline=gl.baselines.Each(0, 1), max_evaluations=15)


@pytest.mark.parametrize(("tol", "logit", "probability"), [(0.3, 8, 12), (0.1, 8, 12), (0.09, 8, 8), (0.01, 8, 8)])
def test_the_floor_is_eight_and_twelve_for_a_loose_tolerance_on_a_probability(
    tol: float, logit: int, probability: int
) -> None:
    def model(x: Tensor) -> Tensor:
        return (x * 0.1).sum(1, keepdim=True)

    assert int(gl.explain(model, row(1, 2), gl.Logit(0), tol=tol).evaluations) == logit
    assert int(gl.explain(model, row(1, 2), gl.Probability(0), tol=tol).evaluations) == probability


def test_every_example_stops_for_itself() -> None:
    """One score that is easy on some rows and hard on others: each spends, and gets, what it does alone."""

    def model(x: Tensor) -> Tensor:
        hard = x[:, 2:3] > 0
        return torch.where(hard, torch.sigmoid(30 * x[:, :1] - 12) - torch.sigmoid(400 * x[:, 1:2] - 90), x[:, :1] ** 2)

    x = torch.cat([row(1, 1, flag) for flag in (0, 1, 0, 0, 1)]) * torch.tensor([[1.0], [1.0], [0.5], [2.0], [0.9]])
    batch = gl.explain(model, x, 0, tol=1e-2, baseline=row(0, 0, 0.5) * (x[:, 2:3] > 0))
    alone = [gl.explain(model, x[i : i + 1], 0, tol=1e-2, baseline=row(0, 0, 0.5) * x[i, 2]) for i in range(5)]
    assert batch.evaluations.tolist() == [int(a.evaluations) for a in alone]
    assert batch.evaluations[[0, 2, 3]].tolist() == [8, 8, 8]
    assert batch.evaluations[[1, 4]].min() > 24
    assert torch.equal(batch.values, torch.cat([a.values for a in alone]))


def test_nothing_is_read_at_the_ends_of_the_path() -> None:
    """The gradient of √x at zero is infinite; the controller never asks for it."""
    told = flow(SINGULAR, 1e-3)
    share = torch.cat([probe.points for probe in told.probes])[:, 0] / 4
    assert 0 < float(share.min()) < 1e-3
    assert float(share.max()) < 1


# ----------------------------------------------------------------------------------------------------- jumps, the guard


def unguarded(patch: pytest.MonkeyPatch) -> None:
    """The estimate from the node maps alone: the score finds no gap in any cell."""
    patch.setattr(error_bar, "_gaps", lambda seen, integral: np.zeros_like(integral))


def test_the_score_shows_what_the_maps_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    seeing = gl.explain(JUMP.function, JUMP.x, 0, tol=0.05)
    unguarded(monkeypatch)
    blind = gl.explain(JUMP.function, JUMP.x, 0, tol=0.05)
    assert blind.status == seeing.status == ("converged",)
    assert int(blind.evaluations) == 8 < int(seeing.evaluations)
    assert off(blind.values, JUMP.values) > 0.7
    assert off(seeing.values, JUMP.values) <= 0.05


def test_the_maps_show_a_singular_start_without_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    unguarded(monkeypatch)
    a = gl.explain(SINGULAR.function, SINGULAR.x, 0, tol=0.05)
    assert int(a.evaluations) > 8
    assert off(a.values, SINGULAR.values) <= 0.05


@pytest.mark.parametrize("place", [0.01, 0.07, 0.3, 0.513, 0.77, 0.99])
@pytest.mark.parametrize("steepness", [50, 400, 5000])
def test_a_jump_is_found_wherever_it_is(place: float, steepness: float) -> None:
    def model(x: Tensor) -> Tensor:
        return x[:, :1] + torch.sigmoid(steepness * (x[:, 1:] - place))

    rise = torch.sigmoid(torch.tensor([steepness * (1 - place), -steepness * place], dtype=torch.float64))
    a = gl.explain(model, row(1, 1), 0, tol=0.02)
    assert a.status == ("converged",)
    assert off(a.values, row(1, float(rise[0] - rise[1]))) <= 0.02


@pytest.mark.parametrize("place", [0.5, 0.03, 0.97])
def test_a_score_that_changes_is_not_flat_though_no_gradient_was_seen(place: float) -> None:
    """F climbs from 0 to 1 inside one cell or end gap and is constant elsewhere: the first gradients are all zero."""
    a = gl.explain(lambda x: (100 * (x - place) + 0.5).clamp(0, 1), row(1), 0, tol=0.05)
    assert a.status != ("flat",), f"flat, with a completeness gap of {float(a.completeness_gap)}"
    assert a.status == ("converged",)
    assert off(a.values, row(1)) <= 0.05


@pytest.mark.parametrize("tol", [0.05, 0.01, 1e-3])
def test_singular_starts_that_cancel_in_the_score_are_seen(tol: float) -> None:
    """F = √x − √y has the map (2, −2) at (4, 4); F is zero along the path, so the score shows nothing."""
    a = gl.explain(lambda x: x[:, :1].sqrt() - x[:, 1:].sqrt(), row(4, 4), 0, tol=tol)
    assert a.status != ("converged",) or off(a.values, row(2, -2)) <= tol, (
        f"converged on {int(a.evaluations)} nodes with an estimate of {float(a.error_estimate):.2g}, "
        f"the error is {off(a.values, row(2, -2)):.2g}"
    )


def test_a_step_without_a_slope_is_never_called_converged() -> None:
    """F jumps at 0.3 by a step that autograd does not see: the values miss it, and the status must not hide it."""
    a = gl.explain(lambda x: x + (x > 0.3).double(), row(1), 0, tol=0.05)
    assert a.status == ("budget_exhausted",)
    assert float(a.completeness_gap) == pytest.approx(-1, abs=1e-9)
    assert float(a.error_estimate) > 0.05 / 1.25


# ----------------------------------------------------------------------------------------------------- not finite


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_hole_in_the_middle_of_the_path_is_located(bad: float) -> None:
    """Nodes begin at 1/16 and are 1/8 apart: 7/16 and 9/16 lie between 0.4 and 0.6. Other examples do not suffer."""

    def model(x: Tensor) -> Tensor:
        return torch.where((x > 0.4) & (x < 0.6), bad, x**2)

    a = gl.explain(model, torch.cat([row(0.3), row(1), row(0.2)]), 0)
    assert a.status == ("converged", "nonfinite", "converged")
    assert torch.allclose(a.values[[0, 2]], row(0.09, 0.04).T)
    (finding,) = a.findings
    assert (finding.code, finding.examples) == ("GL202", (1,))
    assert "score is not finite at t = 0.4375 (2 of 8 nodes)" in finding.detail


def test_a_gradient_that_is_not_finite_is_located() -> None:
    """√|x| at a node: the score is zero there, its slope is not a number."""
    a = gl.explain(lambda x: (x - 0.3125).abs().sqrt(), row(1), 0)
    assert a.status == ("nonfinite",)
    assert "gradient is not finite at t = 0.3125" in a.findings[0].detail


def test_a_map_that_is_not_finite_has_no_estimate() -> None:
    for budget in ({"tol": 0.05}, {"steps": 8}):
        a = gl.explain(lambda x: torch.where(x > 0.4, float("nan"), x), row(1), 0, **budget)
        assert a.status == ("nonfinite",)
        assert float(a.error_estimate.isnan()), f"the estimate of a map that is not a number is {a.error_estimate}"


def test_an_infinite_score_at_the_baseline_is_not_called_converged() -> None:
    """log x from zero: the map is infinite, 8 nodes see 4.2 of it."""
    a = gl.explain(lambda x: x.log(), row(1), 0, tol=0.05)
    assert a.status != ("converged",), f"converged at {float(a.values):.2g}, with a gap of {float(a.completeness_gap)}"


# ----------------------------------------------------------------------------------------------------------- the flow


def flow(field: Field, tol: float, room: OpenRoom | None = None, x: Tensor | None = None) -> Told:
    x = field.x if x is None else x
    return drive(adaptive(frame(field, x, room=room), Straight(), tol, 512), field, x)


@pytest.mark.parametrize("field", FIELDS, ids=str)
@pytest.mark.parametrize("tol", [0.05, 1e-3])
def test_the_flow_alone_says_what_the_engine_says(field: Field, tol: float) -> None:
    told, a = flow(field, tol), gl.explain(field.function, field.x, 0, tol=tol)
    assert torch.allclose(told.values, a.values, rtol=1e-12, atol=0)
    assert tuple(told.outcome.status) == a.status
    assert sum(len(probe.owner) for probe in told.probes) == int(a.evaluations)
    norm = float(told.values.norm())
    assert told.outcome.error[0] / (norm or 1) == pytest.approx(float(a.error_estimate), rel=1e-9, abs=1e-12)


def test_the_flow_keeps_the_protocol() -> None:
    """It asks for gradients only, tells each node once, ascending, when all are read, and owns up to its group."""
    x = torch.cat([JUMP.x, JUMP.x * 1.5, JUMP.x * 0.5])
    told = flow(JUMP, 0.01, x=x)
    assert {probe.need for probe in told.probes} == {Need.GRADIENT}
    weight, asked = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    places: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for step in told.steps:
        weight.index_add_(0, step.reading.owner, step.weight)
        assert step.reading.grad is not None
        assert step.reading.grad.shape == step.move.shape
    for probe in told.probes:
        asked.index_add_(0, probe.owner, torch.ones_like(probe.owner))
        for point, owner in zip(probe.points, probe.owner.tolist(), strict=True):
            places[owner].append(float(point[1] / x[owner, 1]))
    assert weight.tolist() == pytest.approx([1, 1, 1], abs=1e-12)
    for example in range(3):
        (trace,) = told.outcome.trace[example]
        assert len(trace.t) == int(asked[example])
        assert sorted(places[example]) == pytest.approx(trace.t)
        value = [v for s in told.steps for v, o in zip(s.reading.value, s.reading.owner, strict=True) if o == example]
        assert [float(v) for v in value] == pytest.approx(trace.value), "told ascending in t"


def test_the_flow_reports_its_progress_and_gives_its_memory_back() -> None:
    room = OpenRoom()
    told = flow(JUMP, 1e-3, room)
    assert room.kept == 0
    assert len(room.estimates) == len(told.probes)
    assert room.estimates[-1] <= 1e-3 < room.estimates[0]


@pytest.mark.parametrize("width", [1, 3, 16, 1000])
def test_a_narrow_batch_keeps_the_tolerance(width: int) -> None:
    told = flow(JUMP, 0.01, OpenRoom(width=width))
    assert told.outcome.status == ["converged"]
    assert off(told.values, JUMP.values) <= 0.01
    assert max(len(step.weight) for step in told.steps) <= width


@dataclass(frozen=True)
class Bent(Curve):
    """γ_i(t) = x'_i + t^{p_i} (x_i − x'_i): every feature at its own pace."""

    powers: tuple[float, ...]

    def point(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        share = t.to(start).unsqueeze(2) ** torch.tensor(self.powers).to(start)
        return start.unsqueeze(1) + share * (end - start).unsqueeze(1)

    def move(self, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
        p = torch.tensor(self.powers).to(start)
        return p * t.to(start).unsqueeze(2) ** (p - 1) * (end - start).unsqueeze(1)


@pytest.mark.parametrize("tol", [0.05, 1e-2, 1e-3])
def test_a_bent_path_is_followed(tol: float) -> None:
    """F = x y along (t, t³): A_x = ∫ t³ dt = ¼ xy and A_y = ∫ t · 3t² dt = ¾ xy; the straight line gives halves."""
    bent = gl.Method("bent", Bent((1.0, 3.0)), GradientTimesMove(), gl.baselines.Zero())
    for method, exact in ((bent, row(-1.5, -4.5)), (None, row(-3, -3))):
        a = gl.explain(ALL["product"].function, row(3, -2), 0, method=method, tol=tol)
        assert a.status == ("converged",)
        assert off(a.values, exact) <= tol
    rough = gl.explain(JUMP.function, row(1, 1), 0, method=bent, tol=tol)
    assert rough.status == ("converged",)
    assert off(rough.values, JUMP.values) <= tol, "a separable score has the same map on every path"


# ------------------------------------------------------------------------------------------------------------- memory


@dataclass(slots=True, eq=False)
class MeasuredRoom(OpenRoom):
    """Remembers the most that was kept at a time."""

    peak: int = 0

    def keep(self, nbytes: int) -> bool:
        granted = OpenRoom.keep(self, nbytes)
        self.peak = max(self.peak, self.kept)
        return granted


def one_byte_short(field: Field, tol: float) -> OpenRoom:
    """A room that lacks a byte of what this field's flow would like to keep."""
    free = MeasuredRoom()
    flow(field, tol, free)
    return OpenRoom(most=free.peak - 1)


def crowd(dimensions: int = 400) -> Field:
    """Many straight features and a bent one, in float32: F = w·x + √(½ + x_0²)."""
    w = torch.randn(dimensions, generator=torch.Generator().manual_seed(0))
    x = 1 + torch.rand(1, dimensions, generator=torch.Generator().manual_seed(1))
    exact = (w * x).double()
    exact[:, 0] += (0.5 + x[:, 0].double() ** 2).sqrt() - 0.5**0.5
    return Field("crowd", lambda z: (z * w).sum(1, keepdim=True) + (0.5 + z[:, :1] ** 2).sqrt(), x, exact)


def test_half_precision_storage_keeps_the_tolerance_and_owns_up_to_its_rounding() -> None:
    """A float16 is off by up to 2⁻¹¹ of a number; the mean of eight maps rounded for themselves by 1/√8 of it."""
    field = crowd()
    full, half = flow(field, 1e-3), flow(field, 1e-3, one_byte_short(field, 1e-3))
    for told in (full, half):
        assert told.outcome.status == ["converged"]
        assert off(told.values, field.values) <= 1e-3
    norm = float(field.values.norm())
    rounding = off(half.values, full.values.double())
    assert rounding > 1e-5, "storage was rounded"
    assert rounding * norm <= 1.25 * half.outcome.error[0]
    assert half.outcome.error[0] >= 0.99 * 2**-11 / 8**0.5 * norm
    assert full.outcome.error[0] < 0.99 * half.outcome.error[0]


def test_rounding_above_the_tolerance_is_no_convergence() -> None:
    """2⁻¹¹/√8 is 1.7e-4: with half precision a tolerance of 1e-4 is out of reach, with full precision it is not."""
    field, tol = crowd(), 1e-4
    assert flow(field, tol).outcome.status == ["converged"]
    told = flow(field, tol, one_byte_short(field, tol))
    assert told.outcome.status == ["budget_exhausted"]
    assert "raise memory=" in told.outcome.note[0]


def test_a_memory_stop_keeps_what_was_read_and_says_so() -> None:
    """Float64 is never halved: a byte short of what it takes, the controller stops with the estimate it had."""
    tol, free = 1e-3, flow(JUMP, 1e-3)
    room = one_byte_short(JUMP, tol)
    told = flow(JUMP, tol, room)
    assert told.outcome.status == ["budget_exhausted"]
    assert room.kept == 0, "given back at the end"
    (trace,), (best,) = told.outcome.trace[0], free.outcome.trace[0]
    assert f"no more than {len(trace.t)} node maps a path; raise memory=" in told.outcome.note[0]
    assert 8 <= len(trace.t) < len(best.t)
    assert trace.weight.sum() == pytest.approx(1, abs=1e-12)
    assert told.outcome.error[0] > tol * float(told.values.norm()) / 1.25
    assert sum(float(step.weight.sum()) for step in told.steps) == pytest.approx(1, abs=1e-12)
    assert off(told.values, JUMP.values) < 0.1, "the map is what was known"


def test_more_memory_is_never_worse_and_too_little_is_told() -> None:
    """From refusal over a stop with a finding to convergence, in this order, as the budget grows."""
    order, seen = ("refused", "budget_exhausted", "converged"), []
    for memory in (100, 300, 500, 800, 1100, 1500, 2000, 2600):
        try:
            a = gl.explain(JUMP.function, JUMP.x, 0, tol=1e-3, memory=memory)
        except gl.MemoryBudgetError:
            seen.append("refused")
            continue
        seen.append(str(a.status[0]))
        if a.status != ("converged",):
            (finding,) = a.findings
            assert (finding.code, finding.examples) == ("GL204", (0,))
            assert "raise memory=" in finding.detail
            assert float(a.error_estimate) > 1e-3 / 1.25
            assert a.curve[0].weight.sum() == pytest.approx(1, abs=1e-12)
    assert seen == sorted(seen, key=order.index)
    assert set(seen) == set(order)


@pytest.mark.parametrize("maps", [241, 909])
def test_memory_that_serves_one_example_serves_a_batch_of_them(maps: int) -> None:
    """The engine limits how many examples are under way: none is stopped for want of memory that it has alone."""
    dimensions = 50
    w = torch.randn(dimensions, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def model(z: Tensor) -> Tensor:
        jumps = torch.sigmoid(400 * (z[:, :1] - 0.513)) + torch.sigmoid(200 * (z[:, 1:2] - 0.213))
        return (z * w).sum(1, keepdim=True) + dimensions**0.5 * jumps

    x = torch.ones(6, dimensions, dtype=torch.float64) * (1 + 0.05 * torch.arange(6).unsqueeze(1))
    memory = maps * dimensions * 8
    alone = [gl.explain(model, x[i : i + 1], 0, tol=0.005, memory=memory) for i in range(6)]
    assert {a.status for a in alone} == {("converged",)}
    batch = gl.explain(model, x, 0, tol=0.005, memory=memory)
    assert batch.status.count("converged") == 6, str(batch.findings[0])


# --------------------------------------------------------------------------------------------------- several baselines


def two_starts(score: Callable[[Tensor], Tensor], x: Tensor, starts: tuple[float, ...], **budget: float) -> Tensor:
    return torch.stack([gl.explain(score, x, 0, baseline=b, **budget).values for b in starts]).mean(0)


def test_the_map_over_several_baselines_is_the_mean_of_their_maps() -> None:
    model, x = ALL["saturated sigmoid"].function, torch.cat([row(1, -2, 0.5, 3), row(0.5, 1, 1, 1)])
    a = gl.explain(model, x, 0, baseline=gl.baselines.Each(0.0, 0.3, -0.2), steps=20)
    assert torch.allclose(a.values, two_starts(model, x, (0.0, 0.3, -0.2), steps=20), rtol=1e-13, atol=0)
    assert a.evaluations.tolist() == [60, 60]
    start = torch.stack([model(torch.full_like(x, b))[:, 0] for b in (0.0, 0.3, -0.2)]).mean(0)
    assert torch.allclose(a.baseline_score, start, rtol=1e-13)


@pytest.mark.parametrize("tol", [0.05, 1e-2, 1e-3])
def test_the_tolerance_holds_for_the_mean_map(tol: float) -> None:
    """x^p from b has the map x^p − b^p; the mean over b = 0 and b = 0.7 is x^p − 0.7^p/2. And a jump likewise."""
    p = torch.tensor([0.5, 1.5, 2, 5], dtype=torch.float64)
    x, each = row(1.0, 2.0, 0.5, 1.2), gl.baselines.Each(0.0, 0.7)
    a = gl.explain(lambda z: (z**p).sum(1, keepdim=True), x, 0, baseline=each, tol=tol)
    assert a.status == ("converged",)
    assert off(a.values, x**p - 0.7**p / 2) <= tol
    b = gl.explain(JUMP.function, row(1, 1), 0, baseline=gl.baselines.Each(0.0, 0.2), tol=tol)
    assert b.status == ("converged",)
    assert off(b.values, row(0.9, 1)) <= tol


@pytest.mark.parametrize("times", [2, 8])
def test_a_baseline_named_twice_makes_the_map_no_better(times: int) -> None:
    """The maps are the same and so are their errors: their mean is as wrong as one of them, and must say so."""
    field = ALL["kinked relu"]
    once = gl.explain(field.function, field.x, 0, tol=1e-9, max_evaluations=16)
    again = gl.baselines.Each(*[0.0] * times)
    often = gl.explain(field.function, field.x, 0, tol=1e-9, baseline=again, max_evaluations=16 * times)
    assert torch.allclose(often.values, once.values, rtol=1e-13)
    assert float(often.error_estimate) >= float(once.error_estimate) * (1 - 1e-9)


def test_baselines_close_to_each_other_keep_the_tolerance() -> None:
    """ReLU nets from 8 baselines 1e-3 apart; for one ridge A_i = c w_i (x_i − x'_i)(h(x) − h(x'))/(w·(x − x'))."""
    tol, kept, claimed = 0.02, 0, 0
    starts = [1e-3 * k for k in range(8)]
    for seed in range(25):
        random = torch.Generator().manual_seed(seed)
        w, b, c, x = (torch.randn(s, generator=random, dtype=torch.float64) for s in ((30, 10), 30, 30, (1, 10)))

        def model(z: Tensor, w: Tensor = w, b: Tensor = b, c: Tensor = c) -> Tensor:
            return (torch.relu(z @ w.T + b) * c).sum(1, keepdim=True)

        def exact(start: float, w: Tensor = w, b: Tensor = b, c: Tensor = c, x: Tensor = x) -> Tensor:
            here, there = x @ w.T + b, torch.full_like(x, start) @ w.T + b
            rise = c * (torch.relu(here) - torch.relu(there)) / (here - there)
            return (rise @ w) * (x - start)

        each = gl.baselines.Each(*starts)
        a = gl.explain(model, x, 0, baseline=each, tol=tol, max_evaluations=4096)
        claimed += a.status == ("converged",)
        due = torch.stack([exact(s) for s in starts]).mean(0)
        kept += a.status == ("converged",) and off(a.values, due) <= tol
    assert claimed >= 20
    assert kept >= 0.95 * claimed, f"{kept} of {claimed} within the tolerance"
