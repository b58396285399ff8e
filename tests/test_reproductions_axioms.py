"""The reproduction of the axioms, in its small form."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from reproduction_cases import reproduction


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with reproduction("axioms") as module:
        yield module


@pytest.fixture(scope="module")
def found(script: ModuleType) -> dict[str, Any]:
    return script.measure(small=True, seed=0)


def test_the_page_has_every_verdict_and_the_counterexample(script: ModuleType, found: dict[str, Any]) -> None:
    page = script.page(found)
    assert "| Integrated Gradients | holds | holds | holds | holds |" in page
    assert "| gradient × input | **no** | holds | holds | holds |" in page
    assert "F = x1² at (1) from (0)" in page
    assert "does not hold here" not in page


def test_the_map_of_a_maximum_jumps_and_that_of_a_smooth_network_keeps_to_the_bound(found: dict[str, Any]) -> None:
    """IG(1 + ε, 1) = (1 + ε, 0) and IG(1, 1 + ε) = (0, 1 + ε): √2 (1 + ε) apart."""
    for eps, apart, jump in found["jumps"]:
        assert apart == pytest.approx(2**0.5 * eps)
        assert jump == pytest.approx(2**0.5 * (1 + eps))
    assert 0 < found["bound"]["largest"] <= 1


def test_a_staircase_and_what_is_beyond_paths_are_complete_on_paper(script: ModuleType) -> None:
    """F = x1 x2 from 0 at (1, 1): along x1 first all goes to x2; twice that less the other way round is (−1, 2)."""

    def product(x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] * x[:, 1:]

    x = torch.ones(1, 2, dtype=torch.float64)
    assert script.staircase(product, x, 0 * x).tolist()[0] == pytest.approx([0, 1])
    assert script.beyond_paths(product, x, 0 * x).tolist()[0] == pytest.approx([-1, 2])
