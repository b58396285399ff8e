"""Numbers as people read them."""

from __future__ import annotations

import math


def percent(share: float) -> str:
    """A share as a percentage with two significant digits: `3.9 %`, `0.041 %`."""
    if math.isnan(share) or math.isinf(share):
        return "unknown"
    if share == 0:
        return "0 %"
    if abs(share) < 1e-5:
        return "below 0.001 %"
    if abs(share) >= 1:
        return f"{share * 100:.0f} %"
    rounded = float(f"{share * 100:.2g}")
    digits = max(0, 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{digits}f} %"


def number(value: float) -> str:
    """A score with four significant digits."""
    return f"{value:.4g}"


def short(value: float) -> str:
    """Two significant digits, without an exponent where few zeros do: 1200, 0.034."""
    return f"{float(f'{value:.2g}'):g}"
