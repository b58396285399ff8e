"""`gradline cite METHOD...`: the papers behind a method."""

from __future__ import annotations

from typing import Annotated

import typer

from gradline.cli._app import FINE, print_json
from gradline.cli._names import check, complete_any_method
from gradline.cli._options import OUT, AsJson
from gradline.cli._terminal import write
from gradline.methods.catalogue import CATALOGUE
from gradline.methods.references import REFERENCES

EXAMPLES = (
    ("gradline cite integrated-gradients", "In words, and as a BibTeX entry."),
    ("gradline cite --bibtex > papers.bib", "All papers as a BibTeX file."),
)


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[METHOD]...",
            help="Methods, or citation keys; without any, all.",
            autocompletion=complete_any_method,
        ),
    ] = None,
    bibtex: Annotated[
        bool, typer.Option("--bibtex", help="Print the BibTeX entries alone.", rich_help_panel=OUT)
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Say which papers a method comes from, for a list of references or a BibTeX file."""
    found = keys(names or [])
    if as_json:
        print_json({"references": [facts(key) for key in found]})
        return FINE
    entries = [REFERENCES[key].bibtex(key) for key in found]
    texts = entries if bibtex else [f"{REFERENCES[key].text}\n\n{e}" for key, e in zip(found, entries, strict=True)]
    write("\n\n".join(texts))
    return FINE


def keys(names: list[str]) -> list[str]:
    """Citation keys of methods, or keys themselves, each once; all if none is named. Raises `InputError`."""
    cited = {entry.name: entry.cites for entry in CATALOGUE} | {key: (key,) for key in REFERENCES}
    for name in names:
        check("a method or a citation key", name, list(cited))
    return list(dict.fromkeys(key for name in names or REFERENCES for key in cited[name]))


def facts(key: str) -> dict[str, object]:
    """A paper, JSON-ready."""
    reference = REFERENCES[key]
    return {
        "key": key,
        "authors": reference.authors.split(", "),
        "title": reference.title,
        "where": reference.where,
        "volume": reference.volume or None,
        "year": reference.year,
        "url": reference.url,
        "methods": [entry.name for entry in CATALOGUE if key in entry.cites],
        "bibtex": reference.bibtex(key),
    }
