"""Runs what a page of the documentation shows, in order, and compares what it says with what the page says it does.

A page is one namespace and one folder, in which the demo's photo lies as `coffee.png`. Its fences:

- `python`: runs; with `title="file.py"` it is written to that file instead.
- `sh`: every line `gradline …` runs; other lines are for people.
- `text`, `json`: what the block before has printed. `…` stands for anything; see `differs` for numbers, of which all
  may be off by a quarter under `<!-- numbers vary -->`.
- `<!-- not run: reason -->` above a fence: it is only parsed.

`python tests/pages.py PAGE …` runs pages and writes the outputs that have changed into them.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"^(?:<!-- (?:not run: (?P<why>[^\n]+)|(?P<vary>numbers vary)) -->\n)?"
    r"```(?P<language>\w*)(?: title=\"(?P<file>[^\"]+)\")?[ ]*\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
WIDTH = 84
"""Columns of the terminal whose output is shown."""


@dataclass(frozen=True)
class Block:
    """A fence. `span`: where its text stands in the page. `file`: what it is written to; `why` it is not run;
    `vary`: so do its numbers."""

    language: str
    text: str
    span: tuple[int, int]
    file: str | None
    why: str | None
    vary: bool

    @property
    def commands(self) -> list[list[str]]:
        """The lines `gradline …` of a shell block, in words."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("gradline ")]


@dataclass(frozen=True)
class Shown:
    """An output on a page, and what was really printed."""

    block: Block
    printed: str

    @property
    def wrong(self) -> str:
        """Where they differ, in words; "" if they do not."""
        return differs(self.block.text, self.printed, vary=self.block.vary)


def blocks(page: str) -> list[Block]:
    """All fences of a page, in order."""
    return [
        Block(m["language"], m["text"], m.span("text"), m["file"], m["why"], bool(m["vary"]))
        for m in FENCE.finditer(page)
    ]


def run_page(page: str) -> Iterator[Shown]:
    """Run the blocks of a page in the current folder; yields every output that it shows."""
    names: dict[str, object] = {"__name__": "page"}
    printed: str | None = None
    for block in blocks(page):
        if block.language in ("text", "json"):
            if printed is None:
                raise AssertionError(f"an output of nothing:\n{block.text}")
            yield Shown(block, printed)
        elif block.why is not None:
            check(block)
            printed = None
        elif block.language in ("python", "sh"):
            printed = run(block, names)


def check(block: Block) -> None:
    """Of a block that is not run: it is Python."""
    if block.language == "python":
        ast.parse(block.text)


def run(block: Block, names: dict[str, object]) -> str:
    """Run one block; what it printed, on either stream."""
    if block.file is not None:
        Path(block.file).write_text(block.text, "utf-8")
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if block.language == "python":
            exec(compile(block.text, "<page>", "exec"), names)
        else:
            from gradline.cli._app import run as gradline

            codes = [gradline(words) for words in block.commands]
            shows_refusal = "expected" in said.getvalue()  # that of a value, not of an option that does not exist
            assert all(code in (0, 1, 2 if shows_refusal else 0) for code in codes), f"{block.text}{said.getvalue()}"
    return said.getvalue()


def differs(expected: str, printed: str, *, vary: bool = False) -> str:
    """Where an output is not what the page shows, in words; "" if it is.

    Space counts as space. Whole numbers are equal, others within 2 % and the last digit shown. What another machine
    may need is allowed: a quarter before "%" and "gradients", a half behind "gap", anything before "s" (seconds).
    """
    want, have = expected.strip(), printed.strip()
    pattern, numbers, at = "", [], 0
    for match in re.finditer(rf"…|{NUMBER.pattern}|\s+", want):
        pattern += re.escape(want[at : match.start()])
        at = match.end()
        if match[0] == "…":
            pattern += r"[\s\S]*?"
        elif match[0].isspace():
            pattern += r"\s+"
        else:
            pattern += f"({NUMBER.pattern})"
            unit = re.match(r"\s*([\w%]*)", want[match.end() :])
            assert unit is not None
            behind_gap = "gap" in want[max(0, at - 40) : at].splitlines()[-1]
            numbers.append((match[0], "gap" if behind_gap else "%" if vary and unit[1] != "s" else unit[1]))
    found = re.fullmatch(pattern + re.escape(want[at:]), have)
    if found is None:
        return f"the page says\n{expected}\nand it is\n{printed}"
    wrong = [
        f"{shown} {unit} on the page is {real}"
        for (shown, unit), real in zip(numbers, found.groups(), strict=True)
        if not _near(shown, real, unit)
    ]
    return "; ".join(wrong)


def _near(shown: str, real: str, unit: str) -> bool:
    if unit == "s":
        return True
    want, have = (float(n.replace("−", "-")) for n in (shown, real))
    share = {"%": 0.25, "gradient": 0.25, "gradients": 0.25, "gap": 0.5}.get(unit)
    if share is None and re.fullmatch(r"[-+−]?\d+", shown):
        return want == have
    mantissa, _, exponent = shown.partition("e")
    digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(want - have) <= (0.02 if share is None else share) * abs(want) + 1.5 * digit


@contextlib.contextmanager
def folder(place: Path) -> Iterator[None]:
    """Work in a folder with the photo, as wide as the pages, without colours, and with the modules that lie there."""
    from gradline import demo_photo

    before, environment, modules, found = Path.cwd(), dict(os.environ), set(sys.modules), list(sys.path)
    shutil.copy(demo_photo(), place / "coffee.png")
    os.chdir(place)
    sys.path.insert(0, str(place))
    os.environ |= {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = found
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "") or "").startswith(str(place)):
                del sys.modules[name]


def rewritten(page: str) -> str:
    """The page with the outputs that it really has; those with … stay as they are."""
    changes = []
    for shown in run_page(page):
        text = "".join(f"{line.rstrip()}\n" for line in shown.printed.strip("\n").splitlines())
        if "…" not in shown.block.text:
            changes.append((shown.block.span, text))
        elif shown.wrong:
            sys.stderr.write(f"by hand: {shown.wrong}\n")
    for (start, end), text in reversed(changes):
        page = page[:start] + text + page[end:]
    return page


def main() -> None:
    import torch

    torch.set_num_threads(1)
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        before = path.read_text("utf-8")
        with tempfile.TemporaryDirectory() as place, folder(Path(place)):
            after = rewritten(before)
        if after != before:
            path.write_text(after, "utf-8")
            sys.stderr.write(f"rewritten: {name}\n")


if __name__ == "__main__":
    main()
