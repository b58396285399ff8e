"""What is made of attributions that are there already: no model is asked again.

Loaded when first used.
"""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.post.split import Composition as Composition
    from gradline.post.split import composition as composition

_HOME = names_of({"gradline.post.split": "Composition composition"})

__all__ = sorted(_HOME)

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
