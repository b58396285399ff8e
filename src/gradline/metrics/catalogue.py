"""What there is to say of every metric without making it: the catalogue, read from the sources without PyTorch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from gradline.errors import InputError

if TYPE_CHECKING:
    from gradline.metrics.base import Metric

MODULES = {
    "gradline.metrics": (
        "curves.deletion",
        "curves.magnitude",
        "curves.between",
        "curves.ablation",
        "regions.perturbation",
        "regions.irof",
        "regions.road",
        "information.curve",
        "fidelity.correlating",
        "fidelity.infidelity",
        "robustness.stability",
        "places.localisation",
        "places.mosaic",
        "words.text",
        "shape.completeness",
        "shape.complexity",
        "shape.smoothness",
    ),
    "gradline.sanity": ("randomisation", "random_logit", "model_perturbation"),
}
"""Where metrics live, in the order in which they are listed."""


@dataclass(frozen=True)
class Entry:
    """A metric of the catalogue; fields as in `Metric`. `module`, `cls`: where it is and what it is called in Python.

    `ready`: it can be made without arguments. `text`: its docstring, a string a paragraph.
    """

    name: str
    higher_is_better: bool | None
    range: str
    cost: str
    cites: tuple[str, ...]
    needs: tuple[str, ...]
    module: str
    cls: str
    ready: bool
    text: tuple[str, ...]

    @property
    def python(self) -> str:
        """How it is made in Python."""
        return f"gl.{self.module.split('.')[1]}.{self.cls}({'' if self.ready else '…'})"

    @property
    def better(self) -> str:
        """Which way is better, in a word or two."""
        return {True: "higher", False: "lower", None: "neither"}[self.higher_is_better]


@cache
def entries() -> tuple[Entry, ...]:
    """Every metric and sanity check."""
    found: list[Entry] = []
    for package, modules in MODULES.items():
        for module in modules:
            source = files(package).joinpath(f"{module.replace('.', '/')}.py").read_text("utf-8")
            found += _of_module(f"{package}.{module}", ast.parse(source))
    return tuple(found)


def names() -> list[str]:
    """The kebab-case names of the metrics that need no argument, as on the command line."""
    return [entry.name for entry in entries() if entry.ready]


def by_name(name: str) -> Metric:
    """The metric of that name with its defaults. Raises `InputError` with the names there are."""
    entry = next((e for e in entries() if e.name == name), None)
    if entry is None:
        raise InputError(f"a metric out of {', '.join(names())}", repr(name))
    if not entry.ready:
        raise InputError(f"arguments for {name}, as in {entry.python}", "none")
    made: Metric = getattr(import_module(entry.module), entry.cls)()
    return made


def _of_module(module: str, tree: ast.Module) -> list[Entry]:
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return [_entry(module, node, classes) for node in classes.values() if "name" in _constants(node)]


def _entry(module: str, node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Entry:
    line = [node]
    while base := next((classes[b.id] for b in line[-1].bases if isinstance(b, ast.Name) and b.id in classes), None):
        line.append(base)
    said: dict[str, Any] = {"cites": (), "needs": (), "range": "", "cost": ""}
    for one in reversed(line):
        said |= _constants(one)
    fields = [f for one in line for f in one.body if isinstance(f, ast.AnnAssign) and "ClassVar" not in ast.dump(f)]
    ready = all(f.value is not None for f in fields)
    written = cleandoc(ast.get_docstring(node) or "")
    return Entry(
        name=said["name"],
        higher_is_better=said["higher_is_better"],
        range=said["range"],
        cost=said["cost"],
        cites=tuple(said["cites"]),
        needs=tuple(said["needs"]),
        module=module,
        cls=node.name,
        ready=ready,
        text=tuple(" ".join(paragraph.split()) for paragraph in written.split("\n\n")),
    )


def _constants(node: ast.ClassDef) -> dict[str, Any]:
    """The class's own literal facts."""
    facts = {"name", "higher_is_better", "range", "cost", "cites", "needs"}
    found: dict[str, Any] = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if name in facts:
                found[name] = ast.literal_eval(statement.value)
    return found
