"""`gradline explain --text`: labels, pairs, answers, files, numbers, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny_language_models as writers
from cli_cases import told
from text_cases import tiny, tokenizer_of

from gradline.cli._app import run
from gradline.cli._request import TextRequest, command_of

TEXT = "The movie was great, and the actors were never boring."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def saved(name: str, model: Any, tokenizer: Any) -> str:
    model.save_pretrained(name)
    tokenizer.save_pretrained(name)
    return f"hf:./{name}"


@pytest.fixture
def classifier(folder: Path) -> str:
    return saved("reviews", tiny("Bert", "SequenceClassification"), tokenizer_of("Bert"))


def test_a_page_and_a_picture_named_after_the_first_words(classifier: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--text", TEXT, "--model", classifier, "--tol", "20%"]) in (0, 1)
    shown = capsys.readouterr().out
    assert "F(x) - F(x') is" in shown
    assert "written the-movie-was-great-and-gradline.html" in shown
    page = Path("the-movie-was-great-and-gradline.html").read_text("utf-8")
    assert f"gradline explain &#39;--text={TEXT}&#39; --model hf:./reviews" in page
    assert Path("the-movie-was-great-and-gradline.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_are_those_of_the_words(classifier: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--target", "neutral", "--model", classifier, "--steps", "3", "-o", "map.json", "-o", "map.safetensors"]
    code, found = told(["explain", "--text", TEXT, *words], capsys)
    assert code in (0, 1)
    (one,) = found["texts"]
    assert one == json.loads(Path("map.json").read_text()) | {"files": one["files"]}
    assert one["title"] == "neutral"
    assert [w["text"] for w in one["words"] if not w["special"]][:3] == ["The", "movie", "was"]
    change = one["score"] - one["baseline_score"]
    assert sum(w["value"] for w in one["words"]) == pytest.approx(change + one["completeness_gap"], abs=1e-5)


def test_text_from_standard_input(classifier: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TEXT}\n"))
    code, found = told(["explain", "--text", "-", "--model", classifier, "--steps", "1", "-o", ".json"], capsys)
    assert code in (0, 1)
    assert found["texts"][0]["command"].startswith(f"gradline explain '--text={TEXT}'")


def test_a_question_and_what_it_is_asked_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = saved("answers", tiny("Bert", "QuestionAnswering"), tokenizer_of("Bert"))
    pair = ["--text", "Who wrote the book?", "--second", "Anna Berg wrote the book in Rome."]
    code, found = told(["explain", *pair, "--model", name, "--steps", "2", "-o", ".json"], capsys)
    assert code in (0, 1)
    assert {"Who", "Rome"} <= {w["text"] for w in found["texts"][0]["words"]}


def test_a_sentence_compared_with_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = saved("encoder", tiny("Bert", None), tokenizer_of("Bert"))
    words = ["explain", "--text", TEXT, "--model", name, "--steps", "2", "-o", ".json"]
    code, found = told([*words, "--second", "The music was dull."], capsys)
    assert code in (0, 1)
    assert -1.01 <= found["texts"][0]["score"] <= 1.01
    code, found = told(words, capsys)
    assert code == 2
    assert "--second" in found["error"]["message"]


def test_answers_of_a_language_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = saved("writer", writers.causal("Llama"), writers.tokenizer())
    words = ["explain", "--text", "Once upon a time", "--model", name, "--steps", "2", "-o", ".json"]
    code, own = told(words, capsys)
    assert code in (0, 1)
    code, given = told([*words, "--answer", " there was"], capsys)
    code, against = told([*words, "--answer", " there was", "--against", " there is"], capsys)
    assert code in (0, 1)
    assert given["texts"][0]["score"] < 0
    assert len({one["texts"][0]["explained"] for one in (own, given, against)}) == 3


def test_a_factory_gives_the_model_with_its_tokenizer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = Path(__file__).parent
    Path("mine.py").write_text(
        f"import sys\nsys.path.insert(0, {str(here)!r})\nfrom text_cases import tiny, tokenizer_of\n"
        "def make():\n    return tiny('Bert', 'SequenceClassification'), tokenizer_of('Bert')\n"
    )
    code, found = told(["explain", "--text", TEXT, "--model", "mine:make", "--steps", "1", "-o", ".json"], capsys)
    assert code in (0, 1)
    assert "model='mine:make'" in found["texts"][0]["python"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cat.jpg"], "photos, or a text"),
        (["--weights", "x.pt"], "--weights"),
        (["--answer", "Yes"], "--answer"),
        (["--target", "neutrl"], "neutral"),
        (["--tol", "2%", "--steps", "3"], "--tol"),
        (["--rule", "midpoint"], "--steps together"),
        (["--method", "integrated-gradient"], "integrated-gradients"),
        (["-o", "map.jpg"], ".png"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused(words: list[str], said: str, classifier: str, capsys: Any) -> None:
    code, found = told(["explain", "--text", TEXT, "--model", classifier, *words], capsys)
    assert code in (2, 3)
    assert said in found["error"]["message"]
    assert not list(Path().glob("*gradline*"))


def test_empty_texts_and_options_without_a_text(classifier: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = told(["explain", "--text", " ", "--model", classifier], capsys)
    assert code == 2
    assert "text" in found["error"]["message"]
    code, found = told(["explain", "--second", "x"], capsys)
    assert code == 2
    assert "--text" in found["error"]["message"]
    code, found = told(["explain", "--text", "word " * 100, "--model", classifier], capsys)
    assert code == 2
    assert "64" in found["error"]["message"] or "66" in found["error"]["message"]


@pytest.mark.parametrize(
    "request_",
    [
        TextRequest("it's 'not' bad", target="negative", probability=True, tol=0.1),
        TextRequest("-dash", second="other", answer="-yes", against="no", model="hf:./x", steps=3, rule="midpoint"),
    ],
)
def test_the_command_asks_for_the_same_again(request_: TextRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    asked: list[TextRequest] = []

    def taken(request: TextRequest, files: object, *, as_json: bool) -> int:
        asked.append(request)
        return 0

    monkeypatch.setattr("gradline.cli.explain.carry_out_text", taken)
    line = command_of(request_, (Path("map.html"),))
    assert run(shlex.split(line)[1:]) == 0
    assert asked == [request_]


def test_a_missing_model_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = told(["explain", "--text", TEXT, "--model", "hf:./nothing"], capsys)
    assert code == 2
    assert "nothing" in found["error"]["message"]
