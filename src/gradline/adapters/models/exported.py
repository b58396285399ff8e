"""Exported programs: a network as a graph, in one `.pt2` file, that needs none of its Python."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gradline.adapters.models.archive import check_archive
from gradline.adapters.models.description import Description, described
from gradline.adapters.models.preprocessing import Preprocessing
from gradline.errors import InputError, ModelError, StorageError
from gradline.result.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.export import ExportedProgram

EXTRA = "gradline.json"
"""The extra file in an archive that describes the model."""


class InBatches(nn.Module):
    """A program that takes from `least` to `most` rows, for any number: in turn, the last of them filled up."""

    def __init__(self, program: nn.Module, least: int, most: int) -> None:
        super().__init__()
        self.program, self.least, self.most = program, least, most
        self.training = False

    def forward(self, x: Tensor) -> Any:
        """The program's output for x, rows first."""
        outputs = [self._rows(part) for part in x.split(self.most)]  # type: ignore[no-untyped-call]
        if len(outputs) == 1:
            return outputs[0]
        return torch.utils._pytree.tree_map(lambda *parts: torch.cat(parts), *outputs)

    def _rows(self, part: Tensor) -> Any:
        lacking = self.least - len(part)
        if lacking <= 0:
            return self.program(part)
        whole = self.program(torch.cat([part, part[-1:].expand(lacking, *part.shape[1:])]))
        return torch.utils._pytree.tree_map(lambda entry: entry[: len(part)], whole)


def save_exported(
    program: ExportedProgram, path: str | Path, preprocessing: Preprocessing, classes: Sequence[str] = ()
) -> Path:
    """Write an exported image classifier, with all that `image_model("….pt2")` needs. Raises `StorageError`.

    Export in evaluation mode. A dynamic first dimension is worth it: with a fixed one, rows run in turn.
    """
    path = Path(path)
    if path.suffix != ".pt2":
        raise StorageError(f"expected a file name that ends in .pt2, got {path.name!r}")
    extra = {EXTRA: Description(preprocessing, tuple(classes)).text()}
    return write_atomically(path, lambda p: torch.export.save(program, p, extra_files=extra))


def load_exported(path: Path) -> tuple[nn.Module, Description | None]:
    """The network of a `.pt2` file for any number of rows, and what the file says of it.

    Raises `InputError`, `StorageError`, `ModelError`.
    """
    if not path.is_file():
        raise InputError("an exported program", f"{str(path)!r}, which is not there")
    check_archive(path)
    extra: dict[str, Any] = {EXTRA: ""}
    try:
        with _quiet():
            program = torch.export.load(path, extra_files=extra)
            module = program.module()
    except Exception as error:
        raise ModelError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    for part in module.modules():
        part.training = False  # the graph has no such mode, and its eval() raises
    if any(_is_dropout(node) for node in program.graph.nodes):
        raise InputError(f"a program in evaluation mode in {path}", "dropout in its graph", "export model.eval()")
    least, most = _rows_taken(program, path)
    text = extra[EXTRA].decode("utf-8") if isinstance(extra[EXTRA], bytes) else extra[EXTRA]
    description = described(text, f"{EXTRA} in {path}") if text else None
    return (module if most is None else InBatches(module, least, most)), description


def _rows_taken(program: ExportedProgram, path: Path) -> tuple[int, int | None]:
    """Fewest and most rows of x; None: any number."""
    names = program.graph_signature.user_inputs
    inputs = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(inputs) != 1 or not isinstance(inputs[0], Tensor) or inputs[0].ndim < 1:
        raise InputError(f"a program with one tensor as its input in {path}", f"{len(inputs)} inputs")
    rows = inputs[0].shape[0]
    if isinstance(rows, int):
        return rows, rows
    limits = program.range_constraints.get(rows.node.expr)
    if limits is None or (limits.lower <= 2 and limits.upper > 2**31):
        return 1, None
    least = 1 if limits.lower <= 2 else int(limits.lower)
    return least, int(min(limits.upper, 2**31))


def _is_dropout(node: Any) -> bool:
    """Dropout that is on: its arguments are x, the share, and whether it is training."""
    name = str(node.target)
    return "dropout" in name and len(node.args) > 2 and node.args[2] is True


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch writes beside an exception, or about files that it leaves open."""
    logger = logging.getLogger("torch.export")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before
