"""Two chest X-rays that the classifier was not trained on, nor on any other picture of the same children."""

from __future__ import annotations

from pathlib import Path

from gradline.errors import InputError

FOLDER = Path(__file__).parent

FILES = {"normal": FOLDER / "chest-normal.jpg", "pneumonia": FOLDER / "chest-pneumonia.jpg"}
"""The pictures by what physicians said; `SOURCES.md` beside them says where they are from."""


def xray_photo(finding: str = "pneumonia") -> Path:
    """A child's chest X-ray with viral pneumonia, or with the finding "normal" (Kermany et al. 2018, CC BY 4.0).

    Scaled to 256 pixels on the shorter side, grey. Raises `InputError` for another finding.
    """
    if finding not in FILES:
        raise InputError(f"a finding: {' or '.join(FILES)}", repr(finding))
    return FILES[finding]
