"""`gradline methods`, `metrics`, `cite`: lists in words, with nothing heavier than the words loaded."""

from __future__ import annotations

import re

import pytest
from cli_cases import told

import gradline as gl
from gradline.cli._app import run
from gradline.cli.metrics import judges
from gradline.core.accumulators import SumLaw
from gradline.methods import CATALOGUE, REFERENCES
from gradline.result.measures import MEASURES


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints, white space taken together."""
    assert run(words) == 0
    return " ".join(capsys.readouterr().out.split())


# ------------------------------------------------------------------------------------------------ the catalogue


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda e: e.name)
def test_what_is_said_of_a_method_is_what_it_is(entry: gl.methods.Entry) -> None:
    make = getattr(gl.methods, entry.function)
    method = make(gl.Layer("1")) if entry.layer else make()
    assert method.name == entry.name
    assert method.cites == entry.cites
    assert method.estimates == entry.tolerance
    assert (method.baseline is not None) == entry.baseline
    assert (method.read is not None) == entry.layer
    assert entry.sums.replace("−", "-") == ("" if method.law is SumLaw.NONE else method.law.value)
    assert " ".join(make.__doc__.split()) == " ".join(entry.text)


def test_every_method_of_the_package_is_in_the_catalogue() -> None:
    public = {name for name in dir(gl.methods) if name[0].islower()} - {"by_name", "names"}
    assert public == {function for entry in CATALOGUE for function in entry.functions}
    assert all(gl.methods.by_name(other).name == entry.name for entry in CATALOGUE for other in entry.aliases)
    assert gl.methods.names() == [e.name for e in CATALOGUE if not (e.layer or e.vocabulary)]
    assert all(gl.methods.by_name(name).name == name for name in gl.methods.names())
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda e: e.name)
def test_a_method_is_described(entry: gl.methods.Entry, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(["methods", entry.name], capsys)
    assert entry.summary in text
    assert " ".join(entry.text).replace("`", "") in text
    assert f"gl.methods.{entry.function}(" in text
    assert ("gradline explain cat.jpg --method" in text) == (not (entry.layer or entry.vocabulary))
    assert ('gradline explain --text "…" --method' in text) == entry.vocabulary
    assert all(f"[{key}]" in text for key in entry.cites)
    code, content = told(["methods", entry.name], capsys)
    assert code == 0
    assert content["name"] == entry.name
    assert content["text"] == list(entry.text)


def test_all_methods_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(["methods"], capsys)
    assert all(entry.name in text and entry.summary in text for entry in CATALOGUE)
    assert [m["name"] for m in told(["methods"], capsys)[1]["methods"]] == [e.name for e in CATALOGUE]


# ------------------------------------------------------------------------------------------------ measures


def test_what_python_calls_a_measure_exists() -> None:
    import torch

    a = gl.explain(lambda x: x**2, torch.tensor([[3.0]]), baseline=gl.baselines.Uniform(draws=3))
    comparison = gl.compare(gl.Score(lambda x: x**2), torch.ones(1, 3), {"ig": gl.methods.integrated_gradients()})
    for measure in MEASURES:
        if measure.where.startswith("gl.compare"):
            assert callable(comparison.agreement)
        elif measure.where == 'a.details["rounding_error"]':
            continue  # of half precisions alone
        else:
            assert eval(measure.where, {"a": a}) is not None
    assert set(a.details) <= {re.findall(r'"(.*)"', m.where)[0] for m in MEASURES if "details" in m.where}


@pytest.mark.parametrize("measure", [*MEASURES, *judges()], ids=lambda m: m.name)
def test_a_measure_is_described(measure: object, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(["metrics", measure.name.replace("-", "_")], capsys)
    squeezed = "".join(text.replace("'", "").split())  # where code was of several words
    for part in (measure.where, measure.meaning[1:], measure.range, measure.better, measure.cost, measure.source):
        assert "".join(part.replace("`", "").replace("'", "").split()) in squeezed
    assert told(["metrics", measure.name], capsys)[1]["meaning"] == measure.meaning


def test_all_measures_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(["metrics"], capsys)
    every = (*MEASURES, *judges())
    assert all(m.name in text and m.where in text for m in every)
    assert [m["name"] for m in told(["metrics"], capsys)[1]["metrics"]] == [m.name for m in every]


# ------------------------------------------------------------------------------------------------ papers


@pytest.mark.parametrize("key", REFERENCES)
def test_a_paper_in_words_and_as_bibtex(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    reference = REFERENCES[key]
    text = shown(["cite", key], capsys)
    assert reference.text in text
    entry = reference.bibtex(key)
    assert " ".join(entry.split()) in text
    head, *fields, end = entry.splitlines()
    assert re.fullmatch(r"@(article|inproceedings|misc)\{" + key + ",", head)
    assert end == "}"
    told_fields = dict(re.fullmatch(r"  (\w+) = \{(.*)\},", field).groups() for field in fields)
    assert told_fields["title"] == f"{{{reference.title}}}"
    assert told_fields["author"].split(" and ") == reference.authors.split(", ")
    assert told_fields["year"] == str(reference.year)
    needed = {"article": {"journal", "volume"}, "inproceedings": {"booktitle"}, "misc": {"eprint", "archiveprefix"}}
    assert needed[head[1:].partition("{")[0]] <= set(told_fields)


def test_papers_of_methods_each_once_and_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    _, content = told(["cite", "integrated-gradients", "conductance", "sundararajan2017"], capsys)
    assert [r["key"] for r in content["references"]] == ["sundararajan2017", "dhamdhere2018", "shrikumar2018"]
    assert "integrated-gradients" in content["references"][0]["methods"]
    assert run(["cite", "--bibtex"]) == 0
    text = capsys.readouterr().out
    assert re.findall(r"^@\w+\{(.*),$", text, re.MULTILINE) == list(REFERENCES)
    assert text.count("{") == text.count("}")


def test_every_citation_key_is_known() -> None:
    assert {key for entry in CATALOGUE for key in entry.cites} <= set(REFERENCES)


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["methods", "conductanse"], "did you mean conductance?"),
        (["metrics", "completeness-gapp"], "did you mean completeness-gap?"),
        (["cite", "gradients"], "did you mean gradient?"),
        (["cite", "--loudly"], "--loudly"),
        (["methods", "gradient", "conductance"], "conductance"),
    ],
)
def test_what_does_not_exist_is_refused(
    words: list[str], said: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, *["--json"] * as_json]) == 2
    text = capsys.readouterr()
    assert said in (text.out if as_json else text.err)
