"""The catalogue: every method is one expression, with the papers behind it."""

from collections.abc import Callable

from gradline.core.method import Method
from gradline.errors import InputError
from gradline.methods.gradients import gradient, gradient_x_input
from gradline.methods.inside import conductance, internal_influence
from gradline.methods.integrated import integrated_gradients
from gradline.methods.references import REFERENCES, Reference

_CATALOGUE: tuple[Callable[[], Method], ...] = (integrated_gradients, gradient, gradient_x_input)

_AT_A_LAYER: tuple[Callable[[object], Method], ...] = (conductance, internal_influence)


def names() -> list[str]:
    """The kebab-case names of the methods that need no argument, as on the command line."""
    return [make().name for make in _CATALOGUE]


def by_name(name: str) -> Method:
    """The method of that name with its defaults. Raises `InputError` with the names there are."""
    for make in _CATALOGUE:
        if (method := make()).name == name:
            return method
    for at in _AT_A_LAYER:
        if at.__name__ == name.replace("-", "_"):
            raise InputError(f"a layer for {name}, as in gl.methods.{at.__name__}(gl.Layer('features.3'))")
    raise InputError(f"a method out of {', '.join(names())}", repr(name))


__all__ = [
    "REFERENCES",
    "Reference",
    "by_name",
    "conductance",
    "gradient",
    "gradient_x_input",
    "integrated_gradients",
    "internal_influence",
    "names",
]
