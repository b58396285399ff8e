"""What inside a network is responsible for a part of a map."""

from typing import TYPE_CHECKING

from gradline.lazy import loader, names_of

if TYPE_CHECKING:
    from gradline.neurons.behind import region as region
    from gradline.neurons.behind import region_as_published as region_as_published
    from gradline.neurons.behind import regions as regions

_HOME = names_of({"gradline.neurons.behind": "region region_as_published regions"})

__all__ = sorted(_HOME)

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
