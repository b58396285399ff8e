"""The exception tree: every refusal says what was expected, what came and what to do.

GradlineError
├── InputError (ValueError)    x or an argument of the call is wrong
│   ├── TargetError            the target does not fit the model's output
│   ├── SiteError              no such place in the network
│   └── BaselineError          the baseline does not fit x
├── ModelError (RuntimeError)  the model failed on a probe; the cause is chained
├── MemoryBudgetError          one row does not fit into the memory allowed
├── StorageError (OSError)     a file could not be read or written
└── MissingExtra (ImportError) an optional dependency is not installed
"""

from __future__ import annotations


class GradlineError(Exception):
    """Base of all errors that gradline raises on purpose."""


class InputError(GradlineError, ValueError):
    """An argument is wrong: says what was expected, what came, and the remedy."""

    def __init__(self, expected: str, got: str = "", remedy: str = "") -> None:
        self.expected, self.got, self.remedy = expected, got, remedy
        text = f"expected {expected}" if got else expected
        text += f", got {got}" if got else ""
        super().__init__(text + (f"; {remedy}" if remedy else ""))


class TargetError(InputError):
    """The target does not fit the model's output."""


class SiteError(InputError):
    """The place in the network does not exist or cannot be used."""


class BaselineError(InputError):
    """The baseline does not fit the input."""


class ModelError(GradlineError, RuntimeError):
    """The model failed, or its output cannot be differentiated; the cause is chained."""


class MemoryBudgetError(GradlineError, MemoryError):
    """Not even one row fits into the memory that was allowed or that the device has."""


class StorageError(GradlineError, OSError):
    """A file is missing, damaged, or cannot be written; nothing was left half written."""


class MissingExtra(GradlineError, ImportError):
    """An optional dependency is needed: the message names the extra to install, or the `command` that installs it."""

    def __init__(self, feature: str, extra: str, *, command: str = "") -> None:
        how = command or f"pip install 'gradline[{extra}]'"
        super().__init__(f"{feature} needs an optional dependency: {how}")
