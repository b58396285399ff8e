"""Arrows between the packages point down and never turn; nothing heavy is imported before it is needed."""

import ast
import importlib
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gradline as gl

SOURCE = Path(gl.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
BASE = ("errors", "lazy", "status")
JOINED = (*BASE, "core", "methods", "question", "result", "engine")

LOOKS = tuple(f"engine.{name}" for name in ("attribute", "outputs_at", "scores_at", "settled"))

MAY = {
    "errors": (),
    "lazy": (),
    "status": (),
    "core": (*BASE, "core"),
    "core.flow": BASE,
    "core.random": BASE,
    "core.rules": (*BASE, "core.random"),
    "core.baselines": (*BASE, "core.baselines", "core.random"),
    "core.baselines.hunt": (*BASE, "core.flow"),
    "core.baselines.search": (*BASE, "core.baselines", "core.flow"),
    "core.baselines.ascent": (*BASE, "core.flow"),
    "core.baselines.entropy": (*BASE, "core.baselines", "core.flow"),
    "core.accumulators": (*BASE, "core.flow"),
    "methods": (*BASE, "core", "methods"),
    "question": (*BASE, "question"),
    "question.derivatives": (*BASE, "core.random"),
    "question.inputs": (*BASE, "question.trees"),
    "question.trouble": BASE,
    "question.sites": (*BASE, "question.trees"),
    "question.targets": (*BASE, "question.targets", "question.trees", "question.trouble"),
    "question.trace": (*BASE, "question.trees"),
    "question.trees": BASE,
    "result": (*BASE, "result"),
    "engine": JOINED,
    "metrics": (*BASE, "core", "question", "result", "metrics"),
    "sanity": (*BASE, "core", "question", "result", "metrics", "sanity", "methods", *LOOKS),
    "evaluation": (*JOINED, "metrics", "sanity", "evaluation"),
    "evaluation.board": (*JOINED, "metrics", "evaluation", "report", "plots"),  # late: it writes and shows itself
    "post": (*BASE, "result", "post"),
    "search": (*JOINED, "metrics", "evaluation", "sanity.copying", "search"),
    "diagnosis": JOINED,
    "neurons": (*JOINED, "neurons"),
    "comparison": (*JOINED, "metrics", "evaluation"),
    "plots": (*BASE, "core", "result", "evaluation", "plots"),
    "report": (*BASE, "result", "plots", "comparison", "evaluation", "report"),
    "adapters": (*JOINED, "comparison", "plots", "report", "adapters"),
    "adapters.neurons": (*JOINED, "neurons", "plots", "report", "adapters"),
    "testing": (*JOINED, "testing"),
}
"""Who may import what of gradline, itself and what is below it; the longest name rules."""

OUTSIDE = {"core": {"numpy", "torch"}, "methods": {"torch"}, "question": {"torch"}, "result": {"numpy", "torch"}}
"""Libraries that a package may import at the top of its modules, beside Python's own."""


def module(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imported(nodes: list[ast.stmt]) -> set[str]:
    """What these statements import, late and for type checking too; `from a import b` is a.b."""
    names: set[str] = set()
    for node in (n for statement in nodes for n in ast.walk(statement)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where an arrow points"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def below(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def arrows(file: Path) -> set[str]:
    names = imported(ast.parse(file.read_text("utf-8")).body)
    return {name.removeprefix("gradline.") for name in names if name.startswith("gradline")}


@pytest.mark.parametrize("file", FILES, ids=module)
def test_arrows_point_down(file: Path) -> None:
    who = module(file)
    rules = [package for package in MAY if below(who, (package,))]
    if rules:
        forbidden = {name for name in arrows(file) if not below(name, MAY[max(rules, key=len)])}
        forbidden |= {name for name in arrows(file) if below(who, ("core",)) and below(name, ("core.method",))}
    else:
        tops = {
            "cli": ("__main__", "cli"),
            "diagnosis": ("__init__", "cli"),
            "comparison": ("__init__", "cli"),
            "core.paths": ("__init__",),
            "testing": (),
        }
        private = tuple(package for package, users in tops.items() if not below(who, users))
        forbidden = {name for name in arrows(file) if below(name, private)}
    assert not forbidden, f"{who} imports {', '.join(sorted(forbidden))}"


def test_arrows_never_turn() -> None:
    """What runs on import is in an order: type checking and late imports aside, no module reaches itself."""
    graph: dict[str, set[str]] = {}
    for file in FILES:
        body = ast.parse(file.read_text("utf-8")).body
        names = imported([n for n in body if isinstance(n, ast.Import | ast.ImportFrom)])
        graph[module(file)] = {name.removeprefix("gradline.") for name in names if name.startswith("gradline")}
    known = {who: {_module_of(name, graph) for name in names} - {who, ""} for who, names in graph.items()}
    order = list(TopologicalSorter(known).static_order())  # raises CycleError
    assert order.index("core.flow") < order.index("core.method") < order.index("engine.call")
    assert order.index("question.trees") < order.index("question.score") < order.index("engine.call")


def _module_of(name: str, graph: dict[str, set[str]]) -> str:
    """The module that a.b.c stands in; "" for the package itself."""
    while name and name not in graph:
        name = name.rpartition(".")[0]
    return name


def test_the_engine_knows_the_default_method_alone() -> None:
    names = {name for file in FILES if below(module(file), ("engine", "diagnosis")) for name in arrows(file)}
    assert {name for name in names if below(name, ("methods",))} == {"methods.integrated_gradients"}


@pytest.mark.parametrize("package", OUTSIDE)
def test_inner_packages_know_few_libraries(package: str) -> None:
    for file in FILES:
        if below(module(file), (package,)):
            body = ast.parse(file.read_text("utf-8")).body
            top = [node for node in body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
            outside = {name.split(".")[0] for name in imported(top)} - {"gradline"} - sys.stdlib_module_names
            assert outside <= OUTSIDE[package], f"{module(file)} imports {outside}"


def test_nothing_heavy_comes_with_the_library() -> None:
    heavy = (
        "PIL",
        "anywidget",
        "captum",
        "jinja2",
        "matplotlib",
        "rich",
        "safetensors",
        "scipy",
        "skimage",
        "typer",
        "transformers",
    )
    code = f"""
import sys, gradline
print("torch" in sys.modules)
every = [getattr(gradline, name) for name in gradline.__all__]
print([name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["False", "[]"]


def test_public_names_are_the_same_for_readers_and_for_the_program() -> None:
    """The imports that type checkers read, and where the names are found when the program runs."""
    block = next(n for n in ast.parse((SOURCE / "__init__.py").read_text("utf-8")).body if isinstance(n, ast.If))
    read = {f"{n.module}.{alias.name}" for n in block.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    found = {home if home.endswith(f".{name}") else f"{home}.{name}" for name, home in gl._HOME.items()}
    assert gl.__all__ == sorted(set(gl.__all__)) == dir(gl)
    assert all(hasattr(gl, name) for name in gl.__all__)
    assert {_resolved(name) for name in read} == {_resolved(name) for name in found}
    with pytest.raises(AttributeError, match="nonsense"):
        _ = gl.nonsense


def _resolved(name: str) -> tuple[int, str]:
    """Which object a dotted name means."""
    home, _, last = name.rpartition(".")
    return id(getattr(importlib.import_module(home), last)), last
