"""`gl.compare`: what it runs, and rank agreement against values derived on paper and SciPy's."""

from __future__ import annotations

import json

import pytest
import scipy.stats
import torch
from torch import nn

import gradline as gl
from gradline.comparison import rank_correlation

IG = gl.methods.integrated_gradients()


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def test_ranks_by_hand() -> None:
    """Ranks 1 2 3 4 against 2 1 4 3: 1 − 6·(1+1+1+1)/(4·15) = 0.6; reversed −1; a constant map agrees with none."""
    maps = torch.tensor([[1, 2, 3, 4], [20, 10, 40, 30], [4, 3, 2, 1], [5, 5, 5, 5]]).double()
    got = rank_correlation(maps)
    torch.testing.assert_close(got[0, :3], torch.tensor([1.0, 0.6, -1.0]).double())
    assert got[3].isnan().all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_map_that_is_not_finite_agrees_with_nothing(bad: float) -> None:
    got = rank_correlation(torch.tensor([[1, 2, 3, 4], [1, 2, 3, bad], [2, 3, 4, 5]]).double())
    assert got[1].isnan().all()
    assert got[:, 1].isnan().all()
    assert float(got[0, 2]) == pytest.approx(1)


def test_maps_of_different_sizes_are_not_compared() -> None:
    one, two = (gl.explain(lambda x: x.sum(1), torch.ones(1, n).double()) for n in (2, 3))
    with pytest.raises(gl.InputError, match="one: 2, two: 3"):
        gl.Comparison({"one": one, "two": two}, ()).agreement()
    with pytest.raises(gl.InputError, match="no map"):
        gl.Comparison({}, ()).agreement()
    assert repr(gl.Comparison({}, ())) == ""


def test_ranks_with_ties_as_scipy_has_them() -> None:
    maps = torch.randint(0, 4, (5, 40), generator=torch.Generator().manual_seed(1)).double()
    expected = scipy.stats.spearmanr(maps.numpy(), axis=1).statistic
    torch.testing.assert_close(rank_correlation(maps), torch.from_numpy(expected))


def test_each_method_is_what_attribute_makes_of_it(model: nn.Module) -> None:
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(2)).double()
    score = gl.Score(model, 1)
    methods = {"ig": IG, "from one": IG.starting_at(1.0), "saliency": gl.methods.gradient()}
    both = gl.compare(score, x, methods, tol=0.01, names=["a", "b", "c"])
    assert list(both.attributions) == list(methods)
    for name, method in methods.items():
        alone = gl.attribute(score, x, method, tol=0.01 if method.estimates else None, names=["a", "b", "c"])
        assert torch.equal(both.attributions[name].values, alone.values)
    assert [(row["method"], row["example"]) for row in both.table[:4]] == [
        ("ig", "a"),
        ("ig", "b"),
        ("ig", "c"),
        ("from one", "a"),
    ]
    assert json.loads(json.dumps(both.table)) == list(both.table)
    assert both.table[0]["status"] == "converged"
    assert both.table[-1]["error_estimate"] is None
    assert len(repr(both).splitlines()) == 9


def test_agreement_is_of_ranks_signed_or_of_sizes() -> None:
    """F = x₁² − x₂², x = (1, 3): IG (1, −9), gradient (2, −6): signed and sizes alike in rank; from 2: (−3, −5)."""

    def saddle(x: torch.Tensor) -> torch.Tensor:
        return (x[:, :1] ** 2 - x[:, 1:] ** 2).sum(1, keepdim=True)

    x = torch.tensor([[1.0, 3.0]]).double()
    methods = {"zero": IG, "gradient": gl.methods.gradient(), "two": IG.starting_at(2.0)}
    both = gl.compare(gl.Score(saddle), x, methods, steps=4)
    torch.testing.assert_close(both.attributions["two"].values, torch.tensor([[-3.0, -5.0]]).double())
    torch.testing.assert_close(both.agreement(), torch.ones(3, 3).double())
    torch.testing.assert_close(both.agreement(absolute=True), torch.ones(3, 3).double())
    other = gl.compare(gl.Score(saddle), x, {"zero": IG, "four": IG.starting_at(4.0)}, steps=4)
    opposed = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double()  # (1, −9) against (−15, 7)
    torch.testing.assert_close(other.agreement(), opposed)
    torch.testing.assert_close(other.agreement(absolute=True), opposed)


WRONG = {"nothing": {}, "none": None, "a list": [IG], "a name": {"ig": "ig"}, "a function": {"ig": gl.methods.gradient}}


@pytest.mark.parametrize("methods", WRONG.values(), ids=WRONG)
def test_methods_have_names(model: nn.Module, methods: object) -> None:
    with pytest.raises(gl.InputError, match="methods by name"):
        gl.compare(gl.Score(model, 1), torch.zeros(1, 5).double(), methods)  # type: ignore[arg-type]


def test_one_target_for_all(model: nn.Module) -> None:
    with pytest.raises(gl.InputError, match="one target"):
        gl.compare(gl.Score(model, [0, 1]), torch.zeros(1, 5).double(), {"ig": IG})


def test_channels_are_summed_before_they_are_ranked() -> None:
    """Maps (1, −1 | 2, 3) and (5, 0 | −4, 9): pixel sums 3, 2 against 1, 9: opposed."""
    start = torch.zeros(1, 2, 2)
    weights = torch.tensor([[[1.0, -1.0], [2.0, 3.0]], [[5.0, 0.0], [-4.0, 9.0]]])
    maps = [gl.explain(lambda x, w=w: (x * w).sum((1, 2)), torch.ones(1, 2, 2), baseline=start) for w in weights]
    both = gl.Comparison(dict(zip("ab", maps, strict=True)), ())
    torch.testing.assert_close(both.agreement(dim=1), torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double())
    assert float(both.agreement()[0, 1]) == pytest.approx(0.4)  # ranks 2 1 3 4 against 3 2 1 4: 1 − 6·6/60
