"""The page of threads names tests that exist, each of which is there for a thread."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parent / "docs" / "threads.md").read_text(encoding="utf-8")


def defined():
    """The names of all tests about threads."""
    files = [path for path in HERE.glob("test_threads_*.py") if path.name != Path(__file__).name]
    found = [node for path in files for node in ast.parse(path.read_text(encoding="utf-8")).body]
    return {node.name for node in found if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_named_on_the_page_exists_and_every_test_is_named():
    assert set(re.findall(r"`(test_\w+)`", PAGE)) == defined()


def test_every_line_links_a_thread_and_says_what_became_of_it():
    lines = [line for line in PAGE.splitlines() if line.startswith("| [")]
    assert len(lines) > 70
    for line in lines:
        thread, problem, answer = line.strip("| ").split(" | ")
        assert re.fullmatch(r"(\[[^]]+\]\(https://github\.com/[^)]+\)(, )?)+", thread)
        assert problem
        assert answer.startswith("`test_") or " " not in answer
