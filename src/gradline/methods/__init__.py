"""The catalogue: every method is one expression, with the papers behind it."""

from collections.abc import Callable

from gradline.core.method import Method
from gradline.errors import InputError
from gradline.methods.gradients import gradient, gradient_x_input
from gradline.methods.integrated import integrated_gradients
from gradline.methods.references import REFERENCES, Reference

_CATALOGUE: tuple[Callable[[], Method], ...] = (integrated_gradients, gradient, gradient_x_input)


def names() -> list[str]:
    """The kebab-case names of all methods, as on the command line."""
    return [make().name for make in _CATALOGUE]


def by_name(name: str) -> Method:
    """The method of that name with its defaults. Raises `InputError` with the names there are."""
    for make in _CATALOGUE:
        if (method := make()).name == name:
            return method
    raise InputError(f"a method out of {', '.join(names())}", repr(name))


__all__ = [
    "REFERENCES",
    "Reference",
    "by_name",
    "gradient",
    "gradient_x_input",
    "integrated_gradients",
    "names",
]
