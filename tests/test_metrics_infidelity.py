"""Infidelity: values on paper, Captum under the same draws, laws, and what has no value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import infidelity_perturb_func_decorator
from torch import Tensor, nn

import gradline as gl
from gradline.core.baselines import Baseline, Constant, Zero
from gradline.core.random import generator
from gradline.engine.inquiry import inquire
from gradline.errors import InputError, TargetError
from gradline.evaluation.judge import evaluate, make_subject
from gradline.evaluation.run import run
from gradline.metrics.base import Evaluation, Kind, Metric
from gradline.metrics.fidelity.infidelity import BaselineSubset, Form, GaussianNoise, Infidelity, Perturbations, Squares
from gradline.question.targets.scales import Scale

WEIGHTS = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0], dtype=torch.float64)
X = torch.tensor([[1.0, 2.0, -1.0, 0.5, 4.0], [0.2, -0.3, 1.0, 1.5, -2.0]], dtype=torch.float64)
SUBSET = BaselineSubset(0.5)


def linear(x: Tensor) -> Tensor:
    """f(x) = w · x."""
    return x.flatten(1) @ WEIGHTS.to(x.dtype)


def network(inputs: int = 5) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 7), nn.Tanh(), nn.Linear(7, 3)).double()


def judge(
    metric: Metric, model: Any, x: Tensor, maps: Tensor, kind: Kind = Kind.CONTRIBUTION, **more: Any
) -> Evaluation:
    target = 1 if isinstance(model, nn.Module) else None
    return evaluate(metric, gl.Score(model, target), x, maps, kind=kind, **more)


@dataclass(frozen=True)
class OneByOne(Perturbations):
    """Draw by draw, one further feature: the draws are told by the source, so they are counted off by hand here."""

    def perturbed(self, x: Tensor, fill: Tensor, baseline: Tensor, source: torch.Generator) -> Tensor:
        feature = int(torch.randint(0, x.numel(), (), generator=source))
        made = x.clone()
        made[feature] = baseline[feature]
        return made


def features(name: str, draws: int) -> list[int]:
    """The features that `OneByOne` takes away from an example of 5."""
    return [int(torch.randint(0, 5, (), generator=generator(0, name, "infidelity", k))) for k in range(draws)]


def test_by_hand() -> None:
    """Removing one feature i of f = w·x at baseline 0 gives Δ = w_i x_i, and s = φ_i. With x = 1, φ = (1, 2, 3, 4, 5)
    every form is a sum over the features drawn: E(φ−w)², Σφw/Σφ², and the two correlations."""
    x = torch.ones(1, 5, dtype=torch.float64)
    phi = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]], dtype=torch.float64)
    found = judge(Infidelity(OneByOne(), 40), linear, x, phi)
    drawn = features("0", 40)
    s, d = [phi[0, i].item() for i in drawn], [WEIGHTS[i].item() for i in drawn]
    lost = [(a - b) ** 2 for a, b in zip(s, d, strict=True)]
    raw = sum(lost) / 40
    beta = sum(a * b for a, b in zip(s, d, strict=True)) / sum(a * a for a in s)
    power = sum(b * b for b in d) / 40
    scaled = sum((beta * a - b) ** 2 for a, b in zip(s, d, strict=True)) / 40
    r = torch.corrcoef(torch.tensor([s, d], dtype=torch.float64))[0, 1].item()
    error = (sum((one - raw) ** 2 for one in lost) / 39 / 40) ** 0.5
    wanted = {"raw": raw, "scale-optimal": scaled, "normalised": scaled / power, "centred": 1 - r * r, "beta": beta}
    wanted |= {"correlation": r, "raw standard error": error}
    for name, value in wanted.items():
        assert found.parts[name].item() == pytest.approx(value, rel=1e-12), name
    assert found.values.item() == pytest.approx(scaled / power, rel=1e-12)


@pytest.mark.parametrize("form", list(Form))
def test_the_headline_is_one_of_the_forms(form: Form) -> None:
    found = judge(Infidelity(SUBSET, 20, form), network(), X, X**2)
    assert torch.equal(found.values, found.parts[form.value])
    assert form.value in found.settings


@pytest.mark.parametrize("perturbations", [GaussianNoise(), SUBSET])
@pytest.mark.parametrize("baseline", [Zero(), Constant(0.7)])
def test_the_exact_map_of_a_linear_score_has_none(perturbations: Perturbations, baseline: Baseline) -> None:
    """f(x) − f(x − I) = w·I = Σ I_i φ_i/(x_i − x'_i) for φ_i = w_i (x_i − x'_i), and w itself is the gradient."""
    start = 0.0 if baseline == Zero() else 0.7
    metric = Infidelity(perturbations, 30, baseline=baseline)
    found = judge(metric, linear, X, WEIGHTS * (X - start))
    gradient = judge(metric, linear, X, WEIGHTS.expand_as(X), Kind.GRADIENT)
    for name in ("raw", "scale-optimal", "normalised", "centred"):
        assert found.parts[name].abs().max() < 1e-20, name
        assert gradient.parts[name].abs().max() < 1e-20, name
    assert (found.parts["beta"] - 1).abs().max() < 1e-12


def test_the_wrong_baseline_or_unit_shows() -> None:
    maps = WEIGHTS * (X - 0.7)
    assert judge(Infidelity(SUBSET, 30), linear, X, maps).parts["raw"].min() > 0.01
    assert judge(Infidelity(SUBSET, 30, baseline=Constant(0.7)), linear, X, maps, Kind.GRADIENT).values.min() > 0.01


def test_scale_does_not_matter_to_three_of_the_forms() -> None:
    maps = network()[1].weight[0].detach() * X
    one, two = (judge(Infidelity(draws=30), network(), X, scale * maps) for scale in (1.0, -250.0))
    for name in ("scale-optimal", "normalised", "centred"):
        torch.testing.assert_close(one.parts[name], two.parts[name], rtol=1e-10, atol=0)
    torch.testing.assert_close(one.parts["beta"], -250 * two.parts["beta"])
    torch.testing.assert_close(one.parts["correlation"], -two.parts["correlation"])
    assert (two.parts["raw"] > 100 * one.parts["raw"]).all()


def replayed(perturbations: Perturbations, draws: int, x: Tensor, baseline: Tensor) -> Tensor:
    """Our perturbed examples `(N · draws, *F)`, in Captum's order."""
    made = [
        perturbations.perturbed(one, start, start, generator(0, str(i), "infidelity", k))
        for i, (one, start) in enumerate(zip(x, baseline, strict=True))
        for k in range(draws)
    ]
    return torch.stack(made)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("perturbations", [GaussianNoise(), SUBSET])
def test_equals_captum(perturbations: Perturbations, kind: Kind, normalize: bool) -> None:
    """Captum with our draws: contributions are its `multiply_by_inputs=True`; `normalize` its scale-optimal form. One
    feature equals its baseline: Captum's divisor is 1 there too."""
    model, draws, multiplied = network(), 12, kind is Kind.CONTRIBUTION
    x = torch.cat([X, X.flip(1)])
    x[0, 2] = 0.3
    baseline, maps = torch.full_like(x, 0.3), torch.sin(3 * x)

    @infidelity_perturb_func_decorator(multiply_by_inputs=multiplied)
    def with_starts(inputs: Tensor, baselines: Tensor) -> Tensor:
        return replayed(perturbations, draws, x, baseline)

    theirs = captum_infidelity(
        model, with_starts, x, maps, baselines=baseline, target=1, n_perturb_samples=draws, normalize=normalize
    )
    form = Form.SCALED if normalize else Form.RAW
    ours = judge(Infidelity(perturbations, draws, form, Constant(0.3)), model, x, maps, kind)
    torch.testing.assert_close(ours.values, theirs, rtol=1e-5, atol=1e-9)


def test_equals_captum_on_squares_in_float32() -> None:
    """Squares of a quarter of the image, filled with zero, on float32 images."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(108, 3))
    x, squares = torch.randn(3, 2, 8, 8), Squares(0.1, 0.5)
    maps = torch.randn_like(x)

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        made = replayed(squares, 15, x, torch.zeros_like(x))
        return inputs - made, made

    theirs = captum_infidelity(model, perturb, x, maps, target=1, n_perturb_samples=15)
    ours = judge(Infidelity(squares, 15, Form.RAW, fill=Zero()), model, x, maps, Kind.GRADIENT)
    torch.testing.assert_close(ours.values.float(), theirs, rtol=1e-5, atol=1e-7)


def test_what_squares_fill() -> None:
    """Sides 1 … 3 of H = 6 (shares 0.1 and 0.5), inside the image, all channels; every side and corner turns up."""
    x, fill, sides = torch.zeros(2, 6, 9), torch.ones(2, 6, 9), set()
    seen = torch.zeros(6, 9)
    for draw in range(300):
        made = Squares(0.1, 0.5).perturbed(x, fill, x, generator(0, "a", "s", draw))
        rows, columns = made[0].any(1).nonzero().flatten(), made[0].any(0).nonzero().flatten()
        assert torch.equal(made[0], made[1])
        assert len(rows) == len(columns) == rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1
        assert made[0].sum() == len(rows) ** 2
        sides.add(len(rows))
        seen += made[0]
    assert sides == {1, 2, 3}
    assert (seen > 0).all()


def test_noise_is_a_share_of_the_examples_deviation() -> None:
    """x = ±3 has deviation 3: the noise of share 0.2 has 0.6."""
    x = torch.tensor([3.0, -3.0]).repeat(4000)
    made = GaussianNoise(0.2).perturbed(x, x, x, generator(0, "a", "s", 0))
    assert (made - x).std().item() == pytest.approx(0.6, rel=0.03)


def test_rows_do_not_meet() -> None:
    maps = torch.cos(X)
    both = judge(Infidelity(draws=10), network(), X, maps, names=("a", "b"))
    for i, name in enumerate("ab"):
        alone = judge(Infidelity(draws=10), network(), X[i : i + 1], maps[i : i + 1], names=(name,))
        for part, values in both.parts.items():
            torch.testing.assert_close(alone.parts[part][0], values[i], rtol=1e-9, atol=1e-12)
    other = judge(Infidelity(draws=10), network(), X, maps, names=("a", "c"))
    assert other.values[0] == both.values[0]
    assert other.values[1] != both.values[1]


def test_all_methods_share_the_forwards() -> None:
    """Two maps, three headlines: 25 draws and x for each example, once."""
    metrics = [Infidelity(SUBSET, 25, form) for form in (Form.RAW, Form.NORMALISED, Form.CENTRED)]
    with inquire(gl.Score(network(), 1), X) as inquiry:
        subjects = [
            make_subject(inquiry, X, maps, number=k, kind=Kind.CONTRIBUTION) for k, maps in enumerate((X, X**2))
        ]
        run([(metric, subject) for metric in metrics for subject in subjects], inquiry)
    assert inquiry.forwards.tolist() == [26, 26]


def test_a_pixels_value_is_shared_by_its_channels() -> None:
    """A map of one channel is like the map that gives each of the 2 channels half of it."""
    torch.manual_seed(0)
    model, x = network(18), torch.randn(2, 2, 3, 3, dtype=torch.float64)
    one = torch.randn(2, 3, 3, dtype=torch.float64)
    full = (one / 2)[:, None].expand(-1, 2, -1, -1)
    for kind in Kind:
        a, b = (judge(Infidelity(draws=10), model, x, maps, kind) for maps in (one, full))
        torch.testing.assert_close(a.parts["raw"], b.parts["raw"])


def test_other_scales_are_told() -> None:
    found = judge(Infidelity(draws=10), network(), X, X)
    by_probability = judge(Infidelity(draws=10, scale=Scale.PROBABILITY), network(), X, X)
    torch.testing.assert_close(found.parts["probability"], by_probability.values)
    torch.testing.assert_close(found.parts["logit"], found.values)
    no_class = gl.Score(network(), lambda output: output.square().sum(1))
    found = evaluate(Infidelity(draws=10), no_class, X, X, kind=Kind.CONTRIBUTION)
    assert set(found.parts).isdisjoint({"logit", "probability"})
    with pytest.raises(TargetError):
        evaluate(Infidelity(scale=Scale.LOGIT), no_class, X, X, kind=Kind.CONTRIBUTION)


def test_a_map_that_says_nothing_scores_one() -> None:
    """Zero: s = 0 explains nothing, whatever β. The raw form is E Δ²."""
    found = judge(Infidelity(SUBSET, 20), network(), X, torch.zeros_like(X))
    assert found.values.tolist() == [1.0, 1.0]
    assert found.parts["centred"].tolist() == [1.0, 1.0]
    torch.testing.assert_close(found.parts["raw"], found.parts["scale-optimal"])


def test_what_has_no_value_says_why() -> None:
    maps = X.clone()
    maps[1, 0] = torch.nan
    found = judge(Infidelity(draws=10), network(), X, maps)
    assert found.values.isnan().tolist() == [False, True]
    assert found.notes == ("", "the map is not finite")
    flat = judge(Infidelity(draws=10), lambda x: x.sum(1) * 0 + 3, X, X)
    assert flat.values.isnan().all()
    assert flat.notes == ("no perturbation changes the score",) * 2
    still = judge(Infidelity(draws=10), network(), torch.ones_like(X), X)
    assert still.notes == ("no perturbation changes the score",) * 2
    broken = judge(Infidelity(SUBSET, 10), lambda x: (x[:, 0] / x[:, 0]) * x.sum(1), X, X)
    assert broken.notes == ("the score is not finite at x or at a perturbation",) * 2
    jump = judge(Infidelity(draws=10, form=Form.CENTRED), lambda x: (x == X[0]).all(1).double(), X[:1], X[:1])
    assert jump.notes == ("all perturbations change the score alike",)


def test_rounding_is_no_drop() -> None:
    """A float32 score that moves by less than its rounding does not move: 1000 + 1e-6 x is 1000."""
    found = judge(Infidelity(draws=20), lambda x: 1000 + 1e-5 * x.sum(1), X.float(), X.float())
    assert found.notes == ("no perturbation changes the score",) * 2


def test_wrong_calls() -> None:
    for wrong in (
        lambda: Infidelity(draws=1),
        lambda: Infidelity(form="raw"),  # type: ignore[arg-type]
        lambda: Infidelity("gauss"),  # type: ignore[arg-type]
        lambda: GaussianNoise(0.0),
        lambda: Squares(0.5, 0.1),
        lambda: BaselineSubset(1.0),
        lambda: judge(Infidelity(Squares()), network(), X, X),
        lambda: judge(Infidelity(baseline=gl.baselines.Uniform(draws=2)), network(), X, X),
        lambda: evaluate(Infidelity(), gl.Score(network(), 1), X, X),
    ):
        with pytest.raises(InputError):
            wrong()


def test_nothing_of_the_callers_changes() -> None:
    x, maps, model = X.clone().requires_grad_(), X.clone(), network()
    before = torch.get_rng_state()
    judge(Infidelity(draws=5), model, x, maps)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    assert torch.equal(x, X)
    assert torch.equal(maps, X)
    assert x.grad is None
