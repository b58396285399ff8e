"""Every example and every notebook runs, writes what it promises, and says what it claims."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gradline.adapters.models.known import BUILT_IN

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = {
    "choose_baseline": ("choose-baseline.png",),
    "compare_methods": ("compare-methods.pdf",),
    "data_set": ("data-set/0000.safetensors", "data-set/0003.safetensors"),
    "income": ("income-row.html", "income-all.pdf"),
    "layer": ("layer.pdf",),
    "own_parts": ("own-parts.pdf",),
    "photo": ("photo-map.svg", "photo-overlay.png", "photo.html", "photo.pdf", "photo.safetensors"),
    "series": ("series.pdf", "spectrum.pdf", "series.html"),
    "table": ("table.pdf",),
    "text": ("text.pdf",),
}
FEWER = "from gradline.adapters.models.known import BUILT_IN\nBUILT_IN['efficientnet-lite0'] = 128"
"""A first cell for notebooks in tests."""

NOTEBOOKS = ("01-first-map", "02-reading-the-path")


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a script in an empty folder, its network given fewer pixels; what it left in its names, and printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(BUILT_IN, "efficientnet-lite0", 128)

    def run(name: str) -> tuple[dict[str, Any], str]:
        monkeypatch.setattr(sys, "argv", [f"{name}.py"])
        left = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        for file in SCRIPTS[name]:
            assert Path(file).stat().st_size > 1000, file
        return left, capsys.readouterr().out

    return run


def test_every_example_is_listed_and_short() -> None:
    page = (EXAMPLES / "README.md").read_text("utf-8")
    assert sorted(p.stem for p in EXAMPLES.glob("*.py")) == sorted(SCRIPTS)
    assert sorted(p.stem for p in EXAMPLES.glob("*.ipynb")) == sorted(NOTEBOOKS)
    for path in (*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.ipynb")):
        assert f"({path.name})" in page
    for name in SCRIPTS:
        text = (EXAMPLES / f"{name}.py").read_text("utf-8")
        assert len(text.splitlines()) <= 60
        assert f"python examples/{name}.py" in text.split('"""')[1]


def test_photo_writes_what_it_promises(ran: Any) -> None:
    _, said = ran("photo")
    assert sorted(p.name for p in Path().iterdir()) == sorted(SCRIPTS["photo"])
    assert "converged" in said
    assert "why “cup”?" in said


def test_a_script_stands_alone(tmp_path: Path) -> None:
    """As a user runs it: a process of its own, in another folder."""
    command = [sys.executable, str(EXAMPLES / "table.py")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(SCRIPTS["table"])


def test_table_recovers_the_known_answer(ran: Any) -> None:
    left, said = ran("table")
    ours, true = (left[name].values.abs().mean(0) for name in ("learned", "truth"))
    assert ours[:5] == pytest.approx(true[:5].tolist(), rel=0.2)
    assert (true[5:] == 0).all()
    assert (ours[5:] < 0.1).all()
    assert left["wrong"].median() < 0.15
    assert "largest error of d in the map of the formula: 0.0e+00" in said or "e-1" in said


def test_text_finds_the_words_that_decide(ran: Any) -> None:
    left, said = ran("text")
    values = dict(zip(left["words"], left["a"].sum(2)[0].tolist(), strict=True))
    assert min(values, key=values.__getitem__) == "not"
    assert int(re.search(r"right about (\d+)%", said).group(1)) > 65


def test_layer_finds_channels_that_matter(ran: Any) -> None:
    left, _ = ran("layer")
    strongest = left["score_without"](left["order"][: left["TOP"]])
    assert strongest < min(left["by_chance"]) < float(left["a"].score[0])


def test_methods_are_compared(ran: Any) -> None:
    left, said = ran("compare_methods")
    assert list(left["maps"].attributions) == list(left["methods"])
    assert said.count("no claim") == 2


def test_baselines_are_compared(ran: Any) -> None:
    left, said = ran("choose_baseline")
    assert left["signed"][0, 1] < 0 < left["absolute"][0, 2]
    assert "black" in said.splitlines()[-4]


def test_own_parts_give_the_numbers_on_paper(ran: Any) -> None:
    left, said = ran("own_parts")
    first = [float(a.values[0, 0]) for a in left["maps"].attributions.values()]
    assert first == pytest.approx([1 / 3, 1 / 5, (1 - 1 / 64) / 3], rel=2e-3)
    assert "caught: Chord() breaks move_is_the_tangent" in said


def test_a_data_set_goes_on_where_it_was_interrupted(ran: Any) -> None:
    left, said = ran("data_set")
    assert left["values"].shape == (1000, 12)
    assert "1000 rows: 1000 converged" in said
    Path("data-set/0002.safetensors").unlink()
    again, said = ran("data_set")
    assert said.count("is there") == 3
    assert (again["values"] == left["values"]).all()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_are_clean(name: str) -> None:
    book = json.loads((EXAMPLES / f"{name}.ipynb").read_text("utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_run_in_a_real_kernel(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell, top to bottom, the network given fewer pixels; each figure arrives as a picture, the attribution of
    a photo as its report."""
    client = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    book = nbformat.read(EXAMPLES / f"{name}.ipynb", 4)
    nbformat.validate(book)
    book.cells.insert(0, nbformat.v4.new_code_cell(FEWER))
    place = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(book, timeout=100, kernel_name="python3", resources=place).execute()
    shown = {k: o["data"] for k, cell in enumerate(book.cells) for o in cell.get("outputs", []) if "data" in o}
    for k, cell in enumerate(book.cells):
        last = cell.source.splitlines()[-1]
        if cell.cell_type == "code" and last.startswith("gl.plots."):
            assert "image/png" in shown[k], last
        if cell.cell_type == "code" and last == "a":
            assert "espresso" in shown[k]["text/html"]
    if name == "01-first-map":
        assert shown[len(book.cells) - 1]["text/plain"] == "True"
        assert {p.suffix for p in tmp_path.iterdir()} == {".html", ".pdf", ".safetensors"}


def test_incomes_come_back_as_a_frame(ran: Any) -> None:
    _, said = ran("income")
    assert "right about" in said


def test_series_finds_what_differs(ran: Any) -> None:
    left, said = ran("series")
    assert float(left["share"].mean()) > 0.6
    assert "right about" in said
