"""Every pair of snippets in docs/from-captum.md runs, and its two sides agree; every class of Captum has its place."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path
from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.result.finding import KINDS

PAGE = (Path(__file__).parent.parent / "docs" / "from-captum.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
THEIRS, OURS = re.compile(r"^# Captum.*$", re.MULTILINE), re.compile(r"^# gradline(.*)$", re.MULTILINE)
BASES = {f"{kind}Attribution" for kind in ("", "Gradient", "Perturbation", "Neuron", "Layer")}


def tensors(maps: Any) -> list[Tensor]:
    """A map, or several, whatever holds them; held entries aside."""
    if isinstance(maps, Tensor):
        return [maps.detach().double()]
    return [tensor for part in maps if part is not None for tensor in tensors(part)]


def compare(block: str, names: dict[str, Any]) -> None:
    """Run both sides of a pair and compare: to 1e-5 of the norm of Captum's, or to what the page says."""
    names.pop("theirs", None)
    names.pop("ours", None)
    start, told = THEIRS.search(block), OURS.search(block)
    assert start is not None
    assert told is not None
    exec(block[: start.start()], names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Captum says that it sets requires_grad
        exec(block[start.start() : told.start()], names)
    exec(block[told.start() :], names)
    within = re.search(r"within ([\d.]+)", told[1])
    tolerance = float(within[1]) if within else 1e-5
    theirs, ours = tensors(names["theirs"]), tensors(names["ours"])
    assert len(theirs) == len(ours) > 0
    for there, here in zip(theirs, ours, strict=True):
        assert there.shape == here.shape, block
        each = 1 if there.ndim > 1 else 0  # every example's map on its own; numbers of all examples together
        error, size = ((t.flatten(each).norm(dim=each)) for t in (here - there, there))
        assert (error <= tolerance * size).all(), f"off by {float((error / size).max()):.2g}:\n{block}"


def test_both_sides_of_every_pair_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.random.seed(0)
    names: dict[str, Any] = {}
    pairs = [block for block in BLOCKS if THEIRS.search(block)]
    assert len(pairs) >= 25
    for block in BLOCKS:
        if block in pairs:
            compare(block, names)
        else:
            assert not OURS.search(block)
            exec(block, names)
    assert "converged" in capsys.readouterr().out
    assert (tmp_path / "map.safetensors").exists()


PAIR = "# Captum\ntheirs = torch.ones(2, 3)\n\n# gradline{}\n{} = {} * torch.ones(2, 3)\n"


def test_a_pair_that_does_not_agree_is_noticed() -> None:
    names: dict[str, Any] = {"torch": torch}
    compare(PAIR.format("", "ours", 1.0), names)
    compare(PAIR.format(", within 0.02: so", "ours", 1.01), names)
    for told, factor in (("", 1.0001), (", within 0.02: so", 1.03), ("", float("nan"))):
        with pytest.raises(AssertionError, match="off by"):
            compare(PAIR.format(told, "ours", factor), names | {"nan": float("nan")})
    with pytest.raises(KeyError):
        compare(PAIR.format("", "other", 1.0), names)


def test_every_class_of_captum_has_its_place() -> None:
    """In a pair, or in the table of what is not here, or among the differences; and the tables name no others."""
    exported = {name: getattr(captum.attr, name) for name in captum.attr.__all__}
    kinds = {n for n, c in exported.items() if inspect.isclass(c) and issubclass(c, captum.attr.Attribution)} - BASES
    pairs = " ".join(block for block in BLOCKS if THEIRS.search(block))
    used = {name for name in kinds if re.search(rf"\b{name}\(", pairs)}
    absent = set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[A-Z].*?) \|", PAGE.split("## Not here")[1], re.M)))
    )
    assert not used & absent
    assert absent <= kinds
    assert used | absent | {"LayerGradientShap"} == kinds
    imported = set(re.findall(r"^    (\w+),$", BLOCKS[0], re.MULTILINE))
    assert imported == used


def test_every_name_of_gradline_on_the_page_exists() -> None:
    for dotted in set(re.findall(r"\bgl\.([A-Za-z_][\w.]*)", PAGE)):
        found: Any = gl
        for name in dotted.split("."):
            found = getattr(found, name)
    findings = set(re.findall(r"\bGL\d{3}\b", PAGE))
    assert findings
    assert findings <= set(KINDS)
