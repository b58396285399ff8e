"""`gradline doctor` and `gradline explain-finding` as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import gradline as gl
from gradline.adapters.models.known import BUILT_IN
from gradline.cli._app import run
from gradline.result.finding import KINDS

NETS = """
import torch
from torch import nn

print("imported")
X = torch.tensor([[0.9, -1.4, 0.6, 2.1], [1.3, 0.4, -0.8, 0.7]])
FRAMES = 3


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(x.detach())


class Two(nn.Module):
    def forward(self, a, b):
        return a * b


def linear():
    torch.manual_seed(0)
    return nn.Linear(4, 3).eval()


def with_x():
    print("made")
    return linear(), X


def training():
    return nn.Sequential(nn.Linear(4, 5), nn.Dropout(), nn.Linear(5, 3)).train(), X


def cut():
    return Cut().eval(), X


def two():
    return Two().eval()


def wide():
    return (lambda x: 40 * x), X


def fails():
    raise RuntimeError("no weights here")


def nothing():
    return None


class House:
    @staticmethod
    def make():
        return linear(), X


ready = linear()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with factories in it, under a name of its own, and files of tensors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "broken.py").write_text("import numpy\n\n1 / 0\n")
    (tmp_path / "needy.py").write_text("import a_package_that_is_not_there\n")
    x = torch.tensor([[0.9, -1.4, 0.6, 2.1]])
    save_file({"x": x}, "x.safetensors")
    save_file({"a": x, "b": 2 * x}, "two.safetensors")
    np.save("x.npy", x.numpy())
    np.save("x64.npy", x.double().numpy())
    Path("x.txt").write_text("1 2 3")
    Path("damaged.safetensors").write_bytes(b"nothing of the kind")
    for name in ("nets", "broken", "needy"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield tmp_path
    for name in ("nets", "broken", "needy"):
        sys.modules.pop(name, None)


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    code = run([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


# ------------------------------------------------------------------------------------------------ doctor


def test_in_a_process_of_its_own_a_factory_of_the_current_folder_is_found(here):
    """Through the script that pip installs, which does not have the folder on its path; colours are off in a pipe."""
    script = Path(sys.executable).with_name("gradline")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([script, "doctor", "nets:cut"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    assert "GL104" in done.stdout
    assert "Tensor.detach" in done.stdout
    assert "gradline explain-finding GL104" in done.stdout
    assert "\x1b" not in done.stdout
    assert "imported" in done.stderr, "what a model prints is not on standard output"


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (["nets:with_x"], []),
        (["nets:House.make"], []),
        (["nets:training"], ["GL101"]),
        (["nets:cut"], ["GL104"]),
        (["nets:cut", "--layer", "head"], []),
        (["nets:wide", "--target", "3"], []),
        (["nets:wide", "--target", "3", "--probability"], ["GL107"]),
        (["nets:wide", "--probability"], ["GL107"]),
        (["nets:linear", "x.safetensors"], []),
        (["nets:linear", "x.npy"], []),
        (["nets:linear", "x64.npy"], []),
        (["nets:ready", "x.npy"], []),
        (["nets:two", "two.safetensors", "--target", "1"], []),
        (["nets:training", "x.safetensors", "--memory", "1MiB"], ["GL101"]),
    ],
)
def test_json_has_facts_and_findings_and_the_exit_code_says_whether_there_are_any(here, capsys, words, codes):
    code, content = told(["doctor", *words], capsys)
    assert [f["code"] for f in content["findings"]] == codes
    assert code == (1 if codes else 0)
    assert content["healthy"] == (not codes)
    assert content["facts"]["x"].endswith("(1, 4)" if any("." in w and ":" not in w for w in words) else "(2, 4)")
    for finding in content["findings"]:
        assert finding["title"] == KINDS[finding["code"]].title
        assert finding["remedy"]


def test_the_predicted_class_is_explained_unless_another_is_asked_for(here, capsys):
    with torch.no_grad():
        torch.manual_seed(0)
        predicted = int(torch.nn.Linear(4, 3)(torch.tensor([[0.9, -1.4, 0.6, 2.1]])).argmax())
    assert told(["doctor", "nets:with_x"], capsys)[1]["facts"]["explained"] == f"logit of class {predicted}"
    scaled = told(["doctor", "nets:with_x", "--probability"], capsys)[1]["facts"]["explained"]
    assert scaled == f"probability of class {predicted}"
    assert told(["doctor", "nets:with_x", "--target", "2"], capsys)[1]["facts"]["explained"] == "logit of class 2"


def test_the_card_shows_verdict_facts_and_every_finding(here, capsys):
    assert run(["doctor", "nets:cut"]) == 1
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "1 finding: GL104" in text
    assert "nets.Cut" in text
    assert KINDS["GL104"].remedy in text
    assert run(["doctor", "nets:with_x"]) == 0
    assert "nothing found" in capsys.readouterr().out


@pytest.mark.skipif(not gl.demo_photo().is_file(), reason="needs gradline[vision]")
def test_a_built_in_model_looks_at_the_demo_photo_or_at_another(here, capsys, monkeypatch):
    monkeypatch.setitem(BUILT_IN, "efficientnet-lite0", 96)
    code, content = told(["doctor", "efficientnet-lite0", "--target", "0", "--probability"], capsys)
    assert code == 1
    assert [f["code"] for f in content["findings"]] == ["GL107"], "coffee is no tench"
    assert content["facts"]["x"] == "(1, 3, 96, 96)"
    assert run(["doctor", "efficientnet-lite0", "missing.jpg"]) == 2
    assert "missing.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere:make"], 2, "a Python module, got 'nowhere'"),
        (["nets.inner:make"], 2, "nets.inner"),
        (["nets:absent"], 2, "linear"),
        (["nets:FRAMES"], 2, "a function that returns a model, got int"),
        (["nets:nothing", "x.npy"], 2, "got NoneType"),
        (["nets:"], 2, "package.module:factory"),
        (["./nets.py:cut"], 2, "package.module:factory"),
        (["resnet"], 2, "efficientnet-lite0, efficientnet-lite1"),
        (["nets:fails"], 3, "the factory nets:fails failed: RuntimeError: no weights here"),
        (["broken:make"], 3, "importing broken failed: ZeroDivisionError"),
        (["needy:make"], 3, "a_package_that_is_not_there"),
        (["nets:linear"], 2, "an INPUT for the model"),
        (["nets:linear", "absent.npy"], 2, "'absent.npy', which is not there"),
        (["nets:linear", "x.txt"], 2, "ends in .safetensors or .npy"),
        (["nets:linear", "damaged.safetensors"], 3, "cannot read damaged.safetensors"),
        (["nets:linear", "two.safetensors"], 3, "the model failed"),
        (["nets:with_x", "--layer", "nowhere"], 2, "nowhere"),
        (["nets:with_x", "--target", "9"], 2, "from 0 to 2"),
        (["nets:with_x", "--memory", "much"], 2, "memory as bytes"),
        ([], 2, "MODEL"),
        (["nets:with_x", "--bogus"], 2, "--bogus"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_refusals_say_why(here, capsys, words, code, said, as_json):
    path = list(sys.path)
    assert run(["doctor", *words, *["--json"] * as_json]) == code
    shown = capsys.readouterr()
    text = json.loads(shown.out)["error"]["message"] if as_json else shown.err
    assert said in text
    assert as_json or shown.out == ""
    assert sys.path == path


def test_nothing_is_written_by_looking(here):
    before = sorted(p for p in here.iterdir() if p.name != "__pycache__")
    assert run(["doctor", "nets:training"]) == 1
    assert sorted(p for p in here.iterdir() if p.name != "__pycache__") == before


# ------------------------------------------------------------------------------------------------ explain-finding


@pytest.mark.parametrize("code", KINDS)
def test_every_number_is_explained(capsys, code):
    assert run(["explain-finding", code]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith(f"{code} {KINDS[code].title}")
    for part in ("cause", "consequence", "remedy"):
        assert getattr(KINDS[code], part)[1:] in text


def test_without_a_number_all_are_listed(capsys):
    assert run(["explain-finding"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(KINDS)
    code, content = told(["explain-finding"], capsys)
    assert code == 0
    assert [k["code"] for k in content["findings"]] == list(KINDS)


def test_a_number_in_json_has_all_its_parts(capsys):
    code, content = told(["explain-finding", "gl203"], capsys)
    assert code == 0
    assert set(content) == {"code", "title", "cause", "consequence", "remedy"}
    assert content["code"] == "GL203"


@pytest.mark.parametrize("as_json", [False, True])
def test_an_unknown_number_is_refused_with_the_list(capsys, as_json):
    assert run(["explain-finding", "GL999", *["--json"] * as_json]) == 2
    shown = capsys.readouterr()
    text = json.loads(shown.out)["error"]["message"] if as_json else shown.err
    assert all(code in text for code in KINDS)


def test_help_has_examples(capsys):
    for command in ("doctor", "explain-finding"):
        assert run([command, "--help"]) == 0
        text = capsys.readouterr().out
        assert "Example" in text
        assert "--json" in text
        assert f"gradline {command}" in text
