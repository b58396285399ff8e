"""What every target in words is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from gradline.adapters.text.encoding import Encoded
from gradline.adapters.text.model import Task, TextModel
from gradline.question.targets import Target

Candidates = tuple[tuple[str, float], ...]
Question = tuple[Encoded, Target]


class TextTarget(ABC):
    """What is explained of texts; becomes a target of `gl.targets` for texts that are known."""

    task: ClassVar[Task]

    @abstractmethod
    def ask(self, model: TextModel, encoded: Encoded) -> Question:
        """The texts as the model is to see them, and the target. Raises `InputError` and its kinds."""

    @abstractmethod
    def title(self, model: TextModel, encoded: Encoded, frozen: Target, example: int) -> str:
        """What is explained of an example, in words; `frozen`: the target, settled at x."""

    def candidates(self, model: TextModel, encoded: Encoded, output: Any, frozen: Target, example: int) -> Candidates:
        """The most probable answers at x, with their probabilities; none where there are no such."""
        return ()
