"""The catalogue: every method is one expression, with the papers behind it.

Methods are loaded when they are first used; `CATALOGUE` and `names()` say what there is without PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gradline.errors import InputError
from gradline.lazy import loader
from gradline.methods.catalogue import CATALOGUE as CATALOGUE
from gradline.methods.catalogue import Entry as Entry
from gradline.methods.catalogue import find
from gradline.methods.catalogue import names as names
from gradline.methods.reference import Reference as Reference
from gradline.methods.references import REFERENCES as REFERENCES

if TYPE_CHECKING:
    from gradline.core.method import Method
    from gradline.methods.discrete import discretized_integrated_gradients as discretized_integrated_gradients
    from gradline.methods.discrete import sequential_integrated_gradients as sequential_integrated_gradients
    from gradline.methods.discrete import (
        uniform_discretized_integrated_gradients as uniform_discretized_integrated_gradients,
    )
    from gradline.methods.geometric import (
        geometrically_guided_integrated_gradients as geometrically_guided_integrated_gradients,
    )
    from gradline.methods.geometric import geometrically_guided_maximum as geometrically_guided_maximum
    from gradline.methods.gradients import gradient as gradient
    from gradline.methods.gradients import gradient_x_input as gradient_x_input
    from gradline.methods.inside import conductance as conductance
    from gradline.methods.inside import internal_influence as internal_influence
    from gradline.methods.integrated import integrated_gradients as integrated_gradients
    from gradline.methods.saturation import left_integrated_gradients as left_integrated_gradients
    from gradline.methods.saturation import split_integrated_gradients as split_integrated_gradients
    from gradline.methods.taylor import smooth_integrated_gradients as smooth_integrated_gradients
    from gradline.methods.taylor import smooth_taylor as smooth_taylor
else:
    __getattr__ = loader(__name__, {f: f"{__name__}.{entry.module}" for entry in CATALOGUE for f in entry.functions})

_MADE = [function for entry in CATALOGUE for function in entry.functions]

__all__ = sorted(["CATALOGUE", "REFERENCES", "Entry", "Reference", "by_name", "names", *_MADE])


def __dir__() -> list[str]:
    return __all__


def by_name(name: str) -> "Method":
    """The method of that name with its defaults. Raises `InputError` with the names there are."""
    entry = find(name)
    if entry is None:
        raise InputError(f"a method out of {', '.join(names())}", repr(name))
    if entry.layer:
        raise InputError(f"a layer for {name}, as in gl.methods.{entry.function}(gl.Layer('features.3'))")
    made: Method = getattr(import_module(f"{__name__}.{entry.module}"), entry.function)()
    return made
