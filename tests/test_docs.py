"""The pages do what they say: their code runs, its output is what they show, their links and names lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pages
import pytest
from markdown_places import anchors, links

import gradline as gl
from gradline import testing
from gradline.cli._app import build

ROOT, DOCS = pages.ROOT, pages.DOCS
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
TEXT = {page: page.read_text("utf-8") for page in PAGES}
GENERATED = {
    DOCS / "findings.md",
    *(DOCS / "reference" / f"{name}.md" for name in ("command-line", "methods", "metrics")),
}
"""Written by commands, and compared with what those write by the tests of the commands."""

ELSEWHERE = {DOCS / "from-captum.md", DOCS / "writing-a-part.md", ROOT / "README.md"}
"""Pages with a test of their own, which runs them."""

RUN = [
    page
    for page in PAGES
    if page not in GENERATED | ELSEWHERE and {b.language for b in pages.blocks(TEXT[page])} & {"python", "sh"}
]
MOST_NOT_RUN = 10


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUN, ids=name)
def test_what_a_page_shows_runs_and_prints_what_it_says(page: Path, tmp_path: Path) -> None:
    with pages.folder(tmp_path):
        wrong = [shown.wrong for shown in pages.run_page(TEXT[page]) if shown.wrong]
    assert not wrong, "\n\n".join([*wrong, f"python tests/pages.py {name(page)} writes the outputs anew"])


def test_most_pages_run_and_little_on_them_does_not() -> None:
    assert len(RUN) >= 20
    not_run = [(name(page), block.why) for page in RUN for block in pages.blocks(TEXT[page]) if block.why]
    assert len(not_run) <= MOST_NOT_RUN, not_run
    assert all(len(str(why)) > 10 for _, why in not_run)


def test_fences_are_of_known_kinds_and_none_escapes_the_tests() -> None:
    for page in PAGES:
        fences = re.findall(r"^( *)(```+)(.*)$", TEXT[page], re.MULTILINE)
        assert len(fences) == 2 * len(pages.blocks(TEXT[page])), name(page)
        assert all(not indent and ticks == "```" for indent, ticks, _ in fences), name(page)
        kinds = {block.language for block in pages.blocks(TEXT[page])}
        assert kinds <= {"python", "sh", "text", "json", "toml", ""}, name(page)


# ------------------------------------------------------------------------------------------------ command lines


def command_lines() -> Iterator[tuple[Path, list[str]]]:
    for page in PAGES:
        for block in pages.blocks(TEXT[page]):
            if block.language in ("sh", ""):
                yield from ((page, words) for words in block.commands)
        for inline in re.findall(r"`(gradline [^`]+)`", re.sub(r"```.*?```", "", TEXT[page], flags=re.DOTALL)):
            words = shlex.split(inline)[1:]
            if not words[0].endswith(","):  # a list of commands
                yield page, words


def test_every_command_line_on_the_pages_is_understood() -> None:
    """Names, options and their values; pipes and redirections are the shell's. `METHOD` stands for any."""
    from typer.main import get_command

    commands: Any = get_command(build()).commands  # type: ignore[attr-defined]
    seen = set()
    for page, words in command_lines():
        cut = [k for k, word in enumerate(words) if word in ("|", ">", "&&")]
        words = words[: cut[0]] if cut else words
        if words[0].startswith("-"):
            continue
        assert words[0] in commands, f"{name(page)}: gradline {shlex.join(words)}"
        seen.add(words[0])
        known = {option for p in commands[words[0]].params for option in [*p.opts, *p.secondary_opts]} | {"--help"}
        options = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert options <= known, f"{name(page)}: gradline {shlex.join(words)}"
    assert seen == set(commands), "every command is shown somewhere"


# ------------------------------------------------------------------------------------------------ links and names


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_their_anchors_lead_somewhere(page: Path) -> None:
    for target in links(TEXT[page]):
        place, _, anchor = target.partition("#")
        if place.startswith(("http://", "https://")):
            continue
        generated = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
        found = (page.parent / place).resolve() if place else page
        if found.parent == DOCS and found.name in generated:
            found = ROOT / generated[found.name]
        assert found.exists(), target
        assert not anchor or anchor in anchors(found.read_text("utf-8")), target


def test_every_name_of_gradline_on_the_pages_exists() -> None:
    for page in PAGES:
        for dotted in set(re.findall(r"(?<![\w/.-])gl\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", TEXT[page])):
            found: Any = gl
            for step in dotted.split("."):
                assert hasattr(found, step), f"{name(page)}: gl.{dotted}"
                found = getattr(found, step)


def test_every_public_name_has_its_place_in_the_reference() -> None:
    reference = "\n".join(TEXT[page] for page in (DOCS / "api").glob("*.md"))
    shown = set(re.findall(r"^::: gradline\.(\S+)$", reference, re.MULTILINE))
    modules = {name: value for name in gl.__all__ if isinstance(value := getattr(gl, name), ModuleType)}
    alone = set(gl.__all__) - set(modules)
    assert alone <= shown
    del modules["sites"]  # what is public of it is in gl itself
    for name, home in {**modules, "testing": testing}.items():
        own = [n for n, value in vars(home).items() if getattr(value, "__module__", "") == home.__name__]
        names = getattr(home, "__all__", own)
        public = {n for n in names if n[0] != "_" and isinstance(getattr(home, n), type | FunctionType)}
        missing = {n for n in public if n not in alone and f"{name}.{n}" not in shown}
        assert not missing, f"gl.{name}: {missing}"


def test_findings_named_on_the_pages_exist() -> None:
    from gradline.result.finding import KINDS

    for page in PAGES:
        assert set(re.findall(r"\bGL\d{3}\b", TEXT[page])) <= set(KINDS), name(page)
    assert "gradline" in TEXT[DOCS / "index.md"]


# ------------------------------------------------------------------------------------------------ the runner itself


def test_the_runner_notices_what_does_not_agree(tmp_path: Path) -> None:
    page = "```python\nprint('a 1.00 b 40 gradients c')\n```\n\n```text\n{}\n```\n"
    for shown, agrees in (
        ("a 1.00 b 40 gradients c", True),
        ("a 1.01 b 44 gradients c", True),
        ("a …", True),
        ("a 1.10 b 40 gradients c", False),
        ("a 1.00 b 60 gradients c", False),
        ("a 1.00 b 40 gradients", False),
        ("", False),
    ):
        with pages.folder(tmp_path):
            (found,) = pages.run_page(page.format(shown))
        assert (not found.wrong) == agrees, shown
    vary = page.replace("```text", "<!-- numbers vary -->\n```text")
    with pages.folder(tmp_path):
        (found,) = pages.run_page(vary.format("a 1.20 b 40 gradients c"))
        assert not found.wrong
        assert pages.rewritten(page.format("old")) == page.format("a 1.00 b 40 gradients c")
    with pytest.raises(NameError), pages.folder(tmp_path):
        list(pages.run_page("```python\nnowhere\n```\n"))
    with pytest.raises(SyntaxError), pages.folder(tmp_path):
        list(pages.run_page("<!-- not run: as a test -->\n```python\nprint(\n```\n"))
