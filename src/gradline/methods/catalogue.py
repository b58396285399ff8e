"""What there is to say of every method without making it: the catalogue in words, read without PyTorch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.resources import files
from inspect import cleandoc


@dataclass(frozen=True)
class Entry:
    """A method of the catalogue.

    `name`: kebab-case, as on the command line. `summary`: one line in plain words. `module`: where in
    `gradline.methods` it is made. `cites`: keys of `gradline.methods.REFERENCES`. `sums`: what its values add up to, ""
    if it makes no claim. `tolerance`: an accuracy can be asked for. `baseline`: its path starts somewhere that can be
    chosen. `layer`: it reads at a layer, which is its argument. `vocabulary`: it goes by words, whose embeddings are
    its argument; text cases fill them in. `aliases`: other names that it goes by.
    """

    name: str
    summary: str
    module: str
    cites: tuple[str, ...]
    sums: str = ""
    tolerance: bool = False
    baseline: bool = False
    layer: bool = False
    vocabulary: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def function(self) -> str:
        """Its name in `gl.methods`."""
        return self.name.replace("-", "_")

    @property
    def functions(self) -> tuple[str, ...]:
        """All its names in `gl.methods`."""
        return tuple(name.replace("-", "_") for name in (self.name, *self.aliases))

    @property
    def python(self) -> str:
        """How it is made in Python."""
        argument = "gl.Layer(name)" if self.layer else ""
        return f"gl.methods.{self.function}({argument})"

    @property
    def text(self) -> tuple[str, ...]:
        """Its docstring, a string a paragraph: the formula, the source, how it differs from the paper's code."""
        source = files("gradline.methods").joinpath(f"{self.module}.py").read_text("utf-8")
        made = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
        written = cleandoc(ast.get_docstring(made[self.function]) or "")
        return tuple(" ".join(paragraph.split()) for paragraph in written.split("\n\n"))


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "integrated-gradients",
        "contributions along the straight path from a baseline to the input",
        "integrated",
        ("sundararajan2017",),
        sums="F(x) − F(x')",
        tolerance=True,
        baseline=True,
    ),
    Entry(
        "gradient", "how fast the score changes with every feature, at the input alone", "gradients", ("simonyan2014",)
    ),
    Entry("gradient-x-input", "the gradient at the input times the input", "gradients", ("shrikumar2016",)),
    Entry(
        "split-integrated-gradients",
        "Integrated Gradients in two parts, before and after the score saturates",
        "saturation",
        ("miglani2020",),
        sums="F(x) − F(x')",
        tolerance=True,
        baseline=True,
    ),
    Entry(
        "left-integrated-gradients",
        "Integrated Gradients up to where the score saturates",
        "saturation",
        ("miglani2020",),
        sums="F at the saturation point − F(x')",
        tolerance=True,
        baseline=True,
    ),
    Entry(
        "smooth-taylor",
        "mean over random points z around x of x − z times the gradient at z",
        "taylor",
        ("goh2020",),
        tolerance=True,
        aliases=("smooth-integrated-gradients",),
    ),
    Entry(
        "geometrically-guided-maximum",
        "the largest gradient met on ascents from points of the straight path",
        "geometric",
        ("rahman2022",),
        baseline=True,
    ),
    Entry(
        "geometrically-guided-integrated-gradients",
        "mean over the straight path of the largest gradient met on an ascent from each point",
        "geometric",
        ("rahman2022",),
        baseline=True,
    ),
    Entry(
        "sequential-integrated-gradients",
        "Integrated Gradients of one token at a time, all others being as they are in x",
        "discrete",
        ("enguehard2023",),
        sums="Σᵢ [F(x) − F(x with row i at x')]",
        tolerance=True,
        baseline=True,
    ),
    Entry(
        "discretized-integrated-gradients",
        "contributions along a path that leads every token from word to word",
        "discrete",
        ("sanyal2021",),
        sums="F(x) − F(x')",
        tolerance=True,
        baseline=True,
        vocabulary=True,
    ),
    Entry(
        "uniform-discretized-integrated-gradients",
        "contributions along a path that leads every token past words near its straight way",
        "discrete",
        ("roy2024",),
        sums="F(x) − F(x')",
        tolerance=True,
        baseline=True,
        vocabulary=True,
    ),
    Entry(
        "conductance",
        "contributions of a layer's units while the input walks from a baseline to x",
        "inside",
        ("dhamdhere2018", "shrikumar2018"),
        sums="F(x) − F(x')",
        tolerance=True,
        baseline=True,
        layer=True,
    ),
    Entry(
        "internal-influence",
        "the mean gradient at a layer's units while the input walks from a baseline to x",
        "inside",
        ("leino2018",),
        tolerance=True,
        baseline=True,
        layer=True,
    ),
)
"""Every method, in the order in which it is listed."""


def find(name: str) -> Entry | None:
    """The entry of that name or alias; None if there is none."""
    return next((entry for entry in CATALOGUE if name in (entry.name, *entry.aliases)), None)


def names() -> list[str]:
    """The kebab-case names of the methods that need no argument, as on the command line."""
    return [entry.name for entry in CATALOGUE if not (entry.layer or entry.vocabulary)]
